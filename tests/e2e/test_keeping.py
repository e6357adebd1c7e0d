"""What is kept of hits, changed under a running process."""

import signal
from contextlib import ExitStack
from pathlib import Path

from e2e.house import ANA, Letterbell, Sink, fetch, settings
from e2e.letters import NEWSLETTER
from e2e.oracle import compare


def test_sighup_reads_what_is_kept_again(tmp_path: Path, until_done: ExitStack) -> None:
    """It holds for hits to come."""
    sink = until_done.enter_context(Sink(tmp_path / "upstream"))
    upstream = f'port = {sink.port}\ntls = "none"\n'
    relay = until_done.enter_context(Letterbell(tmp_path, settings(upstream)))
    relay.add_sender(ANA)
    with relay.smtp() as client:
        client.sendmail(ANA, ["carol@example.org"], NEWSLETTER, ["BODY=8BITMIME"])
    [pixel] = compare(NEWSLETTER, sink.next_mail().content, "https://t.example.com").pixels

    def kept() -> tuple[object, ...]:
        with relay.http() as connection:
            fetch(connection, pixel, "Firefox/141.0")
        query = "SELECT length(network), text FROM hit JOIN agent ON agent.id = agent_id"
        return relay.rows(f"{query} ORDER BY hit.id DESC LIMIT 1")[0]

    assert kept() == (3, "Firefox")
    wished = '[hits]\naddresses = "full"\nagents = "full"\n[retention]\nmessages = 30\n'
    relay.config.write_text(relay.config.read_text() + wished)
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_for(lambda line: '"settings reloaded"' in line)
    assert kept() == (4, "Firefox/141.0")

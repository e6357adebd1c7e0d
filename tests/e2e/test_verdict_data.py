"""Newer lists of networks and agents, under a running process."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import ANA, Letterbell, Sink, fetch, run, settings
from e2e.letters import NEWSLETTER
from e2e.oracle import compare

TABLE = '[preview]\nsource = "a test"\ndate = 2026-01-02\ncontains = ["{agent}"]\n'


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


def reload(relay: Letterbell) -> str:
    """SIGHUP; the line that tells what came of the settings."""
    relay.process.send_signal(signal.SIGHUP)
    return relay.wait_for(lambda line: '"settings ' in line)


def test_sighup_reads_the_lists_again(tmp_path: Path, sink: Sink, until_done: ExitStack) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    agents = lists / "agents.toml"
    agents.write_text(TABLE.format(agent="NewChat"))
    upstream = f'port = {sink.port}\ntls = "none"\n[verdict]\ndata = "lists"'
    relay = until_done.enter_context(Letterbell(tmp_path, settings(upstream)))
    relay.add_sender(ANA)
    with relay.smtp() as client:
        client.sendmail(ANA, ["carol@example.org"], NEWSLETTER, ["BODY=8BITMIME"])
    [pixel] = compare(NEWSLETTER, sink.next_mail().content, "https://t.example.com").pixels

    def previews(agent: str) -> bool:
        with relay.http() as connection:
            fetch(connection, pixel, agent)
        return relay.rows("SELECT rule FROM hit ORDER BY id DESC LIMIT 1") == [("preview",)]

    assert (previews("NewChat/1"), previews("NewerChat/1")) == (True, False)
    agents.write_text(TABLE.format(agent="NewerChat"))
    assert "settings reloaded" in reload(relay)
    assert (previews("NewChat/1"), previews("NewerChat/1")) == (False, True)
    agents.write_text("[preview]")
    told = reload(relay)
    assert "not reloaded" in told
    assert str(agents) in told
    assert previews("NewerChat/1")
    checked = run("check", config=relay.config, check=False)
    assert checked.returncode == 2
    assert f"verdict.data: {agents}" in checked.stdout

"""Real mails through the real relay, read a second time on the other side."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, BOB, Letterbell, Sink, fetch, settings
from e2e.letters import OWN, corpus, read_letters, without_bcc
from e2e.oracle import Findings, compare, our_received

MAILS = 200


@pytest.fixture(scope="module")
def sink(folder: Path, until_all_done: ExitStack) -> Sink:
    return until_all_done.enter_context(Sink(folder / "upstream"))


@pytest.fixture
def relay(folder: Path, sink: Sink, until_done: ExitStack) -> Letterbell:
    upstream = f'port = {sink.port}\ntls = "none"'
    relay = until_done.enter_context(Letterbell(folder, settings(upstream)))
    if not relay.rows("SELECT 1 FROM sender"):
        relay.add_sender(ANA)
        relay.add_sender(BOB, "--address", ANA, "--no-opens", "--no-clicks")
    return relay


def relayed(relay: Letterbell, sink: Sink, login: str) -> list[tuple[str, bytes, bytes]]:
    """Each letter's name, as it was sent but for Bcc, as it arrived."""
    passed = []
    with relay.smtp(login) as client:
        for name, sent in read_letters(MAILS):
            client.sendmail(ANA, ["bob@example.org"], sent, ["BODY=8BITMIME"])
            passed.append((name, without_bcc(sent), sink.next_mail().content))
    return passed


def test_only_links_pixel_and_trace_differ_and_every_link_leads_home(
    relay: Letterbell, sink: Sink
) -> None:
    found: list[Findings] = []
    for name, sent, arrived in relayed(relay, sink, ANA):
        try:
            found.append(compare(sent, arrived, BASE))
        except AssertionError as error:
            pytest.fail(f"{name}: {error}")
    with relay.http() as connection:
        for findings in found:
            for url, target in findings.targets.items():
                status, header, _ = fetch(connection, url)
                assert (status, header["Location"]) == (302, target)
            for url in findings.pixels:
                status, header, body = fetch(connection, url)
                assert (status, header["Content-Type"]) == (200, "image/gif")
                assert body.startswith(b"GIF89a")
    relay.stop()  # what it holds of hits is stored
    rows = relay.rows(
        "SELECT raw_open_count, raw_click_count FROM message WHERE sender_id = "
        "(SELECT id FROM sender WHERE login = ?) ORDER BY id",
        ANA,
    )
    assert rows == [(len(each.pixels), len(each.targets)) for each in found]
    pixels, links = (sum(each) for each in zip(*rows, strict=True))
    if corpus() != OWN:  # it must not pass because nothing is tracked any more
        assert (len(found), pixels > 150, links > 1000) == (MAILS, True, True)


def test_both_toggles_off_leaves_every_byte(relay: Letterbell, sink: Sink) -> None:
    for name, sent, arrived in relayed(relay, sink, BOB):
        assert our_received(arrived)[1] == sent, name

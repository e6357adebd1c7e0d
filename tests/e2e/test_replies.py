"""A tracked mail is answered through the same relay: the answer tells of its own reading alone."""

import email
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from e2e.house import ANA, BASE, BOB, Letterbell, Sink, fetch, settings
from e2e.letters import NEWSLETTER

CAROL = "carol@example.org"
QUOTED = [b"https://example.org/one?a=1&amp;b=2", b"https://example.org/two%7E"]


@pytest.fixture
def sink(tmp_path: Path, until_done: ExitStack) -> Sink:
    return until_done.enter_context(Sink(tmp_path / "upstream"))


@pytest.fixture
def relay(tmp_path: Path, sink: Sink, until_done: ExitStack) -> Letterbell:
    upstream = f'port = {sink.port}\ntls = "none"'
    relay = until_done.enter_context(Letterbell(tmp_path, settings(upstream)))
    relay.add_sender(ANA)
    relay.add_sender(BOB, "--no-opens", "--no-clicks")
    return relay


def read_html(raw: bytes) -> bytes:
    """The HTML of a mail, by the standard library."""
    [part] = (
        p for p in email.message_from_bytes(raw).walk() if p.get_content_type() == "text/html"
    )
    html = part.get_payload(decode=True)
    assert isinstance(html, bytes)
    return html


def answer(author: str, quoted: bytes, encoding: str) -> EmailMessage:
    """As mail programs write it: text, and HTML with the whole mail below."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = author, CAROL, "Re: A letter"
    mail.set_content("Yes.\n")
    above = '<p><a href="https://example.org/new">Yes</a>.</p>\n<blockquote>'
    html = above + quoted.decode() + "</blockquote>\n"
    mail.add_alternative(html, subtype="html", cte=encoding)
    return mail


def urls(html: bytes) -> Iterator[bytes]:
    return (found[1] for found in re.finditer(rb"""(?:href|src)=["'](http[^"']*)""", html))


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_an_answer_tells_nothing_of_the_mail_below(
    relay: Letterbell, sink: Sink, encoding: str
) -> None:
    with relay.smtp() as client:
        client.sendmail(ANA, [BOB], NEWSLETTER, ["BODY=8BITMIME"])
    quoted = read_html(sink.next_mail().content)
    old = [url for url in urls(quoted) if url.startswith(BASE.encode())]
    assert len(old) == 3

    with relay.smtp(BOB) as client:
        client.send_message(answer(BOB, quoted, encoding), BOB, [CAROL])
    arrived = sink.next_mail().content
    assert list(urls(read_html(arrived))) == [b"https://example.org/new", *QUOTED]
    untracked = answer(BOB, read_html(NEWSLETTER), encoding)
    assert read_html(arrived) == read_html(untracked.as_bytes())
    relay.wait_for(lambda line: json.loads(line).get("restored") == len(old))

    with relay.smtp() as client:
        client.send_message(answer(ANA, quoted, encoding), ANA, [CAROL])
    new, *below, pixel = urls(read_html(sink.next_mail().content))
    assert below == QUOTED
    assert not {new, pixel} & set(old)
    with relay.http() as connection:
        status, header, _ = fetch(connection, new.decode())
        assert (status, header["Location"]) == (302, "https://example.org/new")
        assert fetch(connection, pixel.decode())[0] == 200
    assert len(relay.rows("SELECT 1 FROM message")) == 2  # Bob's is nowhere

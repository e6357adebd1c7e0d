import pytest

from relay.demo import inbox
from relay.demo.inbox import READER, Inbox

HTML = b"""\
From: "Ana" <ana@demo.example>\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r
Message-ID: <1@demo.example>\r
Content-Type: text/html; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
<p>Gr=FC=DFe</p>\r
"""


def test_reads_what_a_mail_program_shows() -> None:
    mail = Inbox().add(HTML)
    assert (mail.number, mail.name, mail.subject) == (1, "Ana", "Grüße")
    assert mail.message_id == "<1@demo.example>"
    assert mail.body() == ("html", "<p>Grüße</p>\r\n")


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (b"\r\nplain\r\n", ("plain", "plain\n")),
        (b"", ("plain", "")),
        (b"Content-Type: image/png\r\n\r\nx", ("plain", "")),
        (b"Content-Type: text/html; charset=martian\r\n\r\n<p>\xc3\xbc", ("html", "<p>ü")),
        (b"From: <<<@>>>\r\nSubject: =?x?q?=FF?=\r\n\r\nx", ("plain", "x")),
        (b"Content-Type: multipart/mixed; boundary=\r\n\r\nx", ("plain", "")),
        (b"From:\r\n\x00\xff\r\n\r\n\x80", ("plain", "\0\ufffd\n\n\ufffd")),
    ],
)
def test_odd_mails_are_shown_as_far_as_can_be(source: bytes, body: tuple[str, str]) -> None:
    kind, text = Inbox().add(source).body()
    assert (kind, text.replace("\r\n", "\n")) == body


def test_newest_first_and_bounded(monkeypatch) -> None:
    monkeypatch.setattr(inbox, "KEPT", 2)
    kept = Inbox()
    for _ in range(3):
        kept.add(HTML)
    assert [mail.number for mail in kept.mails] == [3, 2]
    assert kept.get(1) is None


async def test_tells_its_reader() -> None:
    kept = Inbox()
    async with kept.feed.subscribe(READER) as news:
        kept.add(HTML)
        assert await news.get() == 1

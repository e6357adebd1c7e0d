"""The four letters that each client sends, and what of them must arrive."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, default

from e2e.house import ANA, BASE
from e2e.oracle import Findings, compare, compare_html, our_received

TO = "bob@example.org"
FILE_NAME = "all octets.bin"
RAW = SMTP.clone(cte_type="8bit", max_line_length=78)
LINKS = ["https://example.org/one?a=1&b=2", "https://example.org/two%7E"]


@dataclass(frozen=True)
class Letter:
    """What a person gives to a mail program. `body` is text or HTML, each line ended by LF."""

    subject: str
    body: str
    html: bool = False
    attachment: bytes | None = None

    @property
    def media_type(self) -> str:
        return "text/html" if self.html else "text/plain"

    def raw(self) -> bytes:
        """As a whole mail, for programs that take it so."""
        mail = EmailMessage(policy=RAW)
        mail["From"] = f"Ana <{ANA}>"
        mail["To"] = TO
        mail["Subject"] = self.subject
        mail["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
        mail["Message-ID"] = "<letter@example.com>"
        subtype = self.media_type.partition("/")[2]
        cte = "7bit" if self.body.isascii() else "8bit"
        mail.set_content(self.body, subtype=subtype, cte=cte)
        if self.attachment is not None:
            octets = ("application", "octet-stream")
            mail.add_attachment(self.attachment, *octets, filename=FILE_NAME)
            mail.set_boundary("between-the-parts")
        return mail.as_bytes()


PLAIN = """\
Hello Bob,

.
..
.three
a link in text stays: https://example.org/plain?x=1&y=2  (with blanks)
Zimtstern, and a long line: 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789
"""
HTML = """\
<html><body>
<p>Grüße: <a href="https://example.org/one?a=1&amp;b=2">one</a>,
<a href='https://example.org/two%7E'>two</a>, <a href="mailto:ana@example.com">write</a>.</p>
.
..
</body></html>
"""
UTF8 = """\
Zimtstern: äöüß € 你好 🎂
Привет
"""
LETTERS = {
    "plain": Letter("A plain letter", PLAIN),
    "html": Letter("A letter with links", HTML, html=True),
    "attachment": Letter(
        "With a file", "See the file, Bob. Zimtstern\n", attachment=bytes(range(256)) * 200
    ),
    "utf8": Letter("Grüße aus Köln: 你好 🎂", UTF8),
}


def check_octets(letter: Letter, sent: bytes, arrived: bytes) -> None:
    """The mail that the client had is the same octet for octet, but for what we do."""
    check_tracking(letter, compare(sent, arrived, BASE))


def check_content(letter: Letter, arrived: bytes) -> None:
    """A mail that the client wrote says what it was given."""
    mail = BytesParser(policy=default).parsebytes(our_received(arrived)[1])
    assert isinstance(mail, EmailMessage)
    check_envelope(letter, mail)
    came = _lines(_body(letter, mail))
    found = Findings()
    if letter.html:
        compare_html(_lines(letter.body).encode(), came.encode(), "utf-8", BASE, found)
    else:
        assert came == _lines(letter.body)
    check_tracking(letter, found)


def check_words(letter: Letter, arrived: bytes) -> None:
    """A mail that the client's editor laid out anew has the same words and files."""
    mail = BytesParser(policy=default).parsebytes(our_received(arrived)[1])
    assert isinstance(mail, EmailMessage)
    check_envelope(letter, mail)
    came, given = (re.sub(r"<[^>]*>", "", each) for each in (_body(letter, mail), letter.body))
    assert came.split() == given.split()


def check_envelope(letter: Letter, mail: EmailMessage) -> None:
    """Who wrote what about what to whom, and the files."""
    assert mail["Subject"] == letter.subject
    assert [each.addr_spec for each in mail["From"].addresses] == [ANA]
    assert [each.addr_spec for each in mail["To"].addresses] == [TO]
    files = [part for part in mail.iter_attachments() if part.get_filename()]
    if letter.attachment is None:
        assert not files
    else:
        assert [(FILE_NAME, letter.attachment)] == [
            (part.get_filename(), part.get_content()) for part in files
        ]


def _body(letter: Letter, mail: EmailMessage) -> str:
    body = mail.get_body(("html",) if letter.html else ("plain",))
    assert body is not None
    assert body.get_content_type() == letter.media_type
    return str(body.get_content())


def check_tracking(letter: Letter, found: Findings) -> None:
    assert list(found.targets.values()) == (LINKS if letter.html else [])
    assert len(found.pixels) == letter.html


def _lines(text: str) -> str:
    """LF alone, and none at the end: programs add one, or take it."""
    return text.replace("\r\n", "\n").rstrip("\n")

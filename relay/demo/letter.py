"""The letter that the demo sends: plain text with [links](https://…), made into a mail. Pure."""

import html
import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, make_msgid

SUBJECT = "Your quote for the garden room"
TEXT = """\
Dear Ben,

Thank you for showing me the garden. I have drawn the room under the apple tree, with the door \
to the west, as you wished.

Here are [the plans and the quote]({site}/plans). If you like them, [pick a day]({site}/visit) \
and I will bring samples of the oak.

Kind regards
Ana
"""

_LINK = re.compile(r"\[([^\[\]]+)\]\((https?://[^\s()<>\"]+)\)")
_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="margin:0;padding:24px;background:#fff;color:#1b2321;\
font:16px/1.6 Georgia,'Times New Roman',serif">
<div style="max-width:34em;margin:0 auto">
<p style="margin:0 0 20px"><img src="{picture}" width="544" height="200" \
alt="A garden room under an apple tree, drawn" \
style="display:block;width:100%;height:auto;border-radius:8px;font:14px sans-serif;color:#56635e">\
</p>
{paragraphs}
</div>
</body>
</html>
"""
_PARAGRAPH = '<p style="margin:0 0 16px">{lines}</p>'
_ANCHOR = '<a href="{target}" style="color:#0d6b57">{text}</a>'


class LetterError(ValueError):
    """The form cannot become a mail; the message says which field, and what it should be."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as its bytes, and whom it goes to."""

    recipients: tuple[str, ...]
    source: bytes


def write(*, sender: str, name: str, to: str, subject: str, text: str, picture: str) -> Letter:
    """A multipart/alternative mail of `text`. Raises LetterError."""
    recipients = _read_recipients(to)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(name, addr_spec=sender)
    message["To"] = ", ".join(recipients)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    lines = text.replace("\r\n", "\n").strip()
    plain, page = _LINK.sub(r"\1: \2", lines) + "\n", _as_page(subject, lines, picture)
    message.set_content(plain, cte=_encoding(plain))
    message.add_alternative(page, subtype="html", cte=_encoding(page))
    return Letter(recipients, message.as_bytes())


def _read_recipients(to: str) -> tuple[str, ...]:
    found = tuple(address for _, address in getaddresses([to]) if address)
    if not found:
        raise LetterError("To is empty: name at least one address, like ben@inbox.example.")
    for address in found:
        local, at, domain = address.rpartition("@")
        if not (local and at and domain) or not address.isascii() or set(address) & set(" \r\n<>"):
            raise LetterError(f"{address} is no mail address: write one like ben@inbox.example.")
    return found


def _encoding(text: str) -> str:
    """As it is where that can be, so that the source stays easy to read (RFC 5322: 998 octets)."""
    short = all(len(line) <= 998 for line in text.splitlines())
    return "7bit" if text.isascii() and short else "quoted-printable"


def _as_page(subject: str, text: str, picture: str) -> str:
    paragraphs = (each.strip() for each in re.split(r"\n\s*\n", text))
    return _PAGE.format(
        title=html.escape(subject),
        picture=html.escape(picture),
        paragraphs="\n".join(
            _PARAGRAPH.format(lines=_as_html(each).replace("\n", "<br>\n")) for each in paragraphs
        ),
    )


def _as_html(text: str) -> str:
    """Text between links escaped, links as anchors."""
    pieces, end = [], 0
    for found in _LINK.finditer(text):
        pieces.append(html.escape(text[end : found.start()], quote=False))
        label, target = (html.escape(group) for group in found.groups())
        pieces.append(_ANCHOR.format(target=target, text=label))
        end = found.end()
    return "".join([*pieces, html.escape(text[end:], quote=False)])

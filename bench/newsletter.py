"""The mails that are measured: a newsletter of 30 kB with 20 links, and 4 kB of text."""

import quopri

HEADER = """\
From: Ana <ana@example.com>\r
To: Bob <bob@example.org>\r
Subject: Letters from the workshop, number 42\r
Date: Mon, 02 Nov 2026 10:00:00 +0000\r
Message-ID: <42@example.com>\r
List-Unsubscribe: <https://example.com/unsubscribe?u=1f3870be>\r
MIME-Version: 1.0\r
"""
HTML = 'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: {}\r\n\r\n'
TEXT = 'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n'

HEAD = """\
<!doctype html>\r
<html lang="en"><head><meta charset="utf-8"><title>Letters from the workshop</title>\r
<style>body {{ margin: 0; font-family: Georgia, serif }} td.x {{ padding: 12px }}</style></head>\r
<body bgcolor="#f6f3ee">\r
<table role="presentation" width="600" align="center" cellpadding="0" cellspacing="0">\r
"""
ITEM = """\
<tr><td class="x" valign="top" width="200">\r
<img src="https://images.example.com/42/{n}.jpg" width="176" height="120" alt="Picture {n}">\r
</td><td class="x" valign="top" style="color:#333333;font-size:16px;line-height:24px">\r
<h2 style="margin:0 0 8px 0;font-size:20px">Piece number {n}</h2>\r
{prose}\
<p><a href="https://www.example.com/letters/42/{n}?utm_source=mail&amp;utm_campaign=w42&amp;n={n}"\r
 style="color:#8a3b12;text-decoration:underline" target="_blank">Read number {n}</a></p>\r
</td></tr>\r
"""
PROSE = (
    "<p>It was a quiet week, and yet the bench was never empty; shavings went to the stove.</p>\r\n"
)
LINKS = 20


def newsletter(encoding: str = "8bit") -> bytes:
    """The newsletter as it goes over the wire, dot-stuffed (it has no such lines)."""
    items = "".join(ITEM.format(n=n, prose=PROSE * 11) for n in range(1, LINKS + 1))
    html = (HEAD + items + "</table>\r\n</body></html>\r\n").encode()
    if encoding == "quoted-printable":
        html = quopri.encodestring(html.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return (HEADER + HTML.format(encoding)).encode() + html


def text() -> bytes:
    """A plain text mail: nothing in it is ever rewritten."""
    line = "It was a quiet week, and yet the bench was never empty in the workshop.\r\n"
    return (HEADER + TEXT + line * 50).encode()

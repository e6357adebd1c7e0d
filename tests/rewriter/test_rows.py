"""The rules of docs/rewriting.md by their numbers, 1 to 82: each in a case that a person can read.

In a table of wrapped links «» mark what a minted URL takes the place of; everything else in the
document must come back as the byte it was, in every transfer encoding. Other files of this folder
go deeper into single rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from email import message_from_bytes
from itertools import chain

import pytest
from mails import BOTH, CLICKS, OWN_HOST, Mint, encode, mail, multipart

from rewriter import Rewritten, Tracking, Untouched, rewrite
from rewriter.hypertext import CLIPPED
from rewriter.plan import PIXEL
from rewriter.transfer import LINE_LIMIT

ENCODINGS = ("8bit", "quoted-printable", "base64")
MARKED = re.compile("«(.*?)»", re.DOTALL)
IMAGE = PIXEL.format(Mint().pixel())
LINK = '<a href="http://e.com/">x</a>'
MARKED_LINK = '<a href="«http://e.com/»">x</a>'
OPENS = replace(BOTH, clicks=False)


class Ours:
    """Knows one link and one pixel as minted before."""

    def target(self, url: str) -> bytes | None:
        return b"http://e.com/?a=1&b=2" if url == f"https://{OWN_HOST}/c/old" else None

    def is_pixel(self, url: str) -> bool:
        return url == f"https://{OWN_HOST}/o/old"

    def is_notice(self, url: str) -> bool:
        return False


def minted(ordinal: int) -> str:
    return Mint().click(b"", ordinal)


def wrap(marked: str) -> str:
    """The document with a minted URL in each marked place."""
    ordinals = iter(range(marked.count("«")))
    return MARKED.sub(lambda _: minted(next(ordinals)), marked)


def plain(marked: str) -> str:
    return MARKED.sub(r"\1", marked)


def body(raw: bytes) -> bytes:
    """What a message of one part says, by the standard library."""
    payload = message_from_bytes(raw).get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


# Row, document, and the targets where they are not what is written.
WRAPPED: list[tuple[int, str, *tuple[str, ...]]] = [
    (1, '<a href="«http://e.com/»">x</a>'),
    (1, '<A HREF="«HTTPS://E.com/»">x</A>'),
    (2, "<a href='«http://e.com/q»'>x</a>"),
    (3, "<a href=«http://e.com/u»>x</a>"),
    (3, "<a href=«http://e.com/u/»>x</a>"),
    (4, '<a\r\n  class=b\r\n  href\r\n = "«http://e.com/n»"\r\n>x</a>'),
    (5, '<a title="a > b" href="«http://e.com/»">x</a>'),
    (6, '<a data-href="http://no/" href="«http://e.com/»">x</a>'),
    (7, '<a href="«http://1.com/»" href="http://2.com/">x</a>'),
    (8, '<a href="«http://e.com/?a=1&amp;b=2»">x</a>', "http://e.com/?a=1&b=2"),
    (9, '<a href="«http://e.com/?a=1&b=2»">x</a>'),
    (10, '<a href="«http://e.com/?a&region=1&copy=2&sect=3&lang=4&timestamp=5»">x</a>'),
    (10, '<a href="«http://e.com/?a&copyright»">x</a>'),
    (10, '<a href="«http://e.com/?a&copy;=1»">x</a>', "http://e.com/?a%C2%A9=1"),
    (11, '<a href="«http://e.com/?a&#38;b&#x26;c&quot;»">x</a>', 'http://e.com/?a&b&c"'),
    (12, '<a href="« \r\n http://e.com/ \t »">x</a>', "http://e.com/"),
    (13, '<a href="«ht\ttp://e.c\r\nom/»">x</a>', "http://e.com/"),
    (14, '<a href="«http://e.com/a  b»">x</a>', "http://e.com/a%20%20b"),
    (16, '<a href="«http&#58;//e.com/»">x</a>', "http://e.com/"),
    (34, '<a href="«http://e.com/?e=u@x.org»">x</a>'),
    (36, f'<a href="«https://{OWN_HOST}.evil.org/»">x</a>'),
    (36, f'<a href="«https://e.com/?u=https://{OWN_HOST}/»">x</a>'),
    (37, '<a href="«http://xn--bcher-kva.example/»">x</a>'),
    (37, '<a href="«http://e.com:8080/p»">x</a>'),
    (37, '<a href="«http://[::1]/p»">x</a>'),
    (37, '<a href="«http://e.com/%E2%82%AC#part»">x</a>'),
    (
        38,
        '<a href="«http://bücher.example/ä?ö#ü»">x</a>',
        "http://xn--bcher-kva.example/%C3%A4?%C3%B6#%C3%BC",
    ),
    (40, '<a clicktracking="on" href="«http://e.com/»">x</a>'),
    (41, '<a disable-tracking="false" href="«http://e.com/»">x</a>'),
    (42, '<a data-pm-tag="no-track" href="«http://e.com/»">x</a>'),
    (43, '<a ses:tags="no-track:1" href="«http://e.com/»">x</a>'),
    (44, '<a data-msys-clicktrack="1" href="«http://e.com/»">x</a>'),
    (45, '<a mc:edit="disable-tracking" href="«http://e.com/»">x</a>'),
    (46, '<a data-disable-tracking="false" href="«http://e.com/»">x</a>'),
    (46, '<a data-mautic-disable-tracking="false" href="«http://e.com/»">x</a>'),
    (46, '<a title="data-skip-click" href="«http://e.com/»">x</a>'),
    (46, '<p data-no-track><a href="«http://e.com/»">x</a></p>'),
    (47, '<a href="«https://e.com/?https+notrack://»">x</a>'),
    (50, '<map><area shape="rect" href="«http://e.com/»"></map>'),
    (51, '<base href="http://no/"><img src="http://no/"><a href="«http://e.com/»">x</a>'),
    (52, '<a ping="http://no/" href="«http://e.com/»">x</a>'),
    (53, '<style>a{}</style><title>x</title><a href="«http://e.com/»">x</a>'),
    (54, '<!-- x --><a href="«http://e.com/»">x</a><!---->'),
    (
        55,
        "<!--[if mso]><v:rect href='«http://v.com/»'/><a href=«http://e.com/»>x</a><![endif]-->",
    ),
    (56, '<!--[if !mso]><!--><a href="«http://e.com/»">x</a><!--<![endif]-->'),
    (56, '<![if !mso]><a href="«http://e.com/»">x</a><![endif]>'),
    (58, '<a href="«http://e.com/»">e.com is ours</a><a href="«http://e.com/»">example.com</a>'),
]

# Row, document, and the rule that is told; "" where there is no link to tell it of.
LEFT: list[tuple[int, str, str]] = [
    (15, '<a href="http://e.com/\x01">x</a>', "control character"),
    (15, '<a href="http://e.com/&#1;">x</a>', "control character"),
    (17, '<a href="">x</a>', "empty"),
    (17, '<a href=" ">x</a>', "empty"),
    (17, "<a href>x</a>", "empty"),
    (18, '<a href="#top">x</a>', "fragment"),
    (19, '<a href="page.html?u=http://e.com/">x</a>', "relative"),
    (19, '<base href="http://e.com/"><a href="/page.html">x</a>', "relative"),
    (20, '<a href="//e.com/p">x</a>', "relative"),
    (21, '<a href="mailto:a@e.com">x</a>', "scheme"),
    (22, '<a href="tel:+1">x</a>', "scheme"),
    (23, '<a href="sms:+1">x</a>', "scheme"),
    (24, '<a href="cid:1@e.com">x</a>', "scheme"),
    (25, '<a href="data:text/html,x">x</a>', "scheme"),
    (26, '<a href="javascript:void(0)">x</a>', "scheme"),
    (26, '<a href="java&#115;cript&colon;x">x</a>', "scheme"),
    (27, '<a href="ftp://e.com/">x</a>', "scheme"),
    (28, '<a href="webcal://e.com/">x</a>', "scheme"),
    (29, '<a href="whatsapp://send?u=http://e.com/">x</a>', "scheme"),
    (29, '<a href="httpx://e.com/">x</a>', "scheme"),
    (30, '<a href="http:e.com">x</a>', "no host"),
    (30, '<a href="https:///e.com">x</a>', "no host"),
    (31, '<a href="{{unsubscribe}}">x</a>', "placeholder"),
    (31, '<a href="http://e.com/{{id}}">x</a>', "placeholder"),
    (31, '<a href="{% url %}">x</a>', "placeholder"),
    (31, '<a href="http://e.com/{% if a %}b{% endif %}">x</a>', "placeholder"),
    (31, '<a href="*|UNSUB|*">x</a>', "placeholder"),
    (31, '<a href="http://e.com/?u=*|UNIQID|*">x</a>', "placeholder"),
    (31, '<a href="http://%%host%%/">x</a>', "placeholder"),
    (31, '<a href="<%asm_url%>">x</a>', "placeholder"),
    (32, '<a href="%unsubscribe_url%">x</a>', "placeholder"),
    (32, '<a href="http://e.com/%unsubscribe_url%">x</a>', "placeholder"),
    (32, '<a href="[unsubscribe]">x</a>', "relative"),
    (32, '<a href="http://e.com/${id}">x</a>', "placeholder"),
    (33, '<a href="http://user:pass@e.com/">x</a>', "user in URL"),
    (33, '<a href="http://user@e.com/">x</a>', "user in URL"),
    (35, f'<a href="https://{OWN_HOST.upper()}/c/x">x</a>', "own host"),
    (35, f'<a href="http://{OWN_HOST}:8080">x</a>', "own host"),
    (39, f'<a href="http://e.com/{"x" * 8_000}">x</a>', "too long"),
    (40, '<a clicktracking=off href="http://e.com/">x</a>', "opt-out"),
    (40, '<a href="http://e.com/" CLICKTRACKING="OFF">x</a>', "opt-out"),
    (41, '<a disable-tracking="true" href="http://e.com/">x</a>', "opt-out"),
    (42, '<a data-pm-no-track href="http://e.com/">x</a>', "opt-out"),
    (43, '<a ses:no-track href="http://e.com/">x</a>', "opt-out"),
    (44, '<a data-msys-clicktrack="0" href="http://e.com/">x</a>', "opt-out"),
    (45, '<a mc:disable-tracking href="http://e.com/">x</a>', "opt-out"),
    (46, '<a data-disable-tracking="true" href="http://e.com/">x</a>', "opt-out"),
    (46, '<a data-mautic-disable-tracking="true" href="http://e.com/">x</a>', "opt-out"),
    (46, '<a data-skip-click href="http://e.com/">x</a>', "opt-out"),
    (46, '<a data-no-track href="http://e.com/">x</a>', "opt-out"),
    (50, '<abbr href="http://e.com/">x</abbr><ahref="http://e.com/">', ""),
    (51, '<link rel="stylesheet" href="http://e.com/s.css">', ""),
    (51, '<base href="http://e.com/">', ""),
    (51, '<img src="http://e.com/i.png">', ""),
    (51, '<td background="http://e.com/b.png">', ""),
    (51, '<form action="http://e.com/"><button formaction="http://e.com/">x</button></form>', ""),
    (52, '<blockquote cite="http://e.com/">x</blockquote>', ""),
    (52, '<iframe src="http://e.com/"></iframe>', ""),
    (52, '<a ping="http://e.com/" href="mailto:a@e.com">x</a>', "scheme"),
    (52, '<svg><a xlink:href="http://e.com/"><text>x</text></a></svg>', ""),
    (53, f"<style>{LINK}</style><script>'{LINK}'</script>", ""),
    (53, f"<textarea>{LINK}</textarea><title>{LINK}</title>", ""),
    (53, f"<xmp>{LINK}</xmp><noframes>{LINK}</noframes>", ""),
    (53, f"<plaintext>{LINK}", ""),
    (54, f"<!-- {LINK} -->", ""),
    (54, f"<!-- {LINK}", ""),
    (57, '<p>x</p><a href="http://e.com/', ""),
    (57, '<p>x</p><a href="http://e.com/" class=x', ""),
    (58, '<a href="http://e.com/"><b>https://www.e.com/path</b></a>', "shows its URL"),
    (58, '<a href="http://e.com/">e.com</a>', "shows its URL"),
]


def ids(rows: Iterable[tuple[int, *tuple[str, ...]]]) -> list[str]:
    return [f"row {row}" for row, *_ in rows]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("case", WRAPPED, ids=ids(WRAPPED))
def test_wrapped(case: tuple[int, str, *tuple[str, ...]], encoding: str) -> None:
    _, marked, *targets = case
    raw = mail(plain(marked), encoding)
    result = rewrite(raw, tracking=CLICKS, links=Mint())
    assert isinstance(result, Rewritten), result
    assert [link.target.decode() for link in result.links] == (targets or MARKED.findall(marked))
    assert result.skipped == ()
    if encoding == "8bit":
        assert result.message == mail(wrap(marked))
    assert body(result.message) == wrap(marked).encode()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("case", LEFT, ids=ids(LEFT))
def test_left_alone(case: tuple[int, str, str], encoding: str) -> None:
    _, html, rule = case
    result = rewrite(mail(html, encoding), tracking=CLICKS, links=Mint())
    assert isinstance(result, Untouched), result
    assert result.reason == "nothing to track"
    assert [skipped.rule for skipped in result.skipped] == ([rule] if rule else [])


HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + LINK.encode()
TEXT = b"Content-Type: text/plain\r\n\r\nhello"
PGP = b"\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----\r\n"


def html(*, kind: str = "text/html; charset=utf-8", header: str = "") -> bytes:
    """A part that would be rewritten if its header said nothing else."""
    return f"Content-Type: {kind}\r\n{header}\r\n{LINK}".encode()


def transferred(encoding: str, encoded: str = LINK) -> bytes:
    return html(header=f"Content-Transfer-Encoding: {encoding}\r\n").replace(
        LINK.encode(), encoded.encode()
    )


# Row, message, and why it goes out as it came.
MESSAGES: list[tuple[int, bytes, str]] = [
    (59, multipart(HTML, TEXT, subtype="signed"), "signed"),
    (60, multipart(TEXT, HTML, subtype="encrypted"), "encrypted"),
    (60, html(kind="application/pkcs7-mime; smime-type=enveloped-data"), "S/MIME"),
    (60, html(kind="application/x-pkcs7-mime"), "S/MIME"),
    (61, multipart(HTML, extra="; protected-headers=v1"), "protected headers (RFC 9788)"),
    (61, html(kind="text/html; hp=clear"), "protected headers (RFC 9788)"),
    (62, multipart(TEXT, HTML, subtype="report"), "a delivery report"),
    (62, multipart(HTML, subtype="digest"), "a digest"),
    (62, html(kind="message/rfc822"), "an attached message"),
    (63, html(kind="text/calendar"), "no HTML part"),
    (63, html(kind="text/x-amp-html"), "no HTML part"),
    (64, multipart(PGP, HTML), "inline PGP"),
    (64, html().replace(b"<a", b"<pre>" + PGP + b"</pre><a"), "inline PGP"),
    # That a null sender's mail is left alone as well, the relay's policy sees to.
    (65, html(header="DKIM-Signature: v=1; d=e.com\r\n"), "carries a DKIM signature"),
    (65, html(header="ARC-Seal: i=1; cv=none\r\n"), "carries an ARC set"),
]

# Row, a part beside another that is rewritten, and the rule by which it is left alone.
PARTS: list[tuple[int, bytes, str]] = [
    (59, multipart(HTML, TEXT, TEXT, subtype="signed"), "signed"),
    (60, multipart(TEXT, HTML, TEXT, subtype="encrypted"), "encrypted"),
    (60, html(kind="application/pkcs7-mime"), "S/MIME"),
    (62, multipart(TEXT, HTML, TEXT, subtype="report"), "a delivery report"),
    (62, multipart(HTML, TEXT, TEXT, subtype="digest"), "a digest"),
    (62, html(kind="message/rfc822") + HTML, "an attached message"),
    (63, html(header="Content-Disposition: attachment\r\n"), "attachment"),
    (63, html(header='Content-Disposition: inline; filename="a.html"\r\n'), "attachment"),
    (63, html(kind="text/html; name=a.html"), "attachment"),
    (66, html(kind="text/html; charset=utf-7"), "charset"),
    (69, transferred("quoted-printable;"), "unknown transfer encoding"),
    (69, transferred("8bits"), "unknown transfer encoding"),
    (69, transferred("x-uuencode"), "unknown transfer encoding"),
    (
        70,
        transferred("base64", "PGEgaHJlZj0iaHR0cDovL2UuY29tLyI+\r\n-- \r\nlist"),
        "malformed base64",
    ),
]


@pytest.mark.parametrize(("_", "raw", "reason"), MESSAGES, ids=ids(MESSAGES))
def test_message_left_alone(_: int, raw: bytes, reason: str) -> None:
    result = rewrite(raw, tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched)
    assert result.reason == reason


@pytest.mark.parametrize(("_", "part", "rule"), PARTS, ids=ids(PARTS))
def test_part_left_alone(_: int, part: bytes, rule: str) -> None:
    result = rewrite(multipart(part, HTML), tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    assert [link.part for link in result.links] == ["2"]
    assert [(each.number, each.rule) for each in result.parts] == [("1", rule), ("2", None)]
    changed = HTML.replace(b"http://e.com/", minted(0).encode()) + IMAGE.encode()
    assert result.message == multipart(part, changed)


def test_row_63_of_related_only_the_root() -> None:
    framed = html(header="Content-ID: <frame@e.com>\r\n")
    result = rewrite(multipart(HTML, framed, subtype="related"), tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    assert [link.part for link in result.links] == ["1"]
    assert framed in result.message


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "utf-32", "utf-7", "hz", "cp500"])
def test_row_66(charset: str) -> None:
    raw = mail(LINK.encode(charset), "base64", charset=charset)
    result = rewrite(raw, tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched)
    assert [part.rule for part in result.parts] == ["charset"]


KANJI = "<p>漢字</p>" + MARKED_LINK + "<b>漢字</b>"
# Row, the charset told, the one written in.
CHARSETS = [
    (67, "iso-2022-jp", "iso-2022-jp"),
    (67, "shift_jis", "shift_jis"),
    (67, "gb18030", "gb18030"),
    (67, "big5", "big5"),
    (68, "us-ascii", "utf-8"),
    (68, "utf-8", "euc-jp"),
    (68, "x-nobody-knows", "utf-8"),
    (68, None, "shift_jis"),
    (68, None, "utf-8"),
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("_", "told", "written"), CHARSETS, ids=ids(CHARSETS))
def test_charset(_: int, told: str | None, written: str, encoding: str) -> None:
    before, after = (text.encode(written) for text in (plain(KANJI), wrap(KANJI)))
    result = rewrite(mail(before, encoding, charset=told), tracking=CLICKS, links=Mint())
    assert isinstance(result, Rewritten)
    assert body(result.message) == after


def test_row_48_and_49_what_unsubscribes() -> None:
    header = (
        b"List-Unsubscribe: <mailto:u@e.com>,\r\n <http://e.com/u?id=1&x=2>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )
    marked = '<a href="http://e.com/u?id=1&amp;x=2">stop</a><a href="«http://e.com/u»">x</a>'
    result = rewrite(header + mail(plain(marked)), tracking=CLICKS, links=Mint())
    assert isinstance(result, Rewritten)
    assert result.message == header + mail(wrap(marked))
    assert [skipped.rule for skipped in result.skipped] == ["unsubscribe"]


def test_row_47_postal_s_marker_is_taken_off() -> None:
    raw = mail('<a href="https+notrack://e.com/">x</a><a href="HTTP+NOTRACK://e.com/">x</a>')
    result = rewrite(raw, tracking=CLICKS, links=Mint())
    assert isinstance(result, Rewritten)
    assert result.message == mail('<a href="https://e.com/">x</a><a href="HTTP://e.com/">x</a>')
    assert result.links == ()


def test_row_58_an_option_wraps_what_shows_its_url() -> None:
    tracking = replace(CLICKS, wrap_url_text=True)
    result = rewrite(mail('<a href="http://e.com/">e.com</a>'), tracking=tracking, links=Mint())
    assert isinstance(result, Rewritten)
    assert [link.label for link in result.links] == ["e.com"]


def test_row_71_what_is_new_in_quoted_printable_stands_on_short_lines() -> None:
    lines = ["<p>caf=C3=A9 =", '<a class=3D"x" href=3D"http://e.com/?a=3D1">x</a></p>', "<p>x</p>"]
    raw = mail("", "quoted-printable") + "\r\n".join(lines).encode()
    result = rewrite(raw, tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    after = result.message.partition(b"\r\n\r\n")[2].decode().split("\r\n")
    assert max(map(len, after)) <= 76
    assert after[:2] == [lines[0], '<a class=3D"x" href=3D"=']
    assert '=\r\n">x</a></p>\r\n<p>x</p>=\r\n<img src=3D' in result.message.decode()
    assert (
        body(result.message)
        == body(raw).replace(b"http://e.com/?a=1", minted(0).encode()) + IMAGE.encode()
    )


def test_row_72_a_line_past_998_octets_is_broken_before_href() -> None:
    # Each link alone would fit: they are counted together.
    line = "".join(f'<p>word <a href="http://e.com/{n}">x</a></p>' for n in range(12))
    assert len(line) + len(minted(0)) < LINE_LIMIT < len(minted(0)) * 12
    result = rewrite(mail(line), tracking=CLICKS, links=Mint())
    assert isinstance(result, Rewritten)
    assert len(result.links) == 12
    assert max(map(len, result.message.split(b"\r\n"))) <= LINE_LIMIT
    assert f'<p>word <a\r\nhref="{minted(0)}"'.encode() in result.message


# Row, document; «» is where the pixel goes, nowhere else.
PIXELS: list[tuple[int, str]] = [
    (73, "<body><p>x</body><p>y«»</BODY ><!-- </body> -->"),
    (73, "<body><p>x«»</body><script>'</body>'</script></html>"),
    (74, "<p>x«»</html>\r\n"),
    (74, "<p>x«»\r\n"),
    (74, "<p>x</p><!-- a comment -->«»"),
    (75, "<frameset><frame src=x></frameset></html>"),
    (75, "<p>x<p title='open"),
    (75, "<p>x<plaintext>"),
    (75, "<p>x<!-- open"),
    (75, "<p>x<style>a{}"),
    (77, "<body class=x>«»\r\n" + "<p>x</p>\r\n" * (CLIPPED // 10) + "</body>"),
    (77, "<body class=x>\r\n" + "<p>x</p>\r\n" * (CLIPPED // 10 - 5) + "«»</body>"),
    (82, f'<p>x<img src="http://{OWN_HOST}.e.com/logo.png">«»'),
]


@pytest.mark.parametrize(("_", "marked"), PIXELS, ids=ids(PIXELS))
def test_pixel(_: int, marked: str) -> None:
    result = rewrite(mail(plain(marked)), tracking=OPENS, links=Mint())
    if "«" not in marked:
        assert isinstance(result, Untouched)
        return
    assert isinstance(result, Rewritten)
    assert result.pixel == "1"
    assert result.message == mail(marked.replace("«»", IMAGE))


def test_row_76_links_in_every_part_the_pixel_in_the_first() -> None:
    result = rewrite(multipart(HTML, TEXT, HTML), tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    assert ([link.part for link in result.links], result.pixel) == (["1", "3"], "1")
    first, other = (HTML.replace(b"http://e.com/", minted(n).encode()) for n in (0, 1))
    assert result.message == multipart(first + IMAGE.encode(), TEXT, other)


@pytest.mark.parametrize("tracking", [BOTH, Tracking(False, False, own_hosts={OWN_HOST})])
def test_row_78_what_is_ours_in_a_quote_leads_home(tracking: Tracking) -> None:
    old = f'<a href="https://{OWN_HOST}/c/old">x</a><img src="https://{OWN_HOST}/o/old" width=1>'
    new = '<a href="http://e.com/?a=1&amp;b=2">x</a>'
    result = rewrite(mail(f"<p>Yes.</p>{old}"), tracking=tracking, links=Mint(), own=Ours())
    assert isinstance(result, Rewritten)
    assert result.message == mail(f"<p>Yes.</p>{new}{IMAGE if tracking.opens else ''}")
    assert [restored.target for restored in result.restored] == [b"http://e.com/?a=1&b=2", None]


def test_row_78_a_second_pass_changes_nothing() -> None:
    first = rewrite(mail(f"{LINK}<p>x</p>"), tracking=BOTH, links=Mint())
    assert isinstance(first, Rewritten)
    second = rewrite(first.message, tracking=BOTH, links=Mint())
    assert isinstance(second, Untouched)
    assert {skipped.rule for skipped in second.skipped} == {"own host", "own pixel"}


def test_row_79_with_both_toggles_off_nothing_changes() -> None:
    off = replace(BOTH, opens=False, clicks=False)
    for own in (None, Ours()):
        result = rewrite(mail(LINK), tracking=off, links=Mint(), own=own)
        assert isinstance(result, Untouched)
        assert result.reason == "tracking is off"


def test_row_80_text_stays_text() -> None:
    raw = b"Content-Type: text/plain\r\n\r\nhttp://e.com/\r\n"
    result = rewrite(raw, tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched)
    assert result.reason == "no HTML part"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_row_81_in_text_only_the_url_changes(encoding: str) -> None:
    head = b"Content-Type: text/plain; format=flowed\r\nContent-Transfer-Encoding: %b\r\n\r\n"
    marked = "See «http://e.com/?a=1&b=2», \r\nor (not «https://e.com/b») \r\n-- \r\nAna\r\n"
    raw = head % encoding.encode() + encode(plain(marked).encode(), encoding)
    tracking = replace(BOTH, text_links=True)
    result = rewrite(raw, tracking=tracking, links=Mint())
    assert isinstance(result, Rewritten)
    assert (result.pixel, body(result.message)) == (None, wrap(marked).encode())
    assert max(map(len, result.message.split(b"\r\n"))) <= LINE_LIMIT


def test_row_82_the_pixel_as_it_is_written() -> None:
    result = rewrite(mail("<p>x</p>"), tracking=BOTH, links=Mint())
    assert isinstance(result, Rewritten)
    assert result.message == mail(
        f'<p>x</p><img src="{Mint().pixel()}" width="1" height="1" alt=""'
        ' style="display:block;border:0">'
    )


def test_every_row_has_a_case() -> None:
    tables = chain(WRAPPED, LEFT, MESSAGES, PARTS, CHARSETS, PIXELS)
    named = re.findall(r"row_(\d+)(?:_and_(\d+))?", " ".join(globals()))
    covered = {row for row, *_ in tables} | {int(each) for each in chain(*named) if each}
    assert covered == set(range(1, 83))

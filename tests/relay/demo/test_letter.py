import email
from email.policy import default

import pytest
from lxml import html

from relay.demo import letter
from relay.demo.letter import LetterError
from rewriter import Tracking, rewrite

SITE = "http://localhost:8025/demo/landing"


class Links:
    def click(self, target: bytes, ordinal: int) -> str:
        return f"http://127.0.0.1/c/{ordinal}"

    def pixel(self) -> str:
        return "http://127.0.0.1/o/pixel"

    def notice(self) -> str:
        return "http://127.0.0.1/p/notice"


def write(text: str = "Hello", to: str = "ben@inbox.example", subject: str = "Hi"):
    return letter.write(
        sender="ana@demo.example",
        name="Ana",
        to=to,
        subject=subject,
        text=text,
        picture=f"{SITE}/picture.svg",
    )


def read(source: bytes):
    message = email.message_from_bytes(source, policy=default)
    plain, page = message.get_body(("plain",)), message.get_body(("html",))
    return message, plain.get_content(), page.get_content()


def test_the_sample_is_a_letter_whose_links_can_be_tracked() -> None:
    written = write(letter.TEXT.format(site=SITE), subject=letter.SUBJECT)
    message, plain, page = read(written.source)
    assert message["Subject"] == letter.SUBJECT
    assert message["From"] == "Ana <ana@demo.example>"
    assert f"{SITE}/plans" in plain
    assert "[" not in page
    tracking = Tracking(True, True, own_hosts=frozenset({"127.0.0.1"}))
    rewritten = rewrite(written.source, tracking=tracking, links=Links())
    assert [link.target.decode() for link in rewritten.links] == [f"{SITE}/plans", f"{SITE}/visit"]
    assert rewritten.pixel


def test_paragraphs_lines_and_links_become_html() -> None:
    _, plain, page = read(
        write("Dear & <Ben>,\r\n\r\none\r\ntwo [a & b](https://e.com/?x=1&y=2)").source
    )
    body = html.fromstring(page)
    paragraphs = body.xpath("//p[not(img)]")
    assert [each.text_content() for each in paragraphs] == ["Dear & <Ben>,", "one\ntwo a & b"]
    assert body.xpath("//a/@href") == ["https://e.com/?x=1&y=2"]
    assert "a & b: https://e.com/?x=1&y=2" in plain


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](/relative)",
        "[x] (https://e.com)",
        '[x](https://e.com/"onclick=y)',
    ],
)
def test_what_is_no_link_stays_text(text: str) -> None:
    _, _, page = read(write(text).source)
    assert not html.fromstring(page).xpath("//a")


def test_other_alphabets_and_long_lines_travel_encoded() -> None:
    text = "Grüße " + "x" * 1200
    written = write(text)
    _, plain, page = read(written.source)
    assert plain.strip() == text
    assert text in page
    assert written.source.isascii()
    assert max(map(len, written.source.split(b"\r\n"))) <= 998


def test_a_subject_cannot_bring_headers() -> None:
    message, _, _ = read(write(subject="Hi\r\nBcc: eve@example.com").source)
    assert message["Subject"] == "Hi Bcc: eve@example.com"
    assert message["Bcc"] is None


def test_several_recipients() -> None:
    written = write(to="ben@inbox.example, Carla <carla@inbox.example>")
    assert written.recipients == ("ben@inbox.example", "carla@inbox.example")


@pytest.mark.parametrize("to", ["", " , ", "ben", "ben@", "@inbox.example", "bén@inbox.example"])
def test_a_bad_address_is_named_with_its_mend(to: str) -> None:
    with pytest.raises(LetterError, match=r"ben@inbox\.example"):
        write(to=to)

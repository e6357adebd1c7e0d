"""What is kept of what was left alone: by which rule, how much, and no secret of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mails import BOTH, Mint, mail

from rewriter import Left, Tracking, find_left, rewrite
from rewriter.left import EXAMPLE, ROWS, show_example


def left(html: str, *, opens: bool = True, clicks: bool = True) -> tuple[Left, ...]:
    tracking = Tracking(opens=opens, clicks=clicks, own_hosts={"t.example.com"})
    return find_left(rewrite(mail(html), tracking=tracking, links=Mint()), opens=opens)


def test_links_by_rule_and_host() -> None:
    html = (
        '<p><a href="https://a.org/1" data-no-track>1</a><a href="https://a.org/2" data-no-track>'
        '2</a><a href="mailto:bob@x.org">3</a><a href="https://t.example.com/">4</a>'
        '<a href="https://b.org/">5</a></p>'
    )
    assert left(html) == (
        Left("opt-out", 2, "a.org"),
        Left("scheme", 1, "mailto:"),
        Left("own host", 1, "t.example.com"),
    )
    assert left(html, clicks=False) == ()


def test_why_there_is_no_pixel() -> None:
    framed = '<frameset><frame src="https://a.org/"></frameset>'
    assert left(framed) == (Left("no sure place", 1, ""),)
    assert left(framed, opens=False) == ()
    old = '<p>x <a href="https://a.org/">a</a><img src="https://t.example.com/o/abc"></p>'
    assert left(old) == (Left("own pixel", 1, "t.example.com"),)


def test_a_reason_for_the_whole_mail_is_not_told_twice() -> None:
    signed = mail("<p>x</p>").replace(b"text/html", b"text/plain")
    result = rewrite(signed, tracking=BOTH, links=Mint())
    assert find_left(result, opens=True) == ()


def test_a_text_that_is_not_read() -> None:
    result = rewrite(mail("<p>x</p>").replace(b"utf-8", b"utf-16"), tracking=BOTH, links=Mint())
    assert ("charset", 1, "") in find_left(result, opens=True)


def test_rows_are_few_and_count_every_link() -> None:
    links = "".join(f'<a href="https://h{n % 300}.org/" data-no-track>x</a>' for n in range(900))
    rows = left(f"<p>{links}</p>")
    assert len(rows) == ROWS + 1
    assert rows[-1].example == ""
    assert sum(row.number for row in rows) == 900


@pytest.mark.parametrize(
    ("value", "example"),
    [
        ("https://ana:secret@Example.com:8080/path?token=1#x", "example.com"),
        ("//example.com/path", "example.com"),
        (" https://example.com ", "example.com"),
        ("mailto:ana@example.com", "mailto:"),
        ("tel:+4712345678", "tel:"),
        ("javascript:alert(1)", "javascript:"),
        ("www.example.com/path", "www.example.com"),
        ("{{ unsubscribe }}", "{{ unsubscribe }}"),
        ("#top", ""),
        ("", ""),
        ("ana@example.com", ""),
        ("x" * 300, "x" * EXAMPLE),
        ("https://example\u202e.com/", ""),
        ("a\x00b", ""),
    ],
)
def test_an_example_has_no_path_no_login_and_no_address(value: str, example: str) -> None:
    assert show_example(value) == example


@given(st.text())
def test_any_link_gives_a_short_line(value: str) -> None:
    example = show_example(value)
    assert len(example) <= EXAMPLE
    assert example == "" or example.isprintable()
    assert "@" not in example

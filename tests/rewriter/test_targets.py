"""Which URL may be wrapped and where it leads. Row numbers are those of docs/rewriting.md."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mails import OWN_HOST, rules, targets

from rewriter.targets import MAX_TARGET, Exempt, read_target

NOTHING_EXEMPT = Exempt(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("href", "target"),
    [
        pytest.param("http://e.com/?a=1&amp;b=2", "http://e.com/?a=1&b=2", id="8"),
        pytest.param("http://e.com/?a&region=1", "http://e.com/?a&region=1", id="10"),
        pytest.param("http://e.com/?a&copy", "http://e.com/?a%C2%A9", id="10 at the end"),
        pytest.param("http://e.com/?a&copy;=1", "http://e.com/?a%C2%A9=1", id="10 closed"),
        pytest.param("http://e.com/?a&notit;", "http://e.com/?a&notit;", id="10 prefix"),
        pytest.param("http://e.com/&#x41;&#66", "http://e.com/AB", id="11"),
        pytest.param("\n http://e.com/ \t", "http://e.com/", id="12"),
        pytest.param("ht\ntp://e.c\tom/", "http://e.com/", id="13"),
        pytest.param("http://e.com/a  b", "http://e.com/a%20%20b", id="14"),
        pytest.param("http&#58;//e.com/", "http://e.com/", id="16"),
        pytest.param("http://e.com/?e=u@x.org", "http://e.com/?e=u@x.org", id="34"),
        pytest.param("http://e.com/#a@b", "http://e.com/#a@b", id="34 fragment"),
        pytest.param(
            f"http://{OWN_HOST}.evil.org/", f"http://{OWN_HOST}.evil.org/", id="36 suffix"
        ),
        pytest.param(f"http://e.com/?u={OWN_HOST}", f"http://e.com/?u={OWN_HOST}", id="36 query"),
        pytest.param("http://bücher.example/ä?ö#ü", None, id="38"),
        pytest.param("http://e.com/a%7Eb%2", "http://e.com/a%7Eb%2", id="37 lone percent"),
        pytest.param("http://e.com/%E2%82%AC", "http://e.com/%E2%82%AC", id="37 escapes"),
        pytest.param("http://e.com./", "http://e.com./", id="37 rooted host"),
        pytest.param("http://e_x.com:80/", "http://e_x.com:80/", id="37 underscore"),
        pytest.param("http://e.com?x", "http://e.com?x", id="37 no path"),
    ],
)
def test_wrapped(href: str, target: str | None) -> None:
    expected = target or "http://xn--bcher-kva.example/%C3%A4?%C3%B6#%C3%BC"
    assert targets(f'<a href="{href}">x</a>') == [expected]


@pytest.mark.parametrize(
    ("href", "rule"),
    [
        pytest.param("http://e.com/\x01", "control character", id="15"),
        pytest.param("http://e.com/&#1;", "control character", id="15 hidden"),
        pytest.param(" ", "empty", id="17"),
        pytest.param("#top", "fragment", id="18"),
        pytest.param("page.html", "relative", id="19"),
        pytest.param("//e.com/p", "relative", id="20"),
        pytest.param("?x=http://e.com", "relative", id="19 query"),
        pytest.param("mailto:a@b.c", "scheme", id="21"),
        pytest.param("java&#115;cript:x", "scheme", id="26"),
        pytest.param("java\nscript:x", "scheme", id="26 broken"),
        pytest.param("http:e.com", "no host", id="30"),
        pytest.param("https:///e", "no host", id="30 slashes"),
        pytest.param(r"http:\\e.com", "no host", id="30 backslashes"),
        pytest.param("http://e.com/{{x}}", "placeholder", id="31"),
        pytest.param("http://e.com/%unsubscribe_url%", "placeholder", id="32"),
        pytest.param("http://e.com/?e=%recipient.email%", "placeholder", id="32 dotted"),
        pytest.param("http://e.com/${x}", "placeholder", id="32 dollar"),
        pytest.param("http://u:p@e.com/", "user in URL", id="33"),
        pytest.param("http://e.com@evil/", "user in URL", id="33 host"),
        pytest.param("http://e%2Ecom/", "unreadable host", id="37 escaped host"),
        pytest.param(f"https://{OWN_HOST.upper()}/c/x", "own host", id="35"),
        pytest.param(f"https://{OWN_HOST}:8443/c/x", "own host", id="35 port"),
        pytest.param(f"https://{OWN_HOST}./c/x", "own host", id="35 rooted"),
        pytest.param("http://e.com/" + "x" * MAX_TARGET, "too long", id="39"),
        pytest.param("http://a..b\u3002/", "unreadable host", id="38 bad host"),
    ],
)
def test_left_alone(href: str, rule: str) -> None:
    html = f'<a href="{href}">x</a>'
    assert targets(html) == []
    assert rules(html) == [rule]


OPT_OUTS = [
    "clicktracking=off",
    'clicktracking="OFF"',
    "disable-tracking=true",
    "data-pm-no-track",
    "ses:no-track",
    'data-msys-clicktrack="0"',
    "mc:disable-tracking",
    "data-disable-tracking",
    "data-mautic-disable-tracking=1",
    "data-skip-click",
    "data-no-track",
]


@pytest.mark.parametrize("marker", OPT_OUTS)
def test_opt_out_markers_are_rows_40_to_47(marker: str) -> None:
    for html in (f'<a {marker} href="http://e.com/">x</a>', f'<a href="http://e.com/" {marker}>x'):
        assert targets(html) == []
        assert rules(html) == ["opt-out"]


@pytest.mark.parametrize("marker", ["clicktracking=on", "disable-tracking=false", "data-track"])
def test_other_values_do_not_opt_out(marker: str) -> None:
    assert targets(f'<a {marker} href="http://e.com/">x</a>') == ["http://e.com/"]


@given(st.text())
def test_any_text_gives_a_printable_target_or_a_rule(value: str) -> None:
    read = read_target(value, NOTHING_EXEMPT)
    if isinstance(read, str):
        assert read
    else:
        assert read.lower().startswith((b"http://", b"https://"))
        assert all(0x21 <= byte <= 0x7E for byte in read)
        assert len(read) <= MAX_TARGET
        assert urlsplit(read).netloc


@given(
    st.from_regex(
        r"https?://[a-z]{1,9}(\.[a-z]{2,4}){1,2}(:[0-9]{2,4})?(/[!-%'-~]{0,30})?", fullmatch=True
    )
)
def test_a_clean_url_is_its_own_target(url: str) -> None:
    read = read_target(url, NOTHING_EXEMPT)
    assert isinstance(read, str) or read == url.encode()

"""The entry: what changes, and that nothing else does."""

from __future__ import annotations

import pytest
from mails import BOTH, CLICKS, OWN_HOST, Mint, mail, multipart, reason_of, rules_of

from rewriter import Rewritten, Tracking, Untouched, plan, rewrite
from rewriter.hypertext import CLIPPED
from rewriter.plan import MAX_LINKS, PIXEL

OPENS = Tracking(opens=True, clicks=False, own_hosts=frozenset({OWN_HOST}))
LINK = '<a href="http://e.com/">x</a>'
URL = f"https://{OWN_HOST}/c/0-{Mint().tail}"
IMAGE = PIXEL.format(Mint().pixel())


def rewritten(raw: bytes, tracking: Tracking = BOTH, mint: Mint | None = None) -> Rewritten:
    result = rewrite(raw, tracking=tracking, links=mint or Mint())
    assert isinstance(result, Rewritten), result
    return result


def test_each_toggle_does_its_own_part() -> None:
    raw = mail(LINK)
    assert rewritten(raw, OPENS).message == raw + IMAGE.encode()
    assert rewritten(raw, CLICKS).message == raw.replace(b"http://e.com/", URL.encode())
    both = rewritten(raw)
    assert both.message == raw.replace(b"http://e.com/", URL.encode()) + IMAGE.encode()
    assert (both.pixel, both.links[0].ordinal, both.links[0].label) == ("1", 0, "x")


def test_both_toggles_off_is_row_79() -> None:
    off = Tracking(opens=False, clicks=False)
    assert reason_of(rewrite(mail(LINK), tracking=off, links=Mint())) == "tracking is off"


@pytest.mark.parametrize(
    ("html", "before"),
    [
        pytest.param("<body>x</body></html>", "</body></html>", id="73"),
        pytest.param("<p></body>y</BODY >z", "</BODY >z", id="73 the last"),
        pytest.param("<p></body><!-- </body> -->", "</body><!-- </body> -->", id="73 comment"),
        pytest.param("<p>x</html>\r\n", "</html>\r\n", id="74"),
        pytest.param("<p>x", "", id="74 neither"),
        pytest.param("<body>x</body><!-- open", "</body><!-- open", id="74 open comment"),
    ],
)
def test_where_the_pixel_goes(html: str, before: str) -> None:
    place = len(html) - len(before)
    assert rewritten(mail(html), OPENS).message == mail(html[:place] + IMAGE + html[place:])


@pytest.mark.parametrize(
    "html",
    [
        "<frameset><frame src=x></frameset>",
        "<p>x<!-- open",
        "<p title='open",
        "<p>x<plaintext>",
        "<p>x<style>",
        " \r\n",
    ],
)
def test_where_no_place_is_sure_there_is_no_pixel_row_75(html: str) -> None:
    assert isinstance(rewrite(mail(html), tracking=OPENS, links=Mint()), Untouched)


def test_long_html_has_the_pixel_first_row_77() -> None:
    html = "<body class=x>" + "<p>some text</p>\r\n" * (CLIPPED // 10) + "</body>"
    message = rewritten(mail(html), OPENS).message
    assert message.index(IMAGE.encode()) == message.index(b"<body class=x>") + 14


def test_html_that_grows_long_has_the_pixel_first_row_77() -> None:
    html = "<body>" + LINK * 150 + "x" * (CLIPPED - 10_000) + "</body>"
    message = rewritten(mail(html)).message
    assert message.index(b"<body>") < message.index(IMAGE.encode()) < message.index(b"<a")


def test_several_html_parts_row_76() -> None:
    part = f"Content-Type: text/html\r\n\r\n{LINK}".encode()
    result = rewritten(multipart(part, part, part))
    assert [link.ordinal for link in result.links] == [0, 1, 2]
    assert result.message.count(b"<img") == 1
    assert result.message.index(b"<img") < result.message.index(b"/c/1-")


def test_a_second_pass_changes_nothing_row_78() -> None:
    first = rewritten(mail(f"{LINK}<p>x</p>"))
    second = rewrite(first.message, tracking=BOTH, links=Mint())
    assert isinstance(second, Untouched)
    assert {skipped.rule for skipped in second.skipped} == {"own host", "own pixel"}


def test_a_pixel_of_ours_in_any_part_is_the_only_one_row_78() -> None:
    parts = [f"Content-Type: text/html\r\n\r\n<p>x</p>{pixel}".encode() for pixel in ("", IMAGE)]
    result = rewrite(multipart(*parts), tracking=OPENS, links=Mint())
    assert rules_of(result) == ["own pixel"]
    assert reason_of(result) == "nothing to track"


def test_inline_pgp_costs_the_message_even_in_a_part_that_is_too_large() -> None:
    small = Tracking(opens=True, clicks=True, max_html=40)
    pgp = b"Content-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n" + b"x" * 40
    html = b"Content-Type: text/html\r\n\r\n<p>x</p>"
    result = rewrite(multipart(html, pgp), tracking=small, links=Mint())
    assert reason_of(result) == "inline PGP"


def test_the_url_that_unsubscribes_is_left_alone_rows_48_and_49() -> None:
    header = b"List-Unsubscribe: <mailto:u@e.com>,\r\n <http://e.com/u\r\n ?id=1>\r\n"
    raw = header + mail(f'{LINK}<a href="http://e.com/u?id=1">stop</a>')
    result = rewritten(raw)
    assert [link.target for link in result.links] == [b"http://e.com/"]
    assert rules_of(result) == ["unsubscribe"]
    assert header in result.message


def test_lines_stay_within_the_limit_row_72() -> None:
    line = "".join(f'<p class="y">word</p> <a href="http://e.com/{n}">x</a>' for n in range(15))
    result = rewritten(mail(line))
    assert len(result.links) == 15
    assert max(map(len, result.message.split(b"\r\n"))) <= 998


def test_a_link_whose_line_could_not_be_short_enough_is_left_alone_row_72() -> None:
    mint = Mint(tail="x" * 1_000)
    result = rewrite(mail(LINK), tracking=CLICKS, links=mint)
    assert isinstance(result, Untouched)
    assert rules_of(result) == ["line too long"]
    assert len(rewritten(mail(LINK, "base64"), CLICKS, mint).links) == 1


def test_links_beyond_what_a_token_can_number_are_left_alone() -> None:
    large = Tracking(opens=False, clicks=True, max_html=10_000_000)
    result = rewritten(mail("<a href=http://e.com/>x</a>\r\n" * (MAX_LINKS + 2)), large)
    assert len(result.links) == MAX_LINKS
    assert rules_of(result) == ["too many links"] * 2


def test_large_html_is_left_alone() -> None:
    small = Tracking(opens=True, clicks=True, max_html=100)
    result = rewrite(mail("<p>" + "x" * 100), tracking=small, links=Mint())
    assert isinstance(result, Untouched)
    assert rules_of(result) == ["text too large"]


def test_one_plan_renders_many_copies() -> None:
    planned = plan(mail(LINK), tracking=BOTH)
    assert not isinstance(planned, Untouched)
    copies = [planned.render(Mint(tail=tail)) for tail in ("first", "other")]
    assert [isinstance(copy, Rewritten) for copy in copies] == [True, True]
    first, other = (copy.message for copy in copies if isinstance(copy, Rewritten))
    assert first != other
    assert first.replace(b"first", b"other") == other


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_verified_plan_renders_the_same_without_a_second_reading(encoding: str) -> None:
    html = f"{LINK}<!--[if mso]>{LINK}<![endif]--><p>x</p>"
    planned = plan(mail(html, encoding), tracking=BOTH)
    assert not isinstance(planned, Untouched)
    copy = planned.render(Mint())
    assert isinstance(copy, Rewritten)
    assert len(copy.links) == 2
    assert planned.render(Mint(), verified=True) == copy


@pytest.mark.parametrize(
    "url", ["https://t.example.com/a b", 'https://t"/', "ftp://x", "https://é/"]
)
def test_an_unusable_minted_url_costs_the_tracking_not_the_mail(url: str) -> None:
    class Broken(Mint):
        def click(self, target: bytes, ordinal: int) -> str:
            return url

    assert (
        reason_of(rewrite(mail(LINK), tracking=BOTH, links=Broken())) == "a minted URL is unusable"
    )

"""A token reads back only as it was minted: by one of our keys, for that kind, in that spelling."""

from base64 import urlsafe_b64decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.tokens import (
    MAX_RECIPIENT,
    MAX_TARGET,
    MAX_TOKEN,
    ClickToken,
    Key,
    MessageLinks,
    NoticeToken,
    OpenToken,
    TargetRefused,
    Tokens,
    mint_message_id,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEY = Key(7, b"k" * 32)
TOKENS = Tokens([KEY])

message_ids = st.integers(0, 2**63 - 1)
ordinals = st.integers(0, 0xFFFF)
recipients = st.integers(0, MAX_RECIPIENT)
targets = st.binary(max_size=300).map(
    lambda raw: b"https://" + bytes(0x21 + byte % 0x5E for byte in b"e" + raw)
)


@given(message_ids, recipients)
@example(0, MAX_RECIPIENT)
def test_an_open_reads_back(message_id: int, recipient: int) -> None:
    token = TOKENS.mint_open(message_id, recipient)
    assert TOKENS.read_open(token) == OpenToken(message_id, recipient)
    assert set(token) <= set(ALPHABET)


@given(message_ids, recipients, ordinals, targets)
def test_a_click_reads_back(message_id: int, recipient: int, link: int, target: bytes) -> None:
    token = TOKENS.mint_click(message_id, recipient, link, target)
    assert TOKENS.read_click(token) == ClickToken(message_id, recipient, link, target)
    assert set(token) <= set(ALPHABET)


@given(message_ids, recipients, targets)
def test_a_kind_never_reads_as_another(message_id: int, recipient: int, target: bytes) -> None:
    opened = TOKENS.mint_open(message_id, recipient)
    clicked = TOKENS.mint_click(message_id, recipient, 1, target)
    notice = TOKENS.mint_notice(message_id, recipient)
    assert [TOKENS.read_open(clicked), TOKENS.read_open(notice)] == [None, None]
    assert [TOKENS.read_click(opened), TOKENS.read_click(notice)] == [None, None]
    assert [TOKENS.read_notice(opened), TOKENS.read_notice(clicked)] == [None, None]


@given(message_ids, recipients)
@example(0, MAX_RECIPIENT)
def test_a_notice_reads_back(message_id: int, recipient: int) -> None:
    token = TOKENS.mint_notice(message_id, recipient)
    assert TOKENS.read_notice(token) == NoticeToken(message_id, recipient)
    assert set(token) <= set(ALPHABET)


def number_in(token: str) -> int:
    """The recipient as whoever gets the mail can read it."""
    return int.from_bytes(urlsafe_b64decode(token + "==")[10:12])


def test_nobody_reads_off_which_recipient_he_is() -> None:
    """A message's numbers are all different, and say nothing of the order nor of how many."""
    numbers = [number_in(TOKENS.mint_open(5, each)) for each in range(1, 101)]
    assert len(set(numbers)) == 100
    assert sorted(numbers) != numbers
    assert max(numbers) > 60_000
    first = {number_in(TOKENS.mint_open(message_id, 1)) for message_id in range(100)}
    assert len(first) > 90
    assert min(numbers + list(first)) > 0
    assert number_in(TOKENS.mint_open(5)) == 0


@given(message_ids, st.lists(recipients.filter(bool), min_size=1, max_size=9, unique=True))
def test_no_two_recipients_of_a_message_bear_one_number(message_id: int, some: list[int]) -> None:
    numbers = {number_in(TOKENS.mint_open(message_id, each)) for each in some}
    assert len(numbers) == len(some)
    assert all(1 <= number <= MAX_RECIPIENT for number in numbers)


@given(st.binary())
def test_the_kind_is_part_of_what_is_signed(payload: bytes) -> None:
    _, signer = TOKENS._first
    kinds = (signer.open, signer.click, signer.notice)
    assert len({sign(payload) for sign in kinds}) == len(kinds)


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    token = TOKENS.mint_click(data.draw(message_ids), 0, 3, data.draw(targets))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(ALPHABET + "=+/. %\n\u00e9"))
    changed = token[:place] + other + token[place + 1 :]
    assert changed == token or TOKENS.read_click(changed) is None


@given(st.data())
def test_any_cut_or_longer_token_is_refused(data: st.DataObject) -> None:
    token = TOKENS.mint_open(data.draw(message_ids))
    assert TOKENS.read_open(token[: data.draw(st.integers(0, len(token) - 1))]) is None
    assert TOKENS.read_open(token + data.draw(st.text(min_size=1, max_size=5))) is None


@pytest.mark.parametrize("length", [1, 2, 3])
def test_one_token_has_one_spelling(length: int) -> None:
    """Unpadded base64 leaves bits over; those that are set spell the same bytes anew."""
    target = b"https://e.com/" + b"x" * length
    token = TOKENS.mint_click(1, 0, 0, target)
    spellings = [token[:-1] + last for last in ALPHABET]
    assert [each for each in spellings if TOKENS.read_click(each)] == [token]


@given(st.text(max_size=100))
@example("")
@example("=")
@example("A")
@example("A" * (MAX_TOKEN + 1))
@example("\ud800")
def test_nonsense_is_refused(text: str) -> None:
    assert TOKENS.read_open(text) is None
    assert TOKENS.read_click(text) is None
    assert TOKENS.read_notice(text) is None


def test_the_first_key_signs_and_all_read() -> None:
    old, new = Key(1, b"o" * 32), Key(2, b"n" * 32)
    before, after = Tokens([old]), Tokens([new, old])
    sent = before.mint_open(5)
    assert after.read_open(sent) == OpenToken(5, 0)
    assert before.read_open(after.mint_open(5)) is None
    assert Tokens([new]).read_open(sent) is None


def test_an_equal_number_is_not_an_equal_key() -> None:
    assert Tokens([Key(7, b"x" * 32)]).read_open(TOKENS.mint_open(5)) is None


@pytest.mark.parametrize(
    ("number", "secret"), [(-1, b"k" * 32), (256, b"k" * 32), (0, b"k" * 15), (0, b"k" * 65)]
)
def test_a_bad_key_is_refused(number: int, secret: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        Key(number, secret)


@pytest.mark.parametrize("keys", [[], [KEY, Key(7, b"other" * 8)]])
def test_no_key_or_two_of_one_number_are_refused(keys: list[Key]) -> None:
    with pytest.raises(ValueError, match="key"):
        Tokens(keys)


def test_a_key_does_not_show_its_secret() -> None:
    assert "kkk" not in repr(KEY)


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"http://",
        b"https:e.com",
        b"javascript:alert(1)",
        b"data:text/html,x",
        b"ftp://e.com/",
        b"//e.com/",
        b"/path",
        b" http://e.com/",
        b"http://e.com/\r\nSet-Cookie: a=b",
        b"http://e.com/\n",
        b"http://e.com/a b",
        b"http://e.com/\x00",
        b"http://e.com/\x7f",
        "http://e.com/é".encode(),
        b"http://e.com/" + b"x" * MAX_TARGET,
    ],
)
def test_no_other_target_is_signed(target: bytes) -> None:
    with pytest.raises(TargetRefused):
        TOKENS.mint_click(1, 0, 0, target)


@pytest.mark.parametrize(
    "target", [b"http://e.com/", b"HTTPS://E.com/%7E%3a?a=b&c#d", b"https://[::1]:8/", b"Http://x"]
)
def test_web_addresses_are_signed_as_they_are(target: bytes) -> None:
    read = TOKENS.read_click(TOKENS.mint_click(1, 0, 0, target))
    assert read is not None
    assert read.target == target


def test_a_link_too_many_is_refused() -> None:
    with pytest.raises(TargetRefused, match="65535 links"):
        TOKENS.mint_click(1, 0, 65_536, b"http://e.com/")


def test_the_longest_target_fits_the_longest_token() -> None:
    target = b"http://e.com/".ljust(MAX_TARGET, b"x")
    token = TOKENS.mint_click(2**63 - 1, 0xFFFF, 0xFFFF, target)
    assert len(token) == MAX_TOKEN
    assert TOKENS.read_click(token) is not None


def test_a_tracked_link_is_short() -> None:
    links = MessageLinks(TOKENS, "https://t.example.com/aa", mint_message_id(1_700_000_000_000, 0))
    assert len("https://t.example.com/aa") == 24
    assert len(links.click(b"https://example.com/".ljust(100, b"x"), 20)) < 220


def test_message_links_are_ours_and_say_whose_they_are() -> None:
    links = MessageLinks(TOKENS, "https://t.example.com/", 42, recipient=3)
    base, click = links.click(b"http://e.com/", 1).rsplit("/", 1)
    assert base == "https://t.example.com/c"
    assert TOKENS.read_click(click) == ClickToken(42, 3, 1, b"http://e.com/")
    base, pixel = links.pixel().rsplit("/", 1)
    assert base == "https://t.example.com/o"
    assert TOKENS.read_open(pixel) == OpenToken(42, 3)
    base, notice = links.notice().rsplit("/", 1)
    assert base == "https://t.example.com/p"
    assert TOKENS.read_notice(notice) == NoticeToken(42, 3)


@given(st.integers(0, 2**42 - 1), st.integers(0, 2**42 - 1), st.integers(0), st.integers(0))
def test_message_ids_sort_by_time_and_fit_63_bits(a: int, b: int, tail: int, other: int) -> None:
    first, second = mint_message_id(a, tail), mint_message_id(b, other)
    assert 0 <= first < 2**63
    if a < b:
        assert first < second

"""Forged and mutated tokens: none is ever accepted, and nothing tells one from another.

LETTERBELL_FORGERIES says how many are tried (make faults: a million).
"""

import base64
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from sites import open_site

from collector.tokens import MAX_TARGET, Key, TargetRefused, Tokens
from collector.tracking import PIXEL

FORGERIES = int(os.environ.get("LETTERBELL_FORGERIES", "20000"))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
OURS = Tokens([Key(0, bytes(32)), Key(1, b"k" * 32)])
# The same ids with other secrets, and an id that is none of ours.
OTHERS = [Tokens([Key(number, b"x" * 32)]) for number in (0, 1, 9)]

Forge = Callable[[random.Random, str], str]


def mint(chance: random.Random, tokens: Tokens) -> str:
    message_id, recipient = chance.getrandbits(63), chance.randrange(4)
    if chance.random() < 0.3:
        return tokens.mint_open(message_id, recipient)
    target = b"https://e.com/" + chance.randbytes(chance.randrange(40)).hex().encode()
    return tokens.mint_click(message_id, recipient, chance.randrange(30), target)


def octets(token: str) -> bytearray:
    return bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))


def spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def flip_a_bit(chance: random.Random, token: str) -> str:
    raw = octets(token)
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return spelled(raw)


def replace_octets(chance: random.Random, token: str) -> str:
    raw = octets(token)
    start = chance.randrange(len(raw))
    raw[start : start + chance.randrange(1, 9)] = chance.randbytes(chance.randrange(9))
    return spelled(raw)


def swap_a_character(chance: random.Random, token: str) -> str:
    place = chance.randrange(len(token))
    return token[:place] + chance.choice(ALPHABET + "=+/. %") + token[place + 1 :]


def cut(chance: random.Random, token: str) -> str:
    return token[: chance.randrange(len(token))]


def lengthen(chance: random.Random, token: str) -> str:
    return token + "".join(chance.choices(ALPHABET + "=", k=chance.randrange(1, 6)))


def change_case(chance: random.Random, token: str) -> str:
    return chance.choice([token.lower(), token.upper(), token.swapcase()])


def splice(chance: random.Random, token: str) -> str:
    """The head of one, the signature of another."""
    return spelled(octets(token)[:-16] + octets(mint(chance, OURS))[-16:])


def sign_otherwise(chance: random.Random, token: str) -> str:
    return mint(chance, chance.choice(OTHERS))


def invent(chance: random.Random, token: str) -> str:
    return spelled(chance.randbytes(chance.randrange(100)))


FORGERS: list[Forge] = [
    flip_a_bit,
    replace_octets,
    swap_a_character,
    cut,
    lengthen,
    change_case,
    splice,
    sign_otherwise,
    invent,
]


def forgeries(chance: random.Random, count: int) -> Iterator[str]:
    """Tokens none of which was minted with our keys."""
    for number in range(count):
        token = mint(chance, OURS)
        forged = FORGERS[number % len(FORGERS)](chance, token)
        if forged != token:
            yield forged


def test_no_forged_token_is_accepted() -> None:
    seed = random.randrange(10**6)
    tried = accepted = 0
    for forged in forgeries(random.Random(seed), FORGERIES):
        tried += 1
        accepted += OURS.read_open(forged) is not None
        accepted += OURS.read_click(forged) is not None
    assert accepted == 0, f"seed {seed}"
    assert tried > 0.9 * FORGERIES


def test_what_is_not_forged_is_accepted() -> None:
    """The test above must not pass because nothing is ever read."""
    chance = random.Random(1)
    for _ in range(100):
        token = mint(chance, OURS)
        assert (OURS.read_open(token) is None) != (OURS.read_click(token) is None)
        raw = octets(token)
        assert spelled(raw) == token


async def test_nothing_tells_one_bad_token_from_another(tmp_path: Path) -> None:
    """Status, header and body of all are one: forged, cut, of another key, of no message."""
    chance = random.Random(1)
    bad = [each for each in forgeries(chance, 20 * len(FORGERS)) if set(each) <= set(ALPHABET)]
    bad += ["x", OURS.mint_open(1), "a" * 5_000]
    async with open_site(tmp_path) as site, ClientSession() as client:
        answers = set()
        for token in filter(None, bad):
            async with client.get(f"{site.url}/c/{token}", allow_redirects=False) as answer:
                header = tuple(pair for pair in answer.headers.items() if pair[0] != "Date")
                answers.add((answer.status, header, await answer.read()))
            async with client.get(f"{site.url}/o/{token}") as answer:
                assert (answer.status, await answer.read()) == (200, PIXEL)
        [(status, header, _)] = answers
        assert status == 404
        assert "Location" not in dict(header)


BAD_STARTS = [
    b"javascript:alert(1)//https://e.com/",
    b"JaVaScRiPt:https://",
    b"data:text/html,<script>https://e.com/",
    b"vbscript:x",
    b"//e.com/",
    b"https://e.com/\r\nSet-Cookie: a=b",
    b"https://e.com/\r\n\r\n<script>",
    b"http://e.com/\n",
    b"\thttps://e.com/",
    b"https://\x00e.com/",
    b"https://e.com/\xc3\xa9",
    b"https:/e.com",
    b"http://",
]


@given(
    st.binary(max_size=200)
    | st.builds(lambda start, rest: start + rest, st.sampled_from(BAD_STARTS), st.binary())
    | st.binary(max_size=100).map(lambda rest: b"https://" + rest)
)
def test_no_target_but_a_web_address_is_ever_emitted(target: bytes) -> None:
    """Refused when it is minted, or what reads back is one line of an http or https address."""
    try:
        token = OURS.mint_click(1, 0, 0, target)
    except TargetRefused:
        return
    clicked = OURS.read_click(token)
    assert clicked is not None
    assert clicked.target == target
    assert target.lower().startswith((b"http://", b"https://"))
    assert all(0x21 <= octet <= 0x7E for octet in target)
    assert len(target) <= MAX_TARGET

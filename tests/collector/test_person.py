"""A person is known by the address, however it is spelt, and nobody else is taken for them."""

import json
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collector import person as module
from collector.person import FORGOTTEN, Person

BOB = Person("Bob+mail@example.org")


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("bob+mail@example.org", FORGOTTEN),
        ("550 5.1.1 <BOB+mail@Example.ORG>: no", f"550 5.1.1 <{FORGOTTEN}>: no"),
        ("to bob+mail@example.org.", f"to {FORGOTTEN}."),
        ("https://x.org/?to=bob%2Bmail%40example.org&a", f"https://x.org/?to={FORGOTTEN}&a"),
        ("https://x.org/?q=to%3Dbob%2bmail@example.org", f"https://x.org/?q=to%3D{FORGOTTEN}"),
        ("<a href='mailto:bob+mail&#64;example.org'>", f"<a href='mailto:{FORGOTTEN}'>"),
        ("é<bob+mail@example.org>é", f"é<{FORGOTTEN}>é"),
    ],
)
def test_it_goes_from_texts(text: str, blanked: str) -> None:
    assert BOB.is_in(text)
    assert BOB.blank(text) == blanked


@pytest.mark.parametrize(
    "text",
    [
        "jim.bob+mail@example.org",
        "jimbob+mail@example.org",
        "x-bob+mail@example.org",
        "bob+mail@example.org.uk",
        "bob+mail@example.organic",
        "bob+mail@example.org-x.com",
        "bob@example.org",
        "bobXmail@exampleXorg",
        "",
    ],
)
def test_others_stay(text: str) -> None:
    assert not BOB.is_in(text)
    assert BOB.blank(text) == text
    assert not BOB.is_at(text)


@pytest.mark.parametrize("text", ["bob", "@example.org", "bob@", "", "bob\n@example.org"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no mail address; write name@example\.com"):
        Person(text)


NAMES = st.text("abzAZ09.!#$%&'*+/=?^_`{|}~-\"\\ éÉßñ", min_size=1, max_size=12)
SPELLINGS = (
    str,
    str.lower,
    str.upper,
    quote,
    lambda text: quote(text, safe=""),
    lambda text: quote(text, safe="").lower(),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    escape,
)


@given(NAMES, NAMES, st.sampled_from(SPELLINGS), st.integers(0, 3 * 64))
def test_every_spelling_is_found(
    tmp_path_factory: pytest.TempPathFactory, local: str, domain: str, spell: object, ahead: int
) -> None:
    """In texts, in files across the borders of what is read at once, and by the needle."""
    address = f"{local}@{domain}".strip()
    assume(address[0] != "@" and address[-1] != "@")
    # Some letters have no other case, or a longer one: those are not told from others.
    assume(address.upper().lower() == address.lower())
    person = Person(address)
    spelt = spell(address)  # type: ignore[operator]
    assert person.blank(f"<{spelt}>") == f"<{FORGOTTEN}>"
    assert person.needle.lower() in spelt.lower()
    path = tmp_path_factory.getbasetemp() / "spelt"
    path.write_bytes(bytes(ahead) + spelt.encode() + bytes(90))
    chunk, module.CHUNK = module.CHUNK, 64
    try:
        assert person.is_in_file(path)
    finally:
        module.CHUNK = chunk


def test_a_file_without_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bob@example.org" * 100)
    assert not BOB.is_in_file(tmp_path / "file")
    assert not BOB.is_in_file(tmp_path / "none")

"""What targets are reached by, as it is kept."""

from hypothesis import given
from hypothesis import strategies as st

from collector.outward.sealing import Seal
from collector.tokens import Key

OLD, NEW = Key(1, bytes(32)), Key(2, bytes(range(32)))
SECRETS = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)


@given(SECRETS, st.integers(0, 2**31))
def test_opens_for_its_sender_alone(secret: dict[str, str], sender_id: int) -> None:
    seal = Seal([OLD])
    sealed = seal.seal(secret, sender_id)
    assert seal.open(sealed, sender_id) == secret
    assert seal.open(sealed, sender_id + 1) is None
    assert Seal([NEW]).open(sealed, sender_id) is None


def test_shows_nothing_of_it_and_is_never_the_same() -> None:
    seal = Seal([OLD])
    one, other = (seal.seal({"url": "ntfys://ntfy.sh/secret"}, 1) for _ in range(2))
    assert b"secret" not in one
    assert one != other


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_changed_octet_shows(at: int, by: int) -> None:
    seal = Seal([OLD])
    sealed = bytearray(seal.seal({"url": "https://example.com/hook/and/more"}, 1))
    sealed[at % len(sealed)] ^= by
    assert seal.open(bytes(sealed), 1) is None
    assert seal.open(b"", 1) is None


def test_keys_follow_each_other() -> None:
    seal = Seal([OLD])
    sealed = seal.seal({"url": "x"}, 1)
    seal.change([NEW, OLD])
    assert seal.open(sealed, 1) == {"url": "x"}
    assert not seal.is_current(sealed)
    assert seal.is_current(seal.seal({"url": "x"}, 1))

"""Credentials that wait with their mail."""

from hypothesis import given
from hypothesis import strategies as st

from collector.tokens import Key
from relay.credentials import Bearer, Credentials, Password
from relay.sealing import Seal

OLD, NEW = Key(id=1, secret=b"o" * 32), Key(id=2, secret=b"n" * 32)
ANA = Password(b"ana@example.com", b"up stream secret")


@given(st.sampled_from([Password, Bearer]), st.binary(), st.binary(), st.integers(0, 2**64 - 1))
def test_what_is_sealed_opens(
    kind: type[Credentials], login: bytes, secret: bytes, message_id: int
) -> None:
    seal = Seal([NEW, OLD])
    assert seal.open(seal.seal(kind(login, secret), message_id), message_id) == kind(login, secret)


def test_nothing_of_them_can_be_read() -> None:
    sealed = Seal([OLD]).seal(ANA, 1)
    assert ANA.secret not in sealed
    assert ANA.login not in sealed
    assert sealed != Seal([OLD]).seal(ANA, 1)


def test_the_first_key_seals_and_all_open() -> None:
    sealed = Seal([OLD]).seal(ANA, 1)
    assert Seal([NEW, OLD]).open(sealed, 1) == ANA
    assert Seal([NEW]).open(sealed, 1) is None
    assert Seal([OLD]).open(Seal([NEW, OLD]).seal(ANA, 1), 1) is None


def test_it_opens_for_its_message_alone() -> None:
    assert Seal([OLD]).open(Seal([OLD]).seal(ANA, 1), 2) is None


@given(st.integers(0, 60), st.integers(0, 7))
def test_a_flipped_bit_opens_nothing(place: int, bit: int) -> None:
    sealed = bytearray(Seal([OLD]).seal(ANA, 1))
    sealed[place % len(sealed)] ^= 1 << bit
    assert Seal([OLD]).open(bytes(sealed), 1) is None


def test_what_was_sealed_before_a_rotation_opens_after_it() -> None:
    seal = Seal([OLD])
    sealed = seal.seal(ANA, 1)
    seal.change([NEW, OLD])
    assert seal.open(sealed, 1) == ANA
    again = seal.seal(ANA, 2)
    assert again[0] == NEW.id
    assert seal.open(again, 2) == ANA

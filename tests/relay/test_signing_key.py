"""Key files, and what is published of them."""

from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from dkimkeys import key, write_key

from relay.signing_key import UnusableKey, make_key, read_key, to_ascii


@pytest.mark.parametrize("rsa", [True, False])
def test_what_is_written_is_read(tmp_path: Path, rsa: bool) -> None:
    made = key(rsa=rsa)
    read = read_key(write_key(tmp_path / "key.pem", made))
    assert (
        read.private_numbers() == made.private.private_numbers()
        if rsa
        else (read.private_bytes_raw() == made.private.private_bytes_raw())
    )  # type: ignore[union-attr]


def test_openssl_s_older_form_is_read(tmp_path: Path) -> None:
    """As `opendkim-genkey` writes it."""
    old = key(rsa=True).private.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    path = tmp_path / "key.pem"
    path.write_bytes(old)
    path.chmod(0o640)
    assert read_key(path).key_size == 2048  # type: ignore[union-attr]


def test_the_record_holds_the_public_key() -> None:
    made = key(rsa=True)
    version, kind, public = made.record.split("; ")
    assert (version, kind) == ("v=DKIM1", "k=rsa")
    published = load_der_public_key(b64decode(public.removeprefix("p=")))
    assert published.public_numbers() == made.private.public_key().public_numbers()  # type: ignore


def test_files_that_are_no_keys(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(UnusableKey, match="cannot be read: No such file"):
        read_key(path)
    write_key(path, key(), mode=0o644)
    with pytest.raises(UnusableKey, match=r"is open to everyone: chmod o= .*key\.pem"):
        read_key(path)
    path.chmod(0o600)
    encrypted = key().private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    for octets in (b"nonsense", encrypted):
        path.write_bytes(octets)
        with pytest.raises(UnusableKey, match="not PEM, or the key is encrypted"):
            read_key(path)
    few = generate_private_key(65537, 1024).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.write_bytes(few)
    assert read_key(path).key_size == 1024  # type: ignore[union-attr]
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.write_bytes(curve)
    with pytest.raises(UnusableKey, match="RSA and Ed25519 keys alone"):
        read_key(path)


def test_a_key_does_not_print() -> None:
    assert "private" not in repr(key())
    assert make_key(rsa=False).private_bytes_raw() != make_key(rsa=False).private_bytes_raw()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Example.COM", "example.com"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("\ufffd.example", None),
    ],
)
def test_domains_in_ascii(written: str, plain: str | None) -> None:
    assert to_ascii(written) == plain

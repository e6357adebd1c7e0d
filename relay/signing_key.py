"""A DKIM key: a private key in a file, and the name that its public half has in the DNS."""

import stat
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

import idna
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

RSA_BITS = 2048  # what every verifier takes (RFC 8301 §3.2), and a DNS answer still holds
LEAST_RSA_BITS = 1024  # a verifier takes no less (ibid.)

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


class UnusableKey(Exception):  # noqa: N818 - named for what the file is
    """The file is no key to sign with; the message says why, and never what is in it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Signs for `domain` (lower case, in ASCII), and for all below it with `subdomains`."""

    domain: str
    selector: str
    private: PrivateKey = field(repr=False)
    subdomains: bool = False

    @property
    def is_rsa(self) -> bool:
        return isinstance(self.private, RSAPrivateKey)

    @property
    def algorithm(self) -> str:
        """As the signature's `a=` says it."""
        return "rsa-sha256" if self.is_rsa else "ed25519-sha256"

    @property
    def name(self) -> str:
        """Where verifiers look for the key (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def public(self) -> str:
        """The record's `p=`: for RSA RFC 6376 §3.6.1, for Ed25519 RFC 8463 §4."""
        key = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            octets = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return b64encode(octets).decode("ascii")

    @property
    def record(self) -> str:
        """The TXT record to publish at `name`."""
        return f"v=DKIM1; k={'rsa' if self.is_rsa else 'ed25519'}; p={self.public}"

    @property
    def zone_entry(self) -> str:
        """The same as a zone file has it: in parts of at most 255 octets (RFC 1035 §3.3)."""
        record = self.record
        parts = " ".join(f'"{record[at : at + 250]}"' for at in range(0, len(record), 250))
        return f"{self.name}. IN TXT {parts}"

    def covers(self, domain: str) -> bool:
        """Whether mail from this domain (lower case, in ASCII) is signed with it."""
        return domain == self.domain or (self.subdomains and domain.endswith(f".{self.domain}"))

    def sign(self, octets: bytes, digest: bytes) -> bytes:
        """The signature over the octets whose SHA-256 is `digest`.

        RSA signs that hash as PKCS #1 has it (RFC 6376 §3.3.1), Ed25519 the hash as a message of
        its own (RFC 8463 §3).
        """
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(octets, PKCS1v15(), SHA256())
        return self.private.sign(digest)


def read_key(path: Path) -> PrivateKey:
    """The private key in a PEM file. Raises UnusableKey."""
    try:
        octets = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise UnusableKey(f"{path} cannot be read: {error.strerror}") from None
    if mode & stat.S_IRWXO:
        raise UnusableKey(f"{path} is open to everyone: chmod o= {path}")
    try:
        key = load_pem_private_key(octets, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableKey(f"{path}: not PEM, or the key is encrypted") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise UnusableKey(f"{path}: DKIM knows RSA and Ed25519 keys alone")
    if key.key_size < LEAST_RSA_BITS:
        raise UnusableKey(f"{path}: {key.key_size} bits of RSA are too few: make one of {RSA_BITS}")
    return key


def make_key(*, rsa: bool) -> PrivateKey:
    """A new key."""
    return generate_private_key(65537, RSA_BITS) if rsa else Ed25519PrivateKey.generate()


def to_pem(key: PrivateKey) -> bytes:
    """What `read_key` reads."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def to_ascii(domain: str) -> str | None:
    """A domain in lower case, its labels in ASCII; None for what is no domain name."""
    try:
        if domain.isascii():
            return domain.lower()
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except UnicodeError:  # idna.IDNAError is one
        return None

"""The signature on a profile: openssl verifies it, and what cannot sign leaves it as it is."""

import subprocess
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from relay.profile_signature import sign_profile

PROFILE = b"<plist>\r\nor\nany \x00 bytes</plist>\n"


@pytest.fixture(scope="module")
def root() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=trustme.KeyType, ids=lambda each: each.name)
def files(request: pytest.FixtureRequest, root: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate with its chain, through an authority between, and its key."""
    between = root.create_child_ca(key_type=request.param)
    issued = between.issue_cert("relay.example.com", key_type=request.param)
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


@pytest.mark.system
def test_openssl_verifies_it_through_its_chain(
    files: tuple[Path, Path], root: trustme.CA, tmp_path: Path, require_program
) -> None:
    signed = tmp_path / "letterbell.mobileconfig"
    signed.write_bytes(sign_profile(*files, PROFILE))
    root.cert_pem.write_to_path(tmp_path / "root.pem")
    told = subprocess.run(
        [
            *(require_program("openssl"), "cms", "-verify", "-inform", "DER", "-in", signed),
            *("-CAfile", tmp_path / "root.pem", "-purpose", "any", "-binary"),
        ],
        capture_output=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout == PROFILE


def test_a_renewed_certificate_signs_from_then_on(files: tuple[Path, Path]) -> None:
    before = sign_profile(*files, PROFILE)
    issued = trustme.CA().issue_cert("relay.example.com")
    files[0].write_bytes(issued.cert_chain_pems[0].bytes())
    files[1].write_bytes(issued.private_key_pem.bytes())
    after = sign_profile(*files, PROFILE)
    assert PROFILE in before
    assert PROFILE in after
    assert before != after


def test_what_cannot_sign_leaves_it_as_it_is(files: tuple[Path, Path]) -> None:
    certificate, key = files
    good = load_pem_private_key(key.read_bytes(), None)
    odd = Ed25519PrivateKey.generate()
    locked = good.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    unfit = odd.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (unfit, locked, b"no key"):
        key.write_bytes(content)
        assert sign_profile(certificate, key, PROFILE) == PROFILE
    key.unlink()
    assert sign_profile(certificate, key, PROFILE) == PROFILE
    certificate.write_bytes(b"no certificate")
    assert sign_profile(certificate, key, PROFILE) == PROFILE

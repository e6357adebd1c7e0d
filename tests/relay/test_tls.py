"""What the server's TLS speaks, by real handshakes in memory, and how its certificate changes."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from trustme import KeyType

from relay.tls import SUITES, Tls, Unusable

NAME = "relay.example.com"


@dataclass
class Files:
    """A certificate's, as a renewal replaces them."""

    certificate: Path
    key: Path

    @classmethod
    def within(cls, folder: Path) -> "Files":
        return cls(folder / "certificate.pem", folder / "key.pem")

    def write(self, authority: trustme.CA, kind: KeyType = KeyType.ECDSA) -> None:
        issued = authority.issue_cert(NAME, key_type=kind)
        self.key.touch(0o600)
        issued.private_key_pem.write_to_path(self.key)
        self.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    made = Files.within(tmp_path)
    made.write(authority)
    return made


@pytest.fixture
def tls(files: Files) -> Tls:
    return Tls(files.certificate, files.key)


def client(authority: trustme.CA, ciphers: str = "") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    if ciphers:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    return context


def shake(tls: Tls, client: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after a handshake. Raises ssl.SSLError."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=NAME)
    theirs = tls.context.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ours, theirs


def test_every_suite_is_forward_secret_and_authenticated(tls: Tls) -> None:
    offered = {suite["name"]: suite for suite in tls.context.get_ciphers()}
    assert set(SUITES.split(":")) == {name for name in offered if not name.startswith("TLS_")}
    assert all(suite["aead"] for suite in offered.values())
    assert tls.context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("cipher", SUITES.split(":"))
def test_each_suite_can_be_had_with_the_key_that_it_wants(
    files: Files, authority: trustme.CA, cipher: str
) -> None:
    files.write(authority, KeyType.RSA if "-RSA-" in cipher else KeyType.ECDSA)
    ours, _ = shake(Tls(files.certificate, files.key), client(authority, cipher))
    assert ours.cipher()[0] == cipher  # type: ignore[index]


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM"])
def test_another_suite_cannot(tls: Tls, authority: trustme.CA, cipher: str) -> None:
    with pytest.raises(ssl.SSLError):
        shake(tls, client(authority, cipher))


def test_the_clients_order_counts(tls: Tls, authority: trustme.CA) -> None:
    wanted = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"
    ours, _ = shake(tls, client(authority, wanted))
    assert ours.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"  # type: ignore[index]


def test_a_new_certificate_holds_from_the_next_handshake_on(
    tls: Tls, files: Files, authority: trustme.CA
) -> None:
    old_client, old_server = shake(tls, client(authority))
    renewed = trustme.CA()
    files.write(renewed)
    tls.reload()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(tls, client(authority))
    shake(tls, client(renewed))
    old_server.write(b"still here")
    assert old_client.read() == b"still here"


def test_no_certificate_of_another_kind_is_left_behind(files: Files, authority: trustme.CA) -> None:
    files.write(authority, KeyType.RSA)
    tls = Tls(files.certificate, files.key)
    files.write(authority, KeyType.ECDSA)
    tls.reload()
    with pytest.raises(ssl.SSLError):
        shake(tls, client(authority, "ECDHE-RSA-AES128-GCM-SHA256"))


def test_a_bad_new_file_keeps_the_old_certificate(
    tls: Tls, files: Files, authority: trustme.CA
) -> None:
    files.certificate.write_text("half a certificate")
    with pytest.raises(Unusable, match="not PEM, or the key is encrypted"):
        tls.reload()
    shake(tls, client(authority))


def test_a_key_that_everyone_may_read_is_refused(tls: Tls, files: Files) -> None:
    files.key.chmod(0o644)
    with pytest.raises(Unusable) as refused:
        tls.reload()
    assert str(refused.value) == f"{files.key} is open to everyone: chmod o= {files.key}"
    files.key.chmod(0o640)
    tls.reload()


def test_another_certificates_key(tls: Tls, files: Files, authority: trustme.CA) -> None:
    certificate = files.certificate.read_bytes()
    files.write(authority)
    files.certificate.write_bytes(certificate)
    with pytest.raises(Unusable, match="the key is another certificate's"):
        tls.reload()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"none\.pem cannot be read: No such file or directory"):
        Tls(tmp_path / "none.pem", tmp_path / "none.key")

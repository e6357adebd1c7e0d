"""What a scanner of others finds at the two doors with TLS: no old version, no weak suite, a chain
that a client can follow from the leaf to its root.
"""

import datetime
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from e2e.house import PATIENCE, Certificates, Letterbell, settings

pytestmark = [pytest.mark.system]
SSLYZE = Path(__file__).parents[2] / "build" / "system" / "sslyze" / "bin" / "sslyze"
DOORS = {"starttls": ("--starttls", "smtp"), "implicit": ()}
CHECKS = [
    *("certinfo", "sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3"),
    *("elliptic_curves", "ems", "compression", "fallback", "heartbleed", "openssl_ccs"),
    *("reneg", "robot", "early_data"),
]
KEYS: dict[str, Callable[[], Any]] = {
    "RSA": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ECDSA": lambda: ec.generate_private_key(ec.SECP256R1()),
}
# Mozilla's "intermediate" of TLS 1.2, by the kind of the certificate's key.
SUITES = ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
TLS_1_3 = {f"TLS_{suite}" for suite in SUITES}
TLS_1_2 = {
    "RSA": {f"TLS_{kx}_RSA_WITH_{suite}" for kx in ("ECDHE", "DHE") for suite in SUITES},
    "ECDSA": {f"TLS_ECDHE_ECDSA_WITH_{suite}" for suite in SUITES},
}


def issue(name: str, key: Any, issuer: tuple[x509.Certificate, Any] | None, days: int) -> Any:
    """A certificate as public authorities make them; `issuer` None signs itself. For `localhost`
    it is a server's, else an authority's."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    above, signing = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    is_server = name == "localhost"
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not is_server, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=is_server,
                key_cert_sign=not is_server,
                crl_sign=not is_server,
                encipher_only=False,
                decipher_only=False,
                **usage,
            ),
            critical=True,
        )
    )
    if is_server:
        for_server = [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        ).add_extension(x509.ExtendedKeyUsage(for_server), critical=False)
    return builder.sign(signing, hashes.SHA256())


def write_chain(folder: Path, kind: str) -> Certificates:
    """The files of a server whose certificate an intermediate authority has signed."""
    make = KEYS[kind]
    root_key, middle_key, key = make(), make(), make()
    root = issue("Root of the test", root_key, None, 3650)
    middle = issue("Intermediate of the test", middle_key, (root, root_key), 1000)
    leaf = issue("localhost", key, (middle, middle_key), 90)
    pem = serialization.Encoding.PEM
    files = Certificates(folder / "root.pem", folder / "chain.pem", folder / "key.pem")
    files.authority.write_bytes(root.public_bytes(pem))
    files.certificate.write_bytes(leaf.public_bytes(pem) + middle.public_bytes(pem))
    files.key.touch(0o600)
    plain = serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return files


@pytest.fixture(scope="module", params=KEYS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def certificates(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_chain(tmp_path_factory.mktemp("chain"), kind)


@pytest.fixture(scope="module")
def relay(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Letterbell]:
    smtp = f'certificate = "{certificates.certificate}"\nkey = "{certificates.key}"\n'
    smtp += "".join(f'[[smtp.listen]]\nport = 0\ntls = "{door}"\n' for door in DOORS)
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("scanned")
        yield stack.enter_context(Letterbell(folder, settings('port = 1\ntls = "none"', smtp)))


@pytest.fixture(scope="module", params=DOORS)
def found(
    request: pytest.FixtureRequest,
    relay: Letterbell,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
    require_file: Callable[[str], Path],
) -> dict[str, Any]:
    """What sslyze has found: the name of each check with its result."""
    told = tmp_path_factory.mktemp("told") / "found.json"
    port = relay.smtp_ports[list(DOORS).index(request.param)]
    subprocess.run(
        [
            *(require_file(str(SSLYZE)), *DOORS[request.param], f"localhost:{port}"),
            *("--json_out", told, "--certinfo_ca_file", certificates.authority),
            *("--mozilla_config", "disable", *(f"--{each}" for each in CHECKS)),
        ],
        check=True,
        capture_output=True,
        timeout=4 * PATIENCE,
    )
    scan = json.loads(told.read_text())["server_scan_results"][0]["scan_result"]
    return {name: check["result"] for name, check in scan.items() if check["result"]}


def accepted(found: dict[str, Any], version: str) -> set[str]:
    suites = found[f"{version}_cipher_suites"]["accepted_cipher_suites"]
    return {each["cipher_suite"]["name"] for each in suites}


def test_versions_and_suites(found: dict[str, Any], kind: str) -> None:
    for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert not found[f"{version}_cipher_suites"]["is_tls_version_supported"]
        assert accepted(found, version) == set()
    assert accepted(found, "tls_1_3") == TLS_1_3
    # Which of them there are is OpenSSL's choice too: none but these, and the one that all know.
    assert accepted(found, "tls_1_2") <= TLS_1_2[kind]
    assert f"TLS_ECDHE_{kind}_WITH_AES_128_GCM_SHA256" in accepted(found, "tls_1_2")


def test_key_exchange_is_strong(found: dict[str, Any]) -> None:
    curves = {each["name"] for each in found["elliptic_curves"]["supported_curves"]}
    assert {"X25519", "secp256r1"} <= curves
    assert curves <= {"X25519", "X448", "secp256r1", "secp384r1", "secp521r1"}
    for each in found["tls_1_2_cipher_suites"]["accepted_cipher_suites"]:
        key = each["ephemeral_key"]
        assert key["size"] >= {"DH": 2048, "ECDH": 253}[key["type_name"]]


def test_nothing_that_has_a_name(found: dict[str, Any]) -> None:
    assert not found["tls_compression"]["supports_compression"]
    assert not found["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert found["robot"]["robot_result"].startswith("NOT_VULNERABLE")
    assert not found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"]
    assert found["session_renegotiation"]["client_renegotiations_success_count"] == 0
    assert not found["tls_1_3_early_data"]["supports_early_data"]
    assert found["tls_fallback_scsv"]["supports_fallback_scsv"]
    assert found["tls_extended_master_secret"]["supports_ems_extension"]


def test_the_chain_leads_to_the_root(found: dict[str, Any]) -> None:
    (deployment,) = found["certificate_info"]["certificate_deployments"]
    assert len(deployment["received_certificate_chain"]) == 2
    assert deployment["received_chain_has_valid_order"]
    assert not deployment["received_chain_contains_anchor_certificate"]
    assert not deployment["verified_chain_has_sha1_signature"]
    (own,) = [
        each
        for each in deployment["path_validation_results"]
        if each["trust_store"]["name"] == "Supplied CA file"
    ]
    assert own["was_validation_successful"]
    assert len(own["verified_certificate_chain"]) == 3

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from relay.certificate import read_certificate
from relay.tls import Unusable


def issue(folder: Path, ends: datetime) -> tuple[Path, Path]:
    issued = trustme.CA().issue_cert("relay.example.com", not_after=ends)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "key.pem").chmod(0o600)
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    return folder / "certificate.pem", folder / "key.pem"


def test_days_that_are_left(tmp_path: Path) -> None:
    files = issue(tmp_path, datetime.now(UTC) + timedelta(days=5, hours=1))
    found = read_certificate(*files, "relay.example.com")
    assert found.days_left == 5
    assert found.objection == "unable to get local issuer certificate"


def test_expired(tmp_path: Path) -> None:
    files = issue(tmp_path, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(Unusable, match=r"certificate\.pem: certificate has expired"):
        read_certificate(*files, "relay.example.com")


def test_files_in_the_wrong_order(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(Unusable, match="not PEM, or the key is encrypted"):
        read_certificate(key, certificate, "relay.example.com")

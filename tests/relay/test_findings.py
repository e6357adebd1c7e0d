"""What `letterbell check` says of the settings alone; its ports and peers are in tests/e2e."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay.commands.findings import (
    check_connect,
    check_files,
    check_listeners,
    check_ports,
    check_spool,
    check_store,
    check_tracking,
    check_verdict,
)
from relay.descriptors import allowed
from relay.settings import Settings


def make_settings(
    smtp: dict[str, Any] | None = None,
    delivery: dict[str, Any] | None = None,
    data: Path | None = None,
    connect: dict[str, Any] | None = None,
    store: dict[str, Any] | None = None,
    **tracking: bool,
) -> Settings:
    return Settings.model_validate(
        {
            **{table: {} for table in Settings.model_fields},
            "smtp": smtp or {},
            "delivery": delivery or {},
            "upstream": {"host": "smtp.example.com"},
            "http": {"public_url": "https://t.example.com"},
            "tokens": {"keys": ["1:" + "k" * 43]},
            "tracking": tracking,
            "connect": connect or {},
            "verdict": {"data": data},
            "store": store or {},
        }
    )


@pytest.mark.parametrize(
    ("tracking", "told"),
    [
        ({}, ["tracking.opens"]),
        ({"opens": False}, []),
        ({"wrap_url_text": True}, ["tracking.opens", "tracking.wrap_url_text"]),
    ],
)
async def test_what_filters_mind_is_a_note(tracking: dict[str, bool], told: list[str]) -> None:
    found = [each async for each in check_tracking(make_settings(**tracking))]
    assert [each.text.partition(":")[0] for each in found] == told
    assert {each.level for each in found} <= {"note"}


@pytest.mark.parametrize(
    ("listener", "told"),
    [
        ({"allow_plain_auth": True}, []),
        ({"allow_plain_auth": True, "socket": "submission"}, ["note"]),
        ({"allow_plain_auth": True, "proxies": ["127.0.0.1"]}, ["warning"]),
        ({"tls": "starttls", "proxies": ["192.0.2.1"]}, []),
        ({"tls": "starttls", "proxies": ["::1", "0.0.0.0/0"]}, ["warning"]),
    ],
)
async def test_listeners_that_are_seldom_meant(listener: dict[str, Any], told: list[str]) -> None:
    smtp = {"listen": [listener], "certificate": "c.pem", "key": "k.pem"}
    found = [each async for each in check_listeners(make_settings(smtp))]
    assert [each.level for each in found] == told


async def test_a_socket_of_systemds_is_not_bound() -> None:
    smtp = {"listen": [{"allow_plain_auth": True, "socket": "submission"}]}
    found = [each async for each in check_ports(make_settings(smtp))]
    assert [each.text.partition(":")[0] for each in found] == ["http"]


async def test_more_connections_than_files() -> None:
    assert [each async for each in check_files(make_settings({"max_connections": 10}))] == []
    [found] = [each async for each in check_files(make_settings({"max_connections": 2**30}))]
    assert found.level == "warning"
    assert f"{allowed()} are allowed: raise LimitNOFILE=" in found.text


async def spool_findings(spool: Path, min_free: int = 0) -> list[tuple[str, str]]:
    settings = make_settings(delivery={"spool": str(spool), "min_free": min_free})
    return [(each.level, each.text) async for each in check_spool(settings)]


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Has every disk be of one kind; ext4, unless the test says another."""

    def be(name: str | None) -> None:
        monkeypatch.setattr("relay.commands.findings.disk_kind", lambda folder: name)

    be("ext4")
    return be


async def test_a_spool_that_will_be_made(tmp_path: Path, kind: object) -> None:
    folder = tmp_path / "not/yet"
    assert await spool_findings(folder) == [("ok", f"delivery.spool: {folder} will be made")]
    assert not os.access(tmp_path / "not", os.F_OK)


async def test_a_spool_that_is_there(tmp_path: Path, kind: object) -> None:
    folder = tmp_path / "spool"
    (folder / "aside").mkdir(parents=True)
    folder.chmod(0o700)
    fine = ("ok", f"delivery.spool: {folder} can be written to")
    assert await spool_findings(folder) == [fine]
    for name in ("1.damaged", "2.damaged", "3.unfinished"):
        (folder / "aside" / name).touch()
    folder.chmod(0o755)
    found = await spool_findings(folder)
    assert [level for level, _ in found] == ["warning", "warning", "ok"]
    assert f"chmod o= {folder}" in found[0][1]
    assert f"2 damaged files are in {folder}/aside" in found[1][1]


async def test_a_spool_that_cannot_be(tmp_path: Path, kind: object) -> None:
    (tmp_path / "file").touch()
    [(level, text)] = await spool_findings(tmp_path / "file/spool")
    assert level == "problem"
    assert f"{tmp_path}/file is no folder" in text


async def test_a_disk_below_its_floor(tmp_path: Path, kind: object) -> None:
    (level, text), _ = await spool_findings(tmp_path, min_free=2**62)
    assert level == "problem"
    assert f"bytes left of {2**62}" in text


@pytest.mark.parametrize("forgetful", ["tmpfs", "overlay"])
async def test_a_disk_that_forgets(
    tmp_path: Path, kind: Callable[[str], None], forgetful: str
) -> None:
    kind(forgetful)
    (level, text), _ = await spool_findings(tmp_path / "spool")
    assert level == "warning"
    assert f"{tmp_path} is on {forgetful}" in text


async def test_lists_that_cannot_be_read_are_a_problem(tmp_path: Path) -> None:
    async def found(data: Path | None) -> list[tuple[str, str]]:
        told = [each async for each in check_verdict(make_settings(data=data))]
        return [(each.level, each.text) for each in told]

    assert await found(None) == []
    file = tmp_path / "networks.toml"
    file.write_text('[google]\nsource = "a test"\ndate = 2020-01-02\nnetworks = []\n')
    [(level, text)] = await found(tmp_path)
    assert level == "ok"
    assert "2020-01-02" in text
    file.write_text("[google]\n")
    [(level, text)] = await found(tmp_path)
    assert level == "problem"
    assert str(file) in text


@pytest.mark.parametrize(
    ("connect", "told"),
    [
        ({}, "note connect: mail programs are told 127.0.0.1 port 1587, which only"),
        (
            {"smtp_host": "relay.example.com"},
            "warning connect: mail programs are told relay.example.com port 1587 without TLS",
        ),
        (
            {"smtp_security": "implicit"},
            "ok connect: mail programs are told t.example.com port 465 (implicit)",
        ),
    ],
)
async def test_what_mail_programs_are_told(connect: dict[str, Any], told: str) -> None:
    (found,) = [each async for each in check_connect(make_settings(connect=connect))]
    assert f"{found.level} {found.text}".startswith(told)


@pytest.mark.parametrize(
    ("sslmode", "told"),
    [
        ("disable", "crosses the network in clear"),
        ("require", "any server is believed that speaks TLS"),
        ("verify-ca", "any server of these authorities"),
        ("verify-full", None),
    ],
)
async def test_a_weak_way_to_the_store(sslmode: str, told: str | None) -> None:
    url = f"postgresql://letterbell@nowhere.invalid/letterbell?sslmode={sslmode}"
    found = [each async for each in check_store(make_settings(store={"url": url}))]
    assert [each.level for each in found] == ["warning", "problem"][told is None :]
    assert told is None or told in found[0].text
    assert "there is no host 'nowhere.invalid'" in found[-1].text


async def test_a_store_that_cannot_be() -> None:
    url = "postgresql://letterbell@localhost/letterbell?sslmode=prefer"
    [found] = [each async for each in check_store(make_settings(store={"url": url}))]
    assert found.level == "problem"
    assert "sslmode=prefer; it can be" in found.text

"""What `letterbell check` says of the settings alone; its ports and peers are in tests/e2e."""

from typing import Any

import pytest

from relay.commands.findings import check_files, check_listeners, check_ports, check_tracking
from relay.descriptors import allowed
from relay.settings import Settings


def make_settings(smtp: dict[str, Any] | None = None, **tracking: bool) -> Settings:
    return Settings.model_validate(
        {
            **{table: {} for table in Settings.model_fields},
            "smtp": smtp or {},
            "upstream": {"host": "smtp.example.com"},
            "http": {"public_url": "https://t.example.com"},
            "tokens": {"keys": ["1:" + "k" * 43]},
            "tracking": tracking,
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

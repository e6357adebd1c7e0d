"""What `letterbell check` says of the settings alone; its ports and peers are in tests/e2e."""

import pytest

from relay.commands.findings import check_tracking
from relay.settings import Settings


def make_settings(**tracking: bool) -> Settings:
    return Settings.model_validate(
        {
            "smtp": {},
            "upstream": {"host": "smtp.example.com"},
            "http": {"public_url": "https://t.example.com"},
            "store": {},
            "tokens": {"keys": ["1:" + "k" * 43]},
            "tracking": tracking,
            "log": {},
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

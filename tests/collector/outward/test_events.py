"""What a webhook carries."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.outward.events import event_id, write_event, write_test
from collector.outward.outbox import News
from collector.outward.signature import write_secret

SECRET = write_secret(bytes(32))
NEWS = News(
    id=7,
    kind="open",
    recipient=0,
    verdict="proxy",
    count=1,
    first_ms=1_700_000_000_000,
    last_ms=1_700_000_000_000,
    message_id=0x1234,
    subject="Offer",
    recipients=("ben@example.net", "eve@example.net"),
    sent_at_ms=1_600_000_000_000,
)


@pytest.mark.parametrize(
    ("recipient", "recipients", "who"),
    [
        (0, ("ben@example.net", "eve@example.net"), None),
        (2, ("ben@example.net", "eve@example.net"), "eve@example.net"),
        (0, ("ben@example.net",), "ben@example.net"),
        (0, ("ben@example.net", "ben@example.net"), "ben@example.net"),
        (3, ("ben@example.net", "eve@example.net"), None),
        (0, (), None),
    ],
)
def test_says_who_only_where_that_is_known(
    recipient: int, recipients: tuple[str, ...], who: str | None
) -> None:
    news = replace(NEWS, recipient=recipient, recipients=recipients)
    assert json.loads(write_event(news, "https://t"))["data"]["recipient"] == who


def test_an_event_and_a_test() -> None:
    assert json.loads(write_event(NEWS, "https://t")) == {
        "type": "mail.opened",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {
            "message": "0000000000001234",
            "subject": "Offer",
            "sent": "2020-09-13T12:26:40.000Z",
            "recipient": None,
            "recipients": 2,
            "verdict": "proxy",
            "page": "https://t/mail/4660",
        },
    }
    assert json.loads(write_test(0, "https://t"))["type"] == "test"


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_an_id_is_one_events_and_tells_no_number(one: int, other: int) -> None:
    assert (event_id(one, SECRET) == event_id(other, SECRET)) is (one == other)
    assert event_id(one, SECRET) != event_id(one, write_secret(bytes(range(32))))
    assert event_id(one, SECRET).replace("_", "").isalnum()

"""Signatures: what the specification's own library verifies, and nothing else does."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from collector.outward.signature import sign, write_secret

SECRET = write_secret(bytes(range(32)))


def test_signs_as_the_specifications_example() -> None:
    """Of the specification's test vectors."""
    secret, event_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    headers = sign(secret, event_id, 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(), st.binary(min_size=24, max_size=64))
def test_the_reference_library_verifies_it(text: str, key: bytes) -> None:
    body = text.encode("utf-8", "replace")
    secret = write_secret(key)
    headers = sign(secret, "event_1", int(time.time()), body)
    Webhook(secret).verify(body, headers, json_parse=False)
    made = Webhook(secret).sign(
        "event_1", datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC), body.decode()
    )
    assert headers["webhook-signature"] == made


@pytest.mark.parametrize("change", ["body", "id", "time", "secret"])
def test_whatever_is_changed_shows(change: str) -> None:
    body, secret = b'{"a":1}', SECRET
    headers = sign(secret, "event_1", int(time.time()), body)
    if change == "body":
        body = b'{"a":2}'
    elif change == "id":
        headers["webhook-id"] = "event_2"
    elif change == "time":
        headers["webhook-timestamp"] = str(int(time.time()) - 30)
    else:
        secret = write_secret(bytes(32))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)

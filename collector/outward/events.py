"""What a webhook carries: a notification as JSON, in the form of Standard Webhooks. Pure.

Names and times are spelt as in the JSON API. Notifications are numbered across all senders, so no
number of one is told.
"""

import json
from hashlib import blake2b
from typing import Any

from collector.api.values import write_id, write_time
from collector.outward.outbox import News

_TYPES = {"open": "mail.opened", "click": "mail.link_followed"}


def event_id(notification_id: int, secret: str) -> str:
    """By which the receiver with this secret knows one that it has already."""
    key = secret.encode("ascii")[:64]
    return f"event_{blake2b(b'%d' % notification_id, key=key, digest_size=16).hexdigest()}"


def write_event(news: News, public_url: str) -> bytes:
    """The body that tells of a notification; `public_url` is where the sender's pages are."""
    return _write(
        _TYPES[news.kind],
        news.first_ms,
        {
            "message": write_id(news.message_id),
            "subject": news.subject,
            "sent": write_time(news.sent_at_ms),
            "recipient": news.who,
            "recipients": len(news.recipients),
            "verdict": news.verdict,
            "page": f"{public_url}/mail/{news.message_id}",
        },
    )


def write_test(at_ms: int, public_url: str) -> bytes:
    """The body that tells nothing."""
    return _write("test", at_ms, {"page": f"{public_url}/settings/notifications"})


def _write(kind: str, at_ms: int, data: dict[str, Any]) -> bytes:
    event = {"type": kind, "timestamp": write_time(at_ms), "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()

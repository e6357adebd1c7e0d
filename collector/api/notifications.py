"""What a sender was told of by the bell, for programs: read, and marked as read.

A notification's number would tell how many others had, so its id is sealed, as cursors are.
"""

from collector.api.call import Call
from collector.api.models import (
    Nothing,
    Notification,
    NotificationPage,
    NotificationQuery,
    NotificationsRead,
    Unread,
)
from collector.api.problems import Problem
from collector.api.values import write_id, write_time, write_time_or_none
from collector.folding import Notification as Found
from collector.keys import NOTIFICATIONS
from collector.notifications import Subject

ALL = "notifications"
ONE = "notification"
_GONE = Subject(subject="", recipients=(), per_recipient=False)  # erased meanwhile


async def list_notifications(call: Call[NotificationQuery, None]) -> NotificationPage:
    """GET /notifications: a page, newest first."""
    notifications = call.app[NOTIFICATIONS]
    before = call.open_cursor(call.query.cursor, ALL) if call.query.cursor else None
    found = await notifications.page(
        call.sender.id, before=before, limit=call.query.limit + 1, unread=call.query.unread
    )
    shown = found[: call.query.limit]
    ids = sorted({each.message_id for each in shown})
    subjects = await notifications.subjects(call.sender.id, ids)
    return NotificationPage(
        notifications=[_tell(call, each, subjects.get(each.message_id, _GONE)) for each in shown],
        next=call.seal_cursor(shown[-1].id, ALL) if len(found) > len(shown) else None,
        unread=await notifications.count_unread(call.sender.id),
    )


async def read_notifications(call: Call[Nothing, NotificationsRead]) -> Unread:
    """POST /notifications/read: marks some as read, or all."""
    notifications = call.app[NOTIFICATIONS]
    if "ids" in call.body.model_fields_set:
        await notifications.mark(call.sender.id, [_open(call, each) for each in call.body.ids])
    else:
        await notifications.mark_all(call.sender.id)
    return Unread(unread=await notifications.count_unread(call.sender.id))


def _open(call: Call[Nothing, NotificationsRead], sealed: str) -> int:
    try:
        return call.open_cursor(sealed, ONE)
    except Problem:
        detail = "ids: one is no notification of yours; take them from GET /notifications"
        raise Problem(422, detail) from None


def _tell(call: Call[NotificationQuery, None], each: Found, about: Subject) -> Notification:
    known = 0 < each.recipient <= len(about.recipients)
    return Notification.model_validate(
        {
            "id": call.seal_cursor(each.id, ONE),
            "message_id": write_id(each.message_id),
            "subject": about.subject,
            "kind": each.kind,
            "verdict": each.verdict,
            "recipient": about.recipients[each.recipient - 1] if known else None,
            "count": each.count,
            "first_at": write_time(each.first_ms),
            "last_at": write_time(each.last_ms),
            "read_at": write_time_or_none(each.read_at_ms),
        }
    )

"""The API in one table: every route, who may take it, what goes in and what comes out.

The OpenAPI document is made of it (openapi.py), and so are the handlers (door.py). A route that is
added here is documented, guarded, and tried with another sender's ids by the tests.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from collector.api import consents, figures, hits, messages, models, notifications, settings
from collector.api.call import Call, Export

PREFIX = "/api/v1"
MESSAGE = "/messages/{message_id}"


@dataclass(frozen=True, slots=True)
class Route:
    """`summary` is for the document. With an `export` the answer can be a file of `row`s, too."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    summary: str
    handle: Callable[[Call[Any, Any]], Awaitable[BaseModel]]
    answer: type[BaseModel]
    scope: Literal["read", "write"] = "read"
    query: type[BaseModel] = models.Nothing
    body: type[BaseModel] | None = None
    export: Export[Any] | None = None
    row: type[BaseModel] | None = None


TABLE: tuple[Route, ...] = (
    Route(
        "GET",
        "/messages",
        "Your messages, newest first",
        messages.list_messages,
        models.MessagePage,
        query=models.MessageQuery,
        export=messages.export_messages,
        row=models.Message,
    ),
    Route(
        "GET",
        MESSAGE,
        "One message, with all that is known of each recipient and link",
        messages.show_message,
        models.MessageDetail,
    ),
    Route(
        "POST",
        f"{MESSAGE}/stop",
        "Record nothing more of one message; its links go on working",
        messages.stop_message,
        models.MessageDetail,
        scope="write",
    ),
    Route(
        "DELETE",
        MESSAGE,
        "Erase one message with its hits; its links go on working",
        messages.erase_message,
        models.Erased,
        scope="write",
    ),
    Route(
        "GET",
        f"{MESSAGE}/hits",
        "One message's hits, oldest first",
        hits.list_message_hits,
        models.HitPage,
        query=models.HitQuery,
        export=hits.export_message_hits,
        row=models.Hit,
    ),
    Route(
        "GET",
        "/hits",
        "All hits, oldest first: to be asked again and again",
        hits.list_hits,
        models.HitPage,
        query=models.FeedQuery,
        export=hits.export_hits,
        row=models.Hit,
    ),
    Route(
        "GET",
        "/stats",
        "What was sent by day or week, and what became of it",
        figures.show_stats,
        models.Stats,
        query=models.StatsQuery,
    ),
    Route(
        "GET",
        "/consents",
        "What recipients have agreed to and refused, oldest first",
        consents.list_consents,
        models.ConsentPage,
        query=models.ConsentQuery,
        export=consents.export_consents,
        row=models.Consent,
    ),
    Route(
        "POST",
        "/consents",
        "Note what a recipient has agreed to or refused",
        consents.note_consent,
        models.ConsentPage,
        scope="write",
        body=models.ConsentChange,
    ),
    Route(
        "GET",
        "/notifications",
        "What the bell has told you of, newest first",
        notifications.list_notifications,
        models.NotificationPage,
        query=models.NotificationQuery,
    ),
    Route(
        "POST",
        "/notifications/read",
        "Mark notifications as read",
        notifications.read_notifications,
        models.Unread,
        scope="write",
        body=models.NotificationsRead,
    ),
    Route(
        "GET",
        "/settings",
        "What is tracked of mail from now on",
        settings.show_settings,
        models.Settings,
    ),
    Route(
        "PATCH",
        "/settings",
        "Change what is tracked of mail from now on",
        settings.change_settings,
        models.Settings,
        scope="write",
        body=models.SettingsChange,
    ),
)

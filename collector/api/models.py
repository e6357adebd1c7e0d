"""What is asked of the API, and what it answers: the OpenAPI document is made of these.

Fields that a request may leave out have None for a default, which no request can say itself.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from collector.api.values import (
    Day,
    Flag,
    How,
    Id,
    Instant,
    Kind,
    Limit,
    Moment,
    SealedCursor,
    State,
    Verdict,
    Words,
)

Format = Literal["json", "csv", "ndjson"]


def optional(description: str) -> Any:
    """A field that may be left out, which is None then."""
    return Field(default=None, description=description, json_schema_extra=_drop_default)


def _drop_default(schema: dict[str, Any]) -> None:
    del schema["default"]


FORMAT = optional("Goes before the header Accept; csv and ndjson hold all.")


class Asked(BaseModel):
    """A query or a body. What is not named here is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Asked):
    """No parameters at all."""


class MessageQuery(Asked):
    """Which messages: those of which everything said here is true."""

    tracked: Flag = optional("Whether opens or clicks are tracked at all.")
    opened: Flag = optional("Whether an open is believed in.")
    clicked: Flag = optional("Whether a click is believed in.")
    state: State = optional("How far it has come.")
    recipient: Words = optional("One of its recipients, a whole address.")
    since: Instant = optional("Sent then or later.")
    until: Instant = optional("Sent before then.")
    q: Words = optional("A part of the subject.")
    cursor: Id = optional("`next` of the page before.")
    limit: Limit = Field(default=50, description="How many a page holds.")
    format: Format = FORMAT


class HitQuery(Asked):
    """Which hits: those of which everything said here is true."""

    kind: Kind = optional("Opens alone, or clicks alone.")
    believed: Flag = optional("Whether it is believed to be a reader's.")
    cursor: SealedCursor = optional("`next` of the page before.")
    limit: Limit = Field(default=50, description="How many a page holds.")
    format: Format = FORMAT


class FeedQuery(HitQuery):
    """As of one message; and where a program begins that has no cursor yet."""

    new: Flag = Field(default=False, description="Without a cursor: only hits from now on.")


class StatsQuery(Asked):
    """A period of at most 366 days, both days in it, by UTC."""

    since: Day = optional("The first day; else 30 days up to the last one.")
    until: Day = optional("The last day; else today.")
    by: Literal["day", "week"] = Field(default="day", description="Weeks begin on Mondays.")


class SettingsChange(Asked):
    """What is to be changed; the rest stays."""

    model_config = ConfigDict(strict=True)

    opens: bool = optional("Track when mails are opened.")
    clicks: bool = optional("Track when links are clicked.")
    sticky: bool = optional("A mail's own choice is the next one's default.")
    per_recipient: bool = optional("Each recipient gets an own copy.")


class ConsentQuery(Asked):
    """Which decisions: those that hold now, of everybody."""

    past: Flag = Field(default=False, description="Also those that do not hold any more.")
    address: Words = optional("One recipient's, all that there ever were.")
    cursor: SealedCursor = optional("`next` of the page before.")
    limit: Limit = Field(default=50, description="How many a page holds.")
    format: Format = FORMAT


class ConsentChange(Asked):
    """What a recipient has decided, by the sender's word."""

    model_config = ConfigDict(strict=True)

    address: Words = Field(description="The recipient's.")
    granted: bool = Field(description="Whether they agree to be tracked, or refuse it.")
    kind: Kind = optional("Opens or clicks alone; else both.")
    text_version: Words = optional("Which words were agreed to, for proof.")


class NotificationQuery(Asked):
    """Which notifications: all, or those that nobody has read."""

    unread: Flag = Field(default=False, description="Those alone that are not read.")
    cursor: SealedCursor = optional("`next` of the page before.")
    limit: Limit = Field(default=50, description="How many a page holds.")


class NotificationsRead(Asked):
    """Which notifications are read now: those named, or all."""

    ids: Annotated[list[SealedCursor], Field(max_length=200)] = optional("Those alone; else all.")


class Settings(BaseModel):
    """What holds for mail from now on."""

    login: str
    opens: bool
    clicks: bool
    sticky: bool
    per_recipient: bool


class Tracked(BaseModel):
    """What was tracked of a message, after all rules."""

    opens: bool
    clicks: bool


class Seen(BaseModel):
    """Hits of one kind. `believed` are likely a reader's, `raw` all that are visits at all; the
    times are of believed ones."""

    believed: int
    raw: int
    first_at: Moment | None
    last_at: Moment | None


class Message(BaseModel):
    """A message as lists have it. `who` says whose the believed hits likely were, as in "likely one
    of 3 recipients"; it is empty where there are none."""

    id: Id
    sent_at: Moment
    delivered_at: Moment | None
    state: State
    subject: str
    recipients: list[str]
    tracked: Tracked
    untracked_reason: str | None
    per_recipient: bool = Field(description="Whether each recipient has an own copy.")
    stopped_at: Moment | None = Field(description="Since when nothing more is recorded.")
    opens: Seen
    opens_who: str
    clicks: Seen
    clicks_who: str


class MessagePage(BaseModel):
    """Messages, newest first; `next` is the cursor of the page behind, null on the last one."""

    messages: list[Message]
    next: Id | None


class Link(BaseModel):
    """A wrapped link: what it was called, where it leads, how often it was followed."""

    number: int
    label: str
    target: str
    clicks: Seen


class Recipient(BaseModel):
    """One recipient. `opens` and `clicks` are null where the copy is shared: it is not known who of
    those who share it opened it."""

    address: str
    state: State
    reply: str = Field(description="The mail server's own words.")
    opens: Seen | None
    clicks: Seen | None


class MessageDetail(Message):
    """A message with all that is known of each recipient and each link."""

    reply: str = Field(description="The mail server's own words.")
    shared_reason: str | None = Field(description="Why one copy went to all, against the wish.")
    by_recipient: list[Recipient]
    links: list[Link]


class Hit(BaseModel):
    """A fetched pixel or a followed link, what we believe made it, and by which rule."""

    message_id: Id
    at: Moment
    kind: Kind
    link: int | None = Field(description="The number of the link, of a click.")
    verdict: Verdict
    believed: bool
    rule: str
    why: str
    agent: str
    recipient: str | None = Field(description="Whose copy; null where it is shared.")


class HitPage(BaseModel):
    """Hits, oldest first. `next` is the cursor to go on with, at once while there is `more`, or
    later: then it finds what has come since. A page may be empty although there is more."""

    hits: list[Hit]
    next: SealedCursor
    more: bool


class Erased(BaseModel):
    """A message that is no longer kept. Its links go on working."""

    id: Id


class Consent(BaseModel):
    """One recipient's decision of being tracked by the sender."""

    address: str | None = Field(description="null where it was erased; a refusal holds still.")
    kind: Kind
    granted: bool
    at: Moment
    how: How
    text_version: str | None = Field(description="Of the words that it was about.")


class ConsentPage(BaseModel):
    """Decisions, oldest first. `next` is the cursor to go on with, while there is `more` or
    later."""

    consents: list[Consent]
    next: SealedCursor
    more: bool


class Notification(BaseModel):
    """Hits of one kind on one copy of a message that the sender was told of."""

    id: SealedCursor
    message_id: Id
    subject: str
    kind: Kind
    verdict: Verdict = Field(description="What we believe made the first of its hits.")
    recipient: str | None = Field(description="Whose copy; null where it is shared.")
    count: int
    first_at: Moment
    last_at: Moment
    read_at: Moment | None


class NotificationPage(BaseModel):
    """Notifications, newest first; `next` is the cursor of the page behind, null on the last one.
    `unread` is how many there are in all."""

    notifications: list[Notification]
    next: SealedCursor | None
    unread: int


class Unread(BaseModel):
    """How many notifications are not read."""

    unread: int


class Count(BaseModel):
    """As it is believed, and raw."""

    believed: int
    raw: int


class Period(BaseModel):
    """The messages that were sent in a day or week, and what became of them until now."""

    begins: date
    sent: int
    tracked: int
    opened: Count = Field(description="Messages.")
    clicked: Count = Field(description="Messages.")
    opens: Count = Field(description="Hits.")
    clicks: Count = Field(description="Hits.")


class Stats(BaseModel):
    """Every day or week of the period, oldest first."""

    periods: list[Period]


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    where: Literal["query", "body"]
    name: str
    problem: str


class ProblemDetail(BaseModel):
    """RFC 9457: what went wrong, and what would mend it."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Mistake] = []

"""What a sender is told of mail that did not arrive, is late, or went on: RFC 3464 reports. Pure.

A person reads the first part: whom it is about, what the mail server upstream said in its own
words, what to do. Programs read the second. The third is the message, or its header. Whoever asked
for less by RFC 3461's NOTIFY and RET gets less. Addresses beyond ASCII: RFC 6533.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from relay.envelope import Outcome, Parameters, Recipient
from relay.header import read_fields, values
from relay.spoolfile import Action

MAX_FULL = 1_048_576  # octets of a message that goes back whole because its sender asked for it
MAX_UNASKED = 51_200  # octets of one that goes back whole though nobody asked

_XTEXT = re.compile(rb"\+([0-9A-F]{2})")
_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,250}>")
_WANTED_BY = {
    "failed": b"FAILURE",
    "expired": b"FAILURE",
    "delayed": b"DELAY",
    "relayed": b"SUCCESS",
}
_SUBJECTS = {
    "failed": "Your message was not delivered",
    "expired": "Your message was not delivered",
    "delayed": "Your message is delayed",
    "relayed": "Your message was passed on",
}
_INTRODUCTIONS = {
    "failed": "Your message could not be delivered to:",
    "expired": "Your message could not be delivered in {days}, and nothing more is tried for:",
    "delayed": "Your message could not be delivered yet to:",
    "relayed": "Your message was passed on, to a mail server that reports nothing of success, for:",
}
_ADVICE = {
    "failed": "Please see that each address is right. If it is, ask its owner by another way, and\n"
    "show what the mail server said to whoever runs your mail.",
    "expired": "Please see that each address is right, and send the message again if it still\n"
    "matters.",
    "delayed": "You need not do anything: it will be tried again until\n{until}.\n"
    "If it does not arrive by then, you will be told.",
    "relayed": "It may arrive, and no further report of that will come. If it cannot be delivered\n"
    "after all, that server may tell you.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The message that a report is about. `original` is as its sender wrote it, None where only
    its `head` may go back."""

    mail_from: bytes
    parameters: Parameters
    received_at_ms: int
    head: bytes
    original: bytes | None


Fate = tuple[Recipient, Outcome]


def wants(recipient: Recipient, action: Action) -> bool:
    """Whether the sender wants to hear that of this recipient (RFC 3461 §4.1).

    Without NOTIFY he hears of failures alone.
    """
    notify = recipient.parameters.get(b"NOTIFY")
    if notify is None:
        return action in ("failed", "expired")
    return _WANTED_BY[action] in notify.upper().split(b",")


def report(
    about: Subject,
    fates: Sequence[Fate],
    action: Action,
    *,
    hostname: str,
    message_id: int,
    now_ms: int,
    lifetime: float,
) -> bytes:
    """The report, CRLF-clean; `lifetime` in seconds is how long mail is tried.

    It holds octets above 127 only where an address or the original does.
    """
    utf8 = not all(map(bytes.isascii, (about.mail_from, *(each.address for each, _ in fates))))
    parts = [
        (
            b"Content-Type: text/plain; charset=utf-8\r\n",
            _words(about, fates, action, hostname, lifetime),
        ),
        (
            b"Content-Type: message/%bdelivery-status\r\n" % (b"global-" if utf8 else b""),
            _status(about, fates, action, hostname, now_ms, lifetime),
        ),
        _returned(about, action, utf8),
    ]
    boundary = b"report-%016x" % message_id
    while any(boundary in body for _, body in parts):
        boundary += b"-x"
    body = b"".join(
        b"--%b\r\n%b%b\r\n%b\r\n" % (boundary, head, _encoding(content), content)
        for head, content in parts
    )
    head = _head(about, action, hostname, message_id, now_ms, boundary) + _encoding(body)
    return b"%b\r\n%b--%b--\r\n" % (head, body, boundary)


def _head(
    about: Subject, action: Action, hostname: str, message_id: int, now_ms: int, boundary: bytes
) -> bytes:
    lines = [
        b"From: Mail delivery <MAILER-DAEMON@%b>" % hostname.encode("ascii"),
        b"To: <%b>" % about.mail_from,
        b"Subject: " + _SUBJECTS[action].encode("ascii"),
        b"Date: " + _date(now_ms),
        b"Message-ID: <report.%016x@%b>" % (message_id, hostname.encode("ascii")),
        *_thread(about.head),
        b"Auto-Submitted: auto-replied",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="%b"'
        % boundary,
    ]
    return b"\r\n".join(lines) + b"\r\n"


def _thread(head: bytes) -> list[bytes]:
    """So that mail programs show the report beside the message."""
    found = _MESSAGE_ID.fullmatch(next(values(read_fields(head), b"message-id"), b"").strip())
    return [b"In-Reply-To: " + found[0], b"References: " + found[0]] if found else []


def _words(
    about: Subject, fates: Sequence[Fate], action: Action, hostname: str, lifetime: float
) -> bytes:
    until = format_datetime(_when(about.received_at_ms + round(1000 * lifetime)))
    introduction = _INTRODUCTIONS[action].format(days=_days(lifetime))
    lines = [f"This is the mail relay {hostname}.", "", introduction, ""]
    for recipient, outcome in fates:
        lines.append(f"  <{recipient.address.decode('utf-8', 'replace')}>")
        lines += [f"    {line}" for line in _said(outcome)]
        lines.append("")
    lines.append(_ADVICE[action].format(until=until))
    return "\n".join(lines).replace("\n", "\r\n").encode() + b"\r\n"


def _said(outcome: Outcome) -> list[str]:
    who = f"The mail server {outcome.host} said:" if outcome.host else "The reason:"
    return [who, f"  {_answer(outcome).decode('ascii', 'replace')}"]


def _answer(outcome: Outcome) -> bytes:
    words = (b"%d" % outcome.code, outcome.enhanced.encode("ascii"), outcome.text)
    return _printable(b" ".join(word for word in words if word))


def _status(
    about: Subject,
    fates: Sequence[Fate],
    action: Action,
    hostname: str,
    now_ms: int,
    lifetime: float,
) -> bytes:
    of_message = [b"Reporting-MTA: dns; " + hostname.encode("ascii")]
    if envid := about.parameters.get(b"ENVID"):
        of_message.append(b"Original-Envelope-Id: " + _from_xtext(envid))
    of_message.append(b"Arrival-Date: " + _date(about.received_at_ms))
    until = about.received_at_ms + round(1000 * lifetime) if action == "delayed" else None
    blocks = [
        of_message,
        *(_of_recipient(recipient, outcome, action, now_ms, until) for recipient, outcome in fates),
    ]
    return b"\r\n\r\n".join(b"\r\n".join(block) for block in blocks) + b"\r\n"


def _of_recipient(
    recipient: Recipient, outcome: Outcome, action: Action, now_ms: int, until_ms: int | None
) -> list[bytes]:
    address = recipient.address
    kind = b"rfc822" if address.isascii() else b"utf-8"
    fields = []
    if orcpt := recipient.parameters.get(b"ORCPT"):
        original_kind, _, original = orcpt.partition(b";")
        fields.append(b"Original-Recipient: %b; %b" % (original_kind, _from_xtext(original)))
    fields += [
        b"Final-Recipient: %b; %b" % (kind, address),
        b"Action: " + (b"failed" if action == "expired" else action.encode("ascii")),
        b"Status: " + _class(outcome, action),
    ]
    if outcome.host:
        fields += [
            b"Remote-MTA: dns; " + outcome.host.encode("ascii", "replace"),
            b"Diagnostic-Code: smtp; " + _answer(outcome),
        ]
    fields.append(b"Last-Attempt-Date: " + _date(now_ms))
    if until_ms is not None:
        fields.append(b"Will-Retry-Until: " + _date(until_ms))
    return fields


def _class(outcome: Outcome, action: Action) -> bytes:
    """RFC 3463's code: upstream's own, else what the action says; of the expired 4.4.7."""
    if action == "expired":
        return b"4.4.7"
    unsaid = {"delayed": "4.0.0", "relayed": "2.0.0"}.get(action, "5.0.0")
    return (outcome.enhanced or unsaid).encode("ascii")


def _returned(about: Subject, action: Action, utf8: bool) -> tuple[bytes, bytes]:
    """What goes back of the message: RET holds for failures alone (RFC 3461 §4.3)."""
    asked = (about.parameters.get(b"RET") or b"").upper()
    limit = {b"FULL": MAX_FULL, b"HDRS": 0}.get(asked, MAX_UNASKED)
    original = about.original
    if action in ("failed", "expired") and original is not None and len(original) <= limit:
        kind = b"global" if utf8 else b"rfc822"
        return b"Content-Type: message/%b\r\n" % kind, original
    kind = b"message/global-headers" if utf8 else b"text/rfc822-headers"
    return b"Content-Type: %b\r\n" % kind, about.head


def _encoding(content: bytes) -> bytes:
    return b"" if content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"


def _from_xtext(text: bytes) -> bytes:
    """RFC 3461 §4: what stands for other octets becomes them, where they may stand in a header."""
    return _printable(_XTEXT.sub(lambda match: bytes([int(match[1], 16)]), text))


def _printable(octets: bytes) -> bytes:
    return bytes(octet if 32 <= octet < 127 else ord("?") for octet in octets)


def _days(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _when(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


def _date(ms: int) -> bytes:
    return format_datetime(_when(ms)).encode("ascii")

"""What the sender has tracked, for whom, and why: his toggles and the message's own wishes.

Pure. The message's wishes (its headers', its control addresses', its login's) beat the sender's
toggles; where they disagree, the most restrictive holds. Off for both means that nothing of ours is
put in. Where toggles are sticky, what the message said becomes the toggle; not what its login said,
which is one device's setting, nor a wish that did not come true.

Whoever shares a copy cannot be told apart. Where the sender wishes it, a tracked mail has a copy
for each recipient, even if there is but one: a reader who sees that his is meant for him alone must
not learn whether there are others. What recipients say to all this is `objections.py`'s.
"""

from dataclasses import dataclass, replace

from collector.consent import Objected
from collector.senders import Sender
from collector.store import Wished
from relay.envelope import Envelope, Recipient, Wishes

MAX_COPIES = 100
MAX_OCTETS = 67_108_864  # of all copies of one message together


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCopy:
    """Who gets it and how it is tracked; `reason` says why not, when neither is on.

    `recipient` is the ordinal that its hits tell, 0 where all share it. Without `may_change` it
    leaves as it came whatever it holds; a copy that merely is not tracked may still have quotes of
    our mail in it mended.
    """

    recipients: tuple[Recipient, ...]
    opens: bool
    clicks: bool
    reason: str | None
    recipient: int = 0
    may_change: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The copies to make, and the toggles to remember (both None: nothing changes).

    Copies differ in who gets them alone, but where some have `objected`. `shared_reason` says why
    nobody is told apart where the sender wished a copy for each recipient. `wished` is what was to
    be tracked before any recipient objected, and who decided that.
    """

    copies: tuple[PlannedCopy, ...]
    remember: Wishes
    wished: Wished
    shared_reason: str | None = None
    objected: tuple[Objected, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why nothing at all is tracked; None where anything is."""
        reasons = [copy.reason for copy in self.copies]
        return None if None in reasons else reasons[0]

    @property
    def is_recorded(self) -> bool:
        """Whether the sender is to find it in his list: he wished to have it tracked."""
        return self.reason is None or bool(self.objected)


def plan(envelope: Envelope, sender: Sender, wishes: Wishes) -> Plan:
    """Who gets which copy, tracked how.

    `wishes` are those of the message's headers; the others travel with the envelope.
    """
    own = wishes & envelope.wishes
    wishes = own & envelope.identity.wishes
    opens = sender.opens if wishes.opens is None else wishes.opens
    clicks = sender.clicks if wishes.clicks is None else wishes.clicks
    reason = None
    written = bool(envelope.mail_from)  # else a bounce or a receipt: evidence, not a letter
    if not written:
        opens, clicks, reason = False, False, "null sender"
    elif not (opens or clicks):
        asked = wishes.opens is False or wishes.clicks is False
        reason = "off for this message" if asked else "off for this sender"
    copy = PlannedCopy(
        recipients=envelope.recipients,
        opens=opens,
        clicks=clicks,
        reason=reason,
        may_change=written,
    )
    remember = Wishes()
    if sender.sticky:
        remember = replace(
            own,
            opens=_to_remember(sender.opens, own.opens, wishes.opens),
            clicks=_to_remember(sender.clicks, own.clicks, wishes.clicks),
        )
    if reason is not None or not sender.per_recipient:
        shared_reason = None
        copies: tuple[PlannedCopy, ...] = (copy,)
    else:
        split = _split(copy)
        shared_reason = too_many(len(split), envelope.content.size)
        copies = (copy,) if shared_reason else split
    return Plan(
        copies=copies,
        remember=remember,
        wished=Wished(opens, clicks, wishes.opens_from, wishes.clicks_from),
        shared_reason=shared_reason,
    )


def _split(copy: PlannedCopy) -> tuple[PlannedCopy, ...]:
    """A copy for each address. One that was named twice has the ordinal it was named by first."""
    by_address: dict[bytes, list[Recipient]] = {}
    for recipient in copy.recipients:
        by_address.setdefault(_key(recipient.address), []).append(recipient)
    return tuple(
        replace(copy, recipients=tuple(same), recipient=same[0].ordinal)
        for same in by_address.values()
    )


def _key(address: bytes) -> bytes:
    """What it counts as: case may matter before the "@", never behind it (RFC 5321 §2.4)."""
    name, at, domain = address.rpartition(b"@")
    return name + at + domain.lower()


def too_many(copies: int, size: int) -> str | None:
    """Why there cannot be so many copies of a message of this size; None if there can."""
    if copies > MAX_COPIES:
        return f"more than {MAX_COPIES} recipients"
    if copies > 1 and copies * size > MAX_OCTETS:
        return f"too large for {copies} copies"
    return None


def _to_remember(toggle: bool, own: bool | None, came_true: bool | None) -> bool | None:
    """The toggle's new value; None where it keeps its own."""
    return own if own is came_true and own is not toggle else None

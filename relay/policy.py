"""What is tracked, for whom, and why: the sender's toggles and the message's own wishes.

Pure. The message's wishes (its headers', its control addresses', its login's) beat the sender's
toggles; where they disagree, the most restrictive holds. Off for both means that nothing of ours is
put in. Where toggles are sticky, what the message said becomes the toggle; not what its login said,
which is one device's setting, nor a wish that did not come true.
"""

from dataclasses import dataclass

from collector.senders import Sender
from relay.envelope import Envelope, Recipient, Wishes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCopy:
    """Who gets it and how it is tracked; `reason` says why not, when neither is on.

    Without `may_change` it leaves as it came whatever it holds; a copy that merely is not tracked
    may still have quotes of our mail in it mended.
    """

    recipients: tuple[Recipient, ...]
    opens: bool
    clicks: bool
    reason: str | None
    may_change: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The copies to make, and the toggles to remember (both None: nothing changes)."""

    copies: tuple[PlannedCopy, ...]
    remember: Wishes


def plan(envelope: Envelope, sender: Sender, wishes: Wishes) -> Plan:
    """One copy for all recipients: who of them opened it is not told apart.

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
    if not sender.sticky:
        return Plan(copies=(copy,), remember=Wishes())
    remember = Wishes(
        _to_remember(sender.opens, own.opens, wishes.opens),
        _to_remember(sender.clicks, own.clicks, wishes.clicks),
    )
    return Plan(copies=(copy,), remember=remember)


def _to_remember(toggle: bool, own: bool | None, came_true: bool | None) -> bool | None:
    """The toggle's new value; None where it keeps its own."""
    return own if own is came_true and own is not toggle else None

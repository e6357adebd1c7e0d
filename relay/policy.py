"""What is tracked, for whom, and why: the sender's toggles and the message's own wishes.

Pure. The message's wish beats the sender's toggle (DESIGN §6); off for both means that
nothing of ours is put in. Where toggles are sticky, what the message said becomes the toggle.
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
    """One copy for all recipients: who of them opened it is not told apart."""
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
    return Plan(copies=(copy,), remember=_to_remember(sender, wishes))


def _to_remember(sender: Sender, wishes: Wishes) -> Wishes:
    if not sender.sticky:
        return Wishes()
    return Wishes(
        None if wishes.opens == sender.opens else wishes.opens,
        None if wishes.clicks == sender.clicks else wishes.clicks,
    )

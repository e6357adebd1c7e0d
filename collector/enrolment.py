"""How senders come about: admins add them, or upstream vouches for whoever logs in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Whether admins add senders; if not, each comes about at its first login. The toggles are what
    a new one begins with."""

    by_admins: bool = True
    opens: bool = True
    clicks: bool = True
    per_recipient: bool = False


BY_ADMINS = Enrolment()

"""What a sender begins with whom an admin adds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The toggles of a new one, as the site has them."""

    opens: bool = True
    clicks: bool = True
    per_recipient: bool = False


ALL_ON = Enrolment()

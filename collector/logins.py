"""What passwords of senders are good for, as the site has it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """`are_ours`: mail programs log in with what is kept here, else with what upstream knows. With
    `app_passwords_only` they need an app password; a sender's own then opens the pages alone."""

    are_ours: bool = True
    app_passwords_only: bool = False


OURS = Logins()

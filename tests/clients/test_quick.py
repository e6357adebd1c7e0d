"""Mail programs that are quick hand a letter to the relay through each door; it arrives tracked.

All programs and all letters: test_all.py.
"""

from collections.abc import Callable

import pytest
from clients.letters import LETTERS, Letter
from clients.programs import parameters

QUICK = ["smtplib", "swaks", "msmtp", "curl", "nodemailer"]


@pytest.mark.parametrize("client", parameters(QUICK))
def test_a_letter(client: str, send_and_check: Callable[[str, Letter], None]) -> None:
    send_and_check(client, LETTERS["html"])


@pytest.mark.parametrize("way", ["starttls"], indirect=True)
@pytest.mark.parametrize("client", parameters(QUICK))
def test_a_wrong_password_is_told(
    client: str, send_with_wrong_password: Callable[[str], None]
) -> None:
    send_with_wrong_password(client)

"""`make clients`: every mail program sends every letter, over STARTTLS and over implicit TLS."""

from collections.abc import Callable

import pytest
from clients.letters import LETTERS, Letter
from clients.programs import CLIENTS, parameters

pytestmark = pytest.mark.clients
OVER_TLS = pytest.mark.parametrize("way", ["starttls", "implicit"], indirect=True)


@OVER_TLS
@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("client", parameters(list(CLIENTS)))
def test_every_letter_by_every_client(
    client: str, letter: str, send_and_check: Callable[[str, Letter], None]
) -> None:
    send_and_check(client, LETTERS[letter])


@OVER_TLS
@pytest.mark.parametrize("client", parameters([each for each in CLIENTS if CLIENTS[each].refused]))
def test_a_wrong_password_is_told_by_every_client(
    client: str, send_with_wrong_password: Callable[[str], None]
) -> None:
    send_with_wrong_password(client)

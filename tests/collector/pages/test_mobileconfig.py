"""The profile, read by plistlib, against the keys that Apple documents.

Apple, Device Management: "Mail" (com.apple.mail.managed), "TopLevel" and "CommonPayloadKeys", as
of its repository device-management, mdm/profiles, in 2026.
"""

import plistlib
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.pages import mobileconfig
from collector.servers import Server, Servers

HOME = Servers(
    smtp=Server("relay.example.com", 587, "starttls"),
    imap=Server("imap.example.com", 993, "implicit"),
    domains=("example.com",),
)
UUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
# Each key with its type; those that Apple requires are in REQUIRED.
COMMON = {
    "PayloadIdentifier": str,
    "PayloadUUID": str,
    "PayloadType": str,
    "PayloadVersion": int,
    "PayloadDescription": str,
    "PayloadDisplayName": str,
    "PayloadOrganization": str,
}
MAIL = COMMON | {
    "EmailAccountDescription": str,
    "EmailAccountName": str,
    "EmailAccountType": str,
    "EmailAddress": str,
    "IncomingMailServerAuthentication": str,
    "IncomingMailServerHostName": str,
    "IncomingMailServerPortNumber": int,
    "IncomingMailServerUseSSL": bool,
    "IncomingMailServerUsername": str,
    "IncomingPassword": str,
    "OutgoingPassword": str,
    "OutgoingPasswordSameAsIncomingPassword": bool,
    "OutgoingMailServerAuthentication": str,
    "OutgoingMailServerHostName": str,
    "OutgoingMailServerPortNumber": int,
    "OutgoingMailServerUseSSL": bool,
    "OutgoingMailServerUsername": str,
}
REQUIRED = {
    "PayloadIdentifier",
    "PayloadUUID",
    "PayloadType",
    "PayloadVersion",
    "EmailAccountType",
    "IncomingMailServerAuthentication",
    "IncomingMailServerHostName",
    "OutgoingMailServerAuthentication",
    "OutgoingMailServerHostName",
}
# What a property list may hold: XML 1.0's characters; a line end is one whatever it was.
TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"]), min_size=1)


def read(servers: Servers = HOME, **given: object) -> tuple[dict[str, object], dict[str, object]]:
    """The profile and the one account in it."""
    who = {"address": "ana@example.com", "login": "ana", "password": "p-w", "description": "Ours"}
    profile = plistlib.loads(mobileconfig.write(servers, **(who | given)))  # type: ignore[arg-type]
    (account,) = profile.pop("PayloadContent")
    return profile, account


def test_every_key_is_apples_and_none_is_missing() -> None:
    profile, account = read()
    assert profile["PayloadType"] == "Configuration"
    assert account["PayloadType"] == "com.apple.mail.managed"
    assert account["EmailAccountType"] == "EmailTypeIMAP"
    assert account["IncomingMailServerAuthentication"] == "EmailAuthPassword"
    assert account["OutgoingMailServerAuthentication"] == "EmailAuthPassword"
    assert account.keys() >= REQUIRED
    assert profile.keys() >= REQUIRED & COMMON.keys()
    for payload, known in ((profile, COMMON), (account, MAIL)):
        assert payload["PayloadVersion"] == 1
        assert UUID.fullmatch(str(payload["PayloadUUID"]))
        for name, value in payload.items():
            assert type(value) is known[name], name


def test_whose_account_it_is() -> None:
    _, account = read()
    assert account["EmailAddress"] == "ana@example.com"
    assert account["IncomingMailServerHostName"] == "imap.example.com"
    assert account["IncomingMailServerPortNumber"] == 993
    assert account["IncomingMailServerUseSSL"] is True
    assert account["IncomingMailServerUsername"] == "ana@example.com"
    assert "IncomingPassword" not in account  # not ours to know: the device asks
    assert account["OutgoingMailServerHostName"] == "relay.example.com"
    assert account["OutgoingMailServerPortNumber"] == 587
    assert account["OutgoingMailServerUseSSL"] is True
    assert account["OutgoingMailServerUsername"] == "ana"
    assert account["OutgoingPassword"] == "p-w"
    assert account["OutgoingPasswordSameAsIncomingPassword"] is False


def test_users_by_the_part_before_the_at() -> None:
    _, account = read(replace(HOME, imap_user="local-part"))
    assert account["IncomingMailServerUsername"] == "ana"


def test_where_passwords_are_upstreams_one_is_asked_for() -> None:
    _, account = read(password=None)
    assert "OutgoingPassword" not in account
    assert account["OutgoingPasswordSameAsIncomingPassword"] is True


def test_a_new_profile_takes_the_place_of_the_same_addresss_old_one_alone() -> None:
    first, second, other = read()[0], read()[0], read(address="office@example.com")[0]
    assert first["PayloadIdentifier"] == second["PayloadIdentifier"]
    assert first["PayloadUUID"] != second["PayloadUUID"]
    assert first["PayloadIdentifier"] != other["PayloadIdentifier"]


@given(login=TEXT, host=TEXT)
def test_odd_logins_and_hosts_stay_text(login: str, host: str) -> None:
    _, account = read(replace(HOME, smtp=Server(host, 465, "implicit")), login=login)
    assert account["OutgoingMailServerUsername"] == login
    assert account["OutgoingMailServerHostName"] == host

"""The profile that sets up an account in Apple's Mail, on a phone or a Mac.

Keys: Apple, Device Management, "Mail" (com.apple.mail.managed), "TopLevel". An account wants an
incoming server; its password there is not ours, so the device asks for it.
"""

import plistlib
from hashlib import blake2b
from uuid import uuid4

from collector.servers import Servers

MEDIA_TYPE = "application/x-apple-aspen-config"


def write(
    servers: Servers, *, address: str, login: str, password: str | None, description: str
) -> bytes:
    """The profile for one mail address; `servers` must have an incoming one. Without a `password`
    the one that the device asks for holds for both servers. `description` is for its owner."""
    smtp, imap = servers.smtp, servers.imap
    assert imap is not None
    account_id = blake2b(address.encode(), digest_size=8).hexdigest()
    # One with the same identifier takes an older one's place.
    identifier = ".".join([*reversed(smtp.host.split(".")), "letterbell", account_id])
    user = address if servers.imap_user == "address" else address.rpartition("@")[0]
    account: dict[str, object] = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.mail",
        "PayloadUUID": _new_id(),
        "PayloadDisplayName": address,
        "EmailAccountDescription": address,
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAddress": address,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": imap.host,
        "IncomingMailServerPortNumber": imap.port,
        "IncomingMailServerUseSSL": imap.security != "none",
        "IncomingMailServerUsername": user,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": smtp.host,
        "OutgoingMailServerPortNumber": smtp.port,
        "OutgoingMailServerUseSSL": smtp.security != "none",
        "OutgoingMailServerUsername": login,
        "OutgoingPasswordSameAsIncomingPassword": password is None,
    }
    if password is not None:
        account["OutgoingPassword"] = password
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": _new_id(),
        "PayloadDisplayName": f"Letterbell ({address})",
        "PayloadDescription": description,
        "PayloadContent": [account],
    }
    return plistlib.dumps(profile)


def _new_id() -> str:
    return str(uuid4()).upper()

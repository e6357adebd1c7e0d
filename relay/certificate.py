"""Judges a TLS certificate as a mail program would: by a handshake with the real key, in memory."""

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from relay.tls import Unusable, server_context

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that works with its key: days until it ends, and what clients would mind."""

    days_left: int
    objection: str | None


def read_certificate(certificate: Path, key: Path, hostname: str) -> Certificate:
    """Loads both files and shakes hands as `hostname`. Raises Unusable."""
    server = server_context(certificate, key)
    try:
        presented = _shake(server, _trusting(certificate), hostname=None)
    except ssl.SSLError as error:
        raise Unusable(f"{certificate}: {_reason(error)}") from None
    ends = ssl.cert_time_to_seconds(str(presented["notAfter"]))
    return Certificate(int((ends - time.time()) // DAY), _objection(server, hostname))


def _objection(server: ssl.SSLContext, hostname: str) -> str | None:
    """What a client with the system's trust says of this server under its name."""
    try:
        _shake(server, ssl.create_default_context(), hostname)
    except ssl.SSLError as error:
        return _reason(error)
    return None


def _trusting(certificate: Path) -> ssl.SSLContext:
    """A client that trusts this very certificate: all that it minds is the certificate's own."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return client


def _shake(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext, hostname: str | None
) -> dict[str, object]:
    """The certificate that the client sees; raises ssl.SSLError where it minds."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=hostname)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return dict(client.getpeercert() or {})


def _reason(error: ssl.SSLError) -> str:
    return getattr(error, "verify_message", "") or error.reason or str(error)

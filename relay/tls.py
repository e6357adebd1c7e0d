"""The server's TLS: what it speaks, and a certificate that changes while sessions go on.

Every handshake begins with `Tls.context` as it is then: a new certificate holds from the next
connection on, and those that are open keep theirs. A context in use is never loaded into again:
OpenSSL keeps a certificate for each kind of key, so a client that asks for RSA would go on getting
the old one beside a new one for EC.
"""

import ssl
import stat
from pathlib import Path

# What Mozilla calls intermediate: forward secret and authenticated, which every client of the last
# ten years speaks. Its DHE suites are left out: no client needs them that has no ECDHE.
SUITES = ":".join(
    f"ECDHE-{kind}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for kind in ("ECDSA", "RSA")
)


class Unusable(Exception):  # noqa: N818 - named for what the files are
    """The two files make no TLS server; the message says why."""


class Tls:
    """A certificate and its key, in files that may be replaced. Raises Unusable."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate = certificate
        self.key = key
        self.context = server_context(certificate, key)

    def reload(self) -> None:
        """Takes what is in the files now. Raises Unusable: then the old one stays."""
        self.context = server_context(self.certificate, self.key)


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with this certificate, its chain and its key. Raises Unusable."""
    for file in (certificate, key):
        try:
            file.read_bytes()
        except OSError as error:
            raise Unusable(f"{file} cannot be read: {error.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_RENEGOTIATION  # costs the server much and the client little
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # all are good; a phone knows its fastest
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # asks nobody
    except ssl.SSLError as error:
        parted = "MISMATCH" in str(error)
        why = "the key is another certificate's" if parted else "not PEM, or the key is encrypted"
        raise Unusable(f"{certificate} and {key}: {why}") from None
    if key.stat().st_mode & stat.S_IRWXO:
        raise Unusable(f"{key} is open to everyone: chmod o= {key}")
    return context

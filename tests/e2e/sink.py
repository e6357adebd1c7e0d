"""A real upstream in a process of its own: aiosmtpd, keeping each mail as a file.

    python sink.py FOLDER [--certificate PEM --key PEM [--implicit]] [--login USER:PASSWORD]

Prints its port, then one line a mail: JSON of the envelope. `refused@…` gets 550, `deferred@…` 451,
`later@…` 451 the first two times.
Offers DSN (RFC 3461), which aiosmtpd does not know, and tells what was asked for.
"""

import argparse
import asyncio
import json
import re
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

ANSWERS = {"refused": "550 5.1.1 nobody of that name", "deferred": "451 4.2.1 come back later"}


DSN = re.compile(r" (?:RET|ENVID|NOTIFY|ORCPT)=\S+")


class Sink(SMTP):
    line_length_limit = 1 << 20

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        self.asked = DSN.findall(arg or "")
        await super().smtp_MAIL(arg and DSN.sub("", arg))

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        self.asked += DSN.findall(arg or "")
        await super().smtp_RCPT(arg and DSN.sub("", arg))


class Keeper:
    """Writes FOLDER/NUMBER.eml before it says 250."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._deferred = 0

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        return [replies[0], "250-DSN", *replies[1:]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        name = address.partition("@")[0]
        if answer := ANSWERS.get(name):
            return answer
        if name == "later" and self._deferred < 2:
            self._deferred += 1
            return ANSWERS["deferred"]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server: Sink, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self._count += 1
        assert isinstance(envelope.content, bytes)
        path = self._folder / f"{self._count}.eml"
        path.write_bytes(envelope.content)
        mail = {
            "path": str(path),
            "mail_from": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "login": bool(session.authenticated),
            "dsn": [each.strip() for each in server.asked],
        }
        say(json.dumps(mail))
        return f"250 2.0.0 kept as {self._count}"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(options: argparse.Namespace) -> None:
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)

    def authenticate(server: Any, session: Any, envelope: Any, name: str, data: Any) -> AuthResult:
        given = f"{data.login.decode()}:{data.password.decode()}"
        return AuthResult(success=given == options.login, handled=False)

    def session() -> SMTP:
        return Sink(
            keeper,
            hostname="upstream.example.com",
            tls_context=None if options.implicit else tls,
            require_starttls=tls is not None and not options.implicit,
            authenticator=authenticate if options.login else None,
            auth_required=bool(options.login),
            auth_require_tls=False,
            data_size_limit=None,
            enable_SMTPUTF8=True,
        )

    keeper = Keeper(options.folder)
    implicit = tls if options.implicit else None
    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", options.port, ssl=implicit
    )
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--implicit", action="store_true")
    parser.add_argument("--login")
    asyncio.run(main(parser.parse_args()))

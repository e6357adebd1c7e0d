"""Mail programs that sign in by an OAuth token: it is tried upstream, and by it the mail goes."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from clients.letters import LETTERS, TO
from clients.programs import Way, execute
from e2e.house import ANA, Certificates, Letterbell, settings
from logs import remember
from relays import Script

pytestmark = pytest.mark.system
TOKEN = remember("ya29.a-token-of-the-test")
OFFERS = "250-script\r\n250-AUTH PLAIN {}\r\n250 8BITMIME"
Send = Callable[[Way, str, str], object]


def curl(way: Way, program: str, mechanism: str) -> None:
    execute(
        way,
        *(program, "--silent", "--show-error", "--url", f"smtp://localhost:{way.port}"),
        *("--ssl-reqd", "--cacert", way.authority, "--user", ANA, "--oauth2-bearer", TOKEN),
        *("--login-options", f"AUTH={mechanism.upper()}", "--mail-from", ANA, "--mail-rcpt", TO),
        *("--upload-file", way.file("mail.eml", LETTERS["plain"].raw())),
    )


def msmtp(way: Way, program: str, mechanism: str) -> None:
    execute(
        way,
        *(program, "--host=localhost", f"--port={way.port}", "--tls=on", f"--auth={mechanism}"),
        *(f"--tls-trust-file={way.authority}", f"--user={ANA}", f"--from={ANA}"),
        *(f"--passwordeval=echo {TOKEN}", TO),
        stdin=way.file("mail.eml", LETTERS["plain"].raw()),
    )


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
@pytest.mark.parametrize("client", [curl, msmtp], ids=lambda client: client.__name__)
async def test_a_token(
    client: Send,
    mechanism: str,
    certificates: Certificates,
    tmp_path: Path,
    require_program: Callable[[str], str],
) -> None:
    program = require_program(client.__name__)
    tls = f'certificate = "{certificates.certificate}"\nkey = "{certificates.key}"\n'
    async with Script(OFFERS.format(mechanism.upper()), AUTH="235 2.7.0 known").running() as script:
        upstream = f'port = {script.port}\ntls = "none"\n'
        smtp = f'{tls}[[smtp.listen]]\nport = 0\ntls = "starttls"\n[auth]\nmode = "upstream"'
        with Letterbell(tmp_path, settings(upstream, smtp)) as relay:
            way = Way("starttls", relay.smtp_ports[0], certificates.authority, tmp_path)
            await asyncio.to_thread(client, way, program, mechanism)
    (said,) = (line.split() for line in script.lines if line.startswith(b"AUTH"))
    assert said[1].decode() == mechanism.upper()
    assert f"auth=Bearer {TOKEN}".encode() in base64.b64decode(said[2])
    (message,) = script.messages
    assert b"Subject: A plain letter\r\n" in message

"""How the demo's form sends: as any mail client would, by SMTP with a login."""

import aiosmtplib

from relay.demo.letter import Letter
from relay.demo.state import LOGIN, Demo

TIMEOUT = 30.0


class SubmissionError(Exception):
    """The relay refused the letter, or was not there; the message holds its own words."""


async def submit(demo: Demo, letter: Letter) -> str:
    """The relay's answer to DATA. Raises SubmissionError."""
    try:
        _, answer = await aiosmtplib.send(
            letter.source,
            sender=LOGIN,
            recipients=list(letter.recipients),
            hostname="127.0.0.1",
            port=demo.smtp_port,
            username=LOGIN,
            password=demo.password,
            start_tls=False,
            timeout=TIMEOUT,
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        raise SubmissionError(f"The relay did not take it: {error}") from error
    return f"The relay answered 250 {answer}"

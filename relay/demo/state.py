"""What the demo's pages know of the world they stand in."""

import secrets
from dataclasses import dataclass, field

from aiohttp import web

from relay.demo.inbox import Inbox

LOGIN = "ana@demo.example"
NAME = "Ana"
RECIPIENT = "ben@inbox.example"
LANDING = "/demo/landing"


@dataclass(slots=True, kw_only=True)
class Demo:
    """The ports, the demo's one sender, and the recipient's inbox."""

    http_port: int
    smtp_port: int
    inbox: Inbox
    sender_id: int = 0  # set once the sender is in the store
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    one_time: str | None = field(default_factory=lambda: secrets.token_urlsafe(24))
    # What was submitted, by Message-ID: the "before" of the comparison.
    submitted: dict[str, bytes] = field(default_factory=dict)

    @property
    def public_url(self) -> str:
        """Where pixels and wrapped links lead."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def recipient_site(self) -> str:
        """Where the letter's links lead: another host, since links to our own are never wrapped."""
        return f"http://localhost:{self.http_port}{LANDING}"

    @property
    def entrance(self) -> str:
        """The address that signs in once."""
        return f"{self.public_url}/demo/enter/{self.one_time}"


DEMO = web.AppKey("DEMO", Demo)

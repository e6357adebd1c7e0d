"""The table of the sender's pages, for tests that try each of them."""

import re

from aiohttp import ClientResponse

from collector.pages import notice, routes
from collector.pages.atom import FEED

# For everybody: who signs in, what a recipient is told, files, and what says nothing of anybody.
OPEN = {each.path for each in notice.routes()} | {
    "/sign-in",
    "/static/{name:.+}",
    "/mail/config-v1.1.xml",
    "/.well-known/autoconfig/mail/config-v1.1.xml",
    FEED,
    "/connect/profile/{token}",
}
SHOWN = [each for each in routes() if each.method == "GET" and each.path not in OPEN]


def address(path: str, *, message_id: int, sender_id: int) -> str:
    """An address of this route: of Eve's mail, of Eve, else of anything it takes."""
    values = {"message_id": str(message_id), "sender_id": str(sender_id), "form": "json"}

    def fill(found: re.Match[str]) -> str:
        name, _, pattern = found[1].partition(":")
        return values.get(name) or pattern.partition("|")[0]

    return re.sub(r"\{((?:[^{}]|\{[^}]*\})+)\}", fill, path)


async def read(answer: ClientResponse) -> str:
    """All of it; of a stream what it says at once."""
    if answer.content_type != "text/event-stream":
        return await answer.text()
    said = b""
    while said.count(b"\r\n\r\n") < 1:
        said += await answer.content.readany()
    answer.close()
    return said.decode()

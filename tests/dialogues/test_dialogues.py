r"""Plays every *.txt of this folder against a relay in this process, octet for octet.

    # a remark                    what the dialogue shows
    ! door starttls               the listener: plain (the default), starttls, implicit
    ! max_size 2000               any setting of Submission
    ! upstream RCPT 550 5.1.1 no  what upstream replies to a command ("." is the end of a message)
    S: 250 2.1.0                  the server's next line begins so
    S~ 451 .* [0-9a-f]{8}         the server's next line matches this from its begin to its end
    C: NOOP                       the client says this with CRLF; lines in a row go in one write
    C> part                       the same without CRLF
    TLS                           the client goes over to TLS
    CLOSED                        the server has closed the connection
    U: RCPT TO:<b@example.com>    upstream has heard this line
    M: Subject: x                 upstream has this line in its last message
    N: 0                          upstream has had so many messages

What the client and upstream say knows the escapes \r \n \0 \\ \xff, {base64 text}, and {x*100} for
repetition.
"""

import base64
import re
from pathlib import Path

import pytest
import trustme
import uvloop
from relays import HOSTNAME, RawClient, Script, client_tls, running_relay, server_tls

from relay.smtpd import Door

FOLDER = Path(__file__).parent
DIALOGUES = sorted(FOLDER.glob("*.txt"))
ESCAPES = {"r": "\r", "n": "\n", "0": "\0", "\\": "\\"}


def spoken(text: str) -> bytes:
    """What the client says, as octets."""
    text = re.sub(r"\{(.+?)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    octets = b""
    for plain, code, letter, encoded in re.findall(
        r"([^\\{]+|\{(?!base64 ))|\\x([0-9a-f]{2})|\\([rn0\\])|\{base64 ([^}]*)\}", text
    ):
        octets += plain.encode() + bytes.fromhex(code) + ESCAPES.get(letter, "").encode()
        if encoded:
            octets += base64.b64encode(spoken(encoded))
    return octets


class Player:
    """Says the client's lines, checks the server's."""

    def __init__(self, client: RawClient, script: Script, authority: trustme.CA) -> None:
        self.client = client
        self.script = script
        self.authority = authority
        self.unsent = b""

    async def play(self, line: str) -> None:
        match = re.fullmatch(r"(S:|S~|C:|C>|U:|M:|N:|TLS|CLOSED) ?(.*)", line)
        assert match, f"not a line of a dialogue: {line}"
        kind, text = match.groups()
        if kind in ("C:", "C>"):
            self.unsent += spoken(text) + (b"\r\n" if kind == "C:" else b"")
            return
        await self.client.send(self.unsent)
        self.unsent = b""
        await self.check(kind, text)

    async def check(self, kind: str, text: str) -> None:
        match kind:
            case "S:":
                heard = await self.client.line()
                assert heard.startswith(text), f"expected {text!r}, heard {heard!r}"
            case "S~":
                heard = await self.client.line()
                assert re.fullmatch(text, heard), f"expected {text!r}, heard {heard!r}"
            case "TLS":
                await self.client.start_tls(client_tls(self.authority))
            case "CLOSED":
                assert await self.client.line() == ""
            case "U:":
                assert spoken(text) + b"\r\n" in self.script.lines
            case "M:":
                assert spoken(text) in self.script.messages[-1].split(b"\r\n")
            case "N:":
                assert len(self.script.messages) == int(text)


def lines_of(path: Path) -> list[tuple[int, str]]:
    """The lines with their numbers, without remarks."""
    numbered = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue(path: Path, store_template: Path, tmp_path: Path, authority: trustme.CA) -> None:
    """On uvloop, as `letterbell serve` runs; the other tests use asyncio's own loop."""
    uvloop.run(play(path, store_template, tmp_path, authority))


async def play(path: Path, store_template: Path, tmp_path: Path, authority: trustme.CA) -> None:
    lines = lines_of(path)
    settings = [line[2:].split(" ", 2) for _, line in lines if line.startswith("!")]
    upstream = {
        words[1]: spoken(words[2]).decode("utf-8", "surrogateescape")
        for words in settings
        if words[0] == "upstream"
    }
    limits = {
        words[0]: int(words[1]) if words[1].isdigit() else words[1]
        for words in settings
        if words[0] not in ("upstream", "door")
    }
    door = next((words[1] for words in settings if words[0] == "door"), "plain")
    doors = {
        "plain": Door(allow_plain_auth=True),
        "starttls": Door(tls=server_tls(authority, HOSTNAME)),
        "implicit": Door(tls=server_tls(authority, HOSTNAME), implicit=True),
    }
    async with (
        Script(**upstream).running() as script,
        running_relay(
            store_template, tmp_path, script.port, doors={door: doors[door]}, **limits
        ) as relay,
        await RawClient.connect(
            relay.ports[door], client_tls(authority) if door == "implicit" else None
        ) as client,
    ):
        player = Player(client, script, authority)
        for number, line in lines:
            if not line.startswith("!"):
                try:
                    await player.play(line)
                except AssertionError as error:
                    raise AssertionError(f"{path.name}, line {number}: {error}") from None

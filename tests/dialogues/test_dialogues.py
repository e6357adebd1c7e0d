r"""Plays every *.txt of this folder against `letterbell serve`, octet for octet.

    # a remark                    what the dialogue shows
    ! door starttls               the listener: plain (the default), starttls, implicit
    ! alone                       leaves something behind: gets a process of its own
    ! max_size 2000               a setting of [smtp]; of another table: `! tracking.opens false`,
                                  of every listener: `! listen.NAME …`
    ! upstream RCPT 550 5.1.1 no  what upstream replies to a command ("." is the end of a message)
    ! device phone                ana has a device of this name; {device phone} is its password
    S: 250 2.1.0                  the server's next line begins so
    S~ 451 .* [0-9a-f]{8}         the server's next line matches this from its begin to its end
    S* 250                        the server's next reply: each of its lines begins so
    O: STARTTLS                   the server's last reply offers this; `O! STARTTLS`: it does not
    C: NOOP                       the client says this with CRLF; lines in a row go in one write
    C> part                       the same without CRLF
    TLS                           the client goes over to TLS; at the implicit door that comes
                                  first, unless the dialogue says when (behind a PROXY header)
    CLOSED                        the server has closed the connection
    CONNECT                       the client comes again
    U: RCPT TO:<b@example.com>    upstream has heard this line; `U! …`: it has not
    M: Subject: x                 upstream has this line in its last message; `M! …`: it has not
    M~ Received: .*               upstream has a line in its last message that matches this
    N: 0                          upstream has had so many messages

What the client and upstream say knows the escapes \r \n \0 \\ \xff, {base64 text}, and {x*100} for
repetition. Whatever a dialogue asks for, each 2xx, 4xx and 5xx has its enhanced code (RFC 2034).
"""

import asyncio
import base64
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dialogues.stage import Setting, Stage, as_toml
from e2e.house import run
from logs import remember
from relays import HOSTNAME, RawClient, Script, client_tls

FOLDER = Path(__file__).parent
ESCAPES = {"r": "\r", "n": "\n", "0": "\0", "\\": "\\"}
LINE = re.compile(r"(S:|S~|S\*|O:|O!|C:|C>|U:|U!|M:|M!|M~|N:|TLS|CLOSED|CONNECT) ?(.*)")
# What RFC 2034 §4 leaves without an enhanced code: the greeting, HELO and EHLO, and every 3xx.
PLAIN_REPLY = re.compile(rf"3\d\d |(?:220|250)[ -]{re.escape(HOSTNAME)}\b")
ENHANCED = re.compile(r"([245])\d\d[ -]\1\.\d{1,3}\.\d{1,3} \S.*")


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


@dataclass
class Dialogue:
    """A file's settings, and its lines with their numbers."""

    name: str
    door: str = "plain"
    alone: bool = False
    settings: tuple[Setting, ...] = ()
    upstream: dict[str, str] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Dialogue":
        dialogue = cls(path.name)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("!"):
                dialogue._set(*line[1:].split(maxsplit=1))
            elif line and not line.startswith("#"):
                dialogue.lines.append((number, line))
        return dialogue

    def _set(self, name: str, value: str = "") -> None:
        match name:
            case "door":
                self.door = value
            case "alone":
                self.alone = True
            case "device":
                self.devices.append(value)
            case "upstream":
                verb, reply = value.split(" ", 1)
                self.upstream[verb] = spoken(reply).decode("utf-8", "surrogateescape")
            case _:
                full = name if "." in name else f"smtp.{name}"
                self.settings += ((full, as_toml(value)),)


class Player:
    """Says the client's lines, checks the server's."""

    def __init__(
        self, dialogue: Dialogue, script: Script, stage: Stage, devices: dict[str, str]
    ) -> None:
        self.dialogue = dialogue
        self.script = script
        self.stage = stage
        self.devices = devices  # name -> password
        self.unsent = b""
        self.reply: list[str] = []  # the server's last, or as much of it as was heard

    async def connect(self) -> None:
        at_once = (
            self.dialogue.door == "implicit" and "TLS" not in dict(self.dialogue.lines).values()
        )
        tls = client_tls(self.stage.authority) if at_once else None
        self.client = await RawClient.connect(self.stage.port(self.dialogue.door), tls)

    async def play(self, line: str) -> None:
        match = LINE.fullmatch(line)
        assert match, f"not a line of a dialogue: {line}"
        kind, text = match.groups()
        for name, password in self.devices.items():
            text = text.replace(f"{{device {name}}}", password)
        if kind in ("C:", "C>"):
            self.unsent += spoken(text) + (b"\r\n" if kind == "C:" else b"")
            return
        await self.client.send(self.unsent)
        self.unsent = b""
        await self.check(kind, text)

    async def check(self, kind: str, text: str) -> None:
        match kind:
            case "S:":
                heard = await self.hear()
                assert heard.startswith(text), f"expected {text!r}, heard {heard!r}"
            case "S~":
                heard = await self.hear()
                assert re.fullmatch(text, heard), f"expected {text!r}, heard {heard!r}"
            case "S*":
                while (heard := await self.hear())[:4] == f"{text[:3]}-":
                    assert heard.startswith(f"{text[:3]}-{text[4:]}"), heard
                assert heard.startswith(text), f"expected {text!r}, heard {heard!r}"
            case "O:" | "O!":
                offers = [line[4:] for line in self.reply]
                assert (text in offers) == (kind == "O:"), f"offered are {offers}"
            case "TLS":
                await self.client.start_tls(client_tls(self.stage.authority))
            case "CLOSED":
                heard = await self.client.line()
                assert heard == "", f"expected the end, heard {heard!r}"
            case "CONNECT":
                await self.leave()
                await self.connect()
            case "U:" | "U!":
                heard_there = spoken(text) + b"\r\n" in self.script.lines
                assert heard_there == (kind == "U:"), self.script.lines
            case "M:" | "M!":
                in_message = spoken(text) in self.script.messages[-1].split(b"\r\n")
                assert in_message == (kind == "M:"), self.script.messages[-1]
            case "M~":
                lines = self.script.messages[-1].decode("utf-8", "replace").split("\r\n")
                assert any(re.fullmatch(text, line) for line in lines), lines
            case "N:":
                assert len(self.script.messages) == int(text)

    async def leave(self) -> None:
        self.client.writer.transport.abort()
        with contextlib.suppress(OSError):  # how it ended is what the lines before are about
            await self.client.writer.wait_closed()

    async def hear(self) -> str:
        """The server's next line; a reply that is whole is held against RFC 2034."""
        line = await self.client.line()
        if self.reply and self.reply[-1][3:4] == " ":
            self.reply = []
        self.reply.append(line)
        if line[3:4] == " " and not PLAIN_REPLY.match(self.reply[0]):
            for each in self.reply:
                assert ENHANCED.fullmatch(each), f"no enhanced code in {each!r}"
        return line


DIALOGUES = [Dialogue.read(path) for path in sorted(FOLDER.glob("*.txt"))]
# Those with the same settings come together: they share a process.
PARAMETERS = [
    pytest.param(each, id=each.name.removesuffix(".txt"))
    for each in sorted(DIALOGUES, key=lambda each: (each.settings, each.alone))
]


@pytest.mark.parametrize("dialogue", PARAMETERS)
def test_dialogue(
    dialogue: Dialogue, set_stage: Callable[[tuple[Setting, ...], bool], Stage]
) -> None:
    stage = set_stage(dialogue.settings, dialogue.alone)
    devices = {name: add_device(stage, name) for name in dialogue.devices}
    asyncio.run(play(dialogue, stage, devices))


def add_device(stage: Stage, name: str) -> str:
    """Its password, as it is shown this once."""
    told = run("sender", "device", "add", "ana", name, config=stage.relay.config).stdout
    return remember(told.split()[-1])


async def play(dialogue: Dialogue, stage: Stage, devices: dict[str, str]) -> None:
    async with Script(**dialogue.upstream).running(stage.upstream.dup()) as script:
        player = Player(dialogue, script, stage, devices)
        await player.connect()
        try:
            for number, line in dialogue.lines:
                try:
                    await player.play(line)
                except AssertionError as error:
                    raise AssertionError(f"{dialogue.name}, line {number}: {error}") from None
        finally:
            await player.leave()

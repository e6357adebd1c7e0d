"""Services by Apprise, in its own process: to a real server, and held back from everything else."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from receivers import LOOPBACK, Receiver

from collector.outward import services as module
from collector.outward.outcomes import Failed, Taken
from collector.outward.schemes import SCHEMES
from collector.outward.services import Services


@pytest.fixture
def allowed() -> Services:
    return Services(LOOPBACK)


@pytest.fixture
def strict() -> Services:
    return Services()


async def test_json_and_ntfy_get_title_and_text(allowed: Services, receiver: Receiver) -> None:
    place = f"127.0.0.1:{receiver.port}"
    for address in (f"json://{place}/hook", f"ntfy://{place}/bells"):
        assert await allowed.send(address, "Opened: “Grüße”", "https://t.example.com/") == Taken()
    (_, by_json), (_, by_ntfy) = receiver.calls
    for body in (by_json, by_ntfy):
        assert b"https://t.example.com/" in body
        assert "Grüße".encode() in body or b"Gr\\u00fc\\u00dfe" in body


async def test_what_a_service_answers(allowed: Services, receiver: Receiver) -> None:
    receiver.answer = lambda: web.Response(status=403)
    outcome = await allowed.send(f"json://127.0.0.1:{receiver.port}/", "Title", "Text")
    assert outcome == Failed("status", "403")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
async def test_private_addresses_are_refused(
    strict: Services, receiver: Receiver, host: str
) -> None:
    outcome = await strict.send(f"json://{host}:{receiver.port}/", "Title", "Text")
    assert isinstance(outcome, Failed)
    assert receiver.calls == []


async def test_a_redirect_leads_nowhere_private(allowed: Services, receiver: Receiver) -> None:
    """Also where the address itself asks to have it followed."""
    receiver.answer = lambda: web.Response(status=307, headers={"Location": "http://10.0.0.1/"})
    for extra in ("", "?redirect=yes"):
        outcome = await allowed.send(f"json://127.0.0.1:{receiver.port}/a{extra}", "Title", "Text")
        assert isinstance(outcome, Failed)
    assert outcome == Failed("private")
    assert len(receiver.calls) == 2


async def test_no_file_is_read_for_an_address(
    allowed: Services, receiver: Receiver, tmp_path: Path
) -> None:
    """A Workflows address may name a template, of which the text is sent."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"type": "message", "text": "the secret"}')
    hook = "a" * 32 + "/" + "b" * 43
    address = f"workflows://127.0.0.1:{receiver.port}/{hook}/?template={secret}"
    await allowed.send(address, "Title", "Text")
    assert not any(b"the secret" in body for _, body in receiver.calls)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ntfy",
        "ntfy://",
        "https://example.com/hook",
        "file:///etc/passwd",
        "syslog://local0",
        "dbus://",
        "gnome://",
        "macosx://",
        "windows://",
        "apprise://example.com/token",
        "rsyslog://10.0.0.1",
        "mqtt://example.com/topic",
        "slack://nothing",
        "ntfys://ntfy.sh/topic\nntfys://ntfy.sh/other",
        "json://" + "a" * 1_000,
    ],
)
async def test_addresses_of_no_service(strict: Services, address: str) -> None:
    assert await strict.read(address) is None


@pytest.mark.parametrize(
    ("address", "shown", "secret"),
    [
        ("ntfys://ntfy.sh/my-topic", "ntfy (ntfy.sh)", "topic"),
        ("ntfy://my-topic", "ntfy (my…)", "topic"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "Telegram (1…p)", "6789"),
        ("json://ana:word@example.com/hook?key=1", "JSON (example.com)", "word"),
    ],
)
async def test_how_services_are_shown(
    strict: Services, address: str, shown: str, secret: str
) -> None:
    told = await strict.read(address)
    assert told == shown
    assert secret not in told


async def test_one_that_takes_too_long_is_ended(
    strict: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(module, "SECONDS", 0.05)
    monkeypatch.setattr(sys, "executable", str(program))
    assert await strict.send("ntfys://ntfy.sh/topic", "Title", "Text") == Failed("slow")


async def test_a_secret_is_in_no_argument(
    allowed: Services, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    seen: list[tuple[object, ...]] = []
    start: Callable[..., object] = asyncio.create_subprocess_exec

    async def watch(*arguments: object, **options: object) -> object:
        seen.append((*arguments, *dict(options["env"]).values()))  # type: ignore[call-overload]
        return await start(*arguments, **options)  # type: ignore[misc]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watch)
    await allowed.send(f"json://127.0.0.1:{receiver.port}/secret", "Title", "Text")
    assert len(seen) == len(receiver.calls) == 1
    assert not any("secret" in str(each) for each in seen[0])


def test_no_scheme_acts_on_this_machine() -> None:
    assert SCHEMES.isdisjoint(
        {"file", "syslog", "dbus", "gnome", "glib", "kde", "macosx", "windows", "blink1", "apprise"}
    )

"""Apprise in a process of its own, which does one thing and ends: `python -m …child`.

Apprise knows more than a hundred services, and an address for it may also name files to read,
programs to run and hosts inside the house. Here an audit hook (PEP 578), which nothing can take
back, stands at the very calls: no socket is connected to what `reach` refuses, no file is opened
but Python's own, no program is started. What is asked comes by standard input and not by arguments,
which others on the machine could read. JSON in, JSON out; services.py is the other end.
"""

import json
import logging
import os
import re
import resource
import sys
import sysconfig
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from collector.client import Networks
from collector.outward import reach
from collector.outward.schemes import SCHEMES

CPU_SECONDS = 20
MEMORY = 512 << 20  # octets
# Where Python, Apprise and the system keep what they need to run.
_READABLE = tuple(
    f"{path}/"
    for path in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        "/usr/share/zoneinfo",
        "/usr/lib/ssl",
        "/etc/ssl",
    )
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = frozenset(
    {
        *("os.chmod", "os.chown", "os.exec", "os.fork", "os.forkpty", "os.kill", "os.link"),
        *("os.mkdir", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn"),
        *("os.symlink", "os.system", "os.truncate", "pty.spawn", "socket.bind"),
        *("subprocess.Popen",),
    }
)
_ANSWERED = re.compile(r"error=(\d{3})\b")


class Guard:
    """The hook, and whether it had to refuse a connection."""

    def __init__(self, allowed: Networks) -> None:
        self.refused = False
        self._allowed = allowed
        self._judging = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            self._judge(arguments[1])
        elif event == "open":
            self._judge_file(*arguments)
        elif event in _FORBIDDEN:
            raise PermissionError(f"{event} is not for services")

    def _judge(self, place: object) -> None:
        if self._judging:  # `reach` asks for a way to the address itself
            return
        self._judging = True
        try:
            if not isinstance(place, tuple):  # a socket in the file system
                raise reach.Unreachable
            reach.check(str(place[0]), int(place[1]), self._allowed)
        except reach.Unreachable:
            self.refused = True
            raise
        finally:
            self._judging = False

    def _judge_file(self, path: object, mode: object, flags: object) -> None:
        if isinstance(path, int):  # open already
            return
        real = os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes) else ""
        writes = isinstance(flags, int) and flags & _WRITING
        if writes or not real.startswith(_READABLE):
            raise PermissionError("services read no files")


class _Said(logging.Handler):
    """Keeps the status that a service answered with; the rest may hold what is secret."""

    status = ""

    def emit(self, record: logging.LogRecord) -> None:
        if found := _ANSWERED.search(record.getMessage()):
            self.status = found[1]


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Does what is asked: to read an address ("url"), and to send to it where there is a "body"."""
    import apprise

    logger = logging.getLogger("apprise")
    said = _Said()
    logger.handlers, logger.propagate = [said], False
    guard = Guard(tuple(map(ip_network, asked["allowed"])))
    sys.addaudithook(guard)
    url = str(asked["url"])
    if url.partition("://")[0].lower() not in SCHEMES:
        return {"known": False}
    asset = apprise.AppriseAsset(storage_mode="memory", http_redirects=False, app_id="Letterbell")
    service: Any = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        return {"known": False}
    if "body" not in asked:
        return {
            "known": True,
            "shown": _show(str(service.url(privacy=True)), str(service.service_name)),
        }
    sent = service.notify(
        body=asked["body"], title=asked["title"], body_format=apprise.NotifyFormat.TEXT
    )
    return {"known": True, "sent": bool(sent), "private": guard.refused, "status": said.status}


def _show(masked: str, name: str) -> str:
    """A service for people: its name and, of its address, what is no secret."""
    place = re.split(r"[/?#]", masked.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    first, hidden, last = place.partition("...")  # as Apprise masks tokens
    is_host = not hidden and "." in place
    return f"{name} ({place if is_host else f'{first[:2]}…{last[-1:]}'})"


def main() -> None:
    """One question by standard input, its answer by standard output."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))  # an answer may have no end
    print(json.dumps(answer(json.load(sys.stdin))))  # noqa: T201 - it is what this program says


if __name__ == "__main__":
    main()

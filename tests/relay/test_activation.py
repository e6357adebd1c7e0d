"""What a parent may hand over; with systemd's own tool: tests/e2e/test_activation.py."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from relay import activation
from relay.activation import ActivationError, inherited

ROOT = Path(__file__).parents[2]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def hand_over(stack: ExitStack, *sockets: socket.socket | int) -> int:
    """Copies of them in a row; the first one's number."""
    row: list[int] = []
    descriptors = [each if isinstance(each, int) else each.fileno() for each in sockets]
    first = max(int(path.name) for path in Path("/dev/fd").iterdir()) + 10
    for number, descriptor in enumerate(descriptors, first):
        row.append(os.dup2(descriptor, number))
    return row[0]


def environ(count: int, names: str | None = None, pid: int | None = None) -> dict[str, str]:
    found = {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(count), "HOME": "/"}
    return found if names is None else found | {"LISTEN_FDNAMES": names}


def test_sockets_by_their_names(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
    monkeypatch.setattr(activation, "FIRST", hand_over(stack, *mine))
    variables = environ(3, "submission:submissions:submission")
    found = inherited(variables)
    for sock in [each for sockets in found.values() for each in sockets]:
        stack.enter_context(sock)
        assert not sock.get_inheritable()
        assert sock.proto == socket.IPPROTO_TCP  # without it nobody sets TCP_NODELAY
    ports = {name: [sock.getsockname()[1] for sock in each] for name, each in found.items()}
    first, second, third = (sock.getsockname()[1] for sock in mine)
    assert ports == {"submission": [first, third], "submissions": [second]}
    assert variables == {"HOME": "/"}


def test_sockets_without_names(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    monkeypatch.setattr(activation, "FIRST", hand_over(stack, server))
    [sock] = inherited(environ(1))["unknown"]
    sock.close()


@pytest.mark.parametrize(
    "variables",
    [{}, environ(2, "a:b", pid=os.getppid()), environ(1) | {"LISTEN_FDS": "many"}, environ(0)],
    ids=["none", "of another process", "no number", "an empty hand"],
)
def test_nothing_is_handed_over(variables: dict[str, str]) -> None:
    assert inherited(variables) == {}
    assert not variables.keys() & {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("datagram", '"x" is no TCP socket: give ListenStream= a port'),
        ("unix", '"x" is no TCP socket: give ListenStream= a port'),
        ("connection", '"x" does not listen: leave out Accept=yes'),
        ("file", '"x" is no socket: Socket operation on non-socket'),
    ],
)
def test_what_is_no_listening_socket(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, kind: str, says: str
) -> None:
    thing: socket.socket | int
    if kind == "file":
        thing = os.open("/dev/null", os.O_RDONLY)
        stack.callback(os.close, thing)
    else:
        family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        form = socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM
        thing = stack.enter_context(socket.socket(family, form))
    first = hand_over(stack, thing)
    monkeypatch.setattr(activation, "FIRST", first)
    with pytest.raises(ActivationError) as refused:
        inherited(environ(1, "x"))
    assert str(refused.value) == says
    if kind == "file":
        os.close(first)


def test_the_limit_of_open_files_is_raised_to_what_is_allowed() -> None:
    """In a process of its own, as it holds for all of it."""
    script = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, min(hard, 4096)))
from relay.descriptors import allowed, raise_limit
raise_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, 4096),) * 2, allowed())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == "True"

"""Listening sockets that systemd has opened for us, known by name (sd_listen_fds(3)).

So a relay without any privilege listens below port 1024, and clients wait while it restarts.
"""

import os
import socket
from collections.abc import MutableMapping

FIRST = 3  # the first file descriptor that is handed over
FAMILIES = (socket.AF_INET, socket.AF_INET6)


class ActivationError(Exception):
    """What was handed over is nothing to listen on; the message names it and the mend."""


def inherited(environ: MutableMapping[str, str]) -> dict[str, list[socket.socket]]:
    """The sockets by their units' FileDescriptorName=; none where nobody hands any over.

    Takes the variables out of `environ`: they are for this process alone. Raises ActivationError.
    """
    pid, count, names = (
        environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    found: dict[str, list[socket.socket]] = {}
    for number, name in enumerate((names.split(":") + int(count) * [""])[: int(count)]):
        found.setdefault(name or "unknown", []).append(_take(FIRST + number, name))
    return found


def _take(descriptor: int, name: str) -> socket.socket:
    os.set_inheritable(descriptor, False)
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ActivationError(f'"{name}" is no socket: {error.strerror}') from None
    if sock.family not in FAMILIES or sock.type != socket.SOCK_STREAM:
        problem = "is no TCP socket: give ListenStream= a port"
    elif not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        problem = "does not listen: leave out Accept=yes"
    else:
        return sock
    sock.close()
    raise ActivationError(f'"{name}" {problem}')

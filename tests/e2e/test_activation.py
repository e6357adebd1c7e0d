"""Sockets of systemd: clients connect before the relay runs, and it answers all of them."""

import smtplib
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2e.house import PATIENCE, Running, environment, letterbell, run, settings

LISTEN = """
[[smtp.listen]]
socket = "submission"
allow_plain_auth = true
"""


def written(folder: Path, smtp: str) -> Path:
    config = folder / "letterbell.toml"
    config.touch(0o600)
    config.write_text(settings("", smtp))
    return config


@pytest.mark.system
def test_a_client_that_came_before_the_relay_is_answered(
    tmp_path: Path, until_done: ExitStack, require_program: Callable[[str], str]
) -> None:
    config = written(tmp_path, LISTEN)
    with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("", 0)) as other:
        ports = [sock.getsockname()[1] for sock in (free, other)]
    listen = [word for port in ports for word in ("--listen", f"127.0.0.1:{port}")]
    relay = until_done.enter_context(
        Running(
            require_program("systemd-socket-activate"),
            *listen,
            "--fdname=submission:forgotten",
            *letterbell("serve", "--config", config),
            stream="stderr",
            env=environment(),
        )
    )
    relay.wait_for(lambda line: f"127.0.0.1:{ports[1]}" in line)
    with smtplib.SMTP("127.0.0.1", ports[0], timeout=PATIENCE) as client:
        assert client.ehlo()[0] == 250
        assert client.has_extn("auth")
    assert "forgotten" in relay.wait_for(lambda line: "a socket is not used" in line)
    relay.wait_for(lambda line: '"ready"' in line)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[1]), PATIENCE)


def test_a_socket_that_nobody_handed_over_ends_serve(tmp_path: Path) -> None:
    done = run("serve", config=written(tmp_path, LISTEN), check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: smtp.listen: there is no socket 'submission': start by a socket unit with "
        "FileDescriptorName=submission (handed over: none)"
    )

"""Real proxies hand clients on: HAProxy by PROXY 1 and 2, TLS passed through; swaks as its own.

The relay's Received header tells whom it takes for the client.
"""

import re
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from e2e.house import ANA, BOB, PASSWORD, PATIENCE, Certificates, Letterbell, Running, Sink
from e2e.house import settings as settings_of

MAIL = b"From: Ana <ana@example.com>\r\nSubject: x\r\n\r\nbody\r\n"
CLIENT = "127.0.0.2"  # as which the client connects; the proxy is 127.0.0.1
LISTENERS = """
show_client = true
certificate = "{certificate}"
key = "{key}"
[[smtp.listen]]
port = 0
tls = "starttls"
proxies = ["127.0.0.1/32"]
[[smtp.listen]]
port = 0
tls = "implicit"
proxies = ["127.0.0.1/32"]
"""
# In front of STARTTLS it speaks version 1, in front of implicit TLS version 2, and looks all the
# time whether the relay is there. The listening sockets are the test's own: no port is guessed.
HAPROXY = """
global
  log stderr format raw local0
defaults
  mode tcp
  log global
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  default-server source 127.0.0.1 check check-send-proxy inter 100ms
listen starttls
  bind fd@{starttls}
  server relay 127.0.0.1:{ports[0]} send-proxy
listen implicit
  bind fd@{implicit}
  server relay 127.0.0.1:{ports[1]} send-proxy-v2
"""

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def sink(folder: Path, until_all_done: ExitStack) -> Sink:
    return until_all_done.enter_context(Sink(folder / "upstream"))


@pytest.fixture(scope="module")
def relay(
    folder: Path, sink: Sink, certificates: Certificates, until_all_done: ExitStack
) -> Letterbell:
    smtp = LISTENERS.format(certificate=certificates.certificate, key=certificates.key)
    settings = settings_of(f'port = {sink.port}\ntls = "none"', smtp)
    relay = until_all_done.enter_context(Letterbell(folder, settings))
    relay.add_sender(ANA)
    return relay


@pytest.fixture(scope="module")
def trust(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates.authority)


@pytest.fixture(scope="module")
def doors(
    folder: Path,
    relay: Letterbell,
    until_all_done: ExitStack,
    require_program: Callable[[str], str],
) -> dict[str, int]:
    """HAProxy's ports in front of each listener."""
    program = require_program("haproxy")
    sockets = {
        name: until_all_done.enter_context(socket.create_server(("127.0.0.1", 0)))
        for name in ("starttls", "implicit")
    }
    numbers = {name: sock.fileno() for name, sock in sockets.items()}
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(ports=relay.smtp_ports, **numbers))
    until_all_done.enter_context(
        Running(program, "-db", "-f", config, stream="stderr", pass_fds=tuple(numbers.values()))
    )
    return {name: sock.getsockname()[1] for name, sock in sockets.items()}


def received(sink: Sink) -> str:
    """Whom the relay took for the client of the last mail."""
    content = sink.next_mail().content.decode()
    found = re.search(r"^Received: from \S+ \(\[(\S+)\]\)\s+by .* with (\S+)", content)
    assert found, content
    assert found[2] == "ESMTPSA"
    return found[1]


def test_haproxys_clients_are_known_and_so_is_haproxy_when_it_looks(
    doors: dict[str, int], relay: Letterbell, sink: Sink, trust: ssl.SSLContext
) -> None:
    here = (CLIENT, 0)
    with smtplib.SMTP("localhost", doors["starttls"], source_address=here, timeout=PATIENCE) as one:
        one.starttls(context=trust)
        one.login(ANA, PASSWORD)
        one.sendmail(ANA, [BOB], MAIL)
        assert received(sink) == CLIENT
    with smtplib.SMTP_SSL(
        "localhost", doors["implicit"], source_address=here, timeout=PATIENCE, context=trust
    ) as two:
        two.login(ANA, PASSWORD)
        two.sendmail(ANA, [BOB], MAIL)
        assert received(sink) == CLIENT
    assert not relay.events("proxy refused")
    assert not relay.events("client refused")


def test_who_comes_round_the_proxy_is_refused(relay: Letterbell) -> None:
    """From the proxy's address without a header, and from another with one."""
    port = relay.smtp_ports[0]
    with pytest.raises(smtplib.SMTPServerDisconnected):
        smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE).ehlo()
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (CLIENT, 0)) as client:
        client.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 4096 587\r\n")
        with suppress(ConnectionResetError):
            assert client.recv(100) == b""


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    ("family", "source", "destination"),
    [("4", "192.0.2.7", "198.51.100.1"), ("6", "2001:db8::7", "2001:db8::1")],
)
def test_swaks(
    relay: Letterbell,
    sink: Sink,
    certificates: Certificates,
    require_program: Callable[[str], str],
    version: str,
    family: str,
    source: str,
    destination: str,
) -> None:
    families = {"1": f"TCP{family}", "2": {"4": "AF_INET", "6": "AF_INET6"}[family]}
    said = {
        "server": "127.0.0.1",
        "port": str(relay.smtp_ports[1]),
        "tls-ca-path": str(certificates.authority),
        "auth-user": ANA,
        "auth-password": PASSWORD,
        "from": ANA,
        "to": BOB,
        "proxy-version": version,
        "proxy-family": families[version],
        "proxy-source": source,
        "proxy-source-port": "4096",
        "proxy-dest": destination,
        "proxy-dest-port": "465",
    }
    options = [word for name, value in said.items() for word in (f"--{name}", value)]
    done = subprocess.run(
        [require_program("swaks"), "--tls-on-connect", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert received(sink).removeprefix("IPv6:") == source

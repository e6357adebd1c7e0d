"""Thunderbird's own code reads our autoconfiguration; and says why it takes none without IMAP."""

import json
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest
from clients.programs import HERE, Way, execute
from e2e.house import ANA, PATIENCE, Certificates, Letterbell, settings

from collector.pages import autoconfig
from collector.servers import Server, Servers

pytestmark = [pytest.mark.clients, pytest.mark.system]
CONNECT = """
[connect]
smtp_host = "relay.example.com"
smtp_port = 2587
smtp_security = "starttls"
imap_host = "imap.example.com"
imap_user = "local-part"
domains = ["example.com", "example.org"]
"""


@pytest.fixture
def ask(certificates: Certificates, tmp_path: Path, require_program):
    """`ask(url, address)`: what Thunderbird made of it."""
    require_program("thunderbird")
    if find_spec("marionette_driver") is None:
        pytest.skip("marionette_driver is missing: `make clients` installs it")

    def run(url: str, address: str) -> dict[str, object]:
        way = Way("none", 0, certificates.authority, tmp_path)
        script = HERE / "thunderbird_autoconfig.py"
        told = execute(way, sys.executable, script, url, address, patience=3 * PATIENCE)
        found = json.loads(told.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    return run


def test_thunderbird_finds_the_account(ask, tmp_path: Path) -> None:
    (tmp_path / "relay").mkdir()
    config = settings('port = 1\ntls = "none"') + CONNECT
    with Letterbell(tmp_path / "relay", config) as relay:
        url = f"http://127.0.0.1:{relay.http_port}/.well-known/autoconfig/mail/config-v1.1.xml"
        found = ask(url, ANA)
    assert found == {
        "domains": ["example.com"],
        "complete": True,
        "incoming": {
            "type": "imap",
            "hostname": "imap.example.com",
            "port": 993,
            "username": "ana",
            "security": "implicit",
            "password": True,
        },
        "outgoing": {
            "type": "smtp",
            "hostname": "relay.example.com",
            "port": 2587,
            "username": ANA,
            "security": "starttls",
            "password": True,
        },
    }


def test_thunderbird_takes_no_file_without_an_incoming_server(ask, tmp_path: Path) -> None:
    """Why there is none where the site has not named one."""
    smtp = Server("relay.example.com", 587, "starttls")
    servers = Servers(smtp=smtp, imap=smtp, domains=("example.com",))
    written = autoconfig.write(servers, servers.domains, "https://t.example.com/connect").decode()
    before, _, rest = written.partition("<incomingServer")
    outgoing_alone = before + rest.partition("</incomingServer>")[2]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "outgoing.xml").write_text(outgoing_alone)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        found = ask(f"{url}/outgoing.xml", ANA)
        server.shutdown()
    assert "Need proper <incomingServer> in XML file" in str(found["error"])

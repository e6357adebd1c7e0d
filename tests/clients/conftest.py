"""One relay with a listener of each kind; its upstream wants STARTTLS and a login."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from clients.letters import TO, Letter, check_content, check_octets
from clients.programs import CLIENTS, DOORS, Programs, Way
from e2e.house import ANA, Certificates, Letterbell, Sink, settings


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def house(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Letterbell, Sink]]:
    folder = tmp_path_factory.mktemp("house")
    files = ("--certificate", certificates.certificate, "--key", certificates.key)
    listeners = "".join(f'[[smtp.listen]]\nport = 0\ntls = "{door}"\n' for door in DOORS)
    listeners = listeners.replace('"none"\n', '"none"\nallow_plain_auth = true\n')
    smtp = f'certificate = "{certificates.certificate}"\nkey = "{certificates.key}"\n{listeners}'
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(folder / "upstream", *files, "--login", "relay:up stream"))
        upstream = f"""
port = {sink.port}
ca_file = "{certificates.authority}"
user = "relay"
password = "up stream"
"""
        relay = stack.enter_context(Letterbell(folder, settings(upstream, smtp)))
        relay.add_sender(ANA)
        yield relay, sink


@pytest.fixture(params=DOORS)
def way(
    request: pytest.FixtureRequest,
    house: tuple[Letterbell, Sink],
    certificates: Certificates,
    tmp_path: Path,
) -> Way:
    port = house[0].smtp_ports[DOORS.index(request.param)]
    return Way(request.param, port, certificates.authority, tmp_path)


@pytest.fixture
def programs(
    require_program: Callable[[str], str],
    require_node_module: Callable[[str], Path],
    require_file: Callable[[str], Path],
) -> Programs:
    return Programs(require_program, require_node_module, require_file)


@pytest.fixture
def send_and_check(
    house: tuple[Letterbell, Sink], way: Way, programs: Programs
) -> Callable[[str, Letter], None]:
    """`send_and_check(client, letter)`: what has arrived is what the client was given."""

    def send_and_check(name: str, letter: Letter) -> None:
        client = CLIENTS[name]
        client.send(way, letter, programs)
        kept = house[1].next_mail()
        assert (kept.mail_from, kept.recipients) == (ANA, [TO])
        assert (kept.tls, kept.login) == (True, True)
        (check_octets if client.whole else check_content)(letter, kept.content)
        asked = {each.upper() for each in kept.dsn if not each.startswith("ORCPT")}
        assert asked == {each.upper() for each in client.dsn}

    return send_and_check

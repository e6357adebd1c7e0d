"""One relay with a listener of each kind; its upstream wants STARTTLS and a login."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from clients.letters import LETTERS, TO, Letter, check_content, check_octets, check_words
from clients.programs import CLIENTS, DOORS, ClientFailed, Programs, Way
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
        copy = client.send(way, letter, programs)
        kept = house[1].next_mail()
        assert (kept.mail_from, kept.recipients) == (ANA, [TO])
        assert (kept.tls, kept.login) == (True, True)
        match client.does:
            case "carries":
                check_octets(letter, letter.raw(), kept.content)
            case "writes":
                check_content(letter, kept.content)
            case "edits":
                assert copy
                check_octets(letter, copy, kept.content)
                check_words(letter, kept.content)
        asked = sorted(each.upper() for each in kept.dsn if not each.startswith("ORCPT="))
        assert len(asked) == len(client.dsn)
        for each, wanted in zip(asked, sorted(client.dsn), strict=True):
            assert each.startswith(wanted.upper())

    return send_and_check


@pytest.fixture
def send_with_wrong_password(
    house: tuple[Letterbell, Sink], way: Way, programs: Programs
) -> Callable[[str], None]:
    """`send_with_wrong_password(client)`: the client tells what the relay said of it."""

    def send_with_wrong_password(name: str) -> None:
        with house[0].smtp():  # a success forgives what others guessed wrong
            pass
        with pytest.raises(ClientFailed, match=CLIENTS[name].refused):
            CLIENTS[name].send(replace(way, password="wrong"), LETTERS["plain"], programs)

    return send_with_wrong_password

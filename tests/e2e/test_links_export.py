"""Links outlive the installation: nginx and Caddy answer by what was exported, byte for byte."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from e2e.house import ANA, PATIENCE, Running, environment, free_port, run
from sites import SENT_MS, open_site

from collector.store import SentLink
from collector.tokens import Key, MessageLinks, Tokens

pytestmark = pytest.mark.system
HOST = "127.0.0.1"
OLD, NEW = Key(1, b"o" * 32), Key(2, b"n" * 32)
KEYS = f'keys = ["2:{"bm5u" * 10}bm4", "1:{"b29v" * 10}b28"]'
TARGETS = [
    "https://e.com/a?b=1&c=2#d",
    "https://e.com/caf%C3%A9/%7Euser/%zz%",
    'https://e.com/"q"\\x',
    "https://e.com/ends\\",
    "https://e.com/$uri/${uri}/$$",
    "https://e.com/{http.request.method}/{$HOME}",
    "https://e.com/}{{a}};{",
    "https://e.com/}\\}",
    "https://e.com/\\{x}\\\\{y\\}",
    "https://e.com/`<b>'|^[];#~*",
    "HTTPS://E.com",
    "http://e.com/" + "y" * 2_900,
]


def configure(folder: Path, public_url: str) -> Path:
    config = folder / "letterbell.toml"
    config.touch(0o600)
    config.write_text(
        f'[upstream]\nhost = "{HOST}"\n[http]\npublic_url = "{public_url}"\n[tokens]\n{KEYS}\n'
    )
    return config


@contextmanager
def nginx(tree: Path, folder: Path, exported: Path, port: int) -> Iterator[None]:
    """With what its comment says to put into the server."""
    lines = exported.read_text().splitlines()
    snippet = "\n".join(line[5:] for line in lines if line.startswith("#     "))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr notice; events {{}}\n"
        f"http {{ access_log off; {temporary} include {exported};\n"
        f"server {{ listen {HOST}:{port};\n{snippet}\n}} }}\n"
    )
    command = (tree / "usr/sbin/nginx", "-e", "stderr", "-p", folder, "-c", config)
    tried = subprocess.run([*map(str, command), "-t"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    assert "warn" not in tried.stderr
    with Running(*command, stream="stderr") as running:
        running.wait_for(lambda line: "getrlimit" in line)
        yield


@contextmanager
def caddy(tree: Path, folder: Path, exported: Path, port: int) -> Iterator[None]:
    """As it is, but for the port of its administration, which all Caddys share."""
    whole = json.loads(exported.read_text()) | {"admin": {"disabled": True}}
    config = folder / "caddy.json"
    config.write_text(json.dumps(whole))
    command = (tree / "usr/bin/caddy", "run", "--config", config)
    home = environment() | {"HOME": str(folder)}
    with Running(*command, stream="stderr", env=home) as running:
        running.wait_for(lambda line: "serving initial configuration" in line)
        yield


SERVERS = {"nginx": nginx, "caddy": caddy}


def ask(port: int, path: str, method: str = "GET") -> tuple[int, str | None]:
    with closing(HTTPConnection(HOST, port, timeout=PATIENCE)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers["Location"]


@pytest.mark.parametrize("form", list(SERVERS))
async def test_every_link_leads_where_it_led(
    tmp_path: Path, until_done: ExitStack, require_tree: Callable[[str], Path], form: str
) -> None:
    tree, port = require_tree(form), free_port()
    origin = f"http://{HOST}:{port}"
    links = tuple(SentLink(n, target, "") for n, target in enumerate(TARGETS))
    people = ("ben@example.net", "cay@example.net")
    async with open_site(tmp_path) as site:
        ana = await site.senders.add(ANA, "secret", [ANA])
        shared = await site.add_mail(ana, "Shared", people, links, at_ms=SENT_MS)
        own = await site.add_mail(ana, "Own", people, links, at_ms=SENT_MS, per_recipient=True)
    config = configure(tmp_path, f"{origin}/in")
    done = run("links", "export", "--form", form, config=config)
    assert f"{len(TARGETS) * (1 + 2) * 2} links exported" in done.stderr
    assert "left out" not in done.stderr
    exported = tmp_path / "links"
    exported.write_text(done.stdout)
    until_done.enter_context(SERVERS[form](tree, tmp_path, exported, port))
    for key in (OLD, NEW):
        for mail, recipient in ((shared, 0), (own, 1), (own, 2)):
            minted = MessageLinks(Tokens([key]), f"{origin}/in", mail, recipient)
            for number, target in enumerate(TARGETS):
                path = minted.click(target.encode(), number).removeprefix(origin)
                assert ask(port, path) == ask(port, path, "HEAD") == (302, target)
            assert ask(port, minted.pixel().removeprefix(origin))[0] in (200, 204)
    strange = MessageLinks(Tokens([Key(1, b"x" * 32)]), f"{origin}/in", shared)
    assert ask(port, strange.click(b"https://e.com/", 0).removeprefix(origin)) == (404, None)
    assert ask(port, "/elsewhere") == (404, None)


async def test_a_link_that_nginx_cannot_take_is_told(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        ana = await site.senders.add(ANA, "secret", [ANA])
        links = (SentLink(0, "http://e.com/" + "y" * 3_000, ""), SentLink(1, "http://e.com", ""))
        await site.add_mail(ana, "Long", links=links)
    config = configure(tmp_path, "https://t.example.com")
    done = run("links", "export", "--form", "nginx", config=config)
    assert "2 links exported" in done.stderr
    assert "2 links are left out" in done.stderr
    assert "4 links exported" in run("links", "export", "--form", "caddy", config=config).stderr

import os
import stat
from pathlib import Path

import pytest

from collector.servers import Server
from relay.config import ConfigError, find, load
from relay.serve import logins
from relay.settings import (
    PREFIX,
    SECRETS,
    DkimKeySettings,
    ListenSettings,
    NetworkSettings,
    Settings,
)
from relay.upstream import TokenRefresh
from relay.upstream_settings import SenderRouteSettings

KEY = "7:" + "q" * 43
KEYS = f'[tokens]\nkeys = ["{KEY}"]\n'
UPSTREAM = '[upstream]\nhost = "smtp.example.com"\n'
HTTP = '[http]\npublic_url = "https://t.example.com"\n'
LEAST = UPSTREAM + HTTP + KEYS
EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX) or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "letterbell.toml"


def refusal(path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(write(path, text))
    return str(refused.value)


def test_least_file_gives_the_documented_defaults(config: Path) -> None:
    settings = load(write(config, LEAST))
    assert settings.smtp.listen[0].port == 1587
    assert settings.upstream.tls == "starttls"
    assert settings.hostname == "t.example.com"
    assert [(key.id, len(key.secret)) for key in settings.tokens.parsed] == [(7, 32)]


def test_example_loads_and_equals_the_defaults(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBELL_TOKENS__KEYS", KEY)
    example = load(write(tmp_path / "example.toml", EXAMPLE.read_text()))
    assert example == load(write(config, UPSTREAM + HTTP))


def test_example_documents_every_setting_and_no_other() -> None:
    documented = set()
    table = ""
    for line in EXAMPLE.read_text().splitlines():
        if line.lstrip("#").startswith("["):
            table = line.strip("#[]")
        elif (name := line.lstrip("#").partition(" = ")[0]).isidentifier() and " = " in line:
            documented.add((table, name))
    known = {
        (table, name)
        for table, field in Settings.model_fields.items()
        for name in field.annotation.model_fields  # type: ignore[union-attr]
    }
    repeated = {("smtp.listen", name) for name in ListenSettings.model_fields}
    repeated |= {("auth.network", name) for name in NetworkSettings.model_fields}
    repeated |= {("dkim.key", name) for name in DkimKeySettings.model_fields}
    files = {(".".join(table), f"{key}_file") for *table, key in SECRETS}
    tables = {("smtp", "listen"), ("auth", "network"), ("upstream", "route"), ("dkim", "key")}
    route = {("upstream.route", name) for name in SenderRouteSettings.model_fields}
    route |= {each for each in files if each[0] == "upstream.route"}  # some of them stand there
    assert documented - route == (known - tables) | repeated | (files - route)
    assert ("upstream.route", "senders") in documented


def test_an_outer_address_without_tls_is_for_networks_alone(config: Path) -> None:
    outside = '[[smtp.listen]]\naddress = "0.0.0.0"\n'
    network = '[[auth.network]]\nnetwork = "10.0.0.0/8"\nsender = "app"\n'
    settings = load(write(config, LEAST + outside + network))
    assert str(settings.auth.network[0].network) == "10.0.0.0/8"
    assert "with allow_plain_auth passwords would go" in refusal(
        config, LEAST + outside + "allow_plain_auth = true\n" + network
    )


def test_environment_goes_over_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERBELL_UPSTREAM__HOST", "other.example.com")
    monkeypatch.setenv("LETTERBELL_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.1")
    monkeypatch.setenv(
        "LETTERBELL_SMTP__LISTEN", '[{"address": "::1", "port": 2525, "allow_plain_auth": true}]'
    )
    settings = load(write(config, LEAST))
    assert settings.upstream.host == "other.example.com"
    assert [str(network) for network in settings.http.trusted_proxies] == [
        "10.0.0.0/8",
        "192.168.1.1/32",
    ]
    assert [(listen.address, listen.port) for listen in settings.smtp.listen] == [("::1", 2525)]


def test_a_switch_in_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACKING__TEXT_LINKS", "TRACKING__WRAP_URL_TEXT", "SMTP__SHOW_CLIENT"):
        monkeypatch.setenv(PREFIX + name, "true")
    monkeypatch.setenv(f"{PREFIX}TRACKING__DETRACK_QUOTES", "false")
    settings = load(write(config, LEAST))
    assert settings.tracking.text_links
    assert settings.tracking.wrap_url_text
    assert settings.smtp.show_client
    assert not settings.tracking.detrack_quotes


def test_paths_are_relative_to_the_files_folder(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    write(folder / "password", "with a space \n")
    text = LEAST.replace(
        "[http]", 'user = "u"\npassword_file = "password"\nca_file = "ca.pem"\n[http]'
    )
    settings = load(write(folder / "l.toml", text))
    assert settings.upstream.ca_file == folder / "ca.pem"
    assert settings.upstream.password is not None
    assert settings.upstream.password.get_secret_value() == "with a space "
    assert settings.store.open_url == f"sqlite:///{folder}/letterbell.db"


def test_secret_files_of_the_environment_replace_the_files_secret(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBELL_TOKENS__KEYS_FILE", "keys")
    write(tmp_path / "keys", f"9:{'b' * 30}\n{KEY}\n", 0o640)
    assert [key.id for key in load(write(config, LEAST)).tokens.parsed] == [9, 7]


def test_systemds_credentials_are_what_stands_nowhere_else(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    write(folder / "upstream.password", "with a space \n", 0o440)
    write(folder / "tokens.keys", f"9:{'b' * 30}\n{KEY}\n", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    text = UPSTREAM + 'user = "u"\n' + HTTP
    settings = load(write(config, text))
    assert settings.upstream.password is not None
    assert settings.upstream.password.get_secret_value() == "with a space "
    assert [key.id for key in settings.tokens.parsed] == [9, 7]
    assert [key.id for key in load(write(config, text + KEYS)).tokens.parsed] == [7]
    monkeypatch.setenv("LETTERBELL_UPSTREAM__PASSWORD", "the environment's")
    password = load(write(config, text)).upstream.password
    assert password is not None
    assert password.get_secret_value() == "the environment's"


ON_SERVER = "postgresql://letterbell:hunter2@db.example.com/letterbell"


def test_a_store_on_a_server_has_its_url_in_a_file(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "store.url", f"{ON_SERVER}\n")
    settings = load(write(config, LEAST + '[store]\nurl_file = "store.url"\n'))
    assert settings.store.open_url == ON_SERVER
    assert settings.store.file is None
    assert "hunter2" not in repr(settings)
    assert settings.spool == config.parent / "spool"
    assert settings.folder == config.parent / "spool"


def test_a_store_on_a_server_leaves_the_spool_where_it_is_set(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBELL_STORE__URL", ON_SERVER)
    settings = load(write(config, LEAST + '[delivery]\nspool = "elsewhere"\n'))
    assert settings.spool == settings.folder == config.parent / "elsewhere"
    assert settings.store.open_url == ON_SERVER


def test_a_stores_password_is_a_secret_and_a_path_is_none(config: Path) -> None:
    public = LEAST.replace(KEYS, "") + '[tokens]\nkeys_file = "keys"\n'
    write(config.parent / "keys", KEY)
    config.write_text(public + '[store]\nurl = "sqlite:///x.db"\n')
    config.chmod(0o644)
    assert load(config).store.file == config.parent / "x.db"
    config.write_text(public + f'[store]\nurl = "{ON_SERVER}"\n')
    with pytest.raises(ConfigError, match="holds secrets and is open to everyone"):
        load(config)
    assert "hunter2" not in refusal(config, public + '[store]\nurl = "mysql://u:hunter2@x/y"\n')


def test_a_credential_that_is_none(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    write(tmp_path / "tokens.keys", "\n")
    assert "the credential tokens.keys is empty" in refusal(config, UPSTREAM + HTTP)
    (tmp_path / "tokens.keys").unlink()
    assert "tokens.keys is missing" in refusal(config, UPSTREAM + HTTP)


ROUTES = """
[[upstream.route]]
senders = ["*@Example.ORG"]
host = "a.example.org"
fallback = ["b.example.org", "[2001:db8::1]:2525"]
user = "u"
password_file = "password"
ca_file = "ca.pem"
[[upstream.route]]
senders = ["ana@example.net"]
host = "c.example.org"
user = "ana@example.net"
token_url = "https://tokens.example/token"
token_client = "me"
"""


def test_routes(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "password", "hunter2\n")
    write(tmp_path / "upstream.route[1].token_refresh", "one-that-stays\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = load(write(config, UPSTREAM + ROUTES + HTTP + KEYS))
    first, second, last = settings.upstream.routes("t.example.com")
    assert [route.senders for route in (first, second, last)] == [
        ("*@example.org",),
        ("ana@example.net",),
        (),
    ]
    assert [host.where for host in first.hosts] == [
        "a.example.org:587",
        "b.example.org:587",
        "2001:db8::1:2525",
    ]
    assert {(host.password, host.ca_file) for host in first.hosts} == {
        ("hunter2", tmp_path / "ca.pem")
    }
    token = TokenRefresh(url="https://tokens.example/token", client="me", refresh="one-that-stays")
    assert second.hosts[0].token == token
    assert (last.hosts[0].user, last.hosts[0].token) == (None, None)
    assert "one-that-stays" not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_routes_from_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "LETTERBELL_UPSTREAM__ROUTE", '[{"senders": ["*@example.org"], "host": "a.example.org"}]'
    )
    monkeypatch.setenv("LETTERBELL_UPSTREAM__FALLBACK", '["b.example.com"]')
    first, last = load(write(config, LEAST)).upstream.routes("h")
    assert first.hosts[0].host == "a.example.org"
    assert [host.host for host in last.hosts] == ["smtp.example.com", "b.example.com"]


def test_a_routes_secret_may_not_be_open_to_everyone(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "password", "hunter2\n", 0o644)
    told = refusal(config, UPSTREAM + ROUTES + HTTP + KEYS)
    assert told.startswith("upstream.route[0].password_file holds a secret and is open to everyone")
    text = UPSTREAM + ROUTES.replace("password_file", "password") + HTTP
    with pytest.raises(ConfigError, match="holds secrets and is open to everyone"):
        load(write(config, text, 0o644))


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o606])
def test_secret_open_to_everyone_is_refused_with_the_mend(
    config: Path, tmp_path: Path, mode: int
) -> None:
    secret = write(tmp_path / "keys", KEY, mode)
    told = refusal(config, UPSTREAM + HTTP + '[tokens]\nkeys_file = "keys"\n')
    assert told == (f"tokens.keys_file holds a secret and is open to everyone: chmod o= {secret}")
    with pytest.raises(ConfigError, match="holds secrets and is open to everyone: chmod o= "):
        load(write(config, LEAST, mode))


def test_config_without_secrets_may_be_open(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "keys", KEY)
    text = UPSTREAM + HTTP + '[tokens]\nkeys_file = "keys"\n'
    assert load(write(config, text, 0o644)).tokens.parsed[0].id == 7
    assert stat.S_IMODE(config.stat().st_mode) == 0o644


SAYS = {
    "unknown key": (
        LEAST + "[smtp]\nmax_recipient = 3\n",
        'smtp.max_recipient is an unknown key: did you mean "max_recipients"?',
    ),
    "unknown key of a listener": (
        LEAST + "[[smtp.listen]]\nallow_plain_auth = true\nprot = 25\n",
        'smtp.listen[0].prot is an unknown key: did you mean "port"?',
    ),
    "control domain": (
        LEAST + '[tracking]\ncontrol_domain = "b\u00fccher.example"\n',
        'should be a domain in ASCII, like "letterbell.invalid"',
    ),
    "control domain with two spellings": (
        LEAST + '[tracking]\ncontrol_domain = "xn--bcher-kva.example"\n',
        'should be a domain in ASCII, like "letterbell.invalid"',
    ),
    "control domain of another grammar": (
        LEAST + '[tracking]\ncontrol_domain = "no.dot."\n',
        'should be a domain in ASCII, like "letterbell.invalid"',
    ),
    "nothing near": (
        LEAST + "[log]\nzzz = 3\n",
        "log.zzz is an unknown key: the keys here are level, format",
    ),
    "unknown key of a route": (
        UPSTREAM + '[[upstream.route]]\nsenders = ["a@b.c"]\nhost = "x"\nprot = 1\n' + HTTP + KEYS,
        'upstream.route[0].prot is an unknown key: did you mean "port"?',
    ),
    "a route to nowhere": (
        UPSTREAM + '[[upstream.route]]\nsenders = ["a@b.c"]\n' + HTTP + KEYS,
        "upstream.route[0].host is missing: set it in the file",
    ),
    "a route for nobody": (
        UPSTREAM + '[[upstream.route]]\nsenders = []\nhost = "x"\n' + HTTP + KEYS,
        "upstream.route[0].senders: should name somebody",
    ),
    "a route for no address": (
        UPSTREAM + '[[upstream.route]]\nsenders = ["example.org"]\nhost = "x"\n' + HTTP + KEYS,
        "'example.org' is no mail address; write name@example.com",
    ),
    "a route in clear": (
        UPSTREAM
        + '[[upstream.route]]\nsenders = ["a@b.c"]\nhost = "x"\ntls = "none"\n'
        + 'user = "me"\npassword = "hunter2"\n'
        + HTTP
        + KEYS,
        "upstream.route[0]: the password would cross the network in clear to x",
    ),
    "a fallback in clear": (
        '[upstream]\nhost = "127.0.0.1"\nfallback = ["far.example.com"]\ntls = "none"\n'
        'user = "me"\npassword = "hunter2"\n' + HTTP + KEYS,
        "upstream: the password would cross the network in clear to far.example.com",
    ),
    "a route in clear for logins that are passed on": (
        UPSTREAM
        + '[[upstream.route]]\nsenders = ["a@b.c"]\nhost = "x"\ntls = "none"\n'
        + HTTP
        + KEYS
        + '[auth]\nmode = "upstream"\n',
        'auth.mode = "upstream": passwords would cross the network in clear to x',
    ),
    "a fallback that is none": (
        UPSTREAM + 'fallback = ["https://b.example.com"]\n' + HTTP + KEYS,
        'has \'https://b.example.com\': should be "host" or "host:port"',
    ),
    "a fallback with a port that is none": (
        UPSTREAM + 'fallback = ["b.example.com:99999"]\n' + HTTP + KEYS,
        "has 'b.example.com:99999': should be",
    ),
    "two logins": (
        UPSTREAM + 'user = "u"\npassword = "hunter2"\ntoken_command = ["x"]\n' + HTTP + KEYS,
        "upstream: has several logins: keep one of password, token_command, token_url",
    ),
    "half a token": (
        UPSTREAM + 'user = "u"\ntoken_url = "https://x.example/"\n' + HTTP + KEYS,
        "upstream: token_url, token_client and token_refresh belong together",
    ),
    "a token for nobody": (
        UPSTREAM + 'token_command = ["x"]\n' + HTTP + KEYS,
        "upstream: user and password belong together",
    ),
    "a refresh token in clear": (
        UPSTREAM
        + 'user = "u"\ntoken_url = "http://x.example/"\ntoken_client = "c"\n'
        + 'token_refresh = "hunter2"\n'
        + HTTP
        + KEYS,
        "should be https://…: the refresh token would cross the network in clear",
    ),
    "unknown table": (LEAST + "[trackin]\n", 'trackin is an unknown key: did you mean "tracking"?'),
    "misspelt secret": (
        UPSTREAM + 'pasword = "hunter2"\n' + HTTP + KEYS,
        'upstream.pasword is an unknown key: did you mean "password"?',
    ),
    "missing": (
        HTTP + KEYS,
        "upstream.host is missing: set it in the file or by LETTERBELL_UPSTREAM__HOST",
    ),
    "wrong type": (
        UPSTREAM + 'port = "many"\n' + HTTP + KEYS,
        "upstream.port = 'many': should be a valid integer, unable to parse string as an integer",
    ),
    "wrong word": (
        LEAST + '[log]\nlevel = "loud"\n',
        "log.level = 'loud': should be 'debug', 'info', 'warning' or 'error'",
    ),
    "no table": ("log = 3\n" + LEAST, "log: should be a table"),
    "secret": (
        UPSTREAM + HTTP + '[tokens]\nkeys = ["hunter2"]\n',
        (
            'tokens.keys: should be "ID:SECRET": an ID from 0 to 255 and 16 to 64 random bytes in '
            "base64url, as `letterbell init` makes them"
        ),
    ),
    "secret's type": (
        UPSTREAM + HTTP + "[tokens]\nkeys = 4\n",
        "tokens.keys: should be a valid tuple",
    ),
    "no keys": (UPSTREAM + HTTP + "[tokens]\nkeys = []\n", "tokens.keys: is empty: `letterbell"),
    "no listeners": (LEAST + "[smtp]\nlisten = []\n", "smtp: listen is empty: add a [[smtp.lis"),
    "same key twice": (
        UPSTREAM + HTTP + f'[tokens]\nkeys = ["{KEY}", "{KEY}"]\n',
        "tokens.keys: has two keys with the same ID: give each its own, 0 to 255",
    ),
    "set twice": (
        UPSTREAM + HTTP + KEYS + 'keys_file = "x"\n',
        "tokens.keys is set twice: keep one of keys and keys_file",
    ),
    "plain passwords on the network": (
        LEAST + '[[smtp.listen]]\naddress = "0.0.0.0"\nallow_plain_auth = true\n',
        (
            "smtp.listen[0]: with allow_plain_auth passwords would go to 0.0.0.0 in clear: "
            'use tls = "starttls" or "implicit", or a loopback address'
        ),
    ),
    "opened twice": (
        LEAST + '[[smtp.listen]]\nsocket = "submission"\nport = 587\nallow_plain_auth = true\n',
        (
            "smtp.listen[0]: socket is opened by systemd, at the address and port of its unit: "
            "leave out address and port, or socket"
        ),
    ),
    "no socket's name": (
        LEAST + '[[smtp.listen]]\nsocket = "a:b"\nallow_plain_auth = true\n',
        "smtp.listen[0].socket = 'a:b': ",
    ),
    "nobody could sign in": (
        LEAST + '[[smtp.listen]]\naddress = "0.0.0.0"\n',
        (
            'smtp.listen[0]: nobody could sign in with tls = "none": use "starttls" or "implicit", '
            "or a loopback address and allow_plain_auth = true"
        ),
    ),
    "no certificate": (
        LEAST + '[[smtp.listen]]\ntls = "starttls"\n',
        (
            "smtp: TLS needs a certificate: set certificate and key to PEM files, "
            'or listen with tls = "none" on a loopback address'
        ),
    ),
    "nobody's app passwords": (
        LEAST + '[auth]\nmode = "upstream"\napp_passwords_only = true\n',
        'auth: app_passwords_only is for mode = "accounts": in mode "upstream" no password is ours',
    ),
    "passed through in clear": (
        UPSTREAM + 'tls = "none"\n' + HTTP + KEYS + '[auth]\nmode = "upstream"\n',
        (
            'auth.mode = "upstream": passwords would cross the network in clear to '
            'smtp.example.com: use upstream.tls = "starttls" or "tls"'
        ),
    ),
    "half a login": (
        UPSTREAM + 'user = "me"\n' + HTTP + KEYS,
        "upstream: user and password belong together: set both, or neither",
    ),
    "a login in clear": (
        UPSTREAM + 'tls = "none"\nuser = "me"\npassword = "hunter2"\n' + HTTP + KEYS,
        (
            "upstream: the password would cross the network in clear to smtp.example.com: "
            'use tls = "starttls" or "tls"'
        ),
    ),
    "store": (
        LEAST + '[store]\nurl = "mysql://x"\n',
        (
            'store.url: should be "sqlite:///" and a path, like "sqlite:///letterbell.db", or '
            '"postgresql://USER:PASSWORD@HOST/NAME"'
        ),
    ),
    "not TOML": (LEAST + "[smtp", "is not TOML: "),
}


@pytest.mark.parametrize(("text", "says"), SAYS.values(), ids=SAYS)
def test_refusals_name_the_key_the_value_and_the_mend(config: Path, text: str, says: str) -> None:
    told = refusal(config, text)
    assert says in told
    assert "hunter2" not in told
    assert "\n" not in told
    assert told.startswith(f"{config}: ") or "twice" in told


@pytest.mark.parametrize(
    "url",
    [
        "t.example.com",
        "ftp://t.example.com",
        "https://",
        "https://t.example.com/?q",
        "https://t.example.com/#a",
        "https://me@t.example.com",
        "https://bücher.example",
        "https://t.example.com:http",
        "https://t.example.com:65536",
        "https://t.example.com/a&b",
        "https://t.example.com/a b",
        "https://t.example.com/it's",
    ],
)
def test_public_url_must_be_plain(config: Path, url: str) -> None:
    text = UPSTREAM + KEYS + f'[http]\npublic_url = "{url}"\n'
    assert f"http.public_url = {url!r}: should" in refusal(config, text)


def test_all_problems_are_told_at_once(config: Path) -> None:
    told = refusal(config, '[upstream]\nport = 0\n[smtp]\nmax_size = "x"\n')
    head, *rest = told.split("\n  ")
    assert head == f"{config}: 5 problems"
    assert [line.split(" ")[0] for line in rest] == [
        "smtp.max_size",
        "upstream.host",
        "upstream.port",
        "http.public_url",
        "tokens.keys",
    ]


def test_environments_mistakes_are_told_by_variable(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBELL_UPSTRAEM__HOST", "x")
    monkeypatch.setenv("LETTERBELL_SMTP__MAX_SIZE", "big")
    told = refusal(config, LEAST)
    assert 'LETTERBELL_UPSTRAEM__… is an unknown key: did you mean "upstream"?' in told
    assert "LETTERBELL_SMTP__MAX_SIZE = 'big': should be a valid integer" in told


def test_secrets_do_not_print(config: Path) -> None:
    assert "q" * 43 not in repr(load(write(config, LEAST)))


def test_find_goes_by_option_then_environment_then_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"no config file .* `letterbell init` writes one"):
        find()
    write(tmp_path / "letterbell.toml", LEAST)
    assert find() == Path("letterbell.toml")
    monkeypatch.setenv("LETTERBELL_CONFIG", "/etc/other.toml")
    assert find() == Path("/etc/other.toml")
    assert find(Path("x.toml")) == Path("x.toml")


def test_missing_file_and_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file: `letterbell init` writes one"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


TLS = 'certificate = "c.pem"\nkey = "k.pem"\n'
STARTTLS = '[[smtp.listen]]\naddress = "0.0.0.0"\nport = 587\ntls = "starttls"\n'
IMPLICIT = '[[smtp.listen]]\naddress = "0.0.0.0"\nport = 4465\ntls = "implicit"\n'
NEAR = "[[smtp.listen]]\nport = 2525\nallow_plain_auth = true\n"
BEHIND = '[[smtp.listen]]\nsocket = "submissions"\ntls = "implicit"\n'
NETWORK = '[[auth.network]]\nnetwork = "10.0.0.0/8"\nsender = "app"\n'
OPEN = '[[smtp.listen]]\naddress = "0.0.0.0"\nport = 25\n'


@pytest.mark.parametrize(
    ("smtp", "connect", "server"),
    [
        ("", "", Server("127.0.0.1", 1587, "none")),
        (f"[smtp]\n{TLS}{STARTTLS}", "", Server("t.example.com", 587, "starttls")),
        (f"[smtp]\n{TLS}{NEAR}{IMPLICIT}", "", Server("t.example.com", 4465, "implicit")),
        (
            f'[smtp]\nhostname = "r.example"\n{TLS}{BEHIND}',
            "",
            Server("r.example", 465, "implicit"),
        ),
        (
            f"[smtp]\n{TLS}{STARTTLS.replace('587', '0')}",
            "",
            Server("t.example.com", 587, "starttls"),
        ),
        (OPEN + NETWORK, "", Server("t.example.com", 25, "none")),
        (
            f"[smtp]\n{TLS}{STARTTLS}{IMPLICIT}",
            'smtp_security = "implicit"',
            Server("t.example.com", 4465, "implicit"),
        ),
        # A proxy ends TLS.
        (NEAR, 'smtp_security = "implicit"', Server("t.example.com", 465, "implicit")),
        (NEAR, 'smtp_host = "Localhost"', Server("localhost", 2525, "none")),
        (
            f"[smtp]\n{TLS}{STARTTLS}",
            'smtp_host = "mail.example.org"\nsmtp_port = 2587',
            Server("mail.example.org", 2587, "starttls"),
        ),
    ],
)
def test_what_mail_programs_are_told_follows_the_listeners(
    config: Path, smtp: str, connect: str, server: Server
) -> None:
    settings = load(write(config, f"{LEAST}{smtp}\n[connect]\n{connect}\n"))
    assert settings.servers.smtp == server
    assert settings.servers.imap is None


def test_where_mail_arrives(config: Path) -> None:
    imap = '[connect]\nimap_host = "IMAP.example.com"\ndomains = ["Example.COM"]\n'
    text = LEAST + imap + 'imap_user = "local-part"\n[auth]\nmode = "upstream"\n'
    settings = load(write(config, text))
    servers = settings.servers
    assert servers.imap == Server("imap.example.com", 993, "implicit")
    assert servers.domains == ("example.com",)
    assert servers.imap_user == "local-part"
    assert not logins(settings).are_ours
    assert servers.control_domain == "letterbell.invalid"


@pytest.mark.parametrize(
    ("connect", "words"),
    [
        ('imap_host = "imap.example.com"', "imap_host and domains belong together"),
        ('domains = ["example.com"]', "imap_host and domains belong together"),
        ('smtp_host = "a b"', "should be a host or address in ASCII"),
        ('smtp_host = "<b>"', "should be a host or address in ASCII"),
        (
            'smtp_host = "münchen.example"',
            "should be a host or address in ASCII",
        ),
        ('imap_host = "i"\ndomains = ["@example.com"]', "connect.domains"),
        ("smtp_port = 0", "connect.smtp_port"),
        ('imap_security = "none"', "connect.imap_security"),
    ],
)
def test_bad_words_for_mail_programs_are_refused(config: Path, connect: str, words: str) -> None:
    assert words in refusal(config, f"{LEAST}[connect]\n{connect}\n")


def test_addresses_may_stand_for_hosts(config: Path) -> None:
    for host in ("192.0.2.1", "2001:db8::1"):
        text = f'{LEAST}[connect]\nsmtp_host = "{host}"\n'
        assert load(write(config, text)).servers.smtp.host == host

"""The commands as a person types them.

explain has a file of its own; check, serve and --send with real peers are in tests/e2e.
"""

import json
import os
import re
import socket
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from relay.cli import main
from relay.settings import DkimKeySettings

Run = Callable[..., Result]


@pytest.fixture
def letterbell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LETTERBELL_"):
            monkeypatch.delenv(name)

    def run(*arguments: str, stdin: str | None = None, expect: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments, input=stdin)
        assert result.exit_code == expect, (result.output, result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def configured(letterbell: Run) -> Run:
    letterbell("init")
    return letterbell


def test_init_writes_for_the_owner_alone_and_never_overwrites(letterbell: Run) -> None:
    told = letterbell("init", "etc").output
    assert "letterbell check --config etc/letterbell.toml" in told
    path = Path("etc/letterbell.toml")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    again = letterbell("init", "etc", expect=1).output
    assert again == "Error: etc/letterbell.toml is there already, and init never overwrites\n"
    assert path.read_text() == before
    letterbell("init", "other")
    assert Path("other/letterbell.toml").read_text() != before


def test_init_where_it_may_not_write(letterbell: Run) -> None:
    Path("file").touch()
    told = letterbell("init", "file/x", expect=1).output
    assert told == "Error: cannot write file/x/letterbell.toml: Not a directory\n"


def test_no_config_says_where_it_looked(letterbell: Run) -> None:
    told = letterbell("sender", "list", expect=2).output
    assert told == (
        "Error: no config file (looked at --config, $LETTERBELL_CONFIG, letterbell.toml, "
        "/etc/letterbell/letterbell.toml): `letterbell init` writes one\n"
    )


def test_bad_config_is_told_in_a_line(configured: Run) -> None:
    with Path("letterbell.toml").open("a") as file:
        file.write("[smtp]\nport = 25\n")
    told = configured("serve", expect=2).output
    assert told.startswith("Error: letterbell.toml: smtp.port is an unknown key: ")


def test_a_senders_life(configured: Run) -> None:
    added = configured("sender", "add", "ana@example.com", "--password-stdin", stdin="secret\n")
    assert added.output == "Added ana@example.com, who may send as ana@example.com.\n"
    made = configured("sender", "add", "app", "--address", "*@app.org", "--no-clicks", "--generate")
    assert "Password, shown this once: " in made.output
    configured("sender", "set", "app", "--disable", "--no-opens", "--address", "a@app.org")
    configured("sender", "set", "app", "--per-recipient", "--consent", "only-consented")
    configured("sender", "set", "app", "--notify", "all")
    rows = [line.split() for line in configured("sender", "list").output.splitlines()]
    titles = "LOGIN OPENS CLICKS STICKY COPIES CONSENT NOTIFY STATE ADDRESSES"
    assert rows[0] == titles.split()
    assert rows[1:] == [
        [
            "ana@example.com",
            "on",
            "on",
            "on",
            "shared",
            "site",
            "first",
            "enabled",
            "ana@example.com",
        ],
        [
            "app",
            "off",
            "off",
            "on",
            "per-recipient",
            "only-consented",
            "all",
            "disabled",
            "a@app.org",
        ],
    ]
    configured("sender", "set", "ana@example.com", "--admin")
    assert configured("sender", "list").output.splitlines()[1].split()[7] == "admin"
    configured("sender", "set", "ana@example.com", "--no-admin")
    configured("sender", "set", "app", "--shared", "--consent", "site")
    listed = configured("sender", "list").output
    assert "per-recipient" not in listed
    assert "only-consented" not in listed
    configured("sender", "passwd", "app", "--generate")
    configured("sender", "remove", "app", stdin="n\n", expect=1)
    configured("sender", "remove", "app", stdin="y\n")
    configured("sender", "remove", "ana@example.com", "--yes")
    assert len(configured("sender", "list").output.splitlines()) == 1


def test_defaults_of_new_senders_come_from_tracking(configured: Run) -> None:
    with Path("letterbell.toml").open("a") as file:
        file.write('[tracking]\nopens = false\nattribution = "per-recipient"\n')
    configured("sender", "add", "ana@example.com", "--generate")
    configured("sender", "add", "ben", "--address", "b@x.org", "--opens", "--shared", "--generate")
    rows = [line.split()[:5] for line in configured("sender", "list").output.splitlines()[1:]]
    assert rows == [
        ["ana@example.com", "off", "on", "on", "per-recipient"],
        ["ben", "on", "on", "on", "shared"],
    ]


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (("add", "ana"), "a\na\n", "'ana' is no mail address"),
        (("add", "ana@example.com", "--password-stdin"), "\n", "the password is empty"),
        (("passwd", "nobody", "--generate"), None, "there is no sender 'nobody'"),
        (("remove", "nobody", "--yes"), None, "there is no sender 'nobody'"),
        (("set", "nobody", "--opens"), None, "there is no sender 'nobody'"),
    ],
)
def test_senders_mistakes(
    configured: Run, arguments: tuple[str, ...], stdin: str | None, says: str
) -> None:
    told = configured("sender", *arguments, stdin=stdin, expect=1).stderr
    assert f"Error: {says}" in told


def test_same_sender_twice(configured: Run) -> None:
    configured("sender", "add", "ana@example.com", "--generate")
    told = configured("sender", "add", "ANA@example.com", "--generate", expect=1)
    assert "there is a sender 'ANA@example.com' already" in told.stderr
    assert "Password" not in told.output


def test_store_that_is_none(configured: Run) -> None:
    Path("letterbell.db").write_bytes(b"no database at all" * 100)
    told = configured("sender", "list", expect=1).stderr
    assert told.startswith("Error: ")
    assert "letterbell.db" in told


def test_a_devices_life(configured: Run) -> None:
    configured("sender", "add", "ana@example.com", "--generate")
    made = configured("sender", "device", "add", "ANA@example.com", "Ana's phone").output
    assert re.fullmatch(
        r"Added the device Ana's phone of ANA@example.com\.\n"
        r"App password, shown this once: [a-z2-7]{16}-[a-z2-7]{16}\n",
        made,
    )
    told = configured("sender", "device", "list", "ana@example.com").output
    assert re.fullmatch(
        r"NAME +ADDED +LAST USED\nAna's phone +\d{4}-\d\d-\d\d \d\d:\d\d  never\n", told
    )
    assert made.split()[-1] not in told
    again = configured("sender", "device", "add", "ana@example.com", "Ana's phone", expect=1)
    assert 'Error: there is a device "Ana\'s phone" already' in again.stderr
    assert "App password" not in again.output
    configured("sender", "device", "revoke", "ana@example.com", "Ana's phone")
    assert "phone" not in configured("sender", "device", "list", "ana@example.com").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "nobody", "phone"), "there is no sender 'nobody'"),
        (("list", "nobody"), "there is no sender 'nobody'"),
        (("revoke", "nobody", "phone"), "there is no sender 'nobody'"),
        (("revoke", "ana@example.com", "phone"), "there is no device 'phone'"),
        (("add", "ana@example.com", ""), "'' is no name; use 1 to 100"),
    ],
)
def test_devices_mistakes(configured: Run, arguments: tuple[str, ...], says: str) -> None:
    configured("sender", "add", "ana@example.com", "--generate")
    assert f"Error: {says}" in configured("sender", "device", *arguments, expect=1).stderr


def test_a_keys_life(configured: Run) -> None:
    configured("sender", "add", "ana@example.com", "--generate")
    made = configured("sender", "key", "add", "ANA@example.com", "CRM").output
    assert re.fullmatch(
        r"Added the key CRM of ANA@example.com, to read\.\n"
        r"API key, shown this once: letterbell_[a-z2-7]{16}_[a-z2-7]{52}\n",
        made,
    )
    written = configured("sender", "key", "add", "ana@example.com", "bot", "--write").output
    assert "Added the key bot of ana@example.com, to read and write." in written
    told = configured("sender", "key", "list", "ana@example.com").output
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(
        rf"NAME +SCOPE +ADDED +LAST USED\nCRM +read +{when}  never\nbot +write +{when}  never\n",
        told,
    )
    assert made.split()[-1] not in told
    configured("sender", "key", "revoke", "ana@example.com", "CRM")
    assert "CRM" not in configured("sender", "key", "list", "ana@example.com").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "nobody", "CRM"), "there is no sender 'nobody'"),
        (("add", "ana@example.com", ""), "'' is no name; use 1 to 100"),
        (("revoke", "ana@example.com", "CRM"), "there is no API key 'CRM'"),
    ],
)
def test_keys_mistakes(configured: Run, arguments: tuple[str, ...], says: str) -> None:
    configured("sender", "add", "ana@example.com", "--generate")
    assert f"Error: {says}" in configured("sender", "key", *arguments, expect=1).stderr


def findings(result: Result) -> dict[str, str]:
    """The subject of each finding -> its level."""
    return {
        line[9:].partition(":")[0]: line[:8].strip() for line in result.stdout.splitlines()[:-1]
    }


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        return number


def test_check_names_every_problem_and_makes_nothing(
    configured: Run, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LETTERBELL_HTTP__PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("LETTERBELL_UPSTREAM__HOST", "127.0.0.1")
        monkeypatch.setenv("LETTERBELL_UPSTREAM__PORT", str(port))
        monkeypatch.setenv("LETTERBELL_STORE__URL", "sqlite:////nowhere/letterbell.db")
        monkeypatch.setenv("LETTERBELL_DELIVERY__SPOOL", "letterbell.toml/spool")
        monkeypatch.setenv(
            "LETTERBELL_SMTP__LISTEN", '[{"address": "192.0.2.1", "tls": "starttls"}]'
        )
        monkeypatch.setenv("LETTERBELL_SMTP__CERTIFICATE", "none.pem")
        monkeypatch.setenv("LETTERBELL_SMTP__KEY", "none.key")
        result = configured("check", expect=2)
    assert findings(result) == {
        "store": "problem",
        "delivery.spool": "problem",
        "smtp.listen": "problem",
        "http": "problem",
        "smtp.certificate": "problem",
        "connect": "note",
        "upstream": "problem",
        "http.public_url": "warning",
    }
    assert result.stderr == "6 problems.\n"
    assert "something listens there already" in result.stdout
    assert "this machine has no such address" in result.stdout
    assert "none.pem cannot be read: No such file or directory" in result.stdout
    assert not Path("letterbell.db").exists()


def test_check_knows_whether_networks_have_their_senders(
    configured: Run, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setenv("LETTERBELL_UPSTREAM__HOST", "127.0.0.1")
    monkeypatch.setenv("LETTERBELL_UPSTREAM__PORT", str(port))
    networks = [{"network": f"10.{n}.0.0/16", "sender": f"app{n}"} for n in (1, 2, 3)]
    monkeypatch.setenv("LETTERBELL_AUTH__NETWORK", json.dumps(networks))
    for login in ("app1", "app2"):
        configured("sender", "add", login, "--address", "app@example.com", "--generate")
    configured("sender", "set", "app2", "--disable")
    told = configured("check", expect=2).stdout
    assert "ok       auth.network: 10.1.0.0/16 sends as app1\n" in told
    assert "warning  auth.network: 10.2.0.0/16: 'app2' is disabled: letterbell sender set" in told
    assert "problem  auth.network: 10.3.0.0/16 has no sender 'app3': letterbell sender add" in told


def test_check_warns_of_plain_http_to_the_outside(
    configured: Run, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setenv("LETTERBELL_HTTP__PUBLIC_URL", "http://t.example.com")
    monkeypatch.setenv("LETTERBELL_UPSTREAM__HOST", "127.0.0.1")
    monkeypatch.setenv("LETTERBELL_UPSTREAM__PORT", str(port))
    assert "http://t.example.com is plain http" in configured("check", expect=2).stdout


def test_check_shakes_hands_with_the_certificate(
    configured: Run, monkeypatch: pytest.MonkeyPatch, port: int, tmp_path: Path
) -> None:
    monkeypatch.setenv("LETTERBELL_UPSTREAM__HOST", "127.0.0.1")
    monkeypatch.setenv("LETTERBELL_UPSTREAM__PORT", str(port))
    authority = trustme.CA()
    for name in ("own", "other"):
        issued = authority.issue_cert("relay.example.com")
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        (tmp_path / f"{name}.key").chmod(0o600)
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    monkeypatch.setenv("LETTERBELL_SMTP__CERTIFICATE", "own.pem")
    monkeypatch.setenv("LETTERBELL_SMTP__KEY", "own.key")
    told = configured("check", expect=2).stdout
    assert "ok       smtp.certificate: own.pem lasts for " in told
    assert "mail programs will not trust it as localhost: " in told
    monkeypatch.setenv("LETTERBELL_SMTP__KEY", "other.key")
    told = configured("check", expect=2).stdout
    assert "own.pem and other.key: the key is another certificate's" in told


def test_version(letterbell: Run) -> None:
    assert letterbell("--version").output.startswith("letterbell, version ")


@pytest.mark.parametrize("option", [(), ("--ed25519",)])
def test_a_dkim_key_is_made_once_and_for_the_owner_alone(
    letterbell: Run, option: tuple[str, ...]
) -> None:
    told = letterbell("dkim", "key", "Example.com", "s1", "key.pem", *option).output
    path = Path("key.pem")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [table] = tomllib.loads(told[told.index("[[dkim.key]]") :])["dkim"]["key"]
    key = DkimKeySettings(**table).read()
    assert key.zone_entry in told
    assert (key.name, key.is_rsa) == ("s1._domainkey.example.com", not option)
    before = path.read_bytes()
    again = letterbell("dkim", "key", "example.com", "s2", "key.pem", expect=1).output
    assert "key.pem is there already" in again
    assert path.read_bytes() == before


def test_a_dkim_key_for_nothing(letterbell: Run) -> None:
    told = letterbell("dkim", "key", "ana@example.com", "s_1", "key.pem", expect=2).output
    assert 'domain: should be the domain that stands behind the "@"' in " ".join(told.split())
    assert "selector: should be a word" in told
    assert not Path("key.pem").exists()
    told = letterbell("dkim", "key", "example.com", "s1", "none/key.pem", expect=1).output
    assert "none/key.pem cannot be written: No such file" in told

"""`letterbell keys`: a new key before the old ones, wherever these are kept."""

import stat
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collector.tokens import Key, Tokens
from relay.cli import main
from relay.config import load
from relay.token_keys import read_token_key, write_token_key

OLD = f"1:{'k' * 43}"
REST = """\
# My relay.
[upstream]   # the real one
host = "smtp.example.com"

[http]
public_url = 'https://t.example.com'
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["keys", *map(str, words)])


def write(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_bytes(text.encode())
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "letterbell.toml"


def assert_rotated(config: Path, old: str = OLD) -> None:
    """The old keys are read, a new one signs."""
    first, *others = load(config).tokens.parsed
    known = [read_token_key(each).key for each in old.split()]
    assert others == known
    assert first.id not in [each.id for each in known]
    assert len(first.secret) == 32
    sent = Tokens(known).mint_open(5)
    assert Tokens([first, *others]).read_open(sent) is not None


@pytest.mark.parametrize(
    "table",
    [
        f'[tokens]  # secret\nkeys = ["{OLD}"]  # the first one signs\n[log]\nlevel = "info"\n',
        f'[tokens]\n# Two lines.\nkeys = [\n  "{OLD}", # of 2025\n]\n',
        f'[tokens]\nkeys=["{OLD}",]',
        f'[tokens]\r\nkeys = ["{OLD}"]\r\n',
        f"[tokens]\nkeys = ['{OLD}']\n[tracking]\nopens = false\n",
    ],
)
def test_in_the_config_all_else_stays(config: Path, table: str) -> None:
    write(config, REST + table).chmod(0o640)
    result = run("rotate", "--config", config)
    assert result.exit_code == 0, result.output
    assert "Key 2 signs" in result.output
    assert "SIGHUP" in result.output
    assert_rotated(config)
    text = config.read_bytes().decode()
    new = tomllib.loads(text.replace("\r\n", "\n"))["tokens"]["keys"][0]
    assert new not in result.output
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    for line in (REST + table).replace(OLD, "").splitlines():
        for word in line.split():
            assert word.strip("[\"',]") in text
    assert text.startswith(REST)
    assert ("\r\n" in text) == ("\r\n" in table)


def test_at_the_top_of_the_config(config: Path) -> None:
    write(config, f'tokens.keys = ["{OLD}"]\n{REST}')
    assert run("rotate", "--config", config).exit_code == 0
    assert_rotated(config)


@pytest.mark.parametrize("kept", [f"{OLD}\n", OLD, f"{OLD} 7:{'q' * 43}\n\n"])
def test_in_a_file_of_their_own(config: Path, kept: str) -> None:
    secret = write(config.parent / "token.keys", kept)
    write(config, f'{REST}[tokens]\nkeys_file = "token.keys"\n')
    result = run("rotate", "--config", config)
    assert result.exit_code == 0, result.output
    assert str(secret) in result.output
    assert secret.read_text().endswith(kept)
    assert_rotated(config, kept)
    assert config.read_text() == f'{REST}[tokens]\nkeys_file = "token.keys"\n'


def test_in_a_file_that_the_environment_names(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = write(config.parent / "token.keys", OLD)
    other = f"3:{'q' * 43}"
    write(config, f'{REST}[tokens]\nkeys = ["{other}"]\n')
    monkeypatch.setenv("LETTERBELL_TOKENS__KEYS_FILE", str(secret))
    assert run("rotate", "--config", config).exit_code == 0
    assert_rotated(config)
    assert other in config.read_text()
    assert secret.read_text().endswith(OLD)


@pytest.mark.parametrize("where", ["environment", "credential"])
def test_where_it_cannot_write_it_says_what_to_put_where(
    config: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, REST)
    if where == "environment":
        monkeypatch.setenv("LETTERBELL_TOKENS__KEYS", f'["{OLD}"]')
        named = "the environment variable LETTERBELL_TOKENS__KEYS"
    else:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(config.parent))
        write(config.parent / "tokens.keys", OLD)
        named = "systemd's credential tokens.keys"
    result = run("rotate", "--config", config)
    assert result.exit_code == 0, result.output
    assert named in result.output
    new = result.output.split()[-1]
    assert read_token_key(new).key.id == 2
    assert config.read_text() == REST


def test_a_file_can_be_named(tmp_path: Path) -> None:
    """systemd's credential, by the file that it is made of: no config can be loaded then."""
    secret = write(tmp_path / "tokens.keys", OLD)
    assert run("rotate", "--config", tmp_path / "none", "--file", secret).exit_code == 0
    new, old = secret.read_text().split()
    assert old == OLD
    assert read_token_key(new).key.id == 2
    assert new not in run("list", "--config", tmp_path / "none", "--file", secret).output


def test_what_cannot_be_written_stays(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied")

    before = write(config, f'{REST}[tokens]\nkeys = ["{OLD}"]\n').read_bytes()
    monkeypatch.setattr("relay.commands.keys.replace_text", refuse)
    result = run("rotate", "--config", config)
    assert result.exit_code == 1
    assert f"{config} cannot be written (Permission denied), and is as it was" in result.output
    assert config.read_bytes() == before


@pytest.mark.parametrize("content", ["", "hunter2", "\udcff"])
def test_a_file_without_good_keys_is_left_alone(tmp_path: Path, content: str) -> None:
    secret = tmp_path / "tokens.keys"
    secret.write_bytes(content.encode("utf-8", "surrogateescape"))
    result = run("rotate", "--config", "none", "--file", secret)
    assert result.exit_code == 1
    assert str(secret) in result.output
    assert "hunter2" not in result.output
    assert secret.read_bytes() == content.encode("utf-8", "surrogateescape")


def test_with_every_id_taken_nothing_is_made(config: Path) -> None:
    secret = write(config.parent / "all", "\n".join(f"{n}:{'k' * 43}" for n in range(256)))
    result = run("rotate", "--config", "none", "--file", secret)
    assert result.exit_code == 1
    assert "256 ids are taken" in result.output


def test_the_list_tells_ages_and_no_secrets(config: Path) -> None:
    made = datetime.now(UTC).date() - timedelta(days=30)
    dated = write_token_key(9, b"q" * 32, made)
    write(config, f'{REST}[tokens]\nkeys = ["{dated}", "{OLD}"]\n')
    result = run("list", "--config", config)
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.output.splitlines()] == [
        ["ID", "MADE", "AGE", "USE"],
        ["9", made.isoformat(), "30", "days", "signs,", "reads"],
        ["1", "unknown", "unknown", "reads"],
    ]


def test_threads_that_mint_never_mix_two_keys() -> None:
    """A token with one key's id and the other's signature would be broken for ever."""
    first, second = Key(1, b"o" * 32), Key(2, b"n" * 32)
    tokens, both = Tokens([first]), Tokens([first, second])
    for number in range(200):
        tokens.change([second, first] if number % 2 else [first, second])
        assert both.read_open(tokens.mint_open(number)) is not None

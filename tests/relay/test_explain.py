"""`letterbell explain` as a person types it: on one mail, on many, for programs, on a terminal."""

import ast
import json
import os
import pty
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from mails import BOTH, Mint, mail, multipart

from collector.tokens import Key, MessageLinks, Tokens
from relay.cli import main
from relay.commands import explanation
from relay.commands.rules import RULES
from rewriter import rewrite

ROOT = Path(__file__).parents[2]
CORPUS = sorted((ROOT / "tests" / "corpus").rglob("*.eml"))
VECTORS = json.loads((ROOT / "tests" / "rewriter" / "vectors.json").read_text())
SCHEMA = json.loads((ROOT / "docs" / "explain.schema.json").read_text())
PAGE = (ROOT / "docs" / "explain.md").read_text()
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQ"  # of the config below, as base64url
MAIL = b"""\
From: ana@example.com\r
Subject: hello\r
MIME-Version: 1.0\r
Content-Type: text/html; charset=utf-8\r
\r
<html><body><a href="https://example.org/a?x=1&amp;y=2">Go\x1b[2J</a> <a href="mailto:b@c.d">M</a>\r
</body></html>\r
"""
TEXT = b"From: ana@example.com\r\n\r\nSee https://example.org/plain for more.\r\n"

Explain = Callable[..., Result]


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explain:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LETTERBELL_"):
            monkeypatch.delenv(name)

    def run(*arguments: str, stdin: bytes | None = None, expect: int = 0) -> Result:
        result = CliRunner().invoke(main, ["explain", *arguments], input=stdin)
        assert result.exit_code == expect, (result.output, result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def as_json(explain: Explain) -> Callable[..., dict[str, Any]]:
    """What is told of one mail on standard input."""

    def run(raw: bytes, *options: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(explain("-", "--json", *options, stdin=raw).stdout)
        return told

    return run


def write_config(**tracking: object) -> None:
    """A letterbell.toml with these settings of [tracking], and a key that the tests know."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in tracking.items()]
    path = Path("letterbell.toml")
    path.write_text(
        '[smtp]\nmax_size = 5000\n[upstream]\nhost = "smtp.example.com"\n'
        '[http]\npublic_url = "https://seen.example.org/t"\n'
        f'[tokens]\nkeys = ["7:{SECRET}"]\n[tracking]\n' + "\n".join(lines)
    )
    path.chmod(0o600)


def sentence(rule: str) -> str:
    return f"{rule}: {RULES[rule]}"


# One mail.


def test_one_mail_part_by_part_and_link_by_link(explain: Explain) -> None:
    Path("mail.eml").write_bytes(MAIL)
    assert explain("mail.eml").stdout.splitlines() == [
        "mail.eml: changed, 1 wrapped, 1 left",
        r"  reads  Go\x1b[2J M",
        "  pixel  in part 1",
        "",
        "  1  text/html  utf-8  7bit  read",
        r"      0  wrapped   https://example.org/a?x=1&y=2  Go\x1b[2J",
        "         left      mailto:b@c.d                   " + sentence("scheme"),
    ]
    assert Path("mail.eml").read_bytes() == MAIL


def examples() -> list[tuple[str, str]]:
    """The runs that docs/explain.md shows: a command line and its output."""
    blocks = re.findall(r"^ {4}\$ letterbell (.+)\n((?: {4}.*\n|\n(?= {4}))+)", PAGE, re.MULTILINE)
    return [(command, re.sub("^ {4}", "", told, flags=re.MULTILINE)) for command, told in blocks]


@pytest.mark.parametrize(("command", "told"), examples())
def test_the_page_shows_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, command: str, told: str
) -> None:
    monkeypatch.chdir(ROOT)
    assert CliRunner().invoke(main, command.split()).stdout == told


def test_the_page_has_examples() -> None:
    """The test above must not pass because its pattern finds nothing."""
    assert len(examples()) == 2


def test_every_part_of_a_tree(explain: Explain) -> None:
    picture = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\neHg=\r\n"
    broken = b"Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\n<p>hello\r\n"
    html = b"Content-Type: text/html\r\n\r\n<a href='#top'>up</a>\r\n"
    related = multipart(html, picture, subtype="related")
    raw = b"From: a@b.c\r\n" + multipart(related, picture, broken)
    assert explain("-", stdin=raw).stdout.splitlines() == [
        "standard input: changed, 0 wrapped, 1 left",
        "  reads  up",
        "  pixel  in part 1.1",
        "",
        "  1.1  text/html  -  7bit    read",
        "         left      #top  fragment: it leads to a place in the mail itself",
        "",
        "  1.2  image/png  -  base64  left  embedded: it belongs to another part, as pictures do",
        "  2    image/png  -  base64  left  no text: only HTML and plain text are read",
        "  3    unknown    -  -       left  " + sentence("two content-type fields"),
    ]


def test_long_addresses_keep_their_ends(explain: Explain) -> None:
    path = "/".join(["path"] * 100)
    raw = mail(f'<a href="https://example.org/{path}/end?x">{"word " * 40}</a>')
    [line] = [line for line in explain("-", stdin=raw).stdout.splitlines() if "wrapped  " in line]
    assert re.search(r" https://example\.org/path\S+…\S+/path/end\?x  word word", line)
    assert len(line) < 150


@pytest.mark.parametrize(
    ("html", "options", "rule"),
    [
        ("<p>x</p>", ["--no-opens"], "opens are off"),
        ("<frameset><frame src='a'></frameset>", [], "no sure place"),
        ("<p>x <img src='https://t.example.com/o/x'>", [], "own pixel"),
    ],
)
def test_why_no_pixel(
    explain: Explain,
    as_json: Callable[..., dict[str, Any]],
    html: str,
    options: list[str],
    rule: str,
) -> None:
    raw = mail(html + '<a href="https://example.org">x</a>')
    assert as_json(raw, *options)["pixel"] == {"part": None, "rule": rule}
    told = explain("-", *options, stdin=raw).stdout
    assert f"  pixel  none, {rule}: {RULES[rule]}\n" in told


def test_no_pixel_where_all_the_html_is_a_file(as_json: Callable[..., dict[str, Any]]) -> None:
    file = b"Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<p>x</p>\r\n"
    told = as_json(b"From: a@b.c\r\n" + multipart(b"\r\nhello\r\n", file))
    assert (told["reason"], told["pixel"]["rule"]) == ("nothing to track", "no HTML part")
    assert told["snippet"] == "hello"


def test_what_is_read_first(as_json: Callable[..., dict[str, Any]]) -> None:
    html = "<html><head><title>no</title><style>p {}</style></head><p>Grüße, &amp; mehr</p>"
    both = multipart(
        b"\r\nplain\r\n",
        b"Content-Type: text/html; charset=latin-1\r\n\r\n" + html.encode("latin-1") + b"\r\n",
        subtype="alternative",
    )
    assert as_json(b"From: a@b.c\r\n" + both)["snippet"] == "Grüße, & mehr"
    assert as_json(TEXT)["snippet"] == "See https://example.org/plain for more."
    assert as_json(mail("<img src=x>"))["snippet"] == ""
    assert as_json(mail("<p>" + "word " * 100))["snippet"] == ("word " * 28)[:140]
    assert as_json(b"DKIM-Signature: x\r\n" + MAIL)["snippet"] is None


# The mail's own wishes, and its newlines.


def test_control_headers_are_obeyed_and_cut_out(explain: Explain) -> None:
    raw = b"X-Track: opens=no\r\nX-PM-TrackLinks: HtmlOnly\r\n" + MAIL
    told = explain("-", "--opens", "--no-clicks", "--output", "out", stdin=raw).stdout
    assert (
        "  asks   opens off, clicks on by its own header, taken out: x-track, x-pm-tracklinks\n"
    ) in told
    assert "  pixel  none, opens are off: " in told
    sent = Path("out").read_bytes()
    assert sent.startswith(MAIL[: MAIL.index(b"<a")])
    assert b"/c/" in sent
    assert b"/o/" not in sent


def test_clicks_off_is_said(explain: Explain) -> None:
    told = explain("-", "--no-clicks", stdin=MAIL).stdout
    assert "  links  none wrapped, clicks are off: clicks are not tracked in this mail\n" in told


def test_newlines_of_any_kind(explain: Explain) -> None:
    lines = MAIL.replace(b"\r\n", b"\n")
    explain("-", "--output", "lf", stdin=b"X-Track: on\n" + lines)
    sent = Path("lf").read_bytes()
    assert b"\r" not in sent
    assert sent.startswith(lines[: lines.index(b"<a")])
    assert sent.endswith(b'style="display:block;border:0"></body></html>\n')
    mixed = MAIL.replace(b"\r\n", b"\n", 1)
    explain("-", "--no-opens", "--no-clicks", "--output", "mixed", stdin=mixed)
    assert Path("mixed").read_bytes() == MAIL


def test_both_toggles_off_leave_every_byte(explain: Explain) -> None:
    told = explain("-", "--no-opens", "--no-clicks", "--output", "out", stdin=MAIL).stdout
    assert told == (
        "standard input: left as it came, tracking is off: neither opens nor clicks are tracked "
        "in it\n  pixel  none, opens are off: opens are not tracked in this mail\n"
    )
    assert Path("out").read_bytes() == MAIL


# Options and the config file.


def test_text_links(explain: Explain, as_json: Callable[..., dict[str, Any]]) -> None:
    assert as_json(TEXT)["links"] == []
    assert "left  plain text: addresses in plain text stay" in explain("-", stdin=TEXT).stdout
    [link] = as_json(TEXT, "--text-links")["links"]
    assert link["target"] == "https://example.org/plain"


def test_wrap_url_text(as_json: Callable[..., dict[str, Any]]) -> None:
    raw = mail('<a href="https://a.example.org/x">www.example.org</a>')
    assert [each["rule"] for each in as_json(raw)["skipped"]] == ["shows its URL"]
    assert len(as_json(raw, "--wrap-url-text")["links"]) == 1


def test_public_url(explain: Explain) -> None:
    explain("-", "--public-url", "http://localhost:8080/x/", "--output", "out", stdin=MAIL)
    assert b'href="http://localhost:8080/x/c/' in Path("out").read_bytes()


def test_config_file_and_options_over_it(
    explain: Explain, as_json: Callable[..., dict[str, Any]]
) -> None:
    write_config(opens=False, text_links=True, wrap_url_text=True, max_html=2000)
    config = ("--config", "letterbell.toml")
    told = as_json(TEXT, *config)
    assert (told["opens"], told["clicks"], len(told["links"])) == (False, True, 1)
    assert as_json(TEXT, *config, "--no-text-links")["links"] == []
    assert as_json(MAIL, *config, "--opens")["pixel"]["part"] == "1"
    large = mail("<p>" + "x" * 3000)
    assert [part["rule"] for part in as_json(large, *config)["parts"]] == ["text too large"]
    explain("-", *config, "--output", "out", stdin=MAIL)
    assert b'href="https://seen.example.org/t/c/' in Path("out").read_bytes()


def quote() -> bytes:
    """A reply that quotes a mail which was tracked under the config's key."""
    secret = b"secret secret secret"
    ours = MessageLinks(Tokens([Key(id=7, secret=secret)]), "https://seen.example.org/t", 42)
    link, pixel = ours.click(b"https://example.org/old", 0), ours.pixel()
    return mail(f'<p>As you said:<a href="{link}">old</a><img src="{pixel}">')


def test_old_links_of_ours_are_recognised(
    explain: Explain, as_json: Callable[..., dict[str, Any]]
) -> None:
    write_config()
    config = ("--config", "letterbell.toml")
    told = explain("-", *config, stdin=quote()).stdout.splitlines()
    assert told[0] == "standard input: changed, 0 wrapped, 2 restored"
    assert told[-2:] == [
        "         restored  https://example.org/old  a link of ours",
        "         restored                           a pixel of ours",
    ]
    untracked = as_json(quote(), *config, "--no-opens", "--no-clicks")
    assert untracked["restored"] == [
        {"part": "1", "target": "https://example.org/old"},
        {"part": "1", "target": None},
    ]
    elsewhere = as_json(quote(), *config, "--public-url", "https://t.example.com")
    assert elsewhere["restored"] == []
    write_config(detrack_quotes=False)
    rules = [skipped["rule"] for skipped in as_json(quote(), *config)["skipped"]]
    assert rules == ["own host", "own pixel"]


# For programs.


def test_json_of_one_mail(as_json: Callable[..., dict[str, Any]]) -> None:
    assert as_json(b"X-Track: on\r\n" + MAIL) == {
        "mail": "-",
        "changed": True,
        "reason": None,
        "opens": True,
        "clicks": True,
        "controls": ["x-track"],
        "snippet": "Go\x1b[2J M",
        "pixel": {"part": "1", "rule": None},
        "parts": [
            {
                "number": "1",
                "type": "text/html",
                "charset": "utf-8",
                "encoding": "7bit",
                "octets": len(MAIL) - MAIL.index(b"<html"),
                "rule": None,
            }
        ],
        "links": [
            {
                "part": "1",
                "ordinal": 0,
                "target": "https://example.org/a?x=1&y=2",
                "label": "Go\x1b[2J",
            }
        ],
        "skipped": [{"part": "1", "value": "mailto:b@c.d", "rule": "scheme"}],
        "restored": [],
    }


def check_schema(told: object) -> None:
    Draft202012Validator(SCHEMA).validate(told)


def test_the_schema_is_one_and_means_what_it_says(as_json: Callable[..., dict[str, Any]]) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    told = as_json(MAIL)
    check_schema(told)
    for wrong in ({"pixel": {"part": None, "rule": None}}, {"more": 1}, {"parts": [{}]}):
        assert not Draft202012Validator(SCHEMA).is_valid(told | wrong), wrong
    for name in told:
        assert not Draft202012Validator(SCHEMA).is_valid(
            {key: value for key, value in told.items() if key != name}
        ), name


@pytest.mark.parametrize("options", [(), ("--text-links", "--wrap-url-text"), ("--no-opens",)])
def test_json_lines_of_the_corpus_are_valid_and_know_their_rules(
    explain: Explain, options: tuple[str, ...]
) -> None:
    told = explain(str(ROOT / "tests" / "corpus"), "--json", *options).stdout
    objects = [json.loads(line) for line in told.splitlines()]
    assert {each["mail"] for each in objects} >= {str(path) for path in CORPUS}
    for each in objects:
        check_schema(each)
        assert words_of(each) <= RULES.keys(), each["mail"]
    one = next(each for each in objects if each["mail"] == str(CORPUS[0]))
    assert json.loads(explain(str(CORPUS[0]), "--json", *options).stdout) == one


def test_json_of_what_is_ours_and_of_what_fails_is_valid(
    as_json: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config()
    check_schema(as_json(quote(), "--config", "letterbell.toml"))
    monkeypatch.setattr(explanation, "rewrite", fail)
    check_schema(as_json(MAIL))


def words_of(told: dict[str, Any]) -> set[str]:
    words = {told["reason"], told["pixel"]["rule"]}
    words |= {each["rule"] for each in (*told["parts"], *told["skipped"])}
    return words - {None}


# Many mails.


@pytest.fixture
def folder(explain: Explain) -> Path:
    """Two mails below, one that is empty, and things that are no files."""
    folder = Path("mails")
    (folder / "b" / "deep").mkdir(parents=True)
    (folder / "z.eml").write_bytes(MAIL)
    (folder / "b" / "deep" / "text").write_bytes(TEXT)
    (folder / "b" / "empty.eml").touch()
    os.mkfifo(folder / "fifo")
    (folder / "nowhere").symlink_to("nothing")
    (folder / "loop").symlink_to(folder.absolute())
    return folder


def test_a_folder_in_numbers(explain: Explain, folder: Path) -> None:
    result = explain("mails", expect=1)
    assert result.stderr == "mails/b/empty.eml is empty: there is no mail in it\n"
    assert result.stdout.splitlines() == [
        "mails                              2",
        "  changed                          1",
        "  left as they came                1",
        "links wrapped                      1",
        "links left                         1",
        "links and pixels of ours restored  0",
        "pixels put in                      1",
        "files not read                     1",
        "",
        "Mails left as they came, by reason",
        "  1  no HTML part  no HTML is read with it that could hold a pixel, and none is made up",
        "",
        "Parts left, by rule",
        "  1  plain text  addresses in plain text stay unless text links are on",
        "",
        "Links and pixels left, by rule",
        "  1  scheme  only http and https links can be wrapped",
    ]


def test_details_of_each_come_before_the_numbers(explain: Explain, folder: Path) -> None:
    told = explain("mails", "--details", expect=1).stdout
    text = explain("mails/b/deep/text").stdout
    assert told.startswith(f"{explain('mails/z.eml').stdout}\n{text}\nmails   ")


def test_several_files_and_standard_input(explain: Explain, folder: Path) -> None:
    told = explain("mails/z.eml", "-", "mails/b/deep", "--json", stdin=MAIL).stdout
    mails = [json.loads(line)["mail"] for line in told.splitlines()]
    assert mails == ["mails/z.eml", "-", "mails/b/deep/text"]


def test_what_cannot_be_read_is_told_and_the_rest_goes_on(
    explain: Explain, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens, scans = Path.open, os.scandir

    def refuse(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "text":
            raise PermissionError(13, "Permission denied", str(path))
        return opens(path, *args, **kwargs)

    def refuse_folder(path: str) -> Any:
        if Path(path).name == "b" and closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scans(path)

    closed = False
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    refused = "mails/b/deep/text cannot be read: Permission denied\n"
    assert refused in explain("mails", expect=1).stderr
    assert explain("mails/b/deep/text", expect=1).output == f"Error: {refused}"
    closed = True
    result = explain("mails", "--json", expect=1)
    assert result.stderr == "mails/b cannot be opened: Permission denied\n"
    assert len(result.stdout.splitlines()) == 1


def test_memory_does_not_grow_with_mails(explain: Explain) -> None:
    size, count = 400_000, 60
    for number in range(count):
        Path(f"{number}.eml").write_bytes(b"From: a@b.c\r\n\r\n" + b"x" * size)
    explain(".", "--json")  # all modules are there, all caches warm
    tracemalloc.start()
    try:
        explain(".")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size * count / 4


def test_a_fault_of_the_rewriter_is_told_and_leaves_the_mail(
    explain: Explain, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanation, "rewrite", fail)
    result = explain("mails/z.eml", "--output", "out")
    assert result.stderr == r"mails/z.eml: the rewriter failed: ValueError: a \x1b bug" "\n"
    assert result.stdout.startswith("mails/z.eml: left as it came, internal error: ")
    assert Path("out").read_bytes() == MAIL
    assert "  2  internal error  " in explain("mails", expect=1).stdout


def fail(*_: object, **__: object) -> None:
    raise ValueError("a \x1b bug")


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        ((), None, 2, "Missing argument 'PATH...'"),
        (("none.eml",), None, 2, "Path 'none.eml' does not exist."),
        (("-",), b"", 1, "Error: standard input is empty: there is no mail in it"),
        (("-", "-"), MAIL, 2, 'Error: standard input can be read once: give "-" once'),
        (("-", "."), b"", 1, "standard input is empty: there is no mail in it"),
        ((".", "--output", "x"), None, 2, '--output is for one mail: give one file, or "-"'),
        (("-", "--output", "no/x"), MAIL, 1, "Error: cannot write no/x: No such file or directory"),
        (("-", "--output", "."), MAIL, 2, "is a directory"),
        (("-", "--config", "none.toml"), MAIL, 2, "none.toml: there is no such file"),
        (("-", "--public-url", "t.example.com"), MAIL, 2, "should be http(s):// and a host"),
        (("-", "--public-url", "http://a.b/?x"), MAIL, 2, "should have no query"),
    ],
)
def test_mistakes_are_told_in_a_line(
    explain: Explain, arguments: tuple[str, ...], stdin: bytes | None, code: int, says: str
) -> None:
    assert says in explain(*arguments, stdin=stdin, expect=code).stderr


def test_rubbish_is_a_mail_left_as_it_came(explain: Explain) -> None:
    told = explain("-", stdin=b"\x00\xff" * 99).stdout
    assert told.startswith("standard input: left as it came, no blank line after the header: ")


def test_what_the_relay_would_refuse_for_its_size(explain: Explain) -> None:
    write_config()
    told = explain("-", "--config", "letterbell.toml", stdin=MAIL + b"x" * 5000, expect=1)
    assert told.stderr == (
        "Error: standard input is larger than smtp.max_size, 5,000 bytes: the relay refuses it\n"
    )


# On a terminal.


def test_no_control_character_gets_out(explain: Explain) -> None:
    hostile = "\x1b]0;title\x07\x1b[31m\x9b2J\u2028\r"
    raw = (
        b"X-Track: \x1b[2J on\r\n"
        b'Content-Type: text/html; charset="utf-\x1b[2J8"\r\n'
        b"Content-Transfer-Encoding: 8bit\r\n\r\n"
        + f"<p>{hostile}</p>"
        f'<a href="https://example.org/">{hostile}</a>'
        f'<a href="mailto:{hostile}">x</a><a href="&#27;[2J">x</a>'.encode()
    )
    path = Path("\x1b[2Jmail\udcff")
    path.write_bytes(raw)
    for arguments in ((str(path),), (".", "--details"), (".", "--json"), (str(path), "--json")):
        result = explain(*arguments)
        assert not CONTROL.search(result.stdout + result.stderr), arguments
        assert "x1b" in result.stdout or "u001b" in result.stdout
    for mails in CORPUS:
        assert not CONTROL.search(explain(str(mails)).stdout)


def run_letterbell(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "relay", "explain", *arguments]
    return subprocess.run(command, check=True, timeout=60, **options)


def test_letters_that_the_terminal_lacks(explain: Explain) -> None:
    raw = mail('<a href="https://example.org/">読む</a>')
    environment = {**os.environ, "PYTHONIOENCODING": "iso-8859-1"}
    done = run_letterbell("-", input=raw, env=environment, capture_output=True)
    assert rb"https://example.org/  \u8aad\u3080" in done.stdout
    assert done.stderr == b""


@pytest.fixture
def terminal() -> Iterator[tuple[int, Callable[[], str]]]:
    """A terminal's descriptor, and what a person saw on it so far."""
    ours, theirs = pty.openpty()

    def seen() -> str:
        os.set_blocking(ours, False)
        return os.read(ours, 1_000_000).decode().replace("\r\n", "\n")

    yield theirs, seen
    os.close(ours)
    os.close(theirs)


def test_a_bar_and_colours_on_a_terminal_alone(
    explain: Explain, folder: Path, terminal: tuple[int, Callable[[], str]]
) -> None:
    screen, seen = terminal
    (folder / "b" / "empty.eml").unlink()
    environment = {**os.environ, "TERM": "xterm"}
    plain = explain("mails").stdout

    done = run_letterbell("mails", stdout=subprocess.PIPE, stderr=screen, env=environment)
    assert done.stdout.decode() == plain
    bar = seen()
    assert "mails  [" in bar
    assert "2/2" in bar

    run_letterbell("mails", "--details", stdout=screen, stderr=screen, env=environment)
    shown = seen()
    assert "\x1b[32mwrapped \x1b[0m" in shown
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == explain("mails", "--details").stdout


# The rules.


def literals() -> set[str]:
    """Every rule that stands in the rewriter's source: in a doubt, in a result, in a table, or
    returned where a rule may be."""
    found: set[str] = set()
    for path in (ROOT / "rewriter").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                arguments: list[ast.expr] = []
                if name in ("Doubt", "Untouched"):
                    arguments = node.args[:1]
                elif name in ("Skipped", "Part", "_skip", "_leaf"):
                    arguments = node.args[-1:]
                arguments += [each.value for each in node.keywords if each.arg == "rule"]
                found |= {word for each in arguments for word in words_in(each)}
            elif isinstance(node, ast.Return) and node.value and path.name in RETURNING:
                found |= set(words_in(node.value))
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_SEALED":
                assert isinstance(node.value, ast.Dict)
                found |= {word for each in node.value.values for word in words_in(each)}
    return found


RETURNING = {"mime.py", "targets.py", "text.py"}


def words_in(node: ast.expr) -> Iterator[str]:
    """The texts in an expression; what is filled into one stands as `*`."""
    if isinstance(node, ast.JoinedStr):
        pieces = (each.value if isinstance(each, ast.Constant) else "*" for each in node.values)
        yield "".join(map(str, pieces))
    elif isinstance(node, ast.IfExp):
        yield from words_in(node.body)
        yield from words_in(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from words_in(each)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value


def test_every_rule_of_the_rewriter_has_its_sentence() -> None:
    found = literals()
    assert {"malformed header", "opt-out", "fragment", "signed", "attachment"} <= found
    known = "\n".join(RULES)
    for rule in found:
        pattern = re.escape(rule).replace(r"\*", "[a-z-]+")
        assert re.search(f"^{pattern}$", known, re.MULTILINE), rule


def test_no_sentence_for_a_rule_that_is_gone() -> None:
    own = {"internal error", "opens are off", "clicks are off", "no sure place"}
    patterns = [re.escape(rule).replace(r"\*", "[a-z-]+") for rule in literals()]
    for rule in RULES.keys() - own:
        assert any(re.fullmatch(pattern, rule) for pattern in patterns), rule


@pytest.mark.parametrize("html", [html for html, _ in VECTORS], ids=range(1, len(VECTORS) + 1))
def test_the_vectors_know_their_rules(html: str) -> None:
    result = rewrite(mail(html), tracking=BOTH, links=Mint())
    rules = {skipped.rule for skipped in result.skipped} | {part.rule for part in result.parts}
    assert rules - {None} <= RULES.keys()


def test_the_page_lists_every_rule_with_its_sentence() -> None:
    rules = PAGE.partition("## The rules")[2]
    assert dict(re.findall(r"^\| `(.+)` \| (.+) \|$", rules, re.MULTILINE)) == RULES

"""`letterbell consent`: decisions by hand and by file, and whose are not ours to change."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner, Result

from collector.consents import Consents
from collector.senders import Senders
from collector.store import Sent, Store
from collector.tokens import NoticeToken, Tokens
from relay.cli import main
from relay.config import load

HEAD = "sender,address,kind,decision,at,how,text_version\n"
BOB = "bob@example.org"
Run = Callable[..., Result]
T = TypeVar("T")


@pytest.fixture
def consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `letterbell consent …` where the senders ana and ben are."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str | bytes | None = None, expect: int = 0) -> Result:
        result = CliRunner().invoke(main, ["consent", *arguments], input=stdin)
        assert result.exit_code == expect, (result.output, result.exception)
        return result

    CliRunner().invoke(main, ["init"])
    for name in ("ana", "ben"):
        add = ["sender", "add", name, "--address", f"{name}@example.com", "--generate"]
        assert CliRunner().invoke(main, add).exit_code == 0
    return run


def in_store(action: Callable[[Store, int], Awaitable[T]]) -> T:
    """What the relay does meanwhile, for ana."""

    async def run() -> T:
        store = await Store.open(load(Path("letterbell.toml")).store.open_url)
        senders = Senders(store)
        try:
            ana = await senders.find("ana")
            assert ana
            return await action(store, ana.id)
        finally:
            senders.close()
            await store.close()

    return asyncio.run(run())


def refuse_himself() -> None:
    in_store(
        lambda store, ana: Consents(store).decide(
            ana, BOB, {"open": False}, how="notice", text_version="v1"
        )
    )


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()[1:]]


def test_by_hand(consent: Run) -> None:
    told = consent("refuse", "ana", "Bob@example.org", "--only", "click").output
    assert told == "Noted: Bob@example.org has refused.\n"
    assert (
        consent("refuse", "ana", BOB, "--only", "click").output == f"{BOB} has refused already.\n"
    )
    consent("grant", "ana", BOB, "--text-version", "form-3")
    listed = rows(consent("list", "ana"))
    assert [(row[0], row[1], row[2], row[5], row[6]) for row in listed] == [
        (BOB, "open", "granted", "command", "form-3"),
        (BOB, "click", "granted", "command", "form-3"),
    ]
    assert [row[1:3] for row in rows(consent("list", "ana", BOB.upper()))] == [
        ["click", "refused"],
        ["open", "granted"],
        ["click", "granted"],
    ]
    assert rows(consent("list", "ben")) == []


def test_a_recipients_own_refusal_is_told_with_the_mend(consent: Run) -> None:
    refuse_himself()
    for arguments, stdin in (
        (("grant", "ana", BOB), None),
        (("import", "-"), f"{HEAD}ana,eve@x.org,both,granted,,,\nana,{BOB},both,granted,,api,\n"),
    ):
        told = consent(*arguments, stdin=stdin, expect=1).stderr
        assert f"{BOB} has refused on the notice page, and can take that back there alone" in told
        assert f"`letterbell consent link ana {BOB}`" in told
        assert ("line 3: " in told) is (stdin is not None)
    assert len(rows(consent("list", "ana"))) == 1
    consent("grant", "ana", BOB, "--only", "click")


def test_the_link_is_the_recipients_own(consent: Run) -> None:
    told = consent("link", "ana", BOB, expect=1).stderr
    assert f"no mail of ana to {BOB} is on record" in told

    async def send(store: Store, ana: int) -> None:
        for number, to in enumerate([(BOB,), ("eve@x.org", "Bob@Example.ORG"), ("eve@x.org",)], 1):
            await store.record_sent(
                Sent(
                    message_id=number,
                    sender_id=ana,
                    sent_at_ms=number,
                    mail_from="ana@example.com",
                    recipients=to,
                    subject="",
                    message_id_header="",
                    opens=True,
                    clicks=True,
                )
            )

    in_store(send)
    settings = load(Path("letterbell.toml"))
    base, token = consent("link", "ana", BOB).output.strip().rsplit("/", 1)
    assert base == f"{settings.http.public_url}/p"
    assert Tokens(settings.tokens.parsed).read_notice(token) == NoticeToken(2, 2)


def test_what_is_exported_is_taken_over_once(consent: Run, tmp_path: Path) -> None:
    refuse_himself()
    consent("grant", "ben", "eve,x@example.org", "--text-version", "form, 3")
    exported = consent("export").stdout
    assert exported.startswith(HEAD)
    assert len(exported.splitlines()) == 4
    assert consent("export", "ben").stdout.splitlines()[1:] == exported.splitlines()[2:]
    Path("consents.csv").write_text(exported)
    told = consent("import", "consents.csv").output
    assert told == "Took over 0 of 3 decisions; the others are known already.\n"
    Path("letterbell.db").unlink()
    for name in ("ana", "ben"):
        add = ["sender", "add", name, "--address", f"{name}@example.com", "--generate"]
        assert CliRunner().invoke(main, add).exit_code == 0
    told = consent("import", "-", stdin=b"\xef\xbb\xbf" + exported.encode()).output
    assert told == "Took over 3 of 3 decisions; the others are known already.\n"
    assert consent("export").stdout == exported


def test_an_erased_address_is_not_exported_and_stays_refused(consent: Run) -> None:
    refuse_himself()

    async def erase(store: Store, ana: int) -> None:
        await store.write(
            lambda connection: connection.exec_driver_sql("UPDATE consent SET address = NULL")
        )

    in_store(erase)
    exported = consent("export")
    assert exported.stdout == HEAD
    assert exported.stderr == "1 decisions are left out: their addresses were erased.\n"
    assert rows(consent("list", "ana"))[0][:3] == ["(erased)", "open", "refused"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (("grant", "nobody", BOB), None, "there is no sender 'nobody'"),
        (("list", "nobody"), None, "there is no sender 'nobody'"),
        (("export", "nobody"), None, "there is no sender 'nobody'"),
        (("refuse", "ana", "bob"), None, "'bob' is no mail address; write name@example.com"),
        (("import", "-"), b"\xff", "the file is not in UTF-8; save it so"),
        (("import", "-"), "", "line 1: there is no column 'sender'"),
        (
            ("import", "-"),
            f"{HEAD}ana,{BOB},open,granted,,,\nnobody,{BOB},both,refused,,,\n",
            "line 3: there is no sender 'nobody'; `letterbell sender list` shows those there are",
        ),
        (
            ("import", "-"),
            HEAD + f"ana,{BOB},open,perhaps,,,\n" * 30,
            "line 21: its decision is 'perhaps'; write granted or refused\n… and 10 more",
        ),
    ],
)
def test_mistakes(consent: Run, arguments: tuple[str, ...], stdin: str | None, says: str) -> None:
    assert says in consent(*arguments, stdin=stdin, expect=1).stderr
    assert rows(consent("list", "ana")) == []

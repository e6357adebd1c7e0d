"""Who is let in: by a bearer key that is right, and by nothing else."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession, CookieJar
from programs import Program
from sites import Site
from yarl import URL

from collector.errors import StoreUnavailable
from collector.senders import Sender

Give = Callable[..., Awaitable[Program]]
WRONG = f"letterbell_{'a' * 16}_{'b' * 52}"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def stranger(program: Program) -> Program:
    program.key = None
    return program


async def test_a_key_lets_its_sender_in(program: Program, ana: Sender) -> None:
    assert (await program.read("/settings"))["login"] == ana.login
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme}  {program.key} "}
        assert (await program.ask("/settings", headers=headers)).status == 200


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic YTpi", WRONG])
async def test_no_key_is_asked_for_one(stranger: Program, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}
    answer = await stranger.ask("/settings", headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="letterbell"'
    assert "Authorization: Bearer KEY" in answer.json["detail"]


async def test_a_key_counts_in_the_header_alone(
    site: Site, ana: Sender, stranger: Program, give_key: Give
) -> None:
    key = (await give_key(ana)).key
    assert (await stranger.ask(f"/settings?access_token={key}")).status == 401
    assert (await stranger.ask("/settings", data={"access_token": key})).status == 401
    both = [("Authorization", f"Bearer {key}")] * 2
    async with ClientSession() as session:
        url = f"{site.url}/api/v1/settings"
        assert (await session.get(url, headers=both)).status == 401


async def test_a_page_session_is_no_key(site: Site, ana: Sender) -> None:
    """So no page of another site can use it, and none of ours needs a form token for it."""
    token = await site.senders.open_session(ana.id, 60)
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({"letterbell_session": token}, URL(site.url))
        assert (await session.get(f"{site.url}/")).status == 200
        assert (await session.get(f"{site.url}/api/v1/settings")).status == 401


async def test_unknown_revoked_and_disabled_are_alike(
    site: Site, ana: Sender, eve: Sender, stranger: Program, give_key: Give
) -> None:
    revoked, disabled = await give_key(ana, name="old"), await give_key(eve)
    assert (await revoked.ask("/settings")).status == 200
    assert (await disabled.ask("/settings")).status == 200
    await site.senders.api_keys.revoke(ana.id, "old")
    await site.senders.set_enabled(eve.id, False)
    told = [
        await stranger.ask("/settings", headers=bearer(str(key)))
        for key in (WRONG, "x", revoked.key, disabled.key)
    ]
    assert {answer.status for answer in told} == {401}
    assert len({answer.body for answer in told}) == 1
    challenge = 'Bearer realm="letterbell", error="invalid_token"'
    assert {answer.headers["WWW-Authenticate"] for answer in told} == {challenge}
    await site.senders.set_enabled(eve.id, True)
    assert (await disabled.ask("/settings")).status == 200


async def test_a_key_to_read_cannot_write(ana: Sender, give_key: Give) -> None:
    reader = await give_key(ana)
    answer = await reader.ask("/settings", method="PATCH", json={"opens": False})
    assert answer.status == 403
    assert 'error="insufficient_scope", scope="write"' in answer.headers["WWW-Authenticate"]
    assert "letterbell sender key add --write" in answer.json["detail"]
    assert (await reader.read("/settings"))["opens"] is True


async def test_who_guesses_waits(ana: Sender, stranger: Program, give_key: Give) -> None:
    """Five of one key; and of any, twenty from an address."""
    known, other = await give_key(ana), await give_key(ana)
    assert (await known.ask("/settings")).status == 200
    statuses = [(await stranger.ask("/settings", headers=bearer(WRONG))).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    for number in range(15):
        assert (await stranger.ask("/settings", headers=bearer(f"x{number}"))).status == 401
    answer = await stranger.ask("/settings", headers=bearer("another"))
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    # Who has been in before is not locked out by a neighbour; whoever is new waits.
    assert (await known.ask("/settings")).status == 200
    assert (await other.ask("/settings")).status == 429


async def test_no_key_at_all_is_no_guess(stranger: Program, ana: Sender, give_key: Give) -> None:
    for _ in range(30):
        assert (await stranger.ask("/settings")).status == 401
    assert (await (await give_key(ana)).ask("/settings")).status == 200


async def test_a_right_key_never_counts(ana: Sender, give_key: Give) -> None:
    for _ in range(25):
        assert (await (await give_key(ana)).ask("/settings")).status == 200


async def test_a_key_that_was_right_counts_once_revoked(
    site: Site, ana: Sender, give_key: Give
) -> None:
    program = await give_key(ana, name="old")
    assert (await program.ask("/settings")).status == 200
    await site.senders.api_keys.revoke(ana.id, "old")
    assert [(await program.ask("/settings")).status for _ in range(6)] == [401] * 5 + [429]


async def test_an_outage_is_no_wrong_key(
    site: Site, ana: Sender, give_key: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("disk I/O error")

    program = await give_key(ana)
    with monkeypatch.context() as away:
        away.setattr(site.store, "read", fail)
        for _ in range(10):
            assert (await program.ask("/settings")).status == 503
    assert (await program.ask("/settings")).status == 200

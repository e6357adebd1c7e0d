"""Programs that use the API of a real site: a client a key."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import logs
import pytest
from aiohttp import ClientSession
from places import Place
from programs import Program
from sites import Site, open_site

from collector.senders import Sender

Give = Callable[..., Awaitable[Program]]


@pytest.fixture
async def site(tmp_path: Path, place: Place) -> AsyncIterator[Site]:
    async with open_site(tmp_path, store_url=place.url) as opened:
        yield opened


async def _add(site: Site, login: str) -> Sender:
    """A sender whose password nobody knows: the API asks for none."""
    made = await site.senders.ensure(login, [login], opens=True, clicks=True)
    assert made
    return made


@pytest.fixture
async def ana(site: Site) -> Sender:
    return await _add(site, "ana@example.com")


@pytest.fixture
async def eve(site: Site) -> Sender:
    return await _add(site, "eve@example.com")


@pytest.fixture
async def give_key(site: Site) -> AsyncIterator[Give]:
    """`await give_key(ana, "write")`: a program with a new key of hers."""
    async with ClientSession() as session:

        async def give(sender: Sender, scope: str = "read", name: str = "") -> Program:
            count = len(await site.senders.api_keys.list(sender.id))
            key = await site.senders.api_keys.add(sender.id, name or f"program {count}", scope)
            return Program(session, site.url, logs.remember(key))

        yield give


@pytest.fixture
async def program(give_key: Give, ana: Sender) -> Program:
    """One that may change what is Ana's."""
    return await give_key(ana, "write")

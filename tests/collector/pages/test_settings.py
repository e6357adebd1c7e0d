"""A sender's own choices, kept."""

from itertools import product

import pytest


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    await browser.get("/settings")
    return browser


@pytest.mark.parametrize("wanted", list(product([False, True], repeat=3)))
async def test_each_choice_is_kept_by_itself(site, ana, signed_in, wanted) -> None:
    names = ("opens", "clicks", "sticky")
    fields = {name: "on" for name, on in zip(names, wanted, strict=True) if on}
    answer = await signed_in.post("/settings", fields)
    assert (answer.status, answer.headers["Location"]) == (303, "/settings?saved")
    now = await site.senders.current(ana.id)
    assert (now.opens, now.clicks, now.sticky) == wanted
    page = await (await signed_in.get("/settings?saved")).text()
    assert page.count("checked>") == sum(wanted)
    assert "Saved." in page


async def test_scripts_get_a_word_and_no_page(signed_in) -> None:
    answer = await signed_in.post("/settings", {"opens": "on"}, {"HX-Request": "true"})
    assert (answer.status, await answer.text()) == (200, "Saved.")


async def test_shows_the_addresses_that_may_be_used(site, ana, signed_in) -> None:
    await site.senders.set_addresses(ana.id, ["ana@example.com", "*@example.org"])
    page = await (await signed_in.get("/settings")).text()
    assert "<code>ana@example.com</code>" in page
    assert "<code>*@example.org</code>" in page


async def test_one_senders_choice_is_not_anothers(site, ana, eve, signed_in) -> None:
    before = await site.senders.current(eve.id)
    await signed_in.post("/settings", {})
    assert await site.senders.current(eve.id) == before

"""Static files: kept for ever by their version, and only those that are there."""

import re

import pytest

from collector.pages.assets import Assets


async def test_every_file_that_a_page_names_is_there_and_kept(site, browser) -> None:
    page = await (await browser.get("/sign-in")).text()
    names = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(names) >= 6
    for name in names:
        answer = await browser.get(name)
        assert answer.status == 200
        kept = "immutable" if "?v=" in name else "max-age=3600"
        assert kept in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_styles_name_only_files_that_are_there(site, browser) -> None:
    style = await (await browser.get("/static/letterbell.css")).text()
    names = re.findall(r'url\("([^"]+)"\)', style)
    assert names
    for name in names:
        assert (await browser.get(f"/static/{name}")).status == 200


async def test_an_old_version_is_not_kept_for_ever(site, browser) -> None:
    answer = await browser.get("/static/letterbell.css?v=older")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"


@pytest.mark.parametrize(
    "name", ["nothing.css", "../__init__.py", "%2e%2e/__init__.py", "vendor", "vendor/", "..//"]
)
async def test_nothing_else_is_served(site, browser, name: str) -> None:
    assert (await browser.get(f"/static/{name}")).status == 404


def test_the_version_follows_the_bytes(tmp_path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    first = Assets(tmp_path, "/static/").url("a.css")
    (tmp_path / "a.css").write_text("b {}")
    second = Assets(tmp_path, "/static/").url("a.css")
    assert first != second
    assert first.startswith("/static/a.css?v=")
    with pytest.raises(KeyError):
        Assets(tmp_path, "/static/").url("b.css")

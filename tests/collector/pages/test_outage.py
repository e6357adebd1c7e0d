"""While the store is away, each page says so, and streams end to be tried again."""

import pytest

from collector.errors import StoreUnavailable


@pytest.fixture
async def signed_in(site, ana, browser):
    await browser.be(site, ana)
    await browser.get("/settings")
    return browser


@pytest.fixture
def cut(site, monkeypatch):
    """From the call on, the store answers nothing."""

    def away() -> None:
        async def fail(*_: object, **__: object) -> None:
            raise StoreUnavailable("disk I/O error")

        for name in ("read", "write", "record_sent"):
            monkeypatch.setattr(site.store, name, fail)

    return away


@pytest.mark.parametrize("path", ["/", "/mail/1", "/settings", "/live", "/live/1", "/sign-in"])
async def test_says_so_with_a_page(signed_in, cut, path: str) -> None:
    cut()
    answer = await signed_in.get(path)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "10"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    text = await answer.text()
    assert "Mail still goes out" in text
    assert "disk" not in text


async def test_nothing_is_taken_for_saved(signed_in, cut) -> None:
    cut()
    assert (await signed_in.post("/settings", {"opens": "on"})).status == 503


async def test_nobody_signs_in_nor_is_told_the_password_is_wrong(site, ana, browser, cut) -> None:
    await browser.get("/sign-in")
    cut()
    answer = await browser.post("/sign-in", {"login": "eve@example.com", "password": "x"})
    assert answer.status == 503


async def test_a_stream_ends_to_be_tried_again(site, ana, signed_in, cut) -> None:
    mail = await site.add_mail(ana)
    answer = await signed_in.session.get(f"{site.url}/live")
    # The list's first event, and the bell's.
    first = [await answer.content.readuntil(b"\r\n\r\n") for _ in range(2)]
    assert f"mail-{mail}".encode() in b"".join(first)
    cut()
    site.feed.publish(ana.id, mail)
    assert await answer.content.read() == b""

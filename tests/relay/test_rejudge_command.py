"""`letterbell rejudge`, over a store with hits."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner
from sites import SENT_MS, open_site

from relay.cli import main

AHREFS = "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A site with a hit of a crawler, judged a person's by the rules of its time."""

    async def fill() -> None:
        async with open_site(tmp_path) as site:
            ana = await site.senders.add("ana@example.com", "secret", ["ana@example.com"])
            mail = await site.add_mail(ana)
            await site.deliver(ana, mail, "250 ok", "delivered")
            await site.hit(ana, mail, "open", agent=AHREFS)
            await site.hit(ana, mail, "open", verdict="tool", rule="head")

    asyncio.run(fill())
    path = tmp_path / "letterbell.toml"
    path.touch(0o600)
    path.write_text(
        '[upstream]\nhost = "smtp.example.com"\n[http]\npublic_url = "https://t.example.com"\n'
        f'[tokens]\nkeys = ["1:{"k" * 43}"]\n'
    )
    return path


def run(config: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["rejudge", "--config", str(config), *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_tells_what_changes_by_rule(config: Path) -> None:
    told = run(config, "--dry-run")
    assert told.splitlines()[0].split() == ["RULE", "HITS", "KEPT", "CHANGED", "NOT", "JUDGED"]
    assert "1 of browser would be crawler" in told
    assert "2 hits: 1 would change, 1 kept, of which 0 could not be judged." in told
    told = run(config)
    assert ["browser", "1", "0", "1", "0"] in [line.split() for line in told.splitlines()]
    assert "1 of browser are now crawler" in told
    assert "2 hits: 1 changed, 1 kept" in told
    assert "2 hits: 0 changed, 2 kept" in run(config)


def test_since_a_day(config: Path) -> None:
    assert SENT_MS < 1_800_000_000_000
    assert "0 hits" in run(config, "--since", "2030-01-01")
    assert "2 hits" in run(config, "--since", "2023-11-01")


def test_a_bad_list_is_told(config: Path) -> None:
    lists = config.parent / "lists"
    lists.mkdir()
    config.write_text(config.read_text() + '[verdict]\ndata = "lists"\n')
    result = CliRunner().invoke(main, ["rejudge", "--config", str(config)])
    assert result.exit_code == 1
    assert f"verdict.data: {lists} has no file" in result.output

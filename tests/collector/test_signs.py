"""Networks and agents have names, by data that an operator can put newer data over."""

import tomllib
from datetime import date
from importlib.resources import files
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.client import Address, truncate
from collector.signs import (
    AGENTS_FILE,
    CRAWLERS_FILE,
    NETWORKS_FILE,
    Signs,
    Undecided,
    UnusableSigns,
    kept_network,
    our_signs,
    read_signs,
)

DATED = 'source = "a test"\ndate = 2026-01-02\n'


def put(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content)
    return folder


def test_each_table_says_where_it_is_from_and_of_when() -> None:
    for name in (NETWORKS_FILE, AGENTS_FILE):
        text = (files("collector") / "data" / name).read_text()
        tables = tomllib.loads(text)
        assert len(tables) > 5
        for table in tables.values():
            assert table["source"]
            assert table["date"] >= our_signs().oldest


# Networks of few addresses, so that one is often inside another, or beside it.
some_networks = st.lists(
    st.tuples(st.integers(0, 63), st.integers(26, 32)).map(
        lambda pair: ip_network((0xC6336400 | pair[0] >> (32 - pair[1]) << (32 - pair[1]), pair[1]))
    ),
    max_size=6,
    unique=True,
)


@given(some_networks, st.integers(0, 63), st.integers(24, 32))
def test_names_are_those_of_the_narrowest(networks: list[Any], last: int, length: int) -> None:
    """Held against looking at every network there is, for an address and for a whole network."""
    signs = Signs({str(each): [each] for each in networks}, {}, date(2026, 1, 2))

    def narrowest(address: Address) -> str | None:
        holding = [each for each in networks if address in each]
        return str(max(holding, key=lambda each: each.prefixlen)) if holding else None

    where = ip_address(0xC6336400 | last)
    assert signs.network(where) == narrowest(where)
    whole = ip_network(f"{where}/{length}", strict=False)
    names = {narrowest(each) for each in whole}
    if len(names) == 1:
        assert signs.whole_network(whole) == names.pop()
    else:
        with pytest.raises(Undecided):
            signs.whole_network(whole)


@given(st.ip_addresses() | st.sampled_from(["66.249.84.1", "2620:101:2006::1", "40.93.255.255"]))
def test_an_address_is_named_by_a_network_that_holds_it(address: Address | str) -> None:
    where = ip_address(address)
    tables = tomllib.loads((files("collector") / "data" / NETWORKS_FILE).read_text())
    holding = {
        name
        for name, table in tables.items()
        if any(where in ip_network(each) for each in table["networks"])
    }
    found = our_signs().network(where)
    assert found in (holding or {None})


def test_of_two_networks_the_narrower_counts(tmp_path: Path) -> None:
    tables = f'[google]\n{DATED}networks = ["198.51.0.0/16"]\n'
    tables += f'[barracuda]\n{DATED}networks = ["198.51.100.0/24"]\n'
    signs = read_signs(put(tmp_path, NETWORKS_FILE, tables))
    assert signs.network(ip_address("198.51.100.9")) == "barracuda"
    assert signs.network(ip_address("198.51.101.9")) == "google"
    assert signs.network(None) is None


def test_what_is_kept_of_an_address_names_its_network_only_as_a_whole(tmp_path: Path) -> None:
    tables = f'[google]\n{DATED}networks = ["198.51.0.0/23", "2001:db8:1::/48"]\n'
    tables += f'[barracuda]\n{DATED}networks = ["198.51.1.128/25", "203.0.113.7/32"]\n'
    signs = read_signs(put(tmp_path, NETWORKS_FILE, tables))

    def whole(address: str) -> str | None:
        kept = truncate(ip_address(address))
        assert kept is not None
        return signs.whole_network(kept_network(kept))

    assert whole("198.51.0.200") == "google"
    assert whole("2001:db8:1:2::3") == "google"
    assert whole("192.0.2.1") is None
    assert signs.whole_network(kept_network(ip_address("203.0.113.7").packed)) == "barracuda"
    assert signs.whole_network(kept_network(ip_address("2001:db8:1::9").packed)) == "google"
    for half_named in ("198.51.1.1", "203.0.113.99"):
        with pytest.raises(Undecided):
            whole(half_named)


def test_a_table_of_the_operators_takes_the_place_of_ours(tmp_path: Path) -> None:
    put(tmp_path, NETWORKS_FILE, f'[barracuda]\n{DATED}networks = ["198.51.100.0/24"]\n')
    put(tmp_path, AGENTS_FILE, f'[preview]\n{DATED}contains = ["NewChat"]\n')
    put(tmp_path, CRAWLERS_FILE, '[{"pattern": "^Crawls\\\\b"}]')
    signs = read_signs(tmp_path)
    assert signs.network(ip_address("198.51.100.1")) == "barracuda"
    assert signs.network(ip_address("209.222.82.1")) is None
    assert signs.network(ip_address("40.92.0.1")) == "safe-links"
    assert signs.families("Mozilla/5.0 (newchat/2)") == {"preview", "browser"}
    assert signs.families("Slackbot 1.0") == frozenset()
    assert signs.families("Crawls here") == {"crawler"}
    assert "tool" in signs.families("curl/8")
    assert signs.families("recurl/8") == frozenset()


def test_a_family_can_be_switched_off(tmp_path: Path) -> None:
    signs = read_signs(put(tmp_path, AGENTS_FILE, f"[tool]\n{DATED}"))
    assert "tool" not in signs.families("curl/8")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (NETWORKS_FILE, "[google", "is not TOML"),
        (NETWORKS_FILE, f"[gogle]\n{DATED}networks = []", "[gogle], which no rule knows"),
        (NETWORKS_FILE, f'[google]\n{DATED}networks = ["10.0.0.1/8"]', "google.networks.0"),
        (NETWORKS_FILE, "[google]\nnetworks = []", "google.source"),
        (NETWORKS_FILE, '[google]\nsource = "x"\nnetworks = []', "google.date"),
        (AGENTS_FILE, f'[tool]\n{DATED}contains = [""]', "tool.contains.0"),
        (AGENTS_FILE, f'[tool]\n{DATED}contain = ["x"]', "tool.contain"),
        (CRAWLERS_FILE, "{", "as a whole"),
        (CRAWLERS_FILE, '[{"pattern": "a"}, {"pattern": "("}]', "no regular expression"),
    ],
)
def test_a_bad_file_is_told_with_its_place(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    with pytest.raises(UnusableSigns) as raised:
        read_signs(put(tmp_path, name, content))
    assert told in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)


def test_a_folder_without_files_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UnusableSigns, match=r"networks\.toml, agents\.toml"):
        read_signs(tmp_path)
    (tmp_path / NETWORKS_FILE).write_bytes(b"\xff")
    with pytest.raises(UnusableSigns, match="UTF-8"):
        read_signs(tmp_path)
    (tmp_path / NETWORKS_FILE).unlink()
    (tmp_path / NETWORKS_FILE).mkdir()
    with pytest.raises(UnusableSigns, match="cannot be read"):
        read_signs(tmp_path)

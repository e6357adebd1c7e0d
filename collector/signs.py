"""What gives a hit's maker away: networks and agents that are known by name (verdict.py has rules).

They are data, in collector/data, each with its source and date. A folder of the operator's may hold
newer files of the same names: a table there takes the place of ours. Crawlers beyond our own table
are those of the crawler-user-agents project; its file in that folder takes its place as a whole.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from collector.client import Address

NETWORKS_FILE = "networks.toml"
AGENTS_FILE = "agents.toml"
CRAWLERS_FILE = "crawler-user-agents.json"
FILES = (NETWORKS_FILE, AGENTS_FILE, CRAWLERS_FILE)
MAX_REMEMBERED = 10_000
_AT_ONCE = 25  # patterns in one expression: many small ones are searched faster than a large one

Network = IPv4Network | IPv6Network


class UnusableSigns(Exception):  # noqa: N818 - named for what they are
    """A file of signs that cannot be used: which, what is wrong, and how to mend it."""

    def __init__(self, file: Path, problem: str, mend: str) -> None:
        super().__init__(f"{file} {problem}: {mend}")
        self.file = file
        self.problem = problem
        self.mend = mend


class Undecided(Exception):  # noqa: N818 - an answer
    """Part of a network has a name, the rest has not."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, Field(min_length=1)]
    date: date


class _NetworkTable(_Table):
    networks: tuple[Network, ...]


_Text = Annotated[str, Field(min_length=1)]


class _AgentTable(_Table):
    equals: tuple[str, ...] = ()
    begins: tuple[_Text, ...] = ()
    ends: tuple[_Text, ...] = ()
    contains: tuple[_Text, ...] = ()
    without: tuple[_Text, ...] = ()


class _Crawler(BaseModel):
    pattern: str
    tags: tuple[str, ...] = ()


_Tables = TypeVar("_Tables", bound=_Table)
_NETWORK_TABLES = TypeAdapter(dict[str, _NetworkTable])
_AGENT_TABLES = TypeAdapter(dict[str, _AgentTable])
_CRAWLERS = TypeAdapter(tuple[_Crawler, ...])


@dataclass(frozen=True, slots=True)
class _Family:
    """Agents that one of `patterns` finds, and `without` does not."""

    patterns: tuple[re.Pattern[str], ...]
    without: re.Pattern[str] | None = None

    def has(self, agent: str) -> bool:
        if not any(pattern.search(agent) for pattern in self.patterns):
            return False
        return self.without is None or not self.without.search(agent)


class Signs:
    """Names networks and agents. `oldest` is the date of the oldest table."""

    def __init__(
        self,
        networks: Mapping[str, Sequence[Network]],
        families: Mapping[str, _Family],
        oldest: date,
    ) -> None:
        self.oldest = oldest
        self._families = families
        self._spans = {version: _spans(networks, version) for version in (4, 6)}
        self.families = lru_cache(MAX_REMEMBERED)(self._find_families)

    def network(self, address: Address | None) -> str | None:
        """Whose network the address lies in, or None. Of two, the narrower counts."""
        if address is None:
            return None
        starts, names = self._spans[address.version]
        return names[bisect_right(starts, int(address)) - 1]

    def whole_network(self, network: Network) -> str | None:
        """Whose network all of it lies in, or None if none of it lies in any. Raises Undecided."""
        starts, names = self._spans[network.version]
        first = bisect_right(starts, int(network.network_address)) - 1
        last = bisect_right(starts, int(network.broadcast_address))
        [name, *others] = set(names[first:last])
        if others:
            raise Undecided
        return name

    def _find_families(self, agent: str) -> frozenset[str]:
        """The families that an agent belongs to; "crawler" and "crawler-preview" among them."""
        return frozenset(name for name, family in self._families.items() if family.has(agent))


@cache
def our_signs() -> Signs:
    """Those that came with this version."""
    return read_signs()


def read_signs(folder: Path | None = None) -> Signs:
    """Ours, with the operator's files of `folder` over them. Raises UnusableSigns; it blocks."""
    ours = files("collector") / "data"
    theirs: Mapping[str, Path] = {} if folder is None else _find_files(folder)
    networks = _tables(_NETWORK_TABLES, NETWORKS_FILE, ours, theirs)
    agents = _tables(_AGENT_TABLES, AGENTS_FILE, ours, theirs)
    families = {name: _family(table) for name, table in agents.items()}
    return Signs(
        {name: table.networks for name, table in networks.items()},
        families | _crawlers(theirs.get(CRAWLERS_FILE)),
        min(table.date for table in (*networks.values(), *agents.values())),
    )


def kept_network(octets: bytes) -> Network:
    """What is kept of an address: all of it, or the /24 or /48 that `client.truncate` left."""
    bits = 8 * len(octets)
    whole = 4 if len(octets) <= 4 else 16
    return ip_network((octets.ljust(whole, b"\0"), bits))


def _spans(
    networks: Mapping[str, Sequence[Network]], version: int
) -> tuple[list[int], list[str | None]]:
    """All addresses of a version in spans: where each begins, in order, and its name."""
    starts: list[int] = [0]
    names: list[str | None] = [None]
    inside: list[tuple[int, str]] = []  # the networks that have begun: last address, name

    def begin(start: int) -> None:
        if starts[-1] == start:
            del starts[-1], names[-1]
        starts.append(start)
        names.append(inside[-1][1] if inside else None)

    def end(before: int | None = None) -> None:
        while inside and (before is None or inside[-1][0] < before):
            begin(inside.pop()[0] + 1)

    ranges = ((name, each) for name, found in networks.items() for each in found)
    # Networks are one inside the other or apart: the wider ones first.
    for each, name in sorted((each, name) for name, each in ranges if each.version == version):
        first = int(each.network_address)
        end(before=first)
        inside.append((int(each.broadcast_address), name))
        begin(first)
    end()
    return starts, names


def _find_files(folder: Path) -> dict[str, Path]:
    found = {name: folder / name for name in FILES if (folder / name).exists()}
    if not found:
        raise UnusableSigns(folder, "has no file of signs", f"put one there of {', '.join(FILES)}")
    return found


def _tables(
    adapter: TypeAdapter[dict[str, _Tables]],
    name: str,
    ours: Traversable,
    theirs: Mapping[str, Path],
) -> dict[str, _Tables]:
    known = adapter.validate_python(tomllib.loads((ours / name).read_text(encoding="utf-8")))
    path = theirs.get(name)
    if path is None:
        return known
    try:
        tables = adapter.validate_python(tomllib.loads(_read(path)))
    except tomllib.TOMLDecodeError as error:
        raise UnusableSigns(path, "is not TOML", str(error)) from None
    except ValidationError as error:
        raise _refusal(path, error) from None
    if strange := [table for table in tables if table not in known]:
        problem = f"has a table [{strange[0]}], which no rule knows"
        raise UnusableSigns(path, problem, f"the tables are {', '.join(known)}")
    return known | tables


def _crawlers(path: Path | None) -> dict[str, _Family]:
    if path is None:
        text = (files("crawleruseragents") / CRAWLERS_FILE).read_text(encoding="utf-8")
    else:
        text = _read(path)
    try:
        crawlers = _CRAWLERS.validate_json(text)
    except ValidationError as error:
        raise _refusal(path or Path(CRAWLERS_FILE), error) from None
    by_family: dict[str, list[str]] = {"crawler-preview": [], "crawler": []}
    for each in crawlers:
        family = "crawler-preview" if "social-preview" in each.tags else "crawler"
        by_family[family].append(each.pattern)
    try:
        return {name: _Family(tuple(_compile(each))) for name, each in by_family.items()}
    except re.error as error:
        problem = f"has a pattern that is no regular expression, among {error.pattern!r:.200}"
        raise UnusableSigns(path or Path(CRAWLERS_FILE), problem, str(error)) from None


def _compile(patterns: Sequence[str]) -> Iterator[re.Pattern[str]]:
    """In the case that they have, as the project means them."""
    for start in range(0, len(patterns), _AT_ONCE):
        yield re.compile("|".join(patterns[start : start + _AT_ONCE]))


def _family(table: _AgentTable) -> _Family:
    patterns = (
        *(rf"\A{text}\Z" for text in map(re.escape, table.equals)),
        *(rf"\A{text}" for text in map(re.escape, table.begins)),
        *(rf"{text}\Z" for text in map(re.escape, table.ends)),
        *_inside(table.contains),
    )
    without = tuple(_inside(table.without))
    return _Family((_any_of(patterns),) if patterns else (), _any_of(without) if without else None)


def _inside(texts: Iterable[str]) -> Iterator[str]:
    return (rf"(?<![A-Za-z0-9]){re.escape(text)}" for text in texts)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise UnusableSigns(path, problem, "let letterbell's user read it") from None
    except UnicodeDecodeError:
        raise UnusableSigns(path, "is not UTF-8", "save it as UTF-8 text") from None


def _refusal(path: Path, error: ValidationError) -> UnusableSigns:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return UnusableSigns(path, f"at {where}" if where else "as a whole", first["msg"])

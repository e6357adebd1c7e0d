"""One person, by the mail address: known again in texts and in files, as they may spell it. Pure,
but for files.

An address counts in any case. In prose it may be written for a URL, for HTML or within JSON, and
must stand by itself: bob@example.org is not in jimbob@example.org. In a file any place will do.
"""

import json
import re
from html import escape
from pathlib import Path
from urllib.parse import quote

FORGOTTEN = "(forgotten)"
CHUNK = 1_048_576


class Person:
    """Whoever has the address, which needs an "@" and something before and behind."""

    def __init__(self, address: str) -> None:
        """Raises ValueError for a text that is no address."""
        local, at, domain = address.strip().rpartition("@")
        if not (local and at and domain) or not address.isprintable():
            raise ValueError(f"{address!r} is no mail address; write name@example.com")
        self.address = address.strip()
        self._key = self.address.casefold()
        written = "".join(map(_any_spelling, self.address))
        # A percent sign's digits do not belong to the word behind them.
        self._in_text = re.compile(
            rf"(?:(?<![\w.+-])|(?<=%[0-9a-f]{{2}})){written}(?![\w-]|\.\w)", re.IGNORECASE
        )
        self._in_file = re.compile(b"".join(map(_any_octets, self.address)))
        # Every spelling holds this, in some case: ASCII's letters and digits are never encoded.
        self.needle = max(re.findall(r"[A-Za-z0-9]+", self.address), key=len, default="")

    def is_at(self, address: str) -> bool:
        """Whether it is this person's address."""
        return address.casefold() == self._key

    def is_in(self, text: str) -> bool:
        """Whether the address stands in it by itself."""
        return self._in_text.search(text) is not None

    def blank(self, text: str) -> str:
        """The text without the address."""
        return self._in_text.sub(FORGOTTEN, text)

    def is_in_file(self, path: Path) -> bool:
        """Whether its octets hold the address anywhere; a file that is not there holds nothing.
        Blocks, and raises OSError.
        """
        overlap = 12 * len(self.address)
        rest = b""
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    if self._in_file.search(rest + chunk):
                        return True
                    rest = (rest + chunk)[-overlap:]
        except FileNotFoundError:
            pass
        return False


def _spellings(char: str) -> list[str]:
    """One character as it is, in a URL, in JSON and in HTML."""
    written = [char, quote(char, safe=""), json.dumps(char)[1:-1]]
    if not char.isalnum():
        written += [escape(char), f"&#{ord(char)};"]
    # The longest first: a backslash in JSON begins as one by itself does.
    return sorted(dict.fromkeys(written), key=len, reverse=True)


def _any_spelling(char: str) -> str:
    return f"(?:{'|'.join(map(re.escape, _spellings(char)))})"


def _any_octets(char: str) -> bytes:
    """The same, in both cases and in UTF-8."""
    cases = [each for case in (char.lower(), char.upper()) for each in _spellings(case)]
    cases += [each.lower() for each in cases]
    octets = dict.fromkeys(each.encode("utf-8", "surrogatepass") for each in cases)
    return b"(?:" + b"|".join(map(re.escape, octets)) + b")"

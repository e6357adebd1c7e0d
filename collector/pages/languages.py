"""The languages of the pages: which one a reader wants, and its words.

English stands in templates and code; the others are gettext catalogues in translations/ (what
recipients read) and translations/sender/ (what senders read), read as they are when the application
is made, so nothing is compiled.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

FOLDER = Path(__file__).parent / "translations"
# Each by its own name, in the order that they are offered in.
NAMES = {
    "en": "English",
    "de": "Deutsch",
    "es": "Español",
    "et": "Eesti",
    "fr": "Français",
    "it": "Italiano",
    "nl": "Nederlands",
    "pt": "Português",
}
DEFAULT = "en"
MAX_HEADER = 1_000  # characters of Accept-Language that are looked at


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its code (ISO 639), its own name, its words."""

    code: str
    name: str
    words: NullTranslations

    @classmethod
    def english(cls) -> "Language":
        """The one that needs no catalogue."""
        return cls(DEFAULT, NAMES[DEFAULT], NullTranslations())

    def date(self, milliseconds: int) -> str:
        """The day of a moment (UTC), as it is written out."""
        day = datetime.fromtimestamp(milliseconds / 1000, UTC).date()
        return format_date(day, "long", locale=self.code)


def read_languages(folder: Path = FOLDER) -> dict[str, Language]:
    """All languages by their codes, with the words of the catalogues in `folder`."""
    others = {
        code: Language(code, name, _read_words(folder / f"{code}.po", code))
        for code, name in NAMES.items()
        if code != DEFAULT
    }
    return {DEFAULT: Language.english()} | others


def choose(asked: str | None, accepted: str) -> str:
    """The code of the language that a reader has `asked` for, else `accepted` (RFC 9110 §12.5.4)
    most, else English."""
    if asked in NAMES:
        return asked
    weights: dict[str, float] = {}
    for each in accepted[:MAX_HEADER].split(","):
        tag, _, weight = each.partition(";")
        code = tag.strip().lower().partition("-")[0]
        if code in NAMES:
            weights[code] = max(weights.get(code, 0), _read_weight(weight))
    wanted = max(weights, key=lambda code: weights[code], default=DEFAULT)
    return wanted if weights.get(wanted) else DEFAULT


def _read_weight(parameter: str) -> float:
    name, _, value = parameter.replace(" ", "").partition("=")
    if name.lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _read_words(path: Path, code: str) -> NullTranslations:
    with path.open("rb") as file:
        catalog = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)

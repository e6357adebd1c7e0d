"""The languages of the pages that recipients see: which one a reader wants, and its words.

English stands in the templates; the others are gettext catalogues in translations/, read as they
are when the application is made, so nothing is compiled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import jinja2
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

    def date(self, milliseconds: int) -> str:
        """The day of a moment (UTC), as it is written out."""
        day = datetime.fromtimestamp(milliseconds / 1000, UTC).date()
        return format_date(day, "long", locale=self.code)


def read_languages() -> dict[str, Language]:
    """All languages by their codes."""
    return {code: Language(code, name, _read_words(code)) for code, name in NAMES.items()}


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


@jinja2.pass_context
def say(context: Mapping[str, Any], text: str, **values: object) -> str:
    """For templates: a text of theirs in the page's `language`; `values` fill its %(names)s."""
    language: Language = context["language"]
    return language.words.gettext(text) % values


def _read_weight(parameter: str) -> float:
    name, _, value = parameter.replace(" ", "").partition("=")
    if name.lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _read_words(code: str) -> NullTranslations:
    if code == DEFAULT:
        return NullTranslations()
    with (FOLDER / f"{code}.po").open("rb") as file:
        catalog = read_po(file, locale=code)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)

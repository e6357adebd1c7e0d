"""Every text in every language, with the same names in it; and the language that a reader wants."""

import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from jinja2.ext import babel_extract

from collector import pages
from collector.pages.languages import DEFAULT, FOLDER, NAMES, choose, read_languages
from collector.pages.notice import TEXT_VERSION

HERE = Path(pages.__file__).parent
OTHERS = sorted(NAMES.keys() - {DEFAULT})
# What recipients agree to is known by its version: who changes a word of it dates it anew.
WORDS = {"2026-11-28": "f519a3a3cf63a00b"}


def texts() -> Iterator[str]:
    """All that recipients read: what its templates and its code have marked."""
    sources = [(path, babel_extract) for path in HERE.glob("templates/notice/*.html")]
    sources += [(HERE / "notice.py", "python")]
    for path, method in sources:
        with path.open("rb") as file:
            found = list(extract(method, file, keywords={"_": None}))
        yield from (text for _, text, _, _ in found)


TEXTS = sorted(set(texts()))


def catalog(code: str) -> Catalog:
    with (FOLDER / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


def test_there_are_texts_and_eight_languages() -> None:
    assert len(TEXTS) > 25
    assert "Your choice" in TEXTS
    assert "Too many tries" in TEXTS
    assert len(NAMES) == 8
    assert {path.stem for path in FOLDER.glob("*.po")} == set(OTHERS)


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_there_and_no_other(code: str) -> None:
    found = {str(each.id): each for each in catalog(code) if each.id}
    assert sorted(found) == TEXTS
    assert not catalog(code).obsolete
    for text, each in found.items():
        assert isinstance(each.string, str)
        assert each.string.strip()
        assert each.string != text
        assert not each.fuzzy
        assert sorted(re.findall(r"%\(\w+\)s|%", each.string)) == sorted(
            re.findall(r"%\(\w+\)s|%", text)
        )


@pytest.mark.parametrize("code", NAMES)
def test_languages_read_as_they_are_written(code: str) -> None:
    language = read_languages()[code]
    assert (language.code, language.name) == (code, NAMES[code])
    assert "2023" in language.date(1_700_000_000_000)
    spoken = language.words.gettext("Your choice")
    assert (spoken == "Your choice") is (code == DEFAULT)


@pytest.mark.parametrize(
    ("asked", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "de", "de"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "sv, pt-BR;q=0.4, et;q=0.5", "et"),
        (None, "fr;q=0, it;q=0.1", "it"),
        (None, "fr;q=0", "en"),
        (None, "FR_fr, nl", "nl"),
        (None, "en;q=0.5, es;q=0.5", "en"),
        (None, "es;q=0.5, en;q=0.5", "es"),
        (None, "it;q=loud, nl ; Q = 0.3", "nl"),
        (None, "it;q=nan, nl;q=0.1", "nl"),
        (None, "*", "en"),
        ("it", "de", "it"),
        ("xx", "de", "de"),
        ("", "de", "de"),
    ],
)
def test_the_language_that_a_reader_wants(asked: str | None, accepted: str, code: str) -> None:
    assert choose(asked, accepted) == code


@given(st.text() | st.none(), st.text())
def test_any_header_chooses_one(asked: str | None, accepted: str) -> None:
    assert choose(asked, accepted) in NAMES


def test_the_version_is_of_these_words() -> None:
    said = [*TEXTS, *(str(catalog(code)[text].string) for code in OTHERS for text in TEXTS)]  # type: ignore[union-attr]
    digest = blake2b("\n".join(said).encode(), digest_size=8).hexdigest()
    assert WORDS[TEXT_VERSION] == digest

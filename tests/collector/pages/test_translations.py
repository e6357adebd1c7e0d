"""Every text that senders read, in every language, with the same names filled in."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

import collector
from collector.pages.languages import DEFAULT, FOLDER, NAMES, read_languages

ROOT = Path(collector.__file__).parents[1]
OTHERS = sorted(NAMES.keys() - {DEFAULT})
KEYWORDS = {"_": None, "say": None, "say_number": (1, 2), "_n": (1, 2)}
FILLED = re.compile(r"%\(\w+\)s")


def texts() -> set[str | tuple[str, str]]:
    """All that templates and code have marked; (one, many) where a number tells."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT / "collector", methods, options, keywords=KEYWORDS)  # type: ignore[arg-type]
    return {text for _, _, text, _, _ in found}


TEXTS = texts()


def catalog(code: str) -> Catalog:
    with (FOLDER / "sender" / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


def forms(message: Message) -> tuple[str, ...]:
    """A translation, for each kind of number."""
    return message.string if isinstance(message.string, tuple) else (str(message.string),)


def test_texts_are_found_in_templates_and_in_code() -> None:
    assert {"Sign out", "Opened", "Saved."} <= TEXTS
    assert any(isinstance(text, tuple) for text in TEXTS)
    assert "Your choice" not in TEXTS  # recipients' texts have catalogues of their own


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_there_and_no_other(code: str) -> None:
    """`make translations` brings what is missing; then it wants words."""
    messages = {each.id: each for each in catalog(code) if each.id}
    assert set(messages) == TEXTS
    assert not catalog(code).obsolete
    for text, message in messages.items():
        texts = text if isinstance(text, tuple) else (text,)
        wanted = {name for each in texts for name in FILLED.findall(each)}
        assert not message.fuzzy, text
        for form in forms(message):
            assert form.strip(), text
            assert set(FILLED.findall(form)) == wanted, text
            assert "%" not in FILLED.sub("", form) or "%" in FILLED.sub("", texts[0]), text


@pytest.mark.parametrize("code", NAMES)
def test_languages_are_spoken(code: str) -> None:
    words = read_languages(FOLDER / "sender")[code].words
    assert (words.gettext("Sign out") == "Sign out") is (code == DEFAULT)

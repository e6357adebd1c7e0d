"""What a person sees of a link, read by BeautifulSoup when someone looks, not while mail waits."""

from __future__ import annotations

from bs4 import BeautifulSoup

_BLOCKS = (
    *("p", "div", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "center"),
    *("ul", "ol", "li", "dl", "dt", "dd", "table", "caption", "tr", "td", "th"),
)


def read_label(html: str) -> str:
    """The text of a fragment of HTML on one line; where it has none, its images' alt texts.

    `html` is what stands between a link's tags (or the whole tag of an `area`). Returns `""`
    where there is nothing to read.
    """
    if "<" not in html and "&" not in html:
        return " ".join(html.split())
    soup = _read(html)
    text = _text(soup)
    if text:
        return text
    alts = (str(element.get("alt", "")) for element in soup.find_all(["img", "area"]))
    return " ".join(" ".join(alts).split())


def read_snippet(html: str, length: int = 140) -> str:
    """The first `length` characters that a person reads in a mail, on one line.

    What mail programs hide as well (style, script, the title) is left out.
    """
    soup = _read(html)
    for hidden in soup(["style", "script", "title", "head"]):
        hidden.decompose()
    return _text(soup)[:length]


def _read(html: str) -> BeautifulSoup:
    # The space keeps BeautifulSoup from taking a text that begins like a URL for one.
    return BeautifulSoup(" " + html, "lxml")


def _text(soup: BeautifulSoup) -> str:
    """All text on one line. Blocks stand apart as on a screen, words that change their face not."""
    for block in soup.find_all(_BLOCKS):
        block.insert(0, " ")
        block.append(" ")
    return " ".join(soup.get_text().split())

"""What may be kept of a user agent where the whole may not: its family. Pure.

A family is a program, and of a mail client or browser its system: "Firefox on Linux", "curl". It
never holds a "/", and nearly every agent does (RFC 9110 section 10.1.5): so one can be told from
the other, and a family is its own family.

ua-parser knows more of them, but takes 2 ms for an agent that it has not seen, and a third of a
second for the first: too dear inside the transaction that stores hits. This takes some 50 µs.
"""

import re
from functools import lru_cache

# Whoever fetches for others, or is no reader: in the order in which they are looked for, by the
# rules' own marks (verdict.py).
_MACHINES: tuple[tuple[str, str], ...] = (
    ("Apple's privacy proxy", r"^Mozilla/5\.0$"),
    ("Gmail's prefetch", r"Chrome/42\.0\.2311\.135 Safari/537\.36 Edge/12\.246 Mozilla/5\.0$"),
    ("Gmail's image proxy", r"GoogleImageProxy"),
    ("Yahoo's image proxy", r"YahooMailProxy"),
    ("Microsoft Office Discovery", r"Microsoft Office (Existence|Protocol) Disc"),
    *(
        (name, rf"\b{name}\b")
        for name in (
            *("Slackbot", "facebookexternalhit", "Twitterbot", "WhatsApp", "TelegramBot"),
            *("Discordbot", "SkypeUriPreview", "LinkedInBot", "BingPreview"),
            *("curl", "wget", "python-requests", "aiohttp", "Go-http-client", "okhttp"),
            *("HeadlessChrome", "PhantomJS"),
        )
    ),
    ("Java", r"\bJava/"),
    ("another bot", r"bot\b|crawler|spider"),
)
_READERS: tuple[tuple[str, str], ...] = (
    ("Outlook", r"Microsoft Outlook|ms-office|MSOffice"),
    ("Thunderbird", r"\bThunderbird\b"),
    ("Edge", r"\bEdg(e|A|iOS)?/"),
    ("Opera", r"\b(OPR|Opera)\b"),
    ("Samsung Internet", r"\bSamsungBrowser\b"),
    ("Firefox", r"\b(Firefox|FxiOS)\b"),
    ("Chrome", r"\b(Chrome|Chromium|CriOS)\b"),
    ("Safari", r"Version/.*Safari/"),
    ("Internet Explorer", r"\bMSIE |\bTrident/"),
    ("Apple Mail", r"AppleWebKit/(?!.*(Version/|Safari/))"),
    ("another browser", r"^Mozilla/"),
)
_SYSTEMS: tuple[tuple[str, str], ...] = (
    ("iOS", r"\b(iPhone|iPad|iPod)\b"),
    ("Android", r"\bAndroid\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\b(Macintosh|Mac OS X)\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Linux", r"\b(Linux|X11)\b"),
)
OTHER = "something else"

Table = tuple[tuple[str, re.Pattern[str]], ...]


def _compiled(table: tuple[tuple[str, str], ...]) -> Table:
    return tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in table)


MACHINES, READERS, SYSTEMS = map(_compiled, (_MACHINES, _READERS, _SYSTEMS))
FAMILIES = frozenset(
    [
        *(name for name, _ in MACHINES),
        *(name for name, _ in READERS),
        *(f"{name} on {system}" for name, _ in READERS for system, _ in SYSTEMS),
        OTHER,
        "",
    ]
)


@lru_cache(maxsize=1_000)
def find_family(agent: str) -> str:
    """One of FAMILIES for any agent; "" for none."""
    if agent in FAMILIES:
        return agent
    if machine := _find(MACHINES, agent):
        return machine
    reader, system = _find(READERS, agent), _find(SYSTEMS, agent)
    return f"{reader} on {system}" if reader and system else reader or OTHER


def _find(table: Table, agent: str) -> str | None:
    return next((name for name, pattern in table if pattern.search(agent)), None)

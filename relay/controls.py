"""A message's own wishes about tracking: control headers, found, obeyed, and cut out.

A login may have a wish behind it as well, for all that one device sends.

Pure. Three rules. The headers go whatever they say, since they are between the sender and us. Two
that disagree: the more restrictive wins. One that cannot be read means "off" for all it may
control: a typing error must not track anybody.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from relay.envelope import Wishes
from relay.header import Field

OFF = Wishes(opens=False, clicks=False)

# Every word that the headers below know, in any case. Links are one toggle, whatever holds them.
WORDS: Mapping[str, bool | None] = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "htmlonly": True,
    "htmlandtext": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
    "none": False,
    "textonly": False,
    "default": None,
}

# What a login may end with behind its last "+".
NAMES: Mapping[str, Wishes] = {
    "track": Wishes(opens=True, clicks=True),
    "no-track": OFF,
    "opens": Wishes(opens=True),
    "no-opens": Wishes(opens=False),
    "links": Wishes(clicks=True),
    "no-links": Wishes(clicks=False),
}


def of_login(login: str) -> tuple[str, Wishes]:
    """The login without the wish behind its last "+", in any case, and that wish.

    Any other login comes back as it is: a "+" is a letter like all others there, and no login of
    ours ends with one of these words (collector/senders.py).
    """
    name, plus, word = login.rpartition("+")
    wishes = NAMES.get(word.strip().lower()) if plus else None
    return (login, Wishes()) if wishes is None else (name, wishes)


def read(content: bytes, fields: Sequence[Field]) -> tuple[Wishes, bytes]:
    """The wishes in the message's fields, and the message without those fields.

    All other octets stay; the very same object comes back when there are no control headers.
    """
    wishes, kept, start = Wishes(), [], 0
    for field in fields:
        reader = HEADERS.get(field.name)
        if reader:
            wishes &= reader(" ".join(field.value.decode("utf-8", "replace").split()))
            kept.append(content[start : field.start])
            start = field.end
    return wishes, b"".join([*kept, content[start:]]) if kept else content


def _word(value: object) -> bool | None:
    """A word of the table, anything else False: what cannot be read is off."""
    return WORDS.get(str(value).lower(), False)


def _opens(value: str) -> Wishes:
    return Wishes(opens=_word(value))


def _clicks(value: str) -> Wishes:
    return Wishes(clicks=_word(value))


def _both(value: str) -> Wishes:
    return Wishes(_word(value), _word(value))


def _track(value: str) -> Wishes:
    """`opens=true; clicks=false`, or one word for both."""
    if "=" not in value:
        return _both(value)
    wishes = Wishes()
    for pair in value.rstrip("; ").split(";"):
        name, _, word = pair.partition("=")
        one = {"opens": _opens, "clicks": _clicks}.get(name.strip().lower())
        wishes &= one(word.strip()) if one else OFF
    return wishes


def _no_track(value: str) -> Wishes:
    """Off by its presence, unless it says that it is not meant."""
    return Wishes() if WORDS.get(value.lower()) is False else OFF


def _in_json(opens: Sequence[str], clicks: Sequence[str], value: str) -> Wishes:
    """Two switches at their paths in a JSON object; a path that leads nowhere is no wish."""
    try:
        options = json.loads(value)
        return Wishes(_switch(options, opens), _switch(options, clicks))
    except (ValueError, RecursionError, AttributeError):
        return OFF


def _switch(options: Any, path: Sequence[str]) -> bool | None:
    for name in path:
        options = options.get(name)
        if options is None:
            return None
    return _word(options)


# Header, in lower case -> how its value is read. Ours first, then those of other services, so
# that a program written for them keeps its say.
HEADERS: Mapping[bytes, Callable[[str], Wishes]] = {
    b"x-track": _track,
    b"x-track-opens": _opens,
    b"x-track-links": _clicks,
    b"x-no-track": _no_track,
    b"x-pm-trackopens": _opens,
    b"x-pm-tracklinks": _clicks,
    b"x-mailgun-track": _both,
    b"x-mailgun-track-opens": _opens,
    b"x-mailgun-track-clicks": _clicks,
    b"x-smtpapi": partial(
        _in_json,
        ("filters", "opentrack", "settings", "enable"),
        ("filters", "clicktrack", "settings", "enable"),
    ),
    b"x-msys-api": partial(_in_json, ("options", "open_tracking"), ("options", "click_tracking")),
}

"""What stands in a message for the relay alone: found, obeyed, cut out.

That is its own wishes about tracking, in control headers and addresses, and to whom it goes unseen:
Bcc. A login may have a wish behind it as well, for all that one device sends.

Pure. Three rules. Controls go whatever they say, since they are between the sender and us. Two that
disagree: the more restrictive wins. A typing error must not track anybody: a header that cannot be
read means "off" for all it may control, an address that is no control is refused.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from operator import and_
from typing import Any

from relay.envelope import Refusal, Wishes
from relay.header import Field
from relay.mailboxes import cuts, read_list

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

# Never a domain of the world's (RFC 2606 §2): what is sent there by mistake arrives nowhere.
CONTROL_DOMAIN = b"letterbell.invalid"

# What stands before the "@" of a control address, or behind the last "+" of a login.
NAMES: Mapping[str, Wishes] = {
    "track": Wishes(opens=True, clicks=True),
    "no-track": OFF,
    "opens": Wishes(opens=True),
    "no-opens": Wishes(opens=False),
    "links": Wishes(clicks=True),
    "no-links": Wishes(clicks=False),
}

# Where the people stand whom a message is for: a control address among them counts, and goes.
DESTINATIONS = frozenset(
    {b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc", b"mail-followup-to"}
)
# Who stands here is in the envelope, and nobody else is to know (RFC 5322 §3.6.3). A signature may
# be over one of these, and does not verify then: that can be mended, a name once told cannot.
HIDDEN = frozenset({b"bcc", b"resent-bcc"})
_BLANKS = b' \t\r\n"\\'  # what some readers pass over within a domain, as they do over comments
_COMMENT = re.compile(rb"\((?:[^()]|\([^()]*\))*\)")


def of_recipient(address: bytes, domain: bytes) -> Wishes | None:
    """What an address wishes; None if it is not in the control addresses' domain (lower case).

    Raises Refusal (550) for one that is, and is none of them: it may not leave for the world.
    """
    name, _, host = address.lower().rpartition(b"@")
    if host != domain:
        return None
    wishes = NAMES.get(name.decode("latin-1"))
    if wishes is None:
        words = ", ".join(NAMES).encode()
        raise Refusal(550, b"5.1.1 At %b there are only %b" % (domain, words))
    return wishes.by("address", address.lower().decode("latin-1"))


def of_login(login: str) -> tuple[str, Wishes]:
    """The login without the wish behind its last "+", in any case, and that wish.

    Any other login comes back as it is: a "+" is a letter like all others there, and no login of
    ours ends with one of these words (collector/senders.py).
    """
    name, plus, word = login.rpartition("+")
    wishes = NAMES.get(word.strip().lower()) if plus else None
    return (login, Wishes()) if wishes is None else (name, wishes.by("login"))


def read(
    content: bytes, fields: Sequence[Field], domain: bytes | None = None
) -> tuple[Wishes, bytes]:
    """The wishes in the message's fields, and the message without them and without its Bcc.

    With a `domain`, also those of its addresses among the destinations: in the header of a mail
    that a program sends person by person, they are not among all its recipients. All other octets
    stay; the very same object comes back when there is nothing to cut out. Raises Refusal (550) for
    an unknown control address, and where it is not clear what to cut out.
    """
    wishes = Wishes()
    spans: list[tuple[int, int]] = []
    for field in fields:
        reader = HEADERS.get(field.name)
        if reader:
            said = reader(" ".join(field.value.decode("utf-8", "replace").split()))
            wishes &= said.by("header", _written(content, field))
            spans.append((field.start, field.end))
        elif field.name in DESTINATIONS:
            named, found = _of_destinations(content, field, domain) if domain else (Wishes(), [])
            wishes &= named
            spans += [(field.start, field.end)] if field.name in HIDDEN else found
    return wishes, _without(content, spans) if spans else content


def _written(content: bytes, field: Field) -> str:
    """The header's name as the mail spells it."""
    written = content[field.start : field.start + len(field.name)]
    return (written if written.lower() == field.name else field.name).decode("latin-1")


def _of_destinations(
    content: bytes, field: Field, domain: bytes
) -> tuple[Wishes, list[tuple[int, int]]]:
    """What the control addresses in a field wish, and what of the content goes with them."""
    text = field.value.lower().translate(None, _BLANKS)
    if domain not in text and domain not in _COMMENT.sub(b"", text):
        return Wishes(), []
    runs = read_list(field.value)
    if runs is None:
        raise Refusal(
            550,
            b"5.1.3 The %b header names %b and can be read in several ways: write Name <address>,"
            b" a name with special characters in double quotes" % (field.name.title(), domain),
        )
    places = [place for run in runs for place in run if place.start < place.end]
    named = [place.address and of_recipient(place.address, domain) for place in places]
    wishes = reduce(and_, filter(None, named), Wishes())
    if all(named):
        return wishes, [(field.start, field.end)]
    behind_colon = content.index(b":", field.start) + 1
    found = cuts(runs, lambda address: of_recipient(address, domain) is not None)
    return wishes, [(behind_colon + start, behind_colon + end) for start, end in found]


def _without(content: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    """The content without these spans, which come in order."""
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(content)]
    return b"".join(map(content.__getitem__, map(slice, starts, ends)))


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

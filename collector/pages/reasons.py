"""Why a mail, a link of it or its pixel was left as it is, in its sender's words.

By the rules of docs/explain.md, which are for the one who runs the relay; several that say the same
to a sender have one sentence here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collector.pages.speech import say, say_number
from collector.stats import SkippedRow


def _(text: str) -> str:
    return text


_ODD = _("it is put together in an unusual way, and a change might break it")
_SEALED = _("it is signed or encrypted, and a change would break that")
_OVERSEER = _("another server has signed it, and a change would break that")

# Of the whole mail; also of what its recipients object to, word by word as relay/objections.py.
_OF_MAIL: Mapping[str, str] = {
    "tracking is off": _("tracking is off for it"),
    "off for this message": _("the mail itself asked for that"),
    "off for this sender": _("your settings say so"),
    "null sender": _("it is a report and no letter"),
    "nothing to track": _("it has no link that can be wrapped, and no sure place for a pixel"),
    "no HTML part": _("it has no HTML, and plain text is sent as it is"),
    "signed": _SEALED,
    "encrypted": _SEALED,
    "S/MIME": _SEALED,
    "inline PGP": _SEALED,
    "protected headers (RFC 9788)": _SEALED,
    "carries a DKIM signature": _OVERSEER,
    "carries an ARC set": _OVERSEER,
    "a delivery report": _("it tells what became of another mail"),
    "a digest": _("it holds mails of others"),
    "an attached message": _("a mail within a mail stays as its sender wrote it"),
    "a minted URL is unusable": _("this site's own address cannot stand in a link"),
    "internal error": _("Letterbell made a mistake with it, and sent it as it came"),
    "no place for the footer": _("there is no sure place in it for the line to its recipients"),
    "its recipient has refused it": _("its recipient has refused it"),
    "its recipients have refused it": _("its recipients have refused it"),
    "its recipient has not agreed to it": _("its recipient has not agreed to it"),
    "its recipients have not agreed to it": _("its recipients have not agreed to it"),
    "its recipients have refused it or not agreed to it": _(
        "its recipients have refused it or not agreed to it"
    ),
    "what its recipients have decided cannot be read": _(
        "what its recipients have decided could not be read just then"
    ),
}

# Of one link; in front of it stands where it leads.
_OF_LINK: Mapping[str, str] = {
    "empty": _("leads nowhere"),
    "fragment": _("leads to a place in the mail itself"),
    "relative": _("does not begin with https://"),
    "scheme": _("only web addresses can be tracked"),
    "no host": _("names no site to lead to"),
    "unreadable host": _("names a site that cannot be"),
    "user in URL": _("holds a login, which is between the reader and the site"),
    "placeholder": _("a mailing service fills it in later"),
    "control character": _("holds a character that no link may hold"),
    "too long": _("is longer than 8,000 characters"),
    "undecodable": _("holds letters that cannot be read"),
    "own host": _("leads to Letterbell itself"),
    "unsubscribe": _("unsubscribes from the list"),
    "opt-out": _("is marked as one not to track"),
    "shows its URL": _("shows another site's address, of which mail programs would warn"),
    "end unclear": _("where it ends in the text is not clear"),
    "too many links": _("there are too many links in the mail"),
    "line too long": _("would make a line too long"),
}

# Of the pixel.
_OF_PIXEL: Mapping[str, str] = {
    "own pixel": _("there is one in it already"),
    "no sure place": _("there is no place where it would surely be loaded and never be seen"),
    "no HTML part": _("there is no HTML that could hold one"),
}

# Of a text within the mail; what is not here is odd.
_OF_TEXT: Mapping[str, str] = {
    "text too large": _("it is too large"),
    "charset": _("its characters are written in a way that hides where links begin"),
}

_OTHER_SCHEMES = {"mailto:": _("Mail address"), "tel:": _("Phone number")}

# Why nobody is told apart, and why recipients who object cost a mail its tracking.
_TOO_MANY = re.compile(r"more than (\d+) recipients")
_TOO_LARGE = re.compile(r"too large for (\d+) copies")
_SOME_OBJECT = "some recipients object, and it is "


@dataclass(frozen=True, slots=True)
class Leftover:
    """What was left as it is: what it is, why, and how many of it ("" of what is one)."""

    icon: str
    what: str
    why: str
    number: str


def say_reason(reason: str) -> str:
    """Why nothing of a mail is tracked, as the end of a sentence."""
    if reason in _OF_MAIL:
        return say(_OF_MAIL[reason])
    if reason.startswith(_SOME_OBJECT):
        why = say_shared(reason.removeprefix(_SOME_OBJECT))
        return say("some recipients object, and there cannot be a copy for each: %(why)s", why=why)
    return say(_ODD)


def say_shared(reason: str) -> str:
    """Why one copy went to all, as the end of a sentence."""
    if found := _TOO_MANY.fullmatch(reason):
        return say("it went to more than %(number)s recipients", number=found[1])
    if found := _TOO_LARGE.fullmatch(reason):
        return say("it is too large for %(number)s copies", number=found[1])
    return reason


def tell_left(skipped: Iterable[SkippedRow]) -> tuple[Leftover, ...]:
    """What was left as it is in a mail, the pixel and its texts first."""
    told = sorted((_tell(each) for each in skipped), key=lambda leftover: leftover.icon == "link")
    return tuple(told)


def _tell(row: SkippedRow) -> Leftover:
    if row.rule in _OF_LINK:
        what = row.example or say("A link")
        if row.example in _OTHER_SCHEMES:
            what = say(_OTHER_SCHEMES[row.example])
        number = say_number("%(number)s link", "%(number)s links", row.number)
        return Leftover("link", what, say(_OF_LINK[row.rule]), number)
    if row.rule in _OF_PIXEL:
        return Leftover("eye", say("The pixel"), say(_OF_PIXEL[row.rule]), "")
    why = say(_OF_TEXT.get(row.rule, _ODD))
    return Leftover("text", say("A text of the mail"), why, "")

"""What we say of a hit, a delivery, or who decided: honest words, one table each.

A verdict is a belief, so no sentence says more than is known: "likely", "may be no one", "not
counted".
"""

from collections.abc import Mapping

from collector.consent import Kind, Objection
from collector.families import OTHER, READERS, find_family
from collector.pages.speech import say, say_number
from collector.verdict import BELIEVED, RULES


def _(text: str) -> str:
    return text


# verdict -> (of an open, of a click, who it was as far as we know)
_HITS = {
    "person": (_("Opened"), _("Link followed"), _("likely a person")),
    "proxy": (
        _("Opened"),
        _("Link followed"),
        _("likely a person, through their mail service"),
    ),
    "prefetch": (_("Loaded in advance"), _("Link fetched in advance"), _("may be no one")),
    "scanner": (
        _("Loaded by a security scanner"),
        _("Link checked by a security scanner"),
        _("likely no reader"),
    ),
    "preview": (
        _("Loaded to show a preview in a chat"),
        _("Link previewed in a chat"),
        _("likely no reader"),
    ),
    "tool": (_("Loaded by a program"), _("Link fetched by a program"), _("likely no reader")),
    "self": (_("Your own view"), _("Your own click"), _("likely you")),
    "unknown": (
        _("Loaded by something unknown"),
        _("Link fetched by something unknown"),
        _("may be anyone"),
    ),
}

# What says more than its verdict: the rule that fired -> (of an open, of a click)
_HITS_BY_RULE = {
    "apple-prefetch": (
        _("Loaded by Apple's privacy proxy"),
        _("Link fetched by Apple's privacy proxy"),
    ),
    "gmail-prefetch": (_("Loaded by Gmail in advance"), _("Link fetched by Gmail in advance")),
}

# the rule that fired -> why it speaks for the verdict
_RULES = {
    "head": _("It asked for headers only"),
    "purpose-prefetch": _("It said that it only prefetches"),
    "self-session": _("It came from the browser that you were signed in with"),
    "self-submission": _("It came from where you had lately sent mail from"),
    "self-page": _("It came from where you had lately looked at this page from"),
    "apple-prefetch": _("Apple Mail's privacy proxy loads everything, read or not"),
    "gmail-prefetch": _("Gmail fetches some mail before anyone reads it"),
    "office-discovery": _("Microsoft Office probes the server of a link"),
    "office-click": _("Outlook checks a link before it opens it"),
    "preview": _("Chat and social apps fetch links to show a card"),
    "tool": _("It named itself a program"),
    "no-agent": _("It did not say what it is"),
    "safe-links": _("It came from Microsoft's mail protection"),
    "barracuda": _("It came from Barracuda's mail protection"),
    "proofpoint": _("It came from Proofpoint's mail protection"),
    "mimecast": _("It came from Mimecast's mail protection"),
    "ironport": _("It came from Cisco's mail protection"),
    "before-delivery": _("It came before the mail was delivered"),
    "early-click": _("It came within seconds of the delivery"),
    "burst": _("It followed several links within two seconds"),
    "google-proxy": _("Gmail's image proxy fetches when the mail is opened"),
    "yahoo-proxy": _("Yahoo's image proxy fetches when the mail is opened"),
    "office-open": _("Outlook loads images when the mail is opened"),
    "crawler-preview": _("A list of crawlers knows it as one that makes previews"),
    "crawler": _("A list of crawlers knows it"),
    "apple-mail": _("Apple Mail, or its privacy proxy: hard to tell apart"),
    "browser": _("It looked like a person's browser or mail client"),
    "unrecognised": _("No rule knows it"),
}

# state -> (chip, sentence)
_STATES = {
    "sending": (_("Sending"), _("On its way; no answer yet")),
    "delivered": (_("Delivered"), _("Accepted by the mail server")),
    "deferred": (_("Delayed"), _("The mail server asked to try again later")),
    "refused": (_("Refused"), _("The mail server refused it")),
    "queued": (
        _("Queued"),
        _("In our keeping; it is tried again until the mail server takes it"),
    ),
}

_OBJECTIONS: Mapping[Objection, str] = {
    "refused": _("has refused"),
    "no consent": _("has not agreed"),
}
# What is not tracked (None: opens and links) -> (since it was sent, only later)
_UNTRACKED: Mapping[Kind | None, tuple[str, str]] = {
    None: (_("not tracked: %(why)s"), _("no longer tracked: %(why)s")),
    "open": (_("opens not tracked: %(why)s"), _("opens no longer tracked: %(why)s")),
    "click": (_("links not tracked: %(why)s"), _("links no longer tracked: %(why)s")),
}

# Who decided whether a message is tracked.
_ORIGINS = {
    "setting": _("by your settings"),
    "header": _("by a header in the mail itself"),
    "address": _("by a control address among its recipients"),
    "login": _("by the word behind your login"),
}

# A rule that is no surer than this may be wrong, or is little more than a guess.
_MAY_BE_WRONG, _A_GUESS = 0.7, 0.5
_CONFIDENCES = {rule.id: rule.confidence for rule in RULES}
_BROWSERS = frozenset(name for name, _ in READERS) - {"another browser"}


def say_hit(kind: str, verdict: str, rule: str = "") -> str:
    """What happened; `kind` is "open" or "click"."""
    words = _HITS_BY_RULE.get(rule) or _HITS.get(verdict, _HITS["unknown"])
    return say(words[kind == "click"])


def say_verdict(verdict: str) -> str:
    """Who made the hit, as far as we know."""
    return say(_HITS.get(verdict, _HITS["unknown"])[2])


def say_sighting(kind: str, verdict: str) -> str:
    """Both in one: "Opened, likely a person"."""
    return say("%(what)s, %(who)s", what=say_hit(kind, verdict), who=say_verdict(verdict))


def say_rule(rule: str) -> str:
    """Why the verdict, or the rule's own id where it has no words yet."""
    return say(_RULES[rule]) if rule in _RULES else rule


def say_weight(kind: str, verdict: str, rule: str) -> str:
    """Whether the hit counts, and how sure that is."""
    if verdict not in BELIEVED:
        counts = say("It is not counted.")
    elif kind == "click":
        counts = say("It counts as clicked.")
    else:
        counts = say("It counts as opened.")
    confidence = _CONFIDENCES.get(rule, 1.0)
    if confidence > _MAY_BE_WRONG:
        return counts
    if confidence > _A_GUESS:
        doubt = say("That may be wrong.")
    else:
        doubt = say("That is little more than a guess.")
    return f"{counts} {doubt}"


def say_busy() -> str:
    """Why a password can be neither hashed nor checked just now."""
    return say("Too many people are signing in just now. Please try again in a moment.")


def say_program(agent: str) -> str:
    """The mail program or browser by its agent, as in "Firefox on Windows"; "" for all others."""
    program, _, system = find_family(agent).partition(" on ")
    if program == OTHER or program not in _BROWSERS:
        return ""
    return say("%(program)s on %(system)s", program=program, system=system) if system else program


def say_state(state: str) -> tuple[str, str]:
    """A message's state as a chip and a sentence."""
    if state not in _STATES:
        return state.capitalize(), ""
    word, sentence = _STATES[state]
    return say(word), say(sentence)


def say_times(count: int) -> str:
    """As in "twice"."""
    if count == 1:
        return say("once")
    return say("twice") if count == 2 else say_number("%(number)s time", "%(number)s times", count)


def say_objections(objections: Mapping[Kind, Objection], *, since: bool = False) -> str:
    """Why a recipient's opens or clicks are not tracked, or no longer, `since` they have said so;
    "" where nothing speaks against it."""
    against = set(objections.values())
    if len(objections) == 2 and len(against) == 1:
        return _say_untracked(None, against.pop(), since)
    return "; ".join(
        _say_untracked(kind, objection, since) for kind, objection in objections.items()
    )


def say_origin(origin: str) -> str:
    """Who decided whether it is tracked, as in "by your settings"."""
    return say(_ORIGINS[origin])


def _say_untracked(kind: Kind | None, objection: Objection, since: bool) -> str:
    return say(_UNTRACKED[kind][since], why=say(_OBJECTIONS[objection]))

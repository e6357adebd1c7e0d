"""What we say of a hit, a delivery, or mail left alone: honest words, one table each. Pure.

A verdict is a belief, so no sentence says more than is known: "likely", "may be no one", "not
counted".
"""

from collections.abc import Mapping

from collector.consent import Kind, Objection

# verdict -> (of an open, of a click)
_HITS = {
    "person": ("Opened, likely by a person", "Link followed, likely by a person"),
    "proxy": (
        "Opened: the reader's mail service fetched the images for them",
        "Link followed through the reader's mail service",
    ),
    "prefetch": (
        "Loaded in advance by a mail service; may be no one",
        "Link fetched in advance; may be no one",
    ),
    "scanner": (
        "Loaded by a security scanner, not by a reader",
        "Link checked by a security scanner, not by a reader",
    ),
    "preview": ("Loaded to preview a link in a chat", "Link previewed in a chat, not followed"),
    "tool": ("Loaded by a program, not by a mail reader", "Link fetched by a program"),
    "self": ("Your own view", "Your own click"),
    "unknown": (
        "Loaded by something we do not recognise",
        "Link fetched by something we do not recognise",
    ),
}

# the rule that fired -> why it speaks for the verdict
_RULES = {
    "head": "It asked for headers only",
    "purpose-prefetch": "It said that it only prefetches",
    "self-session": "It came from the browser that you were signed in with",
    "self-submission": "It came from where you had lately sent mail from",
    "self-page": "It came from where you had lately looked at this page from",
    "apple-prefetch": "Apple Mail's privacy proxy loads everything, read or not",
    "gmail-prefetch": "Gmail fetches some mail before anyone reads it",
    "office-discovery": "Microsoft Office probes the server of a link",
    "office-click": "Outlook checks a link before it opens it",
    "preview": "Chat and social apps fetch links to show a card",
    "tool": "It named itself a program",
    "no-agent": "It did not say what it is",
    "safe-links": "It came from Microsoft's mail protection",
    "barracuda": "It came from Barracuda's mail protection",
    "proofpoint": "It came from Proofpoint's mail protection",
    "mimecast": "It came from Mimecast's mail protection",
    "ironport": "It came from Cisco's mail protection",
    "before-delivery": "It came before the mail was delivered",
    "early-click": "It came within seconds of the delivery",
    "burst": "It followed several links within two seconds",
    "google-proxy": "Gmail's image proxy fetches when the mail is opened",
    "yahoo-proxy": "Yahoo's image proxy fetches when the mail is opened",
    "office-open": "Outlook loads images when the mail is opened",
    "crawler-preview": "A list of crawlers knows it as one that makes previews",
    "crawler": "A list of crawlers knows it",
    "apple-mail": "Apple Mail, or its privacy proxy: hard to tell apart",
    "browser": "It looked like a person's browser or mail client",
    "unrecognised": "No rule knows it",
}

# state -> (chip, sentence)
_STATES = {
    "sending": ("Sending", "On its way; no answer yet"),
    "delivered": ("Delivered", "Accepted by the mail server"),
    "deferred": ("Delayed", "The mail server asked to try again later"),
    "refused": ("Refused", "The mail server refused it"),
    "queued": ("Queued", "In our keeping; it is tried again until the mail server takes it"),
}

_OBJECTIONS: Mapping[Objection, str] = {"refused": "has refused", "no consent": "has not agreed"}
_TRACKED: Mapping[Kind, str] = {"open": "opens", "click": "links"}


def say_hit(kind: str, verdict: str) -> str:
    """A hit in a sentence; `kind` is "open" or "click"."""
    opened, clicked = _HITS.get(verdict, _HITS["unknown"])
    return clicked if kind == "click" else opened


def say_rule(rule: str) -> str:
    """Why the verdict, or the rule's own id where it has no words yet."""
    return _RULES.get(rule, rule)


def say_state(state: str) -> tuple[str, str]:
    """A message's state as a chip and a sentence."""
    return _STATES.get(state, (state.capitalize(), ""))


def say_times(count: int) -> str:
    """As in "twice"."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def say_objections(objections: Mapping[Kind, Objection], untracked: str = "not tracked") -> str:
    """Why a recipient's opens or clicks are `untracked`; "" where nothing speaks against it."""
    against = set(objections.values())
    if len(objections) == len(_TRACKED) and len(against) == 1:
        return f"{untracked}: {_OBJECTIONS[against.pop()]}"
    return "; ".join(
        f"{_TRACKED[kind]} {untracked}: {_OBJECTIONS[objection]}"
        for kind, objection in objections.items()
    )

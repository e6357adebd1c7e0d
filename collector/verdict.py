"""What made a hit: pure rules over facts, as one table. Label, never drop.

Order is meaning: the first rule that fires decides. What the request says of itself comes first,
then agents, then networks, then timing; the rows that believe in a person stand last, so that
every doubt gets its say first. The ids are stored with the hits: never give an old id a new
meaning.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from collector.client import Address
from collector.networks import name_network

# What may have made a hit. Only ever append: the store keeps a kind as its place in here.
KINDS = ("unknown", "person", "proxy", "prefetch", "scanner", "preview", "tool", "self")
BELIEVED = frozenset({"person", "proxy"})

EARLY_CLICK_MS = 10_000
BURST_MS = 2_000
BURST_LINKS = 3
# After this long, mail whose outcome was never heard counts as delivered when it was sent.
OUTCOME_LOST_MS = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of a hit when it is judged. Times in milliseconds since the epoch."""

    kind: str  # "open" or "click"
    method: str = "GET"
    agent: str = ""
    purpose: str = ""  # the values of Purpose, Sec-Purpose and X-Moz
    address: Address | None = None
    at_ms: int
    sent_at_ms: int
    delivered_at_ms: int | None
    burst_links: int = 0  # different links of the copy followed within BURST_MS, with this one
    early_click_ms: int = EARLY_CLICK_MS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we believe made a hit, the id of the rule that says so, and how sure it is (0 to 1)."""

    kind: str
    rule: str
    confidence: float

    @property
    def believed(self) -> bool:
        """Whether the hit counts as "opened" or "clicked" on the sender's page."""
        return self.kind in BELIEVED

    @property
    def counted(self) -> bool:
        """Whether the raw count includes it: a HEAD or a prefetch is shown, but is no visit."""
        return self.rule not in UNCOUNTED


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: `fires` says whether it applies."""

    id: str
    kind: str
    confidence: float
    fires: Callable[[Facts], bool]


def judge(facts: Facts) -> Verdict:
    """The verdict of the first rule that fires; the last one always does."""
    rule = next(rule for rule in RULES if rule.fires(facts))
    return Verdict(rule.kind, rule.id, rule.confidence)


def _agent(pattern: str, kind: str | None = None) -> Callable[[Facts], bool]:
    found = re.compile(pattern, re.IGNORECASE).search
    return lambda facts: kind in (None, facts.kind) and found(facts.agent) is not None


def _from(network: str) -> Callable[[Facts], bool]:
    return lambda facts: name_network(facts.address) == network


def _before_delivery(facts: Facts) -> bool:
    if facts.delivered_at_ms is None:
        return facts.at_ms - facts.sent_at_ms < OUTCOME_LOST_MS
    return facts.at_ms < facts.delivered_at_ms


def _early_click(facts: Facts) -> bool:
    taken = facts.delivered_at_ms
    return (
        facts.kind == "click" and taken is not None and facts.at_ms - taken < facts.early_click_ms
    )


def _gmail_prefetch(facts: Facts) -> bool:
    return facts.agent.endswith(_GMAIL_PREFETCH) and name_network(facts.address) == "google"


_GMAIL_PREFETCH = "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
_PREVIEWS = (
    r"Slackbot|facebookexternalhit|Twitterbot|WhatsApp|TelegramBot|Discordbot|SkypeUriPreview"
    r"|LinkedInBot|BingPreview"
)
_TOOLS = (
    r"\bcurl/|\bwget/|python-requests|\baiohttp/|Go-http-client|\bJava/|okhttp|HeadlessChrome"
    r"|PhantomJS"
)

RULES: tuple[Rule, ...] = (
    # What the request says of itself.
    Rule("head", "tool", 0.9, lambda facts: facts.method == "HEAD"),
    Rule("purpose-prefetch", "prefetch", 0.9, lambda facts: "prefetch" in facts.purpose.lower()),
    # Agents.
    Rule("apple-prefetch", "prefetch", 0.8, lambda facts: facts.agent == "Mozilla/5.0"),
    Rule("gmail-prefetch", "prefetch", 0.9, _gmail_prefetch),
    Rule("office-discovery", "scanner", 0.9, _agent(r"Microsoft Office (Existence|Protocol) Disc")),
    Rule("office-click", "scanner", 0.8, _agent(r"ms-office|MSOffice|Microsoft Outlook", "click")),
    Rule("preview", "preview", 0.9, _agent(_PREVIEWS)),
    Rule("tool", "tool", 0.9, _agent(_TOOLS)),
    Rule("no-agent", "tool", 0.7, lambda facts: not facts.agent),
    # Networks.
    Rule("safe-links", "scanner", 0.9, _from("safe-links")),
    Rule("proofpoint", "scanner", 0.5, _from("proofpoint")),
    Rule("mimecast", "scanner", 0.5, _from("mimecast")),
    Rule("barracuda", "scanner", 0.5, _from("barracuda")),
    # Timing.
    Rule("before-delivery", "scanner", 0.9, _before_delivery),
    Rule("early-click", "scanner", 0.7, _early_click),
    Rule("burst", "scanner", 0.8, lambda facts: facts.burst_links >= BURST_LINKS),
    # Believed.
    Rule("google-proxy", "proxy", 0.9, _agent(r"via ggpht\.com GoogleImageProxy")),
    Rule("yahoo-proxy", "proxy", 0.9, _agent(r"YahooMailProxy")),
    Rule("office-open", "person", 0.8, _agent(r"ms-office|MSOffice|Microsoft Outlook", "open")),
    Rule("apple-mail", "person", 0.4, _agent(r"AppleWebKit/(?!.*(Version/|Safari/|Chrome/))")),
    Rule("browser", "person", 0.7, _agent(r"^(Mozilla|Opera)/")),
    Rule("unrecognised", "unknown", 0.0, lambda facts: True),
)

UNCOUNTED = frozenset({"head", "purpose-prefetch"})

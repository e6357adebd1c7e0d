"""What made a hit: pure rules over facts, as one table. Label, never drop.

Order is meaning: the first rule that fires decides. What the request says of itself comes first,
then whether it was the sender, then agents, then networks, then timing; the rows that believe in a
person stand last, so that every doubt gets its say first. The list of crawlers stands behind the
proxies of mail services, which it takes for crawlers. The ids are stored with the hits: never give
an old id a new meaning.

What agents and networks are called is not known here: signs.py names them, from data. Each rule
says which facts it needs, as not all of them are kept with a hit (rejudge.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

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
    purpose: str = ""  # the values of Purpose, Sec-Purpose and X-Moz
    agents: frozenset[str] = frozenset()  # the families that the agent belongs to, by name
    network: str | None = None  # whose the address is, where that is known
    presence: str | None = None  # what tells that it was the sender: one of presence.Seen
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
    """One row of the table: `fires` says whether it applies, by the facts that it `needs`."""

    id: str
    kind: str
    confidence: float
    fires: Callable[[Facts], bool]
    needs: frozenset[str] = frozenset()


def judge(facts: Facts) -> Verdict:
    """The verdict of the first rule that fires; the last one always does."""
    rule = next(rule for rule in RULES if rule.fires(facts))
    return Verdict(rule.kind, rule.id, rule.confidence)


def judge_again(facts: Facts, before: str, lost: frozenset[str]) -> Verdict | None:
    """The verdict on a hit that the rule `before` has decided, when some facts are `lost`.

    A rule that needs a lost fact counts as it did then: it fired if it is the one that decided,
    and did not if it stands before that one. Where nobody knows, neither does this: None.
    """
    decided = next((place for place, rule in enumerate(RULES) if rule.id == before), -1)
    for place, rule in enumerate(RULES):
        if not rule.needs & lost:
            fired = rule.fires(facts)
        elif place <= decided:
            fired = place == decided
        else:
            return None
        if fired:
            return Verdict(rule.kind, rule.id, rule.confidence)
    raise AssertionError("the last rule always fires")


# What a rule may need beside the moments, the kind and the link, which are always known.
REQUEST, PRESENCE, AGENT, ADDRESS = (
    frozenset({name}) for name in ("request", "presence", "agent", "address")
)


def _by_request(name: str, kind: str, confidence: float, fires: Callable[[Facts], bool]) -> Rule:
    return Rule(name, kind, confidence, fires, REQUEST)


def _by_presence(seen: str, confidence: float) -> Rule:
    return Rule(f"self-{seen}", "self", confidence, lambda facts: facts.presence == seen, PRESENCE)


def _by_agent(
    name: str, kind: str, confidence: float, *, family: str | None = None, of: str | None = None
) -> Rule:
    """For agents of a family, by default that of the rule's name; `of` opens or clicks alone."""
    wanted = family or name

    def fires(facts: Facts) -> bool:
        return wanted in facts.agents and of in (None, facts.kind)

    return Rule(name, kind, confidence, fires, AGENT)


def _by_network(name: str, kind: str, confidence: float) -> Rule:
    return Rule(name, kind, confidence, lambda facts: facts.network == name, ADDRESS)


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
    return "gmail-prefetch" in facts.agents and facts.network == "google"


RULES: tuple[Rule, ...] = (
    # What the request says of itself.
    _by_request("head", "tool", 0.9, lambda facts: facts.method == "HEAD"),
    _by_request(
        "purpose-prefetch", "prefetch", 0.9, lambda facts: "prefetch" in facts.purpose.lower()
    ),
    # The sender. Others may share an address with them.
    _by_presence("session", 0.9),
    _by_presence("submission", 0.6),
    _by_presence("page", 0.6),
    # Agents.
    _by_agent("apple-prefetch", "prefetch", 0.8),
    Rule("gmail-prefetch", "prefetch", 0.9, _gmail_prefetch, AGENT | ADDRESS),
    _by_agent("office-discovery", "scanner", 0.9),
    _by_agent("office-click", "scanner", 0.8, family="office", of="click"),
    _by_agent("preview", "preview", 0.9),
    _by_agent("tool", "tool", 0.9),
    _by_agent("no-agent", "tool", 0.7, family="none"),
    # Networks. Where security services have browsers that people use, they carry people, too.
    _by_network("safe-links", "scanner", 0.9),
    _by_network("proofpoint", "scanner", 0.5),
    _by_network("mimecast", "scanner", 0.5),
    _by_network("ironport", "scanner", 0.5),
    _by_network("barracuda", "scanner", 0.5),
    # Timing.
    Rule("before-delivery", "scanner", 0.9, _before_delivery),
    Rule("early-click", "scanner", 0.7, _early_click),
    Rule("burst", "scanner", 0.8, lambda facts: facts.burst_links >= BURST_LINKS),
    # Believed, whatever the list of crawlers says.
    _by_agent("google-proxy", "proxy", 0.9),
    _by_agent("yahoo-proxy", "proxy", 0.9),
    _by_agent("office-open", "person", 0.8, family="office", of="open"),
    # The list of crawlers.
    _by_agent("crawler-preview", "preview", 0.8),
    _by_agent("crawler", "tool", 0.8),
    # Believed.
    _by_agent("apple-mail", "person", 0.4),
    _by_agent("browser", "person", 0.7),
    Rule("unrecognised", "unknown", 0.0, lambda facts: True),
)

UNCOUNTED = frozenset({"head", "purpose-prefetch"})

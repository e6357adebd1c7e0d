"""Each row of the table of what made a hit, and the order in which rows speak."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.client import Address
from collector.pages import wording
from collector.signs import our_signs
from collector.verdict import (
    BELIEVED,
    EARLY_CLICK_MS,
    KINDS,
    OUTCOME_LOST_MS,
    RULES,
    Facts,
    judge,
)

SENT = 1_700_000_000_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15"
)
APPLE_MAIL = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
)
GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
OUTLOOK = (
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; .NET4.0C; "
    "Microsoft Outlook 16.0.5266; ms-office; MSOffice 16)"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A; wv) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36"
)
MAIL_PROGRAMS = (
    ANDROID,
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Evolution/3.56",
    "Outlook-iOS/2.0",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A)",
    "Mail/3826 CFNetwork/3826 Darwin/24.5.0",
)
HOME = "198.51.100.7"
GOOGLE = "66.249.84.1"
# What stored hits bear. Only ever append: an id that is taken away or renamed is one that nobody
# can explain any more.
RULE_IDS = (
    "head",
    "purpose-prefetch",
    "apple-prefetch",
    "gmail-prefetch",
    "office-discovery",
    "office-click",
    "preview",
    "tool",
    "no-agent",
    "safe-links",
    "proofpoint",
    "mimecast",
    "barracuda",
    "before-delivery",
    "early-click",
    "burst",
    "google-proxy",
    "yahoo-proxy",
    "office-open",
    "apple-mail",
    "browser",
    "unrecognised",
    "ironport",
    "crawler",
    "crawler-preview",
    "self-session",
    "self-submission",
    "self-page",
)


def facts(agent: str = FIREFOX, kind: str = "open", address: str = HOME, **more: object) -> Facts:
    """A hit an hour after a delivery that took a second."""
    hit = Facts(
        kind=kind,
        agents=our_signs().families(agent),
        network=our_signs().network(ip_address(address)),
        at_ms=SENT + 3_600_000,
        sent_at_ms=SENT,
        delivered_at_ms=SENT + 1_000,
    )
    return replace(hit, **more)  # type: ignore[arg-type]


BLIND: dict[str, dict[str, object]] = {
    "request": {"method": "GET", "purpose": ""},
    "presence": {"presence": None},
    "agent": {"agents": frozenset()},
    "address": {"network": None},
}


def rule_of(hit: Facts) -> tuple[str, str]:
    verdict = judge(hit)
    return verdict.kind, verdict.rule


CRAWLER, CARD = ("tool", "crawler"), ("preview", "crawler-preview")
ROWS = [
    # What the request says of itself.
    (facts(method="HEAD"), "tool", "head"),
    (facts(purpose="prefetch"), "prefetch", "purpose-prefetch"),
    (facts(purpose="Prefetch;prerender"), "prefetch", "purpose-prefetch"),
    # The sender.
    (facts(presence="session"), "self", "self-session"),
    (facts(OUTLOOK, presence="submission"), "self", "self-submission"),
    (facts("curl/8", "click", presence="page"), "self", "self-page"),
    (facts(presence="page", at_ms=SENT), "self", "self-page"),
    # Agents.
    (facts("Mozilla/5.0"), "prefetch", "apple-prefetch"),
    (facts(GMAIL_PREFETCH, address=GOOGLE), "prefetch", "gmail-prefetch"),
    (facts(GMAIL_PREFETCH, address=HOME), "person", "browser"),
    (facts("Microsoft Office Existence Discovery"), "scanner", "office-discovery"),
    (facts("Microsoft Office Protocol Discovery", "click"), "scanner", "office-discovery"),
    (facts(OUTLOOK), "person", "office-open"),
    (facts("Microsoft Outlook 16.0"), "person", "office-open"),
    (facts("MSOffice 16"), "person", "office-open"),
    (facts(OUTLOOK, "click"), "scanner", "office-click"),
    (facts("ms-office; MSOffice 16", "click"), "scanner", "office-click"),
    *(
        (facts(agent, "click"), "preview", "preview")
        for agent in (
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Twitterbot/1.0",
            "WhatsApp/2.23.20.0 A",
            "TelegramBot (like TwitterBot)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0)",
            "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
        )
    ),
    *(
        (facts(agent), "tool", "tool")
        for agent in (
            "curl/8.14.1",
            "Wget/1.25.0",
            "python-requests/2.32.5",
            "Python/3.11 aiohttp/3.14.5",
            "Go-http-client/2.0",
            "Java/21.0.8",
            "okhttp/4.12.0",
            CHROME.replace("Chrome/", "HeadlessChrome/"),
            "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 PhantomJS/2.1.1 Safari/538.1",
        )
    ),
    (facts(""), "tool", "no-agent"),
    # Networks.
    *(
        (facts(CHROME, "click", address), "scanner", "safe-links")
        for address in (
            "40.92.0.0",
            "40.93.255.255",
            "40.107.1.2",
            "52.103.255.255",
            "104.47.127.255",
        )
    ),
    (facts(CHROME, "click", "40.94.0.0"), "person", "browser"),
    (facts(CHROME, "click", "104.47.128.0"), "person", "browser"),
    (facts(CHROME, "click", "67.231.152.9"), "scanner", "proofpoint"),
    (facts(CHROME, "click", "185.58.85.1"), "scanner", "mimecast"),
    (facts(CHROME, "click", "51.163.158.1"), "scanner", "mimecast"),
    (facts(CHROME, "click", "68.232.128.1"), "scanner", "ironport"),
    (facts(CHROME, "click", "2620:101:2001::1"), "scanner", "ironport"),
    (facts(CHROME, "click", "209.222.82.255"), "scanner", "barracuda"),
    (facts(CHROME, "click", "209.222.83.0"), "person", "browser"),
    # Timing.
    (facts(at_ms=SENT + 999), "scanner", "before-delivery"),
    (facts(at_ms=SENT + 1_000), "person", "browser"),
    (facts(delivered_at_ms=None, at_ms=SENT + OUTCOME_LOST_MS - 1), "scanner", "before-delivery"),
    (facts(delivered_at_ms=None, at_ms=SENT + OUTCOME_LOST_MS), "person", "browser"),
    (facts(CHROME, "click", at_ms=SENT + 1_000 + 9_999), "scanner", "early-click"),
    (facts(CHROME, "click", at_ms=SENT + 1_000 + 10_000), "person", "browser"),
    (facts(CHROME, "open", at_ms=SENT + 1_000 + 9_999), "person", "browser"),
    (facts(CHROME, "click", burst_links=3), "scanner", "burst"),
    (facts(CHROME, "click", burst_links=2), "person", "browser"),
    # Believed.
    (facts(GMAIL, address=GOOGLE), "proxy", "google-proxy"),
    (facts(YAHOO), "proxy", "yahoo-proxy"),
    (facts(YAHOO, "click"), "proxy", "yahoo-proxy"),
    # The list of crawlers.
    (facts("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), *CRAWLER),
    (
        facts("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "click"),
        *CRAWLER,
    ),
    (facts("Apache-HttpClient/4.5.14 (Java/17.0.9)", "click"), "tool", "tool"),
    (facts("libwww-perl/6.72"), *CRAWLER),
    (facts("Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)"), *CARD),
    # Believed.
    (facts(APPLE_MAIL), "person", "apple-mail"),
    (facts(APPLE_MAIL + " Mobile/15E148"), "person", "apple-mail"),
    (facts(SAFARI), "person", "browser"),
    (facts(CHROME), "person", "browser"),
    (facts(FIREFOX), "person", "browser"),
    (facts("Mozilla/5.0 (X11; Linux) Gecko/20100101 Thunderbird/140.0"), "person", "browser"),
    (facts("Opera/9.80 (Windows NT 6.1) Presto/2.12"), "person", "browser"),
    (facts("SomethingNew/1.0"), "unknown", "unrecognised"),
]


@pytest.mark.parametrize(("hit", "kind", "rule"), ROWS)
def test_each_row(hit: Facts, kind: str, rule: str) -> None:
    assert rule_of(hit) == (kind, rule)


def test_every_rule_has_a_row() -> None:
    assert {rule for _, _, rule in ROWS} == {rule.id for rule in RULES}


def test_ids_are_for_ever() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert {rule.id for rule in RULES} <= set(RULE_IDS)
    assert set(RULE_IDS) <= set(wording._RULES), "a stored hit would have no words"


def test_every_rule_fires_on_nothing_but_what_it_needs() -> None:
    """A rule that needs no agent must not look at one, or rejudging would get it wrong."""
    for hit, _, _ in ROWS:
        for rule in RULES:
            blind = hit
            for name, empty in BLIND.items():
                if name not in rule.needs:
                    blind = replace(blind, **empty)
            assert rule.fires(blind) == rule.fires(hit), rule.id


@pytest.mark.parametrize("agent", [GMAIL, YAHOO, OUTLOOK, APPLE_MAIL, CHROME])
def test_nobody_reads_before_the_delivery(agent: str) -> None:
    assert rule_of(facts(agent, at_ms=SENT)) == ("scanner", "before-delivery")


@pytest.mark.parametrize("agent", [GMAIL, CHROME, APPLE_MAIL])
def test_a_doubt_about_the_network_beats_the_agent(agent: str) -> None:
    assert rule_of(facts(agent, "click", "40.107.0.1"))[0] == "scanner"


def test_what_names_itself_is_called_that_wherever_it_comes_from() -> None:
    assert rule_of(facts("curl/8", "click", "40.107.0.1")) == ("tool", "tool")
    assert rule_of(facts("Mozilla/5.0", at_ms=SENT)) == ("prefetch", "apple-prefetch")


def test_the_window_of_early_clicks_can_be_closed() -> None:
    early = facts(CHROME, "click", at_ms=SENT + 1_001)
    assert early.early_click_ms == EARLY_CLICK_MS
    assert judge(early).kind == "scanner"
    assert judge(replace(early, early_click_ms=0)).kind == "person"


def test_person_and_proxy_are_believed() -> None:
    believed = {judge(hit).kind for hit, _, _ in ROWS if judge(hit).believed}
    assert believed == {"person", "proxy"}


def test_a_head_or_a_prefetch_is_no_visit() -> None:
    uncounted = {judge(hit).rule for hit, _, _ in ROWS if not judge(hit).counted}
    assert uncounted == {"head", "purpose-prefetch"}


def test_no_list_of_crawlers_discards_an_open() -> None:
    """It names both proxies, as others have learnt; ours comes first."""
    signs = our_signs()
    for agent in (GMAIL, YAHOO):
        assert "crawler" in signs.families(agent) or "crawler-preview" in signs.families(agent)
        assert judge(facts(agent)).believed


@pytest.mark.parametrize("agent", [*MAIL_PROGRAMS, FIREFOX, CHROME, SAFARI, APPLE_MAIL, OUTLOOK])
def test_no_mail_program_is_a_crawler(agent: str) -> None:
    assert not our_signs().families(agent) & {"crawler", "crawler-preview", "tool", "preview"}


@given(
    agent=st.text(max_size=300),
    kind=st.sampled_from(["open", "click"]),
    purpose=st.text(max_size=20),
    address=st.none() | st.ip_addresses(),
    delivered_at_ms=st.none() | st.integers(0, 2**45),
    at_ms=st.integers(0, 2**45),
)
def test_every_hit_gets_a_verdict(agent: str, address: Address | None, **others: object) -> None:
    """Labelled, never dropped."""
    signs = our_signs()
    agents, network = signs.families(agent), signs.network(address)
    verdict = judge(Facts(sent_at_ms=SENT, agents=agents, network=network, **others))  # type: ignore[arg-type]
    assert verdict.believed == (verdict.kind in BELIEVED)
    assert verdict.kind in KINDS
    assert 0 <= verdict.confidence <= 1

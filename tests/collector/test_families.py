"""What is kept of an agent tells the program and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.families import FAMILIES, MACHINES, OTHER, READERS, SYSTEMS, find_family

WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT}"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {WEBKIT}"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"

KNOWN = {
    "": "",
    "Mozilla/5.0": "Apple's privacy proxy",
    f"{WINDOWS} {CHROME.replace('141.0.0.0', '42.0.2311.135')} Safari/537.36 Edge/12.246 "
    "Mozilla/5.0": "Gmail's prefetch",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)": (
        "Gmail's image proxy"
    ),
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html": (
        "Yahoo's image proxy"
    ),
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)": (
        "Outlook on Windows"
    ),
    "Mozilla/4.0 (compatible; ms-office; MSOffice rmj)": "Outlook",
    "Microsoft Office Existence Discovery": "Microsoft Office Discovery",
    MAC: "Apple Mail on macOS",
    f"{IPHONE} Mobile/15E148": "Apple Mail on iOS",
    f"{MAC} Version/18.1 Safari/605.1.15": "Safari on macOS",
    f"{IPHONE} CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1": "Chrome on iOS",
    f"{WINDOWS} {CHROME} Safari/537.36": "Chrome on Windows",
    f"{WINDOWS} {CHROME} Safari/537.36 Edg/141.0.0.0": "Edge on Windows",
    f"{WINDOWS} {CHROME} Safari/537.36 OPR/120.0.0.0": "Opera on Windows",
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36": "Chrome on Android",
    f"Mozilla/5.0 (Linux; Android 14) SamsungBrowser/28.0 {CHROME} Mobile Safari/537.36": (
        "Samsung Internet on Android"
    ),
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36": "Chrome on ChromeOS",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.3.0": (
        "Thunderbird on Linux"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko": (
        "Internet Explorer on Windows"
    ),
    "Mozilla/5.0 (PlayStation 5)": "another browser",
    f"Mozilla/5.0 (X11; Linux x86_64) {CHROME.replace('Chrome', 'HeadlessChrome')}": (
        "HeadlessChrome"
    ),
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)": "Slackbot",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": (
        "facebookexternalhit"
    ),
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": "another bot",
    "curl/8.5.0": "curl",
    "Wget/1.24.5": "wget",
    "python-requests/2.32.3": "python-requests",
    "Java/17.0.9": "Java",
    "bob@example.org's own program/1.0": OTHER,
}


@pytest.mark.parametrize("agent", KNOWN)
def test_it_is_the_program(agent: str) -> None:
    assert find_family(agent) == KNOWN[agent]


AGENTS = st.one_of(st.text(max_size=300), st.sampled_from(list(KNOWN)))


@given(AGENTS, AGENTS)
def test_a_family_is_one_of_few_and_its_own(one: str, two: str) -> None:
    family = find_family(one + two)
    assert family in FAMILIES
    assert find_family(family) == family


def test_a_family_is_known_from_an_agent() -> None:
    assert not [family for family in FAMILIES if "/" in family]
    assert len(FAMILIES) == len(MACHINES) + len(READERS) * (1 + len(SYSTEMS)) + 2

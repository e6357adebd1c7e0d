"""Links written for web servers: what these read is what was meant.

With the servers themselves: tests/e2e/test_links_export.py.
"""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import linkmap as module
from collector.linkmap import MAX_NGINX_WORD, Caddy, MintedLink, Nginx, minted_links
from collector.store import Sent, SentLink, Store
from collector.tokens import ClickToken, Key, MessageLinks, Tokens

OLD, NEW = Key(1, b"o" * 32), Key(2, b"n" * 32)
URL = "https://t.example.com/aa"
# Octets that mean something in either form come often.
targets = st.text(
    st.sampled_from("\"'\\${}`;#~<>|") | st.characters(min_codepoint=0x21, max_codepoint=0x7E),
    min_size=1,
    max_size=60,
).map("https://".__add__)


def read_nginx(line: str) -> tuple[str, str]:
    """Key and value as nginx's own parser takes them, and the variable that stands for "$"."""
    words = re.fullmatch(r'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)";\n', line)
    assert words
    path, value = (re.sub(r'\\(["\\])', r"\1", word) for word in words.groups())
    assert "$" not in value.replace("${letterbell_dollar}", "")
    return path, value.replace("${letterbell_dollar}", "$")


@given(targets)
def test_nginx_reads_what_was_meant(target: str) -> None:
    line = Nginx(URL).link(MintedLink("/aa/c/token", target))
    assert line is not None
    assert read_nginx(line) == ("/aa/c/token", target)


def replaced(text: str) -> str:
    """What Caddy's replacer makes of it, where no placeholder is to be found in it."""
    if "{" not in text:
        return text
    assert not re.search(r"(?<!\\)\{", text), "a placeholder would begin"
    return re.sub(r"\\([{}])", r"\1", text)


@given(st.lists(targets, min_size=1, max_size=3))
def test_caddy_reads_what_was_meant(some: list[str]) -> None:
    form = Caddy(URL)
    lines = [form.link(MintedLink(f"/aa/c/{n}", target)) for n, target in enumerate(some)]
    whole = json.loads("".join([form.head(), *map(str, lines), form.tail()]))
    [server] = whole["apps"]["http"]["servers"].values()
    mapping = server["routes"][1]["handle"][0]["mappings"]
    assert [each["input"] for each in mapping] == [f"/aa/c/{n}" for n in range(len(some))]
    assert [replaced(each["outputs"][0]) for each in mapping] == some


def test_without_links_both_are_whole() -> None:
    caddy = Caddy("http://127.0.0.1:8080")
    [server] = json.loads(caddy.head() + caddy.tail())["apps"]["http"]["servers"].values()
    assert server["listen"] == [":8080"]
    nginx = Nginx("http://127.0.0.1:8080")
    assert (nginx.head() + nginx.tail()).endswith('{\ndefault "";\n}\n')


def test_what_nginx_cannot_take_is_told() -> None:
    nginx, caddy = Nginx(URL), Caddy(URL)
    for link in (
        MintedLink("/c/" + "x" * MAX_NGINX_WORD, "https://e.com/"),
        MintedLink("/c/x", "https://e.com/" + "$" * 300),
    ):
        assert nginx.link(link) is None
        assert caddy.link(link) is not None


@pytest.mark.parametrize("page", [1, 100])
async def test_every_link_that_was_minted_is_told(
    store: Store, make_sent: Callable[..., Sent], page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the key that was first then, whichever that was; for each recipient with a copy."""
    monkeypatch.setattr(module, "PAGE_MESSAGES", page)
    targets = ["https://e.com/~a?b=%zz", 'http://e.com/"<$>']
    links = tuple(SentLink(n, target, "") for n, target in enumerate(targets, 3))
    people = ("ben@example.net", "cay@example.net", "dan@example.net")
    shared = make_sent(links=links, recipients=people)
    own = make_sent(links=links, recipients=people, per_recipient=True)
    untracked = make_sent(links=(), clicks=False)
    for each in (shared, own, untracked):
        await store.record_sent(each)
    told = [each async for each in minted_links(store, [NEW, OLD], URL)]
    assert len(told) == len({each.path for each in told}) == 2 * 2 * (1 + 3)
    found = {f"https://t.example.com{each.path}": each.target for each in told}
    for key in (OLD, NEW):
        for sent, recipients in ((shared, [0]), (own, [1, 2, 3])):
            for recipient in recipients:
                minted = MessageLinks(Tokens([key]), URL, sent.message_id, recipient)
                for number, target in enumerate(targets, 3):
                    assert found[minted.click(target.encode(), number)] == target
    read = Tokens([NEW, OLD]).read_click(told[0].path.rpartition("/")[2])
    assert read == ClickToken(shared.message_id, 0, 3, targets[0].encode())

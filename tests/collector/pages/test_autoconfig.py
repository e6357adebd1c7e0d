"""The file for mail programs, against what its format and Thunderbird's reader ask of it.

Elements and values: draft-ietf-mailmaint-autoconfig, and `readFromXML` of Thunderbird 140, which
tests/clients/test_autoconfig.py runs itself.
"""

from dataclasses import replace
from itertools import product
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.pages import autoconfig
from collector.servers import Server, Servers

HOME = Servers(
    smtp=Server("relay.example.com", 587, "starttls"),
    imap=Server("imap.example.com", 993, "implicit"),
    domains=("example.com", "example.org"),
)
HELP = "https://t.example.com/connect"
SERVER = ["hostname", "port", "socketType", "authentication", "username"]
# XML 1.0 has no way to write the others.
TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"]), min_size=1)


def read(servers: Servers, domains: tuple[str, ...] = ("example.com",)) -> ET.Element:
    written = autoconfig.write(servers, domains, HELP)
    assert written.startswith(b"<?xml version='1.0' encoding='utf-8'?>\n")
    return ET.fromstring(written)


def server(root: ET.Element, tag: str) -> dict[str, str | None]:
    (found,) = root.iter(tag)
    assert [each.tag for each in found] == SERVER
    return {"type": found.get("type"), **{each.tag: each.text for each in found}}


def test_all_that_a_reader_wants() -> None:
    root = read(HOME, HOME.domains)
    assert (root.tag, root.attrib) == ("clientConfig", {"version": "1.1"})
    (provider,) = root
    assert (provider.tag, provider.attrib) == ("emailProvider", {"id": "example.com"})
    assert [each.tag for each in provider] == [
        *("domain", "domain", "displayName", "displayShortName"),
        *("incomingServer", "outgoingServer", "documentation"),
    ]
    assert [each.text for each in provider.findall("domain")] == ["example.com", "example.org"]
    assert server(root, "incomingServer") == {
        "type": "imap",
        "hostname": "imap.example.com",
        "port": "993",
        "socketType": "SSL",
        "authentication": "password-cleartext",
        "username": "%EMAILADDRESS%",
    }
    assert server(root, "outgoingServer") == {
        "type": "smtp",
        "hostname": "relay.example.com",
        "port": "587",
        "socketType": "STARTTLS",
        "authentication": "password-cleartext",
        "username": "%EMAILADDRESS%",
    }
    (help_page,) = provider.findall("documentation")
    assert help_page.get("url") == HELP


@pytest.mark.parametrize(
    ("smtp", "imap"), list(product(("none", "starttls", "implicit"), ("starttls", "implicit")))
)
def test_security_in_the_formats_words(smtp, imap) -> None:
    servers = replace(HOME, smtp=Server("s", 1, smtp), imap=Server("i", 65535, imap))
    words = {"none": "plain", "starttls": "STARTTLS", "implicit": "SSL"}
    root = read(servers)
    assert server(root, "outgoingServer")["socketType"] == words[smtp]
    assert server(root, "incomingServer")["socketType"] == words[imap]


def test_users_by_the_part_before_the_at() -> None:
    root = read(replace(HOME, imap_user="local-part"))
    assert server(root, "incomingServer")["username"] == "%EMAILLOCALPART%"
    assert server(root, "outgoingServer")["username"] == "%EMAILADDRESS%"


@given(host=TEXT, domain=TEXT)
def test_odd_names_stay_text(host: str, domain: str) -> None:
    servers = replace(HOME, smtp=Server(host, 587, "starttls"))
    root = read(servers, (domain,))
    assert server(root, "outgoingServer")["hostname"] == host
    assert [each.text for each in root.iter("domain")] == [domain]
    assert [each.get("id") for each in root] == [domain]

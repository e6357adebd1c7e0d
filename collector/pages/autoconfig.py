"""The file that tells mail programs how an account is set up, from its address alone.

Its format is draft-ietf-mailmaint-autoconfig, which Thunderbird, K-9, Evolution and others read.
Thunderbird takes no file without an incoming server, so there is none where the site has not said
which one it is. The login of an address's sender is not looked up: nothing here tells who exists.
"""

from xml.etree import ElementTree as ET

from collector.servers import Security, Server, Servers

SOCKETS: dict[Security, str] = {"none": "plain", "starttls": "STARTTLS", "implicit": "SSL"}
# Filled in by the mail program.
USERS = {"address": "%EMAILADDRESS%", "local-part": "%EMAILLOCALPART%"}


def write(servers: Servers, domains: tuple[str, ...], help_url: str) -> bytes:
    """The file for mail addresses of these domains, of which there is one at least; `servers` must
    have an incoming one."""
    assert servers.imap is not None
    root = ET.Element("clientConfig", version="1.1")
    provider = ET.SubElement(root, "emailProvider", id=domains[0])
    for domain in domains:
        _add(provider, "domain", domain)
    _add(provider, "displayName", domains[0])
    _add(provider, "displayShortName", domains[0])
    _server(provider, "incomingServer", "imap", servers.imap, USERS[servers.imap_user])
    _server(provider, "outgoingServer", "smtp", servers.smtp, USERS["address"])
    documentation = ET.SubElement(provider, "documentation", url=help_url)
    _add(documentation, "descr", "Letterbell: connect a mail program", lang="en")
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _server(provider: ET.Element, tag: str, kind: str, server: Server, user: str) -> None:
    element = ET.SubElement(provider, tag, type=kind)
    _add(element, "hostname", server.host)
    _add(element, "port", str(server.port))
    _add(element, "socketType", SOCKETS[server.security])
    _add(element, "authentication", "password-cleartext")  # within TLS
    _add(element, "username", user)


def _add(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text

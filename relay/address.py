"""RFC 5321 paths and ESMTP parameters, on bytes.

The invariant: what is accepted here is what is sent upstream, byte for byte. Nothing is decoded,
unquoted, re-cased or repaired, so no two servers can read one address in two ways. Whatever the
grammar does not name (comments, bare CR, NUL, source routes, a missing bracket) is refused.
"""

import ipaddress
import re
from collections.abc import Mapping

import idna

from relay.envelope import Parameters, Refusal

MAX_LOCAL = 64  # RFC 5321 §4.5.3.1: what everyone must take is the most that we take
MAX_DOMAIN = 255
MAX_PATH = 256

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
_QUOTED = rb'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"'
_LABEL = rb"[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]*[A-Za-z0-9\x80-\xff])?"
_MAILBOX = re.compile(
    rb"(?P<local>" + _ATOM + rb"(?:\." + _ATOM + rb")*|" + _QUOTED + rb")"
    rb"@(?:(?P<domain>" + _LABEL + rb"(?:\." + _LABEL + rb")*)|\[(?P<literal>[!-Z^-~]+)\])"
)
# Up to the first ">" outside a quoted string, with what follows it.
_PATH = re.compile(rb'<((?:"(?:[^"\\\r\n\0]|\\[^\r\n\0])*"|[^"<>\r\n\0])*)>(?: +(.*))?')
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\xff]+))?")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_XTEXT = rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})"

# Keyword -> what its value must be; None where it takes no value.
ParameterRules = Mapping[bytes, re.Pattern[bytes] | None]
MAIL_PARAMETERS: ParameterRules = {
    b"SIZE": re.compile(rb"[0-9]{1,20}"),  # RFC 1870
    b"BODY": re.compile(rb"7BIT|8BITMIME", re.IGNORECASE),  # RFC 6152
    b"SMTPUTF8": None,  # RFC 6531
    b"RET": re.compile(rb"FULL|HDRS", re.IGNORECASE),  # RFC 3461 §4.3
    b"ENVID": re.compile(_XTEXT + rb"{1,100}"),  # RFC 3461 §4.4
    b"AUTH": re.compile(_XTEXT + rb"{1,500}"),  # RFC 4954 §5: taken, and never passed on
}
RCPT_PARAMETERS: ParameterRules = {
    b"NOTIFY": re.compile(  # RFC 3461 §4.1
        rb"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}", re.IGNORECASE
    ),
    b"ORCPT": re.compile(rb"[A-Za-z0-9-]{1,64};[!-<>-~\x80-\xff]{1,500}"),  # RFC 3461 §4.2
}


def parse_mail(argument: bytes) -> tuple[bytes, Parameters]:
    """What follows `MAIL `: the reverse path (b"" for the null sender) and its parameters.

    Raises Refusal: 501 for the command's form, 553 for an address, 555 for an unknown parameter.
    """
    address, rest = _split(argument, b"FROM:", b"5.1.7")
    parameters = _parse_parameters(rest, MAIL_PARAMETERS)
    if address:
        _check_mailbox(address, b"5.1.7")
    _check_utf8(address, parameters, allowed=b"SMTPUTF8" in parameters)
    return address, parameters


def parse_rcpt(argument: bytes, *, utf8: bool) -> tuple[bytes, Parameters]:
    """What follows `RCPT `: the forward path and its parameters; `utf8` if MAIL had SMTPUTF8.

    Raises Refusal as `parse_mail` does.
    """
    address, rest = _split(argument, b"TO:", b"5.1.3")
    parameters = _parse_parameters(rest, RCPT_PARAMETERS)
    if not address:
        raise Refusal(501, b"5.1.3 The recipient is empty; give RCPT TO:<name@example.com>")
    if address.lower() != b"postmaster":  # the one mailbox without a domain, RFC 5321 §4.1.1.3
        _check_mailbox(address, b"5.1.3")
    _check_utf8(address, parameters, allowed=utf8)
    return address, parameters


def is_mailbox(address: bytes) -> bool:
    """Whether it is `local-part@domain` of RFC 5321 §4.1.2 (RFC 6531 where it has UTF-8)."""
    match = _MAILBOX.fullmatch(address) if len(address) <= MAX_PATH - 2 else None
    if match is None or len(match["local"]) > MAX_LOCAL:
        return False
    if match["literal"] is not None:
        return _is_literal(match["literal"])
    if not address.isascii():
        return _is_international(match["local"], match["domain"])
    return len(match["domain"]) <= MAX_DOMAIN and max(map(len, match["domain"].split(b"."))) <= 63


def _split(argument: bytes, keyword: bytes, enhanced: bytes) -> tuple[bytes, bytes]:
    """The path between the brackets, and the parameters behind it, both unchecked."""
    if argument[: len(keyword)].upper() != keyword:
        raise Refusal(501, b"5.5.4 Syntax: " + keyword + b"<address> [parameters]")
    # A blank behind the colon is wrong (RFC 5321 §3.3) and sent by many; it means one thing only.
    match = _PATH.fullmatch(argument[len(keyword) :].strip(b" "))
    if match is None:
        raise Refusal(501, enhanced + b" Not an address in <angle brackets>")
    return match[1], match[2] or b""


def _check_mailbox(address: bytes, enhanced: bytes) -> None:
    if address.startswith(b"@"):
        raise Refusal(553, enhanced + b" Source routes are not taken; give the mailbox alone")
    if not is_mailbox(address):
        raise Refusal(553, enhanced + b" Malformed address")


def _check_utf8(address: bytes, parameters: Parameters, *, allowed: bool) -> None:
    if not allowed and not all(map(bytes.isascii, (address, *filter(None, parameters.values())))):
        raise Refusal(553, b"5.6.7 Addresses beyond ASCII need SMTPUTF8 on MAIL FROM")


def _parse_parameters(rest: bytes, rules: ParameterRules) -> Parameters:
    parameters: dict[bytes, bytes | None] = {}
    for word in filter(None, rest.split(b" ")):
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise Refusal(501, b"5.5.4 A parameter is malformed")
        keyword, value = match[1].upper(), match[2]
        if keyword not in rules:
            raise Refusal(555, b"5.5.4 The parameter " + keyword[:40] + b" is not known here")
        rule = rules[keyword]
        well_formed = value is None if rule is None else value and rule.fullmatch(value)
        if not well_formed or keyword in parameters:
            raise Refusal(501, b"5.5.4 The parameter " + keyword + b" is malformed or given twice")
        parameters[keyword] = value
    return parameters


def _is_literal(literal: bytes) -> bool:
    """An IPv4 or `IPv6:` address, the two forms in use (RFC 5321 §4.1.3)."""
    text = literal.decode("ascii")
    try:
        if text[:5].upper() == "IPV6:":
            return "%" not in text and bool(ipaddress.IPv6Address(text[5:]))
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def _is_international(local: bytes, domain: bytes) -> bool:
    """RFC 6531 §3.3: the local part valid UTF-8 without controls, the domain valid IDNA 2008."""
    try:
        idna.encode(domain.decode("utf-8"), strict=True)
        return not _CONTROL.search(local.decode("utf-8"))
    except UnicodeError:  # idna.IDNAError is one
        return False

"""The grammar of paths and parameters: what it takes it gives back octet for octet."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.address import is_mailbox, parse_mail, parse_rcpt
from relay.envelope import Refusal


def rcpt(argument: bytes, *, utf8: bool = False) -> bytes:
    return parse_rcpt(b"TO:" + argument, utf8=utf8)[0]


GOOD = [
    b"bob@example.com",
    b"b@localhost",
    b"bob+tag.x@sub.example.com",
    b"!#$%&'*+/=?^_`{|}~-@example.com",
    b'"john doe"@example.com',
    b'"a\\"b\\\\c"@example.com',
    b'"a>b"@example.com',
    b'"@"@example.com',
    b'""@example.com',
    b"bob@[192.0.2.1]",
    b"bob@[IPv6:2001:db8::1]",
    b"bob@1.example",
    b"bob@xn--bcher-kva.example",
    b"=?utf-8?q?x?=@example.com",  # letters like any others: never decoded
    b"a" * 64 + b"@example.com",
    b"a@" + b".".join([b"d" * 63] * 3),
    b"postmaster",
    b"PostMaster",
]


@pytest.mark.parametrize("address", GOOD)
def test_a_good_address_comes_back_as_it_is(address: bytes) -> None:
    assert rcpt(b"<" + address + b">") == address


BAD = [
    b"",
    b"bob@example.com",
    b"<bob@example.com",
    b"bob@example.com>",
    b"<bob@example.com> \r",
    b"<bob@example.com>\tX=1",
    b"<>",
    b"<bob>",
    b"<@example.com>",
    b"<bob@>",
    b"<bob@@example.com>",
    b"<bob@example.com.>",
    b"<bob@.example.com>",
    b"<.bob@example.com>",
    b"<bob.@example.com>",
    b"<b..ob@example.com>",
    b"<bob@-example.com>",
    b"<bob@exa_mple.com>",
    b"<bob @example.com>",
    b"<bob@example.com >",
    b"< bob@example.com>",
    b"<bob@example.com>x",
    b"<bob@example.com>SIZE=1",
    b"<bob@example.com><eve@example.com>",
    b"<bob(comment)@example.com>",
    b"(comment)<bob@example.com>",
    b"Bob <bob@example.com>",
    b"<bob,eve@example.com>",
    b"<bob@example.com,eve@example.com>",
    b"<@hop.example:bob@example.com>",
    b"<bob\0@example.com>",
    b"<bob\r@example.com>",
    b"<bob\n@example.com>",
    b"<bob\x7f@example.com>",
    b'<"bob@example.com>',
    b'<"b"ob@example.com>',
    b'<"b\rb"@example.com>',
    b'<"b\0b"@example.com>',
    b"<bob@[192.0.2.256]>",
    b"<bob@[IPv6:2001:db8::g]>",
    b"<bob@[IPv6:fe80::1%eth0]>",
    b"<bob@[tag:anything]>",
    b"<bob@[]>",
    b"<=?utf-8?q?x=0d=0aRCPT_TO:<z@evil.com>?=@c.d>",
    b"<" + b"a" * 65 + b"@example.com>",
    b"<a@" + b".".join([b"d" * 64] * 2) + b">",
    b"<a@" + b".".join([b"d" * 60] * 5) + b">",
    "<bob@exämple.com>".encode(),
    "<böb@example.com>".encode(),
    b"<b\xff@example.com>",
]


@pytest.mark.parametrize("argument", BAD)
def test_a_bad_address_is_refused_for_good(argument: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        rcpt(argument)
    assert refusal.value.reply.code in (501, 553)
    assert re.match(rb"5\.\d\.\d ", refusal.value.reply.text)


@pytest.mark.parametrize("address", ["böb@example.com", "bob@exämple.com", "用户@例子.广告"])
def test_utf8_needs_smtputf8(address: str) -> None:
    assert rcpt(f"<{address}>".encode(), utf8=True) == address.encode()
    with pytest.raises(Refusal) as refusal:
        rcpt(f"<{address}>".encode())
    assert refusal.value.reply.text.startswith(b"5.6.7")


@pytest.mark.parametrize(
    "address",
    [
        b"b\xff@example.com",
        b"b\xed\xa0\x80@example.com",  # half of a surrogate pair
        b"b\xc2\x85@example.com",  # a control character beyond ASCII
        "bob@a。example.com".encode(),  # a full stop that some would read as "."
        "bob@☃.example".encode(),  # no IDNA 2008 label
        b"b\xc0\x80@example.com",  # NUL, overlong
    ],
)
def test_bad_utf8_is_refused_also_with_smtputf8(address: bytes) -> None:
    with pytest.raises(Refusal):
        rcpt(b"<" + address + b">", utf8=True)


def test_the_null_sender_is_empty() -> None:
    assert parse_mail(b"FROM:<>") == (b"", {})


@pytest.mark.parametrize("form", [b"from:<a@b.c>", b"FROM: <a@b.c>", b"From:   <a@b.c>  "])
def test_the_keyword_in_any_case_and_blanks_behind_it(form: bytes) -> None:
    assert parse_mail(form)[0] == b"a@b.c"


def test_parameters_keep_their_values_as_given() -> None:
    address, parameters = parse_mail(
        b"FROM:<a@b.c> size=1000 Body=8bitmime SMTPUTF8 ret=hdrs ENVID=QQ+2Babc AUTH=<>"
    )
    assert address == b"a@b.c"
    assert parameters == {
        b"SIZE": b"1000",
        b"BODY": b"8bitmime",
        b"SMTPUTF8": None,
        b"RET": b"hdrs",
        b"ENVID": b"QQ+2Babc",
        b"AUTH": b"<>",
    }
    _, parameters = parse_rcpt(
        b"TO:<a@b.c> NOTIFY=SUCCESS,failure ORCPT=rfc822;A+2BB@c.d", utf8=False
    )
    assert parameters == {b"NOTIFY": b"SUCCESS,failure", b"ORCPT": b"rfc822;A+2BB@c.d"}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (b"SIZE", 501),
        (b"SIZE=", 501),
        (b"SIZE=abc", 501),
        (b"SIZE=-1", 501),
        (b"SIZE=1 SIZE=1", 501),
        (b"BODY=9BIT", 501),
        (b"SMTPUTF8=yes", 501),
        (b"RET=ALL", 501),
        (b"ENVID=a+zz", 501),
        (b"=x", 501),
        (b"SIZE==1", 501),
        (b"X-UNKNOWN=1", 555),
        (b"NOTIFY=NEVER", 555),
        (b"MT-PRIORITY=3", 555),
    ],
)
def test_bad_parameters_of_mail(parameters: bytes, code: int) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_mail(b"FROM:<a@b.c> " + parameters)
    assert refusal.value.reply.code == code


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (b"NOTIFY=NEVER,SUCCESS", 501),
        (b"NOTIFY=SOMETIMES", 501),
        (b"ORCPT=bob@example.com", 501),
        (b"SIZE=1", 555),
    ],
)
def test_bad_parameters_of_rcpt(parameters: bytes, code: int) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_rcpt(b"TO:<a@b.c> " + parameters, utf8=False)
    assert refusal.value.reply.code == code


@given(st.binary(max_size=300))
def test_any_octets_are_an_address_or_a_refusal(octets: bytes) -> None:
    try:
        address = rcpt(octets, utf8=True)
    except Refusal:
        return
    assert octets.strip(b" ").startswith(b"<" + address + b">")


HOSTILE = st.text(string.ascii_letters + '@.<>"\\()[]:,;= \t\r\n\0=?é\x85', max_size=60)


@given(HOSTILE)
def test_nothing_that_could_break_a_command_is_taken(text: str) -> None:
    octets = text.encode("utf-8", "surrogatepass")
    try:
        address = rcpt(b"<" + octets + b">", utf8=True)
    except Refusal:
        return
    assert address == octets
    assert not re.search(rb"[\0-\x1f\x7f]", address)
    outside_quotes = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", address)
    assert not re.search(rb"[<>(),;\\ ]", outside_quotes)


ATOMS = st.text(
    string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=9
)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.lists(ATOMS, min_size=1, max_size=5), st.lists(LABELS, min_size=1, max_size=4))
def test_every_dot_string_at_a_domain_is_taken(atoms: list[str], labels: list[str]) -> None:
    address = f"{'.'.join(atoms)}@{'.'.join(labels)}".encode()
    assert rcpt(b"<" + address + b">") == address
    assert is_mailbox(address)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_every_quoted_string_is_taken(text: str) -> None:
    quoted = re.sub(r'(["\\])', r"\\\1", text)
    address = f'"{quoted}"@example.com'.encode()
    if len(address) < 64:
        assert rcpt(b"<" + address + b">") == address

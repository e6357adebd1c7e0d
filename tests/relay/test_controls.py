"""Controls: every spelling, the stricter of two, and exactly their octets cut out."""

import email
import email.policy
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.senders import WISHES
from relay.controls import (
    DESTINATIONS,
    HEADERS,
    HIDDEN,
    NAMES,
    OFF,
    of_login,
    of_recipient,
    read,
)
from relay.envelope import Refusal, Wishes
from relay.header import read_fields

NOTHING = Wishes()
ON = Wishes(opens=True, clicks=True)

TABLE = [
    ("X-Track: opens=true; clicks=false", Wishes(opens=True, clicks=False)),
    ("X-Track: opens=TRUE", Wishes(opens=True)),
    ("X-Track: clicks=default; opens=default", NOTHING),
    ("X-Track: opens=true;", Wishes(opens=True)),
    ("X-Track:\r\n opens=false;\r\n\tclicks=true", Wishes(opens=False, clicks=True)),
    ("X-Track: no", OFF),
    ("X-Track: yes", ON),
    ("X-Track:", OFF),
    ("X-Track: open=false", OFF),  # misspelt: must not track
    ("X-Track: opens=maybe", Wishes(opens=False)),
    ("X-Track: opens=true; opens=false", Wishes(opens=False)),
    ("X-Track: opens=true, clicks=true", Wishes(opens=False)),
    ("x-track-opens: yes", Wishes(opens=True)),
    ("X-Track-Opens: no", Wishes(opens=False)),
    ("X-Track-Opens: what", Wishes(opens=False)),
    ("X-Track-Links: yes", Wishes(clicks=True)),
    ("X-Track-Links: No", Wishes(clicks=False)),
    ("X-PM-TrackOpens: true", Wishes(opens=True)),
    ("X-PM-TrackOpens: false", Wishes(opens=False)),
    ("X-PM-TrackLinks: HtmlAndText", Wishes(clicks=True)),
    ("X-PM-TrackLinks: HtmlOnly", Wishes(clicks=True)),
    ("X-PM-TrackLinks: TextOnly", Wishes(clicks=False)),
    ("X-PM-TrackLinks: None", Wishes(clicks=False)),
    ("X-Mailgun-Track: yes", ON),
    ("X-Mailgun-Track: no", OFF),
    ("X-Mailgun-Track-Opens: no", Wishes(opens=False)),
    ("X-Mailgun-Track-Clicks: htmlonly", Wishes(clicks=True)),
    ("X-No-Track: yes", OFF),
    ("X-No-Track:", OFF),
    ("X-No-Track: anything", OFF),
    ("X-No-Track: false", NOTHING),
    ('X-SMTPAPI: {"filters": {"opentrack": {"settings": {"enable": 0}}}}', Wishes(opens=False)),
    ('X-SMTPAPI: {"filters": {"clicktrack": {"settings": {"enable": 1}}}}', Wishes(clicks=True)),
    (
        'X-SMTPAPI: {"filters":\r\n {"opentrack": {"settings":\r\n {"enable": true}}}}',
        Wishes(opens=True),
    ),
    ('X-SMTPAPI: {"category": "x"}', NOTHING),
    ('X-SMTPAPI: {"filters": []}', OFF),
    ("X-SMTPAPI: {", OFF),
    ("X-SMTPAPI: [1]", OFF),
    ("X-SMTPAPI: " + "[" * 5000, OFF),
    (
        'X-MSYS-API: {"options": {"open_tracking": false, "click_tracking": true}}',
        Wishes(opens=False, clicks=True),
    ),
    ('X-MSYS-API: {"options": {"open_tracking": "perhaps"}}', Wishes(opens=False)),
    ('X-MSYS-API: {"campaign_id": "x"}', NOTHING),
    ("X-Track: yes\r\nX-No-Track: yes", OFF),
    ("X-Track: opens=true\r\nX-PM-TrackOpens: false", Wishes(opens=False)),
    ("X-Track-Opens: yes\r\nX-Track-Links: no", Wishes(opens=True, clicks=False)),
    ("X-Track-Opens: default\r\nX-Mailgun-Track: yes", ON),
    ("Subject: X-Track: no", NOTHING),
    ("X-Tracking: no", NOTHING),
]


@pytest.mark.parametrize(("header", "wishes"), TABLE, ids=[header[:60] for header, _ in TABLE])
def test_what_a_header_wishes(header: str, wishes: Wishes) -> None:
    content = b"From: ana@example.com\r\n" + header.encode() + b"\r\n\r\nX-Track: no\r\n"
    assert read(content, read_fields(content))[0] == wishes


def test_it_is_known_where_a_wish_comes_from() -> None:
    content = b"X-Track-Opens: no\r\nTo: links@letterbell.invalid, bob@example.com\r\n\r\n"
    wishes, _ = read(content, read_fields(content), DOMAIN)
    assert (wishes.opens_from, wishes.clicks_from) == ("header", "address")
    assert of_login("ana+no-opens")[1].opens_from == "login"
    assert of_login("ana+no-opens")[1].clicks_from == "setting"
    found = of_recipient(b"opens@letterbell.invalid", DOMAIN)
    assert found
    assert found.opens_from == "address"


def test_every_header_of_the_table_is_tried() -> None:
    tried = {line.partition(":")[0].lower() for header, _ in TABLE for line in header.split("\r\n")}
    assert {name.decode() for name in HEADERS} <= tried


OTHER = st.sampled_from(
    [b"Subject: x\r\n", b"To: a,\r\n b\r\n", b"broken line\r\n", b"X-Tracker: yes\r\n", b"A:\r\n"]
)
CONTROL = st.sampled_from(
    [b"X-Track: no\r\n", b"x-pm-trackopens :\r\n true\r\n", b"X-No-Track:\r\n"]
)
BODY = st.sampled_from([b"\r\n", b"\r\nX-Track: no\r\n\r\nX-No-Track: yes\r\n", b""])


@given(st.lists(st.tuples(st.booleans(), OTHER, CONTROL)), BODY)
def test_exactly_the_control_headers_are_cut_out(
    lines: list[tuple[bool, bytes, bytes]], body: bytes
) -> None:
    content = b"".join(control if is_control else other for is_control, other, control in lines)
    expected = b"".join(other for is_control, other, _ in lines if not is_control)
    assert read(content + body, read_fields(content + body))[1] == expected + body


def test_without_controls_the_very_same_object_comes_back() -> None:
    content = b"Subject: x\r\n\r\nbody"
    assert read(content, read_fields(content))[1] is content


@pytest.mark.parametrize(
    ("login", "name", "wishes"),
    [
        ("ana@example.com+no-opens", "ana@example.com", Wishes(opens=False)),
        ("ana+opens", "ana", Wishes(opens=True)),
        ("ana+links", "ana", Wishes(clicks=True)),
        ("ana+no-links", "ana", Wishes(clicks=False)),
        ("ana+track", "ana", ON),
        ("ana+No-Track ", "ana", OFF),
        ("ana+tag@example.com", "ana+tag@example.com", NOTHING),
        ("ana+tag+no-track", "ana+tag", OFF),
        ("ana+no-opens+no-links", "ana+no-opens", Wishes(clicks=False)),  # one: then it is unknown
        ("ana+no-opens@example.com", "ana+no-opens@example.com", NOTHING),
        ("ana+notrack", "ana+notrack", NOTHING),
        ("ana+", "ana+", NOTHING),
        ("no-opens", "no-opens", NOTHING),
        ("+no-opens", "", Wishes(opens=False)),
        ("", "", NOTHING),
    ],
)
def test_what_a_login_wishes(login: str, name: str, wishes: Wishes) -> None:
    assert of_login(login) == (name, wishes)


def test_the_house_of_logins_keeps_the_same_words_free() -> None:
    assert set(NAMES) == WISHES


DOMAIN = b"letterbell.invalid"


@pytest.mark.parametrize(
    ("address", "wishes"),
    [
        (b"track@letterbell.invalid", ON),
        (b"no-track@letterbell.invalid", OFF),
        (b"opens@letterbell.invalid", Wishes(opens=True)),
        (b"No-Opens@LetterBell.Invalid", Wishes(opens=False)),
        (b"links@letterbell.invalid", Wishes(clicks=True)),
        (b"no-links@letterbell.invalid", Wishes(clicks=False)),
        (b"no-track@sub.letterbell.invalid", None),
        (b"no-track@letterbell.invalid.example", None),
        (b"postmaster", None),
    ],
)
def test_what_a_recipient_wishes(address: bytes, wishes: Wishes | None) -> None:
    assert of_recipient(address, DOMAIN) == wishes


@pytest.mark.parametrize("name", [b"notrack", b'"no-track"', b"no-track+x", b"\xff", b"", b"a@b"])
def test_an_unknown_control_address_goes_nowhere(name: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        of_recipient(name + b"@" + DOMAIN, DOMAIN)
    assert refusal.value.reply.wire().startswith(b"550 5.1.1 At letterbell.invalid there are only ")


@pytest.mark.parametrize(
    ("header", "left", "wishes"),
    [
        (b"To: no-track@letterbell.invalid\r\n", b"", OFF),
        (b'Bcc: "No tracking"\r\n <no-track@letterbell.invalid> (x)\r\n', b"", OFF),
        (
            b"cc :no-links@letterbell.invalid , opens@letterbell.invalid\r\n",
            b"",
            Wishes(True, False),
        ),
        (
            b"To: bob@example.org, no-opens@letterbell.invalid\r\n",
            b"To: bob@example.org\r\n",
            Wishes(opens=False),
        ),
        (
            b'To: NO-Opens@LetterBell.invalid,\r\n\t"Doe, Bob" <bob@example.org> (x),\r\n e@x\r\n',
            b'To: "Doe, Bob" <bob@example.org> (x),\r\n e@x\r\n',
            Wishes(opens=False),
        ),
        (
            b"To: Us: no-track@letterbell.invalid, bob@example.org;\r\n",
            b"To: Us: bob@example.org;\r\n",
            OFF,
        ),
        (
            b"To: undisclosed-recipients: no-track@letterbell.invalid;\r\n",
            b"To: undisclosed-recipients: ;\r\n",
            OFF,
        ),
        (
            b"To: bob@example.org\r\nResent-To: no-track@letterbell.invalid\r\n",
            b"To: bob@example.org\r\n",
            OFF,
        ),
        (
            b"X-Track: opens=true\r\nTo: bob@example.org\r\nCc: no-track@letterbell.invalid\r\n",
            b"To: bob@example.org\r\n",
            OFF,
        ),
        (b"To: a@b.c, no-track@letterbell.invalid", b"To: a@b.c", OFF),
    ],
)
def test_control_addresses_are_obeyed_and_cut_out(
    header: bytes, left: bytes, wishes: Wishes
) -> None:
    content = b"From: ana@example.com\r\n" + header
    kept = b"From: ana@example.com\r\n" + left
    assert read(content, read_fields(content), DOMAIN) == (wishes, kept)
    if header.endswith(b"\r\n"):
        rest = (
            b"Subject: To: no-track@letterbell.invalid\r\n\r\nTo: no-track@letterbell.invalid\r\n"
        )
        assert read(content + rest, read_fields(content + rest), DOMAIN) == (wishes, kept + rest)
    assert read(content, read_fields(content))[0].clicks is None  # by headers alone


@pytest.mark.parametrize(
    "header",
    [
        b"To: bob@example.org\r\n",
        b"To: bob@letterbell.invalid.example\r\n",
        b"To: x@sub.letterbell.invalid\r\n",
        b'To: "no-track@letterbell.invalid" <bob@example.org>\r\n',
        b"To: bob@example.org (not letterbell.invalid), eve@example.org\r\n",
        b"Reply-To: no-track@letterbell.invalid\r\n",
        b"To: bob@@example.org, <\r\n",
    ],
)
def test_other_addresses_stay(header: bytes) -> None:
    content = header + b"\r\n"
    wishes, kept = read(content, read_fields(content), DOMAIN)
    assert wishes == NOTHING
    assert kept is content


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"To: notrack@letterbell.invalid", b"550 5.1.1 At letterbell.invalid"),
        (
            b"To: bob@x.y, Us: no-track@x.y, x@letterbell.invalid;",
            b"550 5.1.1 At letterbell.invalid",
        ),
        (b"Cc: bob@x.y; no-track@letterbell.invalid", b"550 5.1.3 The Cc header"),
        (b"To: no-track@letterbell. invalid", b"550 5.1.3 The To header"),
        (b"To: no-track@letter(x (y))bell\r\n .invalid", b"550 5.1.3 The To header"),
        (b"Resent-To: Bob, no-track@letterbell.invalid", b"550 5.1.3 The Resent-To header"),
        (b'To: "no-track@letterbell.invalid', b"550 5.1.3 The To header"),
        (b"To: x@y.z <no-track@letterbell.invalid>", b"550 5.1.3 The To header"),
    ],
)
def test_what_cannot_be_cut_out_for_certain_is_refused(header: bytes, words: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        read(header, read_fields(header), DOMAIN)
    assert refusal.value.reply.wire().startswith(words)


ADDRESSES = st.sampled_from(
    [b"bob@example.org", b'"Doe, B." <b@x.y>', b"Eve (x) <eve@x.y>", b"Us: a@x.y, b@x.y;"]
)
CONTROLS = st.sampled_from(
    [
        b"no-track@letterbell.invalid",
        b'"a, b" <Opens@letterbell.invalid>',
        b"(x) links@LETTERBELL.invalid",
    ]
)


def test_empty_places_go_with_a_control_address() -> None:
    for written, left in (
        (b"bob@example.org, , no-track@letterbell.invalid", b"bob@example.org"),
        (b"no-track@letterbell.invalid, , bob@example.org", b"bob@example.org"),
        (b"bob@example.org, , ann@example.org", b"bob@example.org, , ann@example.org"),
    ):
        content = b"Cc: " + written + b"\r\n"
        _, kept = read(content, read_fields(content), DOMAIN)
        assert kept == b"Cc: " + left + b"\r\n"


@pytest.mark.parametrize("domain", [DOMAIN, None])
@pytest.mark.parametrize(
    "hidden",
    [
        b"Bcc: eve@example.org\r\n",
        b"BCC :eve@example.org,\r\n \r\n\t<mallory@example.org>\r\n",
        b"Bcc:\r\n",
        b"Bcc\x00: who can read < this\r\n",
        b"resent-bcc: eve@example.org\r\n",
        b"A line that is none\r\nBcc: eve@example.org\r\nBcc: eve@example.org\r\n",
    ],
)
def test_nobody_sees_who_gets_a_blind_copy(hidden: bytes, domain: bytes | None) -> None:
    before = b"DKIM-Signature: v=1; h=from:bcc\r\nFrom: ana@example.com\r\n"
    behind = b"X-Bcc: x\r\nSubject: Bcc: y\r\n\r\nBcc: text\r\n"
    content = before + hidden + behind
    none = hidden.partition(b"\r\n")[0] + b"\r\n" if hidden.startswith(b"A") else b""
    wishes, kept = read(content, read_fields(content), domain)
    assert wishes == NOTHING
    assert kept == before + none + behind


def test_a_blind_control_address_counts() -> None:
    content = b"Bcc: eve@example.org, no-track@letterbell.invalid\r\nTo: bob@example.org\r\n"
    assert read(content, read_fields(content), DOMAIN) == (OFF, b"To: bob@example.org\r\n")


@given(
    st.lists(ADDRESSES | CONTROLS, min_size=1, max_size=6),
    st.sampled_from(sorted(DESTINATIONS - HIDDEN)),
    st.sampled_from([b", ", b",\r\n\t", b" , "]),
)
def test_the_others_are_who_is_left(places: list[bytes], name: bytes, comma: bytes) -> None:
    def readers(header: bytes) -> list[list[str]]:
        text = email.message_from_bytes(header, policy=email.policy.default)
        raw = email.message_from_bytes(header, policy=email.policy.compat32)
        lists = [str(text[name.decode()] or ""), raw[name.decode()] or ""]
        return [[address for _, address in getaddresses([each]) if address] for each in lists]

    content = name + b": " + comma.join(places) + b"\r\n"
    _, kept = read(content, read_fields(content), DOMAIN)
    assert readers(kept) == [
        [each for each in addresses if not each.lower().endswith("letterbell.invalid")]
        for addresses in readers(content)
    ]
    assert kept == b"" or kept.endswith(b"\r\n")
    blank = [sum(line.isspace() for line in each.splitlines()) for each in (kept, content)]
    assert blank[0] <= blank[1]


@pytest.mark.parametrize(
    ("content", "opens_by", "clicks_by"),
    [
        (b"X-TRACK-Opens: no\r\n\r\n", "X-TRACK-Opens", ""),
        (
            b"X-Track: opens=true; clicks=true\r\nX-No-Track: yes\r\n\r\n",
            "X-No-Track",
            "X-No-Track",
        ),
        (b"X-No-Track: yes\r\nX-Track: opens=true\r\n\r\n", "X-No-Track", "X-No-Track"),
        (b"X-Track-Links: no\r\nX-No-Track: yes\r\n\r\n", "X-No-Track", "X-Track-Links"),
        (b"To: b@x.org, No-Opens@x.invalid\r\n\r\n", "no-opens@x.invalid", ""),
        (b"X-Track: default\r\n\r\n", "", ""),
    ],
)
def test_who_said_it(content: bytes, opens_by: str, clicks_by: str) -> None:
    wishes, _ = read(content, read_fields(content), b"x.invalid")
    told = ((wishes.opens, wishes.opens_by), (wishes.clicks, wishes.clicks_by))
    assert [by if on is not None else "" for on, by in told] == [opens_by, clicks_by]

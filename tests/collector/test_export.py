"""All about one person, and of others no more than needed."""

import json
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from hits import add_hits, make_hit
from jsonschema import Draft202012Validator

from collector.consents import Consents
from collector.export import PARTS, find_logins
from collector.origins import Choice
from collector.outward.parts import Outward
from collector.outward.ways import Ways
from collector.pages.telling import Words
from collector.person import Person
from collector.senders import Senders
from collector.store import Outcome, Sent, SentLink, Store, Wished
from collector.tokens import Key
from collector.verdict import Verdict

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/export.schema.json").read_text())
BOB, EVE = "bob@example.org", "eve@example.org"


async def export(store: Store, address: str) -> dict[str, Any]:
    person = Person(address)
    told: dict[str, Any] = {"address": address, "exported": "2026-01-01T00:00:00.000+00:00"}
    told |= {name: [item async for item in part(store, person)] for name, part in PARTS.items()}
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate({**told, "queued": []})
    return told


async def add_hit(store: Store, message_id: int, recipient: int, link: int | None = None) -> None:
    made = make_hit(
        message_id,
        1_700_000_100_000,
        kind="open" if link is None else "click",
        recipient=recipient,
        link=link,
        agent="curl/8.5.0",
        address=ip_address("203.0.113.7"),
    )
    await add_hits(store, made, verdict=Verdict("tool", "tool", 1.0))


async def test_as_a_recipient(store: Store, make_sent: Callable[..., Sent]) -> None:
    alone = make_sent(recipients=("Bob@Example.org",), subject="Grüße", snippet="Hello")
    shared = make_sent(recipients=(EVE, BOB, "BOB@example.org"))
    each = make_sent(recipients=(EVE, BOB), per_recipient=True)
    other = make_sent(recipients=("jimbob@example.org",))
    for sent in (alone, shared, each, other):
        await store.record_sent(sent)
    store.record_outcome(
        each.message_id,
        Outcome(
            at_ms=1_700_000_000_500,
            state="delivered",
            reply="250 ok",
            outcomes=((1, "delivered", "250 ok"), (2, "refused", "550 no bob")),
        ),
    )
    await add_hit(store, alone.message_id, 0, link=0)
    await add_hit(store, shared.message_id, 0)
    for recipient in (1, 2):
        await add_hit(store, each.message_id, recipient)
    told = await export(store, BOB)
    assert (told["accounts"], told["sent"]) == ([], [])
    first, second, third = told["received"]
    assert first == {
        "id": f"{alone.message_id:x}",
        "sent": "2023-11-14T22:13:20.001+00:00",
        "delivered": None,
        "sender": "ana",
        "from": "ana@example.com",
        "subject": "Grüße",
        "snippet": "Hello",
        "message_id": alone.message_id_header,
        "opens": True,
        "clicks": True,
        "untracked_reason": None,
        "per_recipient": False,
        "stopped": None,
        "links": [{"link": 0, "target": "https://example.com/"}],
        "recipients": 1,
        "state": "sending",
        "said": "",
        "hits": [
            {
                "at": "2023-11-14T22:15:00.000+00:00",
                "kind": "click",
                "link": 0,
                "verdict": "tool",
                "rule": "tool",
                "network": "203.0.113.0/24",
                "agent": "curl",
                "whose": "theirs",
            }
        ],
        "notifications": [],
    }
    assert second["recipients"] == 2
    assert [hit["whose"] for hit in second["hits"]] == ["shared"]
    assert (third["state"], third["said"]) == ("refused", "550 no bob")
    assert [hit["whose"] for hit in third["hits"]] == ["theirs"]
    assert EVE not in json.dumps(told)


async def test_as_a_sender(store: Store, make_sent: Callable[..., Sent]) -> None:
    senders = Senders(store)
    bob = await senders.add("Bob", "a secret of his", [EVE, BOB])
    password = await senders.devices.add(bob.id, "phone")
    key = await senders.api_keys.add(bob.id, "reports", "read")
    token = await senders.open_session(bob.id, 60)
    senders.close()
    links = (SentLink(0, "https://example.com/", ""),)
    sent = make_sent(
        sender_id=bob.id,
        recipients=(EVE, "ann@example.org"),
        links=links,
        skipped=(("opt-out", 2, "x.org"),),
        wished=Wished(True, True, "header", "setting"),
    )
    await store.record_sent(sent)
    await store.record_sent(make_sent())
    await senders.stick(bob.id, [Choice("opens", False, "X-Track")], message_id=sent.message_id)
    await senders.set_language(bob.id, "et")
    await add_hit(store, sent.message_id, 2)
    await add_hit(store, sent.message_id, 0)
    told = await export(store, BOB.upper())
    [account] = told["accounts"]
    assert (account["login"], account["addresses"]) == ("Bob", [EVE, BOB])
    assert account["has_password"]
    assert [device["name"] for device in account["devices"]] == ["phone"]
    assert [(each["name"], each["scope"]) for each in account["api_keys"]] == [("reports", "read")]
    [open_session] = account["sessions"]
    assert open_session["created"] == open_session["last_used"]
    assert account["language"] == "et"
    [origin] = account["toggles_set_by"]
    assert (origin["toggle"], origin["said_by"]) == ("opens", "X-Track")
    assert origin["mail"] == f"{sent.message_id:x}"
    [mail] = told["sent"]
    assert mail["recipients"] == [EVE, "ann@example.org"]
    assert [hit["recipient"] for hit in mail["hits"]] == ["ann@example.org", None]
    assert mail["skipped"] == [{"rule": "opt-out", "number": 2, "example": "x.org"}]
    assert mail["wished"]["opens_from"] == "header"
    text = json.dumps(told)
    assert not [
        secret for secret in (("argon2", password, key, token, "a secret")) if secret in text
    ]
    assert await find_logins(store, Person(BOB)) == ["Bob"]
    assert await find_logins(store, Person("jimbob@example.org")) == []


async def test_what_senders_were_told(store: Store, make_sent: Callable[..., Sent]) -> None:
    senders = Senders(store)
    ann = await senders.add("ann@example.org", "a secret of hers", ["ann@example.org"])
    senders.close()
    each = make_sent(sender_id=ann.id, recipients=(EVE, BOB), per_recipient=True)
    await store.record_sent(each)
    for recipient in (0, 1, 2):
        await add_hits(store, make_hit(each.message_id, 1_700_000_100_000, recipient=recipient))
    [received] = (await export(store, BOB))["received"]
    assert [note["whose"] for note in received["notifications"]] == ["shared", "theirs"]
    told = await export(store, "ann@example.org")
    assert told["accounts"][0]["notify"] == "first"
    [mail] = told["sent"]
    assert mail["notifications"][2] == {
        "kind": "open",
        "verdict": "person",
        "count": 1,
        "first": "2023-11-14T22:15:00.000+00:00",
        "last": "2023-11-14T22:15:00.000+00:00",
        "recipient": BOB,
        "read": None,
    }
    assert [note["recipient"] for note in mail["notifications"]] == [None, EVE, BOB]


async def test_of_a_stranger_there_is_nothing(store: Store, make_sent: Callable[..., Sent]) -> None:
    await store.record_sent(make_sent())
    told = await export(store, "nobody@example.net")
    assert not any(told[name] for name in PARTS)


async def test_what_was_decided(store: Store, make_sent: Callable[..., Sent]) -> None:
    sent = make_sent()
    await store.record_sent(sent)
    consents = Consents(store)
    await consents.decide(sent.sender_id, EVE, {"open": True}, how="import")
    await consents.decide(sent.sender_id, BOB, {"open": False}, how="notice", text_version="v1")
    [decision] = (await export(store, BOB))["decisions"]
    at, login = decision.pop("at"), decision.pop("sender")
    assert at.endswith("+00:00")
    assert login
    assert decision == {"kind": "open", "granted": False, "how": "notice", "text_version": "v1"}


async def test_where_a_senders_notifications_go(store: Store) -> None:
    senders = Senders(store)
    bob = await senders.add("Bob", "a secret of his", [BOB])
    eve = await senders.add("Eve", "a secret of hers", [EVE])
    senders.close()
    outward = Outward(
        store, [Key(0, bytes(32))], Words("https://t"), public_url="https://t", ways=Ways()
    )
    await outward.targets.add_service(bob.id, "ntfys://ntfy.sh/hidden", "de")
    await outward.targets.add_service(eve.id, "ntfys://ntfy.sh/hers", "en")
    await outward.digests.turn_on(bob.id, "de")
    token = await outward.feeds.make(bob.id, "fr")
    await outward.close()
    told = await export(store, BOB)
    [account] = told["accounts"]
    [target] = account["targets"]
    assert (target["kind"], target["address"]) == ("service", "ntfy (ntfy.sh)")
    assert account["digest"] == [{"language": "de"}]
    assert [each["language"] for each in account["feed"]] == ["fr"]
    assert not [word for word in ("hidden", "hers", token) if word in json.dumps(told)]

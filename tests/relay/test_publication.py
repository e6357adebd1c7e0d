"""A key's record in the DNS, asked of a real server on a real port."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import dns.message
import dns.rcode
import dns.rrset
import pytest
from dkimkeys import key, write_key
from dns.asyncresolver import Resolver

from relay import publication
from relay.commands.findings import check_dkim
from relay.publication import LookupFailed, objection, published
from relay.settings import DkimSettings, Settings
from relay.signing_key import SigningKey


class Zone(asyncio.DatagramProtocol):
    """Answers for the names that it has; None for one of which it does not know whether it is."""

    def __init__(self) -> None:
        self.records: dict[str, list[str] | None] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asked = dns.message.from_wire(data)
        answer = dns.message.make_response(asked)
        name = asked.question[0].name
        texts = self.records.get(name.to_text(omit_final_dot=True), [])
        if texts is None:
            answer.set_rcode(dns.rcode.REFUSED)
        elif texts:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def zone(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Zone]:
    loop = asyncio.get_running_loop()
    transport, zone = await loop.create_datagram_endpoint(Zone, local_addr=("127.0.0.1", 0))

    def resolver() -> Resolver:
        made = Resolver(configure=False)
        made.nameservers = ["127.0.0.1"]
        made.port = transport.get_extra_info("sockname")[1]
        return made

    monkeypatch.setattr(publication, "Resolver", resolver)
    yield zone
    transport.close()


RSA, ED = key(rsa=True), key()


@pytest.mark.parametrize("made", [RSA, ED], ids=["rsa", "ed25519"])
async def test_what_we_say_to_publish_is_what_we_look_for(zone: Zone, made: SigningKey) -> None:
    name, _, _, text = made.zone_entry.split(" ", 3)
    zone.records[name.removesuffix(".")] = [text]
    assert await published(made.name) == [made.record]
    assert objection(made, await published(made.name)) is None


async def test_none(zone: Zone) -> None:
    assert await published(ED.name) == []


async def test_a_server_that_does_not_say(zone: Zone) -> None:
    zone.records[ED.name] = None
    with pytest.raises(LookupFailed, match=r"sel\._domainkey\.example\.com cannot be looked up"):
        await published(ED.name)


async def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication, "Resolver", lambda: Resolver(filename="/nonexistent"))
    with pytest.raises(LookupFailed):
        await published(ED.name)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([ED.record], None),
        (["site-verification=x", ED.record], None),
        ([ED.record.replace("; ", " ;\t")], None),
        ([f"k=ed25519; p={ED.public[:9]} {ED.public[9:]}; t=y; n=note"], None),
        ([ED.record + "; h=sha1:sha256"], None),
        ([], "is not in the DNS"),
        (["v=spf1 -all"], "is not in the DNS"),
        (["v=DKIM1; k=ed25519; p="], "is revoked"),
        ([ED.record, RSA.record], "has several records"),
        ([RSA.record], "has another key"),
        ([f"v=DKIM1; p={ED.public}"], "has another key"),
        ([ED.record + "; h=sha1"], "do not take"),
        ([ED.record.replace("DKIM1", "DKIM2")], "do not take"),
    ],
)
def test_what_is_wrong_with_a_record(records: Sequence[str], told: str | None) -> None:
    found = objection(ED, records)
    assert (told is None and found is None) or (told is not None and told in str(found))


async def test_check_says_what_to_publish(
    zone: Zone, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(*files: str) -> Settings:
        keys = [
            {"domain": "example.com", "selector": name, "file": tmp_path / f"{name}.pem"}
            for name in files
        ]
        return Settings.model_construct(dkim=DkimSettings.model_validate({"key": keys}))

    for name in ("good", "lost", "unknown"):
        write_key(tmp_path / f"{name}.pem", ED)
    zone.records["good._domainkey.example.com"] = [f'"{ED.record}"']
    zone.records["unknown._domainkey.example.com"] = None
    found = [each async for each in check_dkim(settings("good", "lost", "unknown", "none"))]
    assert [each.level for each in found] == ["ok", "problem", "warning", "problem"]
    assert f'publish lost._domainkey.example.com. IN TXT "{ED.record}"' in found[1].text
    assert "dkim.key[3].file: " in found[3].text
    assert "none.pem cannot be read" in found[3].text

"""The stage of the dialogues: `letterbell serve` with one set of settings, and its upstream's port.

One process serves all dialogues with the same settings, in turn; what the dialogue says of the
upstream is a script in the test's own process, behind a port that stays.
"""

import json
import socket
import tomllib
from dataclasses import dataclass

import trustme
from e2e.house import Certificates, Letterbell
from relays import HOSTNAME

DOORS = {"plain": "none", "starttls": "starttls", "implicit": "implicit"}

# ("smtp.max_size", "2000"): the setting's full name, its value as TOML.
Setting = tuple[str, str]


@dataclass(frozen=True)
class Stage:
    """A running relay that sends to `upstream`, a listening socket without a server as yet."""

    relay: Letterbell
    upstream: socket.socket
    authority: trustme.CA

    def port(self, door: str) -> int:
        return self.relay.smtp_ports[list(DOORS).index(door)]


def config(settings: tuple[Setting, ...], upstream: int, certificates: Certificates) -> str:
    """The config file: what every dialogue has, with the dialogue's own settings over it."""
    tables = {
        "smtp": {
            "hostname": json.dumps(HOSTNAME),
            "certificate": json.dumps(str(certificates.certificate)),
            "key": json.dumps(str(certificates.key)),
        },
        "upstream": {"host": '"127.0.0.1"', "port": str(upstream), "tls": '"none"'},
        "http": {"port": "0", "public_url": '"https://t.example.com"'},
        "tokens": {"keys": json.dumps([f"1:{'k' * 43}"])},
        "log": {"format": '"json"'},
        "listen": {"port": "0"},
    }
    for name, value in settings:
        table, _, key = name.rpartition(".")
        tables.setdefault(table, {})[key] = value
    listen = tables.pop("listen")
    text = "".join(_table(f"[{name}]", values) for name, values in tables.items())
    for tls in DOORS.values():
        own = {"tls": json.dumps(tls)} | ({"allow_plain_auth": "true"} if tls == "none" else {})
        text += _table("[[smtp.listen]]", own | listen)
    return text


def _table(name: str, values: dict[str, str]) -> str:
    return "".join([f"{name}\n", *(f"{key} = {value}\n" for key, value in values.items())])


def as_toml(written: str) -> str:
    """A value as it stands if it is TOML (2000, true, ["::1/128"]), else as a string of TOML."""
    try:
        tomllib.loads(f"value = {written}")
    except tomllib.TOMLDecodeError:
        return json.dumps(written)
    return written

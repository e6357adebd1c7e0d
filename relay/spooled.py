"""What the spool holds of one person: mail that names them, and files that hold their address.

For whoever may read the spool, while another process works on it.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from collector.person import Person
from relay.spool import read_entries
from relay.spoolfile import Entry


def find_entries(folder: Path, person: Person) -> list[Entry]:
    """The queued mails to the person, or from them. Raises OSError where the spool cannot be read;
    one that was never made holds nothing.
    """
    try:
        return [entry for entry in read_entries(folder) if _names(entry, person)]
    except FileNotFoundError:
        return []


def is_alone(entry: Entry, person: Person) -> bool:
    """Whether the mail is to nobody else."""
    return all(person.is_at(_text(recipient.address)) for recipient in entry.recipients)


def find_files(folder: Path, person: Person) -> list[Path]:
    """Every file of the spool with the address in its octets, those set aside as well. Raises
    OSError.
    """
    found = (Path(path, name) for path, _, names in os.walk(folder) for name in sorted(names))
    return [path for path in found if person.is_in_file(path)]


def _names(entry: Entry, person: Person) -> bool:
    named: Iterable[bytes] = (entry.mail_from, *(each.address for each in entry.recipients))
    return person.is_at(entry.login) or any(person.is_at(_text(each)) for each in named)


def _text(address: bytes) -> str:
    return address.decode("utf-8", "replace")

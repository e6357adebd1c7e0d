"""Postfix as Debian has it, as a bare relay: it queues on the disk, answers, and sends then."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.mtas import running_postfix, server_folder
from system import fetch

from peers.server import Missing, Server

TREE = fetch.HERE / "postfix"
# Nobody is looked up or counted, and neither the pace at which mail comes nor the number of
# connections to one destination holds it back.
SETTINGS = """\
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
in_flow_delay = 0
default_process_limit = 600
default_destination_concurrency_limit = {connections}
initial_destination_concurrency = {connections}
smtpd_client_connection_count_limit = 0
"""


@contextmanager
def queueing(folder: Path, next_hop: int, connections: int) -> Iterator[Server]:
    """Its queue is in a folder of its own, which its user may enter."""
    if os.geteuid() == 0:
        fetch.fetch_server("postfix")
    if os.geteuid() != 0 or not TREE.is_dir():
        raise Missing("Postfix needs root, on Debian, which has its package")
    with server_folder() as own:
        settings = SETTINGS.format(connections=connections)
        with running_postfix(own, TREE, next_hop, settings) as (port, pid):
            yield Server(port, pid)

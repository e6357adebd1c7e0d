"""Address ranges of mail providers and security gateways, as data for the rules of verdict.py.

Each entry names its source. A range belongs here only if hits from it are known to come from
machines.
"""

from collector.client import Networks, read_networks

# Google's published mail and proxy ranges (SPF records _netblocks to _netblocks3.google.com,
# 2025-11).
GOOGLE: Networks = read_networks(
    (
        "35.190.247.0/24",
        "35.191.0.0/16",
        "64.233.160.0/19",
        "66.102.0.0/20",
        "66.249.80.0/20",
        "72.14.192.0/18",
        "74.125.0.0/16",
        "108.177.8.0/21",
        "108.177.96.0/19",
        "130.211.0.0/22",
        "172.217.0.0/19",
        "172.217.32.0/20",
        "172.217.128.0/19",
        "172.217.160.0/20",
        "172.217.192.0/19",
        "172.253.56.0/21",
        "172.253.112.0/20",
        "173.194.0.0/16",
        "209.85.128.0/17",
        "216.58.192.0/19",
        "216.239.32.0/19",
        "2001:4860:4000::/36",
        "2404:6800:4000::/36",
        "2607:f8b0:4000::/36",
        "2800:3f0:4000::/36",
        "2a00:1450:4000::/36",
        "2c0f:fb50:4000::/36",
    )
)

# Exchange Online Protection: Safe Links opens pages from here with real browsers' agents (HITS.md).
MICROSOFT_PROTECTION: Networks = read_networks(
    ("40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17")
)

# Barracuda Email Gateway Defense (HITS.md).
BARRACUDA: Networks = read_networks(("209.222.82.0/24",))

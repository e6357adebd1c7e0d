"""Address ranges of mail providers and security gateways, as data for the rules of verdict.py.

Each entry names its source; routes were last looked up in November 2025. A range belongs here only
if hits from it are known to come from machines, or, for Google, to tell its own agents from others.
"""

from functools import lru_cache

from collector.client import Address, Networks, read_networks, within

NETWORKS: dict[str, Networks] = {
    name: read_networks(ranges.split())
    for name, ranges in {
        # Google's SPF records, _netblocks to _netblocks3.google.com.
        "google": """
        35.190.247.0/24 35.191.0.0/16 64.233.160.0/19 66.102.0.0/20 66.249.80.0/20
        72.14.192.0/18 74.125.0.0/16 108.177.8.0/21 108.177.96.0/19 130.211.0.0/22
        172.217.0.0/19 172.217.32.0/20 172.217.128.0/19 172.217.160.0/20 172.217.192.0/19
        172.253.56.0/21 172.253.112.0/20 173.194.0.0/16 209.85.128.0/17 216.58.192.0/19
        216.239.32.0/19 2001:4860:4000::/36 2404:6800:4000::/36 2607:f8b0:4000::/36
        2800:3f0:4000::/36 2a00:1450:4000::/36 2c0f:fb50:4000::/36
        """,
        # Exchange Online Protection (HITS.md): Safe Links opens pages from here with real
        # browsers' agents.
        "safe-links": """
        40.92.0.0/15 40.107.0.0/16 52.100.0.0/14 104.47.0.0/17
        """,
        # Routes of AS22843, AS26211 and AS52129. Its browser isolation carries people, too.
        "proofpoint": """
        66.159.224.0/23 66.159.227.0/24 66.159.228.0/24 66.159.232.0/21 66.159.240.0/23
        66.159.243.0/24 66.159.244.0/22 66.159.248.0/21 67.231.144.0/20 91.207.212.0/23
        91.209.104.0/24 143.55.144.0/22 143.55.148.0/23 143.55.150.0/24 148.163.132.0/22
        148.163.136.0/21 148.163.144.0/20 185.132.180.0/22 185.169.148.0/24
        185.183.28.0/22 205.220.160.0/20 205.220.176.0/21 205.220.184.0/22
        205.220.190.0/23 208.56.0.0/24 208.56.4.0/23 208.56.6.0/24 208.56.8.0/21
        208.56.16.0/23 208.56.60.0/22 208.83.137.0/24 208.83.139.0/24 208.84.64.0/22
        208.86.200.0/22
        """,
        # Routes of AS30031, AS42427 and AS60492.
        "mimecast": """
        41.74.203.0/24 63.128.21.0/24 91.220.42.0/24 170.10.128.0/22 170.10.132.0/23
        170.10.140.0/23 170.10.142.0/24 170.10.150.0/23 170.10.152.0/23 170.10.156.0/23
        185.58.84.0/22 193.7.204.0/22 195.130.217.0/24 205.139.110.0/23 207.82.80.0/24
        207.211.30.0/24 213.167.75.0/24 213.167.81.0/24 216.35.243.0/24 216.35.244.0/24
        216.145.218.0/23 216.145.222.0/24 216.205.24.0/24
        """,
        # Barracuda Email Gateway Defense (HITS.md).
        "barracuda": "209.222.82.0/24",
    }.items()
}


@lru_cache(maxsize=10_000)
def name_network(address: Address | None) -> str | None:
    """Whose network the address lies in, or None."""
    return next((name for name, ranges in NETWORKS.items() if within(address, ranges)), None)

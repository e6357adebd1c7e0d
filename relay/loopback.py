"""Whether a name is reached from this machine alone, so that a password may go there in clear."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Of `host`, an address or a name."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

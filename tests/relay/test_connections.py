"""How many there may be; how they end is seen on real ones (test_smtpd.py)."""

from relay.connections import Connections


class Session:
    """One that is counted."""

    def finish(self) -> None:
        raise AssertionError

    def abort(self) -> None:
        raise AssertionError


def test_a_customers_ipv6_addresses_are_one_and_a_neighbours_are_not() -> None:
    connections = Connections(limit=9, limit_per_address=2)
    first, second = Session(), Session()
    assert connections.admit(first, "2001:db8::1")
    assert connections.admit(second, "2001:db8::2")
    assert not connections.admit(Session(), "2001:db8::3")
    assert connections.admit(Session(), "2001:db8:0:1::3")
    connections.leave(second)
    connections.leave(second)
    assert connections.admit(Session(), "2001:db8::3")
    assert not connections.admit(Session(), "2001:db8::4")

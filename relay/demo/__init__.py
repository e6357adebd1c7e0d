"""`letterbell demo`: the whole house on loopback, with a page that shows both ends of a mail."""

from relay.demo.world import run_demo

__all__ = ["run_demo"]

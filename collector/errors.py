"""What the store says when it cannot do what was asked; the messages are for people."""


class StoreError(Exception):
    """The store cannot be used as it is; the message says what to do."""


class StoreUnavailable(StoreError):  # noqa: N818 - named for what happened
    """A read or write failed for now (locked, full, corrupt, late); nothing of it is stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store is unavailable: {reason}")
        self.reason = reason


class StoreConflict(StoreError):  # noqa: N818 - named for what happened
    """A write breaks a rule of the schema (a taken key, a missing parent); nothing is stored."""

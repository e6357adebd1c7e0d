"""How many files a process may have open: every connection is one, and a large mail one more."""

import contextlib
import resource

SPARE = 100  # for the store, the log, the collector and its readers


def needed(*, connections: int, upstream: int) -> int:
    """For so many submission sessions, each with a large mail, and so many upstream."""
    return 2 * connections + upstream + SPARE


def allowed() -> int:
    """As many as `raise_limit` may make it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 2**31 if hard == resource.RLIM_INFINITY else hard


def raise_limit() -> None:
    """To the most that this process may have: the usual 1024 is there for programs with select."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):  # then it stays as it is, and clients wait
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

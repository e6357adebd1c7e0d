"""When what failed is tried again, and when nobody tries any more. Pure.

The waits are those that the Standard Webhooks specification gives as its example, up to a day, each
up to a fifth shorter or longer, so that what failed together does not come back together.
"""

WAITS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0)  # seconds: 18 hours in all
JITTER = 0.2
LIFETIME = 86_400.0  # seconds that one notification is tried
PATIENCE = 3 * 86_400.0  # seconds that a target may fail before it is switched off
MIN_FAILURES = 10  # and so many times at least


def wait(attempts: int, chance: float) -> float | None:
    """Seconds until the next attempt after so many; None: there is no next one.

    `chance` is a random number from 0 to 1.
    """
    if attempts > len(WAITS):
        return None
    return WAITS[attempts - 1] * (1 - JITTER + 2 * JITTER * chance)


def is_hopeless(failures: int, failing_ms: int) -> bool:
    """Whether a target that failed so often, over so long a time, is switched off."""
    return failures >= MIN_FAILURES and failing_ms >= PATIENCE * 1000

"""Which form an answer has, by the header Accept (RFC 9110 section 12.5.1). Pure."""

from collections.abc import Sequence

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
FORMATS = {"json": JSON, "csv": CSV, "ndjson": NDJSON}


def choose(accept: str | None, offers: Sequence[str]) -> str | None:
    """The offer that is liked best, the first of equals; None where none will do.

    No header, or an empty one, takes anything.
    """
    if accept is None or not accept.strip():
        return offers[0]
    ranges = [_read(each) for each in accept.split(",")]
    liked = {offer: _quality(offer, ranges) for offer in offers}
    best = max(offers, key=lambda offer: liked[offer])
    return best if liked[best] > 0 else None


def _read(text: str) -> tuple[str, float]:
    media_range, *parameters = (each.strip().lower() for each in text.split(";"))
    weights = [each[2:] for each in parameters if each.startswith("q=")]
    try:
        weight = float(weights[0]) if weights else 1.0
    except ValueError:
        weight = 0.0
    return media_range, weight if 0.0 <= weight <= 1.0 else 0.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """By the range that names it most closely."""
    for name in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
        weights = [weight for media_range, weight in ranges if media_range == name]
        if weights:
            return max(weights)
    return 0.0

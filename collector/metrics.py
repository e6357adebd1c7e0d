"""The collector's counters, in Prometheus' format; /metrics shows them beside the relay's."""

from prometheus_client import Counter, Histogram

HITS = Counter("letterbell_hits", "Hits stored, by kind and verdict", ("kind", "verdict"))
HITS_DROPPED = Counter("letterbell_hits_dropped", "Hits answered but lost: the buffer was full")
HITS_UNKNOWN = Counter("letterbell_hits_unknown", "Hits on messages that are no longer kept")
BAD_TOKENS = Counter("letterbell_bad_tokens", "Requests whose token is not ours", ("kind",))
STORE_WRITES = Counter("letterbell_store_writes", "Writes to the store", ("outcome",))
STORE_COMMIT = Histogram("letterbell_store_commit_seconds", "Duration of a group's transaction")
STORE_GROUP = Histogram(
    "letterbell_store_group_size",
    "Writes that share one transaction",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
SIGN_INS = Counter("letterbell_sign_ins", "Passwords checked, by outcome", ("outcome",))

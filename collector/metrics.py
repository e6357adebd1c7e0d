"""The collector's counters, in Prometheus' format; /metrics shows them beside the relay's."""

from prometheus_client import Counter, Gauge, Histogram

HITS = Counter("letterbell_hits", "Hits stored, by kind and verdict", ("kind", "verdict"))
HITS_DROPPED = Counter("letterbell_hits_dropped", "Hits answered but lost: the buffer was full")
HITS_WAITING = Gauge("letterbell_hits_waiting", "Hits answered that the store has yet to take")
HITS_UNKNOWN = Counter(
    "letterbell_hits_unknown",
    "Hits that leave no trace: their message is erased, stopped or too old",
)
HITS_WITHHELD = Counter("letterbell_hits_withheld", "Hits not kept: a recipient objects")
NOTIFICATIONS = Counter("letterbell_notifications", "Notifications of senders, made anew")
BAD_TOKENS = Counter("letterbell_bad_tokens", "Requests whose token is not ours", ("kind",))
STORE_WRITES = Counter("letterbell_store_writes", "Writes to the store", ("outcome",))
STORE_COMMIT = Histogram("letterbell_store_commit_seconds", "Duration of a group's transaction")
STORE_GROUP = Histogram(
    "letterbell_store_group_size",
    "Writes that share one transaction",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
SIGN_INS = Counter("letterbell_sign_ins", "Passwords checked, by outcome", ("outcome",))
AGED_OUT = Counter("letterbell_aged_out", "Rows removed for their age, by table", ("table",))
TOLD = Counter(
    "letterbell_notifications_told",
    "Notifications sent out, by kind and outcome",
    ("kind", "outcome"),
)

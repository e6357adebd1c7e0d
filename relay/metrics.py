"""The relay's figures, in Prometheus' format; `/metrics` of the collector shows them."""

from prometheus_client import Counter, Gauge, Histogram

SESSIONS = Gauge("letterbell_smtp_sessions", "Submission sessions that are open.")
SESSIONS_TURNED_AWAY = Counter(
    "letterbell_smtp_sessions_turned_away", "Connections refused because of a limit or a stop."
)
MESSAGES = Counter(
    "letterbell_messages",
    "Messages: delivered, deferred, refused upstream, rejected here.",
    ["result"],
)
MESSAGE_SECONDS = Histogram(
    "letterbell_message_seconds",
    "From the end of DATA to the reply, upstream's time included.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600),
)
REWRITES = Counter(
    "letterbell_rewrites",
    "Messages to be tracked, by what the rewriter did: rewritten, untouched, failed.",
    ["result"],
)
RESTORED = Counter(
    "letterbell_restored",
    "Links that left with their targets again; pixels and footers taken out: mostly of quotes.",
)
SIGNATURES = Counter(
    "letterbell_dkim_signatures",
    "Copies of messages to be signed (DKIM): signed, or failed and sent unsigned.",
    ["result"],
)
STORE_UNAVAILABLE = Counter(
    "letterbell_store_unavailable", "Messages sent untracked because they could not be recorded."
)
AMBIGUOUS = Counter(
    "letterbell_ambiguous_deliveries",
    "Upstream went away behind the final dot: it may have the message or not (RFC 1047).",
)
UPSTREAM_CONNECTIONS = Counter(
    "letterbell_upstream_connections", "Connections to upstream by result.", ["result"]
)
INTERNAL_ERRORS = Counter("letterbell_smtp_errors", "Sessions answered 451 for an error of ours.")
SPOOL_REFUSED = Counter(
    "letterbell_spool_refused", "Messages left with their clients because the disk failed us."
)
QUEUE_MESSAGES = Gauge("letterbell_queue_messages", "Messages in our custody, held ones included.")
QUEUE_HELD = Gauge("letterbell_queue_held", "Those of them that nobody tries until released.")
QUEUE_OLDEST = Gauge("letterbell_queue_oldest_seconds", "The age of the oldest message in custody.")
QUEUE_ATTEMPTS = Counter(
    "letterbell_queue_attempts", "Recipients of queued messages, by upstream's answer.", ["result"]
)
QUEUE_ERRORS = Counter("letterbell_queue_errors", "Attempts that an error of ours has ended.")
REPORTS = Counter("letterbell_reports", "Reports sent to senders, by what they tell.", ["action"])
ALARM = Gauge("letterbell_alarm", "1 while somebody has to look at it.", ["what"])

"""The names under which the application holds its parts, typed."""

from collections.abc import Callable, Mapping

from aiohttp import web

from collector.client import Networks
from collector.consents import Consents
from collector.enrolment import Enrolment
from collector.feed import Feed
from collector.logins import Logins
from collector.notifications import Notifications
from collector.outward.parts import Outward
from collector.presence import Presence
from collector.recorder import Recorder
from collector.retention import Retention
from collector.senders import Senders
from collector.servers import Servers
from collector.stats import Stats
from collector.store import Store
from collector.tokens import Tokens
from collector.waiting import MailQueue

STORE = web.AppKey("STORE", Store)
SENDERS = web.AppKey("SENDERS", Senders)
CONSENTS = web.AppKey("CONSENTS", Consents)
TOKENS = web.AppKey("TOKENS", Tokens)
RECORDER = web.AppKey("RECORDER", Recorder)
PRESENCE = web.AppKey("PRESENCE", Presence)
RETENTION = web.AppKey("RETENTION", Retention)
STATS = web.AppKey("STATS", Stats)
OUTWARD: web.AppKey[Outward | None] = web.AppKey("OUTWARD")
FEED = web.AppKey("FEED", Feed)
NOTIFICATIONS = web.AppKey("NOTIFICATIONS", Notifications)
READ_LABEL: web.AppKey[Callable[[str], str]] = web.AppKey("READ_LABEL")
PUBLIC_URL = web.AppKey("PUBLIC_URL", str)
SERVERS = web.AppKey("SERVERS", Servers)
SIGN_PROFILE: web.AppKey[Callable[[bytes], bytes]] = web.AppKey("SIGN_PROFILE")
LOGINS = web.AppKey("LOGINS", Logins)
SECURE_COOKIES = web.AppKey("SECURE_COOKIES", bool)
TRUSTED_PROXIES: web.AppKey[Networks] = web.AppKey("TRUSTED_PROXIES")
METRICS_FROM: web.AppKey[Networks] = web.AppKey("METRICS_FROM")
ALARMS: web.AppKey[Callable[[], Mapping[str, str]]] = web.AppKey("ALARMS")
QUEUE: web.AppKey[MailQueue] = web.AppKey("QUEUE")
ENROLMENT = web.AppKey("ENROLMENT", Enrolment)

"""The names under which the application holds its parts, typed."""

from collections.abc import Callable, Mapping

from aiohttp import web

from collector.client import Networks
from collector.consents import Consents
from collector.feed import Feed
from collector.keeping import Keeping
from collector.notifications import Notifications
from collector.outward.parts import Outward
from collector.presence import Presence
from collector.recorder import Recorder
from collector.retention import Ages
from collector.senders import Senders
from collector.stats import Stats
from collector.store import Store
from collector.tokens import Tokens

STORE = web.AppKey("STORE", Store)
SENDERS = web.AppKey("SENDERS", Senders)
CONSENTS = web.AppKey("CONSENTS", Consents)
TOKENS = web.AppKey("TOKENS", Tokens)
RECORDER = web.AppKey("RECORDER", Recorder)
PRESENCE = web.AppKey("PRESENCE", Presence)
KEEPING = web.AppKey("KEEPING", Keeping)
AGES = web.AppKey("AGES", Ages)
STATS = web.AppKey("STATS", Stats)
OUTWARD: web.AppKey[Outward | None] = web.AppKey("OUTWARD")
FEED = web.AppKey("FEED", Feed)
NOTIFICATIONS = web.AppKey("NOTIFICATIONS", Notifications)
READ_LABEL: web.AppKey[Callable[[str], str]] = web.AppKey("READ_LABEL")
PUBLIC_URL = web.AppKey("PUBLIC_URL", str)
SECURE_COOKIES = web.AppKey("SECURE_COOKIES", bool)
TRUSTED_PROXIES: web.AppKey[Networks] = web.AppKey("TRUSTED_PROXIES")
METRICS_FROM: web.AppKey[Networks] = web.AppKey("METRICS_FROM")
ALARMS: web.AppKey[Callable[[], Mapping[str, str]]] = web.AppKey("ALARMS")

"""Which ways out a site has, as its settings say it: values alone, so that whoever reads settings
need not load what goes these ways."""

from dataclasses import dataclass
from typing import Literal

from collector.client import Networks

TargetKind = Literal["webhook", "service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Which ways out the site has: `allowed` private networks they may lead into; the hour, by this
    machine's clock, at which mails are made."""

    webhooks: bool = True
    services: bool = True
    digest: bool = True
    digest_hour: int = 7
    allowed: Networks = ()

    @property
    def kinds(self) -> tuple[TargetKind, ...]:
        """The kinds of targets that are sent to."""
        on: dict[TargetKind, bool] = {"webhook": self.webhooks, "service": self.services}
        return tuple(kind for kind, is_on in on.items() if is_on)


ALL_WAYS = Ways()

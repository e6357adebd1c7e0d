"""A sender's toggles for programs, as the page has them."""

from collector.api.call import Call
from collector.api.models import Nothing, Settings, SettingsChange
from collector.keys import SENDERS
from collector.senders import Sender


async def show_settings(call: Call[Nothing, None]) -> Settings:
    """GET /settings"""
    return _tell(call.sender)


async def change_settings(call: Call[Nothing, SettingsChange]) -> Settings:
    """PATCH /settings: what is given is set, all else stays."""
    given = call.body.model_dump(exclude_unset=True)
    return _tell(await call.app[SENDERS].set_tracking(call.sender.id, **given))


def _tell(sender: Sender) -> Settings:
    return Settings(
        login=sender.login,
        opens=sender.opens,
        clicks=sender.clicks,
        sticky=sender.sticky,
        per_recipient=sender.per_recipient,
    )

"""How a sender hears of opens and clicks: which of them ring, and where else they are told.

What a target is reached by is shown once, when it is made, and never again. An attempt that fails
says why, in words; nothing of the address stands in a URL of ours.
"""

from dataclasses import dataclass

from aiohttp import web

from collector.folding import NOTIFY
from collector.keys import OUTWARD, PUBLIC_URL, SENDERS
from collector.outward.outcomes import Failed
from collector.outward.parts import Outward
from collector.outward.targets import MAX_TARGETS, Target, TargetRefused
from collector.pages.rendering import render, see_other
from collector.pages.session import SenderHandler, form_token, read_form
from collector.pages.speech import current, say, say_number
from collector.senders import Sender
from collector.throttle import Throttle

PLACE = "/settings/notifications"
SETTINGS = "/settings"

# Adding and testing asks others on a sender's behalf, and costs a process where it is a service.
TRIES = web.AppKey("TRIES", Throttle)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """A target in words; `mood` is "good", "bad" or "quiet"."""

    target: Target
    mood: str
    state: str
    at_ms: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What is shown once: what it is, and the thing itself."""

    title: str
    about: str
    text: str


def setup(app: web.Application) -> None:
    """Gives the application its memory of who asked much lately."""
    app[TRIES] = Throttle(free=20)


async def show_destinations(request: web.Request, sender: Sender) -> web.StreamResponse:
    """GET /settings/notifications"""
    return await _page(request, sender, await _say_done(request, sender))


async def submit_preference(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications: `notify`, and `digest` where that is on."""
    outward, fields = _outward(request), await read_form(request)
    notify = next((each for each in NOTIFY if each == fields.get("notify")), None)
    if notify is not None:
        await request.app[SENDERS].set_notify(sender.id, notify)
    if "digest" in fields and outward.ways.digest:
        await outward.digests.turn_on(sender.id, current().code)
    else:
        await outward.digests.turn_off(sender.id)
    if "HX-Request" in request.headers:
        return await render(request, "_saved.html")
    return see_other(f"{PLACE}?done=saved")


async def submit_webhook(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications/webhooks: `address`. The answer shows its secret."""
    outward, fields = _outward(request), await read_form(request)
    if not outward.ways.webhooks:
        raise web.HTTPNotFound
    address = fields.get("address", "")
    try:
        _spend(request, sender)
        secret = await outward.targets.add_webhook(sender.id, address, current().code)
    except TargetRefused as refusal:
        return await _page(request, sender, refused=("webhook", refusal.reason, address))
    about = say("Your receiver knows by it that a call comes from here. It is shown only now.")
    return await _page(request, sender, fresh=Fresh(say("The webhook's secret"), about, secret))


async def submit_service(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications/services: `address`, as Apprise has it."""
    outward, fields = _outward(request), await read_form(request)
    if not outward.ways.services:
        raise web.HTTPNotFound
    address = fields.get("address", "")
    try:
        _spend(request, sender)
        await outward.targets.add_service(sender.id, address, current().code)
    except TargetRefused as refusal:
        return await _page(request, sender, refused=("service", refusal.reason, address))
    return see_other(f"{PLACE}?done=added")


async def submit_test(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications/targets/ID/test"""
    await read_form(request)
    target = await _find(request, sender)
    try:
        _spend(request, sender)
    except TargetRefused:
        return see_other(f"{PLACE}?done=often")
    outcome = await _outward(request).courier.test(target)
    done = "failed" if isinstance(outcome, Failed) else "arrived"
    return see_other(f"{PLACE}?done={done}&target={target.id}")


async def submit_removal(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications/targets/ID/remove"""
    await read_form(request)
    target = await _find(request, sender)
    await _outward(request).targets.remove(sender.id, target.id)
    return see_other(f"{PLACE}?done=removed")


async def submit_enabling(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications/targets/ID/enable"""
    await read_form(request)
    target = await _find(request, sender)
    await _outward(request).targets.enable(sender.id, target.id)
    return see_other(f"{PLACE}?done=enabled")


async def submit_feed(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications/feed: a new address, which the answer shows."""
    outward = _outward(request)
    await read_form(request)
    token = await outward.feeds.make(sender.id, current().code)
    address = f"{request.app[PUBLIC_URL]}/feed/{token}.atom"
    about = say(
        "Give it to your feed reader. Whoever has it can read the feed. It is shown only now."
    )
    return await _page(request, sender, fresh=Fresh(say("The feed's address"), about, address))


async def submit_feed_closing(request: web.Request, sender: Sender) -> web.StreamResponse:
    """POST /settings/notifications/feed/close"""
    await read_form(request)
    await _outward(request).feeds.close(sender.id)
    return see_other(f"{PLACE}?done=closed")


def routes() -> list[tuple[str, str, SenderHandler]]:
    """The addresses, as pages/__init__.py puts them into its table: method, path, handler."""
    target = PLACE + r"/targets/{target_id:\d{1,9}}"
    return [
        ("GET", PLACE, show_destinations),
        ("POST", PLACE, submit_preference),
        ("POST", f"{PLACE}/webhooks", submit_webhook),
        ("POST", f"{PLACE}/services", submit_service),
        ("POST", f"{target}/test", submit_test),
        ("POST", f"{target}/remove", submit_removal),
        ("POST", f"{target}/enable", submit_enabling),
        ("POST", f"{PLACE}/feed", submit_feed),
        ("POST", f"{PLACE}/feed/close", submit_feed_closing),
    ]


async def _page(
    request: web.Request,
    sender: Sender,
    done: tuple[bool, str] | None = None,
    *,
    refused: tuple[str, str, str] | None = None,
    fresh: Fresh | None = None,
) -> web.Response:
    outward = _outward(request)
    sender = await request.app[SENDERS].current(sender.id) or sender
    targets = await outward.targets.every(sender.id)
    room = len(targets) < MAX_TARGETS
    if refused and not room:  # there is no form to say it at
        done = (False, say_refusal(refused[1]))
    return await render(
        request,
        "destinations.html",
        status=400 if refused else 200,
        sender=sender,
        form_token=form_token(request),
        ways=outward.ways,
        place=PLACE,
        back=SETTINGS,
        targets=[view(each, switched_on=each.kind in outward.ways.kinds) for each in targets],
        room=room,
        digest=await outward.digests.is_on(sender.id),
        digest_address=await outward.digests.address(sender.id, sender.login),
        digest_hour=f"{outward.ways.digest_hour}:00",
        feed_since=await outward.feeds.since(sender.id),
        done=done,
        refused={refused[0]: say_refusal(refused[1])} if refused else {},
        written={refused[0]: refused[2]} if refused else {},
        fresh=fresh,
    )


def view(target: Target, *, switched_on: bool) -> TargetView:
    """A target in words."""
    notes = []
    if target.waiting:
        notes.append(say_number("%(number)s waits", "%(number)s wait", target.waiting))
    if target.left_out:
        notes.append(
            say_number("%(number)s was left out", "%(number)s were left out", target.left_out)
        )
    mood, at_ms = "quiet", None
    if not switched_on:
        state = say("Switched off by the administrator")
    elif target.disabled_at_ms is not None:
        mood, at_ms = "bad", target.disabled_at_ms
        state = say("Switched off: %(why)s", why=say_failure(target.reason, target.detail))
    elif target.failed_at_ms is not None and target.failed_at_ms > (target.sent_at_ms or 0):
        mood, at_ms = "bad", target.failed_at_ms
        state = say("Failed: %(why)s", why=say_failure(target.reason, target.detail))
        if target.failing_since_ms is not None:
            notes.append(say("It is tried again"))
    elif target.sent_at_ms is not None:
        mood, at_ms = "good", target.sent_at_ms
        state = say("Works")
    else:
        state = say("Nothing sent yet")
    return TargetView(target=target, mood=mood, state=state, at_ms=at_ms, notes=tuple(notes))


def say_failure(reason: str, detail: str) -> str:
    """Why a target did not take something."""
    words = {
        "gone": say("the receiver says that it is gone for good (410)"),
        "key": say("the server's key for its address is gone; remove it and add it again"),
        "name": say("there is no such host"),
        "plain": say(
            "its address begins with http:// and leads out into the Internet; use https://"
        ),
        "private": say(
            "its address leads into a private network, which this server does not allow"
        ),
        "redirect": say(
            "it answered with a redirect (%(code)s); give the new address", code=detail
        ),
        "refused": say("the service refused it, or could not be reached"),
        "slow": say("it did not answer in time"),
        "status": say("it answered with the status %(code)s", code=detail),
        "tls": say("its certificate is not in order"),
        "unreachable": say("it could not be reached"),
    }
    return words.get(reason, reason)


def say_refusal(reason: str) -> str:
    """Why a target was not added."""
    words = {
        "address": say("This is no address of a webhook. Write one like https://example.com/hook"),
        "plain": say("Use https://, so that nobody on the way reads along."),
        "login": say(
            "A login in the address is not taken. Put a secret into the path or the query."
        ),
        "service": say(
            "This is no address of a service that we know. Write one like ntfys://ntfy.sh/topic"
        ),
        "many": say("There are %(number)s already. Remove one first.", number=MAX_TARGETS),
        "twice": say("This address is there already."),
        "often": say("You have tried that often. Wait some minutes."),
        "name": say("There is no such host. See that the address is right."),
        "private": say(
            "This address leads into a private network, which this server does not allow."
        ),
    }
    return words.get(reason, reason)


async def _say_done(request: web.Request, sender: Sender) -> tuple[bool, str] | None:
    """What was done before this page was asked for: whether it went well, and words."""
    words = {
        "saved": (True, say("Saved.")),
        "added": (True, say("Added. Send a test to see that it works.")),
        "removed": (True, say("Removed.")),
        "enabled": (True, say("Switched on again.")),
        "closed": (True, say("The feed's address is closed.")),
        "arrived": (True, say("The test has arrived.")),
        "often": (False, say_refusal("often")),
    }
    done = request.query.get("done", "")
    number = request.query.get("target", "")
    if done == "failed" and number.isascii() and number.isdigit() and len(number) < 10:
        target = await _outward(request).targets.find(sender.id, int(number))
        if target is not None and target.reason:
            why = say_failure(target.reason, target.detail)
            return False, say("The test has not arrived: %(why)s.", why=why)
    return words.get(done)


async def _find(request: web.Request, sender: Sender) -> Target:
    target_id = int(request.match_info["target_id"])
    target = await _outward(request).targets.find(sender.id, target_id)
    if target is None:
        raise web.HTTPNotFound
    return target


def _outward(request: web.Request) -> Outward:
    outward = request.app[OUTWARD]
    if outward is None:
        raise web.HTTPNotFound
    return outward


def _spend(request: web.Request, sender: Sender) -> None:
    """Raises TargetRefused where the sender has asked for too much lately."""
    tries = request.app[TRIES]
    if tries.wait(sender.id):
        raise TargetRefused("often")
    tries.fail(sender.id)

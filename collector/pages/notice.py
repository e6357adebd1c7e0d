"""The page where a recipient learns what is recorded of a mail, and may refuse it.

Its address is all that it takes: no login, no cookie, no script. Nothing changes by GET or HEAD,
since programs follow links that nobody has clicked; a POST may come twice. Whoever shares a copy
is asked for the address, and hears the same whether or not it is one of the mail's; as anybody
could write it, such a page takes refusals alone.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from collector import metrics
from collector.consent import MAX_ADDRESS, Kind, canonical, objection
from collector.consents import TrackedMail
from collector.errors import StoreConflict, StoreUnavailable
from collector.keys import CONSENTS, PUBLIC_URL, RECORDER, RETENTION, TOKENS
from collector.pages import forms
from collector.pages.languages import Language, choose, read_languages
from collector.pages.outage import RETRY_SECONDS, Handler
from collector.pages.rendering import render, see_other
from collector.pages.speech import accepted, speak
from collector.schema import HIT_KINDS
from collector.throttle import Throttle
from collector.tracking import find_client

# Of the words in templates/notice/ and translations/. A new one whenever they say something else:
# it stands beside each decision.
TEXT_VERSION = "2026-11-28"
ANSWER_SECONDS = 0.3  # how long every answer about a written address takes

LANGUAGES: web.AppKey[dict[str, Language]] = web.AppKey("LANGUAGES")
BY_CLIENT = web.AppKey("NOTICE_BY_CLIENT", Throttle)
BY_RECIPIENT = web.AppKey("NOTICE_BY_RECIPIENT", Throttle)

log = structlog.get_logger()


def _(text: str) -> str:
    """Marks a text for translation, which the template does."""
    return text


NOT_FOUND = (
    _("There is nothing at this address"),
    _(
        "The mail may be on record no more, and then nothing more is recorded about it. If you came"
        " by a link in a mail, it may have been cut short: try to copy all of it."
    ),
)
FOREIGN = (
    _("Nothing was changed"),
    _("The form was on another site. Open this page by the link in the mail, and choose here."),
)
TOO_MANY = (_("Too many tries"), _("Nothing was changed. Wait a few minutes, then try again."))
OUT_OF_REACH = (
    _("This page is out of reach just now"),
    _("Nothing was changed. Try again in a moment."),
)


def setup(app: web.Application) -> None:
    """Gives the application its languages, and its memory of who tries too much."""
    app[LANGUAGES] = read_languages()
    app[BY_CLIENT] = Throttle(free=20)
    app[BY_RECIPIENT] = Throttle(free=20)


def routes() -> list[web.RouteDef]:
    """The page, and where its forms go."""
    return [
        web.get("/p/{token}", _in_words(show_notice)),
        web.post("/p/{token}", _in_words(submit_notice)),
    ]


async def show_notice(request: web.Request) -> web.StreamResponse:
    """GET /p/TOKEN"""
    found = await _find(request)
    if found is None:
        return await _say(request, NOT_FOUND, status=404)
    mail, address = found
    known = await request.app[CONSENTS].held(mail.sender_id, [address] if address else [])
    days = request.app[RETENTION].ages.messages
    return await _render(
        request,
        "choice",
        mail=mail,
        is_known=address is not None,
        allowed={
            kind: objection(mail.mode, known.get((canonical(address or ""), kind))) is None
            for kind in HIT_KINDS
        },
        saved="saved" in request.query,
        keeping=request.app[RECORDER].keeping,
        days=f"{days:g}" if days else "",
    )


async def submit_notice(request: web.Request) -> web.StreamResponse:
    """POST /p/TOKEN: `open`, `click` or `both` is "refuse" or "grant"; for a shared copy `address`
    says whose choice it is."""
    found = await _find(request)
    if found is None:
        return await _say(request, NOT_FOUND, status=404)
    if not _is_from_here(request):
        return await _say(request, FOREIGN, status=403)
    mail, address = found
    fields = await forms.read_fields(request)
    wishes = _read_wishes({name: str(value) for name, value in fields.items()})
    if not wishes or mail.mode == "always":
        return _see_page(request)
    if address is None:
        return await _refuse_as(request, mail, str(fields.get("address", "")), wishes)
    if any(wishes.values()):
        # Refusing is never held up: it alone cannot go on for ever, as what is refused stays so.
        tries, who = request.app[BY_RECIPIENT], (mail.sender_id, canonical(address))
        if tries.wait(who):
            return await _say(request, TOO_MANY, status=429)
        tries.fail(who)
    await _decide(request, mail, address, wishes)
    return _see_page(request, "saved")


async def _refuse_as(
    request: web.Request, mail: TrackedMail, written: str, wishes: Mapping[Kind, bool]
) -> web.StreamResponse:
    """Whether the address is one of the mail's, neither the answer tells nor how long it takes."""
    tries, who = request.app[BY_CLIENT], str(find_client(request))
    if tries.wait(who):
        return await _say(request, TOO_MANY, status=429)
    tries.fail(who)
    refused: dict[Kind, bool] = {kind: False for kind, granted in wishes.items() if not granted}
    asked = canonical(written[: MAX_ADDRESS + 1])  # strangers write it, at any length
    named = next((each for each in mail.recipients if canonical(each) == asked), None)
    acting = _decide(request, mail, named, refused) if named else request.app[CONSENTS].check()
    await asyncio.gather(acting, asyncio.sleep(ANSWER_SECONDS))
    return _see_page(request, "saved")


async def _decide(
    request: web.Request, mail: TrackedMail, address: str, wishes: Mapping[Kind, bool]
) -> None:
    await request.app[CONSENTS].decide(
        mail.sender_id, address, wishes, how="notice", text_version=TEXT_VERSION
    )


async def _find(request: web.Request) -> tuple[TrackedMail, str | None] | None:
    """The mail that the token is of, and whose page it is: None where they share a copy."""
    token = request.app[TOKENS].read_notice(request.match_info["token"])
    if token is None:
        metrics.BAD_TOKENS.labels("notice").inc()
        return None
    mail = await request.app[CONSENTS].mail(token.message_id)
    if mail is None or token.recipient > len(mail.recipients):
        return None
    return mail, mail.recipients[token.recipient - 1] if token.recipient else None


def _read_wishes(fields: Mapping[str, str]) -> dict[Kind, bool]:
    words = {"refuse": False, "grant": True}
    return {
        kind: words[word]
        for kind in HIT_KINDS
        if (word := fields.get(kind, fields.get("both", ""))) in words
    }


def _is_from_here(request: web.Request) -> bool:
    """Whether the form was ours. Browsers leave its origin out, as our policy is no-referrer."""
    headers = request.headers
    is_untold = "Sec-Fetch-Site" not in headers and headers.get("Origin") == "null"
    return is_untold or forms.is_from_here(request)


def _see_page(request: web.Request, *flags: str) -> web.Response:
    """Back to the page, in the language that was asked for. Relative: a proxy may have put a path
    before ours."""
    asked = request.query.get("lang", "")
    query = [f"lang={asked}"] if asked in request.app[LANGUAGES] else []
    return see_other(
        "?".join(filter(None, [request.match_info["token"], "&".join([*query, *flags])]))
    )


async def _say(request: web.Request, words: tuple[str, str], *, status: int) -> web.Response:
    return await _render(request, "words", status=status, title=words[0], words=words[1])


async def _render(
    request: web.Request, template: str, *, status: int = 200, **context: object
) -> web.Response:
    languages = request.app[LANGUAGES]
    language = languages[choose(request.query.get("lang"), accepted(request))]
    speak(language)
    response = await render(
        request,
        f"notice/{template}.html",
        status=status,
        policy={"script-src": "'none'", "connect-src": "'none'"},
        language=language,
        languages=tuple(languages.values()),
        host=urlsplit(request.app[PUBLIC_URL]).hostname,
        **context,
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _in_words(handler: Handler) -> Handler:
    """The handler, with words for recipients in place of an outage."""

    async def telling(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except StoreConflict:  # the sender was removed just now
            return await _say(request, NOT_FOUND, status=404)
        except StoreUnavailable as outage:
            log.warning("notice without store", reason=outage.reason)
            response = await _say(request, OUT_OF_REACH, status=503)
            response.headers["Retry-After"] = str(RETRY_SECONDS)
            return response

    return telling

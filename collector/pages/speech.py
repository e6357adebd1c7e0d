"""What pages say, in the language of the one who reads them.

A request's language holds for all that is said while it is answered, in templates and in code, live
updates included: so what is said need not be handed a language.
"""

from contextvars import ContextVar

import jinja2
from aiohttp import web

from collector.pages.languages import FOLDER, Language, choose, read_languages
from collector.pages.outage import Handler

LANGUAGES: web.AppKey[dict[str, Language]] = web.AppKey("SPEECH_LANGUAGES")
_ENGLISH = Language.english()
_CURRENT: ContextVar[Language] = ContextVar("language", default=_ENGLISH)


def setup(app: web.Application, environment: jinja2.Environment) -> None:
    """Reads the catalogues in translations/sender/, and gives templates `_`, `_n` and `speech`."""
    app[LANGUAGES] = read_languages(FOLDER / "sender")
    environment.globals["_"] = say
    environment.globals["_n"] = say_number
    environment.globals["speech"] = current


def spoken(handler: Handler) -> Handler:
    """Has the handler answer in the language that the browser wants."""

    async def answer(request: web.Request) -> web.StreamResponse:
        use(request, None)
        return await handler(request)

    return answer


def use(request: web.Request, code: str | None) -> None:
    """From here on this request is answered in the language `code`; None: as the browser wants."""
    chosen = choose(code, accepted(request))
    speak(request.app[LANGUAGES][chosen])


def speak(language: Language) -> None:
    """From here on what is being answered is in this language."""
    _CURRENT.set(language)


def accepted(request: web.Request) -> str:
    """The languages that the browser wants, as one Accept-Language (RFC 9110 §12.5.4)."""
    return ",".join(request.headers.getall("Accept-Language", ()))


def current() -> Language:
    """The language of what is being answered; English outside of any request."""
    return _CURRENT.get()


def say(text: str, **values: object) -> str:
    """An English text in the current language; `values` fill its %(names)s."""
    said = current().words.gettext(text)
    return said % values if values else said


def say_number(one: str, many: str, number: int, **values: object) -> str:
    """The same of so many things: "%(number)s click", "%(number)s clicks" and a number."""
    return current().words.ngettext(one, many, number) % {"number": number, **values}

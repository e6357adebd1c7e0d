"""What is said in whose language, and that what is filled in stays text."""

import asyncio

import jinja2
import pytest
from babel.support import NullTranslations
from markupsafe import escape

from collector.pages.languages import Language
from collector.pages.speech import current, say, say_number, speak


class Shouting(NullTranslations):
    """A language of loud English."""

    def gettext(self, message: str) -> str:
        return message.upper().replace("%(WHO)S", "%(who)s")

    def ngettext(self, msgid1: str, msgid2: str, num: int) -> str:
        return self.gettext(msgid1 if num == 1 else msgid2).replace("%(NUMBER)S", "%(number)s")


SHOUTED = Language("xx", "Loud", Shouting())


def test_outside_of_requests_it_is_english() -> None:
    assert current().code == "en"
    assert say("Sent by %(who)s", who="Ana") == "Sent by Ana"
    assert say("100 % sure") == "100 % sure"
    assert [say_number("%(number)s click", "%(number)s clicks", each) for each in (0, 1, 2)] == [
        "0 clicks",
        "1 click",
        "2 clicks",
    ]


async def test_a_language_holds_for_one_task_and_what_it_starts() -> None:
    async def answer() -> list[str]:
        speak(SHOUTED)
        live = asyncio.create_task(asyncio.to_thread(say, "Sent by %(who)s", who="Ana"))
        return [await live, say_number("%(number)s click", "%(number)s clicks", 2)]

    assert await asyncio.create_task(answer()) == ["SENT BY Ana", "2 CLICKS"]
    assert say("quiet") == "quiet"


@pytest.mark.parametrize("who", ["<b>&%(x)s", "%", "%s"])
def test_what_is_filled_in_is_text_and_no_markup(who: str) -> None:
    environment = jinja2.Environment(autoescape=True)
    environment.globals["_"] = say
    made = environment.from_string('{{ _("Sent by %(who)s", who=who) }}').render(who=who)
    assert made == "Sent by " + str(escape(who))

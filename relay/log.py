"""Logging: structlog for our events, the libraries' records through the same renderer.

Everything goes to standard error, one line an event, as JSON or for people. Control characters
are escaped, so that no client can forge a line. Addresses are masked by whoever logs them.
"""

import logging
import re
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# aiosmtpd logs what clients send, the base64 of passwords included; BeautifulSoup warns of every
# mail whose characters it cannot tell.
QUIET = {
    "mail.log": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "asyncio": logging.WARNING,
    "bs4.dammit": logging.ERROR,
}

_whole_addresses = False

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def mask(address: str) -> str:
    """An address that tells little: `ana@example.com` is `a…@example.com`, no address is `…`.

    Where the site wants whole addresses in its log, it comes back as it is.
    """
    if _whole_addresses:
        return address
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}" if at else "…"


def configure(
    *, level: str, form: Literal["console", "json"], addresses: Literal["masked", "full"] = "masked"
) -> None:
    """Sets up logging for the whole process: `level` is debug, info, warning or error."""
    global _whole_addresses
    _whole_addresses = addresses == "full"
    number = logging.getLevelNamesMapping()[level.upper()]
    prepare: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        escape_controls,
    ]
    render: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*prepare, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _route_libraries(number, prepare, render)


def _route_libraries(level: int, prepare: list[Processor], render: Processor) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *prepare],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))


def escape(text: str) -> str:
    r"""One line that does nothing to a terminal: control characters become `\x0a` and the like."""
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", text)


def escape_controls(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A structlog processor: all texts and bytes escaped, a traceback line by line."""
    for key, value in event.items():
        if isinstance(value, bytes):
            value = value.decode("ascii", "backslashreplace")
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(map(escape, lines))
    return event

"""A message's structure as byte spans. Nothing is decoded or written here; the walk only points.

Header values are read by the standard library where their form is not the plain one. Whatever is
odd raises `Doubt`: in a part it costs that part its tracking, in the message's frame all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from rewriter.contract import Doubt, Part
from rewriter.span import Span

MAX_DEPTH = 60
_MAX_ODD_TYPE = 4_000  # of a Content-Type that the library reads, in quadratic time

_BLANK_LINE = re.compile(rb"\n\r?\n")
_HEADERS = re.compile(rb"(?:From [^\n]*\n)?(?:[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*)*")
_FIELD = re.compile(
    rb"^(content-(?:type|transfer-encoding|disposition|id|md5)|list-unsubscribe|dkim-signature|arc-seal)"
    rb"[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_BARE_CR = re.compile(rb"\r(?!\n)")
# Parameters in the plain form; RFC 2231's have an asterisk in their name.
_ATOM = r"[^\s()<>@,;:\\\"/\[\]?=*]+"
_PLAIN_TYPE = re.compile(rf'({_ATOM}/{_ATOM})((?:\s*;\s*{_ATOM}=(?:"[^"\\]*"|{_ATOM}))*)\s*;?')
_PARAMETER = re.compile(rf'({_ATOM})=(?:"([^"\\]*)"|({_ATOM}))')
_URL = re.compile(rb"<([^<>]+)>")

# Multiparts whose parts are evidence or quotation, to be passed on as they are.
_SEALED = {
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "application/pkcs7-mime": "S/MIME",
    "application/x-pkcs7-mime": "S/MIME",
    "multipart/report": "a delivery report",
    "multipart/digest": "a digest",
    "message/rfc822": "an attached message",
}


@dataclass(frozen=True, slots=True)
class Structure:
    """The leaves in order, those without a rule inline texts, and the URLs that unsubscribe."""

    parts: tuple[Part, ...]
    unsubscribe: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class _Entity:
    """One header block, read; `body` runs to the end of the span that it heads."""

    fields: dict[bytes, list[bytes]]
    media_type: str
    parameters: dict[str, str]
    body: Span
    newline: bytes


def read_structure(raw: bytes, *, resigned: bool = False) -> Structure:
    """Walks a message; raises `Doubt` where all of it is to be left as it is.

    That is so for a signed one, unless it is to be `resigned`.
    """
    root = _read_entity(raw, Span(0, len(raw)))
    if b"dkim-signature" in root.fields and not resigned:
        raise Doubt("carries a DKIM signature")
    if b"arc-seal" in root.fields:
        raise Doubt("carries an ARC set")
    if root.media_type in _SEALED:
        raise Doubt(_SEALED[root.media_type])
    walk = _Walk(raw)
    walk.enter(root, "", depth=0)
    unsubscribe = frozenset(
        re.sub(rb"\s+", b"", url)
        for value in root.fields.get(b"list-unsubscribe", ())
        for url in _URL.findall(value)
    )
    return Structure(tuple(walk.parts), unsubscribe)


class _Walk:
    """Collects what it meets, depth first."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.parts: list[Part] = []

    def enter(self, entity: _Entity, number: str, *, depth: int) -> None:
        if "protected-headers" in entity.parameters or "hp" in entity.parameters:
            raise Doubt("protected headers (RFC 9788)")
        if entity.media_type.startswith("multipart/"):
            self._enter_multipart(entity, number, depth=depth)
        else:
            self.parts.append(_leaf(entity, number or "1", _set_aside(entity)))

    def _enter_multipart(self, entity: _Entity, number: str, *, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise Doubt("nested too deep")
        if _encoding(entity) not in ("7bit", "8bit", "binary"):
            raise Doubt("encoded multipart")
        spans = list(_split(self._raw, entity))
        related = entity.media_type == "multipart/related"
        root = self._find_root(spans, entity) if related else None
        for index, span in enumerate(spans, 1):
            place = f"{number}.{index}" if number else str(index)
            self._try_part(span, place, depth=depth + 1, shown=root in (None, span))

    def _try_part(self, span: Span, number: str, *, depth: int, shown: bool) -> None:
        try:
            entity = _read_entity(self._raw, span)
        except Doubt as doubt:
            self.parts.append(Part(number, "unknown", None, "", span, b"", rule=doubt.reason))
            return
        sealed = _SEALED.get(entity.media_type)
        if shown and not sealed:
            self.enter(entity, number, depth=depth)
        else:
            self.parts.append(_leaf(entity, number, sealed or "embedded"))

    def _find_root(self, spans: list[Span], entity: _Entity) -> Span | None:
        """Of multipart/related only the root is shown by itself (RFC 2387 §3.2)."""
        start = entity.parameters.get("start", "").strip()
        if not start:
            return next(iter(spans), None)
        for span in spans:
            identity = _read_entity(self._raw, span).fields.get(b"content-id", [b""])
            if identity[0].strip() == start.encode("latin-1", "replace"):
                return span
        raise Doubt("multipart/related without its root")


def _read_entity(raw: bytes, span: Span) -> _Entity:
    """Reads the header block at the head of `span`."""
    start, end = span.start, span.end
    if raw.startswith((b"\n", b"\r\n"), start, end):
        body = start + (1 if raw[start] == 0x0A else 2)
        block = b""
    else:
        blank = _BLANK_LINE.search(raw, start, end)
        if blank is None:
            raise Doubt("no blank line after the header")
        body, block = blank.end(), raw[start : blank.start() + 1]
    if _HEADERS.fullmatch(block) is None or _BARE_CR.search(block):
        raise Doubt("malformed header")
    fields: dict[bytes, list[bytes]] = {}
    for name, value in _FIELD.findall(block):
        fields.setdefault(name.lower(), []).append(value)
    for name in (b"content-type", b"content-transfer-encoding", b"content-disposition"):
        if len(fields.get(name, ())) > 1:
            raise Doubt(f"two {name.decode()} fields")
    media_type, parameters = _read_type(fields.get(b"content-type", [b"text/plain"])[0])
    newline = b"\r\n" if raw[body - 2 : body] == b"\r\n" else b"\n"
    return _Entity(fields, media_type, parameters, Span(body, end), newline)


def _read_type(value: bytes) -> tuple[str, dict[str, str]]:
    """A Content-Type's media type in lower case, and its parameters (names in lower case)."""
    text = value.decode("latin-1").strip()
    plain = _PLAIN_TYPE.fullmatch(text)
    if plain is not None:
        pairs = [(name, quoted or token) for name, quoted, token in _PARAMETER.findall(plain[2])]
        media_type = plain[1]
    elif len(text) > _MAX_ODD_TYPE:
        raise Doubt("malformed header")
    else:
        message = Message()
        message["Content-Type"] = re.sub(r"\r?\n", "", text)
        pairs = [(name, _text(value)) for name, value in message.get_params(failobj=[])[1:]]
        media_type = message.get_content_type()
    parameters: dict[str, str] = {}
    for name, parameter in pairs:
        if parameters.setdefault(name.lower(), parameter) != parameter:
            raise Doubt("a Content-Type parameter given twice")
    return media_type.lower(), parameters


def _text(value: str | tuple[str | None, str | None, str]) -> str:
    """A parameter's value, also in RFC 2231's form."""
    return value if isinstance(value, str) else value[2]


def _encoding(entity: _Entity) -> str:
    value = entity.fields.get(b"content-transfer-encoding", [b"7bit"])[0]
    return value.strip().lower().decode("latin-1")


def _set_aside(entity: _Entity) -> str | None:
    """Why a leaf is no inline text: RFC 2183 §2.8 takes an unknown disposition for a file."""
    disposition = entity.fields.get(b"content-disposition", [b"inline"])[0].lower()
    kind = disposition.partition(b";")[0].strip()
    if kind != b"inline" or b"filename" in disposition or "name" in entity.parameters:
        return "attachment"
    if b"content-md5" in entity.fields:
        return "carries a checksum"
    return None if entity.media_type in ("text/html", "text/plain") else "no text"


def _leaf(entity: _Entity, number: str, rule: str | None) -> Part:
    return Part(
        number=number,
        media_type=entity.media_type,
        charset=entity.parameters.get("charset"),
        encoding=_encoding(entity),
        body=entity.body,
        newline=entity.newline,
        joined=entity.parameters.get("delsp", "").lower() == "yes",
        rule=rule,
    )


def _split(raw: bytes, entity: _Entity) -> Iterator[Span]:
    """The spans between a multipart's delimiter lines (RFC 2046 §5.1.1)."""
    boundary = entity.parameters.get("boundary", "").rstrip()
    if not boundary:
        raise Doubt("multipart without a boundary")
    delimiter = b"--" + boundary.encode("latin-1", "replace")
    begin: int | None = None
    at, end = entity.body.start, entity.body.end
    while (at := raw.find(delimiter, at, end)) >= 0:
        line = at
        at += len(delimiter)
        before = raw[line - 1 : line] if line > entity.body.start else b"\n"
        rest = _DELIMITER_REST.match(raw, at, end)
        if before == b"\r" or (rest and rest[2] == b"\r"):
            raise Doubt("a bare CR at a delimiter")  # to some readers that is a line's end
        if before != b"\n" or rest is None:
            continue
        if begin is not None:
            # The newline before a delimiter belongs to it; one part's may be the last one's.
            yield Span(begin, max(begin, line - (2 if raw[line - 2 : line - 1] == b"\r" else 1)))
        if rest[1]:
            return
        begin = at = rest.end()
    raise Doubt("multipart without its end")


_DELIMITER_REST = re.compile(rb"(--)?[ \t]*(\r?\n|\r|\Z)")

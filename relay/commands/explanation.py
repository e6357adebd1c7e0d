"""What the relay would do to one mail: the pipeline's own steps, and their outcome as a value.

As in the relay, bare newlines are made CRLF, the mail's control headers are obeyed and cut out, Bcc
with them, and whatever goes wrong in the rewriter leaves the mail as it came.
"""

from dataclasses import dataclass, replace
from typing import Any

from relay import controls
from relay.header import read_fields
from relay.transparency import has_bare_newline, normalize_newlines
from rewriter import (
    Link,
    Links,
    Own,
    Part,
    Restored,
    Rewritten,
    Tracking,
    Untouched,
    charset,
    no_pixel,
    read_snippet,
    rewrite,
    transfer,
)

SNIPPET = 140
_READ = 200_000  # bytes of a part that are read for what stands first in it


@dataclass(frozen=True, slots=True)
class Explanation:
    """One mail. `content` is what the rewriter got, `controls` are its control headers, cut out.

    `failure` is what the rewriter raised, where it did.
    """

    content: bytes
    tracking: Tracking
    controls: tuple[str, ...]
    result: Rewritten | Untouched
    failure: Exception | None = None

    @property
    def outgoing(self) -> bytes:
        """The mail as it would leave the relay, but for its trace header."""
        return self.result.message if isinstance(self.result, Rewritten) else self.content

    @property
    def reason(self) -> str | None:
        """Why nothing would be changed."""
        return self.result.reason if isinstance(self.result, Untouched) else None

    @property
    def links(self) -> tuple[Link, ...]:
        """What would be wrapped."""
        return self.result.links if isinstance(self.result, Rewritten) else ()

    @property
    def restored(self) -> tuple[Restored, ...]:
        """What is ours from before and would be taken out."""
        return self.result.restored if isinstance(self.result, Rewritten) else ()

    @property
    def pixel(self) -> str | None:
        """The number of the part that the pixel would stand in."""
        return self.result.pixel if isinstance(self.result, Rewritten) else None

    @property
    def no_pixel(self) -> str | None:
        """The rule by which no pixel would be put in."""
        return no_pixel(self.result, opens=self.tracking.opens)

    def read_first(self) -> str | None:
        """What a person reads first, on one line; None where no text is read."""
        for part in (*self._read_parts("text/html"), *self._read_parts("text/plain")):
            body = transfer.open_body(
                part.encoding, self.content[part.body.start : part.body.end], part.newline
            )
            decoded = body.decoded[:_READ]
            text = charset.decode(decoded, part.charset or charset.sniff(decoded))
            if part.media_type == "text/html":
                return read_snippet(text, SNIPPET)
            return " ".join(text.split())[:SNIPPET]
        return None

    def as_json(self, name: str) -> dict[str, Any]:
        """By docs/explain.schema.json; `name` is where the mail came from."""
        result = self.result
        return {
            "mail": name,
            "changed": isinstance(result, Rewritten),
            "reason": self.reason,
            "opens": self.tracking.opens,
            "clicks": self.tracking.clicks,
            "controls": list(self.controls),
            "snippet": self.read_first(),
            "pixel": {"part": self.pixel, "rule": self.no_pixel},
            "parts": [
                {
                    "number": part.number,
                    "type": part.media_type,
                    "charset": part.charset,
                    "encoding": part.encoding or None,
                    "octets": part.body.end - part.body.start,
                    "rule": part.rule,
                }
                for part in result.parts
            ],
            "links": [
                {
                    "part": link.part,
                    "ordinal": link.ordinal,
                    "target": link.target.decode("ascii"),
                    "label": link.label,
                }
                for link in self.links
            ],
            "skipped": [
                {"part": each.part, "value": each.value, "rule": each.rule}
                for each in result.skipped
            ],
            "restored": [
                {"part": each.part, "target": each.target and each.target.decode("ascii")}
                for each in self.restored
            ],
        }

    def _read_parts(self, media_type: str) -> list[Part]:
        return [
            part
            for part in self.result.parts
            if part.media_type == media_type and part.rule in (None, "plain text")
        ]


@dataclass(frozen=True, slots=True)
class Explainer:
    """Does with each mail as the relay would; `tracking` are the sender's toggles."""

    tracking: Tracking
    links: Links
    own: Own | None = None

    def explain(self, raw: bytes) -> Explanation:
        """`raw` is a whole mail, its lines ended in any way."""
        content = normalize_newlines(raw) if has_bare_newline(raw) else raw
        fields = read_fields(content)
        wishes, content = controls.read(content, fields)
        found = dict.fromkeys(
            field.name.decode("ascii") for field in fields if field.name in controls.HEADERS
        )
        tracking = replace(
            self.tracking,
            opens=self.tracking.opens if wishes.opens is None else wishes.opens,
            clicks=self.tracking.clicks if wishes.clicks is None else wishes.clicks,
        )
        result: Rewritten | Untouched
        failure = None
        try:
            result = rewrite(content, tracking=tracking, links=self.links, own=self.own)
        except Exception as error:  # noqa: BLE001 - as in the relay; the caller tells it
            result, failure = Untouched("internal error"), error
        return Explanation(content, tracking, tuple(found), result, failure)

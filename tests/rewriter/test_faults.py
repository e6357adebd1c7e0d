"""Faults put in on purpose, at each stage: whatever goes wrong, the mail goes out as it came.

Where the rewriter has a doubt it says so by itself. What it did wrong, its second reading finds.
Whatever is raised that nobody foresaw is a bug and leaves `rewrite` as it is; the relay catches it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from mails import BOTH, Mint, mail, rules_of
from relays import PUBLIC_URL, TOKENS

from relay import metrics
from relay.content import Content
from relay.drafts import Drafts
from relay.policy import PlannedCopy
from relay.rewriting import Made, Rewriting
from rewriter import Rewritten, Untouched, rewrite
from rewriter.contract import Doubt
from rewriter.hypertext import Hypertext
from rewriter.markup import Findings, read_markup
from rewriter.transfer import Base64, Body, Edit, Identity, QuotedPrintable, splice

HTML = '<html><body><p><a href="http://e.com/?a=1&amp;b=2">x</a></p><p>text</p></body></html>\r\n'
RAW = mail(HTML)
Patch = pytest.MonkeyPatch
Encode = Callable[[Any, Sequence[Edit]], Iterator[Edit]]
COPY = PlannedCopy(recipients=(), opens=True, clicks=True, reason=None)

# Every stage, by the function that does its work.
STAGES = {
    "structure": "rewriter.mime.read_structure",
    "charset": "rewriter.charset.keeps_ascii",
    "decoding": "rewriter.transfer.open_body",
    "masking": "rewriter.charset.mask_shifted",
    "tokenizer": "rewriter.hypertext.read_markup",
    "targets": "rewriter.hypertext.read_target",
    "text": "rewriter.hypertext.shows_another_site",
    "place of the pixel": "rewriter.hypertext.Hypertext.place_pixel",
    "line limit": "rewriter.transfer.Identity.fits",
    "encoding": "rewriter.transfer.Identity.encode",
    "splice": "rewriter.transfer.splice",
    "verification of the text": "rewriter.verify.check_splice",
    "verification of the tree": "rewriter.verify.check_document",
}
MINTING = {"minting a link": "mails.Mint.click", "minting the pixel": "mails.Mint.pixel"}


def breaking(error: Exception) -> Callable[..., Any]:
    def break_down(*_: object, **__: object) -> Any:
        raise error

    return break_down


def rewritten() -> Rewritten | Untouched:
    return rewrite(RAW, tracking=BOTH, links=Mint())


def test_without_a_fault_it_is_rewritten() -> None:
    assert isinstance(rewritten(), Rewritten)


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_doubt_at_each_stage_is_told(stage: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(stage, breaking(Doubt("odd")))
    result = rewritten()
    assert isinstance(result, Untouched)
    assert "odd" in (result.reason, *rules_of(result))


@pytest.mark.parametrize("stage", [*STAGES.values(), *MINTING.values()], ids=[*STAGES, *MINTING])
@pytest.mark.parametrize("error", [RuntimeError("a bug"), RecursionError(), MemoryError()])
async def test_a_bug_at_each_stage_costs_the_tracking_not_the_mail(
    stage: str, error: Exception, monkeypatch: Patch, tmp_path: Path
) -> None:
    stage = stage.replace("mails.Mint", "collector.tokens.MessageLinks")
    monkeypatch.setattr(stage, breaking(error))
    before = metrics.REWRITES.labels("failed")._value.get()
    rewriting = Rewriting(tokens=TOKENS, public_url=PUBLIC_URL, drafts=Drafts(tmp_path))
    content = Content.of(RAW)
    assert await rewriting.copies(content, [COPY], 1) == Made((content,), "internal error")
    assert metrics.REWRITES.labels("failed")._value.get() == before + 1


@pytest.mark.parametrize("stage", MINTING.values(), ids=MINTING)
@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https://e.com/a b",
        'https://e.com/"',
        "https://e.com/>",
        "https://é/",
        "x:y",
    ],
)
def test_an_unusable_minted_url(stage: str, url: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(stage, lambda *_: url)
    result = rewritten()
    assert isinstance(result, Untouched)
    assert result.reason == "a minted URL is unusable"


def lose_a_link(view: bytes, **options: bool) -> Findings:
    found = read_markup(view, **options)
    found.anchors.pop()
    return found


def misplace_a_link(view: bytes, **options: bool) -> Findings:
    """Takes the link's value for the one that stands a byte before it, quote and all."""
    return read_markup(view[1:] + b" ", **options)


def invent_a_link(view: bytes, **options: bool) -> Findings:
    found = read_markup(view, **options)
    found.anchors *= 2
    return found


def in_the_tag(self: Hypertext) -> int:
    return HTML.index("href")


def lose_the_end(data: bytes, edits: Sequence[Edit]) -> bytes:
    return splice(data, edits)[:-20]


def lose_an_edit(encode: Encode) -> Encode:
    return lambda body, edits: encode(body, edits[1:])


def repeat_an_edit(encode: Encode) -> Encode:
    return lambda body, edits: encode(body, [edits[0]._replace(new=edits[0].new * 2), *edits[1:]])


def shift_an_edit(encode: Encode) -> Encode:
    def encode_shifted(body: Body, edits: Sequence[Edit]) -> Iterator[Edit]:
        return encode(body, [edit._replace(start=edit.start - 1) for edit in edits])

    return encode_shifted


def see_nothing(text: bytes, parser: etree.HTMLParser) -> etree._Element:
    return etree.HTML(b"<html></html>")


@pytest.mark.parametrize(
    ("stage", "wrong"),
    [
        ("rewriter.hypertext.read_markup", lose_a_link),
        ("rewriter.hypertext.read_markup", misplace_a_link),
        ("rewriter.hypertext.read_markup", invent_a_link),
        ("rewriter.hypertext.Hypertext.place_pixel", in_the_tag),
        ("rewriter.transfer.splice", lose_the_end),
        ("rewriter.verify.etree.fromstring", see_nothing),
        ("rewriter.verify.etree.fromstring", breaking(etree.XMLSyntaxError("odd", 1, 1, 1))),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_is_done_wrong_is_found(
    stage: str, wrong: Callable[..., Any], monkeypatch: Patch
) -> None:
    monkeypatch.setattr(stage, wrong)
    result = rewritten()
    assert isinstance(result, Untouched), result
    assert result.reason.startswith("verification: ")


@pytest.mark.parametrize("wrong", [lose_an_edit, repeat_an_edit, shift_an_edit])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [("8bit", Identity), ("quoted-printable", QuotedPrintable), ("base64", Base64)],
    ids=["8bit", "quoted-printable", "base64"],
)
def test_what_is_encoded_wrong_is_found(
    encoding: str, body: type[Body], wrong: Callable[[Encode], Encode], monkeypatch: Patch
) -> None:
    monkeypatch.setattr(body, "encode", wrong(body.encode))
    result = rewrite(mail(HTML, encoding), tracking=BOTH, links=Mint())
    assert isinstance(result, Untouched), result
    assert result.reason.startswith("verification: ")

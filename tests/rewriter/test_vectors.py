"""The link rules as input and targets, in every transfer encoding, with and without the pixel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mails import BOTH, CLICKS, Mint, mail

from rewriter import Rewritten, Tracking, rewrite

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("tracking", [BOTH, CLICKS], ids=["with pixel", "links only"])
@pytest.mark.parametrize(("html", "targets"), VECTORS, ids=range(1, len(VECTORS) + 1))
def test_vector(html: str, targets: list[str], tracking: Tracking, encoding: str) -> None:
    result = rewrite(mail(html, encoding), tracking=tracking, links=Mint())
    links = result.links if isinstance(result, Rewritten) else ()
    assert [link.target.decode() for link in links] == targets

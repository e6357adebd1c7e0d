"""Golden mails: tests/corpus/NAME.eml, rewritten, is tests/corpus/rewritten/NAME.eml.

A mail without a golden copy must come back untouched. To accept new results after reading their
diff: `LETTERBELL_ACCEPT=1 pytest tests/rewriter/test_corpus.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mails import BOTH, OWN_HOST

from rewriter import Rewritten, rewrite

CORPUS = Path(__file__).parents[1] / "corpus"
MAILS = sorted(CORPUS.glob("*.eml"))


class Plain:
    """Short URLs that a person can read in a diff."""

    def click(self, target: bytes, ordinal: int) -> str:
        return f"https://{OWN_HOST}/c/{ordinal}"

    def pixel(self) -> str:
        return f"https://{OWN_HOST}/o/pixel"

    def notice(self) -> str:
        return f"https://{OWN_HOST}/p/notice"


@pytest.mark.parametrize("mail", MAILS, ids=lambda path: path.stem)
def test_golden(mail: Path) -> None:
    golden = CORPUS / "rewritten" / mail.name
    result = rewrite(mail.read_bytes(), tracking=BOTH, links=Plain())
    message = result.message if isinstance(result, Rewritten) else None
    if message and os.environ.get("LETTERBELL_ACCEPT"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(message)
    assert message == (golden.read_bytes() if golden.exists() else None)

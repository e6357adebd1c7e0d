"""Accept, as clients write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.api.negotiation import CSV, JSON, NDJSON, choose

ALL = (JSON, CSV, NDJSON)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; header=present", CSV),
        ("text/*", CSV),
        ("application/*", JSON),
        ("application/x-ndjson", NDJSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=0.5, text/csv;q=0.9", CSV),
        ("application/json;q=0, */*", CSV),
        ("text/csv;q=0.5, */*;q=0.1", CSV),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=much", None),
        ("application/json;q=2", None),
        (",;,", None),
    ],
)
def test_what_is_chosen(accept: str | None, chosen: str | None) -> None:
    assert choose(accept, ALL) == chosen


@given(st.text(st.sampled_from("*/,;=q.0159 atexcsvjon"), max_size=60))
def test_whatever_it_says(accept: str) -> None:
    assert choose(accept, ALL) in {None, *ALL}

"""Keys as people write them."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.tokens import Key
from relay.token_keys import TokenKey, next_id, read_token_key, write_token_key


@given(st.integers(0, 255), st.binary(min_size=16, max_size=64), st.dates())
def test_what_is_written_reads_back(number: int, secret: bytes, made: date) -> None:
    written = write_token_key(number, secret, made)
    assert read_token_key(written) == TokenKey(Key(number, secret), made)
    undated = written.rpartition(":")[0]
    assert read_token_key(undated) == TokenKey(Key(number, secret), None)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "1",
        f"256:{'k' * 43}",
        f"-1:{'k' * 43}",
        f"1:{'k' * 20}",
        f"1:{'k' * 43}:",
        f"1:{'k' * 43}:soon",
        f"1:{'k' * 43}:2026-02-30",
        f"1:{'k' * 43}:2026-02-03:",
        f"1:{'*' * 43}",
    ],
)
def test_wrong_keys_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="ID:SECRET") as raised:
        read_token_key(wrong)
    assert "kkk" not in str(raised.value)


@given(st.text(max_size=60))
def test_nonsense_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= read_token_key(text).key.id <= 255


@given(st.sets(st.integers(0, 255), min_size=1, max_size=256), st.data())
def test_the_next_id_is_free(taken: set[int], data: st.DataObject) -> None:
    newest = data.draw(st.sampled_from(sorted(taken)))
    found = next_id(newest, taken)
    if len(taken) == 256:
        assert found is None
    else:
        assert found not in taken
        assert found in range(256)


def test_ids_count_up_and_round() -> None:
    assert next_id(1, [1]) == 2
    assert next_id(255, [255, 0]) == 1

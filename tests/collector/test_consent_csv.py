"""Decisions as CSV: what is written reads back the same, what is wrong is named with its mend."""

from contextlib import suppress
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.consent import HOWS, check_address
from collector.consent_csv import CsvError, Line, read_lines, write_head, write_line
from collector.decisions import Decision

NOW = 1_800_000_000_000
HEAD = "sender,address,kind,decision,at,how,text_version\n"


def read(text: str) -> list[Line]:
    return read_lines(StringIO(text, newline=""), NOW)


printable = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=20
)
addresses = st.builds("{}@{}".format, printable, printable.filter(lambda text: "@" not in text))
decisions = st.builds(
    Decision,
    sender_id=st.just(0),
    address=addresses.filter(lambda text: not text.startswith("*@")),
    kind=st.sampled_from(["open", "click"]),
    granted=st.booleans(),
    at_ms=st.integers(0, NOW),
    how=st.sampled_from(HOWS),
    text_version=printable | st.none(),
)


@given(st.lists(st.tuples(printable, decisions), max_size=5))
def test_what_is_written_reads_back(some: list[tuple[str, Decision]]) -> None:
    text = write_head() + "".join(write_line(login, each) for login, each in some)
    assert [(line.login, line.decision) for line in read(text)] == some


def test_a_file_of_somebody_elses() -> None:
    text = (
        "\r\n".join(
            [
                "Decision , address,kind,sender,at",
                "granted,bob@x.org,Both,ana,2026-01-02",
                "",
                'refused,"a, b"@x.org,open,ana,'.replace('"a, b"@x.org', '"""a, b""@x.org"'),
                " refused,bob@x.org,click,ana,2026-01-02T03:04:05+02:00",
            ]
        )
        + "\r\n"
    )
    found = [
        (line.number, each.address, each.kind, each.granted, each.at_ms, each.how)
        for line in read(text)
        for each in [line.decision]
    ]
    assert found == [
        (2, "bob@x.org", "open", True, 1_767_312_000_000, "import"),
        (2, "bob@x.org", "click", True, 1_767_312_000_000, "import"),
        (4, '"a, b"@x.org', "open", False, NOW, "import"),
        (5, "bob@x.org", "click", False, 1_767_315_845_000, "import"),
    ]


GOOD = "ana,bob@x.org,open,granted,,,\n"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["line 1: there is no column 'sender': the first line should be sender,address,"]),
        (
            "sender;address;kind;decision\n",
            ["line 1: there is no column 'sender'", "line 1: no column is called 'sender;address"],
        ),
        (
            "sender,adress,kind,decision\n",
            ["line 1: there is no column 'address'", "called 'adress'; do you mean 'address'?"],
        ),
        ("sender,address,kind,decision,kind\n", ["line 1: the column 'kind' stands there twice"]),
        (
            HEAD + GOOD + ",bob,opens,yes,,,\nana,bob,open,granted,,,\n",
            ["line 3: it names no sender", "line 4: 'bob' is no mail address; write name@"],
        ),
        (HEAD + "ana,*@x.org,open,granted,,,\n", ["line 2: '*@x.org' is no mail address"]),
        (
            HEAD + "ana,b@x,opens,granted,,,\nana,b@x,open,yes,,,\n",
            ["line 2: its kind is 'opens'; write open or click or both", "its decision is 'yes'"],
        ),
        (HEAD + "ana,b@x,open,granted,,web,\n", ["line 2: its how is 'web'; write notice or imp"]),
        (HEAD + "ana,b@x,open,granted,1.5.2026,,\n", ["line 2: its at is '1.5.2026'; write it as"]),
        (HEAD + "ana,b@x,open,granted,2999-01-01,,\n", ["line 2: its at, '2999-01-01', lies ahea"]),
        (HEAD + "ana,b@x,open\n", ["line 2: it has 3 cells and not 7"]),
        (HEAD + f"ana,b@x,open,granted,,,{'x' * 101}\n", ["line 2: its text_version is longer"]),
        (HEAD + 'ana,"b@x,open', ["unexpected end of data; save it as CSV"]),
    ],
)
def test_what_is_wrong_is_named(text: str, problems: list[str]) -> None:
    with pytest.raises(CsvError) as raised:
        read(text)
    told = raised.value.problems
    assert all(any(problem in each for each in told) for problem in problems), told


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for start in ("", HEAD):
        with suppress(CsvError):
            read(start + text)


@pytest.mark.parametrize(
    "text", ["", "bob", "@x.org", "bob@", "b\n@x.org", "x" * 320 + "@y", "*@y"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is no mail address; write name@"):
        check_address(text)

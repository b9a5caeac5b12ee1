"""Filters of the ERP sandbox: what they mean over real rows, and which are refused."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.erp.odata_filter import FLAG, MAX_CHARS, MAX_CONDITIONS, MAX_DEPTH, NUMBER, BadFilter, Column, parse_filter

COLUMNS = {
    "name": Column("name"),
    "amount": Column("CAST(amount AS REAL)", NUMBER),
    "active": Column("active", FLAG),
    "at": Column("at"),
    "id": Column("id"),
}
ROWS = [
    ("pump", "9.50", 1, "2026-03-05T10:00:00.000Z", "11111111-aaaa-4bbb-8ccc-000000000001"),
    ("O'Brien", "10.00", 0, "2026-03-05T12:30:00.000Z", "11111111-aaaa-4bbb-8ccc-000000000002"),
    ("50% _off", "100.00", 1, "2026-03-06T00:00:00.000Z", "11111111-aaaa-4bbb-8ccc-000000000003"),
    (None, None, 0, None, "11111111-aaaa-4bbb-8ccc-000000000004"),
]


def found(text: str) -> list[int]:
    """Return the places of the rows that a filter finds."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (place INTEGER, name TEXT, amount TEXT, active INTEGER, at TEXT, id TEXT)")
    connection.executemany(
        "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", [(place, *row) for place, row in enumerate(ROWS, 1)]
    )
    condition = parse_filter(text, COLUMNS)
    query = f"SELECT place FROM t WHERE {condition.sql} ORDER BY place"
    try:
        return [row[0] for row in connection.execute(query, condition.params)]
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param("name eq 'pump'", [1], id="a text"),
        pytest.param("name eq 'O''Brien'", [2], id="a doubled quote is a quote"),
        pytest.param("name eq 'PUMP'", [], id="texts are compared letter by letter"),
        pytest.param("name ne 'pump'", [2, 3, 4], id="null is not this text"),
        pytest.param("name eq null", [4], id="null"),
        pytest.param("name ne null", [1, 2, 3], id="not null"),
        pytest.param("amount eq 10", [2], id="a decimal equals a whole number"),
        pytest.param("amount gt 9.5", [2, 3], id="numbers are compared as numbers, not as texts"),
        pytest.param("amount le 10.0", [1, 2], id="null is not below a number"),
        pytest.param("active eq true", [1, 3], id="true"),
        pytest.param("active eq false", [2, 4], id="false"),
        pytest.param("at ge 2026-03-05T12:30:00Z", [2, 3], id="a time with fewer digits than the stored one"),
        pytest.param("at eq 2026-03-05T11:00:00+01:00", [1], id="a time of another zone"),
        pytest.param("at lt 2026-03-06", [1, 2], id="a date is the beginning of its day"),
        pytest.param("id eq 11111111-AAAA-4bbb-8ccc-000000000003", [3], id="a GUID in any case"),
        pytest.param("name in ('pump','O''Brien')", [1, 2], id="a list of texts"),
        pytest.param("amount in (9.5, 100)", [1, 3], id="a list of numbers"),
        pytest.param("not (name in ('pump'))", [2, 3, 4], id="not in a list holds for null"),
        pytest.param("not name eq 'pump'", [2, 3, 4], id="not without parentheses"),
        pytest.param("contains(name,'rie')", [2], id="contains"),
        pytest.param("contains(name,'%')", [3], id="a percent sign is no wildcard"),
        pytest.param("startswith(name,'50%')", [3], id="startswith"),
        pytest.param("endswith(name,'_off')", [3], id="endswith"),
        pytest.param("startswith(name,'')", [1, 2, 3, 4], id="everything begins with nothing"),
        pytest.param("name eq 'pump' or amount eq 100 and active eq false", [1], id="and binds closer than or"),
        pytest.param("(name eq 'pump' or amount eq 100) and active eq true", [1, 3], id="parentheses"),
        pytest.param(" or ".join(["name eq 'pump'"] * MAX_CONDITIONS), [1], id="as many conditions as there may be"),
        pytest.param("  name   eq 'pump'  ", [1], id="spaces"),
        pytest.param("name eq 'x'' or 1 eq 1'", [], id="a quote in a value does not end it"),
        pytest.param("name eq '; DROP TABLE t; --'", [], id="SQL in a value is a value"),
    ],
)
def test_a_filter_finds(text: str, places: list[int]):
    assert found(text) == places


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "ends too early", id="nothing"),
        pytest.param("secret eq 'x'", "no field 'secret'", id="a field that is not there"),
        pytest.param("1 eq 1", "a field is expected", id="no field"),
        pytest.param("name is 'x'", "no comparison", id="no such comparison"),
        pytest.param("name eq 'x' name", "goes on", id="two conditions without and"),
        pytest.param("name eq 'x", "cannot be read", id="a text without its end"),
        pytest.param("name eq", "ends too early", id="no value"),
        pytest.param("name eq 5", "cannot be compared", id="a text with a number"),
        pytest.param("amount eq '5'", "cannot be compared", id="a number with a text"),
        pytest.param("active eq 1", "cannot be compared", id="a flag with a number"),
        pytest.param("name gt null", "eq and ne only", id="above null"),
        pytest.param("at gt 2026-13-01", "no date", id="a date that is none"),
        pytest.param("name in ()", "cannot be compared", id="an empty list"),
        pytest.param("name in 'x'", "is missing", id="a list without parentheses"),
        pytest.param("contains(amount,'1')", "takes a field of text", id="a function over a number"),
        pytest.param("contains(name,1)", "takes a field of text", id="a function with a number"),
        pytest.param("(name eq 'x'", "ends too early", id="a parenthesis without its end"),
        pytest.param("name eq 'x' -- comment", "cannot be read", id="SQL behind a condition"),
        pytest.param("(" * (MAX_DEPTH + 2) + "name eq 'x'" + ")" * (MAX_DEPTH + 2), "nested", id="too deep"),
        pytest.param("not " * (MAX_DEPTH + 2) + "name eq 'x'", "nested", id="too many negations"),
        pytest.param(" or ".join(["name eq 'x'"] * (MAX_CONDITIONS + 1)), "conditions", id="too many conditions"),
        pytest.param("name eq '" + "x" * MAX_CHARS + "'", "longer than", id="too long"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(text: str, said: str):
    with pytest.raises(BadFilter, match=said):
        parse_filter(text, COLUMNS)


def test_values_are_bound_and_never_become_sql():
    condition = parse_filter("name eq 'a'' OR 1=1' and amount gt 3", COLUMNS)
    assert condition.params == ("a' OR 1=1", 3.0)
    assert "1=1" not in condition.sql


WORDS = st.sampled_from(
    ["name", "amount", "active", "at", "eq", "ne", "lt", "in", "and", "or", "not", "null", "true", "(", ")", ",", "'a'",
     "''", "'", "5", "-1.5", "2026-03-05", "2026-03-05T10:00:00Z", "contains", "startswith", ";", "--", "\x00"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=40))
def test_whatever_is_asked_is_run_or_refused(text: str):
    with suppress(BadFilter):
        found(text)

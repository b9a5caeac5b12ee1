"""How the ERP connector reads numbers and writes questions."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.enums import SourceSystem
from schema.records.values import Money
from systems.business_central.odata import MAX_KEY_CHARS, MAX_LIST_CHARS, Query, instant, literal, within
from systems.business_central.values import read_amount, read_money, word
from systems.cursors import make_cursor, read_cursor
from systems.errors import Rejected


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4) | st.decimals(0, 10**12, places=2))
def test_a_number_of_up_to_fifteen_digits_comes_through_json_unharmed(amount: Decimal):
    sent = orjson.dumps(orjson.Fragment(format(amount, "f")))
    assert read_amount(orjson.loads(sent)) == amount


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (35.8, "35.80"),
        (45, "45.00"),
        (0, "0.00"),
        (12.3456, "12.3456"),
        (1234567890123.45, "1234567890123.45"),
        (-3.5, "-3.50"),
    ],
)
def test_money_has_at_least_the_digits_of_its_currency(value: Any, shown: str):
    assert str(read_money(value, "USD").amount) == shown


def test_money_of_a_currency_without_cents_has_none():
    assert read_money(100, "JPY") == Money(Decimal(100), "JPY")
    assert str(read_money(100, "JPY").amount) == "100"


@pytest.mark.parametrize(
    ("value", "failure"),
    [(1234567890123456.7, ValueError), (0.1 + 0.2, ValueError), (True, TypeError), ("5", TypeError), (None, TypeError),
     ([], TypeError), (float("inf"), ValueError), (float("nan"), ValueError)],
    ids=str,
)  # fmt: skip
def test_what_is_no_exact_number_is_refused(value: Any, failure: type[Exception]):
    with pytest.raises(failure):
        read_amount(value)


def test_a_word_that_nobody_knows_is_named():
    with pytest.raises(ValueError, match="order status 'Odd' is not known"):
        word("order status", "Odd", {"Open": 1})


@given(st.lists(st.text(max_size=40), max_size=400))
def test_a_list_of_values_is_covered_once_in_bounded_parts(values: list[str]):
    conditions = within("number", values)
    assert all(len(condition) <= MAX_LIST_CHARS + MAX_KEY_CHARS for condition in conditions)
    listed = [
        part
        for condition in conditions
        for part in _texts(condition.removeprefix("number eq ").removeprefix("number in "))
    ]
    assert listed == list(dict.fromkeys(values))


def _texts(condition: str) -> list[str]:
    """Return the literals of a list, read by OData's rule that a doubled quote stands for one."""
    found, at = [], 0
    while (start := condition.find("'", at)) >= 0:
        end = start + 1
        while condition[end] != "'" or condition[end : end + 2] == "''":
            end += 2 if condition[end] == "'" else 1
        found.append(condition[start + 1 : end].replace("''", "'"))
        at = end + 1
    return found


def test_values_longer_than_any_key_are_not_asked_for():
    assert within("number", ["x" * (MAX_KEY_CHARS + 1)]) == []
    assert within("number", ["x" * (MAX_KEY_CHARS + 1), "a"]) == ["number eq 'a'"]


def test_half_a_character_can_be_sent_and_finds_nothing():
    assert literal("half \ud83d") == "'half \ufffd'"


def test_an_address_holds_its_question_and_nothing_else():
    address = Query("items", "number", "brand eq 'A&B #1+'", order="number", top=5).address()
    assert address == "items?$filter=brand%20eq%20%27A%26B%20%231%2B%27&$select=number&$orderby=number&$top=5"


def test_an_instant_is_rounded_up_to_the_erps_milliseconds():
    moment = datetime(2026, 3, 5, 10, tzinfo=UTC)
    assert instant(moment) == "2026-03-05T10:00:00.000Z"
    assert instant(moment + timedelta(microseconds=1)) == "2026-03-05T10:00:00.001Z"


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)), st.text(min_size=1, max_size=40))  # noqa: DTZ001
def test_a_cursor_gives_back_what_it_was_made_of(at: datetime, key: str):
    assert read_cursor(SourceSystem.CLOUD_ERP, make_cursor(at, key)) == (at, key)


@pytest.mark.parametrize("plain", ["", "no time|x", "2026-03-05T10:00:00Z", "2026-03-05T10:00:00|x"])
def test_a_cursor_of_another_list_is_refused(plain: str):
    with pytest.raises(Rejected):
        read_cursor(SourceSystem.CLOUD_ERP, base64.urlsafe_b64encode(plain.encode()).decode())

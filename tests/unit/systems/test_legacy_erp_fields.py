"""Fields of the legacy ERP's records: padding, implied decimals, CYYMMDD, codes; and our values as theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.records.values import Money
from systems.legacy_erp import fields
from systems.legacy_erp.fields import MONEY, QUANTITY, UNIT_PRICE
from systems.legacy_erp.programs import MAX_KEYS, askable, in_calls


@pytest.mark.parametrize(
    ("value", "text"),
    [("PMP-0042            ", "PMP-0042"), ("   ", ""), ("", ""), ("  A B ", "  A B")],
    ids=["a padded code", "blank", "empty", "only the end is padding"],
)
def test_a_text_comes_without_its_padding(value: str, text: str):
    assert fields.read_text({"F": value}, "F") == text
    assert fields.text_or_none({"F": value}, "F") == (text or None)


@pytest.mark.parametrize(
    ("number", "day"),
    [
        (1_260_309, date(2026, 3, 9)),
        (991_231, date(1999, 12, 31)),
        (10_101, date(1901, 1, 1)),
        (1_000_229, date(2000, 2, 29)),
        (2_000_101, date(2100, 1, 1)),
        (0, None),
    ],
)
def test_a_date_is_a_century_since_1900_and_the_rest(number: int, day: date | None):
    assert fields.read_date({"F": number}, "F") == day
    assert fields.date_number(day) == number


@pytest.mark.parametrize("number", [1_261_301, 1_260_230, 1_260_300, 20_260_309, 9_999_999, -1], ids=str)
def test_a_number_that_is_no_day_is_named_and_not_guessed(number: int):
    with pytest.raises(ValueError, match=f"F {number}"):
        fields.read_date({"F": number}, "F")


def test_all_nines_are_no_end():
    assert fields.read_last_date({"F": 9_999_999}, "F") is None
    assert fields.read_last_date({"F": 1_261_231}, "F") == date(2026, 12, 31)


@given(st.dates(date(1900, 1, 1), date(2899, 12, 31)))
def test_every_day_comes_back_as_it_went(day: date):
    assert fields.read_date({"F": fields.date_number(day)}, "F") == day


@given(st.integers(0, 10**16))
def test_a_moment_comes_back_within_the_next_millisecond(microseconds: int):
    at = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    read = fields.read_moment(fields.moment_numbers("F", at), "F")
    assert read is not None
    assert timedelta(0) <= read - at < timedelta(milliseconds=1)


def test_a_moment_of_another_zone_is_sent_in_utc():
    at = datetime(2026, 3, 9, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert fields.moment_numbers("F", at) == {"FDT": 1_260_308, "FTM": 233_000_000}


@pytest.mark.parametrize("clock", [240_000_000, 236_000_000, 235_960_000], ids=["hour", "minute", "second"])
def test_a_clock_that_there_is_not_is_refused(clock: int):
    with pytest.raises(ValueError, match="must be in"):
        fields.read_moment({"FDT": 1_260_309, "FTM": clock}, "F")


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [(18_000, QUANTITY, "18"), (1_500, QUANTITY, "1.5"), (0, QUANTITY, "0"), (-250, QUANTITY, "-0.25"),
     (100_000_000, QUANTITY, "100000"), (3_610_000, UNIT_PRICE, "36.1")],
)  # fmt: skip
def test_a_number_has_its_implied_decimals_and_no_more(number: int, decimals: int, text: str):
    assert str(fields.read_amount({"F": number}, "F", decimals)) == text
    assert fields.implied(Decimal(text), decimals) == number


@pytest.mark.parametrize(
    ("number", "currency", "text"),
    [(36_100, "USD", "36.10"), (36_125, "USD", "36.125"), (36_100, "KWD", "36.100"), (36_000, "JPY", "36")],
)
def test_money_has_at_least_the_digits_of_its_currency(number: int, currency: str, text: str):
    found = fields.read_money({"F": number}, "F", currency)
    assert (str(found.amount), found) == (text, Money(Decimal(text), currency))


@given(st.decimals(-(10**9), 10**9, places=3))
def test_no_amount_is_changed_on_its_way_there_and_back(amount: Decimal):
    assert fields.read_amount({"F": fields.implied(amount, MONEY)}, "F", MONEY) == amount


def test_an_amount_that_is_finer_than_its_field_is_not_rounded():
    assert fields.implied(Decimal("1.2345"), QUANTITY) == "1.2345"


READERS: dict[str, Callable[[Any], Any]] = {
    "text": lambda record: fields.read_text(record, "F"),
    "count": lambda record: fields.read_count(record, "F"),
    "amount": lambda record: fields.read_amount(record, "F", 3),
    "date": lambda record: fields.read_date(record, "F"),
    "flag": lambda record: fields.is_flag(record, "F"),
    "word": lambda record: fields.read_word("state", record, "F", {"OP": 1}),
}


@pytest.mark.parametrize("value", [None, 1.5, True, 10**15, [], {}], ids=repr)
@pytest.mark.parametrize("name", READERS)
def test_what_is_not_of_its_kind_is_refused(name: str, value: Any):
    with pytest.raises((LookupError, TypeError, ValueError)):
        READERS[name]({"F": value})
    with pytest.raises(LookupError):
        READERS[name]({})


def test_a_code_that_is_in_no_table_is_named():
    assert fields.read_word("state", {"F": "OP"}, "F", {"OP": 1}) == 1
    with pytest.raises(ValueError, match="state 'ZZ'"):
        fields.read_word("state", {"F": "ZZ"}, "F", {"OP": 1})


def test_keys_travel_by_the_fifty_each_once_and_only_what_can_be_one():
    keys = [f"acc_{number}" for number in range(101)]
    assert [len(part) for part in in_calls([*keys, *keys])] == [MAX_KEYS, MAX_KEYS, 1]
    assert in_calls(["acc_1", "", " acc_1", "acc_1 ", "x" * 121, "\ud800"]) == [["acc_1"]]
    assert askable("ä" * 120)

"""Records survive their document, and damaged documents are told from records."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.enums import PricingConflictReason
from schema.records import problems
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord
from schema.records.orders import LedgerOrder, Quote
from schema.records.problems import CreditHold, PricingConflict, Problem, Stockout
from schema.records.values import Money, Quantity
from systems.platform.codec import UndecodableRecord, decode, encode
from tests.support.platform_records import ledger_order

PROBLEMS = [
    kind for name in problems.__all__ if issubclass(kind := getattr(problems, name), Problem) and kind is not Problem
]

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    int: st.integers(-(2**31), 2**31),
    bool: st.booleans(),
    Decimal: st.decimals("-1e12", "1e12", allow_nan=False, allow_infinity=False),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
}


def anything_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a record's annotation, made the way the codec reads it but written down apart from it."""
    if kind in SCALARS:
        return SCALARS[kind]
    if get_origin(kind) is tuple:
        return st.lists(anything_of(get_args(kind)[0]), max_size=2).map(tuple)
    if get_origin(kind) in (Union, UnionType):
        (inner,) = (entry for entry in get_args(kind) if entry is not type(None))
        return st.none() | anything_of(inner)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if kind is Problem:
        return st.one_of(*(anything_of(entry) for entry in PROBLEMS))
    return st.builds(kind, **{name: anything_of(hint) for name, hint in get_type_hints(kind).items()})


@pytest.mark.parametrize("record", [LedgerOrder, Quote, ExceptionTask, ProcessRecord])
def test_every_record_survives_its_document(record: type[Any]):
    @settings(max_examples=30)
    @given(anything_of(record))
    def survives(value: Any) -> None:
        assert decode(record, json.loads(json.dumps(encode(value)))) == value

    survives()


@pytest.mark.parametrize("kind", PROBLEMS)
def test_every_problem_survives_behind_its_root_class(kind: type[Problem]):
    @settings(max_examples=20)
    @given(anything_of(kind))
    def survives(value: Problem) -> None:
        document = encode(value)
        assert document["type"] == kind.__name__
        assert decode(Problem, json.loads(json.dumps(document))) == value

    survives()


def test_every_problem_class_is_exported_and_so_known():
    assert {kind.__name__ for kind in Problem.__subclasses__()} == {kind.__name__ for kind in PROBLEMS}


def test_times_are_kept_in_utc():
    there = datetime(2026, 3, 4, 10, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert encode(there) == "2026-03-04T15:00:00Z"
    assert encode(date(2026, 3, 4)) == "2026-03-04"


def test_decimals_keep_their_digits_and_have_no_exponent():
    assert encode(Money(Decimal("36.1000"), "USD")) == {"amount": "36.1000", "currency": "USD"}
    assert encode(Decimal("1E+3")) == "1000"


def test_a_document_of_a_newer_version_is_read_without_what_it_adds():
    document = {**encode(ledger_order()), "colour": "red"}
    assert decode(LedgerOrder, document) == ledger_order()


def test_a_document_of_an_older_version_is_read_with_the_defaults():
    document = encode(ledger_order())
    del document["lines"][0]["backordered"]
    assert decode(LedgerOrder, document) == ledger_order()


@pytest.mark.parametrize(
    ("record", "document", "said"),
    [
        pytest.param(Money, {"amount": "1"}, "currency is missing", id="a field without default"),
        pytest.param(Money, {"amount": 1, "currency": "USD"}, "expected str, found 1", id="a number for a decimal"),
        pytest.param(Money, {"amount": "one", "currency": "USD"}, "'one'", id="a word for a decimal"),
        pytest.param(Money, [], "expected dict", id="a list for a record"),
        pytest.param(Problem, {"type": "Bankruptcy"}, "no problem is called 'Bankruptcy'", id="an unknown problem"),
        pytest.param(ExceptionTask, {"id": True}, "expected str", id="a truth for a text"),
    ],
)
def test_a_damaged_document_is_told(record: type[Any], document: Any, said: str):
    with pytest.raises(UndecodableRecord, match=said):
        decode(record, document)


def test_what_no_record_holds_is_refused():
    with pytest.raises(TypeError, match="set is not part of any record"):
        encode({1})
    with pytest.raises(TypeError, match="records hold no"):
        decode(complex, 1)


def test_payloads_of_any_shape_are_kept_as_they_are():
    payload = {"a": [1, "2", None, {"b": True}]}
    made = encode(DeadLetter("d", next(iter(problems.SourceSystem)), "t", "r", 1, datetime.now(UTC), payload))
    assert decode(DeadLetter, made).payload == payload


def test_problems_in_an_order_keep_their_class():
    found = (
        CreditHold(code="CREDIT_HOLD", message="m", exposure=Money(Decimal(1), "USD")),
        Stockout(
            code="STOCKOUT",
            message="m",
            sku="s",
            requested=Quantity(Decimal(1), "EA"),
            available=Quantity(Decimal(0), "EA"),
        ),
        PricingConflict(code="P", message="m", path=("lines", "0"), sku="s", reason=PricingConflictReason.NO_PRICE),
    )
    order = ledger_order(exceptions=found)
    assert decode(LedgerOrder, encode(order)).exceptions == found

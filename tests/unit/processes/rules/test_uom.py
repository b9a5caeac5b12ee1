"""Units: exact to base units, rounded down on the way back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules.uom import Units, convert, from_base, to_base
from schema.records.problems import ValidationFailed
from schema.records.values import ItemUom, Quantity
from tests.support.rule_records import item, qty

PUMP = item(minimum="2", multiple="2")


@pytest.mark.parametrize(
    ("quantity", "base"),
    [
        pytest.param(qty(2), "2", id="base units stay"),
        pytest.param(qty(4, "XBX"), "24", id="a box of six"),
        pytest.param(qty("0.5", "XPX"), "120", id="half a pallet"),
        pytest.param(qty("1e1"), "10", id="an exponent is a number too"),
    ],
)
def test_quantities_in_base_units(quantity: Quantity, base: str):
    assert to_base(quantity, PUMP) == Decimal(base)


@pytest.mark.parametrize(
    ("quantity", "rule", "said"),
    [
        pytest.param(qty(1, "DZN"), "UNKNOWN_UNIT", "EA, XBX, XPX", id="an unknown unit names the known ones"),
        pytest.param(qty(0), "QUANTITY_POSITIVE", "not above zero", id="nothing cannot be bought"),
        pytest.param(qty(-2), "QUANTITY_POSITIVE", "not above zero", id="less than nothing neither"),
        pytest.param(qty("NaN"), "QUANTITY_POSITIVE", "not above zero", id="not a number"),
        pytest.param(qty("Infinity"), "QUANTITY_POSITIVE", "not above zero", id="everything"),
        pytest.param(qty("1e9999"), "QUANTITY_TOO_LARGE", "most a line may hold", id="an absurd quantity"),
        pytest.param(qty("1e8", "XPX"), "QUANTITY_TOO_LARGE", "most a line may hold", id="absurd in base units"),
        pytest.param(qty("2.0000001"), "QUANTITY_TOO_FINE", "decimals", id="finer than goods are counted"),
        pytest.param(qty("1e-9999"), "QUANTITY_TOO_FINE", "1E-9999", id="as good as nothing"),
        pytest.param(
            qty("2." + "0" * 30 + "1"), "QUANTITY_TOO_FINE", "decimals", id="more digits than are reckoned with"
        ),
        pytest.param(qty("1.999"), "MIN_QUANTITY", "smallest quantity sold, 2 EA", id="below the minimum"),
        pytest.param(qty(3), "MULTIPLE", "multiple of 2 EA", id="not a multiple"),
        pytest.param(qty("0.5", "XBX"), "MULTIPLE", "0.5 XBX is not a multiple", id="not a multiple in base units"),
    ],
)
def test_what_cannot_be_sold(quantity: Quantity, rule: str, said: str):
    found = to_base(quantity, PUMP, ("lines", "0", "quantity"))
    assert isinstance(found, ValidationFailed)
    assert (found.rule, found.path and found.path[:3]) == (rule, ("lines", "0", "quantity"))
    assert said in found.message


def test_a_unit_that_is_not_sellable_is_refused_and_not_offered():
    units = Units("EA", (ItemUom("EA", Decimal(1)), ItemUom("XPX", Decimal(240), sellable=False)))
    found = convert(qty(1, "XPX"), units)
    assert isinstance(found, ValidationFailed)
    assert found.message == "unit 'XPX' is not sold for this item: use one of EA"


def test_the_base_unit_needs_no_entry():
    assert convert(qty(5), Units("EA", ())) == 5


def test_a_question_about_availability_ignores_multiples():
    assert convert(qty(3), PUMP) == 3


def test_what_does_not_come_out_even_is_rounded_down():
    assert from_base(Decimal(7), "XBX", PUMP) == Quantity(Decimal("1.166666"), "XBX")


@given(st.decimals("0.000001", "1000", places=6), st.sampled_from(["1", "6", "240", "0.125"]))
def test_there_and_back_is_the_same_quantity(value: Decimal, per_base: str):
    units = Units("EA", (ItemUom("EA", Decimal(1)), ItemUom("X", Decimal(per_base))))
    base = convert(Quantity(value, "X"), units)
    if isinstance(base, Decimal):
        assert from_base(base, "X", units) == Quantity(value, "X")


@given(st.decimals("0", "100000", places=6), st.integers(1, 1000))
def test_the_way_back_never_promises_more(base: Decimal, per_base: int):
    found = from_base(base, "X", Units("EA", (ItemUom("X", Decimal(per_base)),)))
    assert isinstance(found, Quantity)
    assert found.value * per_base <= base

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from processes.rules.returns import Delivered, Wanted, check_return, why_a_person
from tests.support.rule_records import NOW, item, money

LINE = Delivered(item(), Decimal(10), Decimal(4), NOW - timedelta(days=30), lots_known=True)


def wanted(quantity: str = "6") -> Wanted:
    return Wanted(2, 1, Decimal(quantity))


@pytest.mark.parametrize("quantity", ["0.5", "6"])
def test_what_is_left_may_come_back_up_to_the_last_moment(quantity: str) -> None:
    assert check_return(wanted(quantity), LINE, NOW) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(None, "UNKNOWN_LINE", id="no such line"),
        pytest.param(replace(LINE, delivered=Decimal(0), last_at=None), "NOT_DELIVERED", id="nothing delivered"),
        pytest.param(replace(LINE, returned=Decimal("4.001")), "MORE_THAN_DELIVERED", id="a trifle too much"),
        pytest.param(replace(LINE, returned=Decimal(12)), "MORE_THAN_DELIVERED", id="more is back than came"),
        pytest.param(replace(LINE, item=replace(item(), hazmat_class="3")), "NOT_RETURNABLE", id="dangerous goods"),
        pytest.param(
            replace(LINE, last_at=NOW - timedelta(days=30, microseconds=1)), "WINDOW_CLOSED", id="a moment too late"
        ),
    ],
)
def test_what_may_not_come_back_is_named_with_its_line(line: Delivered | None, reason: str) -> None:
    found = check_return(wanted(), line, NOW)
    assert found is not None
    assert (found.reason, found.line_no, found.path) == (reason, 1, ("lines", "2"))


@pytest.mark.parametrize(
    ("value", "line", "asks"),
    [
        pytest.param("499.99", LINE, False, id="little value"),
        pytest.param("500", LINE, True, id="the limit"),
        pytest.param("1", replace(LINE, lots_known=False), False, id="lots that nobody needs"),
        pytest.param("1", replace(LINE, item=replace(item(), lot_controlled=True)), False, id="known lots"),
        pytest.param(
            "1", replace(LINE, item=replace(item(), lot_controlled=True), lots_known=False), True, id="unknown lots"
        ),
    ],
)
def test_a_person_decides_about_value_and_unknown_lots(value: str, line: Delivered, asks: bool) -> None:
    assert (why_a_person(money(value), [line]) is not None) is asks

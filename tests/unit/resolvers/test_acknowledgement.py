"""How lines are acknowledged, in the codes that trading partners read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from resolvers.orders.merge import merge_order
from schema.enums import OrderStatus
from schema.orders.acknowledgement import ack_code
from schema.records.orders import LedgerOrder
from tests.support.order_records import NOW, document, erp_line, recorded

MONDAY, TUESDAY = date(2026, 3, 9), date(2026, 3, 10)


def told(ledger: LedgerOrder, **line: Any) -> str | None:
    order = merge_order(ledger, document(ledger, erp_line(**line)), now=NOW, erp_missing=False)
    return ack_code(order, order.lines[0])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param({"allocated": 24}, "IA", id="all of it as asked"),
        pytest.param({"allocated": 18, "backordered": 6}, "IB", id="a part waits for supply"),
        pytest.param({"allocated": 18, "cancelled": 6}, "IQ", id="less of it"),
        pytest.param({"cancelled": 24}, "ID", id="nothing of it any more"),
        pytest.param({"allocated": 24, "promised_date": TUESDAY}, "DR", id="on a later day"),
        pytest.param({"allocated": 24, "promised_date": MONDAY}, "IA", id="on the day"),
        pytest.param({"backordered": 24, "promised_date": TUESDAY, "cancelled": 0}, "IB", id="late for lack of supply"),
    ],
)
def test_a_line_of_an_accepted_order_is_acknowledged(line: dict[str, Any], code: str):
    assert told(recorded(requested_date=MONDAY), **line) == code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (OrderStatus.RECEIVED, None),
        (OrderStatus.VALIDATING, None),
        (OrderStatus.ON_HOLD, None),
        (OrderStatus.REJECTED, "IR"),
        (OrderStatus.CANCELLED, "ID"),
    ],
)
def test_an_order_that_is_not_accepted_tells_by_its_status(status: OrderStatus, code: str | None):
    order = merge_order(recorded(status=status, erp_number=None), None, now=NOW, erp_missing=False)
    assert ack_code(order, order.lines[0]) == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param({"ordered": 18, "allocated": 18}, "IS", id="of what lacked"),
        pytest.param({"cancelled": 24}, "IS", id="of all of it"),
        pytest.param({"ordered": 18, "backordered": 6}, "IB", id="and more of it waits for supply"),
    ],
)
def test_that_another_item_comes_in_place_of_a_line_is_acknowledged(line: dict[str, Any], code: str):
    ledger = recorded()
    ledger = replace(ledger, lines=(replace(ledger.lines[0], substituted_by=2), *ledger.lines[1:]))
    assert told(ledger, **line) == code


def test_the_day_that_was_asked_for_a_line_counts_before_that_of_the_order():
    ledger = recorded(requested_date=MONDAY)
    ledger = replace(ledger, lines=(replace(ledger.lines[0], requested_date=TUESDAY), *ledger.lines[1:]))
    assert told(ledger, allocated=24, promised_date=TUESDAY) == "IA"

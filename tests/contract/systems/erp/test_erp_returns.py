"""What the ERP connector writes of returns, against the served ERP sandbox."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schema.enums import ReturnStatus
from schema.records.orders import ReturnLine
from schema.records.returns import NewReturn
from schema.records.values import Money, Quantity
from systems.errors import NotFound, Rejected, Unavailable
from tests.support.erp_orders import order
from tests.support.erps import ErpConnector, ErpKind
from tests.support.sandboxes import ServedSandbox

NUMBER, ID = "RMA-900001", "rma_RMA-900001"


@pytest.fixture
async def erp(erp: ErpConnector) -> ErpConnector:
    """A connector whose ERP has an order to return goods of."""
    await erp.create_order(order())
    return erp


def goods(quantity: str = "2", uom: str = "EA", number: int = 1, disposition: str | None = None) -> ReturnLine:
    return ReturnLine(number, "VLV-0007", Quantity(Decimal(quantity), uom), "DAMAGED", disposition)


def new(*lines: ReturnLine, key: str = "rma:1:erp", order_id: str = "ord_t1") -> NewReturn:
    return NewReturn(key, NUMBER, order_id, lines or (goods(),))


async def test_a_return_is_created_once_per_key(erp: ErpConnector):
    made = await erp.create_return(new())
    assert await erp.create_return(new()) == made
    assert (made.id, made.order_id, made.account_id, made.status) == (ID, "ord_t1", "acc_1", ReturnStatus.APPROVED)
    assert made.lines == (goods(),)
    assert (await erp.returns_of_orders(["ord_t1"]))["ord_t1"] == (made,)


async def test_a_lost_answer_makes_no_second_return(kind: ErpKind, erp: ErpConnector, served: ServedSandbox):
    await served.faults(lost_answer_rate=1, hang_s=0.1, only={"path": kind.paths["create return"]})
    with pytest.raises(Unavailable) as lost:
        await erp.create_return(new())
    assert lost.value.outcome_unknown
    await served.faults()
    await erp.create_return(new())
    assert len((await erp.returns_of_orders(["ord_t1"]))["ord_t1"]) == 1


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        pytest.param(new(order_id="ord_none"), "FIELD", id="an unknown order"),
        pytest.param(new(goods(number=9)), "LINES", id="an unknown line"),
        pytest.param(new(goods("0")), "QUANTITY", id="nothing"),
        pytest.param(new(goods(uom="TNE")), "UNKNOWN_UNIT", id="an unknown unit"),
    ],
)
async def test_what_is_wrong_is_refused_and_leaves_nothing(erp: ErpConnector, wanted: NewReturn, reason: str):
    with pytest.raises(Rejected) as refused:
        await erp.create_return(wanted)
    assert refused.value.reason == reason
    assert await erp.returns([ID]) == {}


async def test_what_came_is_credited_at_the_price_of_the_order_once(erp: ErpConnector):
    await erp.create_return(new())
    for _ in range(2):
        await erp.receive_return("rma:1:receipt", NUMBER, (goods("1", disposition="SCRAP"),))
    given = [await erp.credit_return("rma:1:credit", NUMBER) for _ in range(2)]
    assert given == [Money(Decimal("12.35"), "USD")] * 2
    found = (await erp.returns([ID]))[ID]
    assert (found.status, found.credit) == (ReturnStatus.CREDITED, given[0])
    assert [(line.quantity.value, line.disposition) for line in found.lines] == [(1, "SCRAP")]


async def test_a_line_of_which_nothing_came_is_credited_nothing(erp: ErpConnector):
    await erp.create_return(new())
    await erp.receive_return("rma:1:receipt", NUMBER, ())
    assert (await erp.credit_return("rma:1:credit", NUMBER)).amount == 0


async def test_a_replaced_return_is_closed_without_a_credit(erp: ErpConnector):
    await erp.create_return(new())
    await erp.receive_return("rma:1:receipt", NUMBER, (goods(disposition="RESTOCK"),))
    await erp.replace_return("rma:1:repl", NUMBER)
    found = (await erp.returns([ID]))[ID]
    assert (found.status, found.credit) == (ReturnStatus.REPLACED, None)
    with pytest.raises(Rejected) as refused:
        await erp.credit_return("rma:1:credit", NUMBER)
    assert refused.value.reason == "RETURN_STATE"


async def test_a_return_is_cancelled_until_something_came(erp: ErpConnector):
    await erp.create_return(new())
    for _ in range(2):
        await erp.cancel_return(NUMBER)
    assert (await erp.returns([ID]))[ID].status is ReturnStatus.CANCELLED
    await erp.cancel_return("RMA-none")
    with pytest.raises(Rejected):
        await erp.receive_return("rma:1:receipt", NUMBER, (goods(),))


async def test_a_return_that_is_not_there_cannot_be_credited(erp: ErpConnector):
    with pytest.raises(NotFound):
        await erp.credit_return("rma:1:credit", "RMA-none")

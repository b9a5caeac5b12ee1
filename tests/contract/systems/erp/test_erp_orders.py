"""What the ERP connector writes, against the served ERP sandbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.erp_book.posting import post_due
from sandbox.world.model import WorldModel
from schema.enums import OrderChannel, OrderStatus
from schema.records.entries import UnreadableEntry
from schema.records.invoices import PostedInvoice
from schema.records.orders import ErpLineChange, ErpOrderChange, NewErpLine, NewErpOrder
from schema.records.values import Money, Quantity
from systems.errors import Conflict, NotFound, Rejected, Unavailable
from tests.support.erp_orders import line, order
from tests.support.erps import ErpConnector, ErpKind
from tests.support.sandboxes import ServedSandbox


def free(served: ServedSandbox, sku: str = "VLV-0007", location: str = "W01") -> Decimal:
    row = served.host.store.one("SELECT free FROM stock WHERE sku = ? AND location = ?", (sku, location))
    assert row is not None
    return Decimal(row["free"]) / 1000


def documents(served: ServedSandbox) -> int:
    row = served.host.store.one("SELECT count(*) AS n FROM orders WHERE orderId LIKE 'ord_t%'")
    assert row is not None
    return int(row["n"])


class TestCreating:
    async def test_an_order_is_created_and_accepted_as_it_was_given(self, erp: ErpConnector):
        wanted = order(1, line(1), line(2, "PMP-0042", "1.5", "XBX", unit_price=Money(Decimal("141.20"), "USD")))
        made = await erp.create_order(wanted)
        assert (made.id, made.number, made.status, made.account_id) == (
            "ord_t1", "SO-900001", OrderStatus.ACCEPTED, "acc_1",
        )  # fmt: skip
        assert (made.channel, made.po_number, made.ship_to_id) == (OrderChannel.PORTAL, "PO-1", "shp_1")
        assert [(entry.line_no, entry.sku, entry.ordered, entry.uom) for entry in made.lines] == [
            (1, "VLV-0007", 3, "EA"), (2, "PMP-0042", Decimal("1.5"), "XBX"),
        ]  # fmt: skip
        assert [entry.unit_price.amount for entry in made.lines] == [Decimal("12.3456"), Decimal("141.20")]
        assert made.subtotal == Money(Decimal("248.84"), "USD")
        assert await erp.find_order(wanted.key) == made

    async def test_the_same_key_creates_once(self, erp: ErpConnector, served: ServedSandbox):
        first = await erp.create_order(order())
        assert await erp.create_order(order()) == first
        assert documents(served) == 1

    async def test_the_same_key_creates_once_at_the_same_time(self, erp: ErpConnector, served: ServedSandbox):
        made = await asyncio.gather(*(erp.create_order(order()) for _ in range(8)))
        assert len({entry.number for entry in made}) == 1
        assert documents(served) == 1

    async def test_a_number_of_another_document_is_refused(self, erp: ErpConnector):
        await erp.create_order(order())
        with pytest.raises(Rejected) as refused:
            await erp.create_order(replace(order(2), number=order().number))
        assert (refused.value.reason, refused.value.fields) == ("NUMBER_TAKEN", ("number",))

    @pytest.mark.parametrize(
        ("wanted", "reason", "fields"),
        [
            (order(account_id="acc_none"), "NOT_A_CUSTOMER", ("accountId",)),
            (order(ship_to_id="shp_none"), "UNKNOWN_SHIP_TO", ("shipToId",)),
            (order(currency="XXX"), "CURRENCY", ("currency",)),
            (order(1, line(), line(2, "NO-SUCH")), "UNKNOWN_SKU", ("lines.1.sku",)),
            (order(1, line(uom="TNE")), "UNKNOWN_UNIT", ("lines.0.uom",)),
            (order(1, line(quantity="0")), "QUANTITY", ("lines.0.quantity",)),
            (order(1, line(warehouse_code="W99")), "UNKNOWN_WAREHOUSE", ("lines.0.warehouseCode",)),
            (order(1, line(), line()), "LINES", ("lines",)),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_a_refusal_names_reason_and_field(
        self, erp: ErpConnector, served: ServedSandbox, wanted: NewErpOrder, reason: str, fields: tuple[str, ...]
    ):
        with pytest.raises(Rejected) as refused:
            await erp.create_order(wanted)
        assert (refused.value.reason, refused.value.fields) == (reason, fields)
        assert documents(served) == 0

    async def test_a_blocked_customer_is_refused(self, erp: ErpConnector, served: ServedSandbox):
        served.host.store.execute("UPDATE customers SET blocked = 'All' WHERE crossdockId = 'acc_1'")
        with pytest.raises(Rejected) as refused:
            await erp.create_order(order())
        assert refused.value.reason == "CUSTOMER_BLOCKED"

    async def test_an_answer_that_got_lost_is_found_by_its_key(
        self, kind: ErpKind, erp: ErpConnector, served: ServedSandbox
    ):
        await erp.terms(["acc_1"])
        await served.faults(lost_answer_rate=1, hang_s=0.1, only={"path": kind.paths["create order"]})
        with pytest.raises(Unavailable) as lost:
            await erp.create_order(order())
        assert lost.value.outcome_unknown
        await served.faults()
        found = await erp.find_order(order().key)
        assert found is not None
        assert await erp.create_order(order()) == found
        assert documents(served) == 1

    async def test_a_failure_before_the_work_leaves_nothing(
        self, kind: ErpKind, erp: ErpConnector, served: ServedSandbox
    ):
        await erp.terms(["acc_1"])
        await served.faults(error_rate=1, only={"path": kind.paths["create order"]})
        with pytest.raises(Unavailable) as failed:
            await erp.create_order(order())
        assert failed.value.outcome_unknown
        await served.faults()
        assert await erp.find_order(order().key) is None

    @pytest.mark.parametrize("fault", ["html_rate", "garbage_rate"])
    async def test_an_unreadable_answer_to_a_write_may_mean_that_it_was_done(
        self, kind: ErpKind, erp: ErpConnector, served: ServedSandbox, fault: str
    ):
        await erp.terms(["acc_1"])
        await served.faults(**{fault: 1}, only={"path": kind.paths["create order"]})
        with pytest.raises(Unavailable) as failed:
            await erp.create_order(order())
        assert failed.value.outcome_unknown


class TestAllocating:
    async def test_what_is_free_is_set_aside_and_the_rest_backordered(
        self, erp: ErpConnector, served: ServedSandbox, world: WorldModel
    ):
        await erp.create_order(order(1, line(quantity="7")))
        (result,) = await erp.allocate("k1", "ord_t1")
        due = next(supply for supply in world.inbound if supply.sku == "VLV-0007")
        assert (result.line_no, result.warehouse_code, result.allocated, result.backordered) == (1, "W01", 5, 2)
        assert result.ship_date is not None
        assert result.backorder_date is not None
        assert result.backorder_date > due.eta
        assert free(served) == 0
        (shown,) = (await erp.orders(["ord_t1"]))["ord_t1"].lines
        assert (shown.allocated, shown.backordered, shown.promised_date) == (5, 2, result.backorder_date)
        assert [entry.quantity for entry in shown.allocations] == [Quantity(Decimal(5), "EA")]

    async def test_a_key_allocates_once(self, erp: ErpConnector, served: ServedSandbox):
        await erp.create_order(order())
        first = await erp.allocate("k1", "ord_t1")
        assert await erp.allocate("k1", "ord_t1") == first
        assert free(served) == 2

    async def test_another_key_takes_only_what_is_missing(self, erp: ErpConnector, served: ServedSandbox):
        await erp.create_order(order())
        await erp.allocate("k1", "ord_t1")
        (result,) = await erp.allocate("k2", "ord_t1")
        assert (result.allocated, result.backordered, free(served)) == (0, 0, 2)

    async def test_a_key_of_another_order_is_a_conflict(self, erp: ErpConnector):
        await erp.create_order(order(1))
        await erp.create_order(order(2))
        await erp.allocate("k1", "ord_t1")
        with pytest.raises(Conflict):
            await erp.allocate("k1", "ord_t2")

    async def test_an_order_that_is_not_there_cannot_be_allocated(self, erp: ErpConnector):
        with pytest.raises(NotFound, match="ord_none"):
            await erp.allocate("k1", "ord_none")

    async def test_packages_are_set_aside_whole(self, erp: ErpConnector, served: ServedSandbox):
        await erp.create_order(order(1, line(1, "PMP-0042", "6", "XBX")))
        (result,) = await erp.allocate("k1", "ord_t1")
        assert (result.allocated, result.backordered) == (4, 2)
        assert free(served, "PMP-0042") == 18 - 16

    async def test_a_line_without_a_warehouse_ships_from_where_most_is_free(self, erp: ErpConnector):
        await erp.create_order(order(1, line(1, "VLV-0042", "10", warehouse_code=None)))
        (result,) = await erp.allocate("k1", "ord_t1")
        assert (result.warehouse_code, result.allocated) == ("W01", 10)

    async def test_many_at_once_never_oversell(self, erp: ErpConnector, served: ServedSandbox):
        await asyncio.gather(*(erp.create_order(order(n, line(quantity="1"))) for n in range(1, 21)))
        results = await asyncio.gather(*(erp.allocate(f"k{n}", f"ord_t{n}") for n in range(1, 21)))
        assert sum(result[0].allocated for result in results) == 5
        assert sum(result[0].backordered for result in results) == 15
        assert free(served) == 0

    async def test_giving_back_makes_it_free_once(self, erp: ErpConnector, served: ServedSandbox):
        await erp.create_order(order())
        await erp.allocate("k1", "ord_t1")
        await erp.deallocate("k1", "ord_t1")
        await erp.deallocate("k1", "ord_t1")
        await erp.deallocate("k1", "ord_none")
        assert free(served) == 5
        await erp.allocate("k1", "ord_t1")
        assert free(served) == 2

    async def test_an_allocation_whose_answer_got_lost_is_repeated_safely(
        self, kind: ErpKind, erp: ErpConnector, served: ServedSandbox
    ):
        await erp.create_order(order())
        await served.faults(lost_answer_rate=1, hang_s=0.1, only={"path": kind.paths["allocate"]})
        with pytest.raises(Unavailable):
            await erp.allocate("k1", "ord_t1")
        await served.faults()
        (result,) = await erp.allocate("k1", "ord_t1")
        assert (result.allocated, free(served)) == (3, 2)


class TestCancelling:
    async def test_a_cancelled_order_gives_its_stock_back(self, erp: ErpConnector, served: ServedSandbox):
        await erp.create_order(order())
        await erp.allocate("k1", "ord_t1")
        await erp.cancel_order(order().key)
        await erp.cancel_order(order().key)
        found = await erp.find_order(order().key)
        assert found is not None
        assert (found.status, found.lines[0].cancelled, found.lines[0].allocations) == (OrderStatus.CANCELLED, 3, ())
        assert free(served) == 5
        await erp.deallocate("k1", "ord_t1")
        assert free(served) == 5

    async def test_a_cancelled_order_cannot_be_allocated(self, erp: ErpConnector):
        await erp.create_order(order())
        await erp.cancel_order(order().key)
        with pytest.raises(Rejected) as refused:
            await erp.allocate("k1", "ord_t1")
        assert refused.value.reason == "ORDER_NOT_OPEN"

    async def test_shipped_goods_cannot_be_cancelled(self, erp: ErpConnector, served: ServedSandbox):
        await erp.create_order(order())
        served.host.store.execute("UPDATE order_lines SET shipped = '1' WHERE description = 'a valve'")
        with pytest.raises(Rejected) as refused:
            await erp.cancel_order(order().key)
        assert refused.value.reason == "ORDER_SHIPPED"

    async def test_nothing_to_cancel_is_cancelled(self, erp: ErpConnector):
        await erp.cancel_order("never")

    async def test_open_value_follows_an_order(self, erp: ErpConnector):
        before = (await erp.open_values(["acc_1"]))["acc_1"].amount
        await erp.create_order(order())
        assert (await erp.open_values(["acc_1"]))["acc_1"].amount - before == Decimal("37.04")
        await erp.cancel_order(order().key)
        assert (await erp.open_values(["acc_1"]))["acc_1"].amount == before

    async def test_an_order_in_another_currency_counts_in_that_of_the_credit(
        self, erp: ErpConnector, world: WorldModel
    ):
        before = (await erp.open_values(["acc_1"]))["acc_1"].amount
        await erp.create_order(order(1, line(1, unit_price=Money(Decimal(100), "EUR")), currency="EUR"))
        rate = next(rate for one, other, _, rate in world.exchange_rates if (one, other) == ("EUR", "USD"))
        assert (await erp.open_values(["acc_1"]))["acc_1"].amount - before == round(300 * rate, 2)


def changed(line_no: int = 1, quantity: str = "5", price: str = "12.00") -> ErpLineChange:
    return ErpLineChange(line_no, Decimal(quantity), Money(Decimal(price), "USD"), None)


class TestChanging:
    async def test_a_line_gets_another_quantity_and_price_and_gives_back_what_it_held(
        self, erp: ErpConnector, served: ServedSandbox
    ):
        before = free(served)
        made = await erp.create_order(order(1, line(1), line(2, "PMP-0042", "2")))
        await erp.allocate("or:ord_t1:alloc:1", made.id)
        after = await erp.change_order(ErpOrderChange("chg:ord_t1:2:erp", made.id, (changed(),)))
        first, second = after.lines
        assert (first.ordered, first.unit_price.amount, first.extended.amount) == (5, 12, 60)
        assert (first.allocated, second.allocated) == (0, 2)
        assert after.subtotal.amount == 60 + second.extended.amount
        assert free(served) == before
        (again, _) = await erp.allocate("or:ord_t1:alloc:2", made.id)
        assert (again.line_no, again.allocated) == (1, 5)

    async def test_the_same_key_changes_once(self, erp: ErpConnector):
        made = await erp.create_order(order())
        wanted = ErpOrderChange("chg:ord_t1:2:erp", made.id, (changed(),))
        first = await erp.change_order(wanted)
        await erp.change_order(replace(wanted, key="chg:ord_t1:2:erp:undo", lines=(changed(quantity="3"),)))
        assert (await erp.change_order(wanted)).lines[0].ordered == 3
        assert first.lines[0].ordered == 5

    async def test_a_quantity_of_zero_cancels_the_line_and_another_brings_it_back(self, erp: ErpConnector):
        made = await erp.create_order(order(1, line(1), line(2, "PMP-0042", "2")))
        gone = await erp.change_order(ErpOrderChange("chg:1", made.id, (changed(quantity="0"),)))
        assert (gone.lines[0].ordered, gone.lines[0].cancelled, gone.lines[0].extended.amount) == (3, 3, 0)
        back = await erp.change_order(ErpOrderChange("chg:2", made.id, (changed(quantity="3"),)))
        assert (back.lines[0].ordered, back.lines[0].cancelled) == (3, 0)

    async def test_a_line_is_added_where_its_number_is_free_and_gets_its_goods(self, erp: ErpConnector):
        made = await erp.create_order(order(1, line(1)))
        new = line(2, "PMP-0042", "2")
        after = await erp.change_order(ErpOrderChange("chg:1", made.id, (changed(quantity="0"),), (new,)))
        first, second = after.lines
        assert (first.cancelled, second.line_no, second.sku, second.ordered) == (3, 2, "PMP-0042", 2)
        assert (second.unit_price, after.subtotal) == (new.unit_price, second.extended)
        (got,) = [entry for entry in await erp.allocate("or:ord_t1:alloc:2", made.id) if entry.line_no == 2]
        assert got.allocated == 2
        assert (
            await erp.change_order(ErpOrderChange("chg:1", made.id, (), (new,)))
            == ((await erp.orders([made.id]))[made.id])
        )

    async def test_a_line_that_is_cancelled_makes_room_for_one_with_its_number(self, erp: ErpConnector):
        made = await erp.create_order(order(1, line(1), line(2, "PMP-0042", "2")))
        await erp.change_order(ErpOrderChange("chg:1", made.id, (changed(2, "0", "36.10"),)))
        after = await erp.change_order(ErpOrderChange("chg:2", made.id, (), (line(2, quantity="1"),)))
        assert [(entry.line_no, entry.sku, entry.ordered, entry.cancelled) for entry in after.lines] == [
            (1, line(1).sku, 3, 0),
            (2, line(1).sku, 1, 0),
        ]

    @pytest.mark.parametrize(
        ("added", "reason"),
        [(line(1), "LINES"), (line(2, "NO-SUCH"), "UNKNOWN_SKU")],
        ids=["the number is taken", "an unknown item"],
    )
    async def test_a_line_that_cannot_be_added_changes_nothing(self, erp: ErpConnector, added: NewErpLine, reason: str):
        made = await erp.create_order(order())
        with pytest.raises(Rejected) as refused:
            await erp.change_order(ErpOrderChange("chg:1", made.id, (), (added,)))
        assert refused.value.reason == reason
        assert (await erp.orders([made.id]))[made.id].lines == made.lines

    @pytest.mark.parametrize(
        ("lines", "reason"),
        [
            ((changed(9),), "LINES"),
            ((changed(quantity="1.2345"),), "QUANTITY"),
            ((changed(price="0.1234567"),), "PRICE"),
            ((), "LINES"),
        ],
        ids=["an unknown line", "too fine a quantity", "too fine a price", "no lines"],
    )
    async def test_what_cannot_be_is_refused_and_changes_nothing(
        self, erp: ErpConnector, lines: tuple[ErpLineChange, ...], reason: str
    ):
        made = await erp.create_order(order())
        with pytest.raises(Rejected) as refused:
            await erp.change_order(ErpOrderChange("chg:1", made.id, lines))
        assert refused.value.reason == reason
        assert (await erp.orders([made.id]))[made.id].lines == made.lines

    async def test_a_cancelled_order_changes_no_more(self, erp: ErpConnector):
        made = await erp.create_order(order())
        await erp.cancel_order("or:ord_t1:erp")
        with pytest.raises(Rejected) as refused:
            await erp.change_order(ErpOrderChange("chg:1", made.id, (changed(),)))
        assert refused.value.reason == "ORDER_NOT_OPEN"

    async def test_an_unknown_order_is_said(self, erp: ErpConnector):
        with pytest.raises(NotFound):
            await erp.change_order(ErpOrderChange("chg:1", "ord_none", (changed(),)))


class TestPostings:
    async def test_what_was_allocated_is_posted_with_its_lines_and_read_once(
        self, erp: ErpConnector, served: ServedSandbox
    ):
        assert await erp.posted_after(0, 10) == ()
        made = await erp.create_order(order(1, line(1), line(2, "PMP-0042", "2")))
        await erp.allocate("or:ord_t1:alloc:1", made.id)
        await erp.change_order(ErpOrderChange("chg:1", made.id, (changed(2, "0", "36.10"),)))
        await served.http.put("/_sandbox/clock", json={"speed": 100_000})
        async with asyncio.timeout(60):
            while not (found := await erp.posted_after(0, 10)):
                pass
        (posted,) = found
        assert isinstance(posted, PostedInvoice)
        assert (posted.invoice.order_id, posted.invoice.account_id) == ("ord_t1", "acc_1")
        assert [(entry.line_no, entry.quantity, entry.net.amount) for entry in posted.lines] == [
            (1, 3, Decimal("37.04"))
        ]
        after = (await erp.orders([made.id]))[made.id]
        assert posted.freight == after.freight
        assert posted.invoice.total.amount == Decimal("37.04") + posted.tax.amount + posted.freight.amount
        assert await erp.posted_after(posted.entry, 10) == ()

    async def test_one_of_another_shape_stands_in_its_place_with_what_was_told(
        self, erp: ErpConnector, served: ServedSandbox
    ):
        for number in range(1, 4):
            made = await erp.create_order(order(number, line(1, "PMP-0042", "1")))
            await erp.allocate(f"or:ord_t{number}:alloc:1", made.id)
            post_due(served.host.store, datetime.now(UTC) + timedelta(days=2))
        unknown = "UPDATE invoices SET status = 'Xx' WHERE number = (%s WHERE entryNo = 2)"
        served.host.store.execute(unknown % "SELECT invoiceNumber FROM invoice_postings")
        first, second, third = await erp.posted_after(0, 10)
        assert isinstance(second, UnreadableEntry)
        assert (type(first), type(third)) == (PostedInvoice, PostedInvoice)
        assert first.entry < second.entry < third.entry
        assert "xx" in str(second.told).lower()
        assert "invoice status" in second.reason
        assert await erp.posted_after(second.entry, 10) == (third,)

"""Sales orders of the ERP."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from processes.journal import read, write
from schema.enums import OrderStatus
from schema.records.currencies import round_to_minor
from schema.records.orders import (
    Allocation,
    ErpLine,
    ErpLineChange,
    ErpOrder,
    ErpOrderChange,
    NewErpLine,
    NewErpOrder,
    OrderFilter,
)
from schema.records.values import ExternalRef, Money, Page, PageRequest
from systems.ports import AllocationResult
from tests.support.fake_systems.erp_part import ErpPart
from tests.support.fake_systems.rows import fulfils, newest
from tests.support.fake_systems.script import Kept, Script


class FakeOrders(ErpPart):
    """Sales orders of the ERP.

    ``stock`` is what can be allocated per (sku, warehouse code); ``entered`` are orders that no process created.
    """

    def __init__(self, script: Script, kept: Kept) -> None:
        super().__init__(script, kept)
        self.open: dict[str, Money] = {}
        self.stock: dict[tuple[str, str], Decimal] = {}
        self.invoiced = False
        self.entered: dict[str, ErpOrder] = {}
        self.price_of: Callable[[str, Money], Money] = lambda sku, agreed: agreed

    async def open_values(self, account_ids: Sequence[str]) -> Mapping[str, Money]:
        await self.script.enter(self.system, "open_values")
        return {entry: self.open[entry] for entry in account_ids if entry in self.open}

    async def find_order(self, key: str) -> ErpOrder | None:
        await self.script.enter(self.system, "find_order")
        return self.document(key)

    async def orders(self, ids: Sequence[str]) -> Mapping[str, ErpOrder]:
        await self.script.enter(self.system, "orders")
        found = {entry.id: entry for entry in self.documents() if entry.id in ids}
        if not self.invoiced:
            return found
        return {
            name: replace(entry, lines=tuple(replace(line, invoiced=line.ordered) for line in entry.lines))
            for name, entry in found.items()
        }

    async def orders_by_number(self, numbers: Sequence[str]) -> Mapping[str, ErpOrder]:
        await self.script.enter(self.system, "orders_by_number")
        return {entry.number: entry for entry in self.documents() if entry.number in numbers}

    async def orders_of(
        self, account_ids: Sequence[str], where: OrderFilter, limit: int
    ) -> Mapping[str, tuple[ErpOrder, ...]]:
        await self.script.enter(self.system, "orders_of")
        found = newest([entry for entry in self.documents() if fulfils(entry, where)])
        return {name: tuple([entry for entry in found if entry.account_id == name][:limit]) for name in account_ids}

    async def search_orders(self, where: OrderFilter, page: PageRequest) -> Page[ErpOrder]:
        await self.script.enter(self.system, "search_orders")
        found = newest([entry for entry in self.documents() if fulfils(entry, where)])
        shown = tuple(found[: page.first])
        return Page(shown, tuple(entry.id for entry in shown), len(found) > len(shown))

    async def create_order(self, order: NewErpOrder) -> ErpOrder:
        await self.script.enter(self.system, "create_order")
        made = self._made(order)
        self.kept.put("document", order.key, json.dumps(write(made)))
        await self.script.leave("create_order")
        return made

    async def cancel_order(self, key: str) -> None:
        await self.script.enter(self.system, "cancel_order")
        found = self.document(key)
        if found is not None:
            self.kept.replace("document", key, json.dumps(write(replace(found, status=OrderStatus.CANCELLED))))
        await self.script.leave("cancel_order")

    async def allocate(self, key: str, order_id: str) -> tuple[AllocationResult, ...]:
        await self.script.enter(self.system, "allocate")
        document = self.document(f"or:{order_id}:erp")
        assert document is not None, "nothing to allocate"
        if not self.kept.all("allocation", key):
            earlier = self._set_aside(order_id)
            given = {}
            for line in document.lines:
                wanted = line.ordered - line.cancelled - earlier.get(line.line_no, Decimal(0))
                free = self.stock.get((line.sku, _ships_from(line)), wanted)
                given[str(line.line_no)] = [str(min(free, wanted)), str(wanted - min(free, wanted))]
            self.kept.put("allocation", key, json.dumps({"order": order_id, "lines": given}))
        kept = json.loads(self.kept.all("allocation", key)[0])["lines"]
        results = []
        for line in document.lines:
            allocated, short = (Decimal(value) for value in kept.get(str(line.line_no), ("0", "0")))
            entry = AllocationResult(line.line_no, _ships_from(line), allocated, short, date(2026, 3, 5), None)
            results.append(entry)
        await self.script.leave("allocate")
        return tuple(results)

    async def deallocate(self, key: str, order_id: str) -> None:
        await self.script.enter(self.system, "deallocate")
        self.kept.drop("allocation", key)

    async def change_order(self, change: ErpOrderChange) -> ErpOrder:
        await self.script.enter(self.system, "change_order")
        found = self.document(f"or:{change.order_id}:erp")
        assert found is not None, "nothing to change"
        if not self.kept.all("change", change.key):
            self.kept.put("change", change.key, change.order_id)
            found = _with_change(found, change, [self._made_line(line) for line in change.added])
            self._withdraw(change.order_id, {line.line_no for line in change.lines})
            self.kept.replace("document", f"or:{change.order_id}:erp", json.dumps(write(found)))
        await self.script.leave("change_order")
        return found

    def _set_aside(self, order_id: str) -> dict[int, Decimal]:
        """Return what is set aside per line of an order."""
        found: dict[int, Decimal] = defaultdict(Decimal)
        for body in self.kept.all("allocation"):
            kept = json.loads(body) if order_id in body else None
            if kept is not None and kept["order"] == order_id:
                for number, (allocated, _) in kept["lines"].items():
                    found[int(number)] += Decimal(allocated)
        return found

    def _withdraw(self, order_id: str, numbers: set[int]) -> None:
        """Give back what is set aside for lines of an order."""
        for key in self.kept.keys("allocation"):
            kept = json.loads(self.kept.all("allocation", key)[0])
            if kept["order"] == order_id:
                kept["lines"] = {name: value for name, value in kept["lines"].items() if int(name) not in numbers}
                self.kept.replace("allocation", key, json.dumps(kept))

    def document(self, key: str) -> ErpOrder | None:
        found = self.kept.all("document", key)
        return read(ErpOrder, json.loads(found[0])) if found else None

    def documents(self) -> list[ErpOrder]:
        created = [read(ErpOrder, json.loads(body)) for body in self.kept.all("document")]
        return [*created, *self.entered.values()]

    def _made(self, order: NewErpOrder) -> ErpOrder:
        lines = tuple(self._made_line(line) for line in order.lines)
        total = round_to_minor(sum((line.extended.amount for line in lines), Decimal(0)), order.currency)
        now = datetime.now(UTC)
        return ErpOrder(
            id=order.order_id,
            number=order.number,
            account_id=order.account_id,
            ship_to_id=order.ship_to_id,
            po_number=order.po_number,
            channel=order.channel,
            status=OrderStatus.ACCEPTED,
            currency=order.currency,
            lines=lines,
            subtotal=total,
            tax=Money(Decimal(0), order.currency),
            freight=Money(Decimal(0), order.currency),
            total=total,
            requested_date=order.requested_date,
            promised_date=None,
            submitted_at=now,
            accepted_at=now,
            completed_at=None,
            opportunity_id=order.opportunity_id,
            quote_id=order.quote_id,
            home_erp=self.system,
            refs=(ExternalRef(self.system, order.number),),
            etag="1",
        )

    def _made_line(self, line: NewErpLine) -> ErpLine:
        return ErpLine(
            line_no=line.line_no,
            sku=line.sku,
            description=line.description,
            uom=line.quantity.uom,
            ordered=line.quantity.value,
            allocated=Decimal(0),
            backordered=Decimal(0),
            shipped=Decimal(0),
            invoiced=Decimal(0),
            cancelled=Decimal(0),
            unit_price=self.price_of(line.sku, line.unit_price),
            extended=round_to_minor(line.unit_price.amount * line.quantity.value, line.unit_price.currency),
            promised_date=None,
            allocations=_placed(line),
        )


def _placed(line: NewErpLine) -> tuple[Allocation, ...]:
    """Return the warehouse that a line names, from which nothing is set aside yet."""
    if line.warehouse_code is None:
        return ()
    return (Allocation(line.warehouse_code, replace(line.quantity, value=Decimal(0)), date(2026, 3, 5), firm=False),)


def _ships_from(line: ErpLine) -> str:
    return line.allocations[0].warehouse_code if line.allocations else "W01"


def _with_change(document: ErpOrder, change: ErpOrderChange, added: Sequence[ErpLine]) -> ErpOrder:
    wanted = {line.line_no: line for line in change.lines}
    lines = tuple(
        _with_line_change(line, wanted[line.line_no]) if line.line_no in wanted else line
        for line in document.lines
        if line.line_no not in {entry.line_no for entry in added}
    )
    lines += tuple(added)
    total = round_to_minor(sum((line.extended.amount for line in lines), Decimal(0)), document.currency)
    return replace(document, lines=lines, subtotal=total, total=total, etag=str(int(document.etag) + 1))


def _with_line_change(line: ErpLine, change: ErpLineChange) -> ErpLine:
    return replace(
        line,
        ordered=change.quantity or line.ordered,
        cancelled=Decimal(0) if change.quantity else line.ordered,
        unit_price=change.unit_price,
        extended=round_to_minor(change.unit_price.amount * change.quantity, change.unit_price.currency),
    )

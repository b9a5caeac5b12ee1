"""Fields of orders that take more than one system to answer, on top of what the reader reads.

Where a system is away, what has to be told in any case is told from what the others know; the fields that are its own
fail with its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal

from processes.rules.uom import tidy
from resolvers.orders.fulfilment import (
    allowed_actions,
    billing_status,
    exceptions_of,
    fulfillment_status,
    line_status,
)
from resolvers.orders.reader import OrderReader
from schema.enums import BillingStatus, FulfillmentStatus, LineStatus, ReturnStatus, SourceSystem
from schema.orders.delivery import has_arrived, has_left
from schema.orders.views import LineView, OrderView
from schema.records.problems import Problem
from schema.records.values import Quantity
from systems.errors import ConnectorError, Unexpected

__all__ = ["OrderAnswers"]

_NOT_BACK = frozenset({ReturnStatus.REQUESTED, ReturnStatus.DENIED, ReturnStatus.CANCELLED})
_STEP = Decimal("0.000001")
_NONE = Decimal(0)


class OrderAnswers(OrderReader):
    """Answers one request about orders."""

    async def fulfillment_status(self, order: OrderView) -> FulfillmentStatus:
        """Return how far the goods of an order are, as far as systems answer."""
        return fulfillment_status(order, await self.known_deliveries(order))

    async def billing_status(self, order: OrderView) -> BillingStatus:
        """Return how far an order is invoiced; invoices are read when the order's own lines are invoiced."""
        by_lines = billing_status(order, None)
        if by_lines is BillingStatus.NOT_INVOICED:
            return by_lines
        try:
            return billing_status(order, await self.invoices_of_order(order.id))
        except ConnectorError:
            return by_lines

    async def exceptions(self, order: OrderView) -> tuple[Problem, ...]:
        """Return what is wrong with an order now."""
        return exceptions_of(order, await self.known_deliveries(order), self.now)

    async def allowed_actions(self, order: OrderView) -> tuple[str, ...]:
        """Return what the state of an order allows."""
        return allowed_actions(order, await self.fulfillment_status(order))

    async def line_status(self, order: OrderView, line: LineView) -> LineStatus:
        """Return how far a line is, as far as systems answer."""
        return line_status(order, line, await self.known_deliveries(order))

    async def shipped(self, order: OrderView, line: LineView) -> Decimal:
        """Return how much of a line has left, in the asked unit; the ERP hears of it after the warehouse."""
        deliveries = await self.known_deliveries(order)
        left = (
            entry.quantity
            for delivery in deliveries
            if has_left(delivery)
            for entry in delivery.shipment.lines
            if entry.line_no == line.line_no
        )
        return max(line.shipped, await self._sum(line, left))

    async def delivered(self, order: OrderView, line: LineView) -> Decimal:
        """Return how much of a line has arrived, in the asked unit.

        Raises:
            ConnectorError: the warehouse or the item master does not answer.
        """
        arrived = (
            entry.quantity
            for delivery in await self.deliveries(order)
            if has_arrived(delivery)
            for entry in delivery.shipment.lines
            if entry.line_no == line.line_no
        )
        return await self._sum(line, arrived)

    async def returned(self, order: OrderView, line: LineView) -> Decimal:
        """Return how much of a line is on its way back or is back, in the asked unit.

        Raises:
            ConnectorError: the ERP does not answer.
        """
        back = (
            entry.quantity
            for return_ in await self.returns_of_order(order.id)
            if return_.status not in _NOT_BACK
            for entry in return_.lines
            if entry.line_no == line.line_no
        )
        return await self._sum(line, back)

    async def line(self, order_id: str, line_no: int) -> tuple[OrderView, LineView] | None:
        """Return a line with its order, None when there is none that the principal may see."""
        order = await self.order(order_id)
        if order is None:
            return None
        found = next((line for line in order.lines if line.line_no == line_no), None)
        return None if found is None else (order, found)

    async def _sum(self, line: LineView, quantities: Iterable[Quantity]) -> Decimal:
        """Add quantities up in the asked unit of a line."""
        total = _NONE
        for quantity in quantities:
            if quantity.uom == line.uom:
                total += quantity.value
            else:
                total += quantity.value * await self._factor(line, quantity.uom) / await self._factor(line, line.uom)
        return tidy(total.quantize(_STEP, ROUND_DOWN))

    async def _factor(self, line: LineView, uom: str) -> Decimal:
        found = await self.per_base(line.sku, uom)
        if not found:
            message = f"item {line.sku} is counted in {uom}, which the item master does not know"
            raise Unexpected(SourceSystem.CLOUD_ERP, "convert quantity", message)
        return found

"""Which orders and shipments are a matter of the warehouses that somebody works in.

An order is one of every warehouse where goods were set aside for it, that it left from or came back to, whatever became
of that. It is seen whole but for shipments, which are those of their own warehouse.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from resolvers.loaders import bulk_loader
from schema.orders.views import OrderView
from schema.records.identity import Principal
from schema.records.orders import Shipment
from systems.errors import ConnectorError
from systems.ports import OrderLedger

__all__ = ["Workplaces"]


class Workplaces:
    """Says for one request what is a matter of the principal's warehouses; all is, of one that is bound to none.

    Args:
        principal: who asks.
        ledger: knows the warehouses of orders.
        sent: reads an order's shipments from wherever they left.
    """

    def __init__(
        self, principal: Principal, ledger: OrderLedger, sent: Callable[[OrderView], Awaitable[tuple[Shipment, ...]]]
    ) -> None:
        self._principal = principal
        self._sent = sent
        self._noted = bulk_loader(ledger.warehouses_of)
        self._met: set[str] = set()

    @property
    def codes(self) -> tuple[str, ...] | None:
        """The warehouses that lists are of, None for all."""
        bound = self._principal.workplaces
        return None if bound is None else tuple(sorted(bound))

    def send(self, shipment: Shipment) -> bool:
        """Return whether a shipment leaves from one of them; its order is then theirs too."""
        is_theirs = self._principal.works_at((shipment.warehouse_code,))
        if is_theirs:
            self._met.add(shipment.order_id)
        return is_theirs

    async def have(self, order: OrderView) -> bool:
        """Return whether one of them has to do with an order.

        The ledger notes where its own orders go; where those of elsewhere left from, the warehouse system is asked.
        """
        if self._principal.workplaces is None or order.id in self._met:
            return True
        set_aside = {entry.warehouse_code for line in order.lines for entry in line.allocations}
        if self._principal.works_at(set_aside) or self._principal.works_at(await self._noted.load(order.id) or ()):
            return True
        return not order.recorded and any(self.send(shipment) for shipment in await self._known(order))

    async def _known(self, order: OrderView) -> tuple[Shipment, ...]:
        try:
            return await self._sent(order)
        except ConnectorError:
            return ()

"""How a line of an order was served: when all of it had arrived, and whether that was all that was ordered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from events.projections.facts import OrderFact

__all__ = ["LineService", "lines_of"]


@dataclass(frozen=True, slots=True)
class LineService:
    """How a line was served; ``arrived_on`` is None until everything that was to leave for it has arrived."""

    requested: date | None
    arrived_on: date | None
    is_in_full: bool

    @property
    def is_on_time(self) -> bool:
        """Whether everything arrived by the requested day; a line without one cannot be late."""
        return self.arrived_on is not None and (self.requested is None or self.arrived_on <= self.requested)

    def is_by(self, day: date) -> bool:
        """Return whether everything had arrived by a day."""
        return self.arrived_on is not None and self.arrived_on <= day


def lines_of(order: OrderFact) -> Iterator[LineService]:
    """Yield how each line of an order was served.

    In full means that the ERP allocated all that was ordered and that all that was to be picked has arrived, because
    orders count in the unit that was ordered in and shipments in base units.
    """
    for number, line in order.lines.items():
        wanted, arrived, days = order.released.get(number, Decimal(0)), Decimal(0), []
        for shipment in order.shipments.values():
            if number in shipment.lines and shipment.delivered_on is not None:
                arrived += shipment.lines[number]
                days.append(shipment.delivered_on)
        is_there = wanted > 0 and arrived >= wanted
        yield LineService(
            requested=line.requested,
            arrived_on=max(days) if is_there else None,
            is_in_full=is_there and line.allocated >= line.ordered,
        )

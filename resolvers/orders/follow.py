"""What subscriptions of orders follow, and what each event tells of a shipment or a problem."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from schema.enums import ShipmentStatus
from schema.events.envelope import Event
from schema.records.orders import Milestone
from schema.records.problems import Problem

__all__ = [
    "INVOICE_EVENTS",
    "ORDER_EVENTS",
    "RETURN_EVENTS",
    "SHIPMENT_EVENTS",
    "milestone_of",
    "problem_of",
]

ORDER_EVENTS = ("order.*",)
"""Events that change what an order shows."""

SHIPMENT_EVENTS = ("shipment.*",)
"""Events that are milestones of a shipment."""


RETURN_EVENTS = ("return.*",)
"""Events that change what a return shows."""

INVOICE_EVENTS = ("invoice.posted",)
"""Events by which customers learn of an invoice; one that does not fit its order is not among them."""


def milestone_of(event: Event, current: ShipmentStatus) -> Milestone:
    """Return the milestone that an event of a shipment tells; ``current`` stands in for a status that it lacks."""
    data = event.data
    status = str(data.get("status"))
    at = data.get("at")
    known = status in ShipmentStatus.__members__
    return Milestone(
        code=str(data.get("code") or event.type.rpartition(".")[2].upper()),
        status=ShipmentStatus(status) if known else current,
        at=event.occurred_at if at is None else datetime.fromisoformat(str(at)),
        place=data.get("place"),
        reason_code=data.get("reasonCode") or data.get("reason"),
        source=event.system,
    )


def problem_of(event: Event, exceptions: Iterable[Problem]) -> Problem | None:
    """Return the problem that an event is about, as the order has it now; None when it is solved or there was none."""
    told = [event.data.get("problem"), *(event.data.get("problems") or ())]
    codes = {problem["code"] for problem in told if isinstance(problem, dict) and "code" in problem}
    return next((problem for problem in exceptions if problem.code in codes), None)

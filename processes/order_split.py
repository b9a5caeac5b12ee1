"""P3, splitting an accepted order that ships complete: what is there is released now, what lacks stays backordered.

CHANGE_PENDING while that is under way, so that nobody changes the order meanwhile. Neither lines nor the ERP's document
change; the order ships in parts from then on. Nothing more is owed by it, so credit is not asked again, unless a person
has released the order from a hold and that release has ended. Refused, it waits for all of its goods as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from processes.amend_case import AmendCase, begin, give_up, not_allowed, refusal_of, resolve_asking_task, settle
from processes.amend_credit import check_credit_of
from processes.order_change import tell
from processes.order_commit import is_splittable
from processes.order_delivery import release_rounds
from processes.steps import DONE, Outage, Outcome, Step, Verdict
from schema.enums import OrderStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.orders import LedgerLine, LedgerOrder

__all__ = ["ORDER_SPLIT"]

_NONE = Decimal(0)


async def check(case: AmendCase) -> Outcome:
    """Refuse orders that would not leave any earlier, or whose release from a credit hold has ended."""
    order = await case.order()
    if order.amended_by == case.request.process_id:
        return DONE
    refusal = refusal_of(case, order)
    if refusal is None and not is_splittable(order):
        said = f"no goods of order {order.number} wait for others of it: there is nothing to split"
        refusal = not_allowed(said, order.status.value, ("CHANGE", "CANCEL"))
    if refusal is not None:
        return Outcome(Verdict.REFUSED, (refusal,))
    return await check_credit_of(case, order, order.lines) if order.decisions else DONE


async def lift(case: AmendCase) -> Outcome:
    """Let the order ship in parts."""

    def changed(order: LedgerOrder) -> LedgerOrder:
        if order.amended_by != case.request.process_id:
            return order
        return replace(order, status=OrderStatus.ACCEPTED, ship_complete=False, amended_by=None)

    def told(order: LedgerOrder) -> Sequence[Event]:
        facts = {
            "number": order.number,
            "status": order.status.value,
            "shipComplete": order.ship_complete,
            "lines": [_told_line(line) for line in order.lines if line.wanted > 0],
        }
        return [case.told("order.split", "split", facts), case.told("order.change.accepted", "accepted", facts)]

    await case.change(changed, told)
    await resolve_asking_task(case)
    return DONE


async def release(case: AmendCase) -> Outcome:
    """Release what is set aside."""
    return await release_rounds(case, await case.order())


_PLATFORM, _CRM, _WMS = SourceSystem.PLATFORM, SourceSystem.CRM, SourceSystem.WMS

# fmt: off
ORDER_SPLIT: tuple[Step[AmendCase], ...] = (
    Step("check",   _PLATFORM, "chg:{id}:{version}:check",  check),
    Step("begin",   _PLATFORM, "{process}",                 begin,   undo=give_up),
    Step("settle",  _PLATFORM, "chg:{id}:{version}:settle", settle),
    Step("lift",    _PLATFORM, "chg:{id}:{version}:done",   lift,    decides=True),
    Step("release", _WMS,      "chg:{id}:{version}:rel",    release),
    Step("tell",    _CRM,      "chg:{id}:{version}:CRM",    tell,    outage=Outage.DEAD_LETTER),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""


def _told_line(line: LedgerLine) -> dict[str, object]:
    set_aside = sum((entry.quantity.value for entry in line.allocations if entry.firm), _NONE)
    return {
        "lineNo": line.line_no,
        "sku": line.sku,
        "uom": line.quantity.uom,
        "allocated": str(set_aside),
        "backordered": str(line.backordered),
    }

"""Credit of an accepted order that is amended (P3 step 5 anew): asked again when more is owed, or a release has ended.

An amendment by which nothing more is owed asks nothing: what the order has was let through before. One exception: goods
that a person has released from a credit hold, and that have waited for others since, leave only while that holds.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from processes.amend_case import AmendCase
from processes.order_hold import ended_release, is_covered
from processes.order_pricing import find_credit_hold, order_total
from processes.steps import DONE, Outcome, Verdict
from schema.records.orders import LedgerLine, LedgerOrder
from schema.records.values import Money

__all__ = ["check_credit_of"]

_NONE = Decimal(0)


async def check_credit_of(case: AmendCase, order: LedgerOrder, lines: tuple[LedgerLine, ...]) -> Outcome:
    """Refuse to let an order become these lines when its customer may not owe that.

    Args:
        case: the amendment.
        order: the order as it is.
        lines: the lines as they will be.
    """
    after, now = (await order_total(case, replace(order, lines=lines))).total, case.use.clock.now()
    growth = max(after.amount - (await order_total(case, order)).total.amount, _NONE)
    waits = order.ship_complete and any(line.backordered > 0 for line in order.lines)
    if not growth and not (waits and ended_release(order, after, now)):
        return Outcome(Verdict.SKIPPED, note="the order does not grow")
    if is_covered(order, after, now):
        return DONE
    found = await find_credit_hold(case, Money(growth, after.currency))
    return DONE if found is None else Outcome(Verdict.REFUSED, (found,))

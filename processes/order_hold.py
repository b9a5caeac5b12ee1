"""P3 on hold: what a held order waits for, and what happens while nobody decides.

- Within 8 hours the owner of the hold decides; then it escalates.
- Goods that were reserved stay so for 24 hours; then others may have them.
- After 30 days without a decision the order is refused.

A release is a decision in the ledger. One of a credit hold covers the order up to an amount and until a time; when the
order is about to go to the warehouse and is not covered any more, it is held again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from processes.order_case import OrderCase
from processes.order_checks import failed
from processes.order_sourcing import give_back
from processes.rules.credit import CreditRelease, release_covers
from processes.steps import DONE, Alarm, Outcome, Verdict, Waits
from processes.task_news import resolve_tasks
from schema.enums import HoldKind, OrderStatus
from schema.records.operations import ExceptionTask
from schema.records.orders import HoldDecision, LedgerOrder, OrderHold
from schema.records.values import Money

__all__ = [
    "ESCALATES_TO",
    "HOLD_DUE",
    "ORDER_ENDED",
    "ORDER_HOLD",
    "OVERSIGHT",
    "close_hold_tasks",
    "ended_release",
    "hold_of",
    "is_covered",
    "is_price_released",
    "refused_hold",
    "task_suffix",
    "turn_of",
]

HOLD_DUE = timedelta(hours=8)
"""A hold is decided within this time, then it escalates."""

RESERVATION_KEPT = timedelta(hours=24)
"""Goods of a held order are kept this long."""

HOLD_LAPSES = timedelta(days=30)
"""An order that nobody decides about is refused after this long: its prices and dates mean nothing any more."""

ESCALATES_TO = {"CREDIT": "FINANCE", "SALES": "PRICING", "PRICING": "FINANCE"}
"""Queue of those who decide when the owner of a hold does not."""

OVERSIGHT = "OPERATIONS"
"""Queue that the holds of all other owners escalate to."""

_HOLD_OF_TASK = {
    "CreditHold": HoldKind.CREDIT,
    "PricingConflict": HoldKind.PRICE,
    "ApprovalRequired": HoldKind.PRICE,
}
"""Hold that a task is about, by kind of the task."""

ORDER_ENDED = "ORDER_ENDED"
"""Resolution of tasks about a hold of an order that has ended otherwise."""

LAPSED = "HOLD_LAPSED"
REJECTED = "HOLD_NOT_RELEASED"

_OVER = (OrderStatus.CANCELLED, OrderStatus.REJECTED)


def turn_of(order: LedgerOrder, kind: HoldKind) -> int:
    """Return how often a hold of this kind was decided before; it makes the present one's task and event its own."""
    return sum(decision.kind is kind for decision in order.decisions)


def task_suffix(order: LedgerOrder, kind: HoldKind) -> str:
    """Return what tells the tasks of a later hold of the same kind from those of the first."""
    turn = turn_of(order, kind)
    return f"_{turn}" if turn else ""


def is_covered(order: LedgerOrder, total: Money, now: datetime) -> bool:
    """Return whether a release of a credit hold covers the order as it stands."""
    return any(
        release_covers(CreditRelease(cap, reckoned, entry.at, entry.expires_at), total, now)
        for entry in _releases(order, HoldKind.CREDIT)
        if (cap := entry.max_amount) is not None and (reckoned := entry.order_total) is not None
    )


def is_price_released(order: LedgerOrder, reason: str | None = None) -> bool:
    """Return whether prices were let pass; with a reason, whether those that were held for it."""
    return any(reason in (None, entry.reason) for entry in _releases(order, HoldKind.PRICE))


def ended_release(order: LedgerOrder, total: Money, now: datetime) -> HoldDecision | None:
    """Return the last release of a credit hold when none covers the order any more, None when there was none."""
    releases = _releases(order, HoldKind.CREDIT)
    return releases[-1] if releases and not is_covered(order, total, now) else None


def hold_of(task: ExceptionTask) -> HoldKind | None:
    """Return the hold that a task asks about, None when it asks about something else."""
    if task.order_id is None:
        return None
    overdue = next((kind for kind in HoldKind if f"_{kind.value}_OVERDUE_" in task.id), None)
    return overdue or _HOLD_OF_TASK.get(task.kind)


async def close_hold_tasks(case: OrderCase) -> None:
    """Resolve what was asked about holds of an order that has ended."""
    asked = (await case.use.tasks.tasks_of([case.order_id]))[case.order_id]
    about_holds = [task for task in asked if hold_of(task) is not None]
    await resolve_tasks(case.use, about_holds, ORDER_ENDED, "system:crossdock", "the order has ended")


async def look(case: OrderCase) -> Outcome:
    """Return what was decided about the order by now."""
    case.forget()
    order = await case.order()
    if order.status in _OVER:
        await close_hold_tasks(case)
        return Outcome(Verdict.SKIPPED, order.exceptions, "the order was ended while it was held")
    refusal = refused_hold(order)
    if refusal is not None:
        return Outcome(Verdict.REFUSED, (failed(*_refusal(order, refusal)),))
    if order.holds or order.status is OrderStatus.CANCEL_PENDING:
        return Outcome(Verdict.HELD)
    return DONE


def refused_hold(order: LedgerOrder) -> HoldDecision | None:
    """Return the decision that refuses the order, None when there is none."""
    return next((entry for entry in order.decisions if not entry.approved), None)


async def escalate(case: OrderCase) -> None:
    """Ask those above the owner of each hold that is not decided, and tell it."""
    order, now = await case.order(), case.use.clock.now()
    for hold in order.holds:
        task = _overdue_task(case, order, hold, now)
        opened = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
        facts = {"hold": hold.kind.value, "queue": task.queue, "from": hold.owner_queue, "status": order.status.value}
        key = f"hold-escalated:{hold.kind.value}:{turn_of(order, hold.kind)}"
        told = [case.news("task.opened", task.id, opened), case.news("order.hold.escalated", key, facts)]
        await case.use.tasks.open_task(task, told)


async def lapse(case: OrderCase) -> None:
    """Decide against an order that nobody decided about."""
    now = case.use.clock.now()

    def changed(order: LedgerOrder) -> LedgerOrder:
        if not order.holds:
            return order
        lapsed = tuple(
            HoldDecision(f"lapsed:{hold.kind.value}", hold.kind, False, "system:crossdock", now, LAPSED, hold.reason)
            for hold in order.holds
        )
        return replace(order, decisions=(*order.decisions, *lapsed))

    await case.change(changed, lambda _: ())


ORDER_HOLD: Waits[OrderCase] = Waits(
    look,
    (
        Alarm("escalate", HOLD_DUE, escalate),
        Alarm("give-back", RESERVATION_KEPT, give_back),
        Alarm("lapse", HOLD_LAPSES, lapse),
    ),
)
"""How a held order waits."""


def _releases(order: LedgerOrder, kind: HoldKind) -> Sequence[HoldDecision]:
    return [entry for entry in order.decisions if entry.kind is kind and entry.approved]


def _refusal(order: LedgerOrder, decision: HoldDecision) -> tuple[str, str]:
    hold = decision.kind.value.lower()
    if decision.comment == LAPSED:
        return LAPSED, f"order {order.number} was on {hold} hold for {HOLD_LAPSES.days} days and nobody released it"
    return REJECTED, f"the {hold} hold of order {order.number} was not released"


def _overdue_task(case: OrderCase, order: LedgerOrder, hold: OrderHold, now: datetime) -> ExceptionTask:
    queue = ESCALATES_TO.get(hold.owner_queue, OVERSIGHT)
    return ExceptionTask(
        id=f"tsk_{case.order_id}_{hold.kind.value}_OVERDUE_{turn_of(order, hold.kind)}",
        queue=queue,
        kind="HoldOverdue",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"order {order.number} waits in {hold.owner_queue} since {hold.since.isoformat()}: {hold.reason}",
        opened_at=now,
        due_at=now + HOLD_DUE,
        assignee=None,
        resolutions=("RELEASE", "REJECT"),
    )

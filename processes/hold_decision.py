"""A person's decision about a held order: checked against the order as it stands, written in one commit, told once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from processes.amend_case import submission_of
from processes.authority import require_queue
from processes.dependencies import Dependencies
from processes.order_case import OrderCase, OrderRequest
from processes.order_checks import failed
from processes.order_hold import hold_of, refused_hold
from processes.order_pricing import order_total
from processes.rules.credit import RELEASE_LIFETIME
from processes.task_news import claimed_elsewhere, resolve_tasks
from processes.workplaces import noted_in, works_on
from schema.enums import HoldKind, OrderStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.identity import Principal
from schema.records.orders import HoldDecision, LedgerOrder, OrderHold
from schema.records.problems import (
    ApprovalRequired,
    CreditHold,
    NotAllowedInState,
    PricingConflict,
    Problem,
)
from schema.records.values import Money
from systems.errors import Conflict

__all__ = ["HoldVerdict", "check_comment", "decide_hold"]

MAX_COMMENT = 1_000
"""Characters of a reason; it is kept with the decision."""

MAX_WRITES = 8
"""Times that a decision is checked anew because somebody else wrote in between."""

_PROBLEMS: dict[HoldKind, tuple[type[Problem], ...]] = {
    HoldKind.CREDIT: (CreditHold,),
    HoldKind.PRICE: (ApprovalRequired, PricingConflict),
}
"""Problems that go with a hold."""


@dataclass(frozen=True, slots=True)
class HoldVerdict:
    """What somebody wants to become of a hold.

    Attributes:
        id: makes the decision the same when it is sent again.
        max_amount: what the order may come to; None for what it comes to now.
        expires_at: until when a release of credit holds; None for three days.
    """

    id: str
    order_id: str
    kind: HoldKind
    approve: bool
    comment: str
    max_amount: Money | None = None
    expires_at: datetime | None = None


async def decide_hold(use: Dependencies, verdict: HoldVerdict, principal: Principal) -> tuple[Problem, ...]:
    """Write the decision and close what was asked; nothing is written when there are problems.

    Cancel/retry: safe to repeat with the same verdict.

    Raises:
        NotEntitled: the principal does not work the queue that owns the hold.
        ConnectorError: a system that must be asked does not answer; nothing is written.
    """
    places = noted_in(use.orders)
    for _ in range(MAX_WRITES):
        order = (await use.orders.orders([verdict.order_id])).get(verdict.order_id)
        if order is None or not principal.sees(order.account_id) or not await works_on(principal, order.id, places):
            return (failed("UNKNOWN_ORDER", f"order {verdict.order_id} does not exist", "orderId"),)
        if any(entry.id == verdict.id for entry in order.decisions):
            await _close(use, order, verdict, principal)
            return ()
        hold = next((entry for entry in order.holds if entry.kind is verdict.kind), None)
        if hold is None or order.status is not OrderStatus.ON_HOLD or refused_hold(order) is not None:
            return (_not_held(order, verdict.kind),)
        require_queue(principal, hold.owner_queue, "orderHoldRelease")
        asked = (await use.tasks.tasks_of([order.id]))[order.id]
        taken = claimed_elsewhere([task for task in asked if hold_of(task) is verdict.kind], principal.subject)
        if taken:
            return taken
        total = await _total(use, order) if verdict.approve and verdict.kind is HoldKind.CREDIT else None
        problems = _check(order, verdict, total, principal, use.clock.now())
        if problems:
            return problems
        decided = _decided(order, hold, verdict, total, principal, use.clock.now())
        try:
            await use.orders.update(decided, [_told(decided, hold, use.clock.now())] if verdict.approve else [])
        except Conflict:
            continue
        await _close(use, decided, verdict, principal)
        return ()
    raise Conflict(SourceSystem.PLATFORM, "decide hold", f"order {verdict.order_id} changed {MAX_WRITES} times")


def check_comment(comment: str) -> tuple[Problem, ...]:
    """Return what is wrong with the reason of a decision."""
    if comment.strip() and len(comment) <= MAX_COMMENT:
        return ()
    return (failed("COMMENT", f"say in 1 to {MAX_COMMENT} characters why", "comment"),)


def _check(
    order: LedgerOrder, verdict: HoldVerdict, total: Money | None, principal: Principal, now: datetime
) -> tuple[Problem, ...]:
    problems = list(check_comment(verdict.comment))
    if principal.subject == order.submitted_by:
        said = f"{principal.subject} has submitted order {order.number}: somebody else decides about it"
        problems.append(failed("SEPARATION_OF_DUTIES", said, "orderId"))
    if verdict.kind is not HoldKind.CREDIT:
        problems += [
            failed(rule, f"a {verdict.kind.value} hold is released without {what}", name)
            for value, rule, what, name in (
                (verdict.max_amount, "MAX_AMOUNT", "a cap", "maxAmount"),
                (verdict.expires_at, "EXPIRES_AT", "an end", "expiresAt"),
            )
            if value is not None
        ]
        return tuple(problems)
    cap = verdict.max_amount
    if total is not None and cap is not None and cap.currency != total.currency:
        said = f"the order is in {total.currency}, not in {cap.currency}"
        problems.append(failed("CURRENCY", said, "maxAmount", "currency"))
    elif total is not None and cap is not None and cap.amount < total.amount:
        said = f"the order comes to {total.amount} {total.currency}: a release up to {cap.amount} does not cover it"
        problems.append(failed("CAP_BELOW_TOTAL", said, "maxAmount", "amount"))
    if verdict.expires_at is not None and not now < verdict.expires_at <= now + RELEASE_LIFETIME:
        said = f"a release ends after now and within {RELEASE_LIFETIME / timedelta(days=1):g} days"
        problems.append(failed("EXPIRES_AT", said, "expiresAt"))
    return tuple(problems)


def _decided(
    order: LedgerOrder,
    hold: OrderHold,
    verdict: HoldVerdict,
    total: Money | None,
    principal: Principal,
    now: datetime,
) -> LedgerOrder:
    is_credit = verdict.approve and verdict.kind is HoldKind.CREDIT
    decision = HoldDecision(
        id=verdict.id,
        kind=verdict.kind,
        approved=verdict.approve,
        by=principal.subject,
        at=now,
        comment=verdict.comment,
        reason=hold.reason,
        order_total=total,
        max_amount=(verdict.max_amount or total) if is_credit else None,
        expires_at=(verdict.expires_at or now + RELEASE_LIFETIME) if is_credit else None,
    )
    decided = replace(order, decisions=(*order.decisions, decision))
    if not verdict.approve:
        return decided
    holds = tuple(entry for entry in order.holds if entry is not hold)
    before_hold = OrderStatus.RECEIVED if order.accepted_at is None else OrderStatus.ACCEPTED
    return replace(
        decided,
        holds=holds,
        status=OrderStatus.ON_HOLD if holds else before_hold,
        exceptions=tuple(entry for entry in order.exceptions if not isinstance(entry, _PROBLEMS.get(verdict.kind, ()))),
    )


def _told(order: LedgerOrder, hold: OrderHold, now: datetime) -> Event:
    """Return the event of a release: who, when, under which rule, and what was before and is now."""
    decision = order.decisions[-1]
    facts: dict[str, Any] = {
        "orderId": order.id,
        "status": order.status.value,
        "hold": hold.kind.value,
        "rule": hold.reason,
        "reason": decision.comment,
        "maxAmount": _amount(decision.max_amount),
        "total": _amount(decision.order_total),
        "expiresAt": None if decision.expires_at is None else decision.expires_at.isoformat(),
        "holdsBefore": [hold.kind.value, *(entry.kind.value for entry in order.holds)],
        "holds": [entry.kind.value for entry in order.holds],
    }
    return Event(
        id=f"or:{order.id}:hold-released:{decision.id}",
        source="/dist/orders",
        type="order.hold.released",
        subject=order.id,
        partition_key=order.id,
        correlation_id=order.quote_id or order.id,
        system=SourceSystem.PLATFORM,
        occurred_at=now,
        data=facts,
        account_id=order.account_id,
        actor=decision.by,
        manual=decision.by.startswith("user:"),
    )


async def _close(use: Dependencies, order: LedgerOrder, verdict: HoldVerdict, principal: Principal) -> None:
    """Resolve the tasks that asked about the hold."""
    asked = (await use.tasks.tasks_of([order.id]))[order.id]
    mine = [task for task in asked if hold_of(task) is verdict.kind]
    resolution = "RELEASE" if verdict.approve else "REJECT"
    await resolve_tasks(use, mine, resolution, principal.subject, verdict.comment)


async def _total(use: Dependencies, order: LedgerOrder) -> Money:
    """Return what the order comes to with tax."""
    request = OrderRequest(order.process_id, order.id, submission_of(order), order.submitted_by, order.submitted_at)
    return (await order_total(OrderCase(request, use, resumed=True), order)).total


def _not_held(order: LedgerOrder, kind: HoldKind) -> NotAllowedInState:
    open_holds = order.holds if order.status is OrderStatus.ON_HOLD and refused_hold(order) is None else ()
    holds = ", ".join(entry.kind.value for entry in open_holds) or "nothing that can be released"
    said = f"order {order.number} is {order.status.value} and held for {holds}, not for {kind.value}"
    allowed = tuple(f"RELEASE_{entry.kind.value}" for entry in open_holds)
    return NotAllowedInState(code="NOT_ALLOWED_IN_STATE", message=said, state=order.status.value, allowed=allowed)


def _amount(money: Money | None) -> dict[str, str] | None:
    return None if money is None else {"amount": str(money.amount), "currency": money.currency}

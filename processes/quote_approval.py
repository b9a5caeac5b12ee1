"""P2 step 4, waiting: what a quote below its margin floor waits for, and what happens while nobody decides.

After 4 hours those who must approve are reminded, after 24 hours others are asked, after 5 days the quote expires.
Decisions stand at the quote: who, when, about which rule and lines, and how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from processes.dependencies import Dependencies
from processes.order_hold import ESCALATES_TO, HOLD_DUE, OVERSIGHT
from processes.order_pricing import queue_of_level
from processes.quote_case import QuoteCase
from processes.rules import floor
from processes.steps import DONE, Alarm, Outcome, Verdict, Waits
from processes.task_news import overdue_task_id, resolve_tasks
from schema.enums import QuoteStatus
from schema.events.envelope import Event
from schema.records.operations import ExceptionTask
from schema.records.orders import ApprovalRecord, Quote
from schema.records.problems import ApprovalRequired

__all__ = [
    "EXPIRY_KEY",
    "LEVELS",
    "QUOTE_APPROVAL",
    "approval_problems",
    "approval_task_id",
    "close_lapsed",
    "expired",
    "undecided",
]

LEVELS = (floor.SALES_MANAGER, floor.PRICING_DESK, floor.FINANCE_DIRECTOR)
"""Who may let a price go below its floor, by how far below."""

REMIND_AFTER = timedelta(hours=4)
ESCALATE_AFTER = timedelta(hours=24)
LAPSE_AFTER = timedelta(days=5)
"""Until then an approval is worth asking for: after that the prices are not today's any more."""

LAPSED = "LAPSED"
SUPERSEDED = "SUPERSEDED"
_UNDECIDED_BECAUSE = {LAPSED: "nobody has decided in time", SUPERSEDED: "prices have changed meanwhile"}
"""Why nobody has to decide about an approval any more, by what stands in place of a decision."""

EXPIRY_KEY = "expired"
"""What makes the event that a quote has expired the same, whoever lets it."""


def approval_task_id(quote_id: str, level: str) -> str:
    """Return the id of the task by which a level is asked to approve a quote."""
    return f"tsk_{quote_id}_{level}"


def undecided(quote: Quote) -> tuple[ApprovalRecord, ...]:
    """Return the approvals that a quote waits for."""
    if quote.status is not QuoteStatus.PENDING_APPROVAL:
        return ()
    return tuple(entry for entry in quote.approvals if entry.decided_at is None)


def approval_problems(quote: Quote) -> tuple[ApprovalRequired, ...]:
    """Return what a quote waits for as the problems that its caller sees."""
    return tuple(
        ApprovalRequired(
            code="APPROVAL_REQUIRED",
            message=f"{entry.reason}: approval of {entry.level} is required",
            level=entry.level,
            reason=entry.reason,
            task_id=approval_task_id(quote.id, entry.level),
        )
        for entry in undecided(quote)
    )


def expired(quote: Quote, now: datetime) -> Quote:
    """Return the quote when it is over; what is not decided about it lapses."""
    return replace(quote, status=QuoteStatus.EXPIRED, approvals=_undecided_ends(quote, LAPSED, now))


def superseded(quote: Quote, now: datetime) -> Quote:
    """Return the quote when its prices are not today's any more; nobody decides about it after that."""
    return replace(quote, status=QuoteStatus.SUPERSEDED, approvals=_undecided_ends(quote, SUPERSEDED, now))


def _undecided_ends(quote: Quote, how: str, now: datetime) -> tuple[ApprovalRecord, ...]:
    return tuple(
        entry if entry.decided_at is not None else replace(entry, decided_at=now, decision=how, by="system:crossdock")
        for entry in quote.approvals
    )


async def close_lapsed(use: Dependencies, quote: Quote) -> None:
    """Resolve the tasks by which approvals were asked for that nobody has to decide about any more."""
    for how, because in _UNDECIDED_BECAUSE.items():
        ids = [approval_task_id(quote.id, entry.level) for entry in quote.approvals if entry.decision == how]
        if ids:
            tasks = await use.tasks.tasks([*ids, *(overdue_task_id(task_id) for task_id in ids)])
            await resolve_tasks(use, tasks.values(), how, "system:crossdock", because)


async def look(case: QuoteCase) -> Outcome:
    """Return whether the quote waits for approval still."""
    quote = await case.stored()
    if quote is not None and undecided(quote):
        return Outcome(Verdict.HELD)
    if quote is not None:
        await close_lapsed(case.use, quote)
    return DONE


async def remind(case: QuoteCase) -> None:
    """Tell those who are asked that the quote still waits."""
    quote = await case.stored()
    waiting = () if quote is None else undecided(quote)
    await case.use.events.append(
        [case.news("quote.approval.reminded", f"reminded:1:{entry.level}", {"level": entry.level}) for entry in waiting]
    )


async def escalate(case: QuoteCase) -> None:
    """Ask others, because those who should approve have not answered."""
    quote = await case.stored()
    if quote is None:
        return
    for entry in undecided(quote):
        task = _overdue_task(case, quote, entry)
        opened = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
        facts = {"level": entry.level, "queue": task.queue}
        told = case.news("quote.approval.escalated", f"escalated:1:{entry.level}", facts)
        await case.use.tasks.open_task(task, [case.news("task.opened", task.id, opened), told])


async def lapse(case: QuoteCase) -> None:
    """Let a quote expire that nobody decided about."""
    now = case.use.clock.now()

    def changed(quote: Quote) -> Quote:
        return expired(quote, now) if undecided(quote) else quote

    def tell(quote: Quote) -> Sequence[Event]:
        return [case.news("quote.expired", EXPIRY_KEY, {"number": quote.number, "status": quote.status.value})]

    await close_lapsed(case.use, await case.change(changed, tell))


QUOTE_APPROVAL: Waits[QuoteCase] = Waits(
    look,
    (
        Alarm("remind", REMIND_AFTER, remind),
        Alarm("escalate", ESCALATE_AFTER, escalate),
        Alarm("lapse", LAPSE_AFTER, lapse),
    ),
)
"""How a quote waits for approval."""


def _overdue_task(case: QuoteCase, quote: Quote, entry: ApprovalRecord) -> ExceptionTask:
    now = case.use.clock.now()
    return ExceptionTask(
        id=overdue_task_id(approval_task_id(quote.id, entry.level)),
        queue=ESCALATES_TO.get(queue_of_level(entry.level), OVERSIGHT),
        kind="ApprovalOverdue",
        state="OPEN",
        order_id=None,
        account_id=quote.account_id,
        process_id=case.request.process_id,
        summary=f"quote {quote.number} waits for {entry.level} since {entry.requested_at.isoformat()}: {entry.reason}",
        opened_at=now,
        due_at=now + HOLD_DUE,
        assignee=None,
        resolutions=("APPROVE", "REJECT"),
    )

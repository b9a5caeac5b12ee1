"""What persons are asked about invoices, and what they have answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from processes.invoice_case import InvoiceCase
from processes.steps import Outcome, Verdict
from schema.events.envelope import Event
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder
from schema.records.problems import InvoiceMismatch, Problem
from schema.records.values import Money

__all__ = [
    "ACCEPT",
    "DUE",
    "OVERSIGHT",
    "QUEUE",
    "REBILL",
    "ask",
    "invoice_task",
    "lift",
    "money",
    "opened",
    "resolution_of",
]

QUEUE = "FINANCE"
OVERSIGHT = "OPERATIONS"
DUE = timedelta(hours=8)
"""An invoice that does not fit is decided about within this time, then it escalates."""

ACCEPT = "ACCEPT"
REBILL = "CREDIT_AND_REBILL"


async def resolution_of(case: InvoiceCase) -> str | None:
    """Return what a person has decided about the invoice, None as long as nobody has."""
    task = (await case.use.tasks.tasks([case.task_id])).get(case.task_id)
    return None if task is None else task.resolution


async def ask(case: InvoiceCase, problem: InvoiceMismatch) -> Outcome:
    """Put the mismatch on the order and ask finance; the customer hears nothing of the invoice yet."""
    task = invoice_task(case, "", QUEUE, "InvoiceMismatch", problem.message, (ACCEPT, REBILL), case.request.process_id)
    await case.use.tasks.open_task(task, [opened(case, task)])
    facts = {
        "difference": money(problem.difference),
        "problem": {"type": "InvoiceMismatch", "code": problem.code, "message": problem.message},
    }
    await case.use.events.append([case.news("invoice.mismatch", "mismatch", facts)])
    await case.change(
        lambda order: replace(order, exceptions=(*_without(case, order), problem)),
        lambda order: [case.news("order.billing.changed", "billing", {**facts, "status": order.status.value})],
    )
    return Outcome(Verdict.HELD, (problem,))


async def lift(case: InvoiceCase) -> None:
    """Take the mismatch off the order."""
    await case.change(lambda order: replace(order, exceptions=tuple(_without(case, order))), lambda _: ())


def invoice_task(
    case: InvoiceCase,
    turn: str,
    queue: str,
    kind: str,
    said: str,
    resolutions: tuple[str, ...],
    process_id: str | None = None,
) -> ExceptionTask:
    """Return a task about the invoice; ``process_id`` is that of the run that waits for it."""
    now = case.use.clock.now()
    return ExceptionTask(
        id=f"{case.task_id}_{turn}" if turn else case.task_id,
        queue=queue,
        kind=kind,
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=process_id,
        summary=said,
        opened_at=now,
        due_at=now + DUE,
        assignee=None,
        resolutions=resolutions,
    )


def opened(case: InvoiceCase, task: ExceptionTask) -> Event:
    """Return the event that a task about the invoice was opened."""
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    return case.news("task.opened", task.id, facts)


def money(amount: Money) -> dict[str, str]:
    """Return an amount as events carry it."""
    return {"amount": str(amount.amount), "currency": amount.currency}


def _without(case: InvoiceCase, order: LedgerOrder) -> Sequence[Problem]:
    return [
        entry
        for entry in order.exceptions
        if not (isinstance(entry, InvoiceMismatch) and entry.invoice_number == case.number)
    ]

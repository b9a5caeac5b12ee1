"""P5, invoices: what the ERP has posted is compared with what was shipped and agreed before the customer is told.

1. Invoices are read from the ERP in the order of their posting, each once; the place is kept in the ledger.
2. One that fits is published: the customer is told, and the order completed when nothing else is missing.
3. One that does not is noted on its order and asked about; the customer hears of it when a person lets it pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

from processes.dependencies import Dependencies
from processes.invoice_case import INVOICE, InvoiceCase, InvoiceRequest
from processes.order_completion import complete_order
from processes.rules.invoice_match import Agreed, AgreedLine, match
from processes.rules.uom import factor
from processes.steps import DONE, Alarm, Outcome, Step, Verdict, Waits
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.orders.delivery import has_left
from schema.orders.views import Delivery
from schema.records.operations import ExceptionTask
from schema.records.orders import ErpOrder, LedgerOrder
from schema.records.problems import InvoiceMismatch, Problem, ValidationFailed
from schema.records.values import Money
from systems.errors import NotFound

__all__ = ["INVOICE_POSTING", "Invoicing"]

FEED = "erp.invoices"
"""Name of the place up to which postings are read."""

AT_ONCE = 100
"""Postings that are read at once."""

QUEUE = "FINANCE"
OVERSIGHT = "OPERATIONS"
DUE = timedelta(hours=8)
"""An invoice that does not fit is decided about within this time, then it escalates."""

ACCEPT = "ACCEPT"
REBILL = "CREDIT_AND_REBILL"
_NONE = Decimal(0)


class StartsProcesses(Protocol):
    """What invoicing wants of the engine."""

    @property
    def dependencies(self) -> Dependencies:
        """The ports that processes use."""
        ...

    def start(self, name: str, request: Any) -> Awaitable[None]:
        """Start a process, or nothing when it was started before."""
        ...


class Invoicing:
    """Follows what the ERP posts.

    Args:
        engine: runs the processes about invoices.
    """

    def __init__(self, engine: StartsProcesses) -> None:
        self._engine = engine
        self._use = engine.dependencies

    async def read(self) -> int:
        """Start the processes of the next postings, and return how many there were.

        Cancel/retry: safe to repeat; an invoice that is read twice starts one process.

        Raises:
            ConnectorError: the ERP or the platform's ledgers do not answer.
        """
        place = await self._use.cursors.place(FEED)
        found = await self._use.erp.posted_after(place, AT_ONCE)
        for posted in found:
            order_id = posted.invoice.order_id
            if order_id is not None:
                request = InvoiceRequest(f"prc_invoice_{posted.invoice.number}", order_id, posted)
                await self._engine.start(INVOICE, request)
        if found:
            await self._use.cursors.move(FEED, found[-1].entry)
        return len(found)


async def compare(case: InvoiceCase) -> Outcome:
    """Compare the invoice with its order; one that does not fit waits for a person."""
    task = (await case.use.tasks.tasks([case.task_id])).get(case.task_id)
    if task is not None and task.resolution is not None:
        await _lift(case)
        return DONE
    problem = match(case.posted, await _agreed(case))
    return DONE if problem is None else await _ask(case, problem)


async def publish(case: InvoiceCase) -> Outcome:
    """Tell that the invoice is posted, and record that the customer is told; one to be rebilled is not told."""
    task = (await case.use.tasks.tasks([case.task_id])).get(case.task_id)
    if task is not None and task.resolution == REBILL:
        return Outcome(Verdict.SKIPPED, note="it is credited and billed anew")
    invoice = case.posted.invoice
    facts = {
        "total": _money(invoice.total),
        "due": None if invoice.due_date is None else invoice.due_date.isoformat(),
        "balance": _money(invoice.balance),
    }
    posted = replace(
        case.news("invoice.posted", "posted", facts),
        system=SourceSystem.CLOUD_ERP,
        occurred_at=invoice.posted_at or case.use.clock.now(),
    )
    order = await case.order()
    channel = None if order is None else order.channel.value
    told = case.news("customer.notified", "pub:portal", {**facts, "channel": channel, "template": "invoice"})
    await case.use.events.append([posted, told])
    return DONE


async def complete(case: InvoiceCase) -> Outcome:
    """Complete the order when this was the last thing that it lacked."""
    return await complete_order(case)


async def _look(case: InvoiceCase) -> Outcome:
    """Return whether a person has decided about the invoice."""
    task = (await case.use.tasks.tasks([case.task_id])).get(case.task_id)
    return DONE if task is not None and task.resolution is not None else Outcome(Verdict.HELD)


async def _escalate(case: InvoiceCase) -> None:
    """Ask those above, because nobody has decided in time."""
    now = case.use.clock.now()
    task = ExceptionTask(
        id=f"{case.task_id}_OVERDUE",
        queue=OVERSIGHT,
        kind="InvoiceOverdue",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=None,
        summary=f"invoice {case.number} waits in {QUEUE} for more than {DUE}",
        opened_at=now,
        due_at=now + DUE,
        assignee=None,
        resolutions=("DONE",),
    )
    await case.use.tasks.open_task(task, [_opened(case, task)])


MISMATCH: Waits[InvoiceCase] = Waits(_look, (Alarm("escalate", DUE, _escalate),))
"""How an invoice that does not fit waits: however long it takes, because a posted invoice does not go away."""

# fmt: off
INVOICE_POSTING: tuple[Step[InvoiceCase], ...] = (
    Step("match",    SourceSystem.PLATFORM, "inv:{number}:match",      compare, waits=MISMATCH),
    Step("publish",  SourceSystem.PLATFORM, "inv:{number}:pub:portal", publish),
    Step("complete", SourceSystem.PLATFORM, "inv:{number}:done",       complete),
)
# fmt: on
"""The process: step, system, idempotency key, what it does. Nothing is taken back: a posted invoice is credited."""


async def _agreed(case: InvoiceCase) -> Agreed:
    """Return the order as it was accepted and shipped.

    Raises:
        NotFound: the ERP has no such order.
    """
    document = (await case.use.erp.orders([case.order_id])).get(case.order_id)
    if document is None:
        said = f"invoice {case.number} bills order {case.order_id}, which is not there"
        raise NotFound(SourceSystem.CLOUD_ERP, "match invoice", said)
    shipped = await _shipped(case, document)
    order = await case.order()
    prices = {} if order is None else {line.line_no: line.unit_price for line in order.lines}
    billed = {line.line_no: line.quantity for line in case.posted.lines}
    earlier = [
        entry
        for entry in (await case.use.erp.invoices_of_orders([case.order_id])).get(case.order_id, ())
        if entry.number != case.number and entry.posted_at is not None and case.posted.invoice.posted_at is not None
        and entry.posted_at <= case.posted.invoice.posted_at
    ]  # fmt: skip
    none = Money(_NONE, document.currency)
    return Agreed(
        lines={
            line.line_no: AgreedLine(
                unit_price=prices.get(line.line_no) or line.unit_price,
                shipped=shipped.get(line.line_no, _NONE),
                billed=max(line.invoiced - billed.get(line.line_no, _NONE), _NONE) if earlier else _NONE,
            )
            for line in document.lines
        },
        subtotal=document.subtotal,
        tax=document.tax,
        freight=none if earlier else document.freight,
    )


async def _shipped(case: InvoiceCase, document: ErpOrder) -> dict[int, Decimal]:
    """Return what has left the warehouses per line, in the line's unit."""
    shipments = (await case.use.wms.shipments_of([case.order_id])).get(case.order_id, ())
    loads = await case.use.tms.tracking([entry.number for entry in shipments])
    items = await case.use.erp.items(sorted({line.sku for line in document.lines}))
    lines = {line.line_no: line for line in document.lines}
    found: dict[int, Decimal] = {}
    for entry in shipments:
        if not has_left(Delivery(entry, loads.get(entry.number))):
            continue
        for carried in entry.lines:
            line = lines.get(carried.line_no)
            item = None if line is None else items.get(line.sku)
            if line is not None and item is not None:
                base, one = factor(carried.quantity.uom, item), factor(line.uom, item)
                if not isinstance(base, ValidationFailed) and not isinstance(one, ValidationFailed):
                    came = carried.quantity.value * base / one
                    found[carried.line_no] = found.get(carried.line_no, _NONE) + came
    return found


async def _ask(case: InvoiceCase, problem: InvoiceMismatch) -> Outcome:
    """Put the mismatch on the order and ask finance; the customer hears nothing of the invoice yet."""
    now = case.use.clock.now()
    task = ExceptionTask(
        id=case.task_id,
        queue=QUEUE,
        kind="InvoiceMismatch",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=problem.message,
        opened_at=now,
        due_at=now + DUE,
        assignee=None,
        resolutions=(ACCEPT, REBILL),
    )
    await case.use.tasks.open_task(task, [_opened(case, task)])
    facts = {
        "difference": _money(problem.difference),
        "problem": {"type": "InvoiceMismatch", "code": problem.code, "message": problem.message},
    }
    await case.use.events.append([case.news("invoice.mismatch", "mismatch", facts)])
    await case.change(
        lambda order: replace(order, exceptions=(*_without(case, order), problem)),
        lambda order: [case.news("order.billing.changed", "billing", {**facts, "status": order.status.value})],
    )
    return Outcome(Verdict.HELD, (problem,))


async def _lift(case: InvoiceCase) -> None:
    """Take the mismatch off the order."""
    await case.change(lambda order: replace(order, exceptions=tuple(_without(case, order))), lambda _: ())


def _without(case: InvoiceCase, order: LedgerOrder) -> Sequence[Problem]:
    return [
        entry
        for entry in order.exceptions
        if not (isinstance(entry, InvoiceMismatch) and entry.invoice_number == case.number)
    ]


def _opened(case: InvoiceCase, task: ExceptionTask) -> Event:
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    return case.news("task.opened", task.id, facts)


def _money(amount: Money) -> dict[str, str]:
    return {"amount": str(amount.amount), "currency": amount.currency}

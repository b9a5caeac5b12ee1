"""P5, invoices: what the ERP has posted is compared with what was shipped and agreed before the customer is told.

1. Invoices are read from the ERP in the order of their posting, each once; the place is kept in the ledger.
2. One that fits is published: the customer is told, and the order completed when nothing else is missing.
3. One that does not is noted on its order and asked about; the customer hears of it when a person lets it pass.
4. One that a person wants corrected is credited and what is owed billed anew; the new invoice is compared as any other.
5. A posting that cannot be read is put into the inbox, which makes a dead letter of it; those behind it are compared.
   Handled again, it is read from the ERP anew.
6. What has left a warehouse and is not billed some hours later is asked about.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Protocol

from events.inbox import InboxMessage, UnknownMessage
from processes.dependencies import Dependencies
from processes.feeds import Accepts, Feed
from processes.invoice_case import INVOICE, InvoiceCase, InvoiceRequest
from processes.invoice_correction import CREDIT_KEY, REBILL_KEY, credit, rebill, stand_again
from processes.invoice_facts import agreed_of
from processes.invoice_tasks import DUE, OVERSIGHT, QUEUE, REBILL, ask, invoice_task, lift, money, opened, resolution_of
from processes.invoice_watch import settle_missing
from processes.order_completion import complete_order
from processes.rules.invoice_match import match
from processes.steps import DONE, Alarm, Outcome, Step, Verdict, Waits
from schema.enums import SourceSystem
from schema.records.entries import UnreadableEntry
from schema.records.invoices import PostedInvoice

__all__ = ["INVOICE_ENTRY", "INVOICE_POSTING", "Invoicing"]

INVOICE_ENTRY = "invoice.entry"
"""Type of the messages about postings of an ERP that could not be read."""

_FEEDS = {SourceSystem.CLOUD_ERP: "erp.invoices", SourceSystem.LEGACY_ERP: "erp.invoices.legacy"}
"""Names of the places up to which the postings of each ERP are read."""

AT_ONCE = 100
"""Postings that are read at once."""

_PLATFORM, _ERP = SourceSystem.PLATFORM, SourceSystem.CLOUD_ERP


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
    """Follows what each ERP posts.

    Args:
        engine: runs the processes about invoices.
        inbox: keeps what cannot be read.
    """

    def __init__(self, engine: StartsProcesses, inbox: Accepts) -> None:
        self._engine = engine
        self._inbox = inbox
        self._use = engine.dependencies

    async def read(self, erp: SourceSystem = SourceSystem.CLOUD_ERP) -> int:
        """Start the processes of the next postings of an ERP, and return how many there were.

        Cancel/retry: safe to repeat; an invoice that is read twice starts one process.

        Raises:
            ConnectorError: the ERP or the platform's ledgers do not answer.
        """
        place = await self._use.cursors.place(_FEEDS[erp])
        found = await self._use.postings[erp].posted_after(place, AT_ONCE)
        for posted in found:
            if isinstance(posted, UnreadableEntry):
                feed = Feed(erp, _FEEDS[erp], INVOICE_ENTRY)
                await feed.set_aside(self._inbox, posted.entry, posted.reason, posted.told)
            else:
                await self._start(erp, posted)
        if found:
            await self._use.cursors.move(_FEEDS[erp], found[-1].entry)
        return len(found)

    async def read_again(self, message: InboxMessage) -> None:
        """Start the process of a posting that could not be read, as the ERP shows it now.

        Cancel/retry: safe to repeat; an invoice that is read twice starts one process.

        Raises:
            UnknownMessage: it still cannot be read; the message says why and what to do.
            ConnectorError: the ERP or the platform's ledgers do not answer.
        """
        erp, entry = message.source, int(message.payload["entry"])
        found = await self._use.postings[erp].posted_after(entry - 1, 1)
        if not found or found[0].entry != entry:
            raise UnknownMessage(f"{erp} does not show posting {entry} any more: nothing can be compared")
        posted = found[0]
        if isinstance(posted, UnreadableEntry):
            said = f"posting {entry} of {erp} cannot be read: {posted.reason}: mend it there and replay"
            raise UnknownMessage(said)
        await self._start(erp, posted)

    async def _start(self, erp: SourceSystem, posted: PostedInvoice) -> None:
        order_id = posted.invoice.order_id
        if order_id is not None:
            request = InvoiceRequest(f"prc_invoice_{posted.invoice.number}", order_id, posted, erp)
            await self._engine.start(INVOICE, request)


async def compare(case: InvoiceCase) -> Outcome:
    """Compare the invoice with its order; one that does not fit waits for a person."""
    resolution = await resolution_of(case)
    if resolution is not None:
        if resolution != REBILL:
            await lift(case)
        return DONE
    problem = match(case.posted, await agreed_of(case))
    return DONE if problem is None else await ask(case, problem)


async def publish(case: InvoiceCase) -> Outcome:
    """Tell that the invoice is posted, and record that the customer is told; one to be rebilled is not told."""
    if await resolution_of(case) == REBILL:
        return Outcome(Verdict.SKIPPED, note="it is credited and billed anew")
    invoice = case.posted.invoice
    facts = {
        "total": money(invoice.total),
        "due": None if invoice.due_date is None else invoice.due_date.isoformat(),
        "balance": money(invoice.balance),
    }
    posted = replace(
        case.news("invoice.posted", "posted", facts),
        system=case.home_erp,
        occurred_at=invoice.posted_at or case.use.clock.now(),
    )
    order = await case.order()
    channel = None if order is None else order.channel.value
    told = case.news("customer.notified", "pub:portal", {**facts, "channel": channel, "template": "invoice"})
    await case.use.events.append([posted, told])
    await settle_missing(case.use, case.order_id)
    return DONE


async def complete(case: InvoiceCase) -> Outcome:
    """Complete the order when this was the last thing that it lacked."""
    if await resolution_of(case) == REBILL:
        return Outcome(Verdict.SKIPPED, note="its order waits for the invoice that is billed anew")
    return await complete_order(case)


async def _look(case: InvoiceCase) -> Outcome:
    """Return whether a person has decided about the invoice."""
    return Outcome(Verdict.HELD) if await resolution_of(case) is None else DONE


async def _escalate(case: InvoiceCase) -> None:
    """Ask those above, because nobody has decided in time."""
    said = f"invoice {case.number} waits in {QUEUE} for more than {DUE}"
    task = invoice_task(case, "OVERDUE", OVERSIGHT, "InvoiceOverdue", said, ("DONE",))
    await case.use.tasks.open_task(task, [opened(case, task)])


MISMATCH: Waits[InvoiceCase] = Waits(_look, (Alarm("escalate", DUE, _escalate),))
"""How an invoice that does not fit waits: however long it takes, because a posted invoice does not go away."""

# fmt: off
INVOICE_POSTING: tuple[Step[InvoiceCase], ...] = (
    Step("match",    _PLATFORM, "inv:{number}:match",      compare,  waits=MISMATCH),
    Step("publish",  _PLATFORM, "inv:{number}:pub:portal", publish),
    Step("complete", _PLATFORM, "inv:{number}:done",       complete),
    # Behind the others, so that runs of earlier versions find their steps where they were.
    Step("credit",   _ERP,      CREDIT_KEY,                credit,   undo=stand_again, timeout_s=30.0),
    Step("rebill",   _ERP,      REBILL_KEY,                rebill,   timeout_s=30.0),
)
# fmt: on
"""The process: step, system, idempotency key, what it does. A posted invoice is never edited: it is credited."""

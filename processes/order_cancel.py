"""P7, cancelling an order: the warehouse is held first, then the ERP cancels, then the warehouse does.

CANCEL_PENDING from the first step on, CANCELLED when ERP and warehouse have done their part; back to what it was when
goods are picked already. Once the ERP has cancelled there is no way back, and nothing after it is refused. What another
process of the order has released meanwhile is taken back (``processes/release_fate.py``), and what waited for a person
has nothing left to do. The quote of an order that was never accepted can be ordered again. A person is asked to credit
the return whose goods the order replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from processes.amend_case import CHANGE, AmendCase, begin, give_up, has_company, refused_by_erp, settle
from processes.amend_floor import cancel_held, hold_releases, releases_of, resume_releases
from processes.chronicle import state_news, step_task_ids
from processes.invoice_case import INVOICE
from processes.order_commit import ERP_KEY
from processes.order_delivery import mirror_of
from processes.order_hold import ORDER_ENDED
from processes.order_sourcing import give_back
from processes.quote_conversion import reopen_quote
from processes.replacement_fate import ask_for_credit
from processes.return_case import RETURN
from processes.steps import DONE, Outage, Outcome, Step, Verdict
from processes.task_news import PLATFORM, resolve_tasks, resolve_tasks_of
from schema.enums import OrderStatus, ProcessState, ReservationStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.operations import ProcessRecord
from schema.records.orders import LedgerOrder
from schema.records.problems import InvoiceMismatch
from systems.errors import Rejected

__all__ = ["ORDER_CANCEL"]

_TASKS = ("ApprovalRequired", "CreditHold", "FulfillmentDelay", "PricingConflict", "Stockout")
"""Tasks about an order that need nobody once it is cancelled."""

_OUTLIVING = (INVOICE, RETURN)
"""Processes about an order that its cancellation does not settle: a posted invoice stands, goods that came are here."""


async def hold(case: AmendCase) -> Outcome:
    """Keep everything that was released from being picked."""
    return await hold_releases(case, releases_of((await case.order()).lines))


async def resume(case: AmendCase) -> None:
    """Let what is held be picked."""
    await resume_releases(case, releases_of((await case.order()).lines))


async def cancel_document(case: AmendCase) -> Outcome:
    """Cancel the ERP's document; it gives its stock back."""
    try:
        await case.use.erp.cancel_order(case.key(ERP_KEY))
    except Rejected as refusal:
        return Outcome(Verdict.REFUSED, (refused_by_erp(refusal.reason, refusal.detail),))
    return DONE


async def cancel_releases(case: AmendCase) -> Outcome:
    """Cancel what is held in the warehouses."""
    await cancel_held(case, releases_of((await case.order()).lines))
    return DONE


async def finish(case: AmendCase) -> Outcome:
    """Record that the order is cancelled; what waited for a person about it waits no longer."""
    await give_back(case)

    def cancelled(order: LedgerOrder) -> LedgerOrder:
        if order.amended_by != case.request.process_id:
            return order
        disputed = tuple(entry for entry in order.exceptions if isinstance(entry, InvoiceMismatch))
        return replace(order, status=OrderStatus.CANCELLED, holds=(), exceptions=disputed)

    def changed(order: LedgerOrder) -> LedgerOrder:
        if order.amended_by != case.request.process_id:
            return order
        return replace(
            cancelled(order),
            amended_by=None,
            lines=tuple(
                replace(line, allocations=(), backordered=line.backordered * 0, cancelled=line.quantity.value)
                for line in order.lines
            ),
        )

    def tell(order: LedgerOrder) -> Sequence[Event]:
        facts = {"number": order.number, "status": order.status.value, "reason": case.amendment.reason}
        # The id that submission gives it when it finds the cancellation itself: it is told once.
        return [replace(case.news("order.cancelled", "cancelled", facts), actor=case.amendment.asked_by)]

    if await has_company(case):
        # Who goes on after this finds the order cancelled; what was released until now the warehouse has by now.
        order = await case.change(cancelled, tell)
        await cancel_held(case, releases_of(order.lines))
    order = await case.change(changed, tell)
    await reopen_quote(case.use, order)
    await ask_for_credit(case.use, order, case.version, "is cancelled")
    await resolve_tasks_of(case.use, case.order_id, _TASKS, ORDER_ENDED, "the order is cancelled")
    for process in (await case.use.process_log.processes_of([case.order_id]))[case.order_id]:
        is_other = process.id != case.request.process_id and process.kind not in _OUTLIVING
        if is_other and process.state is ProcessState.WAITING_HUMAN:
            await _end(case, process)
    return DONE


async def _end(case: AmendCase, process: ProcessRecord) -> None:
    """End a process of the order that waits for a person: nothing is left of what it would go on with."""
    kept = next((step.idempotency_key for step in process.steps if step.name == "reserve"), None)
    if process.kind == CHANGE and kept is not None:
        await case.use.reservations.settle(kept, ReservationStatus.RELEASED)
    use, said = case.use, f"order {process.business_key} is cancelled"
    asked = (await use.tasks.tasks(step_task_ids(process))).values()
    await resolve_tasks(use, asked, ORDER_ENDED, PLATFORM, said)
    now = use.clock.now()
    told = state_news(process, ProcessState.CANCELLED, now, said)
    await use.process_log.set_state(process.id, ProcessState.CANCELLED, now, [told])


async def tell(case: AmendCase) -> Outcome:
    """Tell the CRM and the customer."""
    order = await case.order()
    facts = {"number": order.number, "channel": order.channel.value, "template": "cancelled"}
    await case.use.events.append([case.told("customer.notified", "notified", facts)])
    await case.use.crm.mirror_order(case.own_key("CRM"), await mirror_of(case, order))
    return DONE


_PLATFORM, _CRM, _ERP, _WMS = SourceSystem.PLATFORM, SourceSystem.CRM, SourceSystem.CLOUD_ERP, SourceSystem.WMS

# fmt: off
ORDER_CANCEL: tuple[Step[AmendCase], ...] = (
    Step("begin",    _PLATFORM, "{process}",                  begin,           undo=give_up),
    Step("settle",   _PLATFORM, "chg:{id}:{version}:settle",  settle),
    Step("hold",     _WMS,      "chg:{id}:{version}:wms",     hold,            undo=resume, timeout_s=30.0),
    Step("cancel",   _ERP,      "chg:{id}:{version}:erp",     cancel_document),
    Step("withdraw", _WMS,      "chg:{id}:{version}:wms",     cancel_releases),
    Step("finish",   _PLATFORM, "chg:{id}:{version}:done",    finish,          decides=True),
    Step("tell",     _CRM,      "chg:{id}:{version}:CRM",     tell,            outage=Outage.DEAD_LETTER),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""

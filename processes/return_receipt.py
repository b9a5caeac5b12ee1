"""P6 steps 3 and 4: what came is compared with what was to come, and the customer gets a credit or the goods anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from processes.api import OrderSubmission, SubmissionLine
from processes.order_case import OrderCase, OrderRequest
from processes.order_checks import failed
from processes.order_commit import allocate, create_in_erp
from processes.order_delivery import release
from processes.return_case import SYSTEM, ReturnCase, replacement_id
from processes.return_invoiced import require_invoiced
from processes.steps import DONE, Alarm, Outcome, Verdict, Waits
from schema.enums import OrderChannel, OrderStatus, ReturnStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerLine, LedgerOrder
from schema.records.problems import ApprovalRequired
from schema.records.returns import REPLACE, LedgerReturn, ReturnDecision
from schema.records.values import Money
from systems.errors import Rejected

__all__ = [
    "ARRIVAL",
    "DIFFERENCE",
    "allocate_replacement",
    "close",
    "compare",
    "create_replacement",
    "credit",
    "difference_task",
    "differs",
    "place_replacement",
    "post_receipt",
    "receive",
    "release_replacement",
    "replacement_step",
    "settle_replacement",
]

ARRIVES_WITHIN = timedelta(days=30)
"""A return of which nothing has come after this long is closed."""

DUE = timedelta(days=2)
LAPSES = timedelta(days=30)
"""A difference that nobody decided about is settled after this long as the goods came."""

QUEUE = "RETURNS"
_S = ReturnStatus
_NONE = Decimal(0)


async def receive(case: ReturnCase) -> Outcome:
    """Wait until the warehouse has inspected what came."""
    entry = await case.entry()
    return Outcome(Verdict.HELD) if entry.status in (_S.IN_TRANSIT, _S.RECEIVED) else DONE


async def _look_for_goods(case: ReturnCase) -> Outcome:
    """Return whether the goods are inspected by now, or were given up."""
    entry = await case.entry()
    if entry.refusal is not None and entry.status is _S.IN_TRANSIT:
        return Outcome(Verdict.REFUSED, (failed("RETURN_LAPSED", entry.refusal),))
    return await receive(case)


async def _give_up(case: ReturnCase) -> None:
    """Close a return of which nothing has come."""

    def changed(entry: LedgerReturn) -> LedgerReturn:
        said = f"nothing came within {ARRIVES_WITHIN.days} days"
        return replace(entry, refusal=said) if entry.status is _S.IN_TRANSIT else entry

    await case.change(changed, lambda _: ())


ARRIVAL: Waits[ReturnCase] = Waits(_look_for_goods, (Alarm("lapse", ARRIVES_WITHIN, _give_up),))
"""How an authorised return waits for its goods."""


def differs(entry: LedgerReturn) -> bool:
    """Return whether something else came than was to come."""
    came = {line.line_no: line.quantity for line in entry.received}
    return came != {line.line_no: line.quantity for line in entry.lines}


def approval_task(entry: LedgerReturn) -> str:
    """Return the id of the task that asks whether goods may come back."""
    return f"tsk_{entry.id}_APPROVE"


def difference_task(entry: LedgerReturn) -> str:
    """Return the id of the task that asks what becomes of a return of which something else came."""
    return f"tsk_{entry.id}_DIFFERS"


async def compare(case: ReturnCase) -> Outcome:
    """Have a person decide when something else came than was to come."""
    entry = await case.entry()
    if not differs(entry):
        return DONE
    decision = entry.decision(_S.INSPECTED)
    if decision is not None:
        await case.resolve(difference_task(entry), decision)
        return DONE
    now = case.use.clock.now()
    came = ", ".join(f"{line.quantity.value:f} of {line.sku}" for line in entry.received) or "nothing"
    task = ExceptionTask(
        id=difference_task(entry),
        queue=QUEUE,
        kind="ReturnDiffers",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"return {entry.number}: {came} came",
        opened_at=now,
        due_at=now + DUE,
        assignee=None,
        resolutions=("APPROVE", "DENY"),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    await case.use.tasks.open_task(task, [case.news("task.opened", task.id, facts)])
    return Outcome(Verdict.HELD, (approval_of(task),))


def approval_of(task: ExceptionTask) -> ApprovalRequired:
    """Return what whoever asks about a return is told while a person must decide."""
    return ApprovalRequired(
        code="APPROVAL_REQUIRED", message=task.summary, level=task.queue, reason=task.summary, task_id=task.id
    )


def waits_for(entry: LedgerReturn) -> str | None:
    """Return the id of the task that a return waits for, None when it waits for no person."""
    if entry.decision(entry.status) is not None:
        return None
    if entry.status is _S.REQUESTED:
        return approval_task(entry)
    return difference_task(entry) if entry.status is _S.INSPECTED and differs(entry) else None


async def _look_at_difference(case: ReturnCase) -> Outcome:
    """Return whether a person has decided about what came."""
    entry = await case.adopt(difference_task(await case.entry()), _S.INSPECTED)
    return Outcome(Verdict.HELD) if entry.decision(_S.INSPECTED) is None else DONE


async def _settle_as_it_came(case: ReturnCase) -> None:
    """Settle the return as the goods came, because nobody decided."""
    now = case.use.clock.now()

    def changed(entry: LedgerReturn) -> LedgerReturn:
        if entry.decision(_S.INSPECTED) is not None:
            return entry
        said = f"nobody decided within {LAPSES.days} days"
        lapsed = ReturnDecision(f"lapsed:{entry.id}", _S.INSPECTED, True, SYSTEM, now, said)
        return replace(entry, decisions=(*entry.decisions, lapsed))

    await case.change(changed, lambda _: ())


DIFFERENCE: Waits[ReturnCase] = Waits(_look_at_difference, (Alarm("lapse", LAPSES, _settle_as_it_came),))
"""How a return of which something else came waits for a person."""


async def post_receipt(case: ReturnCase) -> Outcome:
    """Tell the ERP what came and where it goes."""
    entry = await case.entry()
    await case.use.erp.receive_return(f"rma:{entry.id}:receipt", entry.number, entry.received)
    return DONE


async def credit(case: ReturnCase) -> Outcome:
    """Have the ERP credit what came, once, as soon as it is invoiced."""
    entry = await case.entry()
    if not _is_settled(entry) or entry.resolution == REPLACE:
        return Outcome(Verdict.SKIPPED, note="nothing is credited")
    await _credit(case, entry)
    return DONE


async def _credit(case: ReturnCase, entry: LedgerReturn) -> None:
    if entry.credit is None:
        await require_invoiced(case, entry)
    amount = await case.use.erp.credit_return(f"rma:{entry.id}:credit", entry.number)
    recorded = (await case.use.orders.orders([case.order_id])).get(case.order_id)
    home = None if recorded is None else recorded.home_erp

    def changed(stored: LedgerReturn) -> LedgerReturn:
        return replace(stored, status=_S.CREDITED, credit=amount) if stored.status is _S.INSPECTED else stored

    def tell(stored: LedgerReturn) -> Sequence[Event]:
        facts = {
            "rmaNumber": stored.number,
            "status": stored.status.value,
            "credit": {"amount": str(amount.amount), "currency": amount.currency},
        }
        return [replace(case.news("return.credited", "credited", facts), system=home or SourceSystem.CLOUD_ERP)]

    await case.change(changed, tell)


async def place_replacement(case: ReturnCase) -> Outcome:
    """Record an order of what came back, which costs nothing."""
    replacement = await _replacement(case)
    if replacement is None:
        return Outcome(Verdict.SKIPPED, note="nothing is replaced")
    entry = await case.entry()
    known = await case.use.orders.orders([replacement.order_id])
    if replacement.order_id not in known:
        number = await case.use.orders.next_number()
        await replacement.account()
        order = replacement.at_home(_replacing(replacement, entry, number, await _prices(case)))
        facts = {"number": number, "status": order.status.value, "channel": order.channel.value, "replaces": entry.id}
        await case.use.orders.create(order, [replacement.news("order.received", "received", facts)])
    return DONE


def replacement_step(
    do: Callable[[OrderCase], Awaitable[Outcome]], *, takes_back: bool = False
) -> Callable[[ReturnCase], Awaitable[Outcome]]:
    """Return a step of order submission as one of the return that the order replaces.

    Args:
        do: the step.
        takes_back: whether it takes back what it did for an order that is cancelled; else it is not done then.
    """

    async def step(case: ReturnCase) -> Outcome:
        """Do for the order that replaces the goods what submission does for every order."""
        replacement = await _replacement(case)
        if replacement is None:
            return Outcome(Verdict.SKIPPED, note="nothing is replaced")
        if not takes_back and (await replacement.order()).status is OrderStatus.CANCELLED:
            return Outcome(Verdict.SKIPPED, note="the order that replaces the goods is cancelled")
        outcome = await do(replacement)
        if outcome.verdict is Verdict.REFUSED:
            # The goods are here: taking the return back would not undo that, so a person decides.
            said = "; ".join(problem.message for problem in outcome.problems)
            erp = replacement.home_erp or SourceSystem.CLOUD_ERP
            raise Rejected(erp, "replace goods", said, reason="REPLACEMENT_REFUSED")
        return outcome

    return step


create_replacement = replacement_step(create_in_erp)
allocate_replacement = replacement_step(allocate)
release_replacement = replacement_step(release, takes_back=True)


async def settle_replacement(case: ReturnCase) -> Outcome:
    """Close the return without a credit, because an order replaces the goods; credit them when that is cancelled.

    Raises:
        Rejected: the order waits to be cancelled, which may be refused; a person lets the return go on afterwards.
    """
    replacement = await _replacement(case)
    if replacement is None:
        return Outcome(Verdict.SKIPPED, note="nothing is replaced")
    entry, order = await case.entry(), await replacement.order()
    if order.status is OrderStatus.CANCELLED:
        await _credit(case, entry)
        return Outcome(Verdict.DONE, note=f"credited, because order {order.number} is cancelled")
    if order.status is OrderStatus.CANCEL_PENDING:
        erp, said = (
            order.home_erp or SourceSystem.CLOUD_ERP,
            f"order {order.number} is being cancelled: retry afterwards",
        )
        raise Rejected(erp, "replace goods", said, reason="REPLACEMENT_BEING_CANCELLED")
    await case.use.erp.replace_return(f"rma:{entry.id}:repl", entry.number)

    def changed(stored: LedgerReturn) -> LedgerReturn:
        return replace(stored, status=_S.REPLACED) if stored.status is _S.INSPECTED else stored

    def tell(stored: LedgerReturn) -> Sequence[Event]:
        facts = {"rmaNumber": stored.number, "status": stored.status.value, "replacedBy": replacement.order_id}
        return [case.news("return.replaced", "replaced", facts)]

    await case.change(changed, tell)
    return DONE


async def close(case: ReturnCase) -> Outcome:
    """Close the return and record that the customer is told."""
    entry = await case.entry()
    template = {_S.CREDITED: "return-credited", _S.REPLACED: "return-replaced"}.get(entry.status, "return-closed")

    def changed(stored: LedgerReturn) -> LedgerReturn:
        return replace(stored, status=_S.CLOSED)

    def tell(stored: LedgerReturn) -> Sequence[Event]:
        facts = {"rmaNumber": stored.number, "status": stored.status.value}
        return [
            case.news("return.closed", "closed", facts),
            case.news("customer.notified", "notified:closed", {**facts, "template": template}),
        ]

    await case.change(changed, tell)
    return DONE


def _is_settled(entry: LedgerReturn) -> bool:
    """Return whether the customer gets something for what came."""
    decision = entry.decision(_S.INSPECTED)
    came = any(line.quantity.value > 0 for line in entry.received)
    return came and (decision is None or decision.approved)


async def _replacement(case: ReturnCase) -> OrderCase | None:
    """Return the order that replaces what came, None when nothing is replaced."""
    entry = await case.entry()
    if entry.resolution != REPLACE or not _is_settled(entry):
        return None
    document = (await case.use.erp.orders([case.order_id])).get(case.order_id)
    submission = OrderSubmission(
        account_id=entry.account_id,
        ship_to_id="" if document is None else document.ship_to_id or "",
        channel=OrderChannel.SERVICE_DESK,
        lines=tuple(
            SubmissionLine(line.line_no, line.sku, line.quantity) for line in entry.received if line.quantity.value > 0
        ),
    )
    order_id = replacement_id(entry)
    request = OrderRequest(case.request.process_id, order_id, submission, case.request.asked_by, case.request.asked_at)
    return OrderCase(request, case.use, resumed=True)


async def _prices(case: ReturnCase) -> Money:
    """Return nothing, in the currency of the order."""
    entry = await case.entry()
    return Money(_NONE, entry.value.currency)


def _replacing(replacement: OrderCase, entry: LedgerReturn, number: str, nothing: Money) -> LedgerOrder:
    asked = replacement.submission
    return LedgerOrder(
        id=replacement.order_id,
        number=number,
        version=1,
        account_id=asked.account_id,
        ship_to_id=asked.ship_to_id,
        po_number=None,
        channel=asked.channel,
        status=OrderStatus.RECEIVED,
        currency=nothing.currency,
        quote_id=None,
        opportunity_id=None,
        requested_date=None,
        promised_date=None,
        submitted_at=replacement.use.clock.now(),
        accepted_at=None,
        completed_at=None,
        lines=tuple(
            LedgerLine(
                line_no=line.line_no,
                sku=line.sku,
                description=f"replaces {entry.number}",
                quantity=line.quantity,
                unit_price=nothing,
                price_source="REPLACEMENT",
                requested_date=None,
            )
            for line in asked.lines
        ),
        holds=(),
        exceptions=(),
        process_id=entry.process_id,
        submitted_by=SYSTEM,
        erp_number=None,
    )

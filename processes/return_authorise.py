"""P6 steps 1 and 2: whether goods may come back, and telling ERP and warehouse that they will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from processes.journal import problems_to_json
from processes.order_checks import failed
from processes.return_case import MAX_WRITES, SYSTEM, Facts, ReturnCase, told_by
from processes.return_receipt import approval_of, approval_task
from processes.rules.returns import check_return, why_a_person
from processes.rules.uom import factor
from processes.steps import DONE, Alarm, Outcome, Verdict, Waits
from processes.task_news import overdue_task_id
from schema.enums import ReturnStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.currencies import round_to_minor
from schema.records.operations import ExceptionTask
from schema.records.orders import ReturnLine
from schema.records.problems import Problem, ReturnNotAllowed, ValidationFailed
from schema.records.returns import CREDIT, REPLACE, ExpectedReturn, LedgerReturn, NewReturn, ReturnDecision, return_id
from schema.records.values import Money, Quantity
from systems.errors import Conflict, Rejected

__all__ = [
    "APPROVAL",
    "announce",
    "authorise",
    "cancel_receipt",
    "cancel_rma",
    "check",
    "create_rma",
    "expect_receipt",
    "request",
    "take_back",
]

QUEUE = "RETURNS"
OVERSIGHT = "OPERATIONS"
DUE = timedelta(days=2)
"""A return is decided about within this time, then it escalates."""

LAPSES = timedelta(days=30)
"""A return that nobody decided about is denied after this long."""

LAPSED = "RETURN_LAPSED"
MAX_REASON = 200
_S = ReturnStatus
_AUTHORISED = (_S.IN_TRANSIT, _S.RECEIVED, _S.INSPECTED)


async def check(case: ReturnCase) -> Outcome:
    """Check that what is to come back was delivered and may, and say all that is wrong at once."""
    if await case.found() is not None:
        return DONE
    facts = await case.facts()
    problems = (_unknown(case),) if facts is None else tuple(_problems(case, facts))
    return Outcome(Verdict.REFUSED, problems) if problems else DONE


async def request(case: ReturnCase) -> Outcome:
    """Record the return under its number; of two for the same goods the one that is recorded first stays.

    Raises:
        Conflict: others of the order kept being recorded in between.
    """
    if await case.found() is not None:
        return DONE
    number = await case.use.returns.next_number()
    for _ in range(MAX_WRITES):
        # Counted before anything else is read: one that comes after that is missed by nobody.
        known = len((await case.use.returns.returns_of_orders([case.order_id]))[case.order_id])
        facts = await case.facts()
        problems = (_unknown(case),) if facts is None else tuple(_problems(case, facts))
        if facts is None or problems:
            return Outcome(Verdict.REFUSED, problems)
        try:
            await _record(case, facts, number, known)
        except Conflict:
            continue
        await case.found()
        return DONE
    said = f"order {case.order_id} got {MAX_WRITES} other returns"
    raise Conflict(SourceSystem.PLATFORM, "request return", said)


async def _record(case: ReturnCase, facts: Facts, number: str, known: int) -> None:
    entry = LedgerReturn(
        id=return_id(number),
        number=number,
        version=1,
        order_id=case.order_id,
        account_id=case.account_id,
        status=_S.REQUESTED,
        resolution=case.request.resolution,
        lines=_lines(case, facts),
        value=_value(case, facts),
        warehouse_code=facts.warehouses[case.request.lines[0].line_no],
        requested_by=case.request.asked_by,
        requested_at=case.request.asked_at,
        process_id=case.request.process_id,
    )
    facts_told = {
        **_told(entry),
        "resolution": entry.resolution,
        "value": {"amount": str(entry.value.amount), "currency": entry.value.currency},
        "lines": [
            {"lineNo": line.line_no, "quantity": str(line.quantity.value), "reason": line.reason}
            for line in entry.lines
        ],
    }
    made = replace(case.news("return.requested", "requested", facts_told), subject=entry.id, partition_key=entry.id)
    requested = replace(made, id=f"rma:{entry.id}:requested", actor=case.request.asked_by)
    told = replace(requested, data={**requested.data, "returnId": entry.id})
    await case.use.returns.create(entry, [told], known=known)


async def take_back(case: ReturnCase) -> None:
    """Deny the return, or close it when it was authorised and nothing came; why stays readable."""
    if await case.found() is None:
        return

    def changed(entry: LedgerReturn) -> LedgerReturn:
        status = _S.CLOSED if entry.status in _AUTHORISED else _S.DENIED
        why = "; ".join(problem.message for problem in case.refusal)
        return replace(entry, status=status, refusal=entry.refusal or why)

    def tell(entry: LedgerReturn) -> Sequence[Event]:
        decision = entry.decision(_S.REQUESTED)
        facts = {**_told(entry), "reason": entry.refusal, "problems": problems_to_json(case.refusal)}
        name = "denied" if entry.status is _S.DENIED else "closed"
        event = case.news(f"return.{name}", name, facts)
        return [event if decision is None else told_by(event, decision.by)]

    entry = await case.entry()
    if entry.status not in (_S.DENIED, _S.CLOSED):
        await case.change(changed, tell)
    await case.resolve(approval_task(entry), entry.decision(_S.REQUESTED))


async def authorise(case: ReturnCase) -> Outcome:
    """Approve the return, or have a person decide; of two for the same goods the earlier one stays."""
    entry = await case.entry()
    if entry.status is not _S.REQUESTED:
        return DONE
    facts = await case.facts(besides=entry)
    if facts is None:
        return Outcome(Verdict.REFUSED, (_unknown(case),))
    problems = tuple(_problems(case, facts))
    if problems:
        return Outcome(Verdict.REFUSED, problems)
    decision = entry.decision(_S.REQUESTED)
    reason = why_a_person(entry.value, [facts.lines[line.line_no] for line in entry.lines])
    if decision is None and reason is not None:
        return await _ask(case, entry, reason)

    def changed(stored: LedgerReturn) -> LedgerReturn:
        return replace(stored, status=_S.APPROVED) if stored.status is _S.REQUESTED else stored

    def tell(stored: LedgerReturn) -> Sequence[Event]:
        event = case.news("return.approved", "approved", _told(stored))
        return [told_by(event, SYSTEM if decision is None else decision.by)]

    await case.change(changed, tell)
    await case.resolve(approval_task(entry), decision)
    return DONE


async def _ask(case: ReturnCase, entry: LedgerReturn, reason: str) -> Outcome:
    now = case.use.clock.now()
    task = ExceptionTask(
        id=approval_task(entry),
        queue=QUEUE,
        kind="ReturnApproval",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"return {entry.number}: {reason}",
        opened_at=now,
        due_at=now + DUE,
        assignee=None,
        resolutions=("APPROVE", "DENY"),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    await case.use.tasks.open_task(task, [case.news("task.opened", task.id, facts)])
    return Outcome(Verdict.HELD, (approval_of(task),))


async def _look(case: ReturnCase) -> Outcome:
    """Return what was decided about the return by now."""
    entry = await case.adopt(approval_task(await case.entry()), _S.REQUESTED)
    decision = entry.decision(_S.REQUESTED)
    if decision is None:
        return Outcome(Verdict.HELD)
    if decision.approved:
        return DONE
    refusal = ReturnNotAllowed(
        code="RETURN_NOT_ALLOWED",
        message=f"return {entry.number} was denied: {decision.comment}",
        line_no=entry.lines[0].line_no,
        reason="DENIED",
    )
    return Outcome(Verdict.REFUSED, (refusal,))


async def _escalate(case: ReturnCase) -> None:
    """Ask those above, because nobody has decided in time."""
    entry, now = await case.entry(), case.use.clock.now()
    task = ExceptionTask(
        id=overdue_task_id(approval_task(entry)),
        queue=OVERSIGHT,
        kind="ReturnOverdue",
        state="OPEN",
        order_id=case.order_id,
        account_id=case.account_id,
        process_id=case.request.process_id,
        summary=f"return {entry.number} waits in {QUEUE} since {entry.requested_at.isoformat()}",
        opened_at=now,
        due_at=now + DUE,
        assignee=None,
        resolutions=("APPROVE", "DENY"),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    await case.use.tasks.open_task(task, [case.news("task.opened", task.id, facts)])


async def _lapse(case: ReturnCase) -> None:
    """Decide against a return that nobody decided about."""
    now = case.use.clock.now()

    def changed(entry: LedgerReturn) -> LedgerReturn:
        if entry.decision(_S.REQUESTED) is not None:
            return entry
        said = f"nobody decided within {LAPSES.days} days"
        lapsed = ReturnDecision(f"lapsed:{entry.id}", _S.REQUESTED, False, SYSTEM, now, said)
        return replace(entry, decisions=(*entry.decisions, lapsed))

    await case.change(changed, lambda _: ())


APPROVAL: Waits[ReturnCase] = Waits(_look, (Alarm("escalate", DUE, _escalate), Alarm("lapse", LAPSES, _lapse)))
"""How a return waits for a person to decide."""


async def create_rma(case: ReturnCase) -> Outcome:
    """Create the return in the ERP, once per key."""
    entry = await case.entry()
    new = NewReturn(f"rma:{entry.id}:erp", entry.number, entry.order_id, entry.lines)
    try:
        await case.use.erp.create_return(new)
    except Rejected as refusal:
        return Outcome(Verdict.REFUSED, (failed(refusal.reason, f"the ERP refuses: {refusal.detail}"),))
    return DONE


async def cancel_rma(case: ReturnCase) -> None:
    """Cancel the return in the ERP."""
    await case.use.erp.cancel_return((await case.entry()).number)


async def expect_receipt(case: ReturnCase) -> Outcome:
    """Have the warehouse that shipped the goods expect them."""
    entry = await case.entry()
    expected = ExpectedReturn(
        key=f"rma:{entry.id}:wms",
        rma_number=entry.number,
        order_id=entry.order_id,
        account_id=entry.account_id,
        warehouse_code=entry.warehouse_code,
        lines=entry.lines,
    )
    try:
        await case.use.wms.expect_return(expected)
    except Rejected as refusal:
        return Outcome(Verdict.REFUSED, (failed(refusal.reason, f"the warehouse refuses: {refusal.detail}"),))
    return DONE


async def cancel_receipt(case: ReturnCase) -> None:
    """Have the goods expected no more.

    Raises:
        Rejected: they have arrived meanwhile; a person must decide.
    """
    entry = await case.entry()
    if not await case.use.wms.cancel_return(f"rma:{entry.id}:wms"):
        said = f"goods of return {entry.number} have arrived already"
        raise Rejected(SourceSystem.WMS, "cancel return", said, reason="RECEIVED")


async def announce(case: ReturnCase) -> Outcome:
    """Tell the customer under which number and where to send the goods."""

    def changed(entry: LedgerReturn) -> LedgerReturn:
        return replace(entry, status=_S.IN_TRANSIT) if entry.status is _S.APPROVED else entry

    def tell(entry: LedgerReturn) -> Sequence[Event]:
        return [
            case.news("return.authorized", "authorized", {**_told(entry), "warehouse": entry.warehouse_code}),
            case.news("customer.notified", "notified:authorized", {**_told(entry), "template": "return-authorized"}),
        ]

    await case.change(changed, tell)
    return DONE


def _unknown(case: ReturnCase) -> Problem:
    return failed("UNKNOWN_ORDER", f"order {case.order_id} has no document", "orderId")


def _problems(case: ReturnCase, facts: Facts) -> list[Problem]:
    asked = case.request
    problems: list[Problem] = []
    if asked.resolution not in (CREDIT, REPLACE):
        problems.append(
            failed("RESOLUTION", f"resolution is {CREDIT} or {REPLACE}, not {asked.resolution!r}", "resolution")
        )
    if not asked.lines:
        problems.append(failed("NO_LINES", "the return names no line", "lines"))
    if len({line.line_no for line in asked.lines}) < len(asked.lines):
        problems.append(failed("LINE_NUMBER", "a line number is there twice", "lines"))
    for place, line in enumerate(asked.lines):
        where = ("lines", str(place))
        known = facts.lines.get(line.line_no)
        if line.quantity.value <= 0:
            problems.append(failed("QUANTITY_POSITIVE", "a quantity is above zero", *where, "quantity"))
        if not 0 < len(line.reason.strip()) <= MAX_REASON:
            problems.append(failed("REASON", f"a reason has 1 to {MAX_REASON} characters", *where, "reason"))
        if known is not None and isinstance(factor(line.quantity.uom, known.item), ValidationFailed):
            said = f"{known.item.sku} has no unit {line.quantity.uom}"
            problems.append(failed("UNKNOWN_UNIT", said, *where, "quantity", "uom"))
    now = case.use.clock.now()
    refused = [check_return(wanted, facts.lines.get(wanted.line_no), now) for wanted in case.wanted(facts)]
    return [*problems, *(problem for problem in refused if problem is not None)]


def _lines(case: ReturnCase, facts: Facts) -> tuple[ReturnLine, ...]:
    return tuple(
        ReturnLine(
            line_no=wanted.line_no,
            sku=facts.lines[wanted.line_no].item.sku,
            quantity=Quantity(wanted.quantity, facts.lines[wanted.line_no].item.base_uom),
            reason=case.request.lines[wanted.place].reason,
            disposition=None,
        )
        for wanted in case.wanted(facts)
    )


def _value(case: ReturnCase, facts: Facts) -> Money:
    sold = {line.line_no: line for line in facts.document.lines}
    total = Decimal(0)
    for wanted in case.wanted(facts):
        line = sold[wanted.line_no]
        per_base = factor(line.uom, facts.lines[wanted.line_no].item)
        one = Decimal(1) if isinstance(per_base, ValidationFailed) else per_base
        total += line.unit_price.amount * wanted.quantity / one
    return round_to_minor(total, facts.document.currency)


def _told(entry: LedgerReturn) -> dict[str, object]:
    return {"rmaNumber": entry.number, "status": entry.status.value}

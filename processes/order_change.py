"""P7, changing lines of an accepted order: what submission decides is decided anew for the changed lines.

CHANGE_PENDING from the first step on. Releases that carry a changed line are held before the ERP changes, so nobody
picks what is about to change; the goods of those releases are released anew, in a round of their own, once the ERP has
allocated them. A line that gives up nothing but what it lacks concerns no release: it changes though goods of it are
picked, or gone. Another item may come in place of what a line gives up, in a line of its own, at today's price, where
all of it is there. Refused, the order is what it was: ERP quantities restored, releases picked as if nothing was asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from processes.amend_added import new_erp_line, short_of_added, substitutions_told
from processes.amend_case import (
    AmendCase,
    begin,
    give_up,
    is_open,
    refusal_of,
    refused_by_erp,
    resolve_asking_task,
    settle,
)
from processes.amend_credit import check_credit_of
from processes.amend_floor import cancel_held, hold_releases, releases_of, resume_releases
from processes.amend_lines import amended, check_changes, lacks_less, lines_before, price_added, reprice
from processes.amend_stock import give_back, look_up_reservation, reserve
from processes.order_commit import allocated_line, places_of, shortages
from processes.order_delivery import mirror_of, release_round, release_rounds
from processes.order_pricing import pricing_ground
from processes.order_sourcing import promised_on
from processes.replacement_fate import ask_for_credit
from processes.steps import DONE, Outage, Outcome, Step, Verdict
from processes.task_news import resolve_tasks_of
from schema.enums import OrderStatus, ReservationStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import ShipTo
from schema.records.catalog import Item
from schema.records.inventory import Warehouse
from schema.records.orders import ErpLine, ErpLineChange, ErpOrderChange, LedgerLine, LedgerOrder
from schema.records.problems import Problem, Stockout
from systems.errors import Rejected
from systems.ports import AllocationResult

__all__ = ["ORDER_CHANGE", "tell"]

ORDER_CHANGED = "ORDER_CHANGED"
"""Resolution of tasks about what a changed order does not lack any more."""

_NONE = Decimal(0)


async def check(case: AmendCase) -> Outcome:
    """Check state and lines, and say all that is wrong at once, before the order is touched.

    Without the ERP the change is taken on trust, and checked again when it is priced.
    """
    order = await case.order()
    if order.amended_by == case.request.process_id:
        return DONE
    refusal = refusal_of(case, order)
    if refusal is not None:
        return Outcome(Verdict.REFUSED, (refusal,))
    problems = tuple(_wrong(case, order, await case.items(), await case.ship_to()))
    return Outcome(Verdict.REFUSED, problems) if problems else DONE


async def price(case: AmendCase) -> Outcome:
    """Price the changed lines and put the lines as they will be beside those that are."""
    order = await case.order()
    if order.amended_lines:
        return DONE
    wanted = amended(order.lines, case.amendment.lines, case.amendment.added)
    _, items, facts = await pricing_ground(case)
    ship_to, places = await case.ship_to(), _places_of(case)
    wrong = tuple(_wrong(case, order, items, ship_to))
    if wrong:
        return Outcome(Verdict.REFUSED, wrong)
    priced: list[LedgerLine] = []
    problems: list[Problem] = []
    new = {entry.line_no for entry in case.amendment.added}
    for before, after in zip(lines_before(order.lines, wanted), wanted, strict=True):
        place, item = places.get(after.line_no, 0), items[after.sku]
        found = (
            price_added(place, after, order.currency, item, facts, ship_to, case.use)
            if after.line_no in new
            else reprice(place, before, after, item, facts, ship_to, case.use)
        )
        if isinstance(found, Problem):
            problems.append(found)
        else:
            priced.append(found)
    if problems:
        return Outcome(Verdict.REFUSED, tuple(problems))
    await case.change(lambda stored: replace(stored, amended_lines=tuple(priced)), lambda _: ())
    return DONE


async def check_credit(case: AmendCase) -> Outcome:
    """Refuse to let an order grow beyond what its customer may owe."""
    order = await case.order()
    return await check_credit_of(case, order, order.amended_lines)


async def hold(case: AmendCase) -> Outcome:
    """Keep releases that carry a changed line from being picked."""
    return await hold_releases(case, _releases(case, await case.order()))


async def resume(case: AmendCase) -> None:
    """Let what is held be picked."""
    if await is_open(case):
        await resume_releases(case, _releases(case, await case.order()))


async def change_document(case: AmendCase) -> Outcome:
    """Change the ERP's document; the ERP gives back what it had allocated to the changed lines."""
    order = await case.order()
    try:
        change = _document_change(case, order.amended_lines[: len(order.lines)], "erp")
        added = tuple(map(new_erp_line, order.amended_lines[len(order.lines) :]))
        await case.use.erp.change_order(replace(change, added=added))
    except Rejected as refusal:
        return Outcome(Verdict.REFUSED, (refused_by_erp(refusal.reason, refusal.detail),))
    return DONE


async def restore_document(case: AmendCase) -> None:
    """Give the ERP's document its quantities, prices and stock back, if they were changed."""
    if not await is_open(case):
        return
    order = await case.order()
    document = (await case.use.erp.orders([case.order_id])).get(case.order_id)
    if document is None:
        return
    numbers = _numbers(case)
    lines = lines_before(order.lines, order.amended_lines)
    before = {line.line_no: line for line in lines}
    concerned = [line for line in document.lines if line.line_no in numbers]
    if any(not _is_as_before(line, before[line.line_no]) for line in concerned):
        await case.use.erp.change_order(_document_change(case, lines, "erp:undo"))
        await case.use.erp.allocate(case.own_key("alloc:undo"), case.order_id)


async def allocate(case: AmendCase) -> Outcome:
    """Have the ERP set stock aside for the changed lines; what it is short of is backordered, but not of added ones."""
    try:
        results = await case.use.erp.allocate(case.own_key("alloc"), case.order_id)
    except Rejected as refusal:
        return Outcome(Verdict.REFUSED, (refused_by_erp(refusal.reason, refusal.detail),))
    places, ship_to, today = await places_of(case), await case.ship_to(), case.use.clock.now().date()
    by_line: Mapping[int, list[AllocationResult]] = defaultdict(list)
    for entry in results:
        by_line[entry.line_no].append(entry)
    numbers = _numbers(case)
    short = short_of_added(case, (await case.order()).amended_lines, by_line)
    if short:
        return Outcome(Verdict.REFUSED, tuple(short))

    def changed(order: LedgerOrder) -> LedgerOrder:
        lines = []
        for before, line in zip(lines_before(order.lines, order.amended_lines), order.amended_lines, strict=True):
            got = allocated_line(line, by_line.get(line.line_no, ()), places, ship_to, today)
            firm = tuple(replace(entry, round=case.version) for entry in got.allocations)
            if line.line_no in numbers and _keeps_goods(order, before, line):
                lines.append(_left(before, got, places, ship_to))
            elif line.line_no in numbers:
                lines.append(replace(got, allocations=firm))
            else:
                # The ERP fills what was backordered of other lines too, when goods have come in meanwhile.
                more = sum((entry.quantity.value for entry in firm), _NONE)
                left = max(line.backordered - more, _NONE)
                lines.append(replace(line, allocations=(*line.allocations, *firm), backordered=left))
        return replace(order, amended_lines=tuple(lines))

    await case.change(changed, lambda _: ())
    return DONE


async def deallocate(case: AmendCase) -> None:
    """Give the stock of the changed lines back."""
    if await is_open(case):
        await case.use.erp.deallocate(case.own_key("alloc"), case.order_id)


async def cancel_releases(case: AmendCase) -> Outcome:
    """Cancel the releases that are held."""
    await cancel_held(case, _releases(case, await case.order()))
    return DONE


async def accept(case: AmendCase) -> Outcome:
    """Make the lines as they will be those that are."""

    def changed(order: LedgerOrder) -> LedgerOrder:
        if order.amended_by != case.request.process_id:
            return order
        held = _releases(case, order)
        lines = tuple(_in_round(line, held, case.version) for line in order.amended_lines)
        dates = [line.promised_date for line in lines if line.wanted > 0]
        promised = max((day for day in dates if day is not None), default=None) if all(dates) else None
        others = tuple(entry for entry in order.exceptions if not isinstance(entry, Stockout))
        return replace(
            order,
            status=OrderStatus.ACCEPTED,
            lines=lines,
            promised_date=promised,
            exceptions=(*others, *shortages(case, lines)),
            amended_by=None,
            amended_lines=(),
        )

    def tell(order: LedgerOrder) -> Sequence[Event]:
        numbers = _numbers(case)
        facts = {
            "number": order.number,
            "status": order.status.value,
            "promisedDate": None if order.promised_date is None else order.promised_date.isoformat(),
            "lines": [_told_line(line) for line in order.lines if line.line_no in numbers],
        }
        return [*substitutions_told(case, order), case.told("order.change.accepted", "accepted", facts)]

    await case.change(changed, tell)
    await resolve_asking_task(case)
    if not any(isinstance(entry, Stockout) for entry in (await case.order()).exceptions):
        await resolve_tasks_of(case.use, case.order_id, ["Stockout"], ORDER_CHANGED, "the changed order can be had")
    await _ask_for_credit(case)
    return DONE


async def _ask_for_credit(case: AmendCase) -> None:
    """Ask for a credit of what an order lost that replaces goods of a return."""
    order, numbers = await case.order(), _numbers(case)
    before = {line.line_no: line.quantity.value for line in case.submission.lines}
    lost = [
        f"{before[line.line_no] - line.wanted:f} of {line.sku}"
        for line in order.lines
        if line.line_no in numbers and line.wanted < before[line.line_no]
    ]
    if lost:
        await ask_for_credit(case.use, order, case.version, f"lost {', '.join(lost)}")


async def release(case: AmendCase) -> Outcome:
    """Release the goods of the changed lines, and those whose release had to be cancelled with them.

    Of an order that ships complete the others go too: they have waited for these, whichever warehouse has them.
    """
    order = await case.order()
    if order.ship_complete and any(line.backordered > 0 for line in order.lines):
        await give_back(case)
        return Outcome(Verdict.SKIPPED, note="ships complete: released when the backordered lines are there")
    released = await (release_rounds(case, order) if order.ship_complete else release_round(case, order, case.version))
    is_done = released.verdict is Verdict.DONE
    settled = ReservationStatus.CONSUMED if is_done else ReservationStatus.RELEASED
    await case.use.reservations.settle(case.own_key("resv"), settled)
    return released


async def tell(case: AmendCase) -> Outcome:
    """Tell the CRM and the customer what the order is now; of one that is cancelled they know."""
    order = await case.order()
    if order.status is OrderStatus.CANCELLED:
        return Outcome(Verdict.SKIPPED, note=f"order {order.number} is cancelled: the change means nothing any more")
    promised = None if order.promised_date is None else order.promised_date.isoformat()
    facts = {"number": order.number, "status": order.status.value, "promisedDate": promised}
    told = {**facts, "channel": order.channel.value, "template": "changed"}
    await case.use.events.append(
        [case.told("order.acknowledged", "acknowledged", facts), case.told("customer.notified", "notified", told)]
    )
    await case.use.crm.mirror_order(case.own_key("CRM"), await mirror_of(case, order))
    return DONE


_PLATFORM, _CRM, _ERP, _WMS = SourceSystem.PLATFORM, SourceSystem.CRM, SourceSystem.CLOUD_ERP, SourceSystem.WMS

# fmt: off
ORDER_CHANGE: tuple[Step[AmendCase], ...] = (
    Step("check",    _PLATFORM, "chg:{id}:{version}:check",   check,           outage=Outage.SKIP),
    Step("begin",    _PLATFORM, "{process}",                  begin,           undo=give_up),
    Step("settle",   _PLATFORM, "chg:{id}:{version}:settle",  settle),
    Step("price",    _ERP,      "chg:{id}:{version}:price",   price),
    Step("credit",   _ERP,      "chg:{id}:{version}:credit",  check_credit),
    Step("hold",     _WMS,      "chg:{id}:{version}:wms",     hold,            undo=resume, timeout_s=30.0),
    Step("reserve",  _PLATFORM, "chg:{id}:{version}:resv",    reserve,         undo=give_back, outage=Outage.SKIP,
         look_up=look_up_reservation),
    Step("change",   _ERP,      "chg:{id}:{version}:erp",     change_document, undo=restore_document),
    Step("allocate", _ERP,      "chg:{id}:{version}:alloc",   allocate,        undo=deallocate),
    Step("withdraw", _WMS,      "chg:{id}:{version}:wms",     cancel_releases),
    Step("accept",   _PLATFORM, "chg:{id}:{version}:done",    accept,          decides=True),
    Step("release",  _WMS,      "or:{id}:rel:{version}",      release),
    Step("tell",     _CRM,      "chg:{id}:{version}:CRM",     tell,            outage=Outage.DEAD_LETTER),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""


def _wrong(case: AmendCase, order: LedgerOrder, items: Mapping[str, Item], ship_to: ShipTo | None) -> list[Problem]:
    amendment, now = case.amendment, case.use.clock.now()
    return list(check_changes(order, amendment.lines, items, ship_to, now, amendment.added))


def _numbers(case: AmendCase) -> set[int]:
    amendment = case.amendment
    return {change.line_no for change in amendment.lines} | {line.line_no for line in amendment.added}


def _places_of(case: AmendCase) -> Mapping[int, int]:
    """Return where each changed line stands in what was asked for."""
    amendment = case.amendment
    numbers = [*(change.line_no for change in amendment.lines), *(line.line_no for line in amendment.added)]
    return {number: place for place, number in enumerate(numbers)}


def _releases(case: AmendCase, order: LedgerOrder) -> tuple[tuple[str, int], ...]:
    """Return the releases that carried a changed line before the change, of lines that lose or gain goods by it."""
    numbers, after = _numbers(case), order.amended_lines or order.lines
    return releases_of(
        before
        for before, line in zip(lines_before(order.lines, after), after, strict=True)
        if before.line_no in numbers and not _keeps_goods(order, before, line)
    )


def _keeps_goods(order: LedgerOrder, before: LedgerLine, after: LedgerLine) -> bool:
    """Return whether a line stays as it was released; what ships complete is released when nothing lacks."""
    return not order.ship_complete and lacks_less(before, after)


def _document_change(case: AmendCase, lines: Sequence[LedgerLine], key: str) -> ErpOrderChange:
    numbers = _numbers(case)
    changes = tuple(
        ErpLineChange(line.line_no, line.wanted, line.unit_price, line.requested_date)
        for line in lines
        if line.line_no in numbers and line.unit_price is not None
    )
    return ErpOrderChange(case.own_key(key), case.order_id, changes)


def _is_as_before(document: ErpLine, line: LedgerLine) -> bool:
    return document.ordered - document.cancelled == line.wanted and document.unit_price == line.unit_price


def _in_round(line: LedgerLine, held: Sequence[tuple[str, int]], round_: int) -> LedgerLine:
    """Return a line with what its cancelled release carried put into the new round."""
    moved = tuple(
        replace(entry, round=round_) if (entry.warehouse_code, entry.round) in held else entry
        for entry in line.allocations
    )
    return replace(line, allocations=moved)


def _left(before: LedgerLine, got: LedgerLine, places: Mapping[str, Warehouse], ship_to: ShipTo | None) -> LedgerLine:
    """Return a line that lacks less, with what it had as it was released."""
    has = sum((entry.quantity.value for entry in before.allocations), _NONE)
    lacks = got.wanted - has
    days = [promised_on(entry.ship_date, places.get(entry.warehouse_code), ship_to) for entry in before.allocations]
    last = max((day for day in days if day is not None), default=None)
    promised = got.promised_date if lacks > 0 else last
    return replace(got, allocations=before.allocations, backordered=lacks, promised_date=promised)


def _told_line(line: LedgerLine) -> dict[str, object]:
    return {
        "lineNo": line.line_no,
        "quantity": str(line.wanted),
        "uom": line.quantity.uom,
        "unitPrice": None if line.unit_price is None else str(line.unit_price.amount),
        "promisedDate": None if line.promised_date is None else line.promised_date.isoformat(),
    }

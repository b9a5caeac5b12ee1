"""P2, quote to order, as far as pricing and approval: context, live price, promise, approval by level.

The quote is saved as soon as it is priced (PRICED, or PENDING_APPROVAL when a line is below its margin floor). Without
the ERP there is no quote: a stale price is worse than none.

What comes after is no run of its own. That it is sent, accepted or declined the CRM tells. A sent quote that nobody has
answered is taken back by giving it a status there of one that is not sent (`quote.recalled`): it is PRICED or APPROVED
again. The order that names the quote has it (CONVERTED) and its prices; an order that ends without having been accepted
gives it back as it was. A changed price, by which a line would cost something else or need another approval, supersedes
a quote that is not sent (SUPERSEDED, half a minute after the change at the earliest): nobody decides about it any more,
and the rep prepares a new one. When its last day is over in UTC it is EXPIRED, whatever it waits for.

Its opportunity in the CRM shows a copy of it, which follows within seconds, or once the CRM is back, and is put right
when people set a status there that is not so; what the CRM tells of our own writing of that copy changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from processes.api import SubmissionLine
from processes.order_checks import (
    MAX_LINES,
    check_account,
    check_line,
    check_line_numbers,
    check_opportunity,
    failed,
)
from processes.order_hold import HOLD_DUE
from processes.order_pricing import queue_of_level
from processes.quote_approval import LEVELS, QUOTE_APPROVAL, approval_problems, approval_task_id, undecided
from processes.quote_case import QuoteCase
from processes.quote_pricing import QuotedLine, last_day, price_line, quote_facts
from processes.rules import atp
from processes.steps import DONE, Outage, Outcome, Step, Verdict
from schema.enums import QuoteStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.inventory import Availability
from schema.records.operations import ExceptionTask
from schema.records.orders import ApprovalRecord, Quote
from schema.records.problems import Problem
from schema.records.values import Freshness, Money
from systems.errors import NotFound

__all__ = ["QUOTE_PREPARE"]

MAX_VALIDITY = timedelta(days=365)
"""How long a quote may hold."""


async def gather_context(case: QuoteCase) -> Outcome:
    """Check that the opportunity is open and the account's; without CRM the quote goes on without."""
    opportunity_id = case.preparation.opportunity_id
    if opportunity_id is None:
        return DONE
    found = (await case.use.crm.opportunities([opportunity_id])).get(opportunity_id)
    problems: list[Problem] = list(check_opportunity(opportunity_id, found, case.account_id))
    if found is not None and not problems and not found.is_open:
        problems.append(failed("OPPORTUNITY_CLOSED", f"opportunity {found.name} is {found.stage}", "opportunityId"))
    return Outcome(Verdict.DONE, tuple(problems))


async def price_quote(case: QuoteCase) -> Outcome:
    """Price every line live and save the quote; all that is wrong with the request is said at once."""
    if await case.stored() is not None:
        return DONE
    problems = await _problems(case)
    if problems:
        return Outcome(Verdict.REFUSED, tuple(problems))
    items, ship_to, facts = await case.items(), await case.ship_to(), await quote_facts(case)
    quoted: list[QuotedLine] = []
    for index, line in enumerate(case.preparation.lines):
        found = price_line(case, index, line, items[line.sku], ship_to, facts)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            quoted.append(found)
    if problems:
        return Outcome(Verdict.REFUSED, tuple(problems))
    await _save(case, quoted)
    return DONE


async def promise(case: QuoteCase) -> Outcome:
    """Date every line by what can be promised now; informative, so that the quote goes on without."""
    quote, items, ship_to = await case.stored(), await case.items(), await case.ship_to()
    if quote is None:
        raise NotFound(SourceSystem.PLATFORM, "promise quote", f"quote {case.request.quote_id} is not saved")
    now, skus = case.use.clock.now(), sorted(items)
    positions, soft, inbound, warehouses = await asyncio.gather(
        case.use.wms.stock(skus),
        case.use.reservations.reserved(skus, now),
        case.use.erp.inbound(skus),
        case.use.wms.warehouses(),
    )
    dates = {}
    for line in quote.lines:
        found = atp.evaluate(
            line.sku,
            line.quantity,
            item=items[line.sku],
            positions=positions,
            soft=soft,
            inbound=inbound.get(line.sku, ()),
            demand=(),
            warehouses=warehouses,
            ship_to=ship_to,
            now=now,
            needed_by=None,
            freshness=Freshness(SourceSystem.WMS, now),
        )
        dates[line.line_no] = found.full_date if isinstance(found, Availability) else None
    await case.change(
        lambda stored: replace(
            stored, lines=tuple(replace(line, promised_date=dates.get(line.line_no)) for line in stored.lines)
        )
    )
    return DONE


async def ask_approval(case: QuoteCase) -> Outcome:
    """Ask those who may let the price go below its floor; the quote waits for them."""
    quote = await case.stored()
    if quote is None or not undecided(quote):
        return DONE
    for entry in undecided(quote):
        task = _task(case, quote, entry)
        facts = {"number": quote.number, "level": entry.level, "reason": entry.reason, "taskId": task.id}
        opened = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
        await case.use.tasks.open_task(
            task,
            [
                case.news("task.opened", task.id, opened),
                case.news("quote.approval.requested", f"approval:1:{entry.level}", facts),
            ],
        )
    return Outcome(Verdict.HELD, approval_problems(quote))


_CRM, _ERP, _WMS, _PLATFORM = SourceSystem.CRM, SourceSystem.CLOUD_ERP, SourceSystem.WMS, SourceSystem.PLATFORM

# fmt: off
QUOTE_PREPARE: tuple[Step[QuoteCase], ...] = (
    Step("context",      _CRM,      "qt:{id}:ctx",     gather_context, timeout_s=3.0, outage=Outage.SKIP),
    Step("price",        _ERP,      "qt:{id}:price:1", price_quote,    timeout_s=2.5, outage=Outage.REFUSE),
    Step("availability", _WMS,      "qt:{id}:atp:1",   promise,        timeout_s=1.5, outage=Outage.SKIP),
    Step("approve",      _PLATFORM, "qt:{id}:appr:1",  ask_approval,   waits=QUOTE_APPROVAL, decides=True),
)
# fmt: on
"""The process: step, system, idempotency key, what it does. A refused quote is not saved, so nothing is taken back."""


async def _problems(case: QuoteCase) -> list[Problem]:
    """Return everything that is wrong with the request before it is priced."""
    asked, today = case.preparation, case.use.clock.now().date()
    account, ship_to, items = await asyncio.gather(case.account(), case.ship_to(), case.items())
    problems: list[Problem] = [*case.findings, *check_account(asked.account_id, account)]
    if account is not None and await case.terms() is None:
        problems.append(failed("NOT_A_CUSTOMER", f"account {account.number} is no customer of the ERP", "accountId"))
    if asked.ship_to_id is not None and (ship_to is None or ship_to.account_id != asked.account_id):
        said = f"ship-to {asked.ship_to_id} is not one of account {asked.account_id}"
        problems.append(failed("UNKNOWN_SHIP_TO", said, "shipToId"))
    if asked.valid_until is not None and not today <= asked.valid_until <= today + MAX_VALIDITY:
        said = f"{asked.valid_until} is not between {today} and {today + MAX_VALIDITY}"
        problems.append(failed("VALID_UNTIL", said, "validUntil"))
    if not 0 < len(asked.lines) <= MAX_LINES:
        problems.append(failed("LINES", f"a quote has 1 to {MAX_LINES} lines", "lines"))
    problems += check_line_numbers([line.line_no for line in asked.lines])
    for index, line in enumerate(asked.lines):
        problems += check_line(
            index, SubmissionLine(line.line_no, line.sku, line.quantity), items.get(line.sku), ship_to
        )
        if line.requested_unit_price is not None and line.requested_unit_price.amount <= 0:
            said = f"a price of {line.requested_unit_price.amount} is not above zero"
            problems.append(failed("PRICE_POSITIVE", said, "lines", str(index), "requestedUnitPrice"))
        if line.requested_unit_price is not None and line.price_token is not None:
            said = "ask for a price of your own or bring the token of an offered one, not both"
            problems.append(failed("PRICE_TWICE", said, "lines", str(index), "priceToken"))
    return problems


async def _save(case: QuoteCase, quoted: Sequence[QuotedLine]) -> None:
    now, asked = case.use.clock.now(), case.preparation
    low = [entry.below_floor for entry in quoted if entry.below_floor is not None]
    approvals = tuple(
        ApprovalRecord(
            level,
            "; ".join(entry.reason for entry in low if entry.level == level),
            now,
            lines=tuple(
                entry.line.line_no
                for entry in quoted
                if entry.below_floor is not None and entry.below_floor.level == level
            ),
        )
        for level in LEVELS
        if any(entry.level == level for entry in low)
    )
    currency = quoted[0].line.unit_price.currency
    total = Money(sum((entry.line.extended.amount for entry in quoted), Decimal(0)), currency)
    quote = Quote(
        id=case.request.quote_id,
        number=await case.use.quotes.next_number(),
        version=0,
        status=QuoteStatus.PENDING_APPROVAL if approvals else QuoteStatus.PRICED,
        account_id=asked.account_id,
        ship_to_id=asked.ship_to_id,
        opportunity_id=asked.opportunity_id,
        lines=tuple(entry.line for entry in quoted),
        total=total,
        valid_until=last_day(case),
        approvals=approvals,
        order_id=None,
        created_at=now,
        created_by=case.request.asked_by,
        process_id=case.request.process_id,
    )
    await case.use.quotes.save(quote, _created(case, quote))


def _created(case: QuoteCase, quote: Quote) -> list[Event]:
    facts = {"number": quote.number, "status": quote.status.value}
    total = {"amount": str(quote.total.amount), "currency": quote.total.currency}
    created = case.news("quote.created", "created", {**facts, "opportunityId": quote.opportunity_id})
    return [
        replace(created, actor=case.request.asked_by),
        case.news("quote.priced", "priced:1", {**facts, "total": total, "validUntil": quote.valid_until.isoformat()}),
    ]


def _task(case: QuoteCase, quote: Quote, entry: ApprovalRecord) -> ExceptionTask:
    now = case.use.clock.now()
    return ExceptionTask(
        id=approval_task_id(quote.id, entry.level),
        queue=queue_of_level(entry.level),
        kind="ApprovalRequired",
        state="OPEN",
        order_id=None,
        account_id=quote.account_id,
        process_id=case.request.process_id,
        summary=f"quote {quote.number}, {quote.total.amount} {quote.total.currency}: {entry.reason}",
        opened_at=now,
        due_at=now + HOLD_DUE,
        assignee=None,
        resolutions=("APPROVE", "REJECT"),
    )

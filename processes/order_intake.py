"""P3 steps 1 to 3: the order is received, put into its context, and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from processes.journal import problems_to_json
from processes.order_case import OrderCase
from processes.order_checks import (
    check_account,
    check_dates,
    check_lines,
    check_opportunity,
    check_quote,
    check_reservations,
    check_ship_to,
    failed,
)
from processes.order_hold import close_hold_tasks, refused_hold
from processes.quote_conversion import convert_quote, reopen_quote
from processes.steps import DONE, Outcome, Verdict
from schema.enums import OrderStatus
from schema.events.envelope import Event
from schema.records.orders import LedgerLine, LedgerOrder
from schema.records.problems import Problem

__all__ = ["NO_CURRENCY", "enrich", "receive", "refuse", "validate"]

NO_CURRENCY = "XXX"
"""ISO 4217's code for "no currency", until the customer's terms have told which one it is."""

PO_WINDOW = timedelta(days=180)
"""A purchase order number may come again after this long."""


_CANCELLED = (OrderStatus.CANCEL_PENDING, OrderStatus.CANCELLED)
"""Statuses of an order that whoever submitted it has taken back."""


async def receive(case: OrderCase) -> Outcome:
    """Persist the order under its number; nothing that was accepted for work is lost from here on."""
    stored = (await case.use.orders.orders([case.order_id])).get(case.order_id) if case.may_have_sent else None
    if stored is None:
        number = await case.use.orders.next_number()
        order = _new_order(case, number)
        facts = {
            "number": number,
            "status": order.status.value,
            "channel": order.channel.value,
            "poNumber": order.po_number,
            "lines": len(order.lines),
            "requestedDate": _iso(order.requested_date),
            "items": [
                {
                    "lineNo": line.line_no,
                    "sku": line.sku,
                    "quantity": str(line.quantity.value),
                    "uom": line.quantity.uom,
                    "requestedDate": _iso(line.requested_date),
                }
                for line in order.lines
            ],
        }
        received = case.news("order.received", "received", facts)
        case.created(await case.use.orders.create(order, [replace(received, actor=case.request.submitted_by)]))
    return DONE


async def refuse(case: OrderCase) -> None:
    """Take the order back: rejected, or cancelled when the ERP had accepted it; its problems stay readable."""

    def changed(order: LedgerOrder) -> LedgerOrder:
        was_accepted = order.accepted_at is not None or order.status in _CANCELLED
        status = OrderStatus.CANCELLED if was_accepted else OrderStatus.REJECTED
        return case.at_home(replace(order, status=status, holds=(), exceptions=tuple(case.refusal) or order.exceptions))

    def tell(order: LedgerOrder) -> Sequence[Event]:
        name = "cancelled" if order.status is OrderStatus.CANCELLED else "rejected"
        facts = {
            "number": order.number,
            "status": order.status.value,
            "problems": problems_to_json(order.exceptions),
        }
        told = case.news(f"order.{name}", name, facts)
        decision = refused_hold(order)
        if decision is None:
            return [told]
        return [replace(told, actor=decision.by, manual=decision.by.startswith("user:"))]

    await reopen_quote(case.use, await case.change(changed, tell))
    await close_hold_tasks(case)


async def enrich(case: OrderCase) -> Outcome:
    """Check the opportunity that the order is told to come from; without CRM it is linked as it is."""
    opportunity_id = case.submission.opportunity_id
    if opportunity_id is None:
        return DONE
    found = (await case.use.crm.opportunities([opportunity_id])).get(opportunity_id)
    return Outcome(Verdict.DONE, tuple(check_opportunity(opportunity_id, found, case.account_id)))


async def validate(case: OrderCase) -> Outcome:
    """Check everything that can be wrong with the order, and say all of it at once; its quote is converted then."""
    now = case.use.clock.now()
    account, ship_to, items = await asyncio.gather(case.account(), case.ship_to(), case.items())
    mine = ship_to if ship_to is not None and ship_to.account_id == case.account_id else None
    problems: list[Problem] = [
        *case.findings,
        *check_account(case.account_id, account),
        *check_ship_to(case.submission, ship_to),
        *check_dates(case.submission, now),
        *check_lines(case.submission, items, mine),
        *await _check_references(case),
    ]
    if account is not None and await case.terms() is None:
        problems.append(failed("NOT_A_CUSTOMER", f"account {account.number} is no customer of the ERP", "accountId"))
    if not problems and case.submission.quote_id is not None:
        problems += await convert_quote(case.use, case.submission.quote_id, case.account_id, case.order_id)
    return Outcome(Verdict.REFUSED, tuple(problems)) if problems else DONE


async def _check_references(case: OrderCase) -> Sequence[Problem]:
    """Check quote, reservations and purchase order number against the ledgers."""
    submission, now = case.submission, case.use.clock.now()
    problems: list[Problem] = []
    if submission.quote_id is not None:
        problems += check_quote(submission.quote_id, await case.quote(), case.account_id, now.date(), case.order_id)
    if submission.reservation_ids:
        held = await case.use.reservations.reservations(submission.reservation_ids)
        problems += check_reservations(submission.reservation_ids, held, case.account_id, now)
    if submission.po_number:
        problems += await _check_po(case, submission.po_number)
    return problems


async def _check_po(case: OrderCase, po_number: str) -> Sequence[Problem]:
    """Check that the purchase order number is not another order's; of two at once the earlier one stays."""
    since = case.request.submitted_at - PO_WINDOW
    other_id = await case.use.orders.find_duplicate_po(case.account_id, po_number, since, case.order_id)
    if other_id is None:
        return ()
    other = (await case.use.orders.orders([other_id]))[other_id]
    if (other.submitted_at, other.id) > (case.request.submitted_at, case.order_id):
        return ()
    said = f"purchase order {po_number} was submitted before: it is order {other.number}"
    return [failed("DUPLICATE_PO", said, "poNumber")]


def _new_order(case: OrderCase, number: str) -> LedgerOrder:
    submission, request = case.submission, case.request
    shown = next((line.unit_price.currency for line in submission.lines if line.unit_price is not None), NO_CURRENCY)
    return LedgerOrder(
        id=case.order_id,
        number=number,
        version=1,
        account_id=submission.account_id,
        ship_to_id=submission.ship_to_id,
        po_number=submission.po_number,
        channel=submission.channel,
        status=OrderStatus.RECEIVED,
        currency=shown,
        quote_id=submission.quote_id,
        opportunity_id=submission.opportunity_id,
        requested_date=submission.requested_date,
        promised_date=None,
        submitted_at=request.submitted_at,
        accepted_at=None,
        completed_at=None,
        lines=tuple(
            LedgerLine(
                line_no=line.line_no,
                sku=line.sku,
                description=line.sku,
                quantity=line.quantity,
                unit_price=None,
                price_source=None,
                requested_date=line.requested_date or submission.requested_date,
            )
            for line in submission.lines
        ),
        holds=(),
        exceptions=(),
        process_id=request.process_id,
        submitted_by=request.submitted_by,
        erp_number=None,
        ship_complete=submission.ship_complete,
        allow_backorder=submission.allow_backorder,
        allow_substitutes=submission.allow_substitutes,
    )


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()

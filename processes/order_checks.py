"""Every rule that a submitted order must keep before it is priced, all of them checked at once (P3 step 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from processes.api import OrderSubmission, SubmissionLine
from processes.rules.sellable import check_sellable
from processes.rules.uom import to_base
from schema.enums import AccountStatus, QuoteStatus, ReservationStatus
from schema.records.accounts import Account, Opportunity, ShipTo
from schema.records.catalog import Item
from schema.records.inventory import Reservation
from schema.records.orders import Quote
from schema.records.problems import ItemNotSellable, Problem, QuoteNotConvertible, ValidationFailed

__all__ = [
    "CONVERTIBLE",
    "MAX_LINES",
    "check_account",
    "check_dates",
    "check_line",
    "check_line_numbers",
    "check_lines",
    "check_opportunity",
    "check_quote",
    "check_reservations",
    "check_ship_to",
    "failed",
    "not_sellable",
]

MAX_LINES = 500
"""Lines of one order; more is a file to be split."""

MAX_PO_LENGTH = 35
"""Characters of a customer's purchase order number, as every ERP and EDI can carry."""

MAX_LINE_NO = 999_999
"""Largest number of a line, as every ERP and EDI can carry."""

MAX_AHEAD = timedelta(days=730)
"""How far ahead goods may be asked for."""

CONVERTIBLE = (QuoteStatus.PRICED, QuoteStatus.APPROVED, QuoteStatus.SENT, QuoteStatus.ACCEPTED)
"""Quotes that can become an order: priced within the floor, or approved."""

WEST_OF_ALL = timedelta(hours=12)
"""Somewhere it is still yesterday this long: a date counts as past when it is past everywhere."""


def failed(rule: str, message: str, *path: str) -> ValidationFailed:
    """Return a broken rule; the last part of the path is the field."""
    return ValidationFailed(
        code="VALIDATION_FAILED", message=message, path=path or None, rule=rule, field=path[-1] if path else None
    )


def not_sellable(problem: ItemNotSellable, *path: str) -> ValidationFailed:
    """Return a refused item as the problem that orders and quotes know."""
    return failed(f"ITEM_{problem.reason}" if problem.reason != "RESTRICTED_REGION" else problem.reason,
                  problem.message, *path)  # fmt: skip


def check_account(account_id: str, account: Account | None) -> Iterable[Problem]:
    """Check that the account may order."""
    if account is None:
        yield failed("UNKNOWN_ACCOUNT", f"account {account_id} does not exist", "accountId")
    elif account.status is not AccountStatus.ACTIVE:
        said = f"account {account.number} is {account.status.value}: only active accounts order"
        yield failed("ACCOUNT_NOT_ACTIVE", said, "accountId")


def check_ship_to(submission: OrderSubmission, ship_to: ShipTo | None) -> Iterable[Problem]:
    """Check that the place exists, belongs to the account and is in use."""
    wanted = submission.ship_to_id
    if ship_to is None or ship_to.account_id != submission.account_id:
        said = f"ship-to {wanted} is not one of account {submission.account_id}"
        yield failed("UNKNOWN_SHIP_TO", said, "shipToId")
    elif not ship_to.active:
        yield failed("SHIP_TO_INACTIVE", f"ship-to {ship_to.code} is closed for deliveries", "shipToId")


def check_dates(submission: OrderSubmission, now: datetime) -> Iterable[Problem]:
    """Check that no requested date is past or farther ahead than anybody plans."""
    asked: list[tuple[date | None, tuple[str, ...]]] = [(submission.requested_date, ("requestedDate",))]
    asked += [
        (line.requested_date, ("lines", str(index), "requestedDate")) for index, line in enumerate(submission.lines)
    ]
    earliest, latest = (now - WEST_OF_ALL).date(), (now + MAX_AHEAD).date()
    for day, path in asked:
        yield from check_date(day, earliest, latest, path)


def check_lines(submission: OrderSubmission, items: Mapping[str, Item], ship_to: ShipTo | None) -> Iterable[Problem]:
    """Check number of lines, their numbers, items, units and quantities, and the purchase order number."""
    lines = submission.lines
    if not lines:
        yield failed("NO_LINES", "the order has no lines", "lines")
    if len(lines) > MAX_LINES:
        yield failed("TOO_MANY_LINES", f"the order has {len(lines)} lines, at most {MAX_LINES} are taken", "lines")
    yield from _check_po_number(submission.po_number)
    yield from check_line_numbers([line.line_no for line in lines])
    for index, line in enumerate(lines):
        yield from check_line(index, line, items.get(line.sku), ship_to)


def _check_po_number(number: str | None) -> Iterable[Problem]:
    if number is not None and not (0 < len(number.strip()) <= MAX_PO_LENGTH and number.isprintable()):
        said = f"a purchase order number has 1 to {MAX_PO_LENGTH} printable characters"
        yield failed("PO_NUMBER", said, "poNumber")


def check_line_numbers(numbers: Sequence[int]) -> Iterable[Problem]:
    """Check that every line has a number of its own that all systems can carry."""
    counts = Counter(numbers)
    for index, number in enumerate(numbers):
        if not 0 < number <= MAX_LINE_NO:
            said = f"line number {number} is not between 1 and {MAX_LINE_NO}"
            yield failed("LINE_NUMBER", said, "lines", str(index), "lineNo")
        elif counts[number] > 1:
            yield failed("LINE_NUMBER", f"line number {number} is there twice", "lines", str(index), "lineNo")


def check_line(index: int, line: SubmissionLine, item: Item | None, ship_to: ShipTo | None) -> Iterable[Problem]:
    """Check that an item exists, may be sold to the place and in this quantity."""
    place = ("lines", str(index))
    if item is None:
        yield failed("UNKNOWN_SKU", f"item {line.sku!r} does not exist", *place, "sku")
        return
    refused = check_sellable(item, ship_to)
    if refused is not None:
        yield not_sellable(refused, *place, "sku")
    base = to_base(line.quantity, item, (*place, "quantity"))
    if isinstance(base, ValidationFailed):
        yield base


def check_quote(quote_id: str, quote: Quote | None, account_id: str, today: date, order_id: str) -> Iterable[Problem]:
    """Check that a quote belongs to the account and can become an order, or has become this one already."""
    if quote is None or quote.account_id != account_id:
        said = f"quote {quote_id} is not one of account {account_id}"
        yield failed("UNKNOWN_QUOTE", said, "quoteId")
    elif quote.status is QuoteStatus.CONVERTED and quote.order_id == order_id:
        return
    elif quote.status not in CONVERTIBLE or quote.valid_until < today:
        expired = quote.status in CONVERTIBLE
        said = f"ended on {quote.valid_until}" if expired else f"is {quote.status.value}"
        yield QuoteNotConvertible(
            code="QUOTE_NOT_CONVERTIBLE",
            message=f"quote {quote.number} {said}",
            path=("quoteId",),
            status=QuoteStatus.EXPIRED if expired else quote.status,
            valid_until=quote.valid_until,
        )


def check_opportunity(opportunity_id: str, found: Opportunity | None, account_id: str) -> Iterable[Problem]:
    """Check that an opportunity belongs to the account."""
    if found is None or found.account_id != account_id:
        said = f"opportunity {opportunity_id} is not one of account {account_id}"
        yield failed("UNKNOWN_OPPORTUNITY", said, "opportunityId")


def check_reservations(
    ids: Sequence[str], found: Mapping[str, Reservation], account_id: str, now: datetime
) -> Iterable[Problem]:
    """Check that reservations to be used are the account's own and still held."""
    for index, identifier in enumerate(ids):
        held = found.get(identifier)
        if held is None or held.account_id != account_id:
            said = f"reservation {identifier} is not one of account {account_id}"
            yield failed("UNKNOWN_RESERVATION", said, "reservationIds", str(index))
        elif held.status is not ReservationStatus.HELD or held.expires_at <= now:
            status = ReservationStatus.EXPIRED if held.status is ReservationStatus.HELD else held.status
            said = f"reservation {identifier} is {status.value.lower()}"
            yield failed("RESERVATION_NOT_HELD", said, "reservationIds", str(index))


def check_date(day: date | None, earliest: date, latest: date, path: tuple[str, ...]) -> Iterable[Problem]:
    """Check that a requested day is within what anybody plans."""
    if day is not None and day < earliest:
        yield failed("DATE_IN_PAST", f"{day} has passed", *path)
    elif day is not None and day > latest:
        yield failed("DATE_TOO_FAR", f"{day} is after {latest}, farther ahead than anybody plans", *path)

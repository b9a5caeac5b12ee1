# No postponed annotations: strawberry reads them.
"""Problems of orders and quotes."""

import datetime as dt
from typing import Annotated

import strawberry

from schema.enums import QuoteStatus
from schema.graphql.problems import (
    ApprovalRequired,
    DependencyUnavailable,
    IdempotencyConflict,
    NotAllowedInState,
    PricingConflict,
    Problem,
    ValidationFailed,
    VersionConflict,
    said_of,
    shared_problem,
)
from schema.graphql.values import Money, money
from schema.inventory.problems import Stockout, stockout
from schema.records import problems

__all__ = [
    "CreditHold",
    "FulfillmentDelay",
    "InvoiceMismatch",
    "OrderException",
    "OrderProblem",
    "QuoteNotConvertible",
    "ReturnNotAllowed",
    "order_exception",
    "order_problem",
]


@strawberry.type(description="The customer's exposure or overdue items stop the order until a person releases it.")
class CreditHold(Problem):
    """An order stopped by credit."""

    exposure: Money | None
    limit: Money | None
    days_past_due: int | None
    task_id: strawberry.ID | None


@strawberry.type(description="A shipment will be late.")
class FulfillmentDelay(Problem):
    """A late shipment."""

    shipment_id: strawberry.ID | None
    promised: dt.datetime
    expected: dt.datetime | None
    reason_code: str | None


@strawberry.type(description="Invoice and order disagree.")
class InvoiceMismatch(Problem):
    """An invoice that is not what was ordered."""

    invoice_number: str
    difference: Money


@strawberry.type(description="The quote cannot become an order.")
class QuoteNotConvertible(Problem):
    """A quote that has ended."""

    status: QuoteStatus
    valid_until: dt.date | None


@strawberry.type(description="A line cannot come back.")
class ReturnNotAllowed(Problem):
    """A line that cannot come back."""

    line_no: int
    reason: str


OrderException = Annotated[
    CreditHold
    | Stockout
    | PricingConflict
    | FulfillmentDelay
    | InvoiceMismatch
    | ApprovalRequired
    | DependencyUnavailable,
    strawberry.union("OrderException", description="What is wrong with an order and waits for somebody."),
]

OrderProblem = Annotated[
    CreditHold
    | Stockout
    | PricingConflict
    | FulfillmentDelay
    | ApprovalRequired
    | QuoteNotConvertible
    | ReturnNotAllowed
    | ValidationFailed
    | NotAllowedInState
    | IdempotencyConflict
    | VersionConflict
    | DependencyUnavailable,
    strawberry.union("OrderProblem", description="Why an order, a quote or a return was not made, or waits."),
]

_Exception = (
    CreditHold
    | Stockout
    | PricingConflict
    | FulfillmentDelay
    | InvoiceMismatch
    | ApprovalRequired
    | DependencyUnavailable
)
_Problem = (
    CreditHold
    | Stockout
    | PricingConflict
    | FulfillmentDelay
    | ApprovalRequired
    | QuoteNotConvertible
    | ReturnNotAllowed
    | ValidationFailed
    | NotAllowedInState
    | IdempotencyConflict
    | VersionConflict
    | DependencyUnavailable
)


def order_exception(record: problems.Problem) -> OrderException | None:
    """Return what is wrong with an order as a graph value, None when the record is not shown as an exception."""
    shown = _shown(record)
    return shown if isinstance(shown, _Exception) else None


def order_problem(record: problems.Problem) -> OrderProblem:
    """Return a problem as a graph value; one that orders have no type for is a broken rule under its own code."""
    shown = _shown(record)
    if isinstance(shown, _Problem):
        return shown
    field = record.path[-1] if record.path else None
    return ValidationFailed(**said_of(record), rule=record.code, field=field)


def _shown(record: problems.Problem) -> Problem | None:
    match record:
        case problems.CreditHold():
            return CreditHold(
                **said_of(record),
                exposure=money(record.exposure),
                limit=money(record.limit),
                days_past_due=record.days_past_due,
                task_id=None if record.task_id is None else strawberry.ID(record.task_id),
            )
        case problems.Stockout():
            return stockout(record)
        case problems.FulfillmentDelay():
            return FulfillmentDelay(
                **said_of(record),
                shipment_id=None if record.shipment_id is None else strawberry.ID(record.shipment_id),
                promised=record.promised,
                expected=record.expected,
                reason_code=record.reason_code,
            )
        case problems.InvoiceMismatch():
            difference = Money.of(record.difference)
            return InvoiceMismatch(**said_of(record), invoice_number=record.invoice_number, difference=difference)
        case problems.QuoteNotConvertible():
            return QuoteNotConvertible(**said_of(record), status=record.status, valid_until=record.valid_until)
        case problems.ReturnNotAllowed():
            return ReturnNotAllowed(**said_of(record), line_no=record.line_no, reason=record.reason)
    return shared_problem(record)

"""What resolvers may ask of the processes: start one, wait a moment for its decision, read how it went.

A start is safe to repeat with the same key: the first start's process answers. Starting returns at the decision point
or after ``wait_ms``, whichever comes first; the process goes on in a worker either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from processes.rules.onboarding_decision import Verdict
from schema.enums import CheckKind, OrderChannel, ProcessState
from schema.records.accounts import AccountValues
from schema.records.identity import Principal
from schema.records.merges import MergeAsked
from schema.records.onboarding import Applicant
from schema.records.problems import Problem
from schema.records.values import Money, Quantity

__all__ = [
    "AccountChange",
    "AccountStarter",
    "LineAdded",
    "LineChange",
    "OrderCancellation",
    "OrderChange",
    "OrderSplit",
    "OrderSubmission",
    "ProcessStarter",
    "QuotePreparation",
    "QuoteRequestLine",
    "ReturnAsked",
    "ReturnLineAsked",
    "ReturnVerdict",
    "Started",
    "SubmissionLine",
]

MAX_WAIT_MS = 10_000
"""Longest time a start may hold its caller; longer waits belong to subscriptions."""


@dataclass(frozen=True, slots=True)
class SubmissionLine:
    """A line as a channel submits it; ``unit_price`` is what the customer was shown."""

    line_no: int
    sku: str
    quantity: Quantity
    unit_price: Money | None = None
    price_token: str | None = None
    requested_date: date | None = None


@dataclass(frozen=True, slots=True)
class OrderSubmission:
    """An order as a channel submits it."""

    account_id: str
    ship_to_id: str
    channel: OrderChannel
    lines: tuple[SubmissionLine, ...]
    po_number: str | None = None
    quote_id: str | None = None
    opportunity_id: str | None = None
    requested_date: date | None = None
    ship_complete: bool = False
    allow_backorder: bool = True
    allow_substitutes: bool = False
    accept_current_prices: bool = False
    reservation_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuoteRequestLine:
    """A line to quote; ``requested_unit_price`` is what the sales rep asks for."""

    line_no: int
    sku: str
    quantity: Quantity
    requested_unit_price: Money | None = None
    price_token: str | None = None


@dataclass(frozen=True, slots=True)
class QuotePreparation:
    """A quote to prepare."""

    account_id: str
    lines: tuple[QuoteRequestLine, ...]
    ship_to_id: str | None = None
    opportunity_id: str | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class LineChange:
    """What becomes of a line: another quantity or date, or nothing of it any more; None leaves as it is."""

    line_no: int
    quantity: Quantity | None = None
    cancel: bool = False
    requested_date: date | None = None


@dataclass(frozen=True, slots=True)
class LineAdded:
    """A line that an order gets in place of what is given up of the line ``replaces``."""

    line_no: int
    replaces: int
    sku: str
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class OrderChange:
    """Lines of an order to change, and those that come in place of what is given up of them.

    ``version`` is that of the order which the caller has seen.
    """

    order_id: str
    version: int
    lines: tuple[LineChange, ...]
    reason: str
    added: tuple[LineAdded, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderSplit:
    """An order that ships complete to release in parts; ``version`` is that of the order which the caller has seen."""

    order_id: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class OrderCancellation:
    """An order to cancel; ``version`` is that of the order which the caller has seen."""

    order_id: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReturnLineAsked:
    """A line of which goods are to come back."""

    line_no: int
    quantity: Quantity
    reason: str


@dataclass(frozen=True, slots=True)
class ReturnAsked:
    """Goods of an order that a customer wants to send back, for a CREDIT or to REPLACE them."""

    order_id: str
    account_id: str
    lines: tuple[ReturnLineAsked, ...]
    resolution: str = "CREDIT"


@dataclass(frozen=True, slots=True)
class ReturnVerdict:
    """What a person says to a return that waits for it."""

    return_id: str
    approve: bool
    comment: str


@dataclass(frozen=True, slots=True)
class Started:
    """Where a process stood when its caller stopped waiting.

    Attributes:
        process_id: id of the process; None when nothing was started (``problems`` says why).
        state: its state then.
        entity_id: platform id of the order or quote; None when the request was refused and nothing was recorded.
        problems: every business problem so far.
        replayed: True when an earlier start with the same key answers.
    """

    process_id: str | None
    state: ProcessState | None
    entity_id: str | None
    problems: tuple[Problem, ...]
    replayed: bool


class ProcessStarter(Protocol):
    """Starts business processes."""

    async def submit_order(
        self, submission: OrderSubmission, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start order submission (P3)."""
        ...

    async def prepare_quote(
        self, preparation: QuotePreparation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start quote to order (P2) and go as far as pricing and approval."""
        ...

    async def change_order(self, change: OrderChange, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a change of an order (P7)."""
        ...

    async def cancel_order(
        self, cancellation: OrderCancellation, *, key: str, principal: Principal, wait_ms: int
    ) -> Started:
        """Start the cancellation of an order (P7)."""
        ...

    async def request_return(self, asked: ReturnAsked, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a return (P6)."""
        ...

    async def decide_return(self, verdict: ReturnVerdict, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Write a decision about a return down, and let it go on."""
        ...


@dataclass(frozen=True, slots=True)
class AccountChange:
    """Values of an account to change; ``version`` is that of the account which the caller has seen."""

    account_id: str
    version: int
    values: AccountValues
    comment: str | None = None


class AccountStarter(Protocol):
    """Starts customer onboarding (P1), changes and merges of accounts (P9), and takes what persons decide."""

    async def submit_onboarding(self, applicant: Applicant, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start an onboarding."""
        ...

    async def decide_onboarding(
        self, verdict: Verdict, *, key: str, principal: Principal, theirs: frozenset[CheckKind], wait_ms: int
    ) -> Started:
        """Write a decision down and let the onboarding go on; ``theirs`` are the checks that the principal decides."""
        ...

    async def change_account(self, change: AccountChange, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a change of an account."""
        ...

    async def merge_accounts(self, asked: MergeAsked, *, key: str, principal: Principal, wait_ms: int) -> Started:
        """Start a merge of two accounts."""
        ...

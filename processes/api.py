"""What resolvers may ask of the processes: start one, wait a moment for its decision, read how it went.

A start is safe to repeat with the same key: the first start's process answers. Starting returns at the decision point
or after ``wait_ms``, whichever comes first; the process goes on in a worker either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from schema.enums import OrderChannel, ProcessState
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.values import Money, Quantity

__all__ = [
    "OrderSubmission",
    "ProcessStarter",
    "QuotePreparation",
    "QuoteRequestLine",
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

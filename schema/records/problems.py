"""Business problems: values that a caller can act on, never exceptions.

``code`` is stable, ``path`` points into the input (``lines.0.sku`` as ``("lines", "0", "sku")``), ``retryable`` says
whether the same request may succeed without being changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from schema.enums import PricingConflictReason, QuoteStatus, SourceSystem
from schema.records.values import Money, Quantity

__all__ = [
    "ApprovalRequired",
    "CreditDeclined",
    "CreditHold",
    "DependencyUnavailable",
    "DuplicateAccount",
    "DuplicateCandidate",
    "FulfillmentDelay",
    "HierarchyInvalid",
    "IdempotencyConflict",
    "InvoiceMismatch",
    "ItemNotSellable",
    "NotAllowedInState",
    "PriceIneligible",
    "PricingConflict",
    "Problem",
    "QuoteNotConvertible",
    "ReturnNotAllowed",
    "Stockout",
    "TaxInvalid",
    "TerritoryUnassigned",
    "ValidationFailed",
    "VersionConflict",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What every problem says."""

    code: str
    message: str
    path: tuple[str, ...] | None = None
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationFailed(Problem):
    """An input breaks a rule; ``rule`` names it (``DUPLICATE_PO``), ``field`` the input field."""

    rule: str
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyConflict(Problem):
    """The key was used before with another payload."""

    original_process_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionConflict(Problem):
    """The thing has changed since the caller read it."""

    current_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyUnavailable(Problem):
    """A system that must answer does not."""

    system: SourceSystem
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAllowedInState(Problem):
    """The thing's state does not allow the action; ``allowed`` lists what it does allow."""

    state: str
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequired(Problem):
    """A person of ``level`` must approve; ``task_id`` is the task that waits for it."""

    level: str
    reason: str
    task_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingConflict(Problem):
    """The price cannot be taken as offered."""

    sku: str
    reason: PricingConflictReason
    expected: Money | None = None
    current: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemNotSellable(Problem):
    """The item may not be sold (to this place)."""

    sku: str
    reason: str
    substitute_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditHold(Problem):
    """The customer's exposure or overdue items stop the order until a person releases it."""

    exposure: Money | None = None
    limit: Money | None = None
    days_past_due: int | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stockout(Problem):
    """Not enough stock; ``next_available`` is the day on which the rest can be promised."""

    sku: str
    requested: Quantity
    available: Quantity
    line_no: int | None = None
    next_available: date | None = None
    substitute_skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentDelay(Problem):
    """A shipment will be late."""

    shipment_id: str | None
    promised: datetime
    expected: datetime | None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceMismatch(Problem):
    """Invoice and order disagree."""

    invoice_number: str
    difference: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnNotAllowed(Problem):
    """A line cannot come back; ``reason`` is a word such as ``WINDOW_CLOSED``."""

    line_no: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteNotConvertible(Problem):
    """The quote cannot become an order."""

    status: QuoteStatus
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class DuplicateCandidate:
    """An account that may be the same customer; ``score`` is between 0 and 1, ``matched_on`` says what is alike."""

    account_id: str
    score: Decimal
    matched_on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateAccount(Problem):
    """The customer is, or may be, an account already; the most alike comes first."""

    candidates: tuple[DuplicateCandidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxInvalid(Problem):
    """A tax id or exemption does not hold; without ``number`` one is missing."""

    jurisdiction: str
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDeclined(Problem):
    """The credit is not given as it was asked for; without ``offered`` the customer pays in advance."""

    requested: Money | None
    offered: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerritoryUnassigned(Problem):
    """No single sales territory is responsible."""

    country: str
    postal_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceIneligible(Problem):
    """The price group is not for this customer."""

    price_group: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyInvalid(Problem):
    """The account cannot stand where it should in the hierarchy."""

    parent_id: str | None
    reason: str

"""Value records shared by all domains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from schema.enums import SourceSystem

T = TypeVar("T")

__all__ = ["Address", "ExternalRef", "Freshness", "ItemUom", "Money", "Page", "PageRequest", "Quantity"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in an ISO 4217 currency; never a float."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity in a UN/ECE Recommendation 20 unit (packages as X-codes)."""

    value: Decimal
    uom: str


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address; ``country`` is ISO 3166-1 alpha-2, ``region`` the part after the dash of ISO 3166-2."""

    line1: str
    city: str
    postal_code: str
    country: str
    line2: str | None = None
    region: str | None = None
    gln: str | None = None


@dataclass(frozen=True, slots=True)
class ExternalRef:
    """The id that another system uses for a thing of ours. ``current`` is False for a system it has left."""

    system: SourceSystem
    id: str
    current: bool = True


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old an answer is and who gave it. ``stale`` is True when it is older than the bound of its kind."""

    source: SourceSystem
    as_of: datetime
    stale: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ItemUom:
    """A unit in which an item is sold; ``per_base`` base units make one of it."""

    uom: str
    per_base: Decimal
    gtin: str | None = None
    sellable: bool = True


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A forward page: at most ``first`` rows after the row with cursor ``after`` (opaque, from a previous page)."""

    first: int
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of rows in the port's documented order.

    Attributes:
        items: the rows.
        cursors: one opaque cursor per row, same order.
        has_next: whether rows follow.
        total: number of rows over all pages, None when the system does not say.
    """

    items: tuple[T, ...]
    cursors: tuple[str, ...]
    has_next: bool
    total: int | None = None

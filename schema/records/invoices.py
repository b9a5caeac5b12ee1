"""Records of invoices as they are posted, with what they bill."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from schema.records.entries import UnreadableEntry
from schema.records.orders import Invoice
from schema.records.values import Money

__all__ = ["InvoicedLine", "LoggedPosting", "PostedInvoice", "Rebilling"]


@dataclass(frozen=True, slots=True)
class InvoicedLine:
    """What an invoice bills of an order line; ``quantity`` is in the line's unit."""

    line_no: int
    quantity: Decimal
    unit_price: Money
    net: Money


@dataclass(frozen=True, slots=True)
class PostedInvoice:
    """An invoice with its lines. ``entry`` counts postings: later ones have higher numbers."""

    entry: int
    invoice: Invoice
    tax: Money
    freight: Money
    lines: tuple[InvoicedLine, ...]


LoggedPosting = PostedInvoice | UnreadableEntry
"""What an ERP tells of its postings; ``entry`` counts on through all of them."""


@dataclass(frozen=True, slots=True)
class Rebilling:
    """What the invoice ``number`` should have billed, to be billed anew once per ``key``."""

    key: str
    number: str
    lines: tuple[InvoicedLine, ...]
    tax: Money
    freight: Money

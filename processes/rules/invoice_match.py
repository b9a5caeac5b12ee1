"""Whether an invoice bills what was shipped at the price that was agreed (P5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from schema.records.currencies import round_to_minor
from schema.records.invoices import InvoicedLine, PostedInvoice
from schema.records.problems import InvoiceMismatch
from schema.records.values import Money

__all__ = ["INVOICE_TOLERANCE", "LINE_TOLERANCE", "Agreed", "AgreedLine", "match", "owed"]

LINE_TOLERANCE = Decimal("0.01")
"""Largest difference of a line that counts as rounding."""

INVOICE_TOLERANCE = Decimal("1.00")
"""Largest difference of a whole invoice that counts as rounding."""

_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class AgreedLine:
    """A line as it was accepted and shipped; ``shipped`` is what has left, ``billed`` what earlier invoices bill."""

    unit_price: Money
    shipped: Decimal
    billed: Decimal


@dataclass(frozen=True, slots=True)
class Agreed:
    """An order as it was accepted.

    Attributes:
        tax: tax of the whole order.
        subtotal: value of its lines; tax is due in proportion.
        freight: what is left to bill of it.
    """

    lines: Mapping[int, AgreedLine]
    subtotal: Money
    tax: Money
    freight: Money


def match(posted: PostedInvoice, agreed: Agreed) -> InvoiceMismatch | None:
    """Return how an invoice differs from its order, None when it differs by no more than rounding."""
    said = [text for line in posted.lines if (text := _wrong_line(line, agreed.lines.get(line.line_no)))]
    expected = _expected(posted, agreed)
    difference = posted.invoice.total.amount - expected
    if abs(difference) > INVOICE_TOLERANCE:
        said.append(f"its total is {posted.invoice.total.amount:f} and not {expected:f}")
    if not said:
        return None
    return InvoiceMismatch(
        code="INVOICE_MISMATCH",
        message=f"invoice {posted.invoice.number}: {'; '.join(said)}",
        invoice_number=posted.invoice.number,
        difference=Money(difference, posted.invoice.total.currency),
    )


def owed(posted: PostedInvoice, agreed: Agreed) -> tuple[tuple[InvoicedLine, ...], Money, Money]:
    """Return what an invoice should have billed, as (lines, tax, freight).

    Of what it bills is owed what was shipped and not billed before, at the agreed price; nothing may be left.
    """
    currency = posted.invoice.total.currency
    lines = []
    for line in posted.lines:
        known = agreed.lines.get(line.line_no)
        quantity = _NONE if known is None else min(line.quantity, known.shipped - known.billed)
        if known is not None and quantity > 0:
            net = round_to_minor(known.unit_price.amount * quantity, currency)
            lines.append(InvoicedLine(line.line_no, quantity, known.unit_price, net))
    share = sum((line.net.amount for line in lines), _NONE)
    share = share / agreed.subtotal.amount if agreed.subtotal.amount else _NONE
    return tuple(lines), round_to_minor(agreed.tax.amount * share, currency), agreed.freight


def _wrong_line(line: InvoicedLine, agreed: AgreedLine | None) -> str | None:
    if agreed is None:
        return f"it bills line {line.line_no}, which was not ordered"
    left = agreed.shipped - agreed.billed
    if line.quantity > left:
        return f"it bills {line.quantity:f} of line {line.line_no}, of which {max(left, _NONE):f} were shipped"
    due = round_to_minor(agreed.unit_price.amount * line.quantity, agreed.unit_price.currency).amount
    if line.net.currency != agreed.unit_price.currency or abs(line.net.amount - due) > LINE_TOLERANCE:
        return f"it bills {line.net.amount:f} for line {line.line_no} and not {due:f}"
    return None


def _expected(posted: PostedInvoice, agreed: Agreed) -> Decimal:
    """Return what the invoice should come to: what it may bill at the agreed prices, tax in proportion, freight."""
    lines, tax, freight = owed(posted, agreed)
    return sum((line.net.amount for line in lines), _NONE) + tax.amount + freight.amount

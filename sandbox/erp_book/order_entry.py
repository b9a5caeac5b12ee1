"""Entry of sales orders: what the ERP checks of a new document, and the rows that it becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from sandbox.erp_book.codes import DRAFT, OPEN, BadField, ErpError
from sandbox.erp_book.numbers import next_free
from sandbox.kit.rest import decimal_text, utc_text
from sandbox.kit.store import Store

__all__ = [
    "MAX_LINES",
    "PRICE_DECIMALS",
    "QUANTITY_DECIMALS",
    "NewDocument",
    "net_amount",
    "read_amount",
    "read_date",
    "read_document",
    "read_key",
    "read_line",
    "read_text",
    "totals",
]

MAX_LINES = 500
MAX_TEXT = 250
"""Longest text of a field."""

MAX_NUMBER = 20
"""Longest number of a document."""

MAX_AMOUNT = Decimal(1_000_000_000)
"""Largest quantity or price."""

QUANTITY_DECIMALS = 3
PRICE_DECIMALS = 5

FREE_FREIGHT_ABOVE = Decimal(1_000)
FREIGHT = Decimal("45.00")
FOREIGN_TAX = Decimal("0.07")
"""Freight and tax as the world's orders have them."""

_CENT = Decimal("0.01")
_COPIED = ("orderId", "poNumber", "channel", "opportunityId", "quoteId", "externalDocumentNumber")


@dataclass(frozen=True, slots=True)
class NewDocument:
    """Rows of a new order and its lines."""

    order: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]


def read_document(
    store: Store, body: Mapping[str, Any], lines: object, now: datetime, *, released: bool
) -> NewDocument:
    """Return the rows of a new order.

    Args:
        store: customers, items and documents that there are.
        body: the header's fields.
        lines: the lines as they were given.
        now: when it is entered.
        released: whether it is accepted at once; else it is a draft.

    Raises:
        Refusal: a field is missing or wrong, the customer or an item is unknown or blocked, or a document with this
            external document number, number or order id exists.
    """
    if not isinstance(lines, list) or not 0 < len(lines) <= MAX_LINES:
        raise BadField(ErpError.LINES, f"An order has 1 to {MAX_LINES} lines", "lines")
    customer = _customer(store, body)
    _check_unique(store, body)
    account = customer["crossdockId"]
    order: dict[str, Any] = {
        "id": str(uuid4()),
        "number": read_text(body, "number") or next_free(store, "order", "S-ORD", "orders"),
        "accountId": account,
        "customerNumber": customer["number"],
        "status": OPEN if released else DRAFT,
        "currencyCode": _currency(store, body, customer["currencyCode"]),
        "shipToId": _ship_to(store, body, account),
        "requestedDeliveryDate": read_date(body, "requestedDeliveryDate"),
        "submittedAt": utc_text(now),
        "acceptedAt": utc_text(now) if released else None,
        "lastModifiedDateTime": utc_text(now),
        **{name: read_text(body, name) for name in _COPIED},
    }
    rows = [read_line(store, order, place, line) for place, line in enumerate(lines)]
    if len({row["sequence"] for row in rows}) < len(rows):
        raise BadField(ErpError.LINES, "Two lines have the same sequence", "lines")
    return NewDocument(order | totals(order["currencyCode"], rows), rows)


def read_text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a text of a body, None when it is missing or empty.

    Raises:
        Refusal: it is no text or too long.
    """
    value = body.get(name)
    if value is None or value == "":
        return None
    most = MAX_NUMBER if name == "number" else MAX_TEXT
    if not isinstance(value, str) or len(value) > most:
        raise BadField(ErpError.FIELD, f"{name} must be a text of at most {most} characters", name)
    return value


def read_key(body: Mapping[str, Any]) -> str:
    """Return the key of an action.

    Raises:
        Refusal: it is missing.
    """
    key = read_text(body, "key")
    if key is None:
        raise BadField(ErpError.NOT_PROVIDED, "key is required", "key")
    return key


def read_date(body: Mapping[str, Any], name: str) -> str | None:
    """Return a date of a body, None when it is missing.

    Raises:
        Refusal: it is no date.
    """
    text = read_text(body, name)
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadField(ErpError.FIELD, f"{name} must be a date such as 2026-03-05", name) from error


def _customer(store: Store, body: Mapping[str, Any]) -> Mapping[str, Any]:
    for field, column in (("accountId", "crossdockId"), ("customerNumber", "number")):
        wanted = read_text(body, field)
        if wanted is None:
            continue
        found = store.one(f"SELECT * FROM customers WHERE {column} = ?", (wanted,))  # noqa: S608 - names are ours
        if found is None:
            raise BadField(ErpError.CUSTOMER_UNKNOWN, f"The customer {wanted} does not exist", field)
        if found["blocked"] == "All":
            raise BadField(ErpError.CUSTOMER_BLOCKED, f"The customer {found['number']} is blocked", field)
        return dict(found)
    raise BadField(ErpError.NOT_PROVIDED, "customerNumber is required", "customerNumber")


def _check_unique(store: Store, body: Mapping[str, Any]) -> None:
    for field in ("externalDocumentNumber", "number", "orderId"):
        given = read_text(body, field)
        if given and store.one(f"SELECT 1 FROM orders WHERE {field} = ?", (given,)) is not None:  # noqa: S608 - names are ours
            raise BadField(ErpError.SAME_KEY, f"A sales order with {field} {given} exists already", field)


def _currency(store: Store, body: Mapping[str, Any], own: str) -> str:
    given = read_text(body, "currencyCode") or own
    if given != own:
        sql = "SELECT 1 FROM exchange_rates WHERE fromCurrency = ? AND toCurrency = ?"
        if store.one(sql, (given, own)) is None:
            raise BadField(ErpError.CURRENCY, f"There is no exchange rate from {given} to {own}", "currencyCode")
    return given


def _ship_to(store: Store, body: Mapping[str, Any], account_id: str) -> str | None:
    given = read_text(body, "shipToId")
    sql = "SELECT 1 FROM ship_tos WHERE crossdockId = ? AND accountId = ?"
    if given is not None and store.one(sql, (given, account_id)) is None:
        raise BadField(ErpError.SHIP_TO, f"The customer has no ship-to address {given}", "shipToId")
    return given


def read_line(store: Store, order: Mapping[str, Any], place: int, line: object) -> dict[str, Any]:
    """Return the row of a new line of an order.

    Raises:
        Refusal: a field is missing or wrong, or the item is unknown or not sold.
    """
    target = f"lines/{place}"
    if not isinstance(line, Mapping):
        raise BadField(ErpError.LINES, "A line must be an object", target)
    sku = read_text(line, "lineObjectNumber")
    item = store.one("SELECT * FROM items WHERE number = ?", (sku,))
    if item is None:
        raise BadField(ErpError.ITEM_UNKNOWN, f"The item {sku} does not exist", f"{target}/lineObjectNumber")
    if item["blocked"] or item["status"] == "Discontinued":
        raise BadField(ErpError.ITEM_NOT_SOLD, f"The item {sku} cannot be sold", f"{target}/lineObjectNumber")
    uom = read_text(line, "unitOfMeasureCode") or item["baseUnitOfMeasureCode"]
    if uom not in {unit["code"] for unit in json.loads(item["units"])}:
        raise BadField(ErpError.UNIT, f"The item {sku} has no unit {uom}", f"{target}/unitOfMeasureCode")
    quantity = read_amount(line, "quantity", QUANTITY_DECIMALS)
    price = read_amount(line, "unitPrice", PRICE_DECIMALS)
    if quantity is None or quantity == 0:
        message = f"quantity must be above zero with at most {QUANTITY_DECIMALS} decimals"
        raise BadField(ErpError.QUANTITY, message, f"{target}/quantity")
    if price is None:
        message = f"unitPrice must be an amount with at most {PRICE_DECIMALS} decimals"
        raise BadField(ErpError.PRICE, message, f"{target}/unitPrice")
    return {
        "id": str(uuid4()),
        "documentId": order["id"],
        "sequence": _sequence(line, place),
        "lineObjectNumber": sku,
        "description": read_text(line, "description") or item["displayName"],
        "unitOfMeasureCode": uom,
        "quantity": decimal_text(quantity),
        "unitPrice": format(price, "f"),
        "netAmount": net_amount(quantity, price),
        "locationCode": _location(store, line, str(sku), target),
        **dict.fromkeys(("allocated", "backordered", "shipped", "invoiced", "cancelled"), "0"),
        "promisedDeliveryDate": read_date(line, "requestedDeliveryDate") or order["requestedDeliveryDate"],
    }


def _sequence(line: Mapping[str, Any], place: int) -> int:
    given = line.get("sequence", place + 1)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given < MAX_AMOUNT:
        raise BadField(ErpError.LINES, "sequence must be a whole number above zero", f"lines/{place}/sequence")
    return given


def _location(store: Store, line: Mapping[str, Any], sku: str, target: str) -> str | None:
    """Return where a line ships from: as given, else where most of the item is free."""
    given = read_text(line, "locationCode")
    if given is None:
        most = store.one("SELECT location FROM stock WHERE sku = ? ORDER BY free DESC, location LIMIT 1", (sku,))
        return None if most is None else most["location"]
    if store.one("SELECT 1 FROM locations WHERE code = ?", (given,)) is None:
        raise BadField(ErpError.LOCATION, f"The location {given} does not exist", f"{target}/locationCode")
    return given


def read_amount(line: Mapping[str, Any], name: str, decimals: int) -> Decimal | None:
    """Return an amount from zero on, None when it is none or too fine."""
    given = line.get(name)
    if isinstance(given, bool) or not isinstance(given, int | Decimal | str):
        return None
    try:
        amount = Decimal(given)
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= MAX_AMOUNT:
        return None
    return amount if amount == round(amount, decimals) else None


def net_amount(quantity: Decimal, price: Decimal) -> str:
    """Return what a quantity comes to."""
    return format((quantity * price).quantize(_CENT, ROUND_HALF_UP), "f")


def totals(currency: str, lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what lines come to with tax and freight, as columns of their order."""
    net = sum((Decimal(line["netAmount"]) for line in lines), Decimal(0))
    tax = (net * FOREIGN_TAX).quantize(_CENT, ROUND_HALF_UP) if currency != "USD" else Decimal(0)
    freight = Decimal(0) if net > FREE_FREIGHT_ABOVE else FREIGHT
    return {
        "totalAmountExcludingTax": str(net),
        "totalTaxAmount": str(tax),
        "freight": str(freight),
        "totalAmountIncludingTax": str(net + tax + freight),
    }

"""The ERP's part of a world."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import orjson

from sandbox.erp_book.codes import INVOICE_STATUS, ITEM_STATUS, ORDER_STATUS, RETURN_STATUS
from sandbox.erp_book.customer_cards import tax_numbers
from sandbox.erp_book.numbers import begin_ranges
from sandbox.kit.rest import utc_text
from sandbox.kit.store import Store
from sandbox.world.model import WorldModel, WorldOrder, WorldStock

__all__ = ["COMPANY", "guid", "seed"]

_NAMESPACE = UUID("5f2c1e1e-2d7d-4d1e-9a59-6f0c6a8d9b01")


def guid(kind: str, key: str) -> str:
    """Return the ERP's own id of a thing, the same in every world."""
    return str(uuid5(_NAMESPACE, f"{kind}:{key}"))


COMPANY = guid("company", "demo")


def seed(store: Store, world: WorldModel, ranges: Mapping[str, int]) -> None:
    """Fill an empty store, whose own numbers are of these ranges."""
    now = utc_text(world.now)
    _insert(
        store, "companies", [{"id": COMPANY, "name": "DEMO", "displayName": "Demo Distribution", "currencyCode": "USD"}]
    )
    _insert(
        store,
        "locations",
        (
            {"id": guid("location", place.code), "code": place.code, "displayName": place.name}
            for place in world.warehouses
        ),
    )
    _insert(store, "customers", _customers(world))
    _insert(store, "ship_tos", _ship_tos(world))
    _insert(
        store,
        "categories",
        (
            {
                "id": guid("category", category.code),
                "crossdockId": category.id,
                "code": category.code,
                "displayName": category.name,
                "parentCrossdockId": category.parent_id,
            }
            for category in world.categories
        ),
    )
    _insert(store, "items", _items(world, now))
    _insert(store, "prices", _prices(world))
    _insert(
        store,
        "exchange_rates",
        (
            {
                "id": guid("rate", f"{one}{other}"),
                "fromCurrency": one,
                "toCurrency": other,
                "startingDate": since.isoformat(),
                "rate": str(rate),
            }
            for one, other, since, rate in world.exchange_rates
        ),
    )
    _insert(
        store,
        "supplies",
        (
            {
                "id": guid("supply", supply.reference),
                "number": supply.reference,
                "itemNumber": supply.sku,
                "locationCode": supply.warehouse_code,
                "kind": supply.kind,
                "quantity": str(supply.quantity),
                "expectedDate": supply.eta.isoformat(),
                "confirmed": int(supply.confirmed),
            }
            for supply in world.inbound
        ),
    )
    _insert(
        store,
        "stock",
        (
            {
                "sku": position.sku,
                "location": position.warehouse_code,
                "free": _free_milli(position),
            }
            for position in world.stock
        ),
    )
    begin_ranges(store, ranges)
    _orders(store, world)
    _documents(store, world)


def _insert(store: Store, table: str, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    if listed:
        names = list(listed[0])
        marks = ", ".join(f":{name}" for name in names)
        store.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", listed)  # noqa: S608 - names are ours


def _free_milli(position: WorldStock) -> int:
    free = position.on_hand - position.allocated - position.blocked - position.safety_stock
    return max(0, int(free * 1000))


def _json(value: object) -> str:
    """Return JSON whose decimals are numbers with all of their digits."""
    return orjson.dumps(value, default=lambda amount: orjson.Fragment(format(amount, "f"))).decode()


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _customers(world: WorldModel) -> Iterator[dict[str, Any]]:
    for account in world.accounts:
        registrations = [
            {
                "kind": entry.kind,
                "number": entry.number,
                "jurisdiction": entry.jurisdiction,
                "exempt": entry.exempt,
                "certificateExpires": entry.certificate_expires and entry.certificate_expires.isoformat(),
                "verifiedAt": entry.verified_at and utc_text(entry.verified_at),
            }
            for entry in account.tax_registrations
        ]
        yield {
            "id": guid("customer", account.number),
            "number": account.number,
            "crossdockId": account.id,
            "displayName": account.name,
            "addressLine1": account.address.line1,
            "city": account.address.city,
            "state": account.address.region,
            "country": account.address.country,
            "postalCode": account.address.postal_code,
            "currencyCode": account.currency,
            "paymentTermsCode": account.payment_terms,
            "customerPriceGroup": account.price_group,
            "blocked": account.blocked,
            "creditLimit": _text(account.credit_limit),
            "openReceivables": str(account.open_receivables),
            "overdue": str(account.overdue),
            "maxDaysPastDue": account.max_days_past_due,
            "creditTolerancePercent": account.credit_tolerance_percent,
            "onHold": int(account.credit_on_hold),
            "holdReason": account.hold_reason,
            "taxRegistrations": _json(registrations),
            "taxNumbers": tax_numbers(registrations),
            "lastModifiedDateTime": utc_text(account.changed_at),
        }


def _ship_tos(world: WorldModel) -> Iterator[dict[str, Any]]:
    for place in world.ship_tos:
        yield {
            "id": guid("shipTo", place.id),
            "crossdockId": place.id,
            "accountId": place.account_id,
            "code": place.code,
            "line1": place.address.line1,
            "city": place.address.city,
            "state": place.address.region,
            "postalCode": place.address.postal_code,
            "country": place.address.country,
            "gln": place.address.gln,
            "taxJurisdiction": place.tax_jurisdiction,
            "deliveryDays": _json(place.delivery_days),
            "active": int(place.active),
        }


def _items(world: WorldModel, now: str) -> Iterator[dict[str, Any]]:
    code_of = {category.id: category.code for category in world.categories}
    on_hand: dict[str, Decimal] = defaultdict(Decimal)
    for position in world.stock:
        on_hand[position.sku] += position.on_hand
    for item in world.items:
        units = [
            {"code": uom.uom, "perBase": uom.per_base, "gtin": uom.gtin, "sellable": uom.sellable} for uom in item.uoms
        ]
        yield {
            "id": guid("item", item.sku),
            "number": item.sku,
            "displayName": item.name,
            "searchName": item.name.lower(),
            "description": item.description,
            "brand": item.brand,
            "itemCategoryCode": code_of[item.category_id],
            "status": ITEM_STATUS[item.status],
            "baseUnitOfMeasureCode": item.base_uom,
            "gtin": item.gtin,
            "gtins": " ".join(dict.fromkeys([item.gtin, *(uom.gtin for uom in item.uoms if uom.gtin)])),
            "hazmatClass": item.hazmat_class,
            "taxCategory": item.tax_category,
            "unitPrice": None,
            "unitCost": str(item.unit_cost),
            "floorMarginPercent": str(item.floor_margin_percent),
            "minimumQuantity": str(item.min_quantity),
            "orderMultiple": str(item.multiple),
            "netWeight": str(item.net_weight_kg),
            "lotControlled": int(item.lot_controlled),
            "units": _json(units),
            "substitutes": _json(item.substitute_skus),
            "restrictedRegions": _json(item.restricted_regions),
            "inventory": str(on_hand[item.sku]),
            "blocked": int(item.status == "BLOCKED"),
            "lastModifiedDateTime": now,
        }


def _prices(world: WorldModel) -> Iterator[dict[str, Any]]:
    for rule in world.price_rules:
        breaks = [{"minimumQuantity": step.min_quantity, "unitPrice": step.unit} for step in rule.breaks]
        yield {
            "id": guid("price", rule.number),
            "number": rule.number,
            "level": rule.level,
            "currencyCode": rule.currency,
            "accountId": rule.account_id,
            "priceGroup": rule.price_group,
            "itemNumber": rule.sku,
            "categoryCode": rule.category_code,
            "brand": rule.brand,
            "unitPrice": _text(rule.unit),
            "discountPercent": _text(rule.discount_percent),
            "breaks": _json(breaks),
            "startingDate": rule.valid_from.isoformat(),
            "endingDate": None if rule.valid_to is None else rule.valid_to.isoformat(),
            "priority": rule.priority,
            "inheritToChildren": int(rule.inherit),
            "exclusive": int(rule.exclusive),
            "combinable": int(rule.combinable),
            "graduated": int(rule.graduated),
        }


def _orders(store: Store, world: WorldModel) -> None:
    numbers = {account.id: account.number for account in world.accounts}
    names = {item.sku: item.name for item in world.items}
    kept = [order for order in world.orders if order.in_erp]
    _insert(store, "orders", (_order(order, numbers[order.account_id]) for order in kept))
    _insert(
        store,
        "order_lines",
        (
            {
                "id": guid("line", f"{order.number}:{line.line_no}"),
                "documentId": guid("order", order.number),
                "sequence": line.line_no,
                "lineObjectNumber": line.sku,
                "description": names[line.sku],
                "unitOfMeasureCode": line.uom,
                "quantity": str(line.ordered),
                "unitPrice": str(line.unit_price),
                "netAmount": str(line.extended),
                "locationCode": line.warehouse_code,
                "allocated": str(line.allocated),
                "backordered": str(line.backordered),
                "shipped": str(line.shipped),
                "invoiced": str(line.invoiced),
                "cancelled": str(line.cancelled),
                "promisedDeliveryDate": line.promised_date and line.promised_date.isoformat(),
                "shipDate": line.promised_date and line.promised_date.isoformat(),
            }
            for order in kept
            for line in order.lines
        ),
    )


def _order(order: WorldOrder, customer: str) -> dict[str, Any]:
    changed = order.completed_at or order.accepted_at or order.submitted_at
    return {
        "id": guid("order", order.number),
        "number": order.number,
        "externalDocumentNumber": f"or:{order.id}:erp",
        "orderId": order.id,
        "accountId": order.account_id,
        "customerNumber": customer,
        "shipToId": order.ship_to_id,
        "poNumber": order.po_number,
        "channel": order.channel,
        "status": ORDER_STATUS[order.status],
        "currencyCode": order.currency,
        "totalAmountExcludingTax": str(order.subtotal),
        "totalTaxAmount": str(order.tax),
        "freight": str(order.freight),
        "totalAmountIncludingTax": str(order.total),
        "requestedDeliveryDate": order.requested_date.isoformat(),
        "promisedDeliveryDate": order.promised_date and order.promised_date.isoformat(),
        "submittedAt": utc_text(order.submitted_at),
        "acceptedAt": order.accepted_at and utc_text(order.accepted_at),
        "completedAt": order.completed_at and utc_text(order.completed_at),
        "opportunityId": order.opportunity_id,
        "quoteId": order.quote_id,
        "lastModifiedDateTime": utc_text(changed),
    }


def _documents(store: Store, world: WorldModel) -> None:
    numbers = {account.id: account.number for account in world.accounts}
    order_numbers = {order.id: order.number for order in world.orders}
    _insert(
        store,
        "posted_shipments",
        (
            {
                "id": guid("shipment", shipment.number),
                "number": shipment.number,
                "externalDocumentNumber": f"or:{shipment.order_id}:erp",
                "orderNumber": order_numbers[shipment.order_id],
                "customerNumber": numbers[shipment.account_id],
                "shipmentDate": shipment.milestones[-1].at.date().isoformat(),
            }
            for shipment in world.shipments
            if shipment.carrier is not None
        ),
    )
    _insert(
        store,
        "invoices",
        (
            {
                "id": guid("invoice", invoice.number),
                "number": invoice.number,
                "accountId": invoice.account_id,
                "orderId": invoice.order_id,
                "orderNumber": order_numbers[invoice.order_id],
                "customerNumber": numbers[invoice.account_id],
                "externalDocumentNumber": f"or:{invoice.order_id}:erp",
                "status": INVOICE_STATUS[invoice.status],
                "postedAt": utc_text(invoice.posted_at),
                "invoiceDate": invoice.posted_at.date().isoformat(),
                "dueDate": invoice.due_date.isoformat(),
                "currencyCode": invoice.currency,
                "totalAmountIncludingTax": str(invoice.total),
                "remainingAmount": str(invoice.balance),
            }
            for invoice in world.invoices
        ),
    )
    _insert(
        store,
        "returns",
        (
            {
                "id": guid("return", back.rma_number),
                "number": back.rma_number,
                "accountId": back.account_id,
                "orderId": back.order_id,
                "status": RETURN_STATUS[back.status],
                "currencyCode": back.currency,
                "creditAmount": _text(back.credit),
                "lines": _json(
                    [
                        {
                            "sequence": line.line_no,
                            "itemNumber": line.sku,
                            "quantity": line.quantity,
                            "unitOfMeasureCode": line.uom,
                            "reason": line.reason,
                            "disposition": line.disposition,
                        }
                        for line in back.lines
                    ]
                ),
                "createdAt": utc_text(back.created_at),
            }
            for back in world.returns
        ),
    )

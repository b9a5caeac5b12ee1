"""The entity sets: which fields each has, what can be expanded, where its rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["CUSTOM", "GROUPS", "SETS", "STANDARD", "EntitySet", "Kind", "Navigation"]

STANDARD = "v2.0"
CUSTOM = "crossdock/distribution/v1.0"
GROUPS = (STANDARD, CUSTOM)
"""Groups of APIs: Business Central's own, and the pages that an extension adds for what it lacks."""


class Kind(Enum):
    """How a column's value is shown and what it is compared with."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    WHOLE = "WHOLE"
    FLAG = "FLAG"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class Navigation:
    """What ``$expand`` brings: rows of another set of the group whose ``foreign`` field is our ``id``."""

    target: str
    foreign: str


@dataclass(frozen=True, slots=True)
class EntitySet:
    """A set of entities over a table; fields and columns have the same names.

    Attributes:
        order: column by which rows come unless ``$orderby`` says otherwise.
        only: SQL condition of the rows that belong to the set.
        version: SQL expression of what the ETag is made of.
    """

    name: str
    group: str
    table: str
    fields: Mapping[str, Kind]
    order: str = "number"
    expand: Mapping[str, Navigation] = field(default_factory=dict)
    only: str = "1 = 1"
    version: str = "1"


def _texts(names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), Kind.TEXT)


def _numbers(names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), Kind.NUMBER)


def _wholes(names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), Kind.WHOLE)


def _flags(names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), Kind.FLAG)


def _json(names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), Kind.JSON)


_LINE = (
    _texts("id documentId lineObjectNumber description unitOfMeasureCode locationCode")
    | _texts("promisedDeliveryDate shipDate")
    | _numbers("quantity unitPrice netAmount allocated backordered shipped invoiced cancelled")
    | _wholes("sequence")
)

_STANDARD = (
    EntitySet("companies", STANDARD, "companies", _texts("id name displayName"), "name"),
    EntitySet("companyInformation", STANDARD, "companies", _texts("id displayName currencyCode"), "name"),
    EntitySet(
        "customers",
        STANDARD,
        "customers",
        _texts("id number displayName addressLine1 city state country postalCode currencyCode paymentTermsCode blocked")
        | _texts("lastModifiedDateTime")
        | _numbers("creditLimit"),
    ),
    EntitySet("locations", STANDARD, "locations", _texts("id code displayName"), "code"),
    EntitySet(
        "items",
        STANDARD,
        "items",
        _texts("id number displayName itemCategoryCode gtin baseUnitOfMeasureCode lastModifiedDateTime")
        | _numbers("unitPrice unitCost inventory")
        | _flags("blocked"),
    ),
    EntitySet("itemCategories", STANDARD, "categories", _texts("id code displayName"), "code"),
    EntitySet("itemVariants", STANDARD, "item_variants", _texts("id itemNumber code description"), "code"),
    EntitySet(
        "salesOrders",
        STANDARD,
        "orders",
        _texts("id number externalDocumentNumber customerNumber currencyCode requestedDeliveryDate status")
        | _texts("lastModifiedDateTime")
        | _numbers("totalAmountExcludingTax totalTaxAmount totalAmountIncludingTax"),
        expand={"salesOrderLines": Navigation("salesOrderLines", "documentId")},
        only="status IN ('Draft', 'In Review', 'Open')",
        version="version",
    ),
    EntitySet("salesOrderLines", STANDARD, "order_lines", _LINE, "documentId, sequence"),
    EntitySet(
        "salesShipments",
        STANDARD,
        "posted_shipments",
        _texts("id number externalDocumentNumber orderNumber customerNumber shipmentDate"),
    ),
    EntitySet(
        "salesInvoices",
        STANDARD,
        "invoices",
        _texts("id number externalDocumentNumber orderNumber customerNumber status invoiceDate dueDate currencyCode")
        | _numbers("totalAmountIncludingTax remainingAmount"),
    ),
)

_CUSTOM = (
    EntitySet(
        "customerTerms",
        CUSTOM,
        "customers",
        _texts("id number crossdockId currencyCode paymentTermsCode customerPriceGroup blocked holdReason")
        | _texts("lastModifiedDateTime")
        | _numbers("creditLimit openReceivables overdue")
        | _wholes("maxDaysPastDue creditTolerancePercent")
        | _flags("onHold")
        | _json("taxRegistrations"),
    ),
    EntitySet(
        "customerCards",
        CUSTOM,
        "customers",
        _texts("id number crossdockId displayName addressLine1 city state country postalCode currencyCode")
        | _texts("paymentTermsCode customerPriceGroup blocked taxNumbers lastModifiedDateTime")
        | _numbers("creditLimit")
        | _json("taxRegistrations"),
        version="version",
    ),
    EntitySet(
        "shipToAddresses",
        CUSTOM,
        "ship_tos",
        _texts("id crossdockId accountId code line1 city state postalCode country gln taxJurisdiction")
        | _flags("active")
        | _json("deliveryDays"),
        "code",
    ),
    EntitySet(
        "distributionItems",
        CUSTOM,
        "items",
        _texts("id number displayName searchName description brand itemCategoryCode status baseUnitOfMeasureCode")
        | _texts("gtin gtins hazmatClass taxCategory")
        | _numbers("unitCost floorMarginPercent minimumQuantity orderMultiple netWeight")
        | _flags("lotControlled")
        | _json("units substitutes restrictedRegions"),
    ),
    EntitySet(
        "itemCategoryTree", CUSTOM, "categories", _texts("id crossdockId code displayName parentCrossdockId"), "code"
    ),
    EntitySet(
        "prices",
        CUSTOM,
        "prices",
        _texts("id number level currencyCode accountId priceGroup itemNumber categoryCode brand")
        | _texts("startingDate endingDate")
        | _numbers("unitPrice discountPercent")
        | _wholes("priority")
        | _flags("inheritToChildren exclusive combinable graduated")
        | _json("breaks"),
        version="version",
    ),
    EntitySet(
        "priceChanges",
        CUSTOM,
        "price_changes",
        _texts("id number changedAt accountId groupBefore groupAfter") | _wholes("entryNo") | _json("before after"),
        "entryNo",
    ),
    EntitySet(
        "exchangeRates",
        CUSTOM,
        "exchange_rates",
        _texts("id fromCurrency toCurrency startingDate") | _numbers("rate"),
        "startingDate",
    ),
    EntitySet(
        "purchaseSupplies",
        CUSTOM,
        "supplies",
        _texts("id number itemNumber locationCode kind expectedDate") | _numbers("quantity") | _flags("confirmed"),
        "expectedDate",
    ),
    EntitySet(
        "orders",
        CUSTOM,
        "orders",
        _texts("id number externalDocumentNumber orderId accountId customerNumber shipToId poNumber channel status")
        | _texts("currencyCode requestedDeliveryDate promisedDeliveryDate submittedAt acceptedAt completedAt")
        | _texts("opportunityId quoteId lastModifiedDateTime")
        | _numbers("totalAmountExcludingTax totalTaxAmount freight totalAmountIncludingTax"),
        "submittedAt",
        {"lines": Navigation("orderLines", "documentId")},
        version="version",
    ),
    EntitySet("orderLines", CUSTOM, "order_lines", _LINE, "documentId, sequence"),
    EntitySet(
        "openOrderValues",
        CUSTOM,
        "open_order_values",
        _texts("id accountId currencyCode") | _numbers("amount"),
        "accountId",
    ),
    EntitySet(
        "invoices",
        CUSTOM,
        "invoices",
        _texts("id number accountId orderId status postedAt dueDate currencyCode")
        | _numbers("totalAmountIncludingTax remainingAmount"),
        "postedAt",
    ),
    EntitySet(
        "postedInvoices",
        CUSTOM,
        "posted_invoices",
        _texts("id number accountId orderId status postedAt dueDate currencyCode")
        | _numbers("totalAmountIncludingTax remainingAmount taxAmount freight")
        | _wholes("entryNo")
        | _json("lines"),
        "entryNo",
    ),
    EntitySet("rebillings", CUSTOM, "rebillings", _texts("id key invoiceNumber"), "key"),
    EntitySet(
        "returnOrders",
        CUSTOM,
        "returns",
        _texts("id number accountId orderId status currencyCode createdAt") | _numbers("creditAmount") | _json("lines"),
    ),
)

SETS: tuple[EntitySet, ...] = (*_STANDARD, *_CUSTOM)
"""Every entity set."""

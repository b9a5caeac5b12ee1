"""Records of the old programs: which fields each has and what of the books they show."""

from __future__ import annotations

from sandbox.legacy_erp.fields import Field, Kind
from sandbox.legacy_erp.words import BLOCK, CHANNEL, INVOICE, LEVEL, ORDER, RETURN

__all__ = [
    "ALLOCATION",
    "BILLED_LINE",
    "CUSTOMER",
    "EXCHANGE_RATE",
    "INVOICE_HEAD",
    "OPEN_VALUE",
    "ORDER_HEAD",
    "ORDER_LINE",
    "POSTING",
    "PRICE",
    "PRICE_BREAK",
    "PRICE_CHANGE",
    "REBILLING",
    "RETURN_HEAD",
    "RETURN_LINE",
    "SHIP_TO",
    "TAX_REGISTRATION",
]

MONEY, UNIT_PRICE, QUANTITY, RATE, PERCENT = 3, 5, 3, 8, 4
"""Implied decimals."""

XREF = 80
"""Width of ids that other systems gave."""


def _text(name: str, column: str, width: int) -> Field:
    return Field(name, column, Kind.TEXT, width)


def _number(name: str, column: str, decimals: int = 0) -> Field:
    return Field(name, column, Kind.NUMBER, decimals)


def _date(name: str, column: str) -> Field:
    return Field(name, column, Kind.DATE)


def _stamp(name: str, column: str) -> Field:
    return Field(name, column, Kind.STAMP)


def _flag(name: str, column: str) -> Field:
    return Field(name, column, Kind.FLAG)


_ADDRESS = (
    _text("CITY", "city", 60),
    _text("REGN", "state", 10),
    _text("PSTCD", "postalCode", 12),
    _text("CTRY", "country", 2),
)

CUSTOMER = (
    _text("CUSNO", "number", 20),
    _text("CUXREF", "crossdockId", XREF),
    _text("CUNAM", "displayName", 120),
    _text("ADDR1", "addressLine1", 120),
    *_ADDRESS,
    _text("CURCD", "currencyCode", 3),
    _text("TRMCD", "paymentTermsCode", 10),
    _text("PRGRP", "customerPriceGroup", 10),
    Field("BLKCD", "blocked", Kind.WORD, words=BLOCK),
    _number("CRLIM", "creditLimit", MONEY),
    _number("OPNAR", "openReceivables", MONEY),
    _number("OVDUE", "overdue", MONEY),
    _number("MAXDPD", "maxDaysPastDue"),
    _number("TOLPC", "creditTolerancePercent"),
    _flag("CRHLD", "onHold"),
    _text("HLDRS", "holdReason", 120),
    _number("CHGNO", "version"),
)
TAX_REGISTRATION = (
    _text("TXKND", "kind", 20),
    _text("TXNO", "number", 40),
    _text("TXJUR", "jurisdiction", 20),
    _flag("EXMPT", "exempt"),
    _date("CRTEX", "certificateExpires"),
    _stamp("VRF", "verifiedAt"),
)
SHIP_TO = (
    _text("STXREF", "crossdockId", XREF),
    _text("CUXREF", "accountId", XREF),
    _text("STCOD", "code", 40),
    _text("ADDR1", "line1", 120),
    *_ADDRESS,
    _text("GLN", "gln", 13),
    _text("TXJUR", "taxJurisdiction", 20),
    _flag("ACTVE", "active"),
)
PRICE = (
    _text("PRCNO", "number", 60),
    Field("LEVEL", "level", Kind.WORD, words=LEVEL),
    _text("CURCD", "currencyCode", 3),
    _text("CUXREF", "accountId", XREF),
    _text("PRGRP", "priceGroup", 10),
    _text("ITMNO", "itemNumber", 20),
    _text("CATCD", "categoryCode", 20),
    _text("BRAND", "brand", 40),
    _number("UNPRC", "unitPrice", UNIT_PRICE),
    _number("DSCPC", "discountPercent", PERCENT),
    _date("VLFRM", "startingDate"),
    Field("VLTO", "endingDate", Kind.LAST_DAY),
    _number("PRIOR", "priority"),
    _flag("INHER", "inheritToChildren"),
    _flag("EXCLU", "exclusive"),
    _flag("COMBI", "combinable"),
    _flag("GRADU", "graduated"),
)
PRICE_BREAK = (_number("MINQT", "minimumQuantity", QUANTITY), _number("UNPRC", "unitPrice", UNIT_PRICE))
PRICE_CHANGE = (
    _number("ENTNO", "entryNo"),
    _stamp("CHG", "changedAt"),
    _text("CUXREF", "accountId", XREF),
    _text("GRPBF", "groupBefore", 10),
    _text("GRPAF", "groupAfter", 10),
)
EXCHANGE_RATE = (_number("RATE", "rate", RATE),)
ORDER_HEAD = (
    _text("ORDNO", "number", 20),
    _text("ORXREF", "orderId", XREF),
    _text("CUXREF", "accountId", XREF),
    _text("STXREF", "shipToId", XREF),
    _text("PONO", "poNumber", 120),
    Field("CHANL", "channel", Kind.WORD, words=CHANNEL),
    Field("ORSTS", "status", Kind.WORD, words=ORDER),
    _text("CURCD", "currencyCode", 3),
    _number("NETAM", "totalAmountExcludingTax", MONEY),
    _number("TAXAM", "totalTaxAmount", MONEY),
    _number("FRTAM", "freight", MONEY),
    _number("TOTAM", "totalAmountIncludingTax", MONEY),
    _date("REQDT", "requestedDeliveryDate"),
    _date("PRMDT", "promisedDeliveryDate"),
    _stamp("ENT", "submittedAt"),
    _stamp("ACC", "acceptedAt"),
    _stamp("CLS", "completedAt"),
    _text("OPXREF", "opportunityId", XREF),
    _text("QUXREF", "quoteId", XREF),
    _number("CHGNO", "version"),
)
ORDER_LINE = (
    _number("LINNO", "sequence"),
    _text("ITMNO", "lineObjectNumber", 20),
    _text("ITDSC", "description", 120),
    _text("UOM", "unitOfMeasureCode", 4),
    _number("ORDQT", "quantity", QUANTITY),
    _number("UNPRC", "unitPrice", UNIT_PRICE),
    _number("NETAM", "netAmount", MONEY),
    _text("WHSCD", "locationCode", 5),
    _number("ALCQT", "allocated", QUANTITY),
    _number("BCKQT", "backordered", QUANTITY),
    _number("SHPQT", "shipped", QUANTITY),
    _number("INVQT", "invoiced", QUANTITY),
    _number("CNCQT", "cancelled", QUANTITY),
    _date("PRMDT", "promisedDeliveryDate"),
    _date("SHPDT", "shipDate"),
)
ALLOCATION = (
    _number("LINNO", "sequence"),
    _text("WHSCD", "locationCode", 5),
    _number("ALCQT", "allocated", QUANTITY),
    _number("BCKQT", "backordered", QUANTITY),
    _date("SHPDT", "shipDate"),
    _date("BCKDT", "backorderDate"),
)
OPEN_VALUE = (
    _text("CUXREF", "accountId", XREF),
    _text("CURCD", "currencyCode", 3),
    _number("OPNVL", "amount", MONEY),
)
INVOICE_HEAD = (
    _text("INVNO", "number", 20),
    _text("CUXREF", "accountId", XREF),
    _text("ORXREF", "orderId", XREF),
    Field("IVSTS", "status", Kind.WORD, words=INVOICE),
    _stamp("PST", "postedAt"),
    _date("DUEDT", "dueDate"),
    _text("CURCD", "currencyCode", 3),
    _number("TOTAM", "totalAmountIncludingTax", MONEY),
    _number("BALAM", "remainingAmount", MONEY),
)
POSTING = (*INVOICE_HEAD, _number("TAXAM", "taxAmount", MONEY), _number("FRTAM", "freight", MONEY))
BILLED_LINE = (
    _number("LINNO", "sequence"),
    _number("BILQT", "quantity", QUANTITY),
    _number("UNPRC", "unitPrice", UNIT_PRICE),
    _number("NETAM", "netAmount", MONEY),
)
REBILLING = (_text("INVNO", "invoiceNumber", 20),)
RETURN_HEAD = (
    _text("RMANO", "number", 20),
    _text("CUXREF", "accountId", XREF),
    _text("ORXREF", "orderId", XREF),
    Field("RTSTS", "status", Kind.WORD, words=RETURN),
    _text("CURCD", "currencyCode", 3),
    _number("CRDAM", "creditAmount", MONEY),
    _stamp("ENT", "createdAt"),
)
RETURN_LINE = (
    _number("LINNO", "sequence"),
    _text("ITMNO", "itemNumber", 20),
    _number("RTNQT", "quantity", QUANTITY),
    _text("UOM", "unitOfMeasureCode", 4),
    _text("RSNCD", "reason", 60),
    _text("DSPCD", "disposition", 20),
)

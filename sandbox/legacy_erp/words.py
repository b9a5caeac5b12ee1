"""The old programs' codes: two letters for what the books say in words, and for why something was refused."""

from __future__ import annotations

from sandbox.erp_book.codes import CANCELLED, COMPLETED, DRAFT, IN_REVIEW, OPEN, ErpError

__all__ = ["BLOCK", "CHANNEL", "INVOICE", "LEVEL", "ORDER", "PARTLY_PAID", "RETURN", "RETURN_CODES", "SUPPORT"]

ORDER = {DRAFT: "DR", IN_REVIEW: "HL", OPEN: "OP", COMPLETED: "CL", CANCELLED: "CN"}
CHANNEL = {
    "SALES_REP": "SR",
    "PORTAL": "PT",
    "MOBILE": "MB",
    "EDI": "ED",
    "ECOM": "EC",
    "SERVICE_DESK": "SD",
}
PARTLY_PAID = "Partly Paid"
"""What these programs call an open invoice of which something is paid; the books have no word for it."""

INVOICE = {"Draft": "DR", "Open": "OP", PARTLY_PAID: "PP", "Paid": "PD", "Corrective": "CR", "Canceled": "VD"}
RETURN = {
    "Open": "RQ",
    "Released": "AP",
    "Denied": "DN",
    "In Transit": "IT",
    "Received": "RC",
    "Inspected": "IN",
    "Credited": "CR",
    "Replaced": "RP",
    "Closed": "CL",
    "Canceled": "CN",
}
BLOCK = {"": "", "Ship": "SH", "Invoice": "IV", "All": "AL"}
LEVEL = {"LIST": "LS", "PROMOTION": "PM", "PRICE_GROUP": "GR", "CONTRACT": "CT"}

SUPPORT = "99"
"""Return code of a failure that is nobody's request's fault."""

RETURN_CODES = {
    ErpError.BAD_REQUEST: "BR",
    ErpError.NO_RECORD: "NF",
    ErpError.NOT_PROVIDED: "MF",
    ErpError.SAME_KEY: "DU",
    ErpError.CHANGED: "CH",
    ErpError.KEY_USED: "KU",
    ErpError.LINES: "LN",
    ErpError.FIELD: "FV",
    ErpError.CUSTOMER_UNKNOWN: "CU",
    ErpError.CUSTOMER_BLOCKED: "CB",
    ErpError.CURRENCY: "CY",
    ErpError.SHIP_TO: "ST",
    ErpError.ITEM_UNKNOWN: "IU",
    ErpError.ITEM_NOT_SOLD: "IX",
    ErpError.UNIT: "UM",
    ErpError.QUANTITY: "QT",
    ErpError.PRICE: "PR",
    ErpError.LOCATION: "WH",
    ErpError.NOT_OPEN: "NO",
    ErpError.SHIPPED: "SD",
    ErpError.INVOICE_STATE: "IS",
    ErpError.RETURN_STATE: "RS",
}
"""Codes of refusals, by the books' own."""

"""What the old programs' return codes mean: reasons and fields in the words of our processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.enums import SourceSystem
from systems.errors import Conflict, ConnectorError, NotFound, Rejected
from systems.outcome import Action, Outcome

__all__ = ["BROKE_OFF", "DONE", "OWN_OUTCOMES", "failure_of"]

DONE = "00"
"""Return code of a program that did what it was asked."""

BROKE_OFF = "99"
"""Return code of a program that failed under way: it says nothing about what was asked, and may have done it."""

OWN_OUTCOMES: Mapping[int, Outcome] = dict.fromkeys(
    (400, 404, 409, 412, 422, 423), Outcome(Action.FAIL, "the façade has run no program")
)
"""Statuses that tell something of a record elsewhere: here programs tell that, by return codes. A missing program must
not be taken for a missing record, of which there is nothing to undo."""

_NOT_FOUND = "NF"
_CONFLICTS = frozenset({"DU", "CH", "KU"})
"""Such a record is there already; it has changed since; the key has done something else."""

_REASONS = {
    "CU": "NOT_A_CUSTOMER",
    "CB": "CUSTOMER_BLOCKED",
    "CY": "CURRENCY",
    "ST": "UNKNOWN_SHIP_TO",
    "IU": "UNKNOWN_SKU",
    "IX": "ITEM_BLOCKED",
    "UM": "UNKNOWN_UNIT",
    "QT": "QUANTITY",
    "PR": "PRICE",
    "WH": "UNKNOWN_WAREHOUSE",
    "LN": "LINES",
    "FV": "FIELD",
    "NO": "ORDER_NOT_OPEN",
    "SD": "ORDER_SHIPPED",
    "IS": "INVOICE_STATE",
    "RS": "RETURN_STATE",
}
_FIELDS = {
    "ITMNO": "sku",
    "UOM": "uom",
    "WHSCD": "warehouseCode",
    "CURCD": "currency",
    "REQDT": "requestedDate",
    "LINNO": "lineNo",
    "ORDQT": "quantity",
    "BILQT": "quantity",
    "RTNQT": "quantity",
    "UNPRC": "unitPrice",
    "CUXREF": "accountId",
    "SRVREF": "accountId",
    "STXREF": "shipToId",
    "ORXREF": "orderId",
    "ORDNO": "number",
    "RMANO": "number",
    "CTRY": "country",
    "REGN": "state",
    "CITY": "city",
    "PSTCD": "postalCode",
    "ADDR1": "addressLine1",
    "TRMCD": "paymentTermsCode",
    "PRGRP": "priceGroup",
    "LINS": "lines",
    "SHTS": "shipTos",
    "TAXS": "taxRegistrations",
}


def failure_of(operation: str, body: Mapping[str, Any]) -> ConnectorError:
    """Return the failure that a refusal stands for; a code or field that nobody knows stays as it is."""
    system, code, message = SourceSystem.LEGACY_ERP, str(body["RC"]), str(body["MSG"]).rstrip()
    if code == _NOT_FOUND:
        return NotFound(system, operation, message)
    if code in _CONFLICTS:
        return Conflict(system, operation, message)
    field = str(body.get("FLD", "")).rstrip()
    fields = (".".join(_FIELDS.get(part, part) for part in field.split("/")),) if field else ()
    return Rejected(system, operation, message, reason=_REASONS.get(code, code), fields=fields)

"""What the ERP's error bodies mean: reasons and fields in the words of our processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schema.enums import SourceSystem
from systems.errors import ConnectorError, RateLimited, Rejected, Unavailable, Unexpected
from systems.outcome import Action, Outcome, outcome_for

__all__ = ["OWN_REASONS", "batch_failure", "read_refusal"]

OWN_REASONS: Mapping[str, Outcome] = {
    "Internal_EntityWithSameKeyExists": Outcome(Action.CONFLICT, "such a document exists already"),
}
"""Reasons that say more than their status."""

BATCH_RETRY_AFTER_S = 1.0
"""Pause when the system limits a part of a batch, where no header says how long."""

_REASONS = {
    "Crossdock_CustomerUnknown": "NOT_A_CUSTOMER",
    "Crossdock_CustomerBlocked": "CUSTOMER_BLOCKED",
    "Crossdock_CurrencyUnknown": "CURRENCY",
    "Crossdock_ShipToUnknown": "UNKNOWN_SHIP_TO",
    "Crossdock_ItemUnknown": "UNKNOWN_SKU",
    "Crossdock_ItemNotSold": "ITEM_BLOCKED",
    "Crossdock_UnitUnknown": "UNKNOWN_UNIT",
    "Crossdock_QuantityInvalid": "QUANTITY",
    "Crossdock_PriceInvalid": "PRICE",
    "Crossdock_LocationUnknown": "UNKNOWN_WAREHOUSE",
    "Crossdock_LinesInvalid": "LINES",
    "Crossdock_FieldInvalid": "FIELD",
    "Crossdock_OrderNotOpen": "ORDER_NOT_OPEN",
    "Crossdock_OrderShipped": "ORDER_SHIPPED",
    "Crossdock_InvoiceState": "INVOICE_STATE",
    "Crossdock_ReturnState": "RETURN_STATE",
}
_FIELDS = {
    "lineObjectNumber": "sku",
    "unitOfMeasureCode": "uom",
    "locationCode": "warehouseCode",
    "currencyCode": "currency",
    "requestedDeliveryDate": "requestedDate",
    "sequence": "lineNo",
}


def read_refusal(body: Any) -> tuple[str, str, tuple[str, ...]]:
    """Return (reason, message, fields); fields are paths such as ``lines.0.sku``, and a code nobody knows stays."""
    error = body["error"]
    target = error.get("target")
    fields = () if target is None else (".".join(_FIELDS.get(part, part) for part in target.split("/")),)
    return _REASONS.get(error["code"], error["code"]), error["message"], fields


def batch_failure(operation: str, entry: Mapping[str, Any]) -> ConnectorError:
    """Return the failure of one question of a batch."""
    system, status = SourceSystem.CLOUD_ERP, entry.get("status")
    if not isinstance(status, int):
        return Unexpected(system, operation, "a part of the batch has no status")
    outcome = outcome_for(status)
    message = f"{outcome.message} (status {status} within a batch)"
    match outcome.action:
        case Action.RETRY:
            return Unavailable(system, operation, message, outcome_unknown=False)
        case Action.RATE_LIMITED:
            return RateLimited(system, operation, message, BATCH_RETRY_AFTER_S)
        case Action.REJECT:
            try:
                reason, text, fields = read_refusal(entry["body"])
            except (LookupError, TypeError, AttributeError):
                return Unexpected(system, operation, message)
            return Rejected(system, operation, text, reason=reason, fields=fields)
    return Unexpected(system, operation, message)

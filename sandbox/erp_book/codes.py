"""The ERP's own words: its states and the codes of its errors."""

from __future__ import annotations

from sandbox.kit.rest import Refusal

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "DRAFT",
    "INVOICE_STATUS",
    "IN_REVIEW",
    "ITEM_STATUS",
    "OPEN",
    "ORDER_STATUS",
    "RETURN_STATUS",
    "BadField",
    "ErpError",
]

DRAFT, IN_REVIEW, OPEN = "Draft", "In Review", "Open"
"""States of sales orders in the standard API: entered, waiting for an approval, released."""

COMPLETED, CANCELLED = "Completed", "Cancelled"
"""States that the extension keeps of documents which the standard API no longer shows."""

ORDER_STATUS = {"ACCEPTED": OPEN, "COMPLETED": COMPLETED, "CANCELLED": CANCELLED}
ITEM_STATUS = {
    "ACTIVE": "Active",
    "BLOCKED": "Blocked",
    "PHASE_OUT": "Phase-Out",
    "DISCONTINUED": "Discontinued",
}
INVOICE_STATUS = {
    "DRAFT": "Draft",
    "POSTED": "Open",
    "PARTIALLY_PAID": "Open",
    "PAID": "Paid",
    "CREDITED": "Corrective",
    "VOID": "Canceled",
}
RETURN_STATUS = {
    "REQUESTED": "Open",
    "APPROVED": "Released",
    "DENIED": "Denied",
    "IN_TRANSIT": "In Transit",
    "RECEIVED": "Received",
    "INSPECTED": "Inspected",
    "CREDITED": "Credited",
    "REPLACED": "Replaced",
    "CLOSED": "Closed",
    "CANCELLED": "Canceled",
}
"""The world's words in those of the ERP."""


class ErpError:
    """Codes of errors; those of the extension say what is wrong, where the standard API knows one code for all."""

    BAD_REQUEST = "BadRequest"
    NOT_FOUND = "BadRequest_NotFound"
    NO_RECORD = "Internal_RecordNotFound"
    METHOD = "BadRequest_MethodNotAllowed"
    TOO_LARGE = "RequestEntityTooLarge"
    NOT_PROVIDED = "BadRequest_RequiredParamNotProvided"
    CREDENTIALS = "Authentication_InvalidCredentials"
    SAME_KEY = "Internal_EntityWithSameKeyExists"
    CHANGED = "Request_EntityChanged"
    PRECONDITION = "BadRequest_PreconditionFailed"
    LINES = "Crossdock_LinesInvalid"
    FIELD = "Crossdock_FieldInvalid"
    CUSTOMER_UNKNOWN = "Crossdock_CustomerUnknown"
    CUSTOMER_BLOCKED = "Crossdock_CustomerBlocked"
    CURRENCY = "Crossdock_CurrencyUnknown"
    SHIP_TO = "Crossdock_ShipToUnknown"
    ITEM_UNKNOWN = "Crossdock_ItemUnknown"
    ITEM_NOT_SOLD = "Crossdock_ItemNotSold"
    UNIT = "Crossdock_UnitUnknown"
    QUANTITY = "Crossdock_QuantityInvalid"
    PRICE = "Crossdock_PriceInvalid"
    LOCATION = "Crossdock_LocationUnknown"
    NOT_OPEN = "Crossdock_OrderNotOpen"
    SHIPPED = "Crossdock_OrderShipped"
    KEY_USED = "Crossdock_KeyUsed"
    INVOICE_STATE = "Crossdock_InvoiceState"
    RETURN_STATE = "Crossdock_ReturnState"


class BadField(Refusal):
    """A refusal (400) that names the field: ``target`` is its path in the body, such as ``lines/0/quantity``."""

    def __init__(self, code: str, message: str, target: str) -> None:
        super().__init__(400, code, message)
        self.target = target

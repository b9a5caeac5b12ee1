"""Shipment status codes of X12 transaction set 214, as far as this system reports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["CODES", "FAILED", "FINAL", "NEW_DATE", "STATUS_CODES", "status_code"]

CODES: Mapping[str, str] = {
    "CP": "loaded at the pick-up",
    "AF": "departed from the pick-up",
    "X6": "on its way",
    "X3": "arrived at the pick-up",
    "X1": "arrived at the delivery",
    "SD": "delayed",
    "AJ": "out for delivery",
    "D1": "delivered",
    "A7": "refused by the consignee",
    "AP": "delivery not completed",
    "A3": "returned to the shipper",
    "CA": "cancelled",
    "AG": "new delivery date",
    "X2": "new delivery date at the consignee's wish",
}

NEW_DATE = frozenset({"AG", "X2"})
"""Codes that change the estimated delivery and nothing else."""

STATUS_CODES = frozenset(CODES) - NEW_DATE - {"X1", "X3"}
"""Codes that say where the load stands."""

FINAL = frozenset({"D1", "A3", "CA"})
"""Codes after which nothing follows."""

FAILED = frozenset({"A7", "AP"})
"""Codes of a delivery that is tried again the next day."""


def status_code(told: Iterable[tuple[str, str]]) -> str | None:
    """Return the code that says where a load stands from (code, time) pairs: the newest by time, an end being final."""
    found: str | None = None
    for code, _ in sorted(told, key=lambda entry: entry[1]):
        if code in STATUS_CODES and found not in FINAL:
            found = code
    return found

"""The vendor's words and ours. A word that is not here is refused, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from schema.enums import AccountStatus, CaseStatus, ErpHome, OrderStatus, QuoteStatus

__all__ = [
    "ACCOUNT_STATUS",
    "CASE_STATUS",
    "ERP_HOME",
    "ORDER_STATUS",
    "OUR_CHANNEL",
    "PRIORITY",
    "QUOTE_STATUS",
    "meaning",
    "word",
]

T = TypeVar("T")

ACCOUNT_STATUS: Mapping[str, AccountStatus] = {
    "Prospect": AccountStatus.PROSPECT,
    "Pending": AccountStatus.PENDING,
    "Active": AccountStatus.ACTIVE,
    "On Hold": AccountStatus.ON_HOLD,
    "Inactive": AccountStatus.INACTIVE,
    "Merged": AccountStatus.MERGED,
}

ERP_HOME: Mapping[str, ErpHome] = {
    "Legacy ERP": ErpHome.LEGACY_ERP,
    "Migrating": ErpHome.MIGRATING,
    "Cloud ERP": ErpHome.CLOUD_ERP,
}

CASE_STATUS: Mapping[str, CaseStatus] = {
    "New": CaseStatus.OPEN,
    "Working": CaseStatus.ANSWERED,
    "Waiting on Customer": CaseStatus.WAITING_CUSTOMER,
    "Resolved": CaseStatus.RESOLVED,
    "Closed": CaseStatus.CLOSED,
}

ORDER_STATUS: Mapping[str, OrderStatus] = {
    "Received": OrderStatus.RECEIVED,
    "In Review": OrderStatus.VALIDATING,
    "On Hold": OrderStatus.ON_HOLD,
    "Accepted": OrderStatus.ACCEPTED,
    "Rejected": OrderStatus.REJECTED,
    "Change Pending": OrderStatus.CHANGE_PENDING,
    "Cancel Pending": OrderStatus.CANCEL_PENDING,
    "Cancelled": OrderStatus.CANCELLED,
    "Completed": OrderStatus.COMPLETED,
}

QUOTE_STATUS: Mapping[str, QuoteStatus] = {
    "Draft": QuoteStatus.DRAFT,
    "Needs Review": QuoteStatus.DRAFT,
    "Priced": QuoteStatus.PRICED,
    "In Review": QuoteStatus.PENDING_APPROVAL,
    "Approved": QuoteStatus.APPROVED,
    "Rejected": QuoteStatus.REJECTED,
    "Presented": QuoteStatus.SENT,
    "Accepted": QuoteStatus.ACCEPTED,
    "Denied": QuoteStatus.DECLINED,
    "Expired": QuoteStatus.EXPIRED,
    "Converted": QuoteStatus.CONVERTED,
    "Superseded": QuoteStatus.SUPERSEDED,
}

PRIORITY: Mapping[str, str] = {"Low": "LOW", "Medium": "NORMAL", "High": "HIGH"}


OUR_CHANNEL = "Crossdock"
"""Where a case comes from that the platform has opened."""


def meaning(words: Mapping[str, T], text: str, what: str) -> T:
    """Return what a word of the vendor means.

    Raises:
        ValueError: it is not one of the words; the message names it and ``what`` it is said of.
    """
    if text not in words:
        raise ValueError(f"{what} is {text!r}, known are {', '.join(words)}")
    return words[text]


def word(words: Mapping[str, T], value: T) -> str:
    """Return the vendor's word for a value."""
    return next(text for text, meant in words.items() if meant == value)

"""Which ERP does what for an account, by where the account is at home: the rule by which questions are routed.

An account that migrates has its old documents in the legacy ERP and its new ones in the cloud. Its terms, places and
contracts stay with the legacy ERP until it has moved; what is written about the customer is written in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from schema.enums import ErpHome, SourceSystem

__all__ = ["ERPS", "NEW_CUSTOMERS", "Capability", "erps_of", "home_of_new_orders"]

_CLOUD, _LEGACY = SourceSystem.CLOUD_ERP, SourceSystem.LEGACY_ERP

ERPS = (_CLOUD, _LEGACY)
"""The kinds of ERP."""


NEW_CUSTOMERS = ErpHome.CLOUD_ERP
"""Where accounts are at home that the CRM does not know yet."""


class Capability(StrEnum):
    """What an ERP does for an account."""

    TERMS = "TERMS"
    """Decides about terms, price group and places."""

    CONTRACTS = "CONTRACTS"
    """Decides about contract prices."""

    CUSTOMER = "CUSTOMER"
    """Has a card of the customer, which says what is owed and is written to."""

    DOCUMENTS = "DOCUMENTS"
    """May have orders, invoices and returns."""

    NEW_ORDERS = "NEW_ORDERS"
    """Takes new orders."""


_MIGRATING: Mapping[Capability, tuple[SourceSystem, ...]] = {
    Capability.TERMS: (_LEGACY,),
    Capability.CONTRACTS: (_LEGACY,),
    Capability.CUSTOMER: (_LEGACY, _CLOUD),
    Capability.DOCUMENTS: (_LEGACY, _CLOUD),
    Capability.NEW_ORDERS: (_CLOUD,),
}

_ERPS_OF: Mapping[ErpHome, Mapping[Capability, tuple[SourceSystem, ...]]] = {
    ErpHome.CLOUD_ERP: dict.fromkeys(Capability, (_CLOUD,)),
    ErpHome.LEGACY_ERP: dict.fromkeys(Capability, (_LEGACY,)),
    ErpHome.MIGRATING: _MIGRATING,
}


def erps_of(home: ErpHome, capability: Capability) -> tuple[SourceSystem, ...]:
    """Return the ERPs that do something for an account, the one that decides first."""
    return _ERPS_OF[home][capability]


def home_of_new_orders(home: ErpHome) -> SourceSystem:
    """Return the ERP that takes a new order of an account."""
    (erp,) = erps_of(home, Capability.NEW_ORDERS)
    return erp

"""Which system decides about which fields, and which team answers for the object: the systems of record as data.

One row per object, group of fields and condition; a group has one owner under each condition, so that nobody has to
choose between two answers.
"""

from __future__ import annotations

from schema.enums import SourceSystem
from schema.operations.views import OwnershipRule

__all__ = ["OWNERSHIP"]

_S = SourceSystem
_CLOUD = "the account's erpHome is CLOUD_ERP"
_LEGACY = "the account's erpHome is LEGACY_ERP or MIGRATING"
_BORN_CLOUD = "the order was created in CLOUD_ERP"
_BORN_LEGACY = "the order was created in LEGACY_ERP"

_CUSTOMERS = "Customer Data"
_SALES = "Sales Operations"
_PRODUCTS = "Product Data"
_PRICING = "Pricing"
_CREDIT = "Credit and Receivables"
_ORDERS = "Order Management"
_WAREHOUSES = "Warehouse Operations"
_TRANSPORT = "Transport"
_PURCHASING = "Purchasing"
_SERVICE = "Customer Service"
_PLATFORM = "Integration Platform"

# fmt: off
OWNERSHIP: tuple[OwnershipRule, ...] = (
    OwnershipRule("Account", "platform id, crosswalk, golden match, hierarchy links", _S.PLATFORM, None, _CUSTOMERS),
    OwnershipRule("Account", "name, prospect data, owner, territory", _S.CRM, None, _CUSTOMERS),
    OwnershipRule("Account", "sold-to terms, price group, block flags", _S.CLOUD_ERP, _CLOUD, _CUSTOMERS),
    OwnershipRule("Account", "sold-to terms, price group, block flags", _S.LEGACY_ERP, _LEGACY, _CUSTOMERS),
    OwnershipRule("Account", "receivables, overdue, credit limit", _S.FINANCE, None, _CREDIT),
    OwnershipRule("ShipTo", "address, delivery days, tax jurisdiction", _S.CLOUD_ERP, _CLOUD, _CUSTOMERS),
    OwnershipRule("ShipTo", "address, delivery days, tax jurisdiction", _S.LEGACY_ERP, _LEGACY, _CUSTOMERS),
    OwnershipRule("Contact", "all", _S.CRM, None, _SALES),
    OwnershipRule("Opportunity", "all", _S.CRM, None, _SALES),
    OwnershipRule("Item", "all", _S.CLOUD_ERP, None, _PRODUCTS),
    OwnershipRule("Price", "list price, group prices, promotions", _S.CLOUD_ERP, None, _PRICING),
    OwnershipRule("Price", "contracts", _S.CLOUD_ERP, _CLOUD, _PRICING),
    OwnershipRule("Price", "contracts", _S.LEGACY_ERP, _LEGACY, _PRICING),
    OwnershipRule("Quote", "all until converted, approvals", _S.PLATFORM, None, _SALES),
    OwnershipRule("Order", "header, lines, firm allocation, promise", _S.CLOUD_ERP, _BORN_CLOUD, _ORDERS),
    OwnershipRule("Order", "header, lines, firm allocation, promise", _S.LEGACY_ERP, _BORN_LEGACY, _ORDERS),
    OwnershipRule("Order", "submission before the ERP accepted it, holds, exceptions", _S.PLATFORM, None, _ORDERS),
    OwnershipRule("Return", "RMA", _S.CLOUD_ERP, _BORN_CLOUD, _ORDERS),
    OwnershipRule("Return", "RMA", _S.LEGACY_ERP, _BORN_LEGACY, _ORDERS),
    OwnershipRule("Inventory", "on-hand, lots, blocked stock", _S.WMS, None, _WAREHOUSES),
    OwnershipRule("Inventory", "soft reservations", _S.PLATFORM, None, _ORDERS),
    OwnershipRule("Inventory", "inbound supply of suppliers", _S.SUPPLIER, "the supplier confirmed it", _PURCHASING),
    OwnershipRule("Inventory", "inbound supply of suppliers", _S.CLOUD_ERP, "it is planned", _PURCHASING),
    OwnershipRule("Shipment", "pick, pack and ship facts", _S.WMS, None, _WAREHOUSES),
    OwnershipRule("Shipment", "load, milestones, ETA, proof of delivery", _S.TMS, None, _TRANSPORT),
    OwnershipRule("Invoice", "all", _S.FINANCE, None, _CREDIT),
    OwnershipRule("Credit memo", "all", _S.FINANCE, None, _CREDIT),
    OwnershipRule("ServiceCase", "all", _S.SUPPORT, None, _SERVICE),
    OwnershipRule("ProcessInstance", "all", _S.PLATFORM, None, _PLATFORM),
    OwnershipRule("ExceptionTask", "all", _S.PLATFORM, None, _PLATFORM),
    OwnershipRule("LineageEvent", "all, never edited", _S.PLATFORM, None, _PLATFORM),
)
"""Every rule, by object."""
# fmt: on

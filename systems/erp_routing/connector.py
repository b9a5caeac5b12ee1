"""Every port of the ERPs, over all of them."""

from __future__ import annotations

from collections.abc import Mapping

from schema.enums import SourceSystem
from systems.erp_routing.account_homes import AccountHomes
from systems.erp_routing.customers import Customers
from systems.erp_routing.invoices import Invoices, Returns
from systems.erp_routing.items import Items
from systems.erp_routing.orders import Orders
from systems.erp_routing.prices import Prices
from systems.erp_routing.route import AnyErp, ItemErp, Route
from systems.ports import AccountDirectory, OrderLedger

__all__ = ["ErpRouting"]


class ErpRouting(Customers, Items, Prices, Orders, Invoices, Returns):
    """The ERPs as one. Each posts invoices in an order of its own: postings are read from each by itself.

    Args:
        cloud: the cloud ERP, which is the item master too.
        others: ERPs besides it that customers are at home in.
        homes: where accounts are at home.
        directory: says so of those that are not known.
        ledger: knows where orders were created.
    """

    def __init__(
        self,
        cloud: ItemErp,
        others: Mapping[SourceSystem, AnyErp],
        homes: AccountHomes,
        directory: AccountDirectory,
        ledger: OrderLedger,
    ) -> None:
        super().__init__()
        self._route = Route({SourceSystem.CLOUD_ERP: cloud, **others}, cloud, homes, directory, ledger)

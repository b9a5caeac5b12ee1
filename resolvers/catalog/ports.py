"""What the catalog subgraph is made over."""

from __future__ import annotations

from dataclasses import dataclass

from processes.rules.tokens import TokenSigner
from systems.ports import AccountDirectory, Clock, CustomerMaster, ItemMaster, PriceBook

__all__ = ["CatalogPorts"]


@dataclass(frozen=True, slots=True)
class CatalogPorts:
    """Ports of the catalog subgraph.

    Attributes:
        items: items and categories.
        prices: the price book.
        customers: currencies and price groups of customers, delivery places.
        directory: who is whose parent, for contracts that children inherit.
        signer: signs price tokens; the same keys as where orders are submitted.
        clock: where time comes from.
    """

    items: ItemMaster
    prices: PriceBook
    customers: CustomerMaster
    directory: AccountDirectory
    signer: TokenSigner
    clock: Clock

"""What the catalog subgraph is made over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from events.ports import EventLog
from processes.fallbacks import FALLBACKS, Operation
from processes.rules.tokens import TokenSigner
from resolvers.timing import Served, untold
from schema.enums import SourceSystem
from systems.memory import Memory
from systems.ports import AccountDirectory, AccountMerges, Clock, CustomerMaster, ItemMaster, PriceBook

__all__ = ["CatalogPorts"]

PRICES_WITHIN = FALLBACKS[SourceSystem.CLOUD_ERP, Operation.PRICE].within or timedelta()
"""How old the facts of a price may be."""


@dataclass(frozen=True, slots=True)
class CatalogPorts:
    """Ports of the catalog subgraph.

    Attributes:
        items: items and categories.
        prices: the price book.
        customers: currencies and price groups of customers, delivery places.
        directory: who is whose parent, for contracts that children inherit.
        merges: which account a merged one is now, for agreements that went along.
        events: the event log.
        signer: signs price tokens; the same keys as where orders are submitted.
        clock: where time comes from.
        served: is told how long each price took.
        memory: what prices were made of last, for when a system is out.
    """

    items: ItemMaster
    prices: PriceBook
    customers: CustomerMaster
    directory: AccountDirectory
    merges: AccountMerges
    events: EventLog
    signer: TokenSigner
    clock: Clock
    served: Served = untold
    memory: Memory = field(default_factory=lambda: Memory(PRICES_WITHIN))

"""Customers, items, prices, orders, invoices and returns over Business Central's API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from schema.enums import SourceSystem
from systems.business_central.corrections import Corrections
from systems.business_central.customer_merges import CustomerMerges
from systems.business_central.customer_writes import CustomerWrites
from systems.business_central.items import Items
from systems.business_central.order_writes import OrderWrites
from systems.business_central.postings import Postings
from systems.business_central.prices import Prices
from systems.business_central.reader import Reader
from systems.business_central.refusals import OWN_REASONS, read_refusal
from systems.business_central.return_writes import ReturnWrites
from systems.business_central.sign_in import sign_in
from systems.client import ClientSettings, VendorClient
from systems.ports import CallObserver

__all__ = ["BusinessCentral", "BusinessCentralSettings"]


@dataclass(frozen=True, slots=True)
class BusinessCentralSettings:
    """How to reach the ERP. ``company`` is the name of the company whose data are read."""

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    company: str = "DEMO"
    timeout_s: float = 5.0
    max_connections: int = 20
    budget_s: float | None = None


class BusinessCentral(CustomerWrites, CustomerMerges, Items, Prices, OrderWrites, Postings, Corrections, ReturnWrites):
    """All ports of the ERP in :mod:`systems.ports`; opened with ``async with``."""

    def __init__(self, settings: BusinessCentralSettings, *, observer: CallObserver | None = None) -> None:
        client_settings = ClientSettings(
            settings.base_url, settings.timeout_s, settings.max_connections, budget_s=settings.budget_s
        )
        circuit = client_settings.circuit()
        self._sign_in = VendorClient(SourceSystem.CLOUD_ERP, client_settings, observer=observer, circuit=circuit)
        self._client = VendorClient(
            SourceSystem.CLOUD_ERP,
            client_settings,
            authorize=sign_in(self._sign_in, settings.client_id, settings.client_secret),
            read_refusal=read_refusal,
            own_reasons=OWN_REASONS,
            observer=observer,
            circuit=circuit,
        )
        self._reader = Reader(self._client, settings.base_url, settings.company)

    async def __aenter__(self) -> Self:
        """Open the connection pools."""
        await self._sign_in.__aenter__()
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._client.__aexit__()
        await self._sign_in.__aexit__()

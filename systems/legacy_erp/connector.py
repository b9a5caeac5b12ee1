"""Customers, prices, orders, invoices and returns over the old programs of the legacy ERP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from schema.enums import SourceSystem
from systems.client import ClientSettings, VendorClient
from systems.legacy_erp.corrections import Corrections
from systems.legacy_erp.customer_writes import CustomerWrites
from systems.legacy_erp.order_writes import OrderWrites
from systems.legacy_erp.postings import Postings
from systems.legacy_erp.prices import Prices
from systems.legacy_erp.programs import Programs
from systems.legacy_erp.refusals import OWN_OUTCOMES
from systems.legacy_erp.return_writes import ReturnWrites
from systems.legacy_erp.sign_on import sign_on
from systems.ports import CallObserver

__all__ = ["LegacyErp", "LegacyErpSettings"]


@dataclass(frozen=True, slots=True)
class LegacyErpSettings:
    """How to reach the ERP's façade."""

    base_url: str
    user: str
    password: str = field(repr=False)
    timeout_s: float = 5.0
    max_connections: int = 20
    budget_s: float | None = None


class LegacyErp(CustomerWrites, Prices, OrderWrites, Postings, Corrections, ReturnWrites):
    """All ports of the ERP in :mod:`systems.ports` but items, whose master is elsewhere; opened with ``async with``."""

    def __init__(self, settings: LegacyErpSettings, *, observer: CallObserver | None = None) -> None:
        client_settings = ClientSettings(
            settings.base_url, settings.timeout_s, settings.max_connections, budget_s=settings.budget_s
        )
        circuit = client_settings.circuit()
        self._door = VendorClient(SourceSystem.LEGACY_ERP, client_settings, observer=observer, circuit=circuit)
        self._client = VendorClient(
            SourceSystem.LEGACY_ERP,
            client_settings,
            authorize=sign_on(self._door, settings.user, settings.password),
            own_outcomes=OWN_OUTCOMES,
            observer=observer,
            circuit=circuit,
        )
        self._programs = Programs(self._client)

    async def __aenter__(self) -> Self:
        """Open the connection pools."""
        await self._door.__aenter__()
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._client.__aexit__()
        await self._door.__aexit__()

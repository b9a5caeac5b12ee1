"""The systems of record behind their ports, opened together and watched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from crossdock.settings import BusinessCentralAccess, LegacyErpAccess, SalesforceAccess, SystemSettings
from processes.dependencies import Erp
from schema.enums import SourceSystem
from systems.business_central import BusinessCentral, BusinessCentralSettings
from systems.erp_routing import AccountHomes, ErpRouting
from systems.health import HealthBoard
from systems.legacy_erp import LegacyErp, LegacyErpSettings
from systems.ports import InvoicePostings, OrderLedger, PriceChanges
from systems.salesforce import Salesforce, SalesforceSettings
from systems.tms import Tms, TmsSettings
from systems.wms import Wms, WmsSettings

__all__ = ["Systems", "open_systems"]


@dataclass(frozen=True, slots=True)
class Systems:
    """The connectors of one program; of several ERPs the routing over them."""

    crm: Salesforce
    erp: Erp
    postings: Mapping[SourceSystem, InvoicePostings]
    price_changes: Mapping[SourceSystem, PriceChanges]
    wms: Wms
    tms: Tms
    health: HealthBoard


@asynccontextmanager
async def open_systems(settings: SystemSettings, ledger: OrderLedger) -> AsyncIterator[Systems]:
    """Open every connector; nothing is sent before something is asked.

    Args:
        settings: where the systems are.
        ledger: knows in which ERP an order is.
    """
    cloud_erp, legacy_erp, homes = SourceSystem.CLOUD_ERP, SourceSystem.LEGACY_ERP, AccountHomes()
    erps = (cloud_erp,) if settings.legacy_erp is None else (cloud_erp, legacy_erp)
    health = HealthBoard((SourceSystem.CRM, *erps, SourceSystem.WMS, SourceSystem.TMS))
    wms, tms = settings.wms, settings.tms
    warehouse = WmsSettings(wms.url, wms.api_key, wms.timeout, wms.max_connections, wms.budget)
    transport = TmsSettings(tms.url, tms.api_key, tms.timeout, tms.max_connections, tms.budget)
    async with AsyncExitStack() as stack:
        crm = await stack.enter_async_context(Salesforce(_salesforce(settings.crm), observer=health, seen=homes.note))
        cloud = await stack.enter_async_context(BusinessCentral(_business_central(settings.erp), observer=health))
        erp: Erp = cloud
        postings: dict[SourceSystem, InvoicePostings] = {cloud_erp: cloud}
        price_changes: dict[SourceSystem, PriceChanges] = {cloud_erp: cloud}
        if settings.legacy_erp is not None:
            legacy = await stack.enter_async_context(LegacyErp(_legacy_erp(settings.legacy_erp), observer=health))
            erp = ErpRouting(cloud, {legacy_erp: legacy}, homes, crm, ledger)
            postings[legacy_erp] = price_changes[legacy_erp] = legacy
        yield Systems(
            crm=crm,
            erp=erp,
            postings=postings,
            price_changes=price_changes,
            wms=await stack.enter_async_context(Wms(warehouse, observer=health)),
            tms=await stack.enter_async_context(Tms(transport, observer=health)),
            health=health,
        )


def _salesforce(crm: SalesforceAccess) -> SalesforceSettings:
    return SalesforceSettings(
        base_url=crm.url,
        client_id=crm.client_id,
        client_secret=crm.client_secret,
        timeout_s=crm.timeout,
        max_connections=crm.max_connections,
        budget_s=crm.budget,
    )


def _business_central(erp: BusinessCentralAccess) -> BusinessCentralSettings:
    return BusinessCentralSettings(
        base_url=erp.url,
        client_id=erp.client_id,
        client_secret=erp.client_secret,
        company=erp.company,
        timeout_s=erp.timeout,
        max_connections=erp.max_connections,
        budget_s=erp.budget,
    )


def _legacy_erp(erp: LegacyErpAccess) -> LegacyErpSettings:
    return LegacyErpSettings(
        base_url=erp.url,
        user=erp.user,
        password=erp.password,
        timeout_s=erp.timeout,
        max_connections=erp.max_connections,
        budget_s=erp.budget,
    )

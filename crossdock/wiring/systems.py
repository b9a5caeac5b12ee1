"""The systems of record behind their ports, opened together and watched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from crossdock.settings import SystemSettings
from processes.dependencies import Erp
from schema.enums import SourceSystem
from systems.business_central import BusinessCentral, BusinessCentralSettings
from systems.health import HealthBoard
from systems.ports import InvoicePostings
from systems.salesforce import Salesforce, SalesforceSettings
from systems.tms import Tms, TmsSettings
from systems.wms import Wms, WmsSettings

__all__ = ["Systems", "open_systems"]


@dataclass(frozen=True, slots=True)
class Systems:
    """The connectors of one program."""

    crm: Salesforce
    erp: Erp
    postings: Mapping[SourceSystem, InvoicePostings]
    wms: Wms
    tms: Tms
    health: HealthBoard


@asynccontextmanager
async def open_systems(settings: SystemSettings) -> AsyncIterator[Systems]:
    """Open every connector; nothing is sent before something is asked."""
    health = HealthBoard((SourceSystem.CRM, SourceSystem.CLOUD_ERP, SourceSystem.WMS, SourceSystem.TMS))
    crm, erp, wms, tms = settings.crm, settings.erp, settings.wms, settings.tms
    salesforce = SalesforceSettings(
        base_url=crm.url,
        client_id=crm.client_id,
        client_secret=crm.client_secret,
        timeout_s=crm.timeout,
        max_connections=crm.max_connections,
    )
    business_central = BusinessCentralSettings(
        base_url=erp.url,
        client_id=erp.client_id,
        client_secret=erp.client_secret,
        company=erp.company,
        timeout_s=erp.timeout,
        max_connections=erp.max_connections,
    )
    warehouse = WmsSettings(wms.url, wms.api_key, wms.timeout, wms.max_connections)
    transport = TmsSettings(tms.url, tms.api_key, tms.timeout, tms.max_connections)
    async with AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(BusinessCentral(business_central, observer=health))
        yield Systems(
            crm=await stack.enter_async_context(Salesforce(salesforce, observer=health)),
            erp=cloud,
            postings={SourceSystem.CLOUD_ERP: cloud},
            wms=await stack.enter_async_context(Wms(warehouse, observer=health)),
            tms=await stack.enter_async_context(Tms(transport, observer=health)),
            health=health,
        )

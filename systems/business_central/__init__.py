"""The cloud ERP: Business Central."""

from systems.business_central.connector import BusinessCentral, BusinessCentralSettings

__all__ = ["BusinessCentral", "BusinessCentralSettings"]

"""The legacy ERP on premises: old programs behind a façade."""

from systems.legacy_erp.connector import LegacyErp, LegacyErpSettings

__all__ = ["LegacyErp", "LegacyErpSettings"]

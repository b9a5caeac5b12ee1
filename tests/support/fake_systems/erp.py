"""An ERP in memory."""

from __future__ import annotations

from schema.enums import SourceSystem
from tests.support.fake_systems.erp_accounting import FakeAccounting
from tests.support.fake_systems.erp_customers import FakeCustomers
from tests.support.fake_systems.erp_items import FakeItems


class FakeErp(FakeCustomers, FakeItems, FakeAccounting):
    """Terms, items, prices, orders, invoices, returns."""


class FakeLegacyErp(FakeErp):
    """The same as another ERP."""

    system = SourceSystem.LEGACY_ERP

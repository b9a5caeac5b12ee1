"""Two ERPs in memory behind the routing, a CRM that says who is at home where, and a ledger.

``acc_cloud``, ``acc_legacy`` and ``acc_moving`` are named after their homes. Each system has a script of its own, so
that its calls can be counted and it can be silenced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from schema.enums import ErpHome, SourceSystem
from schema.records.orders import ErpOrder, LedgerOrder
from schema.records.values import ExternalRef
from systems.erp_routing import AccountHomes, ErpRouting
from tests.support.fake_systems import FakeCrm, FakeErp, FakeLegacyErp, Kept, Script, account
from tests.support.order_records import document, recorded
from tests.support.rule_records import terms

CLOUD, LEGACY = SourceSystem.CLOUD_ERP, SourceSystem.LEGACY_ERP
HOMES = {"acc_cloud": ErpHome.CLOUD_ERP, "acc_legacy": ErpHome.LEGACY_ERP, "acc_moving": ErpHome.MIGRATING}


@dataclass
class FakeLedger:
    """What the platform has recorded of orders, and how often it was asked."""

    recorded: dict[str, LedgerOrder] = field(default_factory=dict)
    asked: int = 0

    async def orders(self, ids: Sequence[str]) -> Mapping[str, LedgerOrder]:
        self.asked += 1
        return {entry: self.recorded[entry] for entry in ids if entry in self.recorded}


@dataclass
class TwoErps:
    """The routing and what is behind it; ``now_s`` is the time by which homes are believed."""

    crm: FakeCrm
    cloud: FakeErp
    legacy: FakeErp
    ledger: FakeLedger
    homes: AccountHomes
    routing: ErpRouting
    now_s: list[float]

    def calls(self) -> dict[str, list[str]]:
        """Return what each system was asked since the last time."""
        scripts = {"crm": self.crm.script, "cloud": self.cloud.script, "legacy": self.legacy.script}
        made = {name: list(script.calls) for name, script in scripts.items()}
        for script in scripts.values():
            script.calls.clear()
        return made

    def silence(self, *systems: SourceSystem) -> None:
        """Have these systems give no answer, and the others answer."""
        for fake in (self.crm, self.cloud, self.legacy):
            fake.script.down = set(systems)

    def enter(self, erp: SourceSystem, count: int, account_id: str, *, is_recorded: bool = False) -> ErpOrder:
        """Put an order into an ERP, and into the ledger when it came from there; the higher its number, the newer."""
        record = recorded(count, account_id=account_id, home_erp=erp)
        made = document(record, home_erp=erp, refs=(ExternalRef(erp, record.number),))
        (self.cloud if erp is CLOUD else self.legacy).entered[made.id] = made
        if is_recorded:
            self.ledger.recorded[record.id] = record
        return made


def two_erps() -> TwoErps:
    """Return ERPs without orders that know their customers' terms."""
    kept = Kept()
    crm, cloud, legacy = FakeCrm(Script(), kept), FakeErp(Script(), Kept()), FakeLegacyErp(Script(), Kept())
    crm.known = {name: account(name, f"C-{name}", erp_home=home) for name, home in HOMES.items()}
    cloud.terms_by_account = {name: terms(account=name) for name in ("acc_cloud", "acc_moving")}
    legacy.terms_by_account = {name: terms(account=name) for name in ("acc_legacy", "acc_moving")}
    ledger, now_s = FakeLedger(), [timedelta(days=1).total_seconds()]
    homes = AccountHomes(lambda: now_s[0])
    routing = ErpRouting(cloud, {LEGACY: legacy}, homes, crm, ledger)  # type: ignore[arg-type]
    return TwoErps(crm, cloud, legacy, ledger, homes, routing, now_s)

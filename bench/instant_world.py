"""Systems that answer from memory at once, for measurements of processes: 200 accounts, 40 items, goods without end."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from schema.records.catalog import PriceLevel
from systems.platform import Database
from tests.support.fake_systems import FakeClock, Kept, account
from tests.support.process_world import ProcessWorld, make_world
from tests.support.rule_records import NOW, item, rule, ship_to, stock, terms

__all__ = ["ACCOUNTS", "SKUS", "instant_world"]

ACCOUNTS = tuple(f"acc_{number}" for number in range(1, 201))
SKUS = tuple(f"SKU-{number:04d}" for number in range(1, 41))

KEPT_ROWS = 4_000
"""Documents that the systems remember; an order is through long before its own are forgotten.

They are looked through for each order, so that more of them would be measured as the cost of an order.
"""

PLENTY = "1000000000"


class RunningClock(FakeClock):
    """A clock that runs on from when the made-up stock was counted."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - self._began)


@dataclass
class LatestKept(Kept):
    """What systems keep, the latest of it, in memory."""

    rows: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)

    def put(self, kind: str, key: str, body: str) -> None:
        self.rows[kind, key] = body
        if len(self.rows) > KEPT_ROWS:
            self.rows.popitem(last=False)

    def replace(self, kind: str, key: str, body: str) -> None:
        self.rows[kind, key] = body

    def drop(self, kind: str, key: str) -> None:
        self.rows.pop((kind, key), None)

    def all(self, kind: str, key: str | None = None) -> list[str]:
        if key is not None:
            return [self.rows[kind, key]] if (kind, key) in self.rows else []
        return [body for (of, _), body in self.rows.items() if of == kind]


def instant_world(database: Database) -> ProcessWorld:
    """Return the ports over a database and the made-up systems."""
    world = make_world(database)
    world.kept.close()
    kept = LatestKept()
    for system in (world.crm, world.erp, world.wms, world.tms):
        system.kept = kept
    clock = RunningClock()
    world.script.calls = deque(maxlen=1)  # type: ignore[assignment]
    world.crm.known = {name: account(name, f"C-{place}") for place, name in enumerate(ACCOUNTS, 20_000)}
    world.erp.terms_by_account = {name: terms(account=name) for name in ACCOUNTS}
    world.erp.places = {f"shp_{name}": replace(ship_to(), id=f"shp_{name}", account_id=name) for name in ACCOUNTS}
    world.erp.items_by_sku = {sku: item(sku) for sku in SKUS}
    world.erp.price_rules = [rule(f"list {sku}", PriceLevel.LIST, "45.00", sku=sku) for sku in SKUS]
    world.wms.positions = [stock(PLENTY, code, sku=sku) for sku in SKUS for code in ("W01", "W02")]
    return replace(world, use=replace(world.use, clock=clock), kept=kept, clock=clock)

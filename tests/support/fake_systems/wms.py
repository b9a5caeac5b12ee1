"""A warehouse system in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from schema.enums import SourceSystem
from schema.records.inventory import StockPosition, Warehouse
from schema.records.orders import Shipment
from schema.records.returns import ExpectedReturn
from systems.ports import HoldOutcome, ReleaseRequest, ReleaseResult
from tests.support.fake_systems.rows import per_order
from tests.support.fake_systems.script import Kept, Script


class FakeWms:
    """Stock and releases; ``picked`` warehouses cancel and hold nothing any more."""

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
        self.places: list[Warehouse] = []
        self.positions: list[StockPosition] = []
        self.picked: set[str] = set()
        self.shipments_by_id: dict[str, Shipment] = {}

    async def warehouses(self) -> tuple[Warehouse, ...]:
        await self.script.enter(SourceSystem.WMS, "warehouses")
        return tuple(self.places)

    async def stock(
        self, skus: Sequence[str], warehouse_codes: Sequence[str] | None = None
    ) -> tuple[StockPosition, ...]:
        await self.script.enter(SourceSystem.WMS, "stock")
        return tuple(entry for entry in self.positions if entry.sku in skus)

    async def release(self, request: ReleaseRequest) -> ReleaseResult:
        await self.script.enter(SourceSystem.WMS, "release")
        if not self.kept.all("release", request.key):
            self.kept.put("release", request.key, request.warehouse_code)
            self._take(request)
        await self.script.leave("release")
        return ReleaseResult(f"rel_{request.key}", f"S-{request.warehouse_code}", "ACCEPTED")

    def _take(self, request: ReleaseRequest) -> None:
        taken = {line.sku: line.quantity for line in request.lines}
        self.positions = [
            replace(entry, allocated=entry.allocated + taken[entry.sku])
            if entry.warehouse_code == request.warehouse_code and entry.sku in taken
            else entry
            for entry in self.positions
        ]

    async def cancel_release(self, key: str) -> bool:
        await self.script.enter(SourceSystem.WMS, "cancel_release")
        if self.kept.all("release", key) and self.kept.all("release", key)[0] in self.picked:
            return False
        self.kept.drop("release", key)
        self.kept.drop("held", key)
        await self.script.leave("cancel_release")
        return True

    async def hold_release(self, key: str) -> HoldOutcome:
        await self.script.enter(SourceSystem.WMS, "hold_release")
        if not self.kept.all("release", key):
            return HoldOutcome.GONE
        if self.kept.all("release", key)[0] in self.picked:
            return HoldOutcome.PICKED
        if not self.kept.all("held", key):
            self.kept.put("held", key, "")
        await self.script.leave("hold_release")
        return HoldOutcome.HELD

    async def resume_release(self, key: str) -> None:
        await self.script.enter(SourceSystem.WMS, "resume_release")
        self.kept.drop("held", key)

    async def expect_return(self, expected: ExpectedReturn) -> None:
        await self.script.enter(SourceSystem.WMS, "expect_return")
        if not self.kept.all("expected", expected.key):
            self.kept.put("expected", expected.key, expected.warehouse_code)
        await self.script.leave("expect_return")

    async def cancel_return(self, key: str) -> bool:
        await self.script.enter(SourceSystem.WMS, "cancel_return")
        self.kept.drop("expected", key)
        return True

    async def shipments(self, ids: Sequence[str]) -> Mapping[str, Shipment]:
        await self.script.enter(SourceSystem.WMS, "shipments")
        return {entry: self.shipments_by_id[entry] for entry in ids if entry in self.shipments_by_id}

    async def shipments_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Shipment, ...]]:
        await self.script.enter(SourceSystem.WMS, "shipments_of")
        return per_order(self.shipments_by_id, order_ids)

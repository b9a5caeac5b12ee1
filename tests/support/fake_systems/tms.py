"""A transport system in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from schema.enums import ShipmentStatus, SourceSystem
from schema.records.orders import Milestone, Tracking
from systems.ports import TenderRequest
from tests.support.fake_systems.script import Kept, Script


class FakeTms:
    """Loads."""

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
        self.loads: dict[str, Tracking] = {}

    async def tracking(self, shipment_numbers: Sequence[str]) -> Mapping[str, Tracking]:
        await self.script.enter(SourceSystem.TMS, "tracking")
        return {entry: self.loads[entry] for entry in shipment_numbers if entry in self.loads}

    async def tender(self, request: TenderRequest) -> Tracking:
        await self.script.enter(SourceSystem.TMS, "tender")
        if not self.kept.all("tender", request.key):
            self.kept.put("tender", request.key, request.shipment_number)
        found = self.loads.setdefault(request.shipment_number, tracking(request.shipment_number))
        await self.script.leave("tender")
        return found

    async def by_tracking_number(self, tracking_number: str) -> Tracking | None:
        await self.script.enter(SourceSystem.TMS, "by_tracking_number")
        return next((entry for entry in self.loads.values() if entry.tracking_number == tracking_number), None)


def tracking(number: str, *milestones: Milestone, **changes: Any) -> Tracking:
    made = Tracking(
        shipment_number=number,
        carrier="EXMP",
        tracking_number=f"PRO{number}",
        status=milestones[-1].status if milestones else ShipmentStatus.PLANNED,
        milestones=milestones,
        estimated_delivery=None,
        delivered_at=None,
        proof_of_delivery_url=None,
    )
    return replace(made, **changes)

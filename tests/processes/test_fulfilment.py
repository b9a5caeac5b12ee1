from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from processes.fulfilment import Fulfilment
from processes.inventory_sync import InventorySync
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import OrderStatus, ProcessState, ShipmentStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.orders import Milestone, Shipment
from schema.records.problems import FulfillmentDelay
from schema.records.values import PageRequest
from systems.errors import Unavailable
from systems.news import ShipmentNews, StockNews
from tests.support.fake_systems import tracking
from tests.support.process_world import QUICK, ProcessWorld, line, problem_names, run_order, submission
from tests.support.rule_records import NOW, stock

S = ShipmentStatus
WMS, TMS = SourceSystem.WMS, SourceSystem.TMS
ORDER, NUMBER = "ord_1", "S-1"


def milestone(code: str, status: ShipmentStatus, minutes: int, source: SourceSystem, **changes: Any) -> Milestone:
    made = Milestone(code, status, NOW + timedelta(minutes=minutes), "W01", None, source)
    return replace(made, **changes)


def news(code: str, status: ShipmentStatus, minutes: int, source: SourceSystem, **changes: Any) -> ShipmentNews:
    reason = changes.pop("reason_code", None)
    carrier = ("EXMP", f"PRO{NUMBER}") if source is TMS else (None, None)
    made = ShipmentNews(
        source=source,
        event_id=f"evt-{source}-{code}-{minutes}",
        sequence=minutes,
        shipment_number=NUMBER,
        order_id=ORDER,
        account_id="acc_1",
        milestone=milestone(code, status, minutes, source, reason_code=reason),
        status=status,
        warehouse_code="W01",
        lines=((1, "6"),),
        carrier=carrier[0],
        tracking_number=carrier[1],
    )
    return replace(made, **changes)


PICKED = news("PICKING", S.PICKING, 10, WMS)
PACKED = news("PACKED", S.PACKED, 20, WMS, sscc=("395200000000000015",))
SHIPPED = news("SHIPPED", S.DEPARTED, 30, WMS)
LOADED = news("AM", S.LOADED, 31, TMS)
UNDER_WAY = news("X6", S.IN_TRANSIT, 60, TMS)
LATE = news("SD", S.DELAYED, 90, TMS, reason_code="AI", estimated_delivery=NOW + timedelta(days=4))
ARRIVED = news("D1", S.DELIVERED, 120, TMS)
STORY = [PICKED, PACKED, SHIPPED, LOADED, UNDER_WAY, LATE, ARRIVED]


def shipment(status: ShipmentStatus = S.PACKED, planned: datetime | None = None) -> Shipment:
    return Shipment("sh_S-1", NUMBER, ORDER, "acc_1", "W01", status, (), (), (), planned, NOW)


@pytest.fixture
async def fulfilment(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[Fulfilment]:
    await run_order(world, submission(line(6)))
    world.wms.shipments_by_id = {"sh_S-1": shipment()}
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield Fulfilment(engine)


async def ended(world: ProcessWorld, process_id: str) -> ProcessState:
    async with asyncio.timeout(60):
        while True:
            found = (await world.use.process_log.processes([process_id])).get(process_id)
            if found is not None and found.ended_at is not None:
                return found.state
            await asyncio.sleep(0.01)


async def shipment_story(world: ProcessWorld) -> list[str]:
    return [name for name in await world.event_types(ORDER) if name.startswith("shipment.")]


async def test_what_warehouse_and_carrier_tell_is_the_story_of_the_shipment(
    fulfilment: Fulfilment, world: ProcessWorld
) -> None:
    for entry in (PICKED, PACKED, SHIPPED):
        await fulfilment.handle(entry)
    await ended(world, "prc_shipment_tender_S-1")
    for entry in (LOADED, UNDER_WAY, ARRIVED):
        await fulfilment.handle(entry)
    story = [name for name in await shipment_story(world) if name != "shipment.tendered"]
    assert story == [
        "shipment.picked",
        "shipment.packed",
        "shipment.shipped",
        "shipment.milestone",
        "shipment.milestone",
        "shipment.delivered",
    ]
    stored = await world.use.events.read(EventFilter(types=("shipment.packed",)), None, 10)
    assert stored[0].event.data["sscc"] == ["395200000000000015"]
    assert (stored[0].event.subject, stored[0].event.partition_key) == ("sh_S-1", ORDER)


async def test_the_warehouse_of_a_shipment_is_noted_for_orders_of_elsewhere_too(
    fulfilment: Fulfilment, world: ProcessWorld
) -> None:
    await fulfilment.handle(replace(PICKED, order_id="ord_of_elsewhere", shipment_number="S-9", warehouse_code="W02"))
    await fulfilment.handle(replace(LOADED, order_id="ord_untold", shipment_number="S-8", warehouse_code=None))
    found = await world.use.orders.warehouses_of([ORDER, "ord_of_elsewhere", "ord_untold"])
    assert found == {ORDER: {"W01"}, "ord_of_elsewhere": {"W02"}, "ord_untold": frozenset()}


async def test_a_packed_shipment_is_tendered_once(fulfilment: Fulfilment, world: ProcessWorld) -> None:
    for entry in (PACKED, PACKED, SHIPPED):
        await fulfilment.handle(entry)
    assert await ended(world, "prc_shipment_tender_S-1") is ProcessState.COMPLETED
    assert world.kept.keys("tender") == ["sh:S-1:tender"]


async def test_a_carrier_that_is_away_gets_the_shipment_later(fulfilment: Fulfilment, world: ProcessWorld) -> None:
    world.script.before["tender"] += [Unavailable(TMS, "tender", "away", outcome_unknown=False)] * 4
    await fulfilment.handle(PACKED)
    assert await ended(world, "prc_shipment_tender_S-1") is ProcessState.COMPLETED
    assert world.kept.keys("tender") == ["sh:S-1:tender"]


async def test_a_delay_is_noted_on_the_order_asked_about_and_made_a_case(
    fulfilment: Fulfilment, world: ProcessWorld
) -> None:
    world.wms.shipments_by_id = {"sh_S-1": shipment(S.DEPARTED, NOW + timedelta(days=2))}
    await fulfilment.handle(LATE)
    assert await ended(world, "prc_shipment_delay_S-1") is ProcessState.COMPLETED
    (problem,) = (await world.order(ORDER)).exceptions
    assert isinstance(problem, FulfillmentDelay)
    assert (problem.promised, problem.expected, problem.reason_code) == (
        NOW + timedelta(days=2),
        NOW + timedelta(days=4),
        "AI",
    )
    tasks = (await world.use.tasks.search_tasks("FULFILMENT", "OPEN", PageRequest(10))).items
    assert [(task.kind, task.order_id) for task in tasks] == [("FulfillmentDelay", ORDER)]
    assert world.kept.all("case") == ["Shipment S-1 is late"]
    types = await world.event_types(ORDER)
    assert {"order.delayed", "order.fulfillment.changed", "case.opened", "shipment.delayed"} <= set(types)


async def test_a_delivery_ends_the_delay_and_tells_the_customer(fulfilment: Fulfilment, world: ProcessWorld) -> None:
    await fulfilment.handle(LATE)
    await ended(world, "prc_shipment_delay_S-1")
    await fulfilment.handle(ARRIVED)
    await ended(world, "prc_shipment_delivery_S-1")
    assert problem_names((await world.order(ORDER)).exceptions) == []
    assert (await world.use.tasks.search_tasks("FULFILMENT", "OPEN", PageRequest(10))).items == ()
    assert (await world.event_types(ORDER)).count("customer.notified") == 2


async def test_an_order_is_complete_when_everything_is_delivered_and_invoiced(
    fulfilment: Fulfilment, world: ProcessWorld
) -> None:
    await fulfilment.handle(ARRIVED)
    await ended(world, "prc_shipment_delivery_S-1")
    assert (await world.order(ORDER)).status is OrderStatus.ACCEPTED


async def test_the_last_delivery_of_an_invoiced_order_completes_it(fulfilment: Fulfilment, world: ProcessWorld) -> None:
    world.tms.loads = {NUMBER: tracking(NUMBER, milestone("D1", S.DELIVERED, 120, TMS))}
    world.erp.invoiced = True
    await fulfilment.handle(ARRIVED)
    await ended(world, "prc_shipment_delivery_S-1")
    order = await world.order(ORDER)
    assert (order.status, order.completed_at) == (OrderStatus.COMPLETED, NOW)
    assert (await world.event_types(ORDER)).count("order.completed") == 1


async def test_duplicate_and_shuffled_news_end_as_one_clean_delivery(
    fulfilment: Fulfilment, world: ProcessWorld
) -> None:
    told = STORY * 4
    Random(7).shuffle(told)
    again = [replace(entry, event_id=f"{entry.event_id}-again") for entry in STORY if entry.source is TMS]
    for entry in (*told, *again):
        await fulfilment.handle(entry)
    for kind in ("tender", "delay", "delivery"):
        await ended(world, f"prc_shipment_{kind}_S-1")
    types = await shipment_story(world)
    assert (await world.order(ORDER)).exceptions == ()
    assert sorted(types) == sorted(
        [
            "shipment.delayed",
            "shipment.delivered",
            "shipment.milestone",
            "shipment.milestone",
            "shipment.packed",
            "shipment.picked",
            "shipment.shipped",
            "shipment.tendered",
        ]
    )
    assert world.kept.keys("tender") == ["sh:S-1:tender"]
    assert len(world.kept.keys("case")) <= 1
    assert (await world.event_types(ORDER)).count("order.fulfillment.changed") == 4


async def test_a_station_that_warehouse_and_carrier_tell_of_is_told_once_at_the_order(
    fulfilment: Fulfilment, world: ProcessWorld
) -> None:
    for entry in (PICKED, SHIPPED, news("AF", S.DEPARTED, 35, TMS), LATE, news("SD", S.DELAYED, 95, TMS)):
        await fulfilment.handle(entry)
    stored = await world.use.events.read(EventFilter(types=("order.fulfillment.changed",)), None, 10)
    assert [entry.event.data["shipmentStatus"] for entry in stored] == ["PICKING", "DEPARTED", "DELAYED", "DELAYED"]
    assert len(await shipment_story(world)) >= 5


async def test_a_late_milestone_moves_nothing_back(fulfilment: Fulfilment, world: ProcessWorld) -> None:
    await fulfilment.handle(ARRIVED)
    await fulfilment.handle(replace(UNDER_WAY, status=S.DELIVERED))
    stored = await world.use.events.read(EventFilter(types=("shipment.milestone",)), None, 10)
    assert [entry.event.data["status"] for entry in stored] == ["DELIVERED"]
    assert [entry.event.data["code"] for entry in stored] == ["X6"]


async def test_stock_news_is_told_per_position(fulfilment: Fulfilment, world: ProcessWorld) -> None:
    position = stock("18", allocated="3", safety="5")
    for _ in range(2):
        await fulfilment.handle(StockNews(WMS, "evt-1", position))
    await InventorySync(world.use).tell()
    stored = await world.use.events.read(EventFilter(types=("inventory.position.changed",)), None, 10)
    assert [(entry.event.subject, entry.event.data["available"]) for entry in stored] == [("PMP-0042:W01", "10")]
    assert Decimal(stored[0].event.data["onHand"]) == 18

"""What becomes of an order that is submitted already, or waits in line, by programs that are killed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from processes.amend_case import CHANGE
from processes.api import LineAdded, LineChange, OrderCancellation, OrderChange, ReturnAsked, ReturnLineAsked
from processes.decider import EngineDecider
from processes.decision_api import TaskResolution
from processes.fulfilment import Fulfilment
from processes.return_news import Returns
from processes.shipment_watch import ShipmentWatch
from processes.starter import EngineStarter
from processes.worker import ProcessEngine
from schema.enums import OrderStatus, ProcessState, ReturnStatus, ShipmentStatus, SourceSystem
from schema.records.identity import Principal
from schema.records.orders import Milestone, ReturnLine
from schema.records.values import Quantity
from systems.errors import Rejected, Unavailable
from systems.news import ReturnNews, ShipmentNews
from tests.support.mortal_parts import (
    WAIT_MS,
    Scenario,
    delivered_shipment,
    end,
    named,
    order,
    received,
    stops,
    told_once,
)
from tests.support.process_world import REP, ProcessWorld, submission
from tests.support.rule_records import NOW

__all__ = ["ORDER_SCENARIOS"]

_WMS = SourceSystem.WMS
_CLERK = Principal("user:usr_4", roles=("SERVICE_DESK",))
_OFTEN = 9
"""More often than any run asks."""


async def _wait_in_line(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Submit an order that stands in line for the warehouse system, and leaves the line when that is back."""
    away = Unavailable(_WMS, "release", "no connection", outcome_unknown=False)
    world.script.before["release"] += [away] * 3
    return await order(world, engine)


async def _out_of_line(world: ProcessWorld) -> None:
    found = await world.order(await received(world))
    told_once(await world.event_types(found.id), "process.step.failed")
    assert found.status is OrderStatus.ACCEPTED
    assert world.kept.keys("release") == [f"or:{found.id}:rel:W01:1"]
    assert await world.use.lines.places(_WMS, ["release"], None, 10) == ()


def _bought(world: ProcessWorld) -> str:
    """Return the order that was bought; a later one replaces goods of it."""
    return world.kept.keys("document")[0].split(":")[1]


async def _replace(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Send goods back that are replaced (P6)."""
    order_id = _bought(world)
    world.wms.shipments_by_id = {"sh_S-1": delivered_shipment(order_id)}
    line = ReturnLineAsked(1, Quantity(Decimal(2), "EA"), "DAMAGED")
    asked = ReturnAsked(order_id, "acc_1", (line,), "REPLACE")
    started = await EngineStarter(engine).request_return(asked, key="r-1", principal=REP, wait_ms=WAIT_MS)
    assert started.entity_id is not None, started.problems
    came = ReturnLine(1, "PMP-0042", Quantity(Decimal(2), "EA"), "DAMAGED", "SCRAP")
    await Returns(engine).handle(
        ReturnNews(_WMS, "evt-1", started.entity_id, ReturnStatus.INSPECTED, NOW, "W01", (came,))
    )
    return named(started)


async def _replaced(world: ProcessWorld) -> None:
    order_id = _bought(world)
    (entry,) = (await world.use.returns.returns_of_orders([order_id]))[order_id]
    assert (entry.status, entry.credit) == (ReturnStatus.CLOSED, None)
    replacing = await world.order(f"ord_{entry.id}")
    assert (replacing.status, replacing.lines[0].wanted) == (OrderStatus.ACCEPTED, 2)
    assert world.kept.keys("document") == [f"or:{order_id}:erp", f"or:{replacing.id}:erp"]
    assert world.kept.keys("release") == [f"or:{order_id}:rel:W01:1", f"or:{replacing.id}:rel:W01:1"]
    told_once(await world.event_types(replacing.id))
    assert (await world.event_types(entry.id)).count("return.replaced") == 1


async def _fall_silent(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Find a shipment that nothing was heard of for a day."""
    heard = NOW - timedelta(hours=25)
    told = Milestone("X6", ShipmentStatus.IN_TRANSIT, heard, "Memphis", None, SourceSystem.TMS)
    news = ShipmentNews(
        source=SourceSystem.TMS,
        event_id="evt-X6",
        sequence=1,
        shipment_number="S-1",
        order_id=await received(world),
        account_id="acc_1",
        milestone=told,
        status=ShipmentStatus.IN_TRANSIT,
        warehouse_code="W01",
        carrier="EXMP",
        tracking_number="PRO-1",
    )
    await Fulfilment(engine).handle(news, heard)
    while await ShipmentWatch(engine).look_for_silence():
        pass
    return ["prc_shipment_delay_S-1_silence"]


async def _late(world: ProcessWorld) -> None:
    order_id = await received(world)
    (problem,) = (await world.order(order_id)).exceptions
    assert getattr(problem, "reason_code", None) == "SILENCE"
    assert world.kept.all("case") == ["Shipment S-1 is late"]
    assert len((await world.use.tasks.tasks_of([order_id]))[order_id]) == 1
    told_once(await world.event_types(order_id))


async def _start_change(world: ProcessWorld, engine: ProcessEngine) -> str:
    lines = (LineChange(1, Quantity(Decimal(8), "EA")),)
    asked = OrderChange(await received(world), int(world.kept.all("version")[0]), lines, "more is needed")
    starter = EngineStarter(engine)
    return named(await starter.change_order(asked, key="c-1", principal=REP, wait_ms=WAIT_MS))[0]


async def _change_in_vain(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    refusal = Rejected(SourceSystem.CLOUD_ERP, "change order", "locked", reason="LOCKED")
    world.script.before["change_order"] += [refusal] * _OFTEN
    return [await _start_change(world, engine)]


async def _unchanged(world: ProcessWorld) -> None:
    found = await world.order(await received(world))
    assert (found.status, found.amended_by, found.amended_lines) == (OrderStatus.ACCEPTED, None, ())
    assert [entry.wanted for entry in found.lines] == [6]
    assert (world.kept.keys("release"), world.kept.keys("held")) == ([f"or:{found.id}:rel:W01:1"], [])
    assert (await world.event_types(found.id)).count("order.change.refused") == 1


async def _substitute(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    added = (LineAdded(2, 1, "VLV-0007", Quantity(Decimal(2), "EA")),)
    lines = (LineChange(1, Quantity(Decimal(4), "EA")),)
    version = int(world.kept.all("version")[0])
    asked = OrderChange(await received(world), version, lines, "two valves will do as well", added)
    return named(await EngineStarter(engine).change_order(asked, key="s-1", principal=REP, wait_ms=WAIT_MS))


async def _substituted(world: ProcessWorld) -> None:
    found = await world.order(await received(world))
    assert (found.status, found.amended_by, found.amended_lines) == (OrderStatus.ACCEPTED, None, ())
    assert [(line.sku, line.wanted, line.backordered, line.substituted_by) for line in found.lines] == [
        ("PMP-0042", 4, 0, 2),
        ("VLV-0007", 2, 0, None),
    ]
    version = world.kept.all("version")[0]
    assert world.kept.keys("change") == [f"chg:{found.id}:{version}:erp"]
    assert world.kept.keys("release") == [f"or:{found.id}:rel:W01:{version}"]
    assert world.kept.keys("held") == []
    assert [line.ordered for line in world.erp.documents()[0].lines] == [4, 2]
    types = await world.event_types(found.id)
    assert (types.count("order.line.substituted"), types.count("order.change.accepted")) == (1, 1)


async def _decide_to_split(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Submit an order that ships complete and lacks goods, and have the order desk split it."""
    world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
    desk = EngineDecider(engine, world.inbox)
    wanted = submission(allow_backorder=False, ship_complete=True)
    started = await desk.submit_order(wanted, key="o-1", principal=REP, wait_ms=WAIT_MS)
    await end(world, named(started)[0])
    decided = TaskResolution(f"tsk_{started.entity_id}_STOCKOUT", "SPLIT", "four are wanted now")
    answer = await desk.resolve_task(decided, key="t-1", principal=_CLERK)
    assert answer.problems == ()
    processes = (await world.use.process_log.processes_of([str(started.entity_id)]))[str(started.entity_id)]
    return [process.id for process in processes]


async def _split(world: ProcessWorld) -> None:
    found = await world.order(await received(world))
    assert (found.status, found.amended_by, found.ship_complete) == (OrderStatus.ACCEPTED, None, False)
    assert found.lines[0].backordered == 2
    assert world.kept.keys("release") == [f"or:{found.id}:rel:W01:1"]
    (asked,) = (await world.use.tasks.tasks_of([found.id]))[found.id]
    assert (asked.state, asked.resolution, asked.resolved_by) == ("RESOLVED", "SPLIT", _CLERK.subject)
    types = await world.event_types(found.id)
    assert [types.count(name) for name in ("order.split", "order.released", "task.resolved")] == [1, 1, 1]


async def _cancel_what_is_parked(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Cancel an order whose change waits for a person, because the warehouse does not take its goods."""
    world.script.before["release"] += [Rejected(_WMS, "release", "not now", reason="NOT_NOW")] * _OFTEN
    await stops(world, await _start_change(world, engine))
    if not world.kept.all("changed version"):
        world.kept.put("changed version", "version", str((await world.order(await received(world))).version))
    asked = OrderCancellation(
        await received(world), int(world.kept.all("changed version")[0]), "not needed any more"
    )  # fmt: skip
    starter = EngineStarter(engine)
    return named(await starter.cancel_order(asked, key="x-1", principal=REP, wait_ms=WAIT_MS))


async def _obsolete(world: ProcessWorld) -> None:
    found = await world.order(await received(world))
    assert (found.status, found.amended_by, found.lines[0].allocations) == (OrderStatus.CANCELLED, None, ())
    assert [document.status for document in world.erp.documents()] == [OrderStatus.CANCELLED]
    assert (world.kept.keys("release"), world.kept.keys("held")) == ([], [])
    processes = (await world.use.process_log.processes_of([found.id]))[found.id]
    assert [entry.state for entry in processes if entry.kind == CHANGE] == [ProcessState.CANCELLED]
    asked = (await world.use.tasks.tasks_of([found.id]))[found.id]
    assert [(entry.kind, entry.resolution) for entry in asked] == [("ProcessStepFailed", "ORDER_ENDED")]
    assert (await world.event_types(found.id)).count("order.cancelled") == 1


ORDER_SCENARIOS: Mapping[str, Scenario] = {
    "order in line": Scenario(_wait_in_line, _out_of_line, is_new=True),
    "replacement": Scenario(_replace, _replaced, ordered=True, is_new=True),
    "silent shipment": Scenario(_fall_silent, _late, ordered=True, is_new=True),
    "substitution": Scenario(_substitute, _substituted, ordered=True, is_new=True),
    "decided split": Scenario(_decide_to_split, _split, is_new=True),
    "change in vain": Scenario(_change_in_vain, _unchanged, ProcessState.FAILED, ordered=True, is_new=True),
    "cancellation of what is parked": Scenario(_cancel_what_is_parked, _obsolete, ordered=True, is_new=True),
}

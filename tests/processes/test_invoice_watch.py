"""Goods that have left and are not billed: finance is asked after hours, once, and no more when the invoice comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from processes.invoice_watch import InvoiceWatch, pass_over, settle_missing
from schema.enums import ShipmentStatus, SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.operations import ExceptionTask
from schema.records.orders import Shipment, ShipmentLine
from schema.records.values import Quantity
from systems.errors import Unavailable
from tests.support.process_world import ProcessWorld, line, run_order, submission
from tests.support.rule_records import NOW


def left(number: str = "S-1", at: datetime = NOW, order_id: str = "ord_1") -> Event:
    """Return what the warehouse tells when a shipment has left."""
    return Event(
        id=f"wms:{number}:SHIPPED",
        source="/dist/shipments",
        type="shipment.shipped",
        subject=f"sh_{number}",
        partition_key=order_id,
        correlation_id=order_id,
        system=SourceSystem.WMS,
        occurred_at=at,
        data={"orderId": order_id, "shipmentNumber": number},
        account_id="acc_1",
    )


def shipment(status: ShipmentStatus = ShipmentStatus.DEPARTED, quantity: int = 6) -> Shipment:
    carried = (ShipmentLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), None),)
    return Shipment("sh_S-1", "S-1", "ord_1", "acc_1", "W01", status, (), carried, (), None, NOW)


@pytest.fixture
async def watch(world: ProcessWorld) -> InvoiceWatch:
    """An order whose goods have left at NOW."""
    await run_order(world, submission(line(6)))
    world.wms.shipments_by_id = {"sh_S-1": shipment()}
    await world.use.events.append([left()])
    return InvoiceWatch(world.use)


async def asked(world: ProcessWorld) -> list[ExceptionTask]:
    found = (await world.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    return [task for task in found if task.kind == "InvoiceMissing"]


def later(world: ProcessWorld, hours: float) -> None:
    world.clock.at = NOW + timedelta(hours=hours)


async def test_finance_is_asked_about_what_is_not_billed_after_hours(watch: InvoiceWatch, world: ProcessWorld):
    later(world, 4.1)
    assert await watch.look() == 1
    (task,) = await asked(world)
    assert (task.queue, task.state, task.order_id, task.account_id) == ("FINANCE", "OPEN", "ord_1", "acc_1")
    assert "S-1" in task.summary
    (told,) = await world.use.events.read(EventFilter(types=("task.opened",)), None, 10)
    assert told.event.data["taskId"] == task.id


async def test_nobody_is_asked_before_the_time_is_over(watch: InvoiceWatch, world: ProcessWorld):
    later(world, 3.9)
    assert (await watch.look(), await asked(world)) == (0, [])


async def test_every_shipment_is_looked_at_once(watch: InvoiceWatch, world: ProcessWorld):
    later(world, 5)
    assert [await watch.look(), await watch.look()] == [1, 0]
    await world.use.events.append([left("S-2", NOW + timedelta(hours=1))])
    assert await watch.look() == 1
    assert len(await asked(world)) == 2


async def test_what_is_billed_in_time_is_not_asked_about(watch: InvoiceWatch, world: ProcessWorld):
    world.erp.invoiced = True
    later(world, 5)
    assert (await watch.look(), await asked(world)) == (1, [])


async def test_goods_that_have_not_left_after_all_are_not_asked_about(watch: InvoiceWatch, world: ProcessWorld):
    world.wms.shipments_by_id = {"sh_S-1": shipment(ShipmentStatus.PACKED)}
    later(world, 5)
    assert (await watch.look(), await asked(world)) == (1, [])


async def test_an_order_that_is_nowhere_is_passed_over(watch: InvoiceWatch, world: ProcessWorld):
    await world.use.events.append([left("S-9", order_id="ord_9")])
    later(world, 5)
    assert await watch.look() == 2
    assert len(await asked(world)) == 1


async def test_shipments_of_long_ago_are_passed_over(watch: InvoiceWatch, world: ProcessWorld):
    later(world, 24 * 8)
    assert (await watch.look(), await asked(world)) == (1, [])


async def test_a_past_that_was_brought_in_is_passed_over(watch: InvoiceWatch, world: ProcessWorld):
    await pass_over(world.use.events, world.use.cursors)
    await world.use.events.append([left("S-2")])
    later(world, 5)
    assert await watch.look() == 1
    assert ["S-2" in task.summary for task in await asked(world)] == [True]


async def test_while_a_system_is_away_no_shipment_is_passed_over(watch: InvoiceWatch, world: ProcessWorld):
    later(world, 5)
    world.script.before["orders"].append(Unavailable(SourceSystem.CLOUD_ERP, "orders", "away", outcome_unknown=False))
    with pytest.raises(Unavailable):
        await watch.look()
    assert await watch.look() == 1
    assert len(await asked(world)) == 1


async def test_the_invoice_that_comes_settles_what_was_asked(watch: InvoiceWatch, world: ProcessWorld):
    later(world, 5)
    await watch.look()
    await settle_missing(world.use, "ord_1")
    assert [task.state for task in await asked(world)] == ["OPEN"]
    world.erp.invoiced = True
    await settle_missing(world.use, "ord_1")
    (task,) = await asked(world)
    assert (task.state, task.resolution, task.resolved_by) == ("RESOLVED", "INVOICED", "system:crossdock")

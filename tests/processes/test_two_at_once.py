"""What two processes, or two persons, do about one order at once ends as if one had come after the other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from processes.decision_api import TaskResolution
from processes.fulfilment import DELAY, DELIVERY, SHIPMENT_DELAY
from processes.order_completion import complete_order
from processes.shipment_case import ShipmentCase, ShipmentRequest
from processes.steps import Verdict
from processes.task_desk import TaskDesk
from schema.enums import OrderStatus, ShipmentStatus, SourceSystem
from schema.records.identity import Principal
from schema.records.operations import ExceptionTask
from schema.records.orders import Milestone, Shipment
from schema.records.problems import InvoiceMismatch, NotAllowedInState
from schema.records.values import Money
from tests.support.fake_systems import Stop, tracking
from tests.support.platform_records import task
from tests.support.process_world import ProcessWorld, run_order, submission
from tests.support.rule_records import NOW

FINANCE = Principal("user:usr_7", roles=("FINANCE", "SERVICE_DESK"))
OTHER = Principal("user:usr_8", roles=("FINANCE", "SERVICE_DESK"))


def shipment_case(world: ProcessWorld, kind: str) -> ShipmentCase:
    request = ShipmentRequest(f"prc_{kind}", kind, "S-1", "ord_1", "acc_1", ShipmentStatus.DELAYED, NOW, "AI")
    return ShipmentCase(request, world.use, resumed=False)


async def noted(world: ProcessWorld) -> list[Verdict]:
    case = shipment_case(world, DELAY)
    return [(await step.do(case)).verdict for step in SHIPMENT_DELAY]


async def cancel(world: ProcessWorld) -> None:
    order = await world.order("ord_1")
    await world.use.orders.update(replace(order, status=OrderStatus.CANCELLED, exceptions=()))


async def tasks(world: ProcessWorld) -> list[ExceptionTask]:
    return list((await world.use.tasks.tasks_of(["ord_1"]))["ord_1"])


async def test_a_delay_of_an_order_that_is_cancelled_concerns_nobody(world: ProcessWorld) -> None:
    await run_order(world, submission())
    await cancel(world)
    assert await noted(world) == [Verdict.SKIPPED] * 2
    assert ((await world.order("ord_1")).exceptions, await tasks(world), world.kept.all("case")) == ((), [], [])


async def test_an_order_that_is_cancelled_while_a_delay_is_noted_shows_none(world: ProcessWorld) -> None:
    await run_order(world, submission())
    stop = Stop()
    world.script.before["shipments"].append(stop)
    noting = asyncio.create_task(noted(world))
    async with asyncio.timeout(30):
        await stop.reached.wait()
        await cancel(world)
        stop.let_go()
        assert await noting == [Verdict.DONE, Verdict.SKIPPED]
    assert (await world.order("ord_1")).exceptions == ()
    assert [(entry.state, entry.resolution) for entry in await tasks(world)] == [("RESOLVED", "ORDER_ENDED")]
    assert world.kept.all("case") == []


async def test_an_order_is_not_complete_when_an_invoice_that_does_not_fit_comes_meanwhile(world: ProcessWorld) -> None:
    await run_order(world, submission())
    delivered = ShipmentStatus.DELIVERED
    world.wms.shipments_by_id = {
        "sh_S-1": Shipment("sh_S-1", "S-1", "ord_1", "acc_1", "W01", delivered, (), (), (), None, NOW)
    }
    world.tms.loads = {"S-1": tracking("S-1", Milestone("D1", delivered, NOW, "Memphis", None, SourceSystem.TMS))}
    world.erp.invoiced = True
    stop = Stop()
    world.script.before["orders"].append(stop)
    completing = asyncio.create_task(complete_order(shipment_case(world, DELIVERY)))
    async with asyncio.timeout(30):
        await stop.reached.wait()
        problem = InvoiceMismatch(
            code="INVOICE_MISMATCH", message="too much", invoice_number="SI-2", difference=Money(Decimal(1), "USD")
        )
        await world.use.orders.update(replace(await world.order("ord_1"), exceptions=(problem,)))
        stop.let_go()
        await completing
    order = await world.order("ord_1")
    assert (order.status, order.exceptions) == (OrderStatus.ACCEPTED, (problem,))
    assert "order.completed" not in await world.event_types("ord_1")


class Engine:
    """What the desk wants of an engine; it keeps which processes it was to wake."""

    def __init__(self, world: ProcessWorld) -> None:
        self.dependencies = world.use
        self.woken: list[str] = []

    async def wake(self, process_id: str) -> bool:
        self.woken.append(process_id)
        return True

    async def retry(self, process_id: str, step: str | None) -> bool:
        raise AssertionError

    async def look_at_parked(self, process_id: str) -> bool:
        raise AssertionError


async def _nothing(*_: Any, **__: Any) -> Any:
    raise AssertionError


class NothingAmended:
    """Amends of a desk that amends nothing."""

    async def amended_by(self, decision_id: str) -> None:
        return None

    async def amend_by(self, decision_id: str, resolution: object, asked: object, principal: Principal) -> Any:
        raise AssertionError


@pytest.mark.parametrize(
    ("queue", "kind", "resolutions"),
    [
        ("FINANCE", "InvoiceMismatch", ("ACCEPT", "CREDIT_AND_REBILL")),
        ("ORDER_DESK", "Stockout", ("WAIT", "CANCEL_LINE")),
    ],
)
async def test_of_two_who_resolve_a_task_at_once_the_second_is_told_and_nothing_follows_from_it(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch, queue: str, kind: str, resolutions: tuple[str, str]
) -> None:
    await run_order(world, submission())
    asked = task(queue=queue, kind=kind, resolutions=resolutions)
    await world.use.tasks.open_task(asked, [])
    engine = Engine(world)
    desk = TaskDesk(engine, _nothing, NothingAmended())
    write = world.use.tasks.change_task

    async def after_another(*values: Any) -> bool:
        monkeypatch.setattr(world.use.tasks, "change_task", write)
        first = TaskResolution(asked.id, resolutions[0], "agreed on the phone")
        assert await desk.resolve(first, "d-1", OTHER) == ()
        return await write(*values)

    monkeypatch.setattr(world.use.tasks, "change_task", after_another)
    second = TaskResolution(asked.id, resolutions[1], "the old price")
    (problem,) = await desk.resolve(second, "d-2", FINANCE)
    assert isinstance(problem, NotAllowedInState)
    assert OTHER.subject in problem.message
    (stored,) = await tasks(world)
    assert (stored.resolution, stored.resolved_by) == (resolutions[0], OTHER.subject)
    assert engine.woken == ["prc_1"]

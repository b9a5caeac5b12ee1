"""A program that changes, cancels, takes back or bills an order, and can be told where to die.

``python -m tests.support.order_life_child PLAN``; PLAN is JSON: ``scenario`` (change, cancel, return or invoice),
``database`` and ``kept`` (where things stand), ``kill`` (``[step, moment]`` or null) and ``strike`` (faults by
operation). It strikes only once the order is there. The last line of output is JSON: how the process ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from processes.api import LineChange, OrderCancellation, OrderChange, ReturnAsked, ReturnLineAsked, Started
from processes.invoicing import Invoicing
from processes.return_news import Returns
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import InvoiceStatus, ReturnStatus, ShipmentStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.invoices import InvoicedLine, PostedInvoice
from schema.records.orders import Invoice, ReturnLine, Shipment, ShipmentLine
from schema.records.values import Money, Quantity
from systems.news import ReturnNews
from tests.support.process_child import kill_at
from tests.support.process_world import QUICK, REP, ProcessWorld, line, process_world, submission
from tests.support.rule_records import NOW

WAIT_MS = 10_000


async def live(plan: dict[str, Any]) -> None:
    """Carry the scenario over a fresh order, or over the one that an earlier program left."""
    async with process_world(plan["database"], kept=Path(plan["kept"])) as world:
        began = time.monotonic()
        async with ProcessEngine(EngineSettings(plan["database"], retries=QUICK), world.use) as engine:
            order_id = await _ordered(world, EngineStarter(engine))
            for operation, fault in plan["strike"].items():
                moment, _, name = operation.partition(" ")
                getattr(world.script, moment)[name].append(fault)
            if plan["kill"]:
                kill_at(*plan["kill"])
            process_id = await _SCENARIOS[plan["scenario"]](world, engine, order_id)
            state = await _end(world, process_id)
            took = time.monotonic() - began
    sys.stdout.write(json.dumps({"state": state, "took": took, "process": process_id}) + "\n")


async def _ordered(world: ProcessWorld, starter: EngineStarter) -> str:
    started = await starter.submit_order(submission(line(6)), key="o-1", principal=REP, wait_ms=WAIT_MS)
    assert started.entity_id is not None
    assert started.process_id is not None
    await _end(world, started.process_id)
    if not world.kept.all("version"):
        world.kept.put("version", "version", str((await world.order(started.entity_id)).version))
    return started.entity_id


async def _change(world: ProcessWorld, engine: ProcessEngine, order_id: str) -> str:
    lines = (LineChange(1, Quantity(Decimal(4), "EA")),)
    asked = OrderChange(order_id, int(world.kept.all("version")[0]), lines, "fewer will do")
    return _named(await EngineStarter(engine).change_order(asked, key="c-1", principal=REP, wait_ms=WAIT_MS))


async def _cancel(world: ProcessWorld, engine: ProcessEngine, order_id: str) -> str:
    asked = OrderCancellation(order_id, int(world.kept.all("version")[0]), "not needed any more")
    return _named(await EngineStarter(engine).cancel_order(asked, key="c-1", principal=REP, wait_ms=WAIT_MS))


async def _return(world: ProcessWorld, engine: ProcessEngine, order_id: str) -> str:
    world.wms.shipments_by_id = {"sh_S-1": _shipment(order_id)}
    line_ = ReturnLineAsked(1, Quantity(Decimal(2), "EA"), "DAMAGED")
    asked = ReturnAsked(order_id, "acc_1", (line_,))
    starter = EngineStarter(engine)
    started = await starter.request_return(asked, key="r-1", principal=REP, wait_ms=WAIT_MS)
    entry_id = started.entity_id
    assert entry_id is not None
    came = ReturnLine(1, "PMP-0042", Quantity(Decimal(2), "EA"), "DAMAGED", "SCRAP")
    told = ReturnNews(SourceSystem.WMS, "evt-1", entry_id, ReturnStatus.INSPECTED, NOW, "W01", (came,))
    await Returns(engine).handle(told)
    return _named(started)


async def _invoice(world: ProcessWorld, engine: ProcessEngine, order_id: str) -> str:
    world.wms.shipments_by_id = {"sh_S-1": _shipment(order_id)}
    world.erp.invoiced = True
    net = Money(Decimal("216.60"), "USD")
    invoice = Invoice(
        "inv_SI-1", "SI-1", "acc_1", order_id, InvoiceStatus.POSTED, NOW, NOW.date(), net, net, None
    )  # fmt: skip
    line_ = InvoicedLine(1, Decimal(6), Money(Decimal("36.10"), "USD"), net)
    nothing = replace(net, amount=Decimal(0))
    world.erp.postings = [PostedInvoice(1, invoice, nothing, nothing, (line_,))]
    await Invoicing(engine).read()
    return "prc_invoice_SI-1"


_SCENARIOS = {"change": _change, "cancel": _cancel, "return": _return, "invoice": _invoice}


def _shipment(order_id: str) -> Shipment:
    carried = (ShipmentLine(1, "PMP-0042", Quantity(Decimal(6), "EA"), None),)
    status = ShipmentStatus.DELIVERED
    return Shipment("sh_S-1", "S-1", order_id, "acc_1", "W01", status, (), carried, (), None, NOW)


def _named(started: Started) -> str:
    assert started.process_id is not None, started.problems
    return started.process_id


async def _end(world: ProcessWorld, process_id: str) -> str:
    async with asyncio.timeout(60):
        while True:
            found = (await world.use.process_log.processes([process_id])).get(process_id)
            if found is not None and found.ended_at is not None:
                return str(found.state.value)
            await asyncio.sleep(0.01)


async def received(world: ProcessWorld) -> str:
    """Return the id of the order that was received."""
    (stored,) = await world.use.events.read(EventFilter(types=("order.received",)), None, 10)
    return stored.event.subject


if __name__ == "__main__":
    asyncio.run(live(json.loads(sys.argv[1])))

"""What scenarios of programs that are killed are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from processes.api import Started
from processes.starter import EngineStarter
from processes.worker import ProcessEngine
from schema.enums import ProcessState, ShipmentStatus
from schema.events.envelope import EventFilter
from schema.records.identity import Principal
from schema.records.operations import ProcessRecord
from schema.records.orders import Shipment, ShipmentLine
from schema.records.values import Quantity
from tests.support.eventually import eventually
from tests.support.process_world import REP, ProcessWorld, submission
from tests.support.rule_records import NOW

__all__ = [
    "CONTROLLER",
    "WAIT_MS",
    "Scenario",
    "delivered_shipment",
    "end",
    "named",
    "order",
    "received",
    "stops",
    "told_once",
]

WAIT_MS = 30_000
CONTROLLER = Principal("user:usr_7", roles=("CREDIT_CONTROLLER",))
END_S = 60.0
"""Longest wait for a process to end; a killed one is there within a second or two of its engine's start."""


@dataclass(frozen=True)
class Scenario:
    """What a program does.

    Attributes:
        act: starts processes, or the same ones again, and returns their ids.
        check: asserts how the systems and ledgers are left.
        state: state in which the processes end.
        ordered: an order is submitted, and its process has ended, before the program may be killed.
        is_new: the releases before the present version of processes did not know of it.
    """

    act: Callable[[ProcessWorld, ProcessEngine], Awaitable[list[str]]]
    check: Callable[[ProcessWorld], Awaitable[None]]
    state: ProcessState = ProcessState.COMPLETED
    ordered: bool = False
    is_new: bool = False


async def end(world: ProcessWorld, process_id: str) -> ProcessState:
    """Return the state in which a process ends."""
    return await _shown(world, process_id, lambda process: process.ended_at is not None)


def named(started: Started) -> list[str]:
    assert started.process_id is not None, started.problems
    return [started.process_id]


async def received(world: ProcessWorld) -> str:
    """Return the id of the only order that was received."""
    (stored,) = await world.use.events.read(EventFilter(types=("order.received",)), None, 10)
    return stored.event.subject


def told_once(types: list[str], *often: str) -> None:
    once = [name for name in types if name not in often]
    assert len(once) == len(set(once)), f"something was told twice: {once}"


async def order(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Submit an order (P3)."""
    return named(await EngineStarter(engine).submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT_MS))


async def stops(world: ProcessWorld, process_id: str) -> ProcessState:
    """Return the state in which a process waits for a person, or has ended."""
    return await _shown(
        world, process_id, lambda process: process.ended_at is not None or process.state is ProcessState.WAITING_HUMAN
    )


async def _shown(world: ProcessWorld, process_id: str, wanted: Callable[[ProcessRecord], bool]) -> ProcessState:
    async def ask() -> ProcessRecord | None:
        return (await world.use.process_log.processes([process_id])).get(process_id)

    found = await eventually(ask, lambda process: process is not None and wanted(process), END_S)
    assert found is not None
    return found.state


def delivered_shipment(order_id: str) -> Shipment:
    carried = (ShipmentLine(1, "PMP-0042", Quantity(Decimal(6), "EA"), None),)
    status = ShipmentStatus.DELIVERED
    return Shipment("sh_S-1", "S-1", order_id, "acc_1", "W01", status, (), carried, (), None, NOW)

"""Kill -9 at the boundaries of the steps of P5, P6 and P7: each thing is done once everywhere, and everything ends."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from processes.invoicing import INVOICE_POSTING
from processes.order_cancel import ORDER_CANCEL
from processes.order_change import ORDER_CHANGE
from processes.return_goods import RETURN_GOODS
from schema.enums import OrderStatus, ProcessState, ReturnStatus
from tests.support.order_life_child import received
from tests.support.process_world import ProcessWorld, process_world

ROOT = Path(__file__).parents[2]
RECOVERY_S = 10.0
"""A killed process has ended this long after its engine is back; the program looks at its order before."""

MOMENTS = ("start", "done", "kept")
STEPS = {
    "change": [step.name for step in ORDER_CHANGE],
    "cancel": [step.name for step in ORDER_CANCEL],
    "return": [step.name for step in RETURN_GOODS],
    "invoice": [step.name for step in INVOICE_POSTING],
}


@dataclass(frozen=True)
class Place:
    """Where the program dies: at a moment of a step or within a call."""

    scenario: str
    kill: tuple[str, str] | None = None
    strike: str | None = None

    def __str__(self) -> str:
        where = "-".join(self.kill) if self.kill else str(self.strike).replace(" ", "-")
        return f"{self.scenario}-{where}"


FEW = [
    Place("change", strike="after change_order"),
    Place("cancel", kill=("cancel", "done")),
    Place("return", strike="after credit_return"),
    Place("invoice", kill=("publish", "done")),
]
CALLS = {
    "change": ("after hold_release", "after change_order", "after allocate", "after cancel_release", "after release"),
    "cancel": ("after hold_release", "after cancel_order", "after cancel_release"),
    "return": ("after create_return", "after expect_return", "after receive_return", "after credit_return"),
    "invoice": (),
}
ALL = [
    *(Place(name, kill=(step, moment)) for name, steps in STEPS.items() for step in steps for moment in MOMENTS),
    *(Place(name, strike=call) for name, calls in CALLS.items() for call in calls),
]


def run(place: Place, database: str, folder: Path, *, dies: bool) -> subprocess.CompletedProcess[str]:
    plan = {
        "scenario": place.scenario,
        "database": database,
        "kept": str(folder / "kept.db"),
        "kill": place.kill if dies else None,
        "strike": {place.strike: "kill"} if dies and place.strike else {},
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.support.order_life_child", json.dumps(plan)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def changed(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    assert (order.status, order.amended_by, order.lines[0].wanted) == (OrderStatus.ACCEPTED, None, 4)
    version = world.kept.all("version")[0]
    assert world.kept.keys("change") == [f"chg:{order.id}:{version}:erp"]
    assert world.kept.keys("release") == [f"or:{order.id}:rel:W01:{version}"]
    assert world.kept.keys("held") == []
    assert [line.ordered for line in world.erp.documents()[0].lines] == [4]


async def cancelled(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    assert (order.status, order.amended_by) == (OrderStatus.CANCELLED, None)
    assert [document.status for document in world.erp.documents()] == [OrderStatus.CANCELLED]
    assert (world.kept.keys("release"), world.kept.keys("held")) == ([], [])


async def returned(world: ProcessWorld) -> None:
    order_id = await received(world)
    (entry,) = (await world.use.returns.returns_of_orders([order_id]))[order_id]
    assert (entry.status, entry.credit is not None) == (ReturnStatus.CLOSED, True)
    assert world.kept.keys("rma") == [entry.number]
    assert world.kept.keys("expected") == [f"rma:{entry.id}:wms"]
    assert world.kept.keys("rma_key") == [f"rma:{entry.id}:receipt", f"rma:{entry.id}:credit"]
    types = await world.event_types(entry.id)
    assert types.count("customer.notified") == 2
    others = [name for name in types if name != "customer.notified"]
    assert len(others) == len(set(others)), "something was told twice"


async def billed(world: ProcessWorld) -> None:
    order_id = await received(world)
    assert (await world.order(order_id)).status is OrderStatus.COMPLETED
    types = await world.event_types(order_id)
    assert (types.count("invoice.posted"), types.count("order.completed")) == (1, 1)


ENDS: Mapping[str, Callable[[ProcessWorld], Awaitable[None]]] = {
    "change": changed,
    "cancel": cancelled,
    "return": returned,
    "invoice": billed,
}


async def check(place: Place, database: str, folder: Path) -> None:
    died = await asyncio.to_thread(run, place, database, folder, dies=True)
    assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
    lived = await asyncio.to_thread(run, place, database, folder, dies=False)
    assert lived.returncode == 0, lived.stderr
    told = json.loads(lived.stdout.splitlines()[-1])
    assert told["state"] == ProcessState.COMPLETED.value
    assert told["took"] < RECOVERY_S
    async with process_world(database, kept=folder / "kept.db") as world:
        assert await world.held() == {}
        await ENDS[place.scenario](world)


@pytest.mark.parametrize("place", FEW, ids=str)
async def test_a_killed_program_does_each_thing_once(place: Place, sqlite_url: str, tmp_path: Path) -> None:
    await check(place, sqlite_url, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", ALL, ids=str)
async def test_a_program_may_be_killed_anywhere(place: Place, database_url: str, tmp_path: Path) -> None:
    await check(place, database_url, tmp_path)

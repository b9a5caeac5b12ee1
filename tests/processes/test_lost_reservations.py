"""An order whose reservation got no answer: whether it was made is looked up before the order goes on without it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from processes.amend_case import CHANGE
from processes.api import LineChange
from processes.order_case import OrderCase
from processes.order_sourcing import look_up_reservation
from processes.steps import Verdict
from schema.enums import OrderStatus, ProcessState, ReservationStatus, SourceSystem
from schema.records.inventory import ReserveLine
from schema.records.values import Quantity
from systems.errors import Unavailable
from tests.support.process_world import ProcessWorld, line, run_amend, run_order, submission
from tests.support.rule_records import NOW

PLATFORM = SourceSystem.PLATFORM
LOST = Unavailable(PLATFORM, "reserve", "no answer", outcome_unknown=True)
W01 = ("PMP-0042", "W01")


class Ledger:
    """The reservations' ledger, whose answers are lost, before or after it has done its work."""

    def __init__(self, world: ProcessWorld, *faults: str) -> None:
        self._real = world.use.reservations
        self._faults = list(faults)
        self.answers = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def reserve(self, *args: Any) -> Any:
        fault = self._faults.pop(0) if self._faults else ""
        if fault == "before":
            raise LOST
        found = await self._real.reserve(*args)
        if fault == "after":
            raise LOST
        self.answers += 1
        return found


def with_ledger(world: ProcessWorld, *faults: str) -> tuple[ProcessWorld, Ledger]:
    ledger = Ledger(world, *faults)
    return replace(world, use=replace(world.use, reservations=ledger)), ledger


async def reserved_late(world: ProcessWorld) -> bool:
    """Return whether an attempt that was given up still reserves something when it comes through at last."""
    wanted = [ReserveLine(1, *W01, Decimal(6), "EA", limit=Decimal(100))]
    held, _ = await world.use.reservations.reserve("or:ord_1:resv", "acc_1", wanted, NOW, NOW)
    return bool(held) or await world.held() != {}


async def test_a_reservation_whose_answers_were_lost_is_found_and_the_order_ships_from_where_it_is(
    world: ProcessWorld,
) -> None:
    holds: list[dict[tuple[str, str], Decimal]] = []
    lossy, _ = with_ledger(world, "after", "before")
    create = world.erp.create_order

    async def looked(document: Any) -> Any:
        holds.append(await world.held())
        return await create(document)

    world.erp.create_order = looked  # type: ignore[assignment, method-assign]
    run = await run_order(lossy, submission())
    assert (run.ending.state, (await world.steps("prc_1"))["reserve"]) == (ProcessState.COMPLETED, "DONE")
    assert holds == [{W01: Decimal(6)}]
    order = await world.order("ord_1")
    assert (order.status, order.promised_date is not None) == (OrderStatus.ACCEPTED, True)
    assert await world.held() == {}


async def test_an_order_that_reserved_nothing_goes_on_without_and_nothing_is_reserved_later(
    world: ProcessWorld,
) -> None:
    lossy, _ = with_ledger(world, "before", "before")
    run = await run_order(lossy, submission())
    assert run.ending.state is ProcessState.COMPLETED
    process = (await world.use.process_log.processes(["prc_1"]))["prc_1"]
    (step,) = [entry for entry in process.steps if entry.name == "reserve"]
    assert step.state == "SKIPPED"
    assert "the ERP alone decides" in str(step.last_error)
    assert "no answer" in str(step.last_error)
    assert (await world.order("ord_1")).status is OrderStatus.ACCEPTED
    assert world.kept.keys("release") == ["or:ord_1:rel:W01:1"]
    assert not await reserved_late(world)


async def test_an_order_waits_until_it_knows_whether_it_has_reserved(world: ProcessWorld) -> None:
    lossy, ledger = with_ledger(world, "after", "before", "before", "before")
    run = await run_order(lossy, submission())
    assert (run.ending.state, (await world.steps("prc_1"))["reserve"]) == (ProcessState.COMPLETED, "DONE")
    assert ledger.answers == 1


async def test_a_reservation_that_is_found_while_master_data_is_out_is_kept_and_promised_later(
    world: ProcessWorld,
) -> None:
    run = await run_order(world, submission())
    wanted = [ReserveLine(1, *W01, Decimal(6), "EA", limit=Decimal(100))]
    await world.use.reservations.reserve("or:ord_2:resv", "acc_1", wanted, NOW, NOW)
    world.script.down.add(SourceSystem.CLOUD_ERP)
    case = OrderCase(replace(run.request, order_id="ord_2"), world.use, resumed=True)
    outcome = await look_up_reservation(case)
    assert outcome.verdict is Verdict.DONE
    assert "reserved" in str(outcome.note)
    held, _ = await world.use.reservations.reserve("or:ord_2:resv", "acc_1", wanted, NOW, NOW)
    assert [entry.status for entry in held] == [ReservationStatus.HELD]


async def test_a_change_whose_reservation_got_no_answer_looks_it_up_too(world: ProcessWorld) -> None:
    await run_order(world, submission(line(2)))
    for name, faults, state in (("c1", ("after", "before"), "DONE"), ("c2", ("before", "before"), "SKIPPED")):
        lossy, _ = with_ledger(world, *faults)
        more = Decimal({"c1": 4, "c2": 6}[name])
        run = await run_amend(lossy, CHANGE, LineChange(1, quantity=Quantity(more, "EA")), name=name)
        assert run.ending.state is ProcessState.COMPLETED
        assert (await world.steps(f"prc_{name}"))["reserve"] == state
        assert await world.held() == {}

"""Splitting an order that ships complete (P3): what is there goes ahead, where that makes a difference."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from processes.amend_case import CANCELLATION, CHANGE, SPLIT
from processes.api import LineChange
from schema.enums import OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.problems import NotAllowedInState, Stockout, VersionConflict
from schema.records.values import PageRequest, Quantity
from systems.errors import Unavailable
from tests.support.process_world import (
    REP,
    ProcessWorld,
    line,
    problem_names,
    released,
    run_amend,
    run_order,
    submission,
)
from tests.support.rule_records import credit, terms

WMS = SourceSystem.WMS
RELEASE = "or:ord_1:rel:W01:1"


@pytest.fixture
async def waiting(world: ProcessWorld) -> ProcessWorld:
    """An order of 6 pumps that ships complete and waits for 2 of them."""
    world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
    await run_order(world, submission(line(6), ship_complete=True))
    assert world.kept.keys("release") == []
    return world


async def test_what_is_there_is_released_and_the_rest_stays_backordered(waiting: ProcessWorld) -> None:
    before = await waiting.order("ord_1")
    run = await run_amend(waiting, SPLIT)
    order = await waiting.order("ord_1")
    assert (run.ending.state, order.status) == (ProcessState.COMPLETED, OrderStatus.ACCEPTED)
    assert replace(order, ship_complete=True, version=before.version) == before
    assert not order.ship_complete
    assert order.lines[0].backordered == 2
    assert (waiting.kept.keys("release"), await waiting.held()) == ([RELEASE], {})
    assert waiting.kept.keys("change") == []


async def test_who_has_split_it_and_what_goes_ahead_is_told_with_the_order_and_the_customer_learns_of_it(
    waiting: ProcessWorld,
) -> None:
    await run_amend(waiting, SPLIT)
    (told,) = await waiting.use.events.read(EventFilter(types=("order.split",)), None, 9)
    assert (told.event.actor, told.event.data["shipComplete"]) == (REP.subject, False)
    assert told.event.data["lines"] == [
        {"lineNo": 1, "sku": "PMP-0042", "uom": "EA", "allocated": "4", "backordered": "2"}
    ]
    notified = await waiting.use.events.read(EventFilter(types=("customer.notified",)), None, 9)
    assert [stored.event.data["template"] for stored in notified] == ["accepted", "changed"]


@pytest.mark.parametrize("stock", [4, 0], ids=["some of it is there", "nothing of it is there"])
@pytest.mark.parametrize("ship_complete", [True, False], ids=["ships complete", "ships in parts"])
async def test_the_desk_may_split_where_that_makes_a_difference(
    world: ProcessWorld, stock: int, ship_complete: bool
) -> None:
    world.erp.stock = {("PMP-0042", "W01"): Decimal(stock)}
    await run_order(world, submission(line(6), ship_complete=ship_complete, allow_backorder=False))
    (task,) = (await world.use.tasks.search_tasks("ORDER_DESK", "OPEN", PageRequest(10))).items
    assert ("SPLIT" in task.resolutions) is (ship_complete and stock > 0)
    assert any(isinstance(entry, Stockout) for entry in (await world.order("ord_1")).exceptions)


@pytest.mark.parametrize(
    ("stock", "ship_complete"),
    [(4, False), (0, True), (6, True)],
    ids=["it ships in parts", "nothing of it is there", "nothing of it lacks"],
)
async def test_where_it_makes_no_difference_it_is_refused(world: ProcessWorld, stock: int, ship_complete: bool) -> None:
    world.erp.stock = {("PMP-0042", "W01"): Decimal(stock)}
    await run_order(world, submission(line(6), ship_complete=ship_complete))
    before = await world.order("ord_1")
    (problem,) = (await run_amend(world, SPLIT)).ending.problems
    assert isinstance(problem, NotAllowedInState)
    assert (problem.state, problem.allowed) == ("ACCEPTED", ("CHANGE", "CANCEL"))
    assert await world.order("ord_1") == before


@pytest.mark.parametrize("status", [OrderStatus.ON_HOLD, OrderStatus.CANCEL_PENDING], ids=lambda status: status.value)
async def test_an_order_that_is_not_accepted_is_not_split(waiting: ProcessWorld, status: OrderStatus) -> None:
    await waiting.use.orders.update(replace(await waiting.order("ord_1"), status=status))
    (problem,) = (await run_amend(waiting, SPLIT)).ending.problems
    assert isinstance(problem, NotAllowedInState)
    assert problem.message.endswith(f"is {status.value} and cannot be split")


async def test_credit_is_not_asked_again_as_nothing_more_is_owed(waiting: ProcessWorld) -> None:
    waiting.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="10", on_hold=True))
    before = await waiting.order("ord_1")
    waiting.script.calls.clear()
    run = await run_amend(waiting, SPLIT)
    order = await waiting.order("ord_1")
    assert (run.ending.state, order.status) == (ProcessState.COMPLETED, OrderStatus.ACCEPTED)
    assert [(entry.wanted, entry.unit_price) for entry in order.lines] == [
        (entry.wanted, entry.unit_price) for entry in before.lines
    ]
    assert "open_values" not in waiting.script.calls


@pytest.mark.parametrize(
    ("hours", "limit", "problems"),
    [(1, "10", []), (-1, "10", ["CreditHold"]), (-1, "10000", [])],
    ids=["it still holds", "it has ended", "it has ended, and is needed no more"],
)
async def test_what_was_released_from_a_credit_hold_leaves_while_that_release_holds(
    waiting: ProcessWorld, hours: int, limit: str, problems: list[str]
) -> None:
    waiting.erp.terms_by_account["acc_1"] = terms(profile=credit(limit=limit, receivables="100"))
    await waiting.use.orders.update(released(await waiting.order("ord_1"), "216.60", "1000", hours))
    before = await waiting.order("ord_1")
    run = await run_amend(waiting, SPLIT)
    assert problem_names(run.ending.problems) == problems
    assert waiting.kept.keys("release") == ([] if problems else [RELEASE])
    if problems:
        assert await waiting.order("ord_1") == before


async def test_an_order_that_has_changed_since_it_was_read_is_not_split(waiting: ProcessWorld) -> None:
    before = await waiting.order("ord_1")
    (problem,) = (await run_amend(waiting, SPLIT, version=before.version - 1)).ending.problems
    assert isinstance(problem, VersionConflict)
    assert (await waiting.order("ord_1")) == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("unknown", [True, False], ids=["lost on the way", "no connection"])
async def test_a_warehouse_system_that_fails_has_one_release_in_the_end(
    waiting: ProcessWorld, when: str, unknown: bool
) -> None:
    fault = Unavailable(WMS, "release", "no answer", outcome_unknown=unknown)
    getattr(waiting.script, when)["release"] += [fault]
    run = await run_amend(waiting, SPLIT)
    assert run.ending.state is ProcessState.COMPLETED
    assert waiting.kept.keys("release") == [RELEASE]


async def test_a_split_order_is_cancelled_with_what_has_gone_ahead(waiting: ProcessWorld) -> None:
    await run_amend(waiting, SPLIT)
    run = await run_amend(waiting, CANCELLATION, name="c2")
    assert (run.ending.state, (await waiting.order("ord_1")).status) == (ProcessState.COMPLETED, OrderStatus.CANCELLED)
    assert (waiting.kept.keys("release"), await waiting.held()) == ([], {})


async def test_an_order_that_waits_since_it_grew_is_released_in_the_round_of_its_change(world: ProcessWorld) -> None:
    world.erp.stock = {("PMP-0042", "W01"): Decimal(7)}
    await run_order(world, submission(line(6), ship_complete=True))
    assert world.kept.keys("release") == [RELEASE]
    grown = await run_amend(world, CHANGE, LineChange(1, Quantity(Decimal(9), "EA")))
    assert (grown.ending.state, world.kept.keys("release")) == (ProcessState.COMPLETED, [])
    run = await run_amend(world, SPLIT, name="c2")
    assert run.ending.state is ProcessState.COMPLETED
    assert world.kept.keys("release") == [f"or:ord_1:rel:W01:{grown.request.version}"]

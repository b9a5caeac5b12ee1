"""Held orders wait durably: released with cap and end, refused, escalated, held again; time is the test's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes.authority import NotEntitled
from processes.hold_decision import HoldVerdict, decide_hold
from processes.order_hold import HOLD_DUE, HOLD_LAPSES, RESERVATION_KEPT
from processes.runner import LOOK_S
from schema.enums import HoldKind, OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.identity import Principal
from schema.records.problems import NotAllowedInState, Problem, ValidationFailed
from schema.records.values import Money, PageRequest
from systems.errors import Unavailable
from tests.support.process_world import (
    REP,
    MemoryJournal,
    OrderRun,
    ProcessWorld,
    line,
    problem_names,
    run_order,
    submission,
)
from tests.support.rule_records import credit, item, terms

CONTROLLER = Principal("user:usr_7", roles=("CREDIT_CONTROLLER",))
DESK = Principal("user:usr_8", roles=("PRICING_DESK",))
HOUR = timedelta(hours=1)

Deciding = Callable[[], Awaitable[object]]


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def release(identifier: str = "d-1", **changes: Any) -> HoldVerdict:
    made = HoldVerdict(identifier, "ord_1", HoldKind.CREDIT, approve=True, comment="payment promised")
    return replace(made, **changes)


@pytest.fixture
def poor(world: ProcessWorld) -> ProcessWorld:
    """A world in which the customer may owe no more."""
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="100.00"))
    return world


def waiting(world: ProcessWorld, *turns: Deciding) -> MemoryJournal:
    """Return a journal in which time passes while the run waits, and something is done at the end of each wait."""
    journal, left = MemoryJournal(), list(turns)

    async def wait(seconds: float) -> bool:
        if world.clock.at is not None:
            world.clock.at += timedelta(seconds=seconds)
        if not left:
            raise AssertionError("the run waits longer than the test expects")
        await left.pop(0)()
        return True

    journal.on_wait = wait
    return journal


async def nothing() -> None:
    """Nobody does anything."""


async def held(world: ProcessWorld, *turns: Deciding, **changes: Any) -> OrderRun:
    return await run_order(world, submission(line(6)), journal=waiting(world, *turns), **changes)


async def types(world: ProcessWorld, *, of: str = "ord_1") -> list[str]:
    return await world.event_types(of)


async def test_a_released_order_goes_on_through_erp_and_allocation_under_the_same_process(poor: ProcessWorld) -> None:
    async def decide() -> None:
        assert await decide_hold(poor.use, release(max_amount=usd("12000.00")), CONTROLLER) == ()

    run = await held(poor, decide)
    order = await poor.order("ord_1")
    assert (run.ending.state, order.status, order.holds) == (ProcessState.COMPLETED, OrderStatus.ACCEPTED, ())
    assert order.exceptions == ()
    assert poor.kept.keys("document") == ["or:ord_1:erp"]
    assert poor.kept.keys("release") == ["or:ord_1:rel:W01:1"]
    told = await types(poor)
    assert [name for name in told if name.startswith("order.")][:4] == [
        "order.received",
        "order.priced",
        "order.held",
        "order.hold.released",
    ]
    assert (await poor.steps("prc_1"))["credit"] == "DONE"


async def test_a_release_says_who_when_why_and_what_was_before(poor: ProcessWorld) -> None:
    async def decide() -> None:
        await decide_hold(poor.use, release(max_amount=usd("12000.00")), CONTROLLER)

    await held(poor, decide)
    (decision,) = (await poor.order("ord_1")).decisions
    assert (decision.by, decision.approved, decision.comment) == ("user:usr_7", True, "payment promised")
    assert decision.max_amount == usd("12000.00")
    assert decision.expires_at == decision.at + timedelta(days=3)
    (told,) = await poor.use.events.read(EventFilter(types=("order.hold.released",)), None, 9)
    assert (told.event.actor, told.event.manual) == ("user:usr_7", True)
    assert (told.event.data["holdsBefore"], told.event.data["holds"]) == (["CREDIT"], [])
    assert told.event.data["rule"] == decision.reason
    (task,) = (await poor.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    assert (task.state, task.resolution, task.resolved_by) == ("RESOLVED", "RELEASE", "user:usr_7")
    assert (await types(poor)).count("task.resolved") == 1


async def test_the_run_is_the_same_when_it_is_repeated_from_its_journal(poor: ProcessWorld) -> None:
    async def decide() -> None:
        await decide_hold(poor.use, release(), CONTROLLER)

    run = await held(poor, nothing, decide)
    calls = list(poor.script.calls)
    run.journal.again()
    again = await run_order(poor, submission(line(6)), journal=run.journal, resumed=True)
    assert again.ending == run.ending
    assert poor.script.calls == calls


async def test_a_held_order_that_is_refused_leaves_nothing_behind(poor: ProcessWorld) -> None:
    async def decide() -> None:
        assert await decide_hold(poor.use, release(approve=False, comment="no payment"), CONTROLLER) == ()

    run = await held(poor, decide)
    order = await poor.order("ord_1")
    assert (run.ending.state, order.status) == (ProcessState.FAILED, OrderStatus.REJECTED)
    assert [problem.rule for problem in order.exceptions if isinstance(problem, ValidationFailed)] == [
        "HOLD_NOT_RELEASED"
    ]
    assert "no payment" not in order.exceptions[0].message
    (told,) = await poor.use.events.read(EventFilter(types=("order.rejected",)), None, 9)
    assert (told.event.actor, told.event.manual) == ("user:usr_7", True)
    assert poor.erp.documents() == []


async def test_a_hold_that_nobody_decides_escalates_after_eight_hours(poor: ProcessWorld) -> None:
    began = poor.clock.now()

    async def decide() -> None:
        await decide_hold(poor.use, release(), CONTROLLER)

    run = await held(poor, *[nothing] * 8, decide)
    assert run.ending.state is ProcessState.COMPLETED
    (told,) = await poor.use.events.read(EventFilter(types=("order.hold.escalated",)), None, 9)
    assert told.event.occurred_at == began + HOLD_DUE
    assert (told.event.data["from"], told.event.data["queue"]) == ("CREDIT", "FINANCE")
    tasks = (await poor.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    assert [(task.kind, task.queue, task.state) for task in tasks] == [
        ("CreditHold", "CREDIT", "RESOLVED"),
        ("HoldOverdue", "FINANCE", "RESOLVED"),
    ]


async def test_goods_of_an_order_that_the_erp_holds_are_kept_for_a_day(world: ProcessWorld) -> None:
    world.erp.price_of = lambda sku, agreed: Money(agreed.amount + 1, agreed.currency)
    journal = waiting(world)
    began = world.clock.now()

    async def look(seconds: float) -> bool:
        world.clock.at = world.clock.now() + timedelta(seconds=seconds)
        waited = world.clock.now() - began
        if waited == RESERVATION_KEPT - HOUR:
            assert await world.held() != {}
        if waited > RESERVATION_KEPT:
            assert await world.held() == {}
            verdict = release(kind=HoldKind.PRICE)
            assert await decide_hold(world.use, verdict, DESK) == ()
        return False

    journal.on_wait = look
    run = await run_order(world, submission(line(6)), journal=journal)
    assert run.ending.state is ProcessState.COMPLETED
    assert world.kept.keys("document") == ["or:ord_1:erp"]
    released = await world.use.events.read(EventFilter(types=("inventory.released",)), None, 9)
    assert [stored.event.data["sku"] for stored in released] == ["PMP-0042"]


async def test_an_order_that_nobody_ever_decides_is_refused_in_the_end(poor: ProcessWorld) -> None:
    turns = int(HOLD_LAPSES.total_seconds() / LOOK_S) + 2
    run = await held(poor, *[nothing] * turns)
    assert (run.ending.state, [problem.rule for problem in run.ending.problems]) == (  # type: ignore[attr-defined]
        ProcessState.FAILED,
        ["HOLD_LAPSED"],
    )


async def test_every_hold_must_be_released_and_then_the_order_goes_on(poor: ProcessWorld) -> None:
    poor.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")

    async def one() -> None:
        assert await decide_hold(poor.use, release("d-1"), CONTROLLER) == ()
        order = await poor.order("ord_1")
        assert (order.status, [hold.kind for hold in order.holds]) == (OrderStatus.ON_HOLD, [HoldKind.PRICE])

    async def other() -> None:
        owner = (await poor.order("ord_1")).holds[0].owner_queue
        assert owner in ("SALES", "PRICING", "FINANCE")
        boss = Principal("user:usr_9", roles=("FINANCE",))
        assert await decide_hold(poor.use, release("d-2", kind=HoldKind.PRICE), boss) == ()

    run = await run_order(
        poor, submission(line(2, "VLV-0007", 1), line(6, number=2)), journal=waiting(poor, one, other)
    )
    assert run.ending.state is ProcessState.COMPLETED


BAD: list[tuple[dict[str, Any], str]] = [
    ({"order_id": "ord_404"}, "UNKNOWN_ORDER"),
    ({"comment": " "}, "COMMENT"),
    ({"comment": "x" * 1_001}, "COMMENT"),
    ({"max_amount": usd("10.00")}, "CAP_BELOW_TOTAL"),
    ({"max_amount": Money(Decimal(9_999), "EUR")}, "CURRENCY"),
]


@pytest.mark.parametrize(("changes", "broken"), BAD, ids=[f"{case[1]}{place}" for place, case in enumerate(BAD)])
async def test_a_release_that_cannot_be_is_refused_and_writes_nothing(
    poor: ProcessWorld, changes: dict[str, Any], broken: str
) -> None:
    await run_order(poor, submission(line(6)))
    before = await poor.order("ord_1")
    problems = await decide_hold(poor.use, release(**changes), CONTROLLER)
    assert [problem.rule for problem in problems if isinstance(problem, ValidationFailed)] == [broken]
    assert await poor.order("ord_1") == before


@pytest.mark.parametrize("end", [timedelta(0), timedelta(days=3, seconds=1)], ids=["now", "too late"])
async def test_a_release_ends_within_three_days(poor: ProcessWorld, end: timedelta) -> None:
    await run_order(poor, submission(line(6)))
    problems = await decide_hold(poor.use, release(expires_at=poor.clock.now() + end), CONTROLLER)
    assert [problem.rule for problem in problems] == ["EXPIRES_AT"]  # type: ignore[attr-defined]


async def test_who_submitted_an_order_does_not_release_it(poor: ProcessWorld) -> None:
    await run_order(poor, submission(line(6)))
    mine = replace(REP, roles=("FINANCE",))
    problems = await decide_hold(poor.use, release(), mine)
    assert [problem.rule for problem in problems] == ["SEPARATION_OF_DUTIES"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", ["SERVICE_DESK", "SALES", "OPERATIONS", "PRICING_DESK"])
async def test_only_those_who_own_a_hold_release_it(poor: ProcessWorld, role: str) -> None:
    await run_order(poor, submission(line(6)))
    with pytest.raises(NotEntitled, match="CREDIT_CONTROLLER"):
        await decide_hold(poor.use, release(), Principal("user:usr_5", roles=(role,), warehouses=("*",)))


async def test_a_held_order_does_not_exist_for_those_of_warehouses_that_have_nothing_of_it(poor: ProcessWorld) -> None:
    await run_order(poor, submission(line(6)))
    worker = Principal("user:usr_5", roles=("OPERATIONS",), warehouses=("W01",))
    problems = await decide_hold(poor.use, release(), worker)
    assert [problem.rule for problem in problems] == ["UNKNOWN_ORDER"]  # type: ignore[attr-defined]


async def test_a_hold_is_decided_once(poor: ProcessWorld) -> None:
    await run_order(poor, submission(line(6)))
    assert await decide_hold(poor.use, release("d-1"), CONTROLLER) == ()
    assert await decide_hold(poor.use, release("d-1"), CONTROLLER) == ()
    (problem,) = await decide_hold(poor.use, release("d-2"), CONTROLLER)
    assert isinstance(problem, NotAllowedInState)
    assert len((await poor.order("ord_1")).decisions) == 1
    assert (await types(poor)).count("order.hold.released") == 1


async def test_a_cap_without_anything_owed_is_refused(world: ProcessWorld) -> None:
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    await run_order(world, submission(line(2, "VLV-0007")))
    verdict = release(kind=HoldKind.PRICE, max_amount=usd("1.00"))
    boss = Principal("user:usr_9", roles=("FINANCE",))
    problems = await decide_hold(world.use, verdict, boss)
    assert [problem.rule for problem in problems] == ["MAX_AMOUNT"]  # type: ignore[attr-defined]


# --- held again


async def test_a_release_that_ended_before_the_warehouse_was_told_holds_the_order_again(poor: ProcessWorld) -> None:
    async def first() -> None:
        await decide_hold(poor.use, release("d-1"), CONTROLLER)
        lost = Unavailable(SourceSystem.WMS, "release", "no connection", outcome_unknown=False)
        poor.script.before["release"] += [lost]

    async def second() -> None:
        order = await poor.order("ord_1")
        assert (order.status, [hold.kind for hold in order.holds]) == (OrderStatus.ON_HOLD, [HoldKind.CREDIT])
        assert problem_names(order.exceptions) == ["CreditHold"]
        assert poor.kept.keys("release") == []
        await decide_hold(poor.use, release("d-2"), CONTROLLER)
        assert (await poor.order("ord_1")).status is OrderStatus.ACCEPTED

    journal = waiting(poor, first, second)
    real = journal.sleep

    async def for_days(seconds: float) -> None:
        poor.clock.at = poor.clock.now() + timedelta(days=4)
        await real(seconds)

    journal.sleep = for_days  # type: ignore[method-assign]
    run = await run_order(poor, submission(line(6)), journal=journal)
    assert run.ending.state is ProcessState.COMPLETED
    assert poor.kept.keys("document") == ["or:ord_1:erp"]
    assert poor.kept.keys("release") == ["or:ord_1:rel:W01:1"]
    assert (await types(poor)).count("order.held") == 2
    assert len((await poor.use.tasks.tasks_of(["ord_1"]))["ord_1"]) == 2


@pytest.mark.parametrize(("cap", "grown"), [("231.00", "1.05"), ("9000.00", "1.15")], ids=["above cap", "by 15 %"])
async def test_an_order_that_outgrew_its_release_is_held_again(poor: ProcessWorld, cap: str, grown: str) -> None:
    async def first() -> None:
        assert await decide_hold(poor.use, release("d-1", max_amount=usd(cap)), CONTROLLER) == ()
        order = await poor.order("ord_1")
        price = order.lines[0].unit_price
        assert price is not None
        dearer = replace(price, amount=(price.amount * Decimal(grown)).quantize(Decimal("0.0001")))
        await poor.use.orders.update(replace(order, lines=(replace(order.lines[0], unit_price=dearer),)))

    seen: list[list[Problem]] = []

    async def second() -> None:
        order = await poor.order("ord_1")
        seen.append(list(order.exceptions))
        assert await decide_hold(poor.use, release("d-2"), CONTROLLER) == ()

    run = await held(poor, first, second)
    assert problem_names(seen[0]) == ["CreditHold"]
    assert run.ending.state is ProcessState.COMPLETED


async def test_an_order_cancelled_while_it_was_held_ends_its_process(poor: ProcessWorld) -> None:
    async def cancel() -> None:
        order = await poor.order("ord_1")
        await poor.use.orders.update(replace(order, status=OrderStatus.CANCELLED, holds=()))

    run = await held(poor, cancel)
    assert run.ending.state is ProcessState.CANCELLED
    assert poor.erp.documents() == []


async def test_open_tasks_are_found_by_order(poor: ProcessWorld) -> None:
    await run_order(poor, submission(line(6)))
    page = await poor.use.tasks.search_tasks("CREDIT", "OPEN", PageRequest(10))
    assert (await poor.use.tasks.tasks_of(["ord_1", "ord_2"])) == {"ord_1": page.items, "ord_2": ()}


async def test_when_one_hold_is_refused_nobody_is_asked_about_the_others_any_more(poor: ProcessWorld) -> None:
    poor.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")

    async def decide() -> None:
        assert await decide_hold(poor.use, release(approve=False), CONTROLLER) == ()
        (problem,) = await decide_hold(poor.use, release("d-2"), CONTROLLER)
        assert isinstance(problem, NotAllowedInState)
        assert problem.allowed == ()

    asked = submission(line(2, "VLV-0007", 1), line(6, number=2))
    run = await run_order(poor, asked, journal=waiting(poor, decide))
    assert run.ending.state is ProcessState.FAILED
    tasks = (await poor.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    assert sorted((task.kind, task.state, task.resolution) for task in tasks) == [
        ("ApprovalRequired", "RESOLVED", "ORDER_ENDED"),
        ("CreditHold", "RESOLVED", "REJECT"),
    ]


async def test_an_order_taken_up_from_the_ledger_is_refused_without_asking_again(poor: ProcessWorld) -> None:
    await run_order(poor, submission(line(6)))
    assert await decide_hold(poor.use, release(approve=False), CONTROLLER) == ()
    run = await run_order(poor, submission(line(6)), journal=waiting(poor), resumed=True)
    assert run.ending.state is ProcessState.FAILED
    assert len((await poor.use.tasks.tasks_of(["ord_1"]))["ord_1"]) == 1

"""Changing and cancelling orders (P7): every way it goes well, every way it is refused, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from processes.amend_case import CANCELLATION, CHANGE
from processes.api import LineChange
from schema.enums import ItemStatus, OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.catalog import PriceBreak, PriceLevel
from schema.records.problems import NotAllowedInState, VersionConflict
from schema.records.values import Money, PageRequest, Quantity
from systems.errors import Rejected, Unavailable
from tests.support.process_world import (
    AmendRun,
    MemoryJournal,
    ProcessWorld,
    line,
    problem_names,
    released,
    run_amend,
    run_order,
    submission,
)
from tests.support.rule_records import credit, item, rule, stock, terms

ERP, WMS, CRM = SourceSystem.CLOUD_ERP, SourceSystem.WMS, SourceSystem.CRM
RELEASE = "or:ord_1:rel:W01:1"
CANCELLED = (ProcessState.COMPLETED, OrderStatus.CANCELLED)


def to(quantity: int | str, number: int = 1, uom: str = "EA") -> LineChange:
    return LineChange(number, Quantity(Decimal(quantity), uom))


def away(system: SourceSystem) -> Unavailable:
    return Unavailable(system, "call", "no connection", outcome_unknown=False)


@pytest.fixture
async def ordered(world: ProcessWorld) -> ProcessWorld:
    """An accepted order of 6 pumps and 2 valves, released to W01."""
    await run_order(world, submission(line(6), line(2, "VLV-0007", 2)))
    return world


async def cancel(world: ProcessWorld, **changes: object) -> AmendRun:
    return await run_amend(world, CANCELLATION, **changes)


async def change(world: ProcessWorld, *lines: LineChange, **changes: object) -> AmendRun:
    return await run_amend(world, CHANGE, *lines, **changes)


async def actors(world: ProcessWorld, type_: str) -> list[str | None]:
    found = await world.use.events.read(EventFilter(types=(type_,)), None, 10)
    return [stored.event.actor for stored in found]


class TestCancelling:
    async def test_an_order_that_is_released_is_cancelled_everywhere(self, ordered: ProcessWorld):
        run = await cancel(ordered)
        order = await ordered.order("ord_1")
        assert (run.ending.state, order.status) == CANCELLED
        assert (order.amended_by, order.holds, [entry.wanted for entry in order.lines]) == (None, (), [0, 0])
        assert [entry.status for entry in ordered.erp.documents()] == [OrderStatus.CANCELLED]
        assert (ordered.kept.keys("release"), ordered.kept.keys("held")) == ([], [])
        assert ordered.kept.all("mirror", "ord_1") == ["CANCELLED"]
        assert await ordered.held() == {}

    async def test_the_warehouse_is_held_before_the_erp_cancels_and_cancelled_after(self, ordered: ProcessWorld):
        ordered.script.calls.clear()
        await cancel(ordered)
        wanted = ("hold_release", "cancel_order", "cancel_release")
        assert [name for name in ordered.script.calls if name in wanted] == list(wanted)

    async def test_who_asked_why_is_in_the_log(self, ordered: ProcessWorld):
        await cancel(ordered)
        types = await ordered.event_types("ord_1")
        assert types[-3:] == ["order.change.requested", "order.cancelled", "customer.notified"]
        assert await actors(ordered, "order.cancelled") == ["user:usr_1"]
        (told,) = await ordered.use.events.read(EventFilter(types=("order.cancelled",)), None, 10)
        assert told.event.data["reason"] == "the customer asked"

    async def test_goods_that_are_picked_stay_ordered_and_a_return_is_offered(self, ordered: ProcessWorld):
        ordered.wms.picked = {"W01"}
        before = await ordered.order("ord_1")
        run = await cancel(ordered)
        (problem,) = run.ending.problems
        assert isinstance(problem, NotAllowedInState)
        assert (problem.state, problem.allowed) == ("PICKING", ("REQUEST_RETURN",))
        after = await ordered.order("ord_1")
        assert replace(after, version=before.version) == before
        assert "order.change.refused" in await ordered.event_types("ord_1")

    async def test_a_warehouse_that_holds_goes_on_when_another_has_picked(self, world: ProcessWorld):
        world.erp.stock = {("PMP-0042", "W01"): Decimal(6)}
        await run_order(world, submission(line(6), line(2, "VLV-0007", 2)))
        order = await world.order("ord_1")
        first, second = order.lines
        elsewhere = replace(second, allocations=tuple(replace(a, warehouse_code="W02") for a in second.allocations))
        await world.use.orders.update(replace(order, lines=(first, elsewhere)))
        world.kept.put("release", "or:ord_1:rel:W02:1", "W02")
        world.wms.picked = {"W02"}
        run = await cancel(world)
        assert problem_names(run.ending.problems) == ["NotAllowedInState"]
        assert world.kept.keys("held") == []
        assert sorted(world.kept.keys("release")) == [RELEASE, "or:ord_1:rel:W02:1"]

    async def test_an_erp_that_has_shipped_refuses_and_the_warehouse_goes_on(self, ordered: ProcessWorld):
        ordered.script.before["cancel_order"].append(Rejected(ERP, "cancel", "shipped lines", reason="ORDER_SHIPPED"))
        run = await cancel(ordered)
        (problem,) = run.ending.problems
        assert isinstance(problem, NotAllowedInState)
        assert (problem.state, problem.allowed) == ("SHIPPED", ("REQUEST_RETURN",))
        assert (await ordered.order("ord_1")).status is OrderStatus.ACCEPTED
        assert (ordered.kept.keys("held"), ordered.kept.keys("release")) == ([], [RELEASE])

    @pytest.mark.parametrize(
        ("system", "operation"), [(WMS, "hold_release"), (ERP, "cancel_order"), (WMS, "cancel_release")]
    )
    async def test_while_a_system_is_away_the_order_waits_to_be_cancelled(
        self, ordered: ProcessWorld, system: SourceSystem, operation: str
    ):
        seen = []

        def asleep(_: int) -> None:
            seen.append(ordered.script.calls[-1])

        ordered.script.before[operation] += [away(system)] * 4
        run = await cancel(ordered, journal=MemoryJournal(asleep))
        assert seen[:2] == [operation, operation]
        assert run.decisions > 1
        assert (run.ending.state, (await ordered.order("ord_1")).status) == CANCELLED

    async def test_an_order_on_hold_is_cancelled_and_nobody_has_to_decide_any_more(self, world: ProcessWorld):
        world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="10"))
        await run_order(world, submission(line(6)))
        assert (await world.order("ord_1")).status is OrderStatus.ON_HOLD
        run = await cancel(world)
        order = await world.order("ord_1")
        assert (run.ending.state, order.status) == CANCELLED
        assert (await world.use.tasks.search_tasks("CREDIT", "OPEN", PageRequest(10))).items == ()
        (told,) = await world.use.events.read(EventFilter(types=("task.resolved",)), None, 10)
        assert (told.event.data["kind"], told.event.data["resolution"]) == ("CreditHold", "ORDER_ENDED")
        assert (told.event.actor, told.event.manual) == ("system:crossdock", False)
        submitted = (await world.use.process_log.processes(["prc_1"]))["prc_1"]
        assert submitted.state is ProcessState.CANCELLED
        assert world.erp.documents() == []

    async def test_a_cancellation_waits_until_submission_has_ended(self, ordered: ProcessWorld):
        await ordered.use.process_log.set_state("prc_1", ProcessState.WAITING_SYSTEM, ordered.clock.now())

        def asleep(count: int) -> None:
            statuses.append(count)

        statuses: list[int] = []
        journal = MemoryJournal(asleep)
        real = ordered.use.process_log.processes_of
        looks = []

        async def looking(keys):
            looks.append(keys)
            if len(looks) == 3:
                await ordered.use.process_log.set_state("prc_1", ProcessState.COMPLETED, ordered.clock.now())
            return await real(keys)

        object.__setattr__(ordered.use.process_log, "processes_of", looking)
        run = await cancel(ordered, journal=journal)
        assert len(statuses) == 2
        assert (run.ending.state, (await ordered.order("ord_1")).status) == CANCELLED

    async def test_submission_creates_no_document_of_an_order_that_is_being_cancelled(self, world: ProcessWorld):
        async def cancel_first() -> None:
            order = await world.order("ord_1")
            taken = replace(order, status=OrderStatus.CANCEL_PENDING, amended_by="prc_c1")
            await world.use.orders.update(taken)

        real = world.wms.stock

        async def stock(*values: object) -> object:
            await cancel_first()
            return await real(*values)

        world.wms.stock = stock  # type: ignore[method-assign]
        run = await run_order(world, submission(line(6)))
        assert run.ending.state is ProcessState.FAILED
        assert (await world.order("ord_1")).status is OrderStatus.CANCELLED
        assert world.erp.documents() == []
        assert await world.held() == {}
        assert (await world.event_types("ord_1")).count("order.cancelled") == 1


class TestChanging:
    async def test_a_smaller_quantity_is_changed_allocated_and_released_anew(self, ordered: ProcessWorld):
        run = await change(ordered, to(4))
        order = await ordered.order("ord_1")
        assert (run.ending.state, order.status, order.amended_by) == (
            ProcessState.COMPLETED,
            OrderStatus.ACCEPTED,
            None,
        )
        first, second = order.lines
        assert (first.quantity.value, first.allocations[0].quantity.value) == (4, 4)
        assert (second.quantity.value, second.allocations[0].quantity.value) == (2, 2)
        (document,) = ordered.erp.documents()
        assert [entry.ordered for entry in document.lines] == [4, 2]
        round_ = run.request.version
        assert ordered.kept.keys("release") == [f"or:ord_1:rel:W01:{round_}"]
        assert {entry.round for line_ in order.lines for entry in line_.allocations} == {round_}
        assert ordered.kept.all("mirror", "ord_1") == ["ACCEPTED"]
        assert await ordered.held() == {}

    async def test_more_is_bought_at_the_agreed_price_or_less(self, ordered: ProcessWorld):
        ordered.erp.price_rules = [
            rule("deal", PriceLevel.CONTRACT, "39.00", account="acc_1"),
            rule("valve", PriceLevel.LIST, "10.00", sku="VLV-0007"),
        ]
        run = await change(ordered, to(8))
        assert run.ending.problems == ()
        assert (await ordered.order("ord_1")).lines[0].unit_price == Money(Decimal("36.1000"), "USD")

    async def test_a_quantity_in_another_price_band_costs_what_that_band_costs(self, ordered: ProcessWorld):
        breaks = (PriceBreak(Decimal(12), Money(Decimal("33.00"), "USD")),)
        deal = replace(rule("deal", PriceLevel.CONTRACT, "36.10", account="acc_1"), breaks=breaks)
        ordered.erp.price_rules = [deal, rule("valve", PriceLevel.LIST, "10.00", sku="VLV-0007")]
        await change(ordered, to(12), name="c1")
        assert (await ordered.order("ord_1")).lines[0].unit_price == Money(Decimal("33.0000"), "USD")
        await change(ordered, to(3), name="c2")
        order = await ordered.order("ord_1")
        assert order.lines[0].unit_price == Money(Decimal("36.1000"), "USD")
        assert ordered.erp.documents()[0].lines[0].unit_price == order.lines[0].unit_price

    async def test_a_line_is_cancelled_and_the_rest_goes_on(self, ordered: ProcessWorld):
        run = await change(ordered, LineChange(2, cancel=True))
        order = await ordered.order("ord_1")
        assert run.ending.state is ProcessState.COMPLETED
        assert [(entry.wanted, len(entry.allocations)) for entry in order.lines] == [(6, 1), (0, 0)]
        assert ordered.erp.documents()[0].lines[1].cancelled == 2
        assert ordered.kept.keys("release") == [f"or:ord_1:rel:W01:{run.request.version}"]

    async def test_what_cannot_be_had_at_once_is_backordered(self, ordered: ProcessWorld):
        ordered.erp.stock = {("PMP-0042", "W01"): Decimal(10)}
        run = await change(ordered, to(40))
        first = (await ordered.order("ord_1")).lines[0]
        assert run.ending.state is ProcessState.COMPLETED
        assert (first.allocations[0].quantity.value, first.backordered) == (10, 30)

    async def test_what_a_changed_order_does_not_lack_any_more_needs_nobody(self, world: ProcessWorld):
        world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
        await run_order(world, submission(line(6), allow_backorder=False))
        (asked,) = (await world.use.tasks.tasks_of(["ord_1"]))["ord_1"]
        assert (asked.kind, asked.state) == ("Stockout", "OPEN")
        assert (await change(world, to(3))).ending.state is ProcessState.COMPLETED
        (told,) = await world.use.events.read(EventFilter(types=("task.resolved",)), None, 10)
        assert (told.event.data["taskId"], told.event.data["resolution"]) == (asked.id, "ORDER_CHANGED")

    async def test_who_wants_no_backorder_gets_no_more_than_there_is(self, world: ProcessWorld):
        await run_order(world, submission(line(6), allow_backorder=False))
        before = await world.order("ord_1")
        run = await change(world, to(40))
        assert problem_names(run.ending.problems) == ["Stockout"]
        assert replace(await world.order("ord_1"), version=before.version) == before
        assert world.kept.keys("held") == []
        assert await world.held() == {}

    async def test_a_new_date_changes_no_price(self, ordered: ProcessWorld):
        ordered.erp.price_rules = []
        run = await change(ordered, LineChange(1, requested_date=(ordered.clock.now()).date()))
        assert run.ending.problems == ()
        order = await ordered.order("ord_1")
        assert order.lines[0].requested_date == ordered.clock.now().date()
        assert order.lines[0].unit_price == Money(Decimal("36.1000"), "USD")

    async def test_a_customer_who_may_not_owe_more_may_still_take_less(self, ordered: ProcessWorld):
        ordered.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="10"))
        refused = await change(ordered, to(12), name="c1")
        assert problem_names(refused.ending.problems) == ["CreditHold"]
        assert (await ordered.order("ord_1")).lines[0].quantity.value == 6
        taken = await change(ordered, to(2), name="c2")
        assert taken.ending.state is ProcessState.COMPLETED

    @pytest.mark.parametrize(
        ("wanted", "cap", "hours", "problems"),
        [
            (3, "1000", 72, []),
            (8, "1000", 72, ["CreditHold"]),
            (3, "260", 72, ["CreditHold"]),
            (3, "1000", -1, ["CreditHold"]),
        ],
        ids=["a tenth more", "more than that", "more than it was released for", "after the release"],
    )
    async def test_a_release_covers_what_an_order_comes_to_with_its_growth(
        self, ordered: ProcessWorld, wanted: int, cap: str, hours: int, problems: list[str]
    ):
        ordered.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="10"))
        await ordered.use.orders.update(released(await ordered.order("ord_1"), "256.12", cap, hours))
        run = await change(ordered, LineChange(2, Quantity(Decimal(wanted), "EA")))
        assert problem_names(run.ending.problems) == problems

    async def test_what_waited_whole_does_not_leave_after_the_release_of_its_hold(self, world: ProcessWorld):
        world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
        await run_order(world, submission(line(6), ship_complete=True))
        world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="10", receivables="100"))
        await world.use.orders.update(released(await world.order("ord_1"), "216.60", "1000", -1))
        assert problem_names((await change(world, to(4), name="c1")).ending.problems) == ["CreditHold"]
        assert world.kept.keys("release") == []
        world.erp.terms_by_account["acc_1"] = terms()
        assert (await change(world, to(4), name="c2")).ending.state is ProcessState.COMPLETED

    async def test_goods_that_are_picked_cannot_be_changed(self, ordered: ProcessWorld):
        ordered.wms.picked = {"W01"}
        before = await ordered.order("ord_1")
        run = await change(ordered, to(4))
        assert problem_names(run.ending.problems) == ["NotAllowedInState"]
        assert replace(await ordered.order("ord_1"), version=before.version) == before
        assert ordered.kept.keys("change") == []

    @pytest.mark.parametrize(("wanted", "lacks"), [(4, 0), (5, 1)], ids=["all that it lacks", "some of it"])
    async def test_a_line_gives_up_what_it_lacks_though_the_rest_is_picked(
        self, world: ProcessWorld, wanted: int, lacks: int
    ):
        world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
        await run_order(world, submission(line(6)))
        (before,) = (await world.order("ord_1")).lines
        assert before.backordered == 2
        world.wms.picked = {"W01"}
        world.script.calls.clear()
        run = await change(world, to(wanted))
        order = await world.order("ord_1")
        (after,) = order.lines
        assert (run.ending.state, order.status) == (ProcessState.COMPLETED, OrderStatus.ACCEPTED)
        assert (after.wanted, after.backordered, after.allocations) == (wanted, lacks, before.allocations)
        assert world.erp.documents()[0].lines[0].ordered == wanted
        assert world.kept.keys("release") == [RELEASE]
        assert not {"hold_release", "cancel_release", "release"} & set(world.script.calls)
        assert (after.promised_date is None) == (before.promised_date is None and lacks > 0)

    async def test_more_than_it_lacks_is_not_given_up_by_a_line_that_is_picked(self, world: ProcessWorld):
        world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
        await run_order(world, submission(line(6)))
        world.wms.picked = {"W01"}
        assert problem_names((await change(world, to(3))).ending.problems) == ["NotAllowedInState"]

    async def test_what_ships_complete_is_released_once_it_lacks_nothing(self, world: ProcessWorld):
        world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
        await run_order(world, submission(line(6), ship_complete=True))
        assert world.kept.keys("release") == []
        run = await change(world, to(4))
        assert run.ending.state is ProcessState.COMPLETED
        assert world.kept.keys("release") == [f"or:ord_1:rel:W01:{run.request.version}"]

    async def test_what_ships_complete_is_released_from_wherever_it_waits(self, world: ProcessWorld):
        world.wms.positions = [stock("18"), stock("5", "W02", sku="VLV-0007")]
        world.erp.stock = {("PMP-0042", "W01"): Decimal(4)}
        await run_order(world, submission(line(6), line(5, "VLV-0007", 2), ship_complete=True))
        assert world.kept.keys("release") == []
        run = await change(world, to(4))
        assert run.ending.state is ProcessState.COMPLETED
        expected = [f"or:ord_1:rel:W01:{run.request.version}", "or:ord_1:rel:W02:1"]
        assert (sorted(world.kept.keys("release")), await world.held()) == (expected, {})

    async def test_what_was_released_of_what_ships_complete_stays_released_once(self, world: ProcessWorld):
        world.wms.positions = [stock("18"), stock("5", "W02", sku="VLV-0007")]
        await run_order(world, submission(line(6), line(5, "VLV-0007", 2), ship_complete=True))
        run = await change(world, to(4))
        expected = [f"or:ord_1:rel:W01:{run.request.version}", "or:ord_1:rel:W02:1"]
        assert (sorted(world.kept.keys("release")), await world.held()) == (expected, {})
        assert (await world.event_types("ord_1")).count("order.released") == 3

    async def test_an_erp_that_refuses_leaves_everything_as_it_was(self, ordered: ProcessWorld):
        before = await ordered.order("ord_1")
        ordered.script.before["change_order"].append(Rejected(ERP, "change", "not now", reason="LOCKED"))
        run = await change(ordered, to(4))
        assert [problem.rule for problem in run.ending.problems] == ["LOCKED"]
        assert replace(await ordered.order("ord_1"), version=before.version) == before
        assert (ordered.kept.keys("change"), ordered.kept.keys("held")) == ([], [])
        assert (ordered.kept.keys("release"), await ordered.held()) == ([RELEASE], {})

    async def test_an_erp_that_will_not_allocate_gets_its_quantities_back(self, ordered: ProcessWorld):
        before = await ordered.order("ord_1")
        ordered.script.before["allocate"].append(Rejected(ERP, "allocate", "not open", reason="ORDER_NOT_OPEN"))
        run = await change(ordered, to(4))
        assert run.ending.state is ProcessState.FAILED
        (document,) = ordered.erp.documents()
        assert [entry.ordered for entry in document.lines] == [6, 2]
        assert ordered.kept.keys("change") == [
            f"chg:ord_1:{run.request.version}:erp",
            f"chg:ord_1:{run.request.version}:erp:undo",
        ]
        assert replace(await ordered.order("ord_1"), version=before.version) == before
        assert ordered.kept.keys("held") == []

    async def test_a_compensation_waits_for_its_system(self, ordered: ProcessWorld):
        ordered.script.before["allocate"].append(Rejected(ERP, "allocate", "not open", reason="ORDER_NOT_OPEN"))
        ordered.script.before["resume_release"] += [away(WMS)] * 3
        run = await change(ordered, to(4))
        assert run.ending.state is ProcessState.FAILED
        assert ordered.kept.keys("held") == []

    @pytest.mark.parametrize(
        ("system", "operation"),
        [
            (ERP, "rules"),
            (ERP, "open_values"),
            (WMS, "hold_release"),
            (ERP, "change_order"),
            (ERP, "allocate"),
            (WMS, "cancel_release"),
            (WMS, "release"),
        ],
    )
    async def test_while_a_system_is_away_the_change_waits(
        self, ordered: ProcessWorld, system: SourceSystem, operation: str
    ):
        ordered.script.before[operation] += [away(system)] * 4
        run = await change(ordered, to(7))
        assert run.ending.state is ProcessState.COMPLETED
        assert run.decisions > 1
        assert (await ordered.order("ord_1")).lines[0].allocations[0].quantity.value == 7

    async def test_without_the_erp_the_order_shows_that_a_change_is_pending(self, ordered: ProcessWorld):
        ordered.script.down.add(ERP)
        statuses: list[OrderStatus] = []

        async def watch(world: ProcessWorld) -> None:
            statuses.append((await world.order("ord_1")).status)

        class Watching(MemoryJournal):
            async def sleep(self, seconds: float) -> None:
                await watch(ordered)
                if len(statuses) > 3:
                    ordered.script.down.clear()
                await super().sleep(seconds)

        run = await change(ordered, to(4), journal=Watching())
        assert OrderStatus.CHANGE_PENDING in statuses
        assert run.ending.state is ProcessState.COMPLETED

    @pytest.mark.parametrize("cut", [11, 12])
    async def test_a_run_that_was_cut_off_after_the_decision_does_the_step_again_without_a_trace(
        self, ordered: ProcessWorld, cut: int
    ):
        run = await change(ordered, to(4))
        order, told = await ordered.order("ord_1"), await ordered.event_types("ord_1")
        documents, releases = ordered.erp.documents(), ordered.kept.keys("release")
        run.journal.entries = run.journal.entries[:cut]
        run.journal.again()
        again = await change(ordered, to(4), journal=run.journal, resumed=True, version=run.request.version)
        assert again.ending.state is ProcessState.COMPLETED
        assert await ordered.event_types("ord_1") == told
        assert replace(await ordered.order("ord_1"), version=0) == replace(order, version=0)
        assert (ordered.erp.documents(), ordered.kept.keys("release")) == (documents, releases)


BAD = [
    pytest.param((), ["NO_LINES"], id="no line"),
    pytest.param((to(4, 9),), ["UNKNOWN_LINE"], id="an unknown line"),
    pytest.param((to(4), to(5)), ["LINE_NUMBER", "LINE_NUMBER"], id="a line twice"),
    pytest.param((LineChange(1),), ["NOTHING_TO_CHANGE"], id="nothing to change"),
    pytest.param((LineChange(1, Quantity(Decimal(3), "EA"), cancel=True),), ["CONTRADICTION"], id="contradiction"),
    pytest.param((to(1, uom="XBX"),), ["UNIT_CHANGED"], id="another unit"),
    pytest.param((to(0),), ["QUANTITY_POSITIVE"], id="zero"),
    pytest.param((to(-1), to(0, 2)), ["QUANTITY_POSITIVE"] * 2, id="all of it at once"),
    pytest.param((LineChange(1, cancel=True), LineChange(2, cancel=True)), ["NOTHING_LEFT"], id="every line"),
]


@pytest.mark.parametrize(("lines", "rules"), BAD)
async def test_what_is_wrong_with_a_change_is_said_at_once_and_nothing_is_touched(
    ordered: ProcessWorld, lines: tuple[LineChange, ...], rules: list[str]
) -> None:
    before = await ordered.order("ord_1")
    run = await change(ordered, *lines)
    assert [problem.rule for problem in run.ending.problems] == rules
    assert await ordered.order("ord_1") == before
    assert "order.change.requested" not in await ordered.event_types("ord_1")


async def test_more_of_an_item_that_is_blocked_is_refused_and_less_is_not(ordered: ProcessWorld) -> None:
    ordered.erp.items_by_sku["PMP-0042"] = item(status=ItemStatus.BLOCKED)
    more = await change(ordered, to(8), name="c1")
    assert more.ending.problems
    less = await change(ordered, to(2), name="c2")
    assert less.ending.state is ProcessState.COMPLETED


@pytest.mark.parametrize("kind", [CHANGE, CANCELLATION])
async def test_an_order_that_has_changed_since_it_was_read_is_refused(ordered: ProcessWorld, kind: str) -> None:
    before = await ordered.order("ord_1")
    run = await run_amend(ordered, kind, to(4), version=before.version - 1)
    (problem,) = run.ending.problems
    assert isinstance(problem, VersionConflict)
    assert problem.current_version == before.version
    assert await ordered.order("ord_1") == before


@pytest.mark.parametrize(
    ("kind", "status", "allowed"),
    [
        (CHANGE, OrderStatus.ON_HOLD, ("CANCEL", "RELEASE_HOLD")),
        (CHANGE, OrderStatus.CANCEL_PENDING, ()),
        (CHANGE, OrderStatus.COMPLETED, ("REQUEST_RETURN",)),
        (CANCELLATION, OrderStatus.CANCELLED, ()),
        (CANCELLATION, OrderStatus.REJECTED, ()),
        (CANCELLATION, OrderStatus.CHANGE_PENDING, ()),
    ],
)
async def test_a_state_that_does_not_allow_it_is_named_with_what_it_does_allow(
    ordered: ProcessWorld, kind: str, status: OrderStatus, allowed: tuple[str, ...]
) -> None:
    await ordered.use.orders.update(replace(await ordered.order("ord_1"), status=status))
    run = await run_amend(ordered, kind, to(4))
    (problem,) = run.ending.problems
    assert isinstance(problem, NotAllowedInState)
    assert (problem.state, problem.allowed) == (status.value, allowed)


async def test_a_changed_order_can_be_changed_again_and_cancelled(ordered: ProcessWorld) -> None:
    await change(ordered, to(4), name="c1")
    await change(ordered, to(9), to(1, 2), name="c2")
    order = await ordered.order("ord_1")
    assert [entry.wanted for entry in order.lines] == [9, 1]
    assert len(ordered.kept.keys("release")) == 1
    run = await cancel(ordered, name="c3")
    assert (run.ending.state, (await ordered.order("ord_1")).status) == CANCELLED
    assert ordered.kept.keys("release") == []

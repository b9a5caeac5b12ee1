from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from processes import order_submit
from processes.steps import RetryPolicy
from schema.enums import AccountStatus, HoldKind, OrderStatus, PricingConflictReason, ProcessState, SourceSystem
from schema.records.catalog import PriceLevel
from schema.records.problems import CreditHold, PricingConflict, Stockout, ValidationFailed
from schema.records.values import Money, PageRequest, Quantity
from systems.errors import AuthFailed, RateLimited, Rejected, Unavailable, Unexpected
from tests.support.fake_systems import account
from tests.support.platform_records import reserve_line
from tests.support.process_world import (
    QUICK,
    MemoryJournal,
    ProcessWorld,
    line,
    problem_names,
    run_order,
    submission,
)
from tests.support.rule_records import NOW, credit, item, rule, stock, terms

ERP, WMS, CRM = SourceSystem.CLOUD_ERP, SourceSystem.WMS, SourceSystem.CRM
KEY = "or:ord_1:erp"
LOST = Unavailable(ERP, "create order", "reset", outcome_unknown=True)


def away(system: SourceSystem) -> Unavailable:
    return Unavailable(system, "call", "no connection", outcome_unknown=False)


async def test_a_good_order_is_accepted_allocated_released_and_told(world: ProcessWorld) -> None:
    run = await run_order(world, submission(line(6)))
    assert run.ending.state is ProcessState.COMPLETED
    order = await world.order("ord_1")
    assert (order.status, order.erp_number, order.accepted_at is not None) == (OrderStatus.ACCEPTED, order.number, True)
    assert [line.unit_price for line in order.lines] == [Money(Decimal("36.1000"), "USD")]
    assert [(entry.warehouse_code, entry.quantity.value, entry.firm) for entry in order.lines[0].allocations] == [
        ("W01", 6, True)
    ]
    assert order.promised_date is not None
    assert [entry.id for entry in world.erp.documents()] == ["ord_1"]
    assert world.kept.keys("release") == ["or:ord_1:rel:W01:1"]
    assert world.kept.all("mirror", "ord_1") == ["ACCEPTED"]
    assert await world.held() == {}


async def test_the_story_of_an_order_is_in_the_log_in_the_order_of_its_steps(world: ProcessWorld) -> None:
    await run_order(world, submission(line(6)))
    assert await world.event_types("ord_1") == [
        "order.received",
        "order.priced",
        "order.accepted",
        "order.line.allocated",
        "order.released",
        "order.acknowledged",
        "customer.notified",
    ]
    assert await world.event_types("PMP-0042:W01") == ["inventory.reserved"]


async def test_every_step_is_in_the_process_log(world: ProcessWorld) -> None:
    await run_order(world, submission(line(6)))
    process = (await world.use.process_log.processes(["prc_1"]))["prc_1"]
    assert [(step.name, step.state, step.attempts) for step in process.steps] == [
        (name, "DONE", 1)
        for name in (
            "receive",
            "enrich",
            "validate",
            "price",
            "credit",
            "reserve",
            "create",
            "allocate",
            "release",
            "acknowledge",
        )
    ]
    assert (process.state, process.ended_at is not None) == (ProcessState.COMPLETED, True)
    assert process.steps[6].idempotency_key == KEY


async def test_a_run_that_is_repeated_from_its_journal_calls_nobody(world: ProcessWorld) -> None:
    run = await run_order(world, submission(line(6)))
    before = list(world.script.calls)
    run.journal.again()
    again = await run_order(world, submission(line(6)), journal=run.journal, resumed=True)
    assert again.ending == run.ending
    assert world.script.calls == before


@pytest.mark.parametrize("cut", range(10))
async def test_a_run_that_lost_its_last_entry_does_the_step_again_without_a_trace(
    world: ProcessWorld, cut: int
) -> None:
    run = await run_order(world, submission(line(6)))
    order, told = await world.order("ord_1"), await world.event_types("ord_1")
    run.journal.entries = run.journal.entries[:cut]
    run.journal.again()
    again = await run_order(world, submission(line(6)), journal=run.journal, resumed=True)
    assert again.ending.state is ProcessState.COMPLETED
    assert len(world.erp.documents()) == 1
    assert await world.event_types("ord_1") == told
    assert replace(await world.order("ord_1"), version=0) == replace(order, version=0)
    assert await world.held() == {}
    assert world.kept.keys("release") == ["or:ord_1:rel:W01:1"]


VALIDATION = [
    ({"account_id": "acc_9"}, "UNKNOWN_ACCOUNT", ("accountId",)),
    ({"ship_to_id": "shp_2"}, "UNKNOWN_SHIP_TO", ("shipToId",)),
    ({"ship_to_id": "shp_9"}, "UNKNOWN_SHIP_TO", ("shipToId",)),
    ({"lines": ()}, "NO_LINES", ("lines",)),
    ({"lines": (line(1), line(1))}, "LINE_NUMBER", ("lines", "0", "lineNo")),
    ({"lines": (line(1, number=0),)}, "LINE_NUMBER", ("lines", "0", "lineNo")),
    ({"lines": (line(1, "NO-SUCH"),)}, "UNKNOWN_SKU", ("lines", "0", "sku")),
    ({"lines": (line(0),)}, "QUANTITY_POSITIVE", ("lines", "0", "quantity", "value")),
    ({"lines": (line(1, uom="KGM"),)}, "UNKNOWN_UNIT", ("lines", "0", "quantity", "uom")),
    ({"requested_date": date(2026, 3, 1)}, "DATE_IN_PAST", ("requestedDate",)),
    ({"requested_date": date(2036, 3, 1)}, "DATE_TOO_FAR", ("requestedDate",)),
    ({"lines": (line(1, number=1_000_000),)}, "LINE_NUMBER", ("lines", "0", "lineNo")),
    ({"po_number": "x" * 36}, "PO_NUMBER", ("poNumber",)),
    ({"po_number": "PO\n1"}, "PO_NUMBER", ("poNumber",)),
    ({"opportunity_id": "opp_404"}, "UNKNOWN_OPPORTUNITY", ("opportunityId",)),
    ({"quote_id": "quo_404"}, "UNKNOWN_QUOTE", ("quoteId",)),
    ({"reservation_ids": ("rsv_404",)}, "UNKNOWN_RESERVATION", ("reservationIds", "0")),
]


@pytest.mark.parametrize(
    ("changes", "broken", "path"), VALIDATION, ids=[case[1] + str(i) for i, case in enumerate(VALIDATION)]
)
async def test_a_broken_rule_refuses_the_order_and_names_itself(
    world: ProcessWorld, changes: dict, broken: str, path: tuple[str, ...]
) -> None:
    run = await run_order(world, submission(**changes) if "lines" in changes else submission(line(1), **changes))
    assert run.ending.state is ProcessState.FAILED
    rules = {(problem.rule, problem.path) for problem in run.ending.problems if isinstance(problem, ValidationFailed)}
    assert (broken, path) in rules
    order = await world.order("ord_1")
    assert (order.status, order.exceptions) == (OrderStatus.REJECTED, run.ending.problems)
    assert (await world.event_types("ord_1"))[-1] == "process.step.compensated"
    assert world.erp.documents() == []


async def test_all_problems_of_an_order_come_at_once(world: ProcessWorld) -> None:
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", restricted=("US-TX",))
    asked = submission(
        line(0), line(2, "VLV-0007", 2), line(2, "NO-SUCH", 3), opportunity_id="opp_404", ship_to_id="shp_1"
    )
    run = await run_order(world, asked)
    assert [problem.rule for problem in run.ending.problems if isinstance(problem, ValidationFailed)] == [
        "UNKNOWN_OPPORTUNITY",
        "QUANTITY_POSITIVE",
        "RESTRICTED_REGION",
        "UNKNOWN_SKU",
    ]


async def test_an_inactive_account_does_not_order(world: ProcessWorld) -> None:

    world.crm.known["acc_1"] = account(status=AccountStatus.ON_HOLD)
    run = await run_order(world, submission())
    assert [problem.rule for problem in run.ending.problems] == ["ACCOUNT_NOT_ACTIVE"]


async def test_a_purchase_order_number_comes_once(world: ProcessWorld) -> None:
    await run_order(world, submission(po_number="PO-881"), name="1")
    second = await run_order(world, submission(po_number="PO-881"), name="2")
    other = await run_order(world, submission(po_number="PO-881", account_id="acc_2", ship_to_id="shp_2"), name="3")
    assert [problem.rule for problem in second.ending.problems] == ["DUPLICATE_PO"]
    assert other.ending.state is ProcessState.COMPLETED


async def test_a_refused_purchase_order_may_come_again(world: ProcessWorld) -> None:
    refused = await run_order(world, submission(line(0), po_number="PO-881"), name="1")
    again = await run_order(world, submission(line(1), po_number="PO-881"), name="2")
    assert (refused.ending.state, again.ending.state) == (ProcessState.FAILED, ProcessState.COMPLETED)


# --- prices


def shown(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


async def test_a_price_that_moved_too_far_is_a_conflict_with_both_amounts(world: ProcessWorld) -> None:
    world.erp.price_rules[-1] = rule("deal", PriceLevel.CONTRACT, "37.40", account="acc_1")
    run = await run_order(world, submission(line(24, unit_price=shown("36.10"))))
    (problem,) = run.ending.problems
    assert isinstance(problem, PricingConflict)
    assert (problem.expected, problem.current) == (shown("36.10"), shown("37.4000"))
    assert (problem.reason, problem.path) == (PricingConflictReason.CHANGED_SINCE_QUOTE, ("lines", "0"))
    accepted = await run_order(
        world, submission(line(24, unit_price=shown("36.10")), accept_current_prices=True), name="2"
    )
    assert accepted.ending.state is ProcessState.COMPLETED
    assert (await world.order("ord_2")).lines[0].unit_price == shown("37.4000")


async def test_the_customer_pays_the_lower_price_within_the_tolerance(world: ProcessWorld) -> None:
    run = await run_order(world, submission(line(1, unit_price=shown("36.00"))))
    assert run.ending.state is ProcessState.COMPLETED
    assert (await world.order("ord_1")).lines[0].unit_price == shown("36.00")


async def test_a_price_below_its_floor_waits_for_an_approver(world: ProcessWorld) -> None:
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    run = await run_order(world, submission(line(2, "VLV-0007")))
    assert (run.ending.state, problem_names(run.ending.problems)) == (ProcessState.WAITING_HUMAN, ["ApprovalRequired"])
    order = await world.order("ord_1")
    assert (order.status, [hold.kind for hold in order.holds]) == (OrderStatus.ON_HOLD, [HoldKind.PRICE])
    task = (await world.use.tasks.tasks([run.ending.problems[0].task_id]))[run.ending.problems[0].task_id]
    assert (task.queue, task.order_id, task.state) == ("SALES", "ord_1", "OPEN")
    assert world.erp.documents() == []


async def test_a_contract_price_below_the_floor_was_agreed_before(world: ProcessWorld) -> None:
    world.erp.items_by_sku["PMP-0042"] = item(cost="36.00", floor="22")
    assert (await run_order(world, submission(line(1)))).ending.state is ProcessState.COMPLETED


async def test_an_erp_that_disagrees_about_the_price_holds_the_order(world: ProcessWorld) -> None:
    world.erp.price_of = lambda sku, agreed: Money(agreed.amount + 1, agreed.currency)
    run = await run_order(world, submission(line(1)))
    assert (run.ending.state, problem_names(run.ending.problems)) == (ProcessState.WAITING_HUMAN, ["PricingConflict"])
    order = await world.order("ord_1")
    assert (order.status, order.accepted_at) == (OrderStatus.ON_HOLD, None)
    assert world.kept.keys("allocation") == []


# --- credit


async def test_a_customer_over_the_limit_waits_for_a_credit_controller(world: ProcessWorld) -> None:
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="100"))
    run = await run_order(world, submission(line(6)))
    (problem,) = run.ending.problems
    assert isinstance(problem, CreditHold)
    assert run.ending.state is ProcessState.WAITING_HUMAN
    order = await world.order("ord_1")
    assert (order.status, order.exceptions) == (OrderStatus.ON_HOLD, (problem,))
    assert [(hold.kind, hold.owner_queue) for hold in order.holds] == [(HoldKind.CREDIT, "CREDIT")]
    found = await world.use.tasks.search_tasks("CREDIT", "OPEN", PageRequest(10))
    assert [task.id for task in found.items] == [problem.task_id]
    assert (await world.event_types("ord_1"))[-2:] == ["task.opened", "order.held"]
    assert (world.erp.documents(), await world.held()) == ([], {})
    assert (await world.steps("prc_1"))["credit"] == "HELD"


async def test_a_parents_limit_covers_the_group(world: ProcessWorld) -> None:
    world.crm.known["acc_parent"] = account("acc_parent", "C-1")
    world.crm.known["acc_1"] = account(parent_id="acc_parent")
    world.crm.known["acc_2"] = account("acc_2", "C-10043", parent_id="acc_parent")
    world.erp.terms_by_account["acc_parent"] = terms(account="acc_parent", profile=credit(limit="1000"))
    assert (await run_order(world, submission(line(6)), name="1")).ending.state is ProcessState.COMPLETED
    world.erp.open = {"acc_2": Money(Decimal(900), "USD")}
    second = await run_order(world, submission(line(6)), name="2")
    assert problem_names(second.ending.problems) == ["CreditHold"]


async def test_all_holds_are_found_before_the_order_stops(world: ProcessWorld) -> None:
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="1"))
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    run = await run_order(world, submission(line(2, "VLV-0007")))
    assert problem_names(run.ending.problems) == ["ApprovalRequired", "CreditHold"]
    assert {hold.kind for hold in (await world.order("ord_1")).holds} == {HoldKind.PRICE, HoldKind.CREDIT}


# --- goods


async def test_an_order_that_no_warehouse_covers_is_split(world: ProcessWorld) -> None:
    await run_order(world, submission(line(110)))
    found = (await world.order("ord_1")).lines[0].allocations
    assert sum(entry.quantity.value for entry in found) == 110
    assert len(world.kept.keys("release")) == len({entry.warehouse_code for entry in found})


async def test_what_is_missing_is_backordered(world: ProcessWorld) -> None:
    world.erp.stock = {("VLV-0007", "W01"): Decimal(5)}
    run = await run_order(world, submission(line(9, "VLV-0007")))
    order = await world.order("ord_1")
    assert (run.ending.state, order.status, order.lines[0].backordered) == (
        ProcessState.COMPLETED,
        OrderStatus.ACCEPTED,
        4,
    )
    assert "order.line.backordered" in await world.event_types("ord_1")
    assert problem_names(order.exceptions) == ["Stockout"]


@pytest.mark.parametrize(
    ("takes", "said"),
    [(True, ", the customer takes VLV-0008 or VLV-0042 instead"), (False, "")],
    ids=["who takes substitutes", "who takes none"],
)
async def test_the_desk_learns_what_a_customer_takes_instead(world: ProcessWorld, takes: bool, said: str) -> None:
    known = world.erp.items_by_sku["VLV-0007"]
    world.erp.items_by_sku["VLV-0007"] = replace(known, substitute_skus=("VLV-0008", "VLV-0042"))
    world.erp.stock = {("VLV-0007", "W01"): Decimal(5)}
    await run_order(world, submission(line(9, "VLV-0007"), allow_substitutes=takes))
    (task,) = (await world.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    assert task.summary.endswith(f"VLV-0007: 5 of 9 EA could be allocated{said}")


async def test_a_customer_who_takes_no_backorders_is_told_what_there_is(world: ProcessWorld) -> None:
    run = await run_order(world, submission(line(9, "VLV-0007"), allow_backorder=False))
    (problem,) = run.ending.problems
    assert isinstance(problem, Stockout)
    assert (problem.available, problem.substitute_skus) == (Quantity(Decimal(5), "EA"), ("VLV-0008",))
    assert (await world.order("ord_1")).status is OrderStatus.REJECTED
    assert await world.held() == {}


async def test_a_customers_own_reservation_is_used_and_given_back(world: ProcessWorld) -> None:

    reserved, _ = await world.use.reservations.reserve(
        "cart-1", "acc_1", [reserve_line(5, 5)], NOW.replace(hour=20), NOW
    )
    others = await run_order(world, submission(line(5, "VLV-0007"), allow_backorder=False), name="1")
    own = await run_order(
        world,
        submission(line(5, "VLV-0007"), allow_backorder=False, reservation_ids=(reserved[0].id,)),
        name="2",
    )
    assert problem_names(others.ending.problems) == ["Stockout"]
    assert own.ending.state is ProcessState.COMPLETED
    assert await world.held() == {}


async def test_an_order_that_ships_complete_is_not_released_in_part(world: ProcessWorld) -> None:
    world.erp.stock = {("VLV-0007", "W01"): Decimal(5)}
    await run_order(world, submission(line(9, "VLV-0007"), ship_complete=True))
    assert world.kept.keys("release") == []
    assert (await world.steps("prc_1"))["release"] == "SKIPPED"


# --- systems that fail


@pytest.mark.parametrize(
    "fault",
    [
        away(ERP),
        LOST,
        RateLimited(ERP, "create order", "slow down", 0.01),
        Unexpected(ERP, "create order", "HTML"),
        AuthFailed(ERP, "create order", "token"),
    ],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_failing_erp_has_one_document_in_the_end(world: ProcessWorld, fault: Unavailable, when: str) -> None:
    getattr(world.script, when)["create_order"] += [fault]
    run = await run_order(world, submission())
    assert run.ending.state is ProcessState.COMPLETED
    assert len(world.erp.documents()) == 1
    assert (await world.order("ord_1")).status is OrderStatus.ACCEPTED


async def test_an_erp_outage_shows_as_waiting_and_ends_well(world: ProcessWorld) -> None:
    states = []

    def asleep(count: int) -> None:
        states.append(world.script.calls.count("create_order"))
        if count == 5:
            world.script.down.clear()

    world.script.seen = lambda operation: (
        world.script.down.add(ERP) if operation == "create_order" and not states else None
    )
    run = await run_order(world, submission(), journal=MemoryJournal(asleep))
    assert run.ending.state is ProcessState.COMPLETED
    assert len(run.journal.sleeps) == 5
    assert run.decisions > 2
    types = await world.event_types("ord_1")
    assert types.count("process.step.failed") == 1
    assert types.index("process.step.failed") < types.index("order.accepted")
    process = (await world.use.process_log.processes(["prc_1"]))["prc_1"]
    assert (process.state, process.steps[6].attempts) == (ProcessState.COMPLETED, 6)


async def test_a_slow_erp_shows_as_waiting_before_it_answers(world: ProcessWorld) -> None:
    policy = RetryPolicy(quick=2, base_s=0.01, wait_s=0.02, wait_max_s=0.05, slow_after_s=0.02)
    world.script.before["create_order"] += [0.15]
    run = await run_order(world, submission(), policy=policy)
    types = await world.event_types("ord_1")
    assert "process.step.failed" in types
    assert (run.ending.state, len(world.erp.documents())) == (ProcessState.COMPLETED, 1)


async def test_an_erp_that_asks_for_a_long_pause_shows_as_waiting_at_once(world: ProcessWorld) -> None:
    policy = replace(QUICK, quick=4, base_s=0.0, wait_max_s=0.0)
    world.script.before["create_order"] += [RateLimited(ERP, "create order", "its circuit is open", 30.0)]
    run = await run_order(world, submission(), policy=policy)
    types = await world.event_types("ord_1")
    assert types.count("process.step.failed") == 1
    assert types.index("process.step.failed") < types.index("order.accepted")
    assert (run.ending.state, len(world.erp.documents())) == (ProcessState.COMPLETED, 1)


async def test_an_erp_that_never_answers_is_asked_again_and_looked_up(world: ProcessWorld, monkeypatch) -> None:

    quick = tuple(replace(step, timeout_s=0.1) if step.name == "create" else step for step in order_submit.ORDER_SUBMIT)
    monkeypatch.setattr("tests.support.process_world.ORDER_SUBMIT", quick)
    world.script.after["create_order"] += [30.0]
    run = await run_order(world, submission())
    assert (run.ending.state, len(world.erp.documents())) == (ProcessState.COMPLETED, 1)
    assert world.script.calls.count("create_order") == 1


async def test_a_refusal_of_the_erp_takes_everything_back(world: ProcessWorld) -> None:
    refusal = Rejected(ERP, "create order", "customer is blocked", reason="CustomerBlocked", fields=("customerNumber",))
    world.script.before["create_order"] += [refusal]
    run = await run_order(world, submission())
    assert run.ending.state is ProcessState.FAILED
    assert [(problem.rule, problem.message) for problem in run.ending.problems] == [
        ("CustomerBlocked", "the ERP refuses: customer is blocked")
    ]
    assert (await world.order("ord_1")).status is OrderStatus.REJECTED
    assert await world.held() == {}
    process = (await world.use.process_log.processes(["prc_1"]))["prc_1"]
    assert {step.name for step in process.steps if step.compensated} == {"create", "reserve", "receive"}
    assert process.state is ProcessState.FAILED
    assert "order.rejected" in await world.event_types("ord_1")


async def test_undoing_waits_for_a_system_that_is_away(world: ProcessWorld) -> None:
    world.script.before["create_order"] += [Rejected(ERP, "create order", "no", reason="No")]
    world.script.before["cancel_order"] += [away(ERP), away(ERP), away(ERP)]
    run = await run_order(world, submission())
    assert run.ending.state is ProcessState.FAILED
    assert world.script.calls.count("cancel_order") == 4


async def test_a_warehouse_that_refuses_cancels_the_accepted_order(world: ProcessWorld) -> None:
    world.script.before["release"] += [Rejected(WMS, "release", "address unknown", reason="BadAddress")]
    run = await run_order(world, submission())
    assert run.ending.state is ProcessState.FAILED
    assert (await world.order("ord_1")).status is OrderStatus.CANCELLED
    assert [document.status for document in world.erp.documents()] == [OrderStatus.CANCELLED]
    assert world.kept.keys("allocation") == []
    process = (await world.use.process_log.processes(["prc_1"]))["prc_1"]
    undone = [step.name for step in process.steps if step.compensated]
    assert undone == ["receive", "reserve", "create", "allocate", "release"]
    types = await world.event_types("ord_1")
    assert types[-2:] == ["order.cancelled", "process.step.compensated"]


async def test_goods_that_are_picked_are_a_matter_for_people(world: ProcessWorld) -> None:
    world.wms.picked = {"W01"}
    world.script.before["release"] += [away(WMS)]
    world.script.after["release"] += [Rejected(WMS, "release", "closed", reason="Closed")]
    run = await run_order(world, submission())
    assert run.ending.state is ProcessState.WAITING_HUMAN
    found = await world.use.tasks.search_tasks("INTEGRATION", "OPEN", PageRequest(10))
    assert [(task.kind, task.order_id) for task in found.items] == [("ProcessStepFailed", "ord_1")]
    assert [document.status for document in world.erp.documents()] == [OrderStatus.ACCEPTED]


async def test_without_stock_figures_the_erp_alone_decides(world: ProcessWorld) -> None:
    world.script.before["stock"] += [away(WMS), away(WMS)]
    run = await run_order(world, submission())
    assert (run.ending.state, (await world.steps("prc_1"))["reserve"]) == (ProcessState.COMPLETED, "SKIPPED")
    assert (await world.order("ord_1")).status is OrderStatus.ACCEPTED


async def test_a_warehouse_outage_lets_the_order_be_accepted_and_released_later(world: ProcessWorld) -> None:
    world.script.before["release"] += [away(WMS)] * 4
    run = await run_order(world, submission())
    assert (run.ending.state, world.kept.keys("release")) == (ProcessState.COMPLETED, ["or:ord_1:rel:W01:1"])


async def test_a_crm_that_is_away_leaves_a_dead_letter(world: ProcessWorld) -> None:
    world.script.before["mirror_order"] += [away(CRM)] * 2
    run = await run_order(world, submission())
    assert run.ending.state is ProcessState.COMPLETED
    letters = (await world.use.dead_letters.search(None, PageRequest(10))).items
    assert [(letter.type, letter.payload["key"]) for letter in letters] == [
        ("ORDER_SUBMISSION.acknowledge", "or:ord_1:ack:CRM:1")
    ]
    assert (await world.steps("prc_1"))["acknowledge"] == "DEAD_LETTER"


async def test_a_crm_that_is_away_does_not_stop_an_order_of_an_opportunity(world: ProcessWorld) -> None:
    world.script.before["opportunities"] += [away(CRM)] * 2
    run = await run_order(world, submission(opportunity_id="opp_9"))
    assert (run.ending.state, (await world.order("ord_1")).opportunity_id) == (ProcessState.COMPLETED, "opp_9")


async def test_a_defect_parks_the_process_instead_of_losing_it(world: ProcessWorld, monkeypatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(world.erp, "rules", broken)
    run = await run_order(world, submission())
    assert run.ending.state is ProcessState.WAITING_HUMAN
    found = await world.use.tasks.search_tasks("INTEGRATION", "OPEN", PageRequest(10))
    assert ["a defect" in task.summary for task in found.items] == [True]
    assert (await world.steps("prc_1"))["price"] == "FAILED"


async def test_a_system_that_stays_away_too_long_asks_a_person_once(world: ProcessWorld) -> None:
    world.script.before["create_order"] += [away(ERP)] * 5
    run = await run_order(world, submission(), policy=replace(QUICK, task_after_s=0))
    assert run.ending.state is ProcessState.COMPLETED
    found = await world.use.tasks.search_tasks("INTEGRATION", None, PageRequest(10))
    assert [task.id for task in found.items] == ["tsk_prc_1_create"]


async def test_stock_that_others_took_is_routed_anew(world: ProcessWorld) -> None:

    taken = []

    async def others(sku: str, now: object) -> dict:
        if not taken:
            taken.append(1)
            await world.use.reservations.reserve("cart-9", "acc_2", [reserve_line(3, 5)], NOW.replace(hour=20), NOW)
            return {}
        return await real(sku, now)

    real = world.use.reservations.reserved
    world.use.reservations.reserved = others  # type: ignore[method-assign]
    world.wms.positions = [stock("5", sku="VLV-0007")]
    run = await run_order(world, submission(line(5, "VLV-0007")))
    assert run.ending.state is ProcessState.COMPLETED
    assert await real(["VLV-0007"], NOW) == {("VLV-0007", "W01"): Decimal(3)}

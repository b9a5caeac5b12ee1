"""Merges of accounts: one becomes the other everywhere or nowhere, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from processes.account_merge import carry_rest
from processes.api import Started
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import (
    AccountStatus,
    ErpHome,
    OrderStatus,
    ProcessState,
    QuoteStatus,
    ReturnStatus,
    SourceSystem,
)
from schema.events.envelope import EventFilter
from schema.records.accounts import Contact
from schema.records.catalog import PriceLevel
from schema.records.identity import Principal
from schema.records.merges import MergeAsked
from schema.records.orders import LedgerOrder, OrderFilter
from schema.records.problems import IdempotencyConflict, NotAllowedInState
from schema.records.values import ExternalRef, PageRequest
from systems.errors import Rejected, Unavailable
from tests.support.platform_records import ledger_order, ledger_return, quote, task
from tests.support.process_world import QUICK, ProcessWorld, problem_names
from tests.support.rule_records import TODAY, rule

WHO = Principal(subject="user:usr_6", roles=("FINANCE",))
CRM, ERP = SourceSystem.CRM, SourceSystem.CLOUD_ERP
SAME = MergeAsked("acc_1", "acc_2", "the same pump shop twice")
OLD_REF = ExternalRef(CRM, "001B")


@pytest.fixture(autouse=True)
async def known(world: ProcessWorld) -> None:
    world.crm.known["acc_2"] = replace(world.crm.known["acc_2"], refs=(OLD_REF,))
    world.crm.people["con_2"] = Contact("con_2", "acc_2", "Bo Example", None, None, None)
    await world.use.orders.create(order("ord_open", OrderStatus.ACCEPTED))
    await world.use.orders.create(order("ord_done", OrderStatus.COMPLETED))
    for name, status in (("quo_open", QuoteStatus.APPROVED), ("quo_done", QuoteStatus.EXPIRED)):
        made = quote(id=name, number=name, account_id="acc_2", status=status)
        await world.use.quotes.save(replace(made, version=0))
    for name, state in (("rtn_open", ReturnStatus.APPROVED), ("rtn_done", ReturnStatus.CREDITED)):
        await world.use.returns.create(ledger_return(id=name, process_id=name, account_id="acc_2", status=state))


@pytest.fixture
async def starter(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[EngineStarter]:
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield EngineStarter(engine)


def order(name: str, status: OrderStatus) -> LedgerOrder:
    return ledger_order(id=name, number=name, account_id="acc_2", status=status)


async def merge(starter: EngineStarter, asked: MergeAsked = SAME, key: str = "m-1") -> Started:
    return await starter.merge_accounts(asked, key=key, principal=WHO, wait_ms=10_000)


async def told(world: ProcessWorld) -> list[Any]:
    found = await world.use.events.read(EventFilter(types=("account.merged",)), None, 100)
    return [stored.event for stored in found]


async def owners(world: ProcessWorld) -> dict[str, str]:
    """Return which account has each document."""
    use, accounts = world.use, ["acc_1", "acc_2"]
    orders = await use.orders.orders_of(accounts, OrderFilter(), 100)
    quotes = await use.quotes.quotes_of(accounts, None, 100)
    returns = await use.returns.returns_of(accounts)
    return {entry.id: name for found in (orders, quotes, returns) for name in accounts for entry in found[name]}


ALL_BACK = dict.fromkeys(["ord_open", "ord_done", "quo_open", "quo_done", "rtn_open", "rtn_done"], "acc_2")


async def assert_as_before(world: ProcessWorld) -> None:
    assert await owners(world) == ALL_BACK
    assert world.crm.known["acc_2"].status is AccountStatus.ACTIVE
    assert world.crm.people["con_2"].account_id == "acc_2"
    assert world.erp.places["shp_2"].account_id == "acc_2"
    assert world.kept.all("merge") == []
    assert await world.use.merges.survivors(["acc_2"]) == {}
    assert await told(world) == []


def refusal(system: SourceSystem) -> Rejected:
    return Rejected(system, "call", "the record is locked by the vendor", reason="LOCKED")


async def test_what_is_open_goes_to_the_account_that_remains(starter: EngineStarter, world: ProcessWorld):
    started = await merge(starter)
    assert (started.problems, started.state, started.entity_id) == ((), ProcessState.COMPLETED, "acc_1")
    assert await owners(world) == ALL_BACK | dict.fromkeys(["ord_open", "quo_open", "rtn_open"], "acc_1")
    assert world.crm.known["acc_2"].status is AccountStatus.MERGED
    assert world.crm.people["con_2"].account_id == "acc_1"
    assert (world.erp.places["shp_2"].account_id, world.kept.all("block", "acc_2")) == ("acc_1", ["All"])


async def test_the_documents_that_change_hands_have_a_new_version(starter: EngineStarter, world: ProcessWorld):
    before = (await world.order("ord_open")).version
    await merge(starter)
    assert (await world.order("ord_open")).version == before + 1


async def test_the_account_that_remains_keeps_what_systems_call_the_other(starter: EngineStarter, world: ProcessWorld):
    await merge(starter)
    (kept,) = (await world.use.merges.merged_into(["acc_1"]))["acc_1"]
    numbers = world.erp.terms_by_account["acc_2"].ref
    assert kept.refs == (replace(OLD_REF, current=False), replace(numbers, current=False))
    assert await world.use.merges.survivors(["acc_2", "acc_1"]) == {"acc_2": "acc_1"}


async def test_open_tasks_go_along_and_settled_ones_stay(starter: EngineStarter, world: ProcessWorld):
    for name, state in (("open", "OPEN"), ("claimed", "CLAIMED"), ("settled", "RESOLVED")):
        await world.use.tasks.open_task(task(id=name, account_id="acc_2", order_id=None, state=state))
    await merge(starter)
    found = await world.use.tasks.tasks(["open", "claimed", "settled"])
    assert {name: entry.account_id for name, entry in found.items()} == {
        "open": "acc_1", "claimed": "acc_1", "settled": "acc_2",
    }  # fmt: skip


async def test_what_is_written_for_the_duplicate_afterwards_follows_it(starter: EngineStarter, world: ProcessWorld):
    await merge(starter)
    late = quote(id="quo_late", number="quo_late", account_id="acc_2", status=QuoteStatus.PRICED)
    await world.use.quotes.save(replace(late, version=0))
    await world.use.quotes.save(replace(late, id="quo_old", number="quo_old", version=0, status=QuoteStatus.EXPIRED))
    await world.use.orders.create(order("ord_late", OrderStatus.ACCEPTED))
    await world.use.tasks.open_task(task(id="late", account_id="acc_2", order_id=None))
    for _ in range(2):
        await carry_rest(world.use)
    left = {"ord_open": "acc_1", "quo_open": "acc_1", "rtn_open": "acc_1", "ord_late": "acc_1", "quo_late": "acc_1"}
    assert await owners(world) == ALL_BACK | left | {"quo_old": "acc_2"}
    assert (await world.use.tasks.tasks(["late"]))["late"].account_id == "acc_1"
    moved = (await world.use.quotes.quotes(["quo_late"]))["quo_late"]
    assert moved.version == 2  # written by the process, and once by the merge


async def test_agreements_that_were_left_behind_are_asked_about(starter: EngineStarter, world: ProcessWorld):
    world.erp.price_rules += [
        rule("both", PriceLevel.CONTRACT, "1.00", account="acc_2"),
        rule("old", PriceLevel.CONTRACT, "1.00", account="acc_2", end=TODAY - timedelta(days=1)),
    ]
    started = await merge(starter)
    (asked,) = (await world.use.tasks.search_tasks("PRICING", "OPEN", PageRequest(10))).items
    assert (asked.kind, asked.account_id, asked.process_id) == ("AgreementsLeft", "acc_1", started.process_id)
    assert "agreements both stay with the merged account acc_2" in asked.summary
    opened = await world.use.events.read(EventFilter(types=("task.opened",)), None, 10)
    assert [stored.event.data["taskId"] for stored in opened] == [asked.id]


async def test_without_agreements_nobody_is_asked(starter: EngineStarter, world: ProcessWorld):
    await merge(starter)
    assert (await world.use.tasks.search_tasks(None, None, PageRequest(10))).items == ()


async def test_an_erp_that_is_away_at_the_end_is_waited_for(starter: EngineStarter, world: ProcessWorld):
    world.script.before["agreements_of"].append(Unavailable(ERP, "agreements", "away", outcome_unknown=False))
    assert (await merge(starter)).state is ProcessState.COMPLETED
    assert await owners(world) == ALL_BACK | dict.fromkeys(["ord_open", "quo_open", "rtn_open"], "acc_1")


async def test_a_later_merge_takes_the_earlier_one_with_it(starter: EngineStarter, world: ProcessWorld):
    for name in ("acc_3",):
        world.crm.known[name] = replace(world.crm.known["acc_1"], id=name, number="C-3")
        world.erp.terms_by_account[name] = replace(world.erp.terms_by_account["acc_1"], account_id=name)
    await merge(starter)
    await merge(starter, MergeAsked("acc_3", "acc_1", "and this one too"), key="m-2")
    assert await world.use.merges.survivors(["acc_1", "acc_2"]) == {"acc_1": "acc_3", "acc_2": "acc_3"}


async def test_followers_of_both_accounts_are_told_once(starter: EngineStarter, world: ProcessWorld):
    await merge(starter)
    events = await told(world)
    assert sorted(event.partition_key for event in events) == ["acc_1", "acc_2"]
    for event in events:
        assert (event.data["survivorId"], event.data["duplicateId"]) == ("acc_1", "acc_2")
        assert (event.actor, event.manual) == (WHO.subject, True)


async def test_the_duplicate_is_closed_before_anything_changes_hands(starter: EngineStarter, world: ProcessWorld):
    await merge(starter)
    writes = ("set_account_status", "merge_customers", "give_belongings")
    assert [call for call in world.script.calls if call in writes] == list(writes)


async def test_the_same_key_again_merges_nothing_and_gets_the_same_answer(starter: EngineStarter, world: ProcessWorld):
    first = await merge(starter)
    assert await merge(starter) == replace(first, replayed=True)
    assert (len(await told(world)), world.script.calls.count("merge_customers")) == (2, 1)


async def test_the_same_key_for_other_accounts_is_a_conflict(starter: EngineStarter):
    first = await merge(starter)
    (problem,) = (await merge(starter, MergeAsked("acc_2", "acc_1", "other way round"))).problems
    assert isinstance(problem, IdempotencyConflict)
    assert problem.original_process_id == first.process_id


@pytest.mark.parametrize("call", ["set_account_status", "merge_customers", "give_belongings"])
async def test_an_answer_that_is_lost_merges_nothing_twice(starter: EngineStarter, world: ProcessWorld, call: str):
    world.script.after[call].append(Unavailable(ERP, call, "reset", outcome_unknown=True))
    assert (await merge(starter)).problems == ()
    assert (world.crm.people["con_2"].account_id, len(world.kept.all("merge"))) == ("acc_1", 1)


@pytest.mark.parametrize(
    ("when", "call", "system"),
    [
        pytest.param("before", "merge_customers", ERP, id="the ERP refuses"),
        pytest.param("after", "merge_customers", ERP, id="the ERP refuses after it has written"),
        pytest.param("before", "belongings", CRM, id="the CRM has too much"),
        pytest.param("before", "give_belongings", CRM, id="the CRM refuses"),
        pytest.param("after", "give_belongings", CRM, id="the CRM refuses after it has written"),
    ],
)
async def test_what_one_system_refuses_is_taken_back_in_all(
    starter: EngineStarter, world: ProcessWorld, when: str, call: str, system: SourceSystem
):
    getattr(world.script, when)[call].append(refusal(system))
    started = await merge(starter)
    assert started.state is ProcessState.FAILED
    assert [getattr(problem, "rule", None) for problem in started.problems] == [f"REFUSED_BY_{system.value}"]
    await assert_as_before(world)


async def test_after_a_merge_that_failed_the_next_one_succeeds(starter: EngineStarter, world: ProcessWorld):
    world.script.before["give_belongings"].append(refusal(CRM))
    assert (await merge(starter)).state is ProcessState.FAILED
    assert (await merge(starter, key="m-2")).problems == ()
    assert world.crm.known["acc_2"].status is AccountStatus.MERGED


@pytest.mark.parametrize("call", ["take_merge_back", "set_account_status"])
async def test_what_cannot_be_taken_back_waits_for_a_person(starter: EngineStarter, world: ProcessWorld, call: str):
    def refuse_the_undoing(operation: str) -> None:
        if operation == call and world.script.calls.count(call) == (2 if call == "set_account_status" else 1):
            world.script.before[call].append(refusal(ERP))

    world.script.before["give_belongings"].append(refusal(CRM))
    world.script.seen = refuse_the_undoing
    started = await merge(starter)
    assert started.state is ProcessState.WAITING_HUMAN
    (task,) = (await world.use.tasks.search_tasks("INTEGRATION", "OPEN", PageRequest(10))).items
    assert (task.account_id, "DONE_BY_HAND" in task.resolutions) == ("acc_1", True)


@pytest.mark.parametrize(
    "status", [OrderStatus.RECEIVED, OrderStatus.VALIDATING, OrderStatus.ON_HOLD, OrderStatus.CHANGE_PENDING]
)
async def test_orders_under_decision_stand_in_the_way(starter: EngineStarter, world: ProcessWorld, status: OrderStatus):
    await world.use.orders.create(order("ord_new", status))
    (problem,) = (await merge(starter)).problems
    assert isinstance(problem, NotAllowedInState)
    assert (problem.state, "ord_new" in problem.message) == ("ORDERS_UNDER_DECISION", True)
    assert world.crm.known["acc_2"].status is AccountStatus.ACTIVE
    assert "merge_customers" not in world.script.calls


async def test_of_two_merges_with_an_account_in_common_one_is_first(starter: EngineStarter, world: ProcessWorld):
    answers = await asyncio.gather(merge(starter), merge(starter, MergeAsked("acc_2", "acc_1", "or so"), key="m-2"))
    assert sorted(answer.state or "" for answer in answers) == [ProcessState.COMPLETED, ProcessState.FAILED]
    merged = [account.id for account in world.crm.known.values() if account.status is AccountStatus.MERGED]
    assert len(merged) == 1


async def test_a_prospect_is_merged_in_the_crm_alone(starter: EngineStarter, world: ProcessWorld):
    del world.erp.terms_by_account["acc_2"]
    assert (await merge(starter)).problems == ()
    assert "merge_customers" not in world.script.calls
    assert world.crm.people["con_2"].account_id == "acc_1"


async def test_nothing_starts_with_a_merged_account(starter: EngineStarter, world: ProcessWorld):
    await merge(starter)
    again = await merge(starter, key="m-2")
    assert problem_names(again.problems) == ["NotAllowedInState"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param(MergeAsked("acc_1", "acc_1", "x"), ["SAME_ACCOUNT"], id="an account into itself"),
        pytest.param(MergeAsked("acc_9", "acc_2", "x"), ["UNKNOWN_ACCOUNT", "NOT_A_CUSTOMER"], id="into nobody"),
        pytest.param(MergeAsked("acc_1", "acc_9", "x"), ["UNKNOWN_ACCOUNT"], id="nobody"),
        pytest.param(replace(SAME, comment=" "), ["COMMENT"], id="without a reason"),
        pytest.param(replace(SAME, comment="x" * 2_001), ["COMMENT"], id="with a novel"),
        pytest.param(
            MergeAsked("acc_8", "acc_9", ""),
            ["COMMENT", "UNKNOWN_ACCOUNT", "UNKNOWN_ACCOUNT"],
            id="everything at once",
        ),
    ],
)
async def test_a_bad_merge_is_refused_with_what_is_wrong(
    starter: EngineStarter, world: ProcessWorld, asked: MergeAsked, said: list[str]
):
    started = await merge(starter, asked)
    assert [getattr(problem, "rule", problem.code) for problem in started.problems] == said
    await assert_as_before(world)


@pytest.mark.parametrize(
    ("who", "changes", "said"),
    [
        pytest.param("acc_1", {"status": AccountStatus.PENDING}, "NOT_ALLOWED_IN_STATE", id="survivor not yet there"),
        pytest.param("acc_1", {"status": AccountStatus.INACTIVE}, "NOT_ALLOWED_IN_STATE", id="survivor gone"),
        pytest.param("acc_2", {"status": AccountStatus.PENDING}, "NOT_ALLOWED_IN_STATE", id="duplicate not yet there"),
        pytest.param("acc_1", {"parent_id": "acc_2"}, "HIERARCHY_INVALID", id="survivor below the duplicate"),
        pytest.param("acc_2", {"erp_home": ErpHome.LEGACY_ERP}, "OTHER_ERP", id="at home in another ERP"),
    ],
)
async def test_accounts_that_do_not_fit_are_refused(
    starter: EngineStarter, world: ProcessWorld, who: str, changes: dict[str, Any], said: str
):
    world.crm.known[who] = replace(world.crm.known[who], **changes)
    (problem,) = (await merge(starter)).problems
    assert getattr(problem, "rule", problem.code) == said
    assert "set_account_status" not in world.script.calls


async def test_customers_of_two_currencies_are_refused(starter: EngineStarter, world: ProcessWorld):
    world.erp.terms_by_account["acc_2"] = replace(world.erp.terms_by_account["acc_2"], currency="EUR")
    (problem,) = (await merge(starter)).problems
    assert getattr(problem, "rule", None) == "OTHER_CURRENCY"

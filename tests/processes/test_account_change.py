"""Changes of accounts: everywhere or nowhere, one at a time, and a task where systems stay different."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from processes.api import AccountChange, Started
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import AccountStatus, ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.accounts import AccountValues, User
from schema.records.identity import Principal
from schema.records.problems import DependencyUnavailable, ValidationFailed, VersionConflict
from schema.records.values import PageRequest
from systems.errors import Rejected, Unavailable
from tests.support.onboarding_records import address
from tests.support.process_world import QUICK, ProcessWorld, problem_names

WHO = Principal(subject="user:usr_6", roles=("FINANCE",))
CRM, ERP = SourceSystem.CRM, SourceSystem.CLOUD_ERP
OLD = AccountValues(payment_terms="NET30", billing=address(city="Austin"))
MOVED = AccountValues(billing=address(city="Houston"))
EVERYTHING = AccountValues("NET45", "usr_2", address(city="Houston"))


@pytest.fixture(autouse=True)
def known(world: ProcessWorld) -> None:
    world.erp.values = {"acc_1": OLD}
    world.crm.users_by_id = {"usr_2": User("usr_2", "Bo Example", ("SALES",))}
    world.crm.known["acc_1"] = replace(world.crm.known["acc_1"], version=3, owner_id="usr_1")


@pytest.fixture
async def starter(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[EngineStarter]:
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield EngineStarter(engine)


async def change(starter: EngineStarter, values: AccountValues = MOVED, key: str = "a-1", **changes: Any) -> Started:
    asked = replace(AccountChange("acc_1", 3, values), **changes)
    return await starter.change_account(asked, key=key, principal=WHO, wait_ms=10_000)


async def told(world: ProcessWorld) -> list[Any]:
    found = await world.use.events.read(EventFilter(types=("account.changed",)), None, 100)
    return [stored.event for stored in found]


def refusal(system: SourceSystem) -> Rejected:
    return Rejected(system, "call", "no such city", reason="FIELD", fields=("city",))


async def test_a_change_is_in_every_system_and_told_once(starter: EngineStarter, world: ProcessWorld):
    started = await change(starter, EVERYTHING)
    assert (started.problems, started.state, started.entity_id) == ((), ProcessState.COMPLETED, "acc_1")
    assert world.erp.values["acc_1"] == AccountValues("NET45", None, address(city="Houston"))
    account = world.crm.known["acc_1"]
    assert (account.owner_id, account.version, world.kept.all("crm billing")) == ("usr_2", 4, ["Houston"])
    (event,) = await told(world)
    assert event.data["changed"] == ["paymentTerms", "owner", "billing"]
    assert (event.actor, event.manual, event.account_id) == (WHO.subject, True, "acc_1")
    assert "Houston" not in str(event.data)


async def test_the_system_that_owns_a_value_comes_first(starter: EngineStarter, world: ProcessWorld):
    await change(starter)
    writes = [call for call in world.script.calls if call.startswith("change_")]
    assert writes == ["change_customer", "change_account"]


async def test_what_is_not_the_erps_does_not_go_there(starter: EngineStarter, world: ProcessWorld):
    await change(starter, AccountValues(owner_id="usr_2"))
    assert "change_customer" not in world.script.calls
    assert world.crm.known["acc_1"].owner_id == "usr_2"


async def test_the_same_key_again_changes_nothing_and_gets_the_same_answer(starter: EngineStarter, world: ProcessWorld):
    first = await change(starter)
    again = await change(starter)
    assert again == replace(first, replayed=True)
    assert (world.crm.known["acc_1"].version, len(await told(world))) == (4, 1)


@pytest.mark.parametrize("call", ["change_customer", "change_account"])
async def test_an_answer_that_is_lost_changes_nothing_twice(starter: EngineStarter, world: ProcessWorld, call: str):
    world.script.after[call].append(Unavailable(ERP, call, "reset", outcome_unknown=True))
    assert (await change(starter)).problems == ()
    assert (world.crm.known["acc_1"].version, len(await told(world))) == (4, 1)


async def test_what_the_crm_refuses_is_restored_in_the_erp(starter: EngineStarter, world: ProcessWorld):
    world.script.before["change_account"].append(refusal(CRM))
    started = await change(starter, EVERYTHING)
    (problem,) = started.problems
    assert isinstance(problem, ValidationFailed)
    assert (problem.rule, "no such city" in problem.message) == ("REFUSED_BY_CRM", True)
    assert world.erp.values["acc_1"] == OLD
    assert (world.crm.known["acc_1"].owner_id, await told(world)) == ("usr_1", [])


async def test_what_the_crm_wrote_before_it_refused_is_restored_too(starter: EngineStarter, world: ProcessWorld):
    world.script.after["change_account"].append(refusal(CRM))
    await change(starter, EVERYTHING)
    account = world.crm.known["acc_1"]
    assert (account.owner_id, account.version, world.kept.all("crm billing")) == ("usr_1", 5, ["Austin"])
    assert world.erp.values["acc_1"] == OLD


async def test_what_cannot_be_restored_is_a_drift_that_a_person_settles(starter: EngineStarter, world: ProcessWorld):
    world.script.before["change_account"].append(refusal(CRM))
    seen: list[str] = []

    def refuse_the_restoring(operation: str) -> None:
        seen.append(operation)
        if seen.count("change_customer") == 2:
            world.script.before["change_customer"].append(refusal(ERP))

    world.script.seen = refuse_the_restoring
    started = await change(starter)
    assert started.state is ProcessState.FAILED
    (task,) = (await world.use.tasks.search_tasks("MASTER_DATA", "OPEN", PageRequest(10))).items
    assert (task.kind, task.account_id) == ("AccountDrift", "acc_1")
    assert "billing" in task.summary


async def test_of_changes_of_the_same_version_one_is_first(starter: EngineStarter, world: ProcessWorld):
    cities = [f"City {number}" for number in range(4)]
    answers = await asyncio.gather(
        *(change(starter, AccountValues(billing=address(city=city)), key=city) for city in cities)
    )
    problems = [answer.problems for answer in answers]
    assert sorted(problem_names(entry) for entry in problems) == [[], *[["VersionConflict"]] * 3]
    winner = cities[problems.index(())]
    billing = world.erp.values["acc_1"].billing
    assert billing is not None
    assert ([billing.city], world.crm.known["acc_1"].version) == (world.kept.all("crm billing"), 4)
    assert billing.city == winner


async def test_a_change_that_failed_stands_in_no_way_of_the_next(starter: EngineStarter, world: ProcessWorld):
    world.script.before["change_customer"].append(refusal(ERP))
    assert (await change(starter)).state is ProcessState.FAILED
    assert (await change(starter, key="a-2")).problems == ()


@pytest.mark.parametrize(
    ("values", "changes", "said"),
    [
        pytest.param(AccountValues(), {}, ["NOTHING_TO_CHANGE"], id="nothing"),
        pytest.param(AccountValues(payment_terms="30 days"), {}, ["PAYMENT_TERMS"], id="terms that are no code"),
        pytest.param(AccountValues(owner_id="usr_9"), {}, ["UNKNOWN_OWNER"], id="an owner that does not exist"),
        pytest.param(AccountValues(owner_id=""), {}, ["UNKNOWN_OWNER"], id="an empty owner"),
        pytest.param(AccountValues(billing=address(country="Texas")), {}, ["COUNTRY"], id="a wrong address"),
        pytest.param(MOVED, {"comment": "x" * 2001}, ["COMMENT"], id="too long a comment"),
        pytest.param(MOVED, {"account_id": "acc_9"}, ["UNKNOWN_ACCOUNT"], id="no such account"),
        pytest.param(MOVED, {"version": 2}, ["VERSION_CONFLICT"], id="an old version"),
        pytest.param(
            AccountValues("?", "usr_9", address(city="")),
            {"version": 2},
            ["PAYMENT_TERMS", "ADDRESS", "UNKNOWN_OWNER", "VERSION_CONFLICT"],
            id="everything at once",
        ),
    ],
)
async def test_a_bad_change_is_refused_with_what_is_wrong_and_changes_nothing(
    starter: EngineStarter, world: ProcessWorld, values: AccountValues, changes: dict[str, Any], said: list[str]
):
    started = await change(starter, values, **changes)
    assert [getattr(problem, "rule", problem.code) for problem in started.problems] == said
    assert (world.erp.values["acc_1"], world.crm.known["acc_1"].version) == (OLD, 3)
    assert not [call for call in world.script.calls if call.startswith("change_")]


async def test_an_old_version_names_the_current_one(starter: EngineStarter):
    (problem,) = (await change(starter, version=1)).problems
    assert isinstance(problem, VersionConflict)
    assert problem.current_version == 3


@pytest.mark.parametrize("status", [AccountStatus.MERGED, AccountStatus.INACTIVE])
async def test_who_is_gone_stays_as_it_is(starter: EngineStarter, world: ProcessWorld, status: AccountStatus):
    world.crm.known["acc_1"] = replace(world.crm.known["acc_1"], status=status)
    assert problem_names((await change(starter)).problems) == ["NotAllowedInState"]


async def test_a_prospect_moves_in_the_crm_alone_and_has_no_terms(starter: EngineStarter, world: ProcessWorld):
    world.erp.values = {}
    (problem,) = (await change(starter, AccountValues(payment_terms="NET45"))).problems
    assert isinstance(problem, ValidationFailed)
    assert problem.rule == "NOT_A_CUSTOMER"
    assert (await change(starter, key="a-2")).problems == ()
    assert world.kept.all("crm billing") == ["Houston"]


async def test_a_system_that_does_not_answer_starts_nothing_and_the_same_key_changes_later(
    starter: EngineStarter, world: ProcessWorld
):
    world.script.before["customer_values"].append(Unavailable(ERP, "call", "no connection", outcome_unknown=False))
    started = await change(starter)
    (problem,) = started.problems
    assert isinstance(problem, DependencyUnavailable)
    assert (problem.system, started.process_id) == (ERP, None)
    assert (await change(starter)).problems == ()

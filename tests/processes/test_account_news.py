"""What begins in the CRM: edits of addresses go to the ERP or are put back, prospects are onboarded, each once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from processes.account_news import AccountChanges
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import AccountStatus, CaseStatus, OnboardingStatus, ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.accounts import AccountValues
from schema.records.onboarding import Applicant
from schema.records.operations import ProcessRecord
from schema.records.values import PageRequest
from systems.errors import Rejected, Unavailable
from systems.news import AccountNews, CaseNews, OnboardingNews
from tests.support.onboarding_records import address
from tests.support.platform_records import ledger_order
from tests.support.process_world import QUICK, ProcessWorld
from tests.support.rule_records import NOW

ERP = SourceSystem.CLOUD_ERP
HOME, MOVED = address(city="Austin"), address(city="Houston")


@pytest.fixture(autouse=True)
def edited(world: ProcessWorld) -> None:
    """acc_1 has moved to Houston in the CRM, which has made version 4 of it."""
    world.erp.values = {"acc_1": AccountValues(payment_terms="NET30", billing=HOME)}
    world.crm.known["acc_1"] = replace(world.crm.known["acc_1"], version=4)


@pytest.fixture
async def changes(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[AccountChanges]:
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield AccountChanges(engine)


def moved(**changes: Any) -> AccountNews:
    return replace(AccountNews("crm-1", "acc_1", 4, (), MOVED, NOW, is_echo=False), **changes)


async def process(world: ProcessWorld, key: str = "acc_1") -> ProcessRecord:
    """Return the only process about something, when it has ended."""
    async with asyncio.timeout(60):
        while True:
            found = (await world.use.process_log.processes_of([key]))[key]
            assert len(found) < 2
            if found and found[0].state in (ProcessState.COMPLETED, ProcessState.FAILED, ProcessState.WAITING_HUMAN):
                return found[0]
            await asyncio.sleep(0.01)


async def told(world: ProcessWorld) -> list[dict[str, Any]]:
    found = await world.use.events.read(EventFilter(types=("account.changed",)), None, 100)
    return [dict(stored.event.data) for stored in found]


async def test_an_address_that_was_edited_in_the_crm_is_set_in_the_erp(changes: AccountChanges, world: ProcessWorld):
    await changes.handle(moved())
    found = await process(world)
    assert (found.kind, found.state, found.started_by) == ("ACCOUNT_EDIT", ProcessState.COMPLETED, "system:crm")
    assert world.erp.values["acc_1"] == AccountValues(payment_terms="NET30", billing=MOVED)
    (event,) = await told(world)
    assert (event["changed"], event["version"], event["by"]) == (["billing"], 4, "system:crm")
    assert "change_account" not in world.script.calls


async def test_the_same_news_again_start_nothing_again(changes: AccountChanges, world: ProcessWorld):
    for _ in range(3):
        await changes.handle(moved(changed=("name",)))
    await process(world)
    assert world.script.calls.count("change_customer") == 1
    assert sorted(event["changed"] for event in await told(world)) == [["billing"], ["name"]]


async def test_what_the_erp_refuses_is_put_back_in_the_crm_and_somebody_hears_of_it(
    changes: AccountChanges, world: ProcessWorld
):
    world.script.before["change_customer"].append(Rejected(ERP, "change", "no such city", reason="FIELD"))
    await changes.handle(moved())
    assert (await process(world)).state is ProcessState.FAILED
    assert (world.kept.all("crm billing"), world.erp.values["acc_1"].billing) == (["Austin"], HOME)
    (task,) = (await world.use.tasks.search_tasks("MASTER_DATA", "OPEN", PageRequest(10))).items
    assert (task.kind, task.account_id, "no such city" in task.summary) == ("AccountEditRefused", "acc_1", True)
    assert await told(world) == []


@pytest.mark.parametrize("billing", [address(country="Texas"), address(city="")], ids=["no country", "no city"])
async def test_what_is_no_address_is_put_back(changes: AccountChanges, world: ProcessWorld, billing: Any):
    await changes.handle(moved(billing=billing))
    assert (await process(world)).state is ProcessState.FAILED
    assert (world.kept.all("crm billing"), "change_customer" in world.script.calls) == (["Austin"], False)


async def test_the_edit_of_an_account_that_is_gone_is_put_back(changes: AccountChanges, world: ProcessWorld):
    world.crm.known["acc_1"] = replace(world.crm.known["acc_1"], status=AccountStatus.MERGED)
    await changes.handle(moved())
    assert (await process(world)).state is ProcessState.FAILED
    assert world.kept.all("crm billing") == ["Austin"]


async def test_while_the_erp_is_away_the_edit_waits_for_it(changes: AccountChanges, world: ProcessWorld):
    away = Unavailable(ERP, "change", "no connection", outcome_unknown=False)
    world.script.before["change_customer"] += [away] * 4
    await changes.handle(moved())
    assert (await process(world)).state is ProcessState.COMPLETED
    assert world.erp.values["acc_1"].billing == MOVED


@pytest.mark.parametrize(
    "news",
    [
        pytest.param(moved(is_echo=True, changed=("owner",)), id="we have written it ourselves"),
        pytest.param(moved(version=3), id="an edit that another has followed"),
        pytest.param(moved(billing=HOME), id="an address that the ERP has already"),
        pytest.param(moved(account_id="acc_9"), id="an account that is not there"),
        pytest.param(moved(billing=None), id="nothing of ours"),
    ],
)
async def test_some_news_have_no_consequence(changes: AccountChanges, world: ProcessWorld, news: AccountNews):
    await changes.handle(news)
    assert (await world.use.process_log.processes_of(["acc_1", "acc_9"])) == {"acc_1": (), "acc_9": ()}
    assert await told(world) == []


async def test_what_is_the_crms_own_is_told_even_when_it_comes_late(changes: AccountChanges, world: ProcessWorld):
    await changes.handle(moved(version=3, billing=None, changed=("owner", "territory")))
    (event,) = await told(world)
    assert (event["changed"], event["version"]) == (["owner", "territory"], 3)


async def test_the_address_of_a_prospect_is_the_crms(changes: AccountChanges, world: ProcessWorld):
    world.erp.values = {}
    await changes.handle(moved())
    assert [event["changed"] for event in await told(world)] == [["billing"]]


async def test_a_prospect_is_onboarded_once_however_often_the_crm_says_so(changes: AccountChanges, world: ProcessWorld):
    applicant = Applicant(
        legal_name="Quayside Valves Inc.",
        billing=HOME,
        ship_tos=(HOME,),
        contact_name="Bo Example",
        contact_email="",
        tax_registrations=(),
        currency="USD",
        crm_account_id="0010000000000001AA",
    )
    for _ in range(3):
        await changes.handle(OnboardingNews("crm-" + "x" * 140, applicant, NOW))
    async with asyncio.timeout(60):
        while True:
            found = (await world.use.onboardings.search_onboardings(None, PageRequest(10))).items
            if found:
                break
            await asyncio.sleep(0.01)
    (onboarding,) = found
    assert (onboarding.submitted_by, onboarding.applicant) == ("system:crm", applicant)
    assert len(onboarding.account_id) < 80
    async with asyncio.timeout(60):
        while onboarding.status not in (OnboardingStatus.REJECTED, OnboardingStatus.AWAITING_DECISION):
            await asyncio.sleep(0.01)
            onboarding = (await world.use.onboardings.onboardings([onboarding.id]))[onboarding.id]
    assert onboarding.status is OnboardingStatus.REJECTED
    assert any("contactEmail" in (problem.path or ()) for problem in onboarding.problems)


def case(**changes: Any) -> CaseNews:
    made = CaseNews(
        event_id="crm-c1",
        case_id="cas_1",
        number="00001",
        account_id="acc_1",
        order_id=None,
        status=CaseStatus.OPEN,
        priority="NORMAL",
        opened_at=NOW,
        first_response_at=None,
        resolved_at=None,
        is_ours=False,
    )
    return replace(made, **changes)


async def story(world: ProcessWorld) -> list[tuple[str, Any]]:
    """Return what is told of cases, and when it happened."""
    found = await world.use.events.read(EventFilter(types=("case.*",)), None, 100)
    return [(stored.event.type, stored.event.occurred_at) for stored in found]


ANSWERED, RESOLVED = NOW + timedelta(hours=2), NOW + timedelta(hours=5)


async def test_a_case_is_told_as_opened_answered_and_resolved_each_once(changes: AccountChanges, world: ProcessWorld):
    answered = case(event_id="crm-c2", status=CaseStatus.ANSWERED, first_response_at=ANSWERED)
    resolved = replace(answered, event_id="crm-c3", status=CaseStatus.RESOLVED, resolved_at=RESOLVED)
    for news in (case(), answered, answered, resolved, case()):
        await changes.handle(news)
    assert await story(world) == [("case.opened", NOW), ("case.answered", ANSWERED), ("case.resolved", RESOLVED)]


async def test_news_of_a_case_that_came_late_tell_what_went_before_too(changes: AccountChanges, world: ProcessWorld):
    await changes.handle(case(status=CaseStatus.ANSWERED, first_response_at=ANSWERED))
    await changes.handle(case())
    assert await story(world) == [("case.opened", NOW), ("case.answered", ANSWERED)]


async def test_that_we_have_opened_a_case_ourselves_is_told_by_who_opened_it(
    changes: AccountChanges, world: ProcessWorld
):
    await changes.handle(case(is_ours=True))
    assert await story(world) == []
    await changes.handle(case(is_ours=True, status=CaseStatus.ANSWERED, first_response_at=ANSWERED))
    assert await story(world) == [("case.answered", ANSWERED)]


async def test_a_case_about_an_order_belongs_to_the_story_of_the_order(changes: AccountChanges, world: ProcessWorld):
    await world.use.orders.create(ledger_order(1, quote_id="quo_1"))
    await changes.handle(case(order_id=ledger_order(1).id))
    await changes.handle(case(case_id="cas_2", order_id="ord_of_the_erp"))
    found = await world.use.events.read(EventFilter(types=("case.opened",)), None, 100)
    assert [(stored.event.partition_key, stored.event.correlation_id) for stored in found] == [
        (ledger_order(1).id, "quo_1"), ("ord_of_the_erp", "ord_of_the_erp"),
    ]  # fmt: skip
    assert {stored.event.account_id for stored in found} == {"acc_1"}


async def test_a_contact_that_has_changed_is_told_as_a_change_of_its_account(
    changes: AccountChanges, world: ProcessWorld
):
    await changes.handle(moved(changed=("contacts",), billing=None))
    assert [event["changed"] for event in await told(world)] == [["contacts"]]

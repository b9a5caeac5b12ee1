"""Customer onboarding step by step: the good way, every check that says no, decisions, and every way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes.onboarding import CUSTOMER_ONBOARDING
from schema.enums import AccountStatus, CheckKind, CheckResult, OnboardingStatus, ProcessState, SourceSystem
from schema.records.onboarding import Applicant, CustomerTrace, Lookalike
from schema.records.problems import DuplicateAccount, ValidationFailed
from schema.records.values import ExternalRef, Money, PageRequest
from systems.errors import ConnectorError, Rejected, Unavailable
from tests.support.fake_systems import account
from tests.support.onboarding_records import address, applicant, registration
from tests.support.onboarding_runs import OnboardingRun, decided, prepare, results, run_onboarding, stored
from tests.support.process_world import MemoryJournal, ProcessWorld, problem_names

ERP, CRM = SourceSystem.CLOUD_ERP, SourceSystem.CRM
K, R, S = CheckKind, CheckResult, OnboardingStatus
ALIKE = Lookalike("acc_2", ("Quayside Valves LLC",), "77001", (), AccountStatus.ACTIVE)
LARGE = applicant(requested_credit=Money(Decimal("50000.00"), "USD"))
HUGE = applicant(requested_credit=Money(Decimal("150000.00"), "USD"))


@pytest.fixture(autouse=True)
def known(world: ProcessWorld) -> None:
    prepare(world)


def lost(system: SourceSystem) -> Unavailable:
    return Unavailable(system, "call", "reset", outcome_unknown=True)


def refusal(system: SourceSystem) -> Rejected:
    return Rejected(system, "call", "city is not one of ours", reason="FIELD", fields=("city",))


def kept(world: ProcessWorld, kind: str, account_id: str = "acc_n1") -> list[Any]:
    return world.kept.all(kind, account_id)


async def tasks(world: ProcessWorld) -> list[str]:
    found = await world.use.tasks.search_tasks(None, "OPEN", PageRequest(50))
    return [task.id for task in found.items]


async def test_a_good_applicant_is_a_customer_everywhere(world: ProcessWorld):
    run = await run_onboarding(world)
    assert run.ending.state is ProcessState.COMPLETED
    onboarding = await stored(world)
    assert (onboarding.status, set(results(onboarding).values())) == (S.ACTIVE, {R.PASSED})
    assert onboarding.credit_limit == Money(Decimal("8000.00"), "USD")
    assert [(entry.system, entry.state) for entry in onboarding.activations] == [
        (ERP, "ACTIVE"),
        (SourceSystem.FINANCE, "ACTIVE"),
        (CRM, "ACTIVE"),
    ]
    customer = json.loads(kept(world, "customer")[0])
    assert (customer["name"], [place["code"] for place in customer["ship_tos"]]) == ("Quayside Valves Inc.", ["MAIN"])
    billing = json.loads(kept(world, "billing")[0])
    assert (billing["payment_terms"], Decimal(billing["credit_limit"]["amount"])) == ("NET30", 8000)
    made = json.loads(kept(world, "account")[0])
    assert (made["number"], made["territory_id"], made["owner_id"]) == ("C-20001", "ter_US-C", "usr_3")
    assert (kept(world, "block"), kept(world, "account status")) == ([""], ["ACTIVE"])


async def test_the_story_of_an_onboarding_is_in_the_log(world: ProcessWorld):
    await run_onboarding(world)
    types = await world.event_types("onb_1")
    assert types[:2] == ["account.onboarding.submitted", "account.onboarding.checked"]
    assert types.count("account.onboarding.checked") == 6
    assert types[-2:] == ["account.onboarding.decided", "account.activated"]


async def test_who_asks_for_no_credit_pays_in_advance(world: ProcessWorld):
    await run_onboarding(world, applicant(requested_credit=None))
    billing = json.loads(kept(world, "billing")[0])
    assert (billing["payment_terms"], billing["credit_limit"]) == ("PREPAID", None)


async def test_a_child_buys_at_its_parents_prices_when_it_asks_for_none(world: ProcessWorld):
    world.erp.terms_by_account["acc_1"] = replace(world.erp.terms_by_account["acc_1"], price_group="PG-01")
    await run_onboarding(world, applicant(parent_account_id="acc_1"))
    assert json.loads(kept(world, "customer")[0])["price_group"] == "PG-01"
    assert json.loads(kept(world, "account")[0])["parent_id"] == "acc_1"


@pytest.mark.parametrize("cut", range(len(CUSTOMER_ONBOARDING)))
async def test_a_run_that_lost_its_last_entry_does_the_step_again_without_a_trace(world: ProcessWorld, cut: int):
    run = await run_onboarding(world)
    before, told = await stored(world), await world.event_types("onb_1")
    run.journal.entries = run.journal.entries[:cut]
    run.journal.again()
    again = await run_onboarding(world, journal=run.journal, resumed=True)
    assert again.ending.state is ProcessState.COMPLETED
    assert replace(await stored(world), version=0) == replace(before, version=0)
    assert await world.event_types("onb_1") == told
    assert [len(kept(world, kind)) for kind in ("customer", "billing", "account")] == [1, 1, 1]


@pytest.mark.parametrize("call", ["create_customer", "open_billing", "upsert_account"])
async def test_an_answer_that_is_lost_leaves_one_of_everything(world: ProcessWorld, call: str):
    world.script.after[call].append(lost(ERP))
    run = await run_onboarding(world)
    assert run.ending.state is ProcessState.COMPLETED
    assert [len(kept(world, kind)) for kind in ("customer", "billing", "account")] == [1, 1, 1]


@pytest.mark.parametrize("call", ["lookalikes", "traces", "territories", "create_customer", "upsert_account"])
async def test_a_system_that_is_away_for_a_while_is_waited_for(world: ProcessWorld, call: str):
    away = Unavailable(ERP, "call", "no connection", outcome_unknown=False)
    world.script.before[call] += [away] * 3
    run = await run_onboarding(world)
    assert run.ending.state is ProcessState.COMPLETED
    assert (await stored(world)).status is S.ACTIVE


async def test_a_check_that_was_answered_is_not_asked_again_for_another_that_was_not(world: ProcessWorld):
    world.script.before["territories"].append(Unavailable(CRM, "call", "no connection", outcome_unknown=False))
    await run_onboarding(world, applicant(price_group="PG-01"))
    assert (world.script.calls.count("group_has_prices"), world.script.calls.count("territories")) == (1, 2)


REFUSED: list[Any] = [
    pytest.param({"legal_name": " "}, ["LEGAL_NAME"], id="no name"),
    pytest.param({"contact_email": "bo"}, ["CONTACT_EMAIL"], id="no e-mail address"),
    pytest.param({"contact_name": "x" * 81}, ["CONTACT_NAME"], id="a name that is too long"),
    pytest.param({"billing": address(country="Texas")}, ["COUNTRY"], id="no country"),
    pytest.param({"billing": address(gln="9521234500006")}, ["GLN"], id="a wrong check digit"),
    pytest.param({"ship_tos": (address(region=None),)}, ["REGION", "TAX_INVALID"], id="no state"),
    pytest.param({"ship_tos": ()}, ["SHIP_TO_COUNT", "TAX_INVALID"], id="no place"),
    pytest.param({"requested_credit": Money(Decimal(-1), "USD")}, ["REQUESTED_CREDIT"], id="credit below zero"),
    pytest.param({"requested_credit": Money(Decimal(1), "EUR")}, ["CREDIT_CURRENCY"], id="credit in another currency"),
    pytest.param({"tax_registrations": ()}, ["TAX_INVALID"], id="no tax registration"),
    pytest.param({"price_group": "PG-99"}, ["PRICE_INELIGIBLE"], id="no such price group"),
    pytest.param({"price_group": "PG-07"}, ["PRICE_INELIGIBLE"], id="a group of another currency"),
    pytest.param({"parent_account_id": "acc_9"}, ["HIERARCHY_INVALID"], id="no such parent"),
]


@pytest.mark.parametrize(("change", "codes"), REFUSED)
async def test_what_cannot_be_a_customer_is_refused_and_leaves_nothing(
    world: ProcessWorld, change: dict[str, Any], codes: list[str]
):
    run = await run_onboarding(world, applicant(**change))
    said = [problem.rule if isinstance(problem, ValidationFailed) else problem.code for problem in run.ending.problems]
    assert (run.ending.state, said) == (ProcessState.FAILED, codes)
    onboarding = await stored(world)
    assert (onboarding.status, onboarding.problems) == (S.REJECTED, run.ending.problems)
    assert kept(world, "customer") == kept(world, "account") == []
    assert (await world.event_types("onb_1"))[-1] == "process.step.compensated"


async def test_everything_that_is_wrong_is_told_at_once(world: ProcessWorld):
    world.crm.alike = [ALIKE]
    bad = applicant(
        contact_email="bo",
        tax_registrations=(registration(kind="EIN", number="00-1", jurisdiction="US", exempt=False),),
        requested_credit=Money(Decimal(50_000), "USD"),
        ship_tos=(address(country="JP"),),
        price_group="PG-99",
        parent_account_id="acc_9",
    )
    run = await run_onboarding(world, bad)
    assert problem_names(run.ending.problems) == [
        "ValidationFailed",
        "DuplicateAccount",
        "TaxInvalid",
        "ApprovalRequired",
        "TerritoryUnassigned",
        "PriceIneligible",
        "HierarchyInvalid",
    ]
    assert await tasks(world) == []


class TestDuplicates:
    async def test_a_duplicate_is_refused_with_the_account_that_it_is(self, world: ProcessWorld):
        world.erp.known_traces = [CustomerTrace("acc_2", ("RSTX123456",), ())]
        run = await run_onboarding(world)
        (problem,) = run.ending.problems
        assert isinstance(problem, DuplicateAccount)
        assert [(entry.account_id, entry.matched_on) for entry in problem.candidates] == [("acc_2", ("TAX_ID",))]
        assert kept(world, "customer") == []

    async def test_who_is_alike_waits_for_a_person_and_goes_on(self, world: ProcessWorld):
        world.crm.alike = [ALIKE]
        run = await run_onboarding(world)
        assert run.ending.state is ProcessState.WAITING_HUMAN
        assert results(await stored(world))[K.DUPLICATE] is R.NEEDS_DECISION
        assert await tasks(world) == ["tsk_onb_1_duplicate"]
        await decided(world)
        again = await _go_on(world, run.journal)
        assert again.ending.state is ProcessState.COMPLETED

    @pytest.mark.parametrize(
        "alike",
        [
            pytest.param(replace(ALIKE, postal_code="10001"), id="elsewhere"),
            pytest.param(replace(ALIKE, names=("Quayside Pumps",)), id="another name"),
            pytest.param(replace(ALIKE, status=AccountStatus.MERGED), id="merged into another account"),
        ],
    )
    async def test_who_is_not_alike_enough_passes(self, world: ProcessWorld, alike: Lookalike):
        world.crm.alike = [alike]
        assert (await run_onboarding(world)).ending.state is ProcessState.COMPLETED

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(applicant(tax_registrations=(registration(number="RS-TX-9"),)), id="the same name and place"),
            pytest.param(applicant(legal_name="Other Name Ltd"), id="the same tax number"),
        ],
    )
    async def test_an_applicant_is_onboarded_once_at_a_time(self, world: ProcessWorld, other: Applicant):
        await run_onboarding(world, LARGE)
        second = await run_onboarding(world, other, name="2")
        (problem,) = second.ending.problems
        assert isinstance(problem, ValidationFailed)
        assert (problem.rule, "onb_1" in problem.message) == ("ONBOARDING_OPEN", True)

    async def test_after_a_refusal_the_applicant_may_come_again(self, world: ProcessWorld):
        await run_onboarding(world, applicant(contact_email="bo"))
        assert (await run_onboarding(world, name="2")).ending.state is ProcessState.COMPLETED

    async def test_a_prospect_of_the_crm_keeps_its_account(self, world: ProcessWorld):
        world.crm.known["acc_p"] = account("acc_p", status=AccountStatus.PROSPECT, refs=(ExternalRef(CRM, "001P"),))
        world.crm.alike = [replace(ALIKE, account_id="acc_p")]
        await run_onboarding(world, applicant(crm_account_id="001P"))
        onboarding = await stored(world)
        assert (onboarding.status, onboarding.account_id) == (S.ACTIVE, "acc_p")
        assert (len(kept(world, "customer", "acc_p")), kept(world, "account status", "acc_p")) == (1, ["ACTIVE"])

    async def test_an_account_of_the_crm_that_is_a_customer_already_is_a_duplicate(self, world: ProcessWorld):
        world.crm.known["acc_p"] = account("acc_p", refs=(ExternalRef(CRM, "001P"),))
        run = await run_onboarding(world, applicant(crm_account_id="001P"))
        (problem,) = run.ending.problems
        assert isinstance(problem, DuplicateAccount)
        assert problem.candidates[0].account_id == "acc_p"


class TestDecisions:
    async def test_large_credit_waits_for_a_controller_with_a_task_and_all_else_is_checked(self, world: ProcessWorld):
        run = await run_onboarding(world, LARGE)
        assert run.ending.state is ProcessState.WAITING_HUMAN
        onboarding = await stored(world)
        assert onboarding.status is S.AWAITING_DECISION
        assert {kind for kind, result in results(onboarding).items() if result is R.NEEDS_DECISION} == {K.CREDIT}
        assert await tasks(world) == ["tsk_onb_1_credit"]
        assert kept(world, "customer") == []

    async def test_an_approved_limit_is_given(self, world: ProcessWorld):
        run = await run_onboarding(world, LARGE)
        await decided(world, credit_limit=Money(Decimal("30000.00"), "USD"))
        assert (await _go_on(world, run.journal, LARGE)).ending.state is ProcessState.COMPLETED
        assert Decimal(json.loads(kept(world, "billing")[0])["credit_limit"]["amount"]) == 30_000

    async def test_above_a_hundred_thousand_one_person_is_not_enough(self, world: ProcessWorld):
        run = await run_onboarding(world, HUGE)
        await decided(world)
        assert (await _go_on(world, run.journal, HUGE)).ending.state is ProcessState.WAITING_HUMAN
        await decided(world, by="user:usr_7")
        assert (await _go_on(world, run.journal, HUGE)).ending.state is ProcessState.COMPLETED

    async def test_who_is_turned_down_is_rejected_and_leaves_nothing(self, world: ProcessWorld):
        run = await run_onboarding(world, LARGE)
        await decided(world, approve=False)
        again = await _go_on(world, run.journal, LARGE)
        assert (again.ending.state, problem_names(again.ending.problems)) == (ProcessState.FAILED, ["CreditDeclined"])
        assert (await stored(world)).status is S.REJECTED
        assert kept(world, "customer") == []

    async def test_others_hear_after_eight_hours_and_after_five_days_it_is_withdrawn(self, world: ProcessWorld):
        journal = MemoryJournal()

        async def wait(seconds: float) -> bool:
            world.clock.at = world.clock.now() + timedelta(seconds=seconds)
            return False

        journal.on_wait = wait
        run = await run_onboarding(world, LARGE, journal=journal)
        assert (run.ending.state, (await stored(world)).status) == (ProcessState.FAILED, S.WITHDRAWN)
        types = await world.event_types("onb_1")
        assert types.index("account.onboarding.escalated") < types.index("account.onboarding.decided")
        assert sum(journal.waits) == pytest.approx(5 * 24 * 3600)
        assert await tasks(world) == []
        assert (await run_onboarding(world, name="2")).ending.state is ProcessState.COMPLETED


class TestTheWayBack:
    @pytest.mark.parametrize(
        ("call", "system", "states"),
        [
            pytest.param("create_customer", ERP, {}, id="the ERP refuses"),
            pytest.param("open_billing", ERP, {ERP: "BLOCKED"}, id="finance refuses"),
            pytest.param(
                "upsert_account", CRM, {ERP: "BLOCKED", SourceSystem.FINANCE: "BLOCKED"}, id="the CRM refuses"
            ),
        ],
    )
    async def test_what_one_system_refuses_is_taken_back_in_the_others(
        self, world: ProcessWorld, call: str, system: SourceSystem, states: dict[SourceSystem, str]
    ):
        world.script.before[call].append(refusal(system))
        run = await run_onboarding(world)
        (problem,) = run.ending.problems
        assert isinstance(problem, ValidationFailed)
        assert ("city is not one of ours" in problem.message, problem.field) == (True, "city")
        onboarding = await stored(world)
        assert onboarding.status is (S.FAILED_COMPENSATED if states else S.REJECTED)
        assert {entry.system: entry.state for entry in onboarding.activations} == states
        assert kept(world, "block") == (["All"] if states else [])
        assert kept(world, "account status") == []
        told = await world.event_types("onb_1")
        assert ("account.onboarding.compensated" in told) is bool(states)
        assert "account.activated" not in told

    async def test_what_the_crm_wrote_before_it_refused_is_a_prospect_again_and_the_order_is_reversed(
        self, world: ProcessWorld
    ):
        world.script.after["upsert_account"].append(refusal(CRM))
        await run_onboarding(world)
        assert (kept(world, "account status"), kept(world, "block")) == (["PROSPECT"], ["All"])
        undone = [call for call in world.script.calls if call in ("set_account_status", "block_customer")]
        assert undone == ["set_account_status", "block_customer", "block_customer"]

    @pytest.mark.parametrize("call", ["set_account_status", "block_customer"])
    @pytest.mark.parametrize(
        "strike", [lambda script: script.before, lambda script: script.after], ids=["before", "after"]
    )
    async def test_a_way_back_that_fails_is_tried_until_it_is_done(
        self, world: ProcessWorld, call: str, strike: Callable[[Any], dict[str, list[ConnectorError]]]
    ):
        world.script.after["upsert_account"].append(refusal(CRM))
        strike(world.script)[call] += [lost(CRM)] * 3
        run = await run_onboarding(world)
        assert run.ending.state is ProcessState.FAILED
        assert (kept(world, "account status"), kept(world, "block")) == (["PROSPECT"], ["All"])
        assert (await stored(world)).status is S.FAILED_COMPENSATED

    async def test_after_the_way_back_the_applicant_may_come_again(self, world: ProcessWorld):
        world.script.before["upsert_account"].append(refusal(CRM))
        await run_onboarding(world)
        assert (await run_onboarding(world, name="2")).ending.state is ProcessState.COMPLETED


async def _go_on(world: ProcessWorld, journal: MemoryJournal, asked: Applicant | None = None) -> OnboardingRun:
    """Go on with a run that waits, after it was woken."""

    async def woken(_: float) -> bool:
        journal.on_wait = None
        return True

    journal.on_wait = woken
    journal.again()
    return await run_onboarding(world, asked, journal=journal, resumed=True)

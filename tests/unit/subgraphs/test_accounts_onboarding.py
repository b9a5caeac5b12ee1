"""Onboarding as callers meet it: submitted, decided, followed, by whom, and what bad input gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.types import ASGIApp

from gateway.server.principal import Principal
from processes.onboarding_tasks import decides
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from resolvers.accounts.ports import AccountPorts
from resolvers.accounts.reader import AccountReader
from schema.enums import AccountStatus, CheckKind, SourceSystem
from schema.events.envelope import EventFilter
from schema.records import identity
from schema.records.accounts import AccountValues, User
from schema.records.onboarding import CustomerTrace, Lookalike
from schema.records.values import ExternalRef
from subgraphs.accounts.app import accounts_schema, build_accounts
from subgraphs.context import RequestContext
from tests.support.onboarding_records import address
from tests.support.onboarding_runs import prepare
from tests.support.process_world import QUICK, ProcessWorld, process_world
from tests.support.subgraph_requests import CLAIMS, STAFF, STRANGER, ask, customer, data, staff

SUBMIT = """mutation ($input: OnboardingSubmitInput!) { onboardingSubmit(input: $input) { replayed
    onboarding { id version status legalName account { id status number } checks { kind result decidedBy { id } }
        activations { system externalId state } process { id state } submittedAt decidedAt }
    process { id state }
    problems { __typename ... on Problem { code message path } ... on ValidationFailed { rule }
        ... on DuplicateAccount { candidates { score matchedOn account { id } } }
        ... on TaxInvalid { jurisdiction number }
        ... on ApprovalRequired { level taskId } ... on IdempotencyConflict { originalProcessId } } } }"""
DECIDE = """mutation ($input: OnboardingDecideInput!) { onboardingDecide(input: $input) { replayed
    onboarding { id version status checks { kind result decidedBy { id } } } process { id state }
    problems { __typename ... on Problem { code message } ... on ValidationFailed { rule }
        ... on VersionConflict { currentVersion } ... on NotAllowedInState { state }
        ... on CreditDeclined { requested { amount } offered { amount } } } } }"""
WITHIN_S = 20.0
LARGE = {"requestedCredit": {"amount": "50000.00", "currency": "USD"}}
HUGE = {"requestedCredit": {"amount": "150000.00", "currency": "USD"}}
ALIKE = Lookalike("acc_2", ("Quayside Valves LLC",), "77001", (), AccountStatus.ACTIVE)


def person(name: str, role: str, *scopes: str) -> Principal:
    return Principal(f"user:{name}", frozenset(scopes), claims=(("roles", (role,)),))


CONTROLLER = person("cred", "CREDIT_CONTROLLER", "onboarding:decide")
SECOND = person("cred2", "FINANCE", "onboarding:decide")
MANAGER = person("boss", "SALES_MANAGER", "onboarding:decide")


@dataclass
class Place:
    app: ASGIApp
    world: ProcessWorld
    ports: AccountPorts

    async def submit(self, who: Principal = STAFF, **changes: Any) -> dict[str, Any]:
        answer = await data(self.app, SUBMIT, who, input=request(**changes))
        payload: dict[str, Any] = answer["onboardingSubmit"]
        return payload

    async def decide(self, onboarding: dict[str, Any], who: Principal = CONTROLLER, **changes: Any) -> dict[str, Any]:
        answer = await data(self.app, DECIDE, who, input=verdict(onboarding, **changes))
        payload: dict[str, Any] = answer["onboardingDecide"]
        return payload


@pytest.fixture
async def place(sqlite_url: str) -> AsyncIterator[Place]:
    async with process_world(sqlite_url) as world:
        prepare(world)
        async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
            use = world.use
            ports = AccountPorts(
                directory=world.crm,
                sales=world.crm,
                cases=world.crm,
                customers=world.erp,
                clock=world.clock,
                ledger=use.orders,
                erp_orders=world.erp,
                keys=use.keys,
                events=use.events,
                onboardings=use.onboardings,
                merges=use.merges,
                processes=use.process_log,
                starter=EngineStarter(engine),
            )
            yield Place(build_accounts(ports, CLAIMS), world, ports)


def request(**changes: Any) -> dict[str, Any]:
    home = {"line1": "1 Quay Road", "city": "Houston", "region": "TX", "postalCode": "77001", "country": "US"}
    certificate = {
        "kind": "RESALE_CERTIFICATE",
        "number": "RS-TX-123456",
        "jurisdiction": "US-TX",
        "exempt": True,
        "certificateExpires": "2099-01-01",
    }
    given = {
        "idempotencyKey": "ob-1",
        "legalName": "Quayside Valves Inc.",
        "billing": home,
        "shipTo": [home],
        "contactEmail": "bo@quayside.example",
        "contactName": "Bo Example",
        "taxRegistrations": [certificate],
        "currency": "USD",
        "waitMs": 10_000,
    }
    return given | changes


def verdict(onboarding: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given = {
        "idempotencyKey": "dec-1",
        "onboardingId": onboarding["id"],
        "version": onboarding["version"],
        "approve": True,
        "comment": "known to us",
    }
    return given | changes


async def test_a_good_applicant_is_a_customer_when_the_answer_comes(place: Place):
    payload = await place.submit()
    onboarding = payload["onboarding"]
    assert (payload["problems"], payload["replayed"], onboarding["status"]) == ([], False, "ACTIVE")
    assert onboarding["account"] == {
        "id": onboarding["id"].replace("onb_", "acc_"),
        "status": "ACTIVE",
        "number": "C-20001",
    }
    assert {check["result"] for check in onboarding["checks"]} == {"PASSED"}
    assert [entry["system"] for entry in onboarding["activations"]] == ["CLOUD_ERP", "FINANCE", "CRM"]
    assert onboarding["process"]["id"] == payload["process"]["id"]


async def test_the_same_key_starts_one_process_however_often_and_at_once_it_comes(place: Place):
    payloads = await asyncio.gather(*(place.submit() for _ in range(6)))
    assert sorted(payload["replayed"] for payload in payloads) == [False] + [True] * 5
    assert len({payload["onboarding"]["id"] for payload in payloads}) == 1
    assert len(place.world.kept.keys("customer")) == 1
    again = await place.submit()
    assert (again["replayed"], again["onboarding"]["status"]) == (True, "ACTIVE")


async def test_the_same_key_with_another_payload_is_a_conflict(place: Place):
    first = await place.submit()
    other = await place.submit(legalName="Other Inc.")
    (problem,) = other["problems"]
    assert (problem["__typename"], problem["originalProcessId"]) == ("IdempotencyConflict", first["process"]["id"])
    assert other["onboarding"] is None


async def test_the_same_prospect_of_the_crm_told_twice_is_onboarded_once(place: Place):
    crm = {"crmAccountId": "001000000000077AAA", **LARGE}
    first = await place.submit(idempotencyKey="crm-event-1", **crm)
    second = await place.submit(idempotencyKey="crm-event-2", legalName="Quay Side", **crm)
    assert first["onboarding"]["status"] == "AWAITING_DECISION"
    (problem,) = [entry for entry in second["problems"] if entry["__typename"] == "ValidationFailed"]
    assert (second["onboarding"]["status"], problem["rule"]) == ("REJECTED", "ONBOARDING_OPEN")
    assert first["onboarding"]["id"] in problem["message"]


async def test_a_duplicate_comes_with_the_accounts_that_it_may_be(place: Place):
    place.world.erp.known_traces = [CustomerTrace("acc_2", ("RSTX123456",), ())]
    payload = await place.submit()
    (problem,) = payload["problems"]
    assert problem["candidates"] == [{"score": "0.95", "matchedOn": ["TAX_ID"], "account": {"id": "acc_2"}}]
    assert payload["onboarding"]["status"] == "REJECTED"
    assert place.world.kept.keys("customer") == []


async def test_everything_that_is_wrong_is_told_at_once(place: Place):
    payload = await place.submit(contactEmail="bo", priceGroup="PG-99", parentAccountId="acc_9", taxRegistrations=[])
    assert [problem["__typename"] for problem in payload["problems"]] == [
        *("ValidationFailed", "TaxInvalid", "PriceIneligible", "HierarchyInvalid")
    ]


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"idempotencyKey": " "}, "IDEMPOTENCY_KEY"), ({"waitMs": -1}, "WAIT_MS"), ({"waitMs": 10_001}, "WAIT_MS")],
)
async def test_a_bad_envelope_starts_nothing(place: Place, change: dict[str, Any], rule: str):
    payload = await place.submit(**change)
    assert ([problem["rule"] for problem in payload["problems"]], payload["onboarding"]) == ([rule], None)


class TestDecisions:
    async def test_an_approval_lets_it_go_on_to_the_end(self, place: Place):
        submitted = await place.submit(**LARGE)
        onboarding = submitted["onboarding"]
        (problem,) = submitted["problems"]
        assert (problem["__typename"], problem["level"]) == ("ApprovalRequired", "CREDIT_CONTROLLER")
        assert problem["taskId"] == f"tsk_{onboarding['id']}_credit"
        assert submitted["process"]["state"] == "WAITING_HUMAN"
        payload = await place.decide(onboarding, check="CREDIT")
        assert (payload["problems"], payload["onboarding"]["status"]) == ([], "ACTIVE")
        assert payload["process"]["state"] == "COMPLETED"
        credit = next(check for check in payload["onboarding"]["checks"] if check["kind"] == "CREDIT")
        assert credit["result"] == "OVERRIDDEN"
        (task,) = (await place.world.use.tasks.tasks([problem["taskId"]])).values()
        assert (task.state, task.resolution, task.resolved_by) == ("RESOLVED", "APPROVE", CONTROLLER.subject)

    async def test_the_same_decision_again_gets_the_same_answer(self, place: Place):
        onboarding = (await place.submit(**LARGE))["onboarding"]
        await place.decide(onboarding)
        again = await place.decide(onboarding)
        assert (again["replayed"], again["problems"], again["onboarding"]["status"]) == (True, [], "ACTIVE")

    async def test_a_decision_twice_is_not_allowed_any_more(self, place: Place):
        onboarding = (await place.submit(**LARGE))["onboarding"]
        await place.decide(onboarding)
        late = await place.decide(onboarding, SECOND, idempotencyKey="dec-2", approve=False)
        (problem,) = late["problems"]
        assert (problem["__typename"], problem["state"]) == ("NotAllowedInState", "ACTIVE")

    async def test_who_is_turned_down_is_rejected_and_hears_why(self, place: Place):
        onboarding = (await place.submit(**LARGE))["onboarding"]
        payload = await place.decide(onboarding, approve=False)
        (problem,) = payload["problems"]
        assert (problem["__typename"], problem["requested"]) == ("CreditDeclined", {"amount": "50000.00"})
        assert (payload["onboarding"]["status"], payload["process"]["state"]) == ("REJECTED", "FAILED")
        assert place.world.kept.keys("customer") == []

    async def test_a_large_limit_takes_two_persons(self, place: Place):
        onboarding = (await place.submit(**HUGE))["onboarding"]
        first = await place.decide(onboarding)
        assert first["onboarding"]["status"] == "AWAITING_DECISION"
        same = await place.decide(first["onboarding"], idempotencyKey="dec-2")
        assert [problem["rule"] for problem in same["problems"]] == ["SECOND_PERSON"]
        second = await place.decide(first["onboarding"], SECOND)
        assert second["onboarding"]["status"] == "ACTIVE"

    async def test_each_role_decides_about_its_own_checks(self, place: Place):
        place.world.crm.alike = [ALIKE]
        onboarding = (await place.submit(**LARGE))["onboarding"]
        first = await place.decide(onboarding, MANAGER)
        results = {check["kind"]: check["result"] for check in first["onboarding"]["checks"]}
        assert (results["DUPLICATE"], results["CREDIT"]) == ("OVERRIDDEN", "NEEDS_DECISION")
        assert (await place.decide(first["onboarding"], CONTROLLER))["onboarding"]["status"] == "ACTIVE"

    @pytest.mark.parametrize(
        ("change", "who", "rule"),
        [
            pytest.param({"comment": " "}, CONTROLLER, "COMMENT", id="no reason"),
            pytest.param(
                {"creditLimit": {"amount": "50000.01", "currency": "USD"}}, CONTROLLER, "CREDIT_LIMIT", id="more credit"
            ),
            pytest.param(
                {"creditLimit": {"amount": "1", "currency": "EUR"}}, CONTROLLER, "CREDIT_LIMIT", id="another currency"
            ),
            pytest.param({"check": "TERRITORY"}, MANAGER, "CHECK_NOT_OPEN", id="a check that does not wait"),
            pytest.param({"idempotencyKey": ""}, CONTROLLER, "IDEMPOTENCY_KEY", id="no key"),
            pytest.param({"onboardingId": "onb_none"}, CONTROLLER, "UNKNOWN_ONBOARDING", id="no such onboarding"),
        ],
    )
    async def test_a_bad_decision_decides_nothing(
        self, place: Place, change: dict[str, Any], who: Principal, rule: str
    ):
        onboarding = (await place.submit(**LARGE))["onboarding"]
        payload = await place.decide(onboarding, who, **change)
        assert [problem["rule"] for problem in payload["problems"]] == [rule]
        shown = await data(
            place.app, "query ($id: ID!) { onboarding(id: $id) { version status } }", id=onboarding["id"]
        )
        assert shown["onboarding"] == {"version": onboarding["version"], "status": "AWAITING_DECISION"}

    async def test_an_old_version_is_a_conflict_that_names_the_current_one(self, place: Place):
        onboarding = (await place.submit(**LARGE))["onboarding"]
        payload = await place.decide(onboarding, version=onboarding["version"] - 1)
        (problem,) = payload["problems"]
        assert (problem["__typename"], problem["currentVersion"]) == ("VersionConflict", onboarding["version"])

    async def test_whoever_submitted_does_not_decide(self, place: Place):
        onboarding = (await place.submit(MANAGER, **LARGE))["onboarding"]
        both = Principal(MANAGER.subject, MANAGER.scopes, claims=(("roles", ("SALES_MANAGER", "CREDIT_CONTROLLER")),))
        payload = await place.decide(onboarding, both)
        assert [problem["rule"] for problem in payload["problems"]] == ["DECIDER_IS_SUBMITTER"]

    @pytest.mark.parametrize(
        ("who", "check"),
        [
            pytest.param(person("x", "CREDIT_CONTROLLER"), "CREDIT", id="without the scope"),
            pytest.param(CONTROLLER, "TERRITORY", id="credit about a territory"),
            pytest.param(MANAGER, "CREDIT", id="sales about credit"),
            pytest.param(person("x", "SALES", "onboarding:decide"), None, id="a role that decides nothing"),
            pytest.param(customer("acc_1", scopes=("onboarding:decide",)), None, id="a customer"),
            pytest.param(STRANGER, None, id="a stranger"),
        ],
    )
    async def test_without_the_right_nothing_is_decided(self, place: Place, who: Principal, check: str | None):
        onboarding = (await place.submit(**LARGE))["onboarding"]
        answer = await ask(place.app, DECIDE, who, input=verdict(onboarding, check=check))
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("who", [staff(role="SERVICE_DESK"), customer("acc_1"), STRANGER], ids=repr)
async def test_others_bring_no_customers(place: Place, who: Principal):
    answer = await ask(place.app, SUBMIT, who, input=request())
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


LIST = """query ($s: OnboardingStatus, $a: String) { onboardings(status: $s, first: 1, after: $a) {
    totalCount nodes { id } pageInfo { hasNextPage endCursor } } }"""


async def test_onboardings_are_listed_by_status_page_by_page(place: Place):
    made = [
        (await place.submit(idempotencyKey=f"k{n}", legalName=f"N{n} Inc.", taxRegistrations=[], **LARGE))
        for n in range(2)
    ]
    waiting = await place.submit(**LARGE)
    first = (await data(place.app, LIST, s="REJECTED"))["onboardings"]
    second = (await data(place.app, LIST, s="REJECTED", a=first["pageInfo"]["endCursor"]))["onboardings"]
    assert [first["totalCount"], *(page["nodes"][0]["id"] for page in (first, second))] == [
        2,
        *(payload["onboarding"]["id"] for payload in made),
    ]
    found = (await data(place.app, LIST, s="AWAITING_DECISION"))["onboardings"]["nodes"]
    assert [entry["id"] for entry in found] == [waiting["onboarding"]["id"]]
    bad = await ask(place.app, LIST, a="nonsense")
    assert bad["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_customer_sees_its_own_onboarding_and_no_list(place: Place):
    onboarding = (await place.submit())["onboarding"]
    query = "query ($id: ID!) { onboarding(id: $id) { status } }"
    own = customer(onboarding["account"]["id"])
    assert (await data(place.app, query, own, id=onboarding["id"]))["onboarding"] == {"status": "ACTIVE"}
    assert (await data(place.app, query, customer("acc_1"), id=onboarding["id"]))["onboarding"] is None
    assert (await data(place.app, LIST, own))["onboardings"]["totalCount"] == 0


async def test_an_onboarding_is_followed_and_resumed_without_gap_or_double(place: Place):
    onboarding = (await place.submit(**LARGE))["onboarding"]
    await place.decide(onboarding)
    everything = await events(place, onboarding["id"], after=f"ob:{onboarding['id']}:submitted")
    ids = [event["eventId"] for event in everything]
    assert ids[-1] == f"ob:{onboarding['id']}:activated"
    assert len(ids) == len(set(ids))
    assert {event["onboarding"]["status"] for event in everything} == {"ACTIVE"}
    again = await events(place, onboarding["id"], after=ids[2])
    assert [event["eventId"] for event in again] == ids[3:]


async def subscribe(place: Place, query: str, variables: dict[str, Any]) -> Any:
    who = identity.Principal("user:ann", ("SALES",))
    context = RequestContext(who, lambda principal: AccountReader(place.ports, principal))
    return await accounts_schema.subscribe(query, variable_values=variables, context_value=context)


async def events(place: Place, onboarding_id: str, after: str) -> list[dict[str, Any]]:
    """Return what a subscription brings up to the activation."""
    query = """subscription ($id: ID!, $after: ID) {
        onboardingChanged(id: $id, after: $after) { eventId at onboarding { id status } } }"""
    stream: Any = await subscribe(place, query, {"id": onboarding_id, "after": after})
    found = []
    async with asyncio.timeout(WITHIN_S), aclosing(stream) as answers:
        async for answer in answers:
            assert answer.errors is None, answer.errors
            found.append(answer.data["onboardingChanged"])
            if found[-1]["eventId"].endswith(":activated"):
                return found
    raise AssertionError(f"the stream ended after {found}")


MERGE = """mutation ($input: AccountMergeInput!) { accountMerge(input: $input) { replayed
    account { id externalRefs { system id current } } process { state }
    problems { __typename ... on ValidationFailed { rule path } ... on NotAllowedInState { state path } } } }"""


def same(**changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": "m-1", "survivorId": "acc_1", "duplicateId": "acc_2", "comment": "twice"} | changes


class TestMerge:
    async def test_what_systems_called_the_duplicate_leads_to_the_account_that_remains(self, place: Place):
        crm, erp = place.world.crm, place.world.erp
        crm.known["acc_2"] = replace(crm.known["acc_2"], refs=(ExternalRef(SourceSystem.CRM, "001B"),))
        number = ExternalRef(SourceSystem.CLOUD_ERP, "C-10043")
        erp.terms_by_account["acc_2"] = replace(erp.terms_by_account["acc_2"], ref=number)
        payload = (await data(place.app, MERGE, MANAGER, input=same()))["accountMerge"]
        assert (payload["problems"], payload["process"]) == ([], {"state": "COMPLETED"})
        former = [ref for ref in payload["account"]["externalRefs"] if not ref["current"]]
        assert former == [
            {"system": "CRM", "id": "001B", "current": False},
            {"system": "CLOUD_ERP", "id": "C-10043", "current": False},
        ]
        named = """{ crm: accountByExternalRef(system: CRM, externalId: "001B") { id }
            erp: accountByExternalRef(system: CLOUD_ERP, externalId: "C-10043") { id }
            account(id: "acc_2") { id status } }"""
        assert await data(place.app, named, MANAGER) == {
            "crm": {"id": "acc_1"},
            "erp": {"id": "acc_1"},
            "account": {"id": "acc_2", "status": "MERGED"},
        }

    async def test_the_same_request_again_has_the_same_answer(self, place: Place):
        first = (await data(place.app, MERGE, MANAGER, input=same()))["accountMerge"]
        again = (await data(place.app, MERGE, MANAGER, input=same()))["accountMerge"]
        assert again == first | {"replayed": True}

    async def test_a_bad_request_says_what_is_wrong(self, place: Place):
        given = same(duplicateId="acc_1", comment="")
        payload = (await data(place.app, MERGE, MANAGER, input=given))["accountMerge"]
        assert [problem["rule"] for problem in payload["problems"]] == ["COMMENT", "SAME_ACCOUNT"]
        payload = (await data(place.app, MERGE, MANAGER, input=same(idempotencyKey="")))["accountMerge"]
        assert [problem["path"] for problem in payload["problems"]] == [["idempotencyKey"]]
        assert payload["process"] is None

    @pytest.mark.parametrize("field", ["survivorId", "duplicateId"])
    async def test_an_id_that_no_ledger_has_room_for_starts_nothing(self, place: Place, field: str):
        payload = (await data(place.app, MERGE, MANAGER, input=same(**{field: "x" * 81})))["accountMerge"]
        assert [(problem["rule"], problem["path"]) for problem in payload["problems"]] == [("TEXT_LENGTH", [field])]
        assert payload["process"] is None


CHANGE = """mutation ($input: AccountChangeInput!) { accountChange(input: $input) { replayed
    account { id version owner { id } } process { state } problems { __typename ... on Problem { code }
        ... on ValidationFailed { rule } ... on VersionConflict { currentVersion } } } }"""


def move(**changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": "a-1", "accountId": "acc_1", "version": 1, "ownerId": "usr_2"} | changes


class TestChanges:
    @pytest.fixture(autouse=True)
    def known(self, place: Place) -> None:
        place.world.crm.users_by_id = {"usr_2": User("usr_2", "Bo Example", ("SALES",))}
        place.world.erp.values = {"acc_1": AccountValues("NET30", None, address())}

    async def test_a_change_is_done_when_the_answer_comes(self, place: Place):
        payload = (await data(place.app, CHANGE, input=move()))["accountChange"]
        assert payload == {
            "replayed": False,
            "account": {"id": "acc_1", "version": 2, "owner": {"id": "usr_2"}},
            "process": {"state": "COMPLETED"},
            "problems": [],
        }
        late = (await data(place.app, CHANGE, input=move(idempotencyKey="a-2")))["accountChange"]
        assert [problem.get("currentVersion") for problem in late["problems"]] == [2]

    async def test_an_id_that_no_ledger_has_room_for_starts_nothing(self, place: Place):
        payload = (await data(place.app, CHANGE, input=move(accountId="x" * 81)))["accountChange"]
        assert ([problem["rule"] for problem in payload["problems"]], payload["process"]) == (["TEXT_LENGTH"], None)

    async def test_a_key_is_needed(self, place: Place):
        payload = (await data(place.app, CHANGE, input=move(idempotencyKey="")))["accountChange"]
        assert [problem["rule"] for problem in payload["problems"]] == ["IDEMPOTENCY_KEY"]

    @pytest.mark.parametrize(
        ("who", "change", "allowed"),
        [
            pytest.param(STAFF, {}, True, id="sales about an owner"),
            pytest.param(STAFF, {"paymentTerms": "NET45"}, False, id="sales about terms"),
            pytest.param(SECOND, {"paymentTerms": "NET45"}, True, id="finance about terms"),
            pytest.param(staff(role="OPERATIONS"), {}, False, id="the warehouse"),
            pytest.param(customer("acc_1"), {}, False, id="a customer"),
            pytest.param(STRANGER, {}, False, id="a stranger"),
        ],
    )
    async def test_values_are_changed_by_whose_they_are(
        self, place: Place, who: Principal, change: dict[str, Any], allowed: bool
    ):
        answer = await ask(place.app, CHANGE, who, input=move(**change))
        assert ("errors" not in answer) is allowed
        if not allowed:
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"

    async def test_an_account_is_followed_by_who_may_see_it(self, place: Place):
        await data(place.app, CHANGE, input=move())
        await data(place.app, CHANGE, input=move(idempotencyKey="a-2", version=2))
        everything = await place.world.use.events.read(EventFilter(types=("account.changed",)), None, 10)
        first, second = (stored.event.id for stored in everything)
        query = """subscription ($id: ID!, $after: ID) {
            accountChanged(accountId: $id, after: $after) { eventId change account { id version } } }"""
        stream: Any = await subscribe(place, query, {"id": "acc_1", "after": first})
        async with asyncio.timeout(WITHIN_S), aclosing(stream) as answers:
            answer = await anext(answers)
        assert answer.data["accountChanged"] == {
            "eventId": second,
            "change": "account.changed",
            "account": {"id": "acc_1", "version": 3},
        }


def test_every_check_is_decided_by_somebody():
    principals = [
        identity.Principal("user:x", (role,), ("onboarding:decide",)) for role in ("FINANCE", "SALES_MANAGER")
    ]
    assert frozenset().union(*(decides(principal) for principal in principals)) == frozenset(CheckKind)

"""Service cases as callers open them: once per key, by whom, about what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.types import ASGIApp

from gateway.server.principal import Principal
from resolvers.accounts.ports import AccountPorts
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter
from subgraphs.accounts.app import build_accounts
from systems.errors import Rejected, Unavailable
from tests.support.platform_records import ledger_order, requested
from tests.support.process_world import ProcessWorld, process_world
from tests.support.subgraph_requests import CLAIMS, STAFF, STRANGER, ask, customer, data, staff

OPEN = """mutation ($input: CaseOpenInput!) { caseOpen(input: $input) { replayed
    serviceCase { subject status priority account { id } order { id } }
    problems { __typename ... on Problem { code message path retryable } ... on ValidationFailed { rule }
        ... on IdempotencyConflict { originalProcessId } ... on DependencyUnavailable { system } } } }"""
ORDER = ledger_order(7, account_id="acc_1")


@dataclass
class Place:
    app: ASGIApp
    world: ProcessWorld

    async def open(self, who: Principal = STAFF, **changes: Any) -> dict[str, Any]:
        answer = await data(self.app, OPEN, who, input=request(**changes))
        payload: dict[str, Any] = answer["caseOpen"]
        return payload

    async def told(self) -> list[Any]:
        found = await self.world.use.events.read(EventFilter(types=("case.opened",)), None, 100)
        return [stored.event for stored in found]


@pytest.fixture
async def place(sqlite_url: str) -> AsyncIterator[Place]:
    async with process_world(sqlite_url) as world:
        use = world.use
        no_starter: Any = None
        await use.orders.create(ORDER)
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
            starter=no_starter,
        )
        yield Place(build_accounts(ports, CLAIMS), world)


def request(**changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "c-1", "accountId": "acc_1", "subject": "Pump leaks", "body": "Since Monday."}
    return given | changes


async def test_a_case_is_opened_in_the_service_desk_and_told_once(place: Place):
    payload = await place.open(orderId=ORDER.id, priority="HIGH")
    assert payload == {
        "replayed": False,
        "serviceCase": {
            "subject": "Pump leaks",
            "status": "OPEN",
            "priority": "HIGH",
            "account": {"id": "acc_1"},
            "order": {"id": ORDER.id},
        },
        "problems": [],
    }
    (event,) = await place.told()
    assert (event.partition_key, event.correlation_id, event.account_id) == (ORDER.id, ORDER.id, "acc_1")
    assert (event.actor, event.manual, event.system) == (STAFF.subject, True, SourceSystem.CRM)


async def test_what_was_asked_for_is_in_the_audit_by_its_names(place: Place):
    await place.open(orderId=ORDER.id)
    asked = {"account_id": "acc_1", "order_id": ORDER.id, "subject": "Pump leaks", "priority": "NORMAL"}
    assert await requested(place.world.database, "caseOpen") == [{**asked, "body": "Since Monday."}]


async def test_the_same_key_gives_the_same_case_again(place: Place):
    first = await place.open()
    again = await place.open()
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["serviceCase"] == first["serviceCase"]
    assert len(place.world.kept.keys("case")) == 1
    assert len(await place.told()) == 1


async def test_the_same_key_with_another_payload_is_a_conflict(place: Place):
    await place.open()
    payload = await place.open(subject="Pump is loud")
    (problem,) = payload["problems"]
    assert (payload["serviceCase"], problem["__typename"]) == (None, "IdempotencyConflict")
    assert problem["originalProcessId"].startswith("case_")
    assert len(place.world.kept.keys("case")) == 1


async def test_keys_of_others_are_other_keys(place: Place):
    await place.open()
    payload = await place.open(customer("acc_1"))
    assert (payload["replayed"], len(place.world.kept.keys("case"))) == (False, 2)


@pytest.mark.parametrize("outcome_unknown", [False, True], ids=["nothing was sent", "the answer was lost"])
async def test_a_service_desk_that_does_not_answer_is_said_and_the_same_key_opens_it_later(
    place: Place, outcome_unknown: bool
):
    script = place.world.script
    script.before["open_case"].append(
        Unavailable(SourceSystem.CRM, "open case", "no connection", outcome_unknown=outcome_unknown)
    )
    payload = await place.open()
    (problem,) = payload["problems"]
    assert (problem["__typename"], problem["system"], problem["retryable"]) == ("DependencyUnavailable", "CRM", True)
    again = await place.open()
    assert (again["replayed"], again["problems"], len(place.world.kept.keys("case"))) == (False, [], 1)


async def test_what_the_service_desk_refuses_is_a_problem_that_says_why(place: Place):
    refusal = Rejected(SourceSystem.CRM, "open case", "Subject: bad characters", reason="BAD", fields=("Subject",))
    place.world.script.before["open_case"].append(refusal)
    (problem,) = (await place.open())["problems"]
    assert (problem["rule"], "bad characters" in problem["message"]) == ("REFUSED_BY_SERVICE_DESK", True)


async def test_everything_that_is_wrong_is_told_at_once(place: Place):
    payload = await place.open(
        idempotencyKey=" ", accountId="acc_9", orderId="ord_none", subject=" ", body="", priority="SOON"
    )
    assert payload["serviceCase"] is None
    assert sorted(problem["rule"] for problem in payload["problems"]) == [
        *("BODY", "IDEMPOTENCY_KEY", "PRIORITY", "SUBJECT", "UNKNOWN_ACCOUNT", "UNKNOWN_ORDER")
    ]
    assert place.world.kept.keys("case") == []


async def test_an_order_of_another_account_is_no_order(place: Place):
    (problem,) = (await place.open(accountId="acc_2", orderId=ORDER.id))["problems"]
    assert (problem["rule"], problem["path"]) == ("UNKNOWN_ORDER", ["orderId"])


async def test_a_customer_opens_cases_of_its_own_accounts_only(place: Place):
    buyer = customer("acc_1")
    assert (await place.open(buyer))["problems"] == []
    (problem,) = (await place.open(buyer, idempotencyKey="c-2", accountId="acc_2"))["problems"]
    assert problem["rule"] == "UNKNOWN_ACCOUNT"


@pytest.mark.parametrize("role", ["SALES", "SALES_MANAGER", "SERVICE_DESK", "INTEGRATION"])
async def test_who_serves_customers_opens_cases(place: Place, role: str):
    assert (await place.open(staff(role=role)))["serviceCase"] is not None


@pytest.mark.parametrize("who", [staff(role="OPERATIONS"), staff(role="PRICING_DESK"), STRANGER], ids=repr)
async def test_others_open_no_cases(place: Place, who: Principal):
    answer = await ask(place.app, OPEN, who, input=request())
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert place.world.kept.keys("case") == []

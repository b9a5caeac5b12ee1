"""What the CRM sandbox tells by itself, signed and at least once, and what the connector reads of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import CaseStatus, QuoteStatus, SourceSystem
from schema.records.accounts import AccountValues
from systems.news import AccountNews, CaseNews, OnboardingNews, QuoteNews, UnreadableNews
from systems.salesforce import Salesforce, SalesforceSettings, read_news
from systems.webhooks import Webhook
from tests.support.crm_connector import quote_mirror
from tests.support.onboarding_records import address
from tests.support.sandboxes import CREDENTIALS, ServedSandbox, serve_sandbox
from tests.support.webhook_receiver import WebhookReceiver

WITHIN_S = 30.0
OBJECTS = "/services/data/v62.0/sobjects"
ACCOUNT = f"{OBJECTS}/Account"
CASE = {
    "key": "cas_1",
    "number": "00000001",
    "status": "New",
    "priority": "Medium",
    "channel": "Phone",
    "orderKey": None,
    "openedAt": "2026-03-04T15:00:00.000+00:00",
    "firstResponseAt": None,
    "resolvedAt": None,
}


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, datetime.now(UTC))


class Desk:
    """Somebody who works in the CRM itself, and what it sends."""

    def __init__(self, served: ServedSandbox, receiver: WebhookReceiver, token: str) -> None:
        self.served = served
        self._receiver = receiver
        self._headers = {"authorization": f"Bearer {token}"}

    async def write(self, method: str, path: str, body: dict[str, Any]) -> Any:
        answer = await self.served.http.request(method, path, json=body, headers=self._headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def edit(self, account_id: str, **values: Any) -> None:
        await self.write("PATCH", f"{ACCOUNT}/Crossdock_Id__c/{account_id}", values)

    async def told(self, count: int = 1) -> list[Webhook]:
        """Return the news when there are that many."""
        seen: list[Webhook] = []

        def is_enough(webhook: Webhook) -> bool:
            seen.append(webhook)
            return len({entry.event_id for entry in seen}) >= count

        return await self._receiver.until(is_enough, WITHIN_S)


@asynccontextmanager
async def working(world: WorldModel) -> AsyncIterator[Desk]:
    receiver = WebhookReceiver("crm")
    async with receiver.serve() as hook, serve_sandbox(Crm(), lambda: world, webhook_url=hook) as served:
        form = {"grant_type": "client_credentials", **CREDENTIALS["crm"]}
        answer = await served.http.post("/services/oauth2/token", data=form)
        yield Desk(served, receiver, answer.json()["access_token"])


@pytest.fixture
async def desk(world: WorldModel) -> AsyncIterator[Desk]:
    async with working(world) as made:
        yield made


async def test_an_edit_is_told_with_the_address_and_what_has_changed(desk: Desk):
    await desk.edit("acc_1", BillingCity="Houston", BillingStreet="9 New Road\nGate 2", Name="Example Pumps")
    (webhook,) = await desk.told()
    news = read_news(webhook)
    assert isinstance(news, AccountNews)
    assert (news.account_id, news.changed, news.is_echo) == ("acc_1", ("name",), False)
    assert news.billing is not None
    assert (news.billing.city, news.billing.line1, news.billing.line2) == ("Houston", "9 New Road", "Gate 2")
    sql = 'SELECT "Version__c" AS version FROM "Account" WHERE "Crossdock_Id__c" = \'acc_1\''
    assert [row["version"] for row in desk.served.host.store.query(sql)] == [news.version]


async def test_an_edit_of_something_else_tells_no_address(desk: Desk):
    await desk.edit("acc_1", OwnerId=None)
    news = read_news((await desk.told())[0])
    assert isinstance(news, AccountNews)
    assert (news.changed, news.billing) == (("owner",), None)


async def test_an_edit_that_changes_nothing_is_not_told(desk: Desk):
    await desk.edit("acc_1", Legal_Name__c="Example Pumps Inc.")
    await desk.edit("acc_1", Legal_Name__c="Example Pumps Inc.")
    await desk.edit("acc_1", Legal_Name__c="Example Pumps Ltd.")
    told = [read_news(webhook) for webhook in await desk.told(2)]
    assert [entry.changed for entry in told if isinstance(entry, AccountNews)] == [("legalName",), ("legalName",)]
    assert desk.served.host.webhooks.counts()["WAITING"] + desk.served.host.webhooks.counts()["DELIVERED"] == 2


async def test_what_we_have_written_ourselves_is_told_as_ours(desk: Desk):
    async with Salesforce(SalesforceSettings(desk.served.url, **CREDENTIALS["crm"])) as crm:
        await crm.change_account("acc_1", AccountValues(billing=address(city="Houston")), 9)
    news = read_news((await desk.told())[0])
    assert isinstance(news, AccountNews)
    assert (news.version, news.is_echo) == (9, True)


async def test_a_prospect_that_becomes_pending_asks_to_be_a_customer_once(desk: Desk):
    made = await desk.write(
        "POST",
        ACCOUNT,
        {
            "Name": "Quayside",
            "Legal_Name__c": "Quayside Valves Inc.",
            "BillingStreet": "1 Quay Road",
            "BillingCity": "Houston",
            "BillingState": "TX",
            "BillingPostalCode": "77001",
            "BillingCountry": "US",
        },
    )
    contact = {"AccountId": made["id"], "FirstName": "Bo", "LastName": "Example", "Email": "bo@quayside.example"}
    await desk.write("POST", "/services/data/v62.0/sobjects/Contact", contact)
    for _ in range(2):
        await desk.write("PATCH", f"{ACCOUNT}/{made['id']}", {"Account_Status__c": "Pending"})
    (webhook, *more) = await desk.told()
    news = read_news(webhook)
    assert isinstance(news, OnboardingNews)
    who = news.applicant
    assert (who.legal_name, who.trade_name, who.crm_account_id) == ("Quayside Valves Inc.", "Quayside", made["id"])
    assert (who.contact_name, who.contact_email, who.currency) == ("Bo Example", "bo@quayside.example", "USD")
    assert (who.billing.city, who.ship_tos) == ("Houston", (who.billing,))
    assert more == []


async def test_a_case_is_told_from_its_opening_to_its_end(desk: Desk):
    account = {"Account": {"Crossdock_Id__c": "acc_1"}}
    made = await desk.write("POST", f"{OBJECTS}/Case", {**account, "Subject": "Where is it?", "Priority": "High"})
    for status in ("Working", "Working", "Resolved"):
        await desk.write("PATCH", f"{OBJECTS}/Case/{made['id']}", {"Status": status})
    told = [news for news in map(read_news, await desk.told(3)) if isinstance(news, CaseNews)]
    assert [news.status for news in told] == [CaseStatus.OPEN, CaseStatus.ANSWERED, CaseStatus.RESOLVED]
    assert {(news.account_id, news.case_id, news.priority, news.is_ours) for news in told} == {
        ("acc_1", f"cas_{made['id']}", "HIGH", False)
    }
    first, answered, resolved = told
    assert (first.first_response_at, first.resolved_at, answered.resolved_at) == (None, None, None)
    assert answered.first_response_at == resolved.first_response_at is not None
    assert resolved.resolved_at is not None
    async with Salesforce(SalesforceSettings(desk.served.url, **CREDENTIALS["crm"])) as crm:
        shown = (await crm.cases([first.case_id]))[first.case_id]
    assert (shown.status, shown.resolved_at) == (CaseStatus.RESOLVED, resolved.resolved_at)


async def test_of_a_quote_the_statuses_are_told_that_people_set_and_nothing_else(desk: Desk):
    path = f"{OBJECTS}/Quote/Crossdock_Id__c/quo_1"
    await desk.write("PATCH", path, {"Name": "Pumps", "Account": {"Crossdock_Id__c": "acc_1"}})
    for values in ({"Status": "Approved"}, {"Status": "Presented"}, {"Name": "Pumps, spring"}, {"Status": "Denied"}):
        await desk.write("PATCH", path, values)
    await desk.write("PATCH", path, {"Status": "Accepted"})
    told = [news for news in map(read_news, await desk.told(6)) if isinstance(news, QuoteNews)]
    assert {news.quote_id for news in told} == {"quo_1"}
    answers = [QuoteStatus.SENT, None, QuoteStatus.DECLINED, QuoteStatus.ACCEPTED]
    assert [news.status for news in told] == [QuoteStatus.DRAFT, QuoteStatus.APPROVED, *answers]
    assert [news.at for news in told] == sorted(news.at for news in told)


async def test_a_quote_that_we_mirror_is_not_told_as_sent_or_answered(desk: Desk):
    async with Salesforce(SalesforceSettings(desk.served.url, **CREDENTIALS["crm"])) as crm:
        for status in (QuoteStatus.SENT, QuoteStatus.ACCEPTED):
            await crm.mirror_quote(quote_mirror(status=status))
    told = [read_news(webhook) for webhook in await desk.told(2)]
    assert [news.status for news in told if isinstance(news, QuoteNews)] == [None, None]


async def test_a_case_that_we_have_opened_is_told_as_ours(desk: Desk):
    async with Salesforce(SalesforceSettings(desk.served.url, **CREDENTIALS["crm"])) as crm:
        opened = await crm.open_case(
            "key", account_id="acc_1", order_id="ord_1", subject="Late", priority="NORMAL", body="Very late."
        )
    news = read_news((await desk.told())[0])
    assert isinstance(news, CaseNews)
    assert (news.case_id, news.order_id, news.is_ours) == (opened.id, "ord_1", True)


@pytest.mark.parametrize(
    ("name", "body", "changed"),
    [
        pytest.param("Contact", {"LastName": "Example"}, "contacts", id="contact"),
        pytest.param(
            "Opportunity",
            {"Name": "Pumps", "StageName": "Qualification", "CloseDate": "2030-01-31"},
            "opportunities",
            id="opportunity",
        ),
    ],
)
async def test_what_belongs_to_an_account_is_told_as_made_changed_and_gone(
    desk: Desk, name: str, body: dict[str, Any], changed: str
):
    made = await desk.write("POST", f"{OBJECTS}/{name}", {**body, "Account": {"Crossdock_Id__c": "acc_1"}})
    field = "LastName" if name == "Contact" else "Name"
    await desk.write("PATCH", f"{OBJECTS}/{name}/{made['id']}", {field: "Another"})
    await desk.write("PATCH", f"{OBJECTS}/{name}/{made['id']}", {field: "Another"})
    await desk.write("DELETE", f"{OBJECTS}/{name}/{made['id']}", {})
    told = [news for news in map(read_news, await desk.told(3)) if isinstance(news, AccountNews)]
    assert [(news.account_id, news.changed, news.billing, news.is_echo) for news in told] == [
        ("acc_1", (changed,), None, False)
    ] * 3


async def test_news_that_come_twice_have_one_id(desk: Desk):
    await desk.served.faults(webhooks={"duplicate_rate": 1})
    await desk.edit("acc_1", Name="One")
    await desk.edit("acc_1", Name="Two")
    told = await desk.told(2)
    assert len({webhook.event_id for webhook in told}) == 2


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        pytest.param("robot.uprising", {}, id="a type that nobody knows"),
        pytest.param("account.changed", {}, id="no account"),
        pytest.param("account.changed", {"account": {"key": None}, "changed": []}, id="an account without a key"),
        pytest.param("account.changed", {"account": 7, "changed": []}, id="no object"),
        pytest.param("contact.changed", {"account": {"key": None}}, id="a contact of an account without a key"),
        pytest.param("case.changed", {"account": {"key": "acc_1"}}, id="no case"),
        pytest.param(
            "case.changed",
            {"account": {"key": "acc_1"}, "case": CASE | {"status": "Lost"}},
            id="a case in a state that nobody knows",
        ),
        pytest.param(
            "case.changed",
            {"account": {"key": "acc_1"}, "case": CASE | {"openedAt": "yesterday"}},
            id="a case of no time",
        ),
        pytest.param("quote.changed", {"changed": ["Status"]}, id="no quote"),
        pytest.param(
            "quote.changed",
            {"quote": {"key": "quo_1", "status": "Lost"}, "changed": [], "occurredAt": "2026-03-04T15:00:00+00:00"},
            id="a quote in a state that nobody knows",
        ),
        pytest.param("onboarding.requested", {"account": {}, "contact": None}, id="a prospect without an address"),
    ],
)
def test_news_that_nobody_can_read_say_so(kind: str, payload: dict[str, Any]):
    with pytest.raises(UnreadableNews):
        read_news(Webhook(SourceSystem.CRM, "e1", kind, payload))

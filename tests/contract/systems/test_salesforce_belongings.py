"""What hangs on an account in the CRM is named, given to another account and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from systems.errors import Rejected, Unavailable
from systems.salesforce import Salesforce, SalesforceSettings
from tests.support.sandboxes import CREDENTIALS, ServedSandbox, serve_sandbox

FIELDS = {
    "Contact": "AccountId",
    "Opportunity": "AccountId",
    "Case": "AccountId",
    "Order": "AccountId",
    "Account": "ParentId",
}


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, datetime.now(UTC))


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Crm(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
async def crm(served: ServedSandbox) -> AsyncIterator[Salesforce]:
    async with Salesforce(SalesforceSettings(served.url, **CREDENTIALS["crm"], timeout_s=1)) as connector:
        yield connector


def owners(served: ServedSandbox) -> dict[str, str | None]:
    """Return whom each record points to."""
    rows = (
        (kind, row)
        for kind, field in FIELDS.items()
        for row in served.host.store.query(f'SELECT "Id" AS id, "{field}" AS owner FROM "{kind}"')
    )
    return {f"{kind}.{FIELDS[kind]}/{row['id']}": row["owner"] for kind, row in rows}


def record_id(served: ServedSandbox, account_id: str) -> str:
    (row,) = served.host.store.query('SELECT "Id" AS id FROM "Account" WHERE "Crossdock_Id__c" = ?', (account_id,))
    return str(row["id"])


async def test_everything_open_is_named_and_nothing_else(crm: Salesforce, served: ServedSandbox):
    found = await crm.belongings("acc_parent")
    mine = record_id(served, "acc_parent")
    pointing = {name for name, owner in owners(served).items() if owner == mine}
    closed = {
        f"{kind}.AccountId/{row['id']}"
        for kind in ("Opportunity", "Case")
        for row in served.host.store.query(f'SELECT "Id" AS id FROM "{kind}" WHERE "IsClosed"')
    } | {
        f"Order.AccountId/{row['id']}"
        for row in served.host.store.query(
            """SELECT "Id" AS id FROM "Order" WHERE "Status" IN ('Rejected', 'Cancelled', 'Completed')"""
        )
    }
    assert {name for name in found if "Bill_To__c" not in name} == pointing - closed
    assert any(name.startswith("Account.ParentId/") for name in found)
    assert any(name.startswith("Contact.") for name in found)


async def test_belongings_are_given_and_given_back(crm: Salesforce, served: ServedSandbox):
    before = owners(served)
    found = await crm.belongings("acc_parent")
    await crm.give_belongings(found, "acc_1")
    target = record_id(served, "acc_1")
    assert {owners(served)[name] for name in found if name in before} == {target}
    assert await crm.belongings("acc_parent") == ()
    await crm.give_belongings(found, "acc_1")
    await crm.give_belongings(found, "acc_parent")
    assert owners(served) == before
    assert set(await crm.belongings("acc_parent")) == set(found)


async def test_more_than_one_request_holds_are_given_too(crm: Salesforce, served: ServedSandbox):
    rows = served.host.store.query('SELECT "Id" AS id FROM "Contact" ORDER BY "Id" LIMIT 60')
    names = [f"Contact.AccountId/{row['id']}" for row in rows]
    await crm.give_belongings(names, "acc_1")
    target = record_id(served, "acc_1")
    assert {owners(served)[name] for name in names} == {target}


async def test_a_record_that_has_gone_is_refused_and_its_batch_stays(crm: Salesforce, served: ServedSandbox):
    (name, *_) = await crm.belongings("acc_parent")
    before = owners(served)
    with pytest.raises(Rejected):
        await crm.give_belongings([name, "Contact.AccountId/003000000000000AAA"], "acc_1")
    assert owners(served) == before


async def test_nobody_gets_nothing(crm: Salesforce):
    with pytest.raises(Rejected) as caught:
        await crm.give_belongings(["Contact.AccountId/003000000000000AAA"], "acc_nobody")
    assert caught.value.reason == "UNKNOWN_ACCOUNT"


async def test_an_answer_that_is_lost_may_be_asked_for_again(crm: Salesforce, served: ServedSandbox):
    found = await crm.belongings("acc_parent")
    await served.faults(lost_answer_rate=1, only={"methods": ["POST"]})
    with pytest.raises(Unavailable) as caught:
        await crm.give_belongings(found, "acc_1")
    assert caught.value.outcome_unknown
    await served.faults()
    await crm.give_belongings(found, "acc_1")
    assert await crm.belongings("acc_parent") == ()

"""Accounts that come to be in the CRM, against the served CRM sandbox."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import AccountStatus, ErpHome
from schema.records.accounts import AccountValues
from schema.records.onboarding import LookalikeQuery
from systems.errors import NotFound, Rejected, Unavailable
from systems.ports import AccountRegistry
from systems.salesforce import Salesforce, SalesforceSettings
from tests.support.onboarding_records import address, new_account
from tests.support.sandboxes import CREDENTIALS, ServedSandbox, serve_sandbox

NOW = datetime.now(UTC)
NOBODY = LookalikeQuery((), "", None)


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Crm(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
async def crm(served: ServedSandbox) -> AsyncIterator[Salesforce]:
    async with Salesforce(SalesforceSettings(served.url, **CREDENTIALS["crm"], timeout_s=1)) as connector:
        yield connector


def records(served: ServedSandbox, kind: str, key: str) -> list[dict[str, Any]]:
    rows = served.host.store.query(f'SELECT * FROM "{kind}" WHERE "Crossdock_Id__c" = ?', (key,))
    return [dict(row) for row in rows]


def test_the_connector_is_the_port():
    for name, method in inspect.getmembers(AccountRegistry, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(Salesforce, name))
            assert list(ours.parameters) == list(inspect.signature(method).parameters)


async def test_an_account_is_created_active_with_its_contact(crm: Salesforce):
    made = await crm.upsert_account(new_account())
    assert (made.id, made.number, made.status) == ("acc_new", "C-90001", AccountStatus.ACTIVE)
    assert (made.parent_id, made.owner_id, made.erp_home) == ("acc_parent", "usr_1", ErpHome.CLOUD_ERP)
    assert made.territory is not None
    assert made.territory.code == "US-C"
    (contact,) = (await crm.contacts(["acc_new"]))["acc_new"]
    assert (contact.id, contact.name, contact.email) == ("con_acc_new", "Bo van Example", "bo@quayside.example")


async def test_writing_again_changes_the_account_and_makes_no_second(crm: Salesforce, served: ServedSandbox):
    await crm.upsert_account(new_account())
    await crm.upsert_account(new_account(name="Quayside"))
    (row,) = records(served, "Account", "acc_new")
    assert row["Name"] == "Quayside"
    assert len(records(served, "Contact", "con_acc_new")) == 1


async def test_an_answer_that_is_lost_leaves_one_account(crm: Salesforce, served: ServedSandbox):
    await crm.accounts(["acc_1"])
    await served.faults(lost_answer_rate=1, only={"methods": ["PATCH"]})
    with pytest.raises(Unavailable) as caught:
        await crm.upsert_account(new_account())
    assert caught.value.outcome_unknown
    await served.faults()
    await crm.upsert_account(new_account())
    assert len(records(served, "Account", "acc_new")) == 1


async def test_a_prospect_of_the_crm_becomes_the_account(crm: Salesforce, served: ServedSandbox):
    await crm.upsert_account(new_account("acc_other"))
    served.host.store.execute("UPDATE Account SET Crossdock_Id__c = NULL WHERE Crossdock_Id__c = 'acc_other'")
    row = served.host.store.one('SELECT "Id" FROM "Account" WHERE "Crossdock_Id__c" IS NULL')
    assert row is not None
    for _ in range(2):
        made = await crm.upsert_account(new_account(crm_id=row["Id"]))
    assert made.refs[0].id == row["Id"]


async def test_a_prospect_that_the_crm_does_not_have_is_refused(crm: Salesforce, served: ServedSandbox):
    with pytest.raises(Rejected) as caught:
        await crm.upsert_account(new_account(crm_id="001000000099999AAA"))
    assert (caught.value.reason, caught.value.fields) == ("UNKNOWN_PROSPECT", ("crmAccountId",))
    assert records(served, "Account", "acc_new") == []


async def test_a_parent_that_the_crm_does_not_have_is_refused(crm: Salesforce, served: ServedSandbox):
    with pytest.raises(Rejected, match="acc_nobody"):
        await crm.upsert_account(new_account(parent_id="acc_nobody"))
    assert records(served, "Account", "acc_new") == []


async def test_an_account_goes_back_to_prospect(crm: Salesforce):
    await crm.upsert_account(new_account())
    for _ in range(2):
        await crm.set_account_status("acc_new", AccountStatus.PROSPECT)
    assert (await crm.accounts(["acc_new"]))["acc_new"].status is AccountStatus.PROSPECT
    await crm.set_account_status("acc_nobody", AccountStatus.PROSPECT)


async def test_owner_billing_address_and_version_are_set(crm: Salesforce, served: ServedSandbox):
    await crm.upsert_account(new_account())
    values = AccountValues(owner_id="usr_2", billing=address(line2="Dock 4", city="Austin"))
    for _ in range(2):
        await crm.change_account("acc_new", values, 7)
    found = (await crm.accounts(["acc_new"]))["acc_new"]
    assert (found.owner_id, found.version) == ("usr_2", 7)
    (row,) = records(served, "Account", "acc_new")
    assert (row["BillingStreet"], row["BillingCity"]) == ("1 Quay Road\nDock 4", "Austin")


async def test_what_is_not_given_stays_and_an_empty_owner_is_none(crm: Salesforce, served: ServedSandbox):
    await crm.upsert_account(new_account())
    await crm.change_account("acc_new", AccountValues(), 8)
    assert (await crm.accounts(["acc_new"]))["acc_new"].owner_id == "usr_1"
    await crm.change_account("acc_new", AccountValues(owner_id=""), 9)
    assert (await crm.accounts(["acc_new"]))["acc_new"].owner_id is None
    assert records(served, "Account", "acc_new")[0]["BillingCity"] == "Houston"


async def test_a_change_of_nobody_is_not_found_and_of_a_wrong_owner_refused(crm: Salesforce, served: ServedSandbox):
    with pytest.raises(NotFound, match="acc_nobody"):
        await crm.change_account("acc_nobody", AccountValues(owner_id="usr_2"), 2)
    await crm.upsert_account(new_account())
    with pytest.raises(Rejected, match="usr_nobody"):
        await crm.change_account("acc_new", AccountValues(owner_id="usr_nobody"), 2)
    assert records(served, "Account", "acc_nobody") == []


async def test_lookalikes_share_a_name_or_a_place(crm: Salesforce, world: WorldModel):
    known = world.accounts[0]
    word = known.name.split()[0]
    by_name = await crm.lookalikes(LookalikeQuery((word,), "", None))
    assert {entry.account_id for entry in by_name} == {
        account.id for account in world.accounts if account.name.startswith(word)
    }
    by_place = await crm.lookalikes(LookalikeQuery((), known.address.postal_code, None))
    assert {entry.account_id for entry in by_place} == {
        account.id for account in world.accounts if account.address.postal_code == known.address.postal_code
    }
    mine = next(entry for entry in by_name if entry.account_id == known.id)
    assert mine.names == (known.legal_name, known.name)
    assert (mine.postal_code, mine.status) == (known.address.postal_code, AccountStatus(known.status))


async def test_lookalikes_share_an_email_domain(crm: Salesforce):
    await crm.upsert_account(new_account())
    (found,) = await crm.lookalikes(LookalikeQuery((), "", "quayside.example"))
    assert (found.account_id, found.email_domains) == ("acc_new", ("quayside.example",))


@pytest.mark.parametrize(
    "who",
    [
        NOBODY,
        LookalikeQuery(("%",), "", None),
        LookalikeQuery(("_",), "", None),
        LookalikeQuery(("x' OR Name != '",), "", None),
        LookalikeQuery((), "' OR Name != '", None),
        LookalikeQuery((), "", "%"),
        LookalikeQuery(("x" * 300,), "", "x" * 300),
    ],
    ids=repr,
)
async def test_what_nobody_has_finds_nobody(crm: Salesforce, who: LookalikeQuery):
    assert await crm.lookalikes(who) == ()

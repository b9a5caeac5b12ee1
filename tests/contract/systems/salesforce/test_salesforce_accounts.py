"""Accounts of the CRM, with who belongs to them, as the connector reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from sandbox.kit.rest import utc_text
from sandbox.world.model import WorldModel
from schema.enums import AccountStatus, ErpHome, SourceSystem
from schema.records.accounts import Account, AccountFilter
from schema.records.values import ExternalRef, PageRequest
from systems.errors import Unexpected
from systems.salesforce import Salesforce
from tests.support.crm_connector import ACCOUNT_REF, settings
from tests.support.sandboxes import ServedSandbox


async def test_whoever_wants_to_is_told_of_every_account_that_is_read(served: ServedSandbox):
    seen: list[str] = []
    async with Salesforce(settings(served.url), seen=lambda account: seen.append(account.id)) as crm:
        await crm.accounts(["acc_1"])
        await crm.accounts_by_number(["C-10043"])
        await crm.children(["acc_parent"])
        await crm.search_accounts(AccountFilter(text="C-10048"), PageRequest(1))
    assert seen == ["acc_1", "acc_2", "acc_3", "acc_4", "acc_5", "acc_7"]


class TestAccounts:
    async def test_an_account_is_what_the_world_says(self, crm: Salesforce, world: WorldModel):
        known = next(account for account in world.accounts if account.parent_id and account.bill_to_id)
        (found,) = (await crm.accounts([known.id])).values()
        territory = next(entry for entry in world.territories if entry.id == known.territory_id)
        assert found.territory is not None
        assert (found.territory.id, found.territory.code, found.territory.name) == (
            territory.id,
            territory.code,
            territory.name,
        )
        assert replace(found, territory=None, refs=()) == Account(
            id=known.id,
            number=known.number,
            name=known.name,
            legal_name=known.legal_name,
            status=AccountStatus(known.status),
            version=known.version,
            parent_id=known.parent_id,
            bill_to_id=known.bill_to_id,
            territory=None,
            owner_id=known.owner_id,
            erp_home=ErpHome(known.erp_home),
            refs=(),
            changed_at=datetime.fromisoformat(utc_text(known.changed_at)),
        )

    async def test_accounts_carry_the_crms_id(self, crm: Salesforce):
        found = await crm.accounts(["acc_1"])
        assert found["acc_1"].refs == (ExternalRef(SourceSystem.CRM, ACCOUNT_REF),)

    async def test_what_nobody_knows_is_absent_or_empty(self, crm: Salesforce):
        assert await crm.accounts(["acc_none", "", "x" * 300]) == {}
        assert await crm.accounts_by_number(["C-0"]) == {}
        assert await crm.users(["usr_none"]) == {}
        assert await crm.territories(["ter_none"]) == {}
        assert await crm.opportunities(["opp_none"]) == {}
        assert await crm.cases(["cas_none"]) == {}
        for read in (crm.children, crm.contacts, crm.opportunities_of, crm.cases_of):
            assert await read(["acc_none"]) == {"acc_none": ()}

    async def test_ids_differ_by_the_case_of_letters(self, crm: Salesforce):
        assert await crm.accounts(["ACC_1"]) == {}
        assert await crm.accounts_by_number(["c-10042"]) == {}
        assert await crm.contacts(["ACC_1"]) == {"ACC_1": ()}

    async def test_accounts_are_found_by_number(self, crm: Salesforce, world: WorldModel):
        found = await crm.accounts_by_number([account.number for account in world.accounts])
        assert {number: account.id for number, account in found.items()} == {
            account.number: account.id for account in world.accounts
        }

    async def test_a_number_of_two_accounts_is_nobodys(self, crm: Salesforce, served: ServedSandbox):
        served.host.store.execute(
            'UPDATE "Account" SET "AccountNumber" = ? WHERE "Crossdock_Id__c" = ?', ("C-10042", "acc_2")
        )
        with pytest.raises(Unexpected, match="acc_1 and acc_2 both have the number C-10042"):
            await crm.accounts_by_number(["C-10042"])

    @pytest.mark.parametrize("ref", [ACCOUNT_REF, ACCOUNT_REF[:15]])
    async def test_an_account_is_found_by_the_crms_id(self, crm: Salesforce, ref: str):
        found = await crm.account_by_ref(ref)
        assert found is not None
        assert found.id == "acc_1"

    @pytest.mark.parametrize(
        "ref",
        [
            pytest.param("001000000009999", id="nobody's"),
            pytest.param("003000000000001AAA", id="a contact's"),
            pytest.param("001000000000001AAB", id="a wrong checksum"),
            pytest.param("acc_1", id="a platform id"),
            pytest.param("", id="empty"),
            pytest.param("001' OR Name != '", id="an injection"),
        ],
    )
    async def test_what_is_no_account_of_the_crm_is_none(self, crm: Salesforce, ref: str):
        assert await crm.account_by_ref(ref) is None

    async def test_records_that_the_platform_does_not_know_stay_away(self, crm: Salesforce, served: ServedSandbox):
        served.host.store.execute(
            'UPDATE "Account" SET "Crossdock_Id__c" = NULL WHERE "Crossdock_Id__c" = ?', ("acc_3",)
        )
        assert await crm.account_by_ref("001000000000003") is None
        assert "acc_3" not in {child.id for child in (await crm.children(["acc_parent"]))["acc_parent"]}
        assert (await crm.search_accounts(AccountFilter(), PageRequest(1))).total == 59

    async def test_children_come_in_the_order_of_their_numbers(self, crm: Salesforce):
        found = await crm.children(["acc_parent", "acc_4", "acc_1"])
        assert {parent: [child.id for child in children] for parent, children in found.items()} == {
            "acc_parent": ["acc_3", "acc_4", "acc_5"],
            "acc_4": ["acc_10", "acc_11"],
            "acc_1": [],
        }

    async def test_contacts_come_by_name(self, crm: Salesforce, world: WorldModel):
        found = await crm.contacts([account.id for account in world.accounts])
        assert {contact.id for contacts in found.values() for contact in contacts} == {
            contact.id for contact in world.contacts
        }
        for contacts in found.values():
            assert [contact.name.lower() for contact in contacts] == sorted(
                contact.name.lower() for contact in contacts
            )
        known = world.contacts[0]
        contact = next(entry for entry in found[known.account_id] if entry.id == known.id)
        assert (contact.name, contact.email, contact.phone, contact.role) == (
            f"{known.first_name} {known.last_name}",
            known.email,
            known.phone,
            known.role,
        )

    async def test_users_and_territories(self, crm: Salesforce, world: WorldModel):
        users = await crm.users([user.id for user in world.users])
        assert {user.id: (user.name, user.roles) for user in users.values()} == {
            user.id: (user.name, user.roles) for user in world.users
        }
        territories = await crm.territories([territory.id for territory in world.territories])
        assert {entry.id: (entry.code, entry.name) for entry in territories.values()} == {
            entry.id: (entry.code, entry.name) for entry in world.territories
        }

    async def test_a_status_that_nobody_maps_is_named_and_not_guessed(self, crm: Salesforce, served: ServedSandbox):
        served.host.store.execute(
            'UPDATE "Account" SET "Account_Status__c" = ? WHERE "Crossdock_Id__c" = ?', ("Frozen", "acc_1")
        )
        with pytest.raises(Unexpected, match="the status of account acc_1 is 'Frozen'"):
            await crm.accounts(["acc_1", "acc_2"])

    async def test_an_account_without_a_number_is_named(self, crm: Salesforce, served: ServedSandbox):
        served.host.store.execute('UPDATE "Account" SET "AccountNumber" = NULL WHERE "Crossdock_Id__c" = ?', ("acc_1",))
        with pytest.raises(Unexpected, match="AccountNumber of acc_1 is empty"):
            await crm.accounts(["acc_1"])

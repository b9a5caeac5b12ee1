"""The CRM connector against the served CRM sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from sandbox.crm.vendor import Crm
from sandbox.kit.rest import utc_text
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import AccountStatus, CaseStatus, ErpHome, OrderStatus, SourceSystem
from schema.records.accounts import Account, AccountFilter, Patch
from schema.records.values import ExternalRef, Money, PageRequest
from systems.errors import AuthFailed, Conflict, ConnectorError, RateLimited, Rejected, Unavailable, Unexpected
from systems.ports import AccountDirectory, CaseDesk, OrderMirror, SalesContext, SystemCall
from systems.salesforce import Salesforce, SalesforceSettings
from tests.support.sandboxes import CREDENTIALS, ServedSandbox, serve_sandbox
from tests.support.scripted_system import Reply, scripted

NOW = datetime.now(UTC)
ACCOUNT_REF = "001000000000001AAA"
TOKEN = "/services/oauth2/token"
QUERY = "/services/data/v62.0/query"


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Crm(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
def calls() -> list[SystemCall]:
    return []


def settings(url: str, **more: Any) -> SalesforceSettings:
    return replace(SalesforceSettings(url, **CREDENTIALS["crm"], timeout_s=2), **more)


@pytest.fixture
async def crm(served: ServedSandbox, calls: list[SystemCall]) -> AsyncIterator[Salesforce]:
    async with Salesforce(settings(served.url), observer=calls.append) as connector:
        yield connector


@asynccontextmanager
async def connected(vendor: Crm, world: WorldModel, **more: Any) -> AsyncIterator[tuple[Salesforce, ServedSandbox]]:
    async with serve_sandbox(vendor, lambda: world) as served, Salesforce(settings(served.url, **more)) as connector:
        yield connector, served


def mirror(order_id: str = "ord_new", **changes: Any) -> OrderMirror:
    made = OrderMirror(
        order_id=order_id,
        number="SO-900",
        account_id="acc_1",
        opportunity_id="opp_9",
        status=OrderStatus.ACCEPTED,
        total=Money(Decimal("1234.56"), "USD"),
        promised_date=date(2026, 3, 9),
        po_number="PO-1",
        ordered_on=date(2026, 3, 2),
    )
    return replace(made, **changes)


def mirrored(served: ServedSandbox, order_id: str = "ord_new") -> list[dict[str, Any]]:
    return [
        dict(row) for row in served.host.store.query('SELECT * FROM "Order" WHERE "Crossdock_Id__c" = ?', (order_id,))
    ]


def cases_in(served: ServedSandbox) -> int:
    return int(served.host.store.query('SELECT count(*) AS n FROM "Case"')[0]["n"])


def late(crm: Salesforce, key: str = "sh:S-1:delay", **changes: Any) -> Awaitable[Any]:
    given = {
        "account_id": "acc_1",
        "order_id": "ord_77",
        "subject": "Shipment S-1 is late",
        "priority": "High",
        "body": "Nobody knows why.",
    }
    return crm.open_case(key, **(given | changes))


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


class TestSearching:
    async def test_pages_make_up_the_whole_in_the_order_of_numbers(self, crm: Salesforce, world: WorldModel):
        numbers: list[str] = []
        after = None
        while True:
            page = await crm.search_accounts(AccountFilter(), PageRequest(7, after))
            numbers += [account.number for account in page.items]
            assert page.total == len(world.accounts)
            if not page.has_next:
                break
            after = page.cursors[-1]
        assert numbers == sorted(account.number for account in world.accounts)

    async def test_a_cursor_stays_where_it_was_when_accounts_come_and_go(
        self, crm: Salesforce, served: ServedSandbox, world: WorldModel
    ):
        numbers = sorted(account.number for account in world.accounts)
        first = await crm.search_accounts(AccountFilter(), PageRequest(5))
        served.host.store.execute('UPDATE "Account" SET IsDeleted = 1 WHERE "AccountNumber" <= ?', (numbers[4],))
        second = await crm.search_accounts(AccountFilter(), PageRequest(5, first.cursors[-1]))
        assert [account.number for account in second.items] == numbers[5:10]

    async def test_accounts_of_one_number_are_neither_lost_nor_doubled(self, crm: Salesforce, served: ServedSandbox):
        served.host.store.execute('UPDATE "Account" SET "AccountNumber" = \'C-1\'')
        seen: list[str] = []
        after = None
        for _ in range(4):
            page = await crm.search_accounts(AccountFilter(), PageRequest(17, after))
            seen += [account.id for account in page.items]
            after = page.cursors[-1]
        assert not page.has_next
        assert len(seen) == len(set(seen)) == 60

    @pytest.mark.parametrize(
        ("where", "fits"),
        [
            (AccountFilter(status=AccountStatus.ON_HOLD), lambda account: account.status == "ON_HOLD"),
            (AccountFilter(territory_id="ter_US-W"), lambda account: account.territory_id == "ter_US-W"),
            (AccountFilter(owner_id="usr_2"), lambda account: account.owner_id == "usr_2"),
            (
                AccountFilter(within=Patch(("ter_US-W", "ter_CA"), "usr_2")),
                lambda account: account.territory_id in ("ter_US-W", "ter_CA") or account.owner_id == "usr_2",
            ),
            (AccountFilter(within=Patch((), "usr_2")), lambda account: account.owner_id == "usr_2"),
            (AccountFilter(within=Patch(("ter_US-W",), "")), lambda account: account.territory_id == "ter_US-W"),
            (AccountFilter(within=Patch(("x') OR Name != ('",), "usr_none")), lambda account: False),
            (
                AccountFilter(within=Patch(("ter_US-W",), "usr_2"), status=AccountStatus.ON_HOLD),
                lambda account: (
                    account.status == "ON_HOLD" and (account.territory_id == "ter_US-W" or account.owner_id == "usr_2")
                ),
            ),
            (AccountFilter(erp_home=ErpHome.CLOUD_ERP), lambda account: account.erp_home == "CLOUD_ERP"),
            (AccountFilter(erp_home=ErpHome.MIGRATING), lambda account: account.id in ("acc_3", "acc_16")),
            (AccountFilter(text="c-1004"), lambda account: account.number.startswith("C-1004")),
            (AccountFilter(text=""), lambda account: True),
            (
                AccountFilter(owner_id="usr_2", territory_id="ter_US-C", text="C-10"),
                lambda account: account.owner_id == "usr_2" and account.territory_id == "ter_US-C",
            ),
        ],
        ids=[
            *("status", "territory", "owner", "a patch", "own accounts alone", "a patch of nobody", "a hostile patch"),
            *("status within a patch", "home", "another home", "number", "empty text", "all together"),
        ],
    )
    async def test_conditions_hold_together(
        self, crm: Salesforce, world: WorldModel, where: AccountFilter, fits: Callable[[Any], bool]
    ):
        page = await crm.search_accounts(where, PageRequest(100))
        assert {account.id for account in page.items} == {account.id for account in world.accounts if fits(account)}
        assert (page.total, page.has_next) == (len(page.items), False)

    async def test_a_text_matches_the_start_of_a_name_whatever_its_case(self, crm: Salesforce, world: WorldModel):
        name = world.accounts[0].name
        page = await crm.search_accounts(AccountFilter(text=name[:9].upper()), PageRequest(100))
        assert {account.id for account in page.items} == {
            account.id for account in world.accounts if account.name.upper().startswith(name[:9].upper())
        }
        assert (await crm.search_accounts(AccountFilter(text=name[3:]), PageRequest(100))).items == ()

    async def test_a_text_is_a_text_whatever_is_in_it(self, crm: Salesforce):
        injections = ("x' OR Name != '", "') OR (Name LIKE '", "\\' OR Name != null --")
        for text in ("%", "_", "C_10042", "\\", "\\%", "'", "\n", "{}", "x" * 300, *injections):
            page = await crm.search_accounts(AccountFilter(text=text), PageRequest(10))
            assert (page.items, page.cursors, page.total) == ((), (), 0), text

    async def test_a_name_with_special_letters_is_found(self, crm: Salesforce, served: ServedSandbox):
        for name in ("50% off_er", "O'Neill \\ Sons", "Größe"):
            served.host.store.execute('UPDATE "Account" SET "Name" = ? WHERE "Crossdock_Id__c" = ?', (name, "acc_1"))
            page = await crm.search_accounts(AccountFilter(text=name), PageRequest(10))
            assert [account.id for account in page.items] == ["acc_1"], name

    @pytest.mark.parametrize("where", [AccountFilter(owner_id=""), AccountFilter(territory_id="x' OR Name != '")])
    async def test_an_id_is_an_id_whatever_is_in_it(self, crm: Salesforce, served: ServedSandbox, where: AccountFilter):
        served.host.store.execute('UPDATE "Account" SET "OwnerId" = NULL')
        assert (await crm.search_accounts(where, PageRequest(10))).items == ()

    @pytest.mark.parametrize("cursor", ["", "x", "!!!", "ä", "MDAx", "MDAxfEMtMQ", "A" * 5_000])
    async def test_what_is_no_cursor_is_refused_without_a_call(self, cursor: str):
        crm = Salesforce(settings("http://127.0.0.1:9"))
        with pytest.raises(Rejected, match="start without a cursor") as refused:
            await crm.search_accounts(AccountFilter(), PageRequest(10, cursor))
        assert (refused.value.reason, refused.value.fields) == ("BAD_CURSOR", ("after",))


class TestCalls:
    """However many ids, as few calls as the vendor's limits allow."""

    @pytest.mark.parametrize("many", [1, 60])
    async def test_every_bulk_read_is_one_call(
        self, crm: Salesforce, calls: list[SystemCall], world: WorldModel, many: int
    ):
        accounts = [account.id for account in world.accounts][:many]
        await crm.users(["usr_1"])
        reads: list[tuple[Callable[..., Awaitable[Any]], list[str]]] = [
            (crm.accounts, accounts),
            (crm.accounts_by_number, [account.number for account in world.accounts][:many]),
            (crm.children, accounts),
            (crm.contacts, accounts),
            (crm.users, [user.id for user in world.users][:many]),
            (crm.territories, [territory.id for territory in world.territories][:many]),
            (crm.opportunities, [opportunity.id for opportunity in world.opportunities][:many]),
            (crm.opportunities_of, accounts),
            (crm.cases, [case.id for case in world.cases][:many]),
            (crm.cases_of, accounts),
        ]
        for read, ids in reads:
            calls.clear()
            assert len(await read(ids)) == len(ids)
            assert len(calls) == 1

    async def test_no_ids_are_no_call(self, crm: Salesforce, calls: list[SystemCall]):
        for read in (crm.accounts, crm.contacts, crm.users, crm.opportunities_of, crm.cases_of):
            assert await read([]) == {}
        assert calls == []

    async def test_repeated_ids_are_asked_once(self, crm: Salesforce, calls: list[SystemCall]):
        assert len(await crm.accounts(["acc_1"] * 5_000)) == 1
        assert [call.operation for call in calls] == ["sign in", "accounts"]

    async def test_more_ids_than_an_address_holds_come_complete(
        self, crm: Salesforce, calls: list[SystemCall], world: WorldModel
    ):
        ids = [account.id for account in world.accounts]
        strange = [f"acc_'{number}\\ä%" for number in range(1_000)]
        found = await crm.accounts([*ids[:30], *strange, *ids[30:]])
        assert set(found) == set(ids)
        assert len([call for call in calls if call.operation == "accounts"]) == 3

    async def test_an_answer_of_many_pages_comes_complete(self, world: WorldModel):
        async with connected(Crm(page_rows=25), world) as (crm, served):
            ids = [account.id for account in world.accounts]
            assert set(await crm.accounts(ids)) == set(ids)
            requests = await served.calls()
            assert sum(count for path, count in requests.items() if path.startswith(f"GET {QUERY}")) == 3

    async def test_calls_are_reported_with_what_came_of_them(
        self, crm: Salesforce, served: ServedSandbox, calls: list[SystemCall]
    ):
        await crm.accounts(["acc_1"])
        await served.faults(html_rate=1)
        with pytest.raises(Unexpected):
            await crm.accounts(["acc_1"])
        assert [(call.system, call.operation, call.error_code) for call in calls] == [
            (SourceSystem.CRM, "sign in", None),
            (SourceSystem.CRM, "accounts", None),
            (SourceSystem.CRM, "accounts", "SYSTEM_UNEXPECTED"),
        ]


class TestSales:
    async def test_an_opportunity_is_what_the_world_says(self, crm: Salesforce, world: WorldModel):
        known = next(opportunity for opportunity in world.opportunities if opportunity.id == "opp_9")
        (found,) = (await crm.opportunities(["opp_9"])).values()
        assert (found.account_id, found.name, found.stage, found.close_date, found.owner_id, found.is_open) == (
            known.account_id,
            known.name,
            "Negotiation",
            known.close_date,
            known.owner_id,
            True,
        )
        assert found.amount == Money(known.amount, "USD")
        assert found.refs == (ExternalRef(SourceSystem.CRM, "006000000000009AAA"),)

    async def test_every_opportunity_comes_latest_close_date_first(self, crm: Salesforce, world: WorldModel):
        found = await crm.opportunities_of([account.id for account in world.accounts])
        assert sum(map(len, found.values())) == len(world.opportunities)
        assert {opportunity.is_open for several in found.values() for opportunity in several} == {True, False}
        for several in found.values():
            dates = [opportunity.close_date for opportunity in several]
            assert dates == sorted(dates, reverse=True)  # type: ignore[type-var]

    async def test_an_order_is_mirrored_with_its_account_and_opportunity(self, crm: Salesforce, served: ServedSandbox):
        await crm.mirror_order("or:ord_new:ack:CRM:1", mirror())
        (row,) = mirrored(served)
        assert (row["AccountId"], row["OpportunityId"]) == (ACCOUNT_REF, "006000000000009AAA")
        assert (row["OrderReferenceNumber"], row["PoNumber"], row["Status"]) == ("SO-900", "PO-1", "Accepted")
        assert (row["EffectiveDate"], row["Promised_Date__c"]) == ("2026-03-02", "2026-03-09")
        assert (row["Total__c"], row["CurrencyIsoCode"]) == (1234.56, "USD")

    async def test_every_status_has_a_word_of_its_own_in_the_crm(self, crm: Salesforce, served: ServedSandbox):
        words = []
        for status in OrderStatus:
            await crm.mirror_order("k", mirror(status=status))
            words.append(mirrored(served)[0]["Status"])
        assert len(set(words)) == len(OrderStatus)

    async def test_mirroring_again_changes_the_same_summary(self, crm: Salesforce, served: ServedSandbox):
        await crm.mirror_order("k", mirror())
        await crm.mirror_order("k", mirror(status=OrderStatus.COMPLETED, opportunity_id=None, po_number=None))
        (row,) = mirrored(served)
        assert (row["Status"], row["OpportunityId"], row["PoNumber"]) == ("Completed", None, None)

    async def test_an_order_id_with_strange_letters_is_one_id(self, crm: Salesforce, served: ServedSandbox):
        for _ in range(2):
            await crm.mirror_order("k", mirror("ord/../a b?%2F'ä"))
        assert len(mirrored(served, "ord/../a b?%2F'ä")) == 1

    async def test_an_order_of_an_unknown_account_is_refused_by_name(self, crm: Salesforce, served: ServedSandbox):
        with pytest.raises(Rejected, match="acc_none") as refused:
            await crm.mirror_order("k", mirror(account_id="acc_none"))
        assert refused.value.reason == "INVALID_FIELD"
        assert mirrored(served) == []

    async def test_an_answer_that_got_lost_does_not_double_the_summary(self, crm: Salesforce, served: ServedSandbox):
        await served.faults(lost_answer_rate=1, only={"methods": ["PATCH"]})
        with pytest.raises(Unavailable) as lost:
            await crm.mirror_order("k", mirror())
        assert lost.value.outcome_unknown
        await served.faults()
        await crm.mirror_order("k", mirror())
        assert len(mirrored(served)) == 1


class TestCases:
    async def test_a_case_is_what_the_world_says(self, crm: Salesforce, world: WorldModel):
        known = next(case for case in world.cases if case.status == "RESOLVED")
        (found,) = (await crm.cases([known.id])).values()
        assert known.first_response_at is not None
        assert known.resolved_at is not None
        assert (found.account_id, found.number, found.subject, found.status, found.order_id) == (
            known.account_id,
            known.number,
            known.subject,
            CaseStatus.RESOLVED,
            known.order_id,
        )
        assert (found.opened_at, found.first_response_at, found.resolved_at) == tuple(
            datetime.fromisoformat(utc_text(moment))
            for moment in (known.opened_at, known.first_response_at, known.resolved_at)
        )

    async def test_every_case_comes_newest_first(self, crm: Salesforce, world: WorldModel):
        found = await crm.cases_of([account.id for account in world.accounts])
        assert {case.id: case.status for cases in found.values() for case in cases} == {
            case.id: CaseStatus(case.status) for case in world.cases
        }
        assert {case.priority for cases in found.values() for case in cases} == {"LOW", "NORMAL", "HIGH"}
        for cases in found.values():
            assert [case.opened_at for case in cases] == sorted((case.opened_at for case in cases), reverse=True)

    @pytest.mark.parametrize(("field", "word"), [("Status", "Escalated"), ("Priority", "Someday")])
    async def test_a_word_that_nobody_maps_is_named_and_not_guessed(
        self, crm: Salesforce, served: ServedSandbox, field: str, word: str
    ):
        served.host.store.execute(f'UPDATE "Case" SET "{field}" = ? WHERE "Crossdock_Id__c" = ?', (word, "cas_1"))
        with pytest.raises(Unexpected, match=f"of case cas_1 is '{word}'"):
            await crm.cases_of(["acc_1"])

    async def test_a_case_is_opened_with_what_it_is_about(self, crm: Salesforce, served: ServedSandbox):
        opened = await late(crm)
        assert (opened.account_id, opened.order_id, opened.subject) == ("acc_1", "ord_77", "Shipment S-1 is late")
        assert (opened.status, opened.priority, opened.first_response_at) == (CaseStatus.OPEN, "HIGH", None)
        assert opened.number.isdigit()
        assert await crm.cases([opened.id]) == {opened.id: opened}
        row = served.host.store.one('SELECT * FROM "Case" WHERE "Crossdock_Id__c" = ?', (opened.id,))
        assert row is not None
        assert (row["Description"], row["Origin"]) == ("Nobody knows why.", "Crossdock")

    async def test_the_same_key_opens_one_case_and_leaves_it_as_people_changed_it(
        self, crm: Salesforce, served: ServedSandbox
    ):
        before = cases_in(served)
        first = await late(crm)
        served.host.store.execute('UPDATE "Case" SET "Status" = ? WHERE "Crossdock_Id__c" = ?', ("Working", first.id))
        again = await late(crm, subject="Another subject")
        assert again == replace(first, status=CaseStatus.ANSWERED)
        assert cases_in(served) == before + 1

    async def test_other_keys_open_other_cases(self, crm: Salesforce):
        assert len({(await late(crm, key)).id for key in ("a", "A", "a" * 1_000)}) == 3

    async def test_one_key_at_the_same_time_opens_one_case(self, crm: Salesforce, served: ServedSandbox):
        before = cases_in(served)
        opened = await asyncio.gather(*(late(crm) for _ in range(8)))
        assert len({case.id for case in opened}) == 1
        assert cases_in(served) == before + 1

    async def test_a_case_whose_answer_got_lost_is_looked_up(self, crm: Salesforce, served: ServedSandbox):
        before = cases_in(served)
        await served.faults(lost_answer_rate=1, only={"methods": ["POST"], "path": "sobjects"})
        opened = await late(crm)
        assert opened.subject == "Shipment S-1 is late"
        await served.faults()
        assert await late(crm) == opened
        assert cases_in(served) == before + 1

    async def test_a_case_that_never_came_to_be_has_an_unknown_outcome(self, crm: Salesforce, served: ServedSandbox):
        before = cases_in(served)
        await served.faults(hang_rate=1, only={"methods": ["POST"], "path": "sobjects"})
        with pytest.raises(Unavailable) as lost:
            await late(crm)
        assert lost.value.outcome_unknown
        assert cases_in(served) == before
        await served.faults()
        await late(crm)
        assert cases_in(served) == before + 1

    @pytest.mark.parametrize(
        ("changes", "reason", "fields"),
        [
            ({"account_id": "acc_none"}, "INVALID_FIELD", ()),
            ({"subject": "x" * 256}, "STRING_TOO_LONG", ("Subject",)),
            ({"priority": "someday"}, "BAD_PRIORITY", ("priority",)),
        ],
    )
    async def test_a_case_that_cannot_be_is_refused(
        self, crm: Salesforce, served: ServedSandbox, changes: dict, reason: str, fields: tuple
    ):
        before = cases_in(served)
        with pytest.raises(Rejected) as refused:
            await late(crm, **changes)
        assert (refused.value.reason, refused.value.fields) == (reason, fields)
        assert cases_in(served) == before

    @pytest.mark.parametrize(
        ("given", "kept"), [("NORMAL", "NORMAL"), ("medium", "NORMAL"), ("Low", "LOW"), ("HIGH", "HIGH")]
    )
    async def test_priorities_are_taken_in_our_words(self, crm: Salesforce, given: str, kept: str):
        assert (await late(crm, priority=given)).priority == kept

    async def test_a_double_that_is_not_ours_is_a_conflict(self):
        double = Reply(400, orjson.dumps([{"message": "double", "errorCode": "DUPLICATE_VALUE", "fields": []}]))
        nothing = Reply(body=b'{"totalSize": 0, "done": true, "records": []}')
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), double, nothing) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Conflict):
                await late(crm)

    @pytest.mark.parametrize(
        "read",
        [
            pytest.param(Reply(503), id="the system is away"),
            pytest.param(Reply(body=b"<html>"), id="a proxy answers"),
            pytest.param(Reply(body=b'{"totalSize": 0, "done": true, "records": []}'), id="it is not there"),
        ],
    )
    async def test_a_case_that_was_opened_and_cannot_be_read_is_in_doubt(self, read: Reply):
        made = Reply(201, b'{"id": "500000000000001AAA", "success": true, "errors": []}')
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), made, read) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unavailable, match="cannot be read after it was opened") as doubt:
                await late(crm)
        assert doubt.value.outcome_unknown


class TestSession:
    async def test_one_sign_in_serves_all_calls(self, crm: Salesforce, served: ServedSandbox):
        await asyncio.gather(*(crm.accounts(["acc_1"]) for _ in range(10)))
        assert (await served.calls())[f"POST {TOKEN}"] == 1

    async def test_a_session_that_ended_is_renewed_once_for_all(self, world: WorldModel):
        now = 0.0
        async with connected(Crm(session_s=100, monotonic=lambda: now), world) as (crm, served):
            await crm.accounts(["acc_1"])
            now = 1_000.0
            found = await asyncio.gather(*(crm.accounts(["acc_1"]) for _ in range(10)))
            assert all("acc_1" in accounts for accounts in found)
            assert (await served.calls())[f"POST {TOKEN}"] == 2

    async def test_a_write_goes_on_after_the_session_ended(self, world: WorldModel):
        now = 0.0
        async with connected(Crm(session_s=100, monotonic=lambda: now), world) as (crm, served):
            await crm.accounts(["acc_1"])
            now = 1_000.0
            await crm.mirror_order("k", mirror())
            assert len(mirrored(served)) == 1

    async def test_a_session_that_is_refused_at_once_is_an_auth_failure(self, world: WorldModel):
        async with connected(Crm(session_s=-1), world) as (crm, served):
            with pytest.raises(AuthFailed):
                await crm.accounts(["acc_1"])
            assert (await served.calls())[f"POST {TOKEN}"] == 2

    async def test_a_wrong_secret_is_said_to_be_wrong(self, served: ServedSandbox):
        async with Salesforce(settings(served.url, client_secret="wrong")) as crm:
            with pytest.raises(AuthFailed, match="sign in"):
                await crm.accounts(["acc_1"])

    async def test_a_sign_in_without_an_answer_leaves_no_write_in_doubt(self, crm: Salesforce, served: ServedSandbox):
        await served.faults(error_rate=1, only={"path": "oauth2"})
        with pytest.raises(Unavailable) as away:
            await crm.mirror_order("k", mirror())
        assert not away.value.outcome_unknown

    @pytest.mark.parametrize("body", [b"[]", b"{}", b'{"access_token": 7}', b'{"access_token": ""}'])
    async def test_a_sign_in_without_a_token_breaks_the_protocol(self, body: bytes):
        async with scripted(Reply(body=body)) as system, Salesforce(settings(system.url)) as crm:
            with pytest.raises(Unexpected, match="no token"):
                await crm.accounts(["acc_1"])

    def test_settings_show_no_secret(self):
        assert "sandbox-crm-secret" not in repr(settings("http://127.0.0.1"))

    def test_the_connector_has_the_ports(self):
        connector = Salesforce(settings("http://127.0.0.1"))
        ports: tuple[AccountDirectory, SalesContext, CaseDesk] = (connector, connector, connector)
        assert ports


class TestTrouble:
    @pytest.mark.parametrize(
        ("profile", "failure"),
        [
            pytest.param({"error_rate": 1}, Unavailable, id="it fails"),
            pytest.param({"outages": [{"for_s": 60}]}, Unavailable, id="it is down"),
            pytest.param({"hang_rate": 1}, Unavailable, id="it never answers"),
            pytest.param({"throttle_rate": 1, "retry_after_s": 30}, RateLimited, id="it limits us"),
            pytest.param({"html_rate": 1}, Unexpected, id="a proxy answers with a page"),
            pytest.param({"garbage_rate": 1}, Unexpected, id="half an answer"),
            pytest.param({"error_rate": 1, "error_status": 403}, Unexpected, id="we may not"),
        ],
    )
    async def test_trouble_comes_as_one_of_our_failures(
        self, served: ServedSandbox, crm: Salesforce, profile: dict, failure: type[ConnectorError]
    ):
        await crm.users(["usr_1"])
        await served.faults(**profile)
        with pytest.raises(failure) as raised:
            await crm.accounts(["acc_1"])
        assert raised.value.system is SourceSystem.CRM

    async def test_a_short_failure_of_a_read_goes_unnoticed(self, served: ServedSandbox, crm: Salesforce):
        await served.faults(seed=3, error_rate=0.3)
        for _ in range(5):
            assert await crm.accounts(["acc_1"])

    async def test_the_end_of_the_days_calls_is_a_limit_that_lasts(self, world: WorldModel):
        async with connected(Crm(day_calls=1), world) as (crm, served):
            assert await crm.accounts(["acc_1"])
            with pytest.raises(RateLimited, match="calls of the day are used up") as limited:
                await crm.accounts(["acc_1"])
            assert limited.value.retry_after_s == 900
            with pytest.raises(RateLimited):
                await late(crm)
            assert (await served.calls())[f"GET {QUERY}"] == 2

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            pytest.param({"records": []}, "done", id="no word on whether it is all"),
            pytest.param({"done": True, "records": [{}]}, "Crossdock_Id__c", id="a record without its fields"),
            pytest.param({"done": True, "records": None}, "TypeError", id="no records"),
            pytest.param({"done": False, "records": []}, "nextRecordsUrl", id="no address of the next page"),
            pytest.param([], "TypeError", id="a list"),
            pytest.param(
                {"done": False, "nextRecordsUrl": "https://elsewhere.example.com/x", "records": []},
                "outside of the API",
                id="a next page elsewhere",
            ),
        ],
    )
    async def test_an_answer_of_another_shape_is_never_data(self, body: Any, problem: str):
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(body=orjson.dumps(body))) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unexpected, match=problem):
                await crm.accounts(["acc_1"])
        assert len(system.requests) == 2

    async def test_pages_without_an_end_are_given_up(self):
        page = orjson.dumps({"done": False, "nextRecordsUrl": f"{QUERY}/01g-1", "records": []})
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(body=page)) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unexpected, match="more than 200 pages"):
                await crm.accounts(["acc_1"])
        assert len(system.requests) == 201

    async def test_pages_that_are_gone_are_worth_another_try(self):
        page = orjson.dumps({"done": False, "nextRecordsUrl": f"{QUERY}/01g-1", "records": []})
        gone = orjson.dumps([{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}])
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(body=page), Reply(400, gone)) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unavailable, match="pages of the query are gone"):
                await crm.accounts(["acc_1"])

    @pytest.mark.parametrize(
        ("status", "code", "failure"),
        [
            (400, "UNABLE_TO_LOCK_ROW", RateLimited),
            (400, "STRING_TOO_LONG", Rejected),
            (403, "INSUFFICIENT_ACCESS", Unexpected),
            (403, "REQUEST_LIMIT_EXCEEDED", RateLimited),
            (503, "SERVER_UNAVAILABLE", Unavailable),
        ],
    )
    async def test_the_vendors_codes_have_their_meaning(self, status: int, code: str, failure: type[ConnectorError]):
        refusal = orjson.dumps([{"message": "no", "errorCode": code}])
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(status, refusal)) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(failure):
                await crm.mirror_order("k", mirror())

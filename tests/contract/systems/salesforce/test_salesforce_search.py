"""Lists of accounts: pages, conditions and texts that are looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.world.model import WorldModel
from schema.enums import AccountStatus, ErpHome
from schema.records.accounts import AccountFilter, Patch
from schema.records.values import PageRequest
from systems.errors import Rejected
from systems.salesforce import Salesforce
from tests.support.crm_connector import settings
from tests.support.sandboxes import ServedSandbox


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

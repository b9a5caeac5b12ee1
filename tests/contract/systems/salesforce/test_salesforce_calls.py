"""How many calls of the CRM questions take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.model import WorldModel
from schema.enums import SourceSystem
from systems.errors import Unexpected
from systems.ports import SystemCall
from systems.salesforce import Salesforce
from tests.support.crm_connector import QUERY, connected
from tests.support.sandboxes import ServedSandbox


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

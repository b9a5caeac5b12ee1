"""Who may see accounts and their credit, and what that costs and becomes while systems are away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from gateway.server.principal import Principal
from schema.enums import SourceSystem
from tests.support import rule_records as rules
from tests.support.accounts_world import (
    BUYER,
    CONTROLLER,
    DESK,
    NOW,
    World,
    accounts_world,
    customer,
    person,
)
from tests.support.fake_systems import account


@pytest.fixture
def world() -> Iterator[World]:
    with accounts_world() as made:
        yield made


class TestWhoMaySee:
    ENTITIES = (
        ("Account", {"id": "acc_1"}),
        ("Account", {"number": "C-10042"}),
        ("ShipTo", {"id": "shp_1"}),
        ("Contact", {"id": "con_1"}),
        ("Opportunity", {"id": "opp_1"}),
        ("ServiceCase", {"id": "cas_1"}),
    )

    @pytest.mark.parametrize(("type_name", "key"), ENTITIES, ids=str)
    async def test_references_resolve_for_who_may_see_the_account_only(
        self, world: World, type_name: str, key: dict[str, str]
    ):
        for who, is_seen in ((DESK, True), (BUYER, True), (customer("acc_sib"), False), (None, False)):
            (found,) = await world.entities(type_name, "id", key, who=who)
            assert (found is not None) is is_seen

    @pytest.mark.parametrize(("type_name", "key"), [("User", {"id": "usr_ann"}), ("Territory", {"id": "ter_1"})])
    async def test_the_distributors_people_and_territories_are_for_everybody_but_strangers(
        self, world: World, type_name: str, key: dict[str, str]
    ):
        assert await world.entities(type_name, "id name", key, who=None) == [None]
        for who in (DESK, BUYER):
            (found,) = await world.entities(type_name, "id name", key, who=who)
            assert found["id"] == key["id"]

    async def test_unknown_references_are_null_beside_known_ones(self, world: World):
        assert await world.entities("Account", "id", {"id": "acc_x"}, {"id": "acc_1"}, {}) == [
            None,
            {"id": "acc_1"},
            None,
        ]

    async def test_a_customer_sees_neither_what_is_above_nor_beside_its_account(self, world: World):
        query = '{ account(id: "acc_1") { parent { id } billTo { id } } accounts { nodes { id } } }'
        assert await world.data(query, BUYER) == {
            "account": {"parent": None, "billTo": None},
            "accounts": {"nodes": [{"id": "acc_1"}]},
        }

    async def test_a_customer_sees_of_children_those_of_its_claim(self, world: World):
        query = '{ account(id: "acc_top") { children { totalCount nodes { id } } } }'
        found = await world.data(query, customer("acc_top", "acc_sib"))
        assert found["account"]["children"] == {"totalCount": 1, "nodes": [{"id": "acc_sib"}]}

    async def test_a_case_is_shown_to_who_may_see_its_account(self, world: World):
        query = '{ serviceCase(id: "cas_1") { number account { id } order { id } } }'
        shown = {"number": "0", "account": {"id": "acc_1"}, "order": {"id": "ord_77"}}
        assert await world.data(query, BUYER) == {"serviceCase": shown}
        assert await world.data(query, customer("acc_sib")) == {"serviceCase": None}


class TestCredit:
    FIELDS = "limit { amount currency } openReceivables { amount } overdue { amount } maxDaysPastDue onHold holdReason"
    OWED: ClassVar = {"openReceivables": {"amount": "120.50"}, "overdue": {"amount": "7.00"}, "maxDaysPastDue": 3}
    HOLD: ClassVar = {"onHold": True, "holdReason": "disputed invoice"}
    LIMIT: ClassVar = {"amount": "10000.00", "currency": "USD"}

    @pytest.fixture(autouse=True)
    def owing(self, world: World) -> None:
        profile = rules.credit(
            receivables="120.50", overdue="7", days=3, on_hold=True, as_of=NOW - timedelta(minutes=9)
        )
        world.add(world.crm.known["acc_1"], profile=profile)

    @pytest.mark.parametrize(
        ("who", "limit"),
        [
            pytest.param(CONTROLLER, LIMIT, id="credit controller"),
            pytest.param(person("system:billing", scopes=("credit:read",)), LIMIT, id="a system with the scope"),
            pytest.param(
                person("user:x", "SALES", "PRICING_DESK", scopes=("credit:read",)), LIMIT, id="another role too"
            ),
            pytest.param(DESK, None, id="service desk"),
            pytest.param(
                person("user:x", "SALES", "offline_access", scopes=("credit:read",)), None, id="a role of no table too"
            ),
            pytest.param(customer("acc_1", scopes=("credit:read",)), None, id="customer whose token has the scope"),
            pytest.param(
                customer("acc_1", roles=("CREDIT_CONTROLLER",), scopes=("credit:read",)),
                None,
                id="customer whose token has a role of ours",
            ),
        ],
    )
    async def test_the_scope_shows_what_is_owed_and_the_role_whether_the_limit(
        self, world: World, who: Principal, limit: dict[str, str] | None
    ):
        found = await world.data(f'{{ account(id: "acc_1") {{ credit {{ {self.FIELDS} }} }} }}', who)
        assert found["account"]["credit"] == {**self.OWED, **self.HOLD, "limit": limit}

    @pytest.mark.parametrize("who", [BUYER, person("user:x", "CREDIT_CONTROLLER")], ids=["customer", "controller"])
    async def test_without_the_scope_there_is_no_profile_and_the_erp_is_not_asked(self, world: World, who: Principal):
        assert await world.data('{ account(id: "acc_1") { credit { onHold } } }', who) == {"account": {"credit": None}}
        assert "terms" not in world.script.calls

    @pytest.mark.parametrize(("minutes", "is_stale"), [(9, False), (16, True)])
    async def test_the_age_of_figures_is_told(self, world: World, minutes: int, is_stale: bool):
        world.add(world.crm.known["acc_1"], profile=rules.credit(as_of=NOW - timedelta(minutes=minutes)))
        found = await world.data('{ account(id: "acc_1") { credit { freshness { source asOf stale } } } }')
        as_of = f"2026-03-04T14:{60 - minutes}:00Z"
        assert found["account"]["credit"]["freshness"] == {"source": "CLOUD_ERP", "asOf": as_of, "stale": is_stale}

    @staticmethod
    async def available(world: World, told: dict[str, str] | None, who: Principal = DESK) -> Any:
        key = {"id": "acc_1", "openOrderValue": told}
        (found,) = await world.entities("Account", "creditAvailable { amount currency }", key, who=who)
        return found["creditAvailable"]

    @pytest.mark.parametrize(
        ("limit", "receivables", "ordered", "available"),
        [
            pytest.param("10000.00", "120.55", "79.50", "9799.95", id="limit less what is owed and ordered"),
            pytest.param("10000", "0.1", "0.2", "9999.70", id="cents add up exactly"),
            pytest.param("100", "90", "30", "-20.00", id="more than it may"),
            pytest.param(None, "0", "0", None, id="pays in advance"),
        ],
    )
    async def test_what_is_left_is_exact(
        self, world: World, limit: str | None, receivables: str, ordered: str, available: str | None
    ):
        world.add(world.crm.known["acc_1"], profile=rules.credit(limit=limit, receivables=receivables))
        expected = None if available is None else {"amount": available, "currency": "USD"}
        assert await self.available(world, {"amount": ordered, "currency": "USD"}) == expected

    @pytest.mark.parametrize(
        "told",
        [
            pytest.param(None, id="orders do not tell"),
            pytest.param({"amount": "5", "currency": "EUR"}, id="another currency"),
        ],
    )
    async def test_what_cannot_be_added_up_is_not_guessed(self, world: World, told: dict[str, str] | None):
        assert await self.available(world, told) is None

    @pytest.mark.parametrize(
        ("who", "is_told"),
        [
            pytest.param(person("user:x", "SALES"), True, id="sales rep without the scope"),
            pytest.param(customer("acc_1", roles=("PORTAL_ADMIN",)), True, id="administrator of the customer"),
            pytest.param(BUYER, False, id="buyer"),
            pytest.param(customer("acc_1", roles=(), scopes=("credit:read",)), False, id="customer without a role"),
            pytest.param(customer("acc_1", roles=("INTEGRATION",)), False, id="partner's system"),
        ],
    )
    async def test_what_is_left_is_for_the_distributor_and_the_customers_administrator(
        self, world: World, who: Principal, is_told: bool
    ):
        assert (await self.available(world, {"amount": "5", "currency": "USD"}, who) is not None) is is_told


class TestOutages:
    NEEDS_ERP = ("currency", "paymentTerms", "priceGroup", "taxRegistrations", "shipTos", "credit")

    async def test_without_erp_exactly_the_fields_that_need_it_are_null_with_its_name(self, world: World):
        world.script.down.add(SourceSystem.CLOUD_ERP)
        needs = "currency paymentTerms priceGroup taxRegistrations { kind } shipTos { nodes { id } } credit { onHold }"
        keeps = "name status children { totalCount } contacts { id } cases { totalCount } externalRefs { system }"
        answer = await world.ask(f'{{ account(id: "acc_1") {{ {needs} {keeps} }} }}')
        assert answer["data"]["account"] == {
            **dict.fromkeys(self.NEEDS_ERP),
            "name": "Example Pumps",
            "status": "ACTIVE",
            "children": {"totalCount": 0},
            "contacts": [{"id": "con_1"}],
            "cases": {"totalCount": 1},
            "externalRefs": [{"system": "CRM"}],
        }
        assert {error["path"][-1] for error in answer["errors"]} == set(self.NEEDS_ERP)
        told = {(error["extensions"]["code"], error["extensions"]["system"]) for error in answer["errors"]}
        assert told == {("SYSTEM_UNAVAILABLE", "CLOUD_ERP")}
        assert world.script.calls.count("terms") == 1, "a system that is away is asked once"

    async def test_without_erp_a_list_of_accounts_stays(self, world: World):
        world.script.down.add(SourceSystem.CLOUD_ERP)
        answer = await world.ask("{ accounts { nodes { number currency } } }")
        assert [node["number"] for node in answer["data"]["accounts"]["nodes"]] == ["C-10000", "C-10042", "C-10043"]
        assert len(answer["errors"]) == 3

    async def test_without_erp_what_is_left_of_credit_is_not_told(self, world: World):
        world.script.down.add(SourceSystem.CLOUD_ERP)
        fields = "... on Account { id creditAvailable { amount } }"
        query = f"query ($r: [_Any!]!) {{ _entities(representations: $r) {{ {fields} }} }}"
        told = {"__typename": "Account", "id": "acc_1", "openOrderValue": {"amount": "5", "currency": "USD"}}
        answer = await world.ask(query, r=[told])
        assert answer["data"] == {"_entities": [{"id": "acc_1", "creditAvailable": None}]}
        assert answer["errors"][0]["extensions"]["system"] == "CLOUD_ERP"

    async def test_without_crm_accounts_are_null_with_its_name_and_places_stay(self, world: World):
        world.script.down.add(SourceSystem.CRM)
        answer = await world.ask('{ account(id: "acc_1") { id } }')
        assert answer["data"] == {"account": None}
        assert answer["errors"][0]["extensions"]["system"] == "CRM"
        assert await world.entities("ShipTo", "code", {"id": "shp_1"}) == [{"code": "MAIN"}]


class TestCost:
    FIELDS = """
      currency creditAvailable { amount } credit { onHold } externalRefs { id } owner { name } contacts { id }
      parent { name owner { name } currency } billTo { name }
      children { nodes { name currency } } shipTos { nodes { id account { name } } }
      opportunities { nodes { owner { name } account { name } } } cases { nodes { account { name } } }
    """

    async def calls(self, world: World, rows: int, key: str) -> list[str]:
        keys = []
        for n in range(rows):
            made = account(f"acc_n{n}", f"C-2{n:04}", parent_id="acc_top", bill_to_id="acc_sib", owner_id=f"usr_{n}")
            world.add(made)
            world.add(account(f"acc_child{n}", f"C-3{n:04}", parent_id=made.id))
            keys.append({key: getattr(made, key), "openOrderValue": {"amount": "1", "currency": "USD"}})
        found = await world.entities("Account", self.FIELDS, *keys, who=CONTROLLER)
        assert len([entry for entry in found if entry is not None]) == rows
        assert all(entry["creditAvailable"] == {"amount": "9999.00"} for entry in found)
        return sorted(world.script.calls)

    @pytest.mark.parametrize("key", ["id", "number"])
    async def test_twenty_accounts_cost_the_calls_of_one(self, world: World, key: str):
        one = await self.calls(world, 1, key)
        assert await self.calls(world, 20, key) == one
        assert one.count("users") == 2, "owners of the accounts and of their parent, then of opportunities"
        assert {call for call in one if one.count(call) > 2} == set()

    @pytest.mark.parametrize(
        ("root", "call"),
        [
            pytest.param('found: accountByNumber(number: "C-10042") { %s }', "accounts_by_number", id="number"),
            pytest.param(
                'found: accountByExternalRef(system: CRM, externalId: "001A") { %s }', "account_by_ref", id="id"
            ),
            pytest.param("accounts(first: 1) { nodes { %s } }", "search_accounts", id="search"),
        ],
    )
    async def test_an_account_that_was_found_is_not_read_again(self, world: World, root: str, call: str):
        await world.data(f"{{ {root % 'cases { nodes { account { name } } }'} }}")
        assert world.script.calls == [call, "cases_of"]

    @pytest.mark.parametrize(
        ("type_name", "prefix", "call"),
        [
            ("ShipTo", "shp", "ship_tos"),
            ("Contact", "con", "contacts_by_id"),
            ("Opportunity", "opp", "opportunities"),
            ("ServiceCase", "cas", "cases"),
        ],
    )
    async def test_twenty_references_cost_one_call(self, world: World, type_name: str, prefix: str, call: str):
        for n in range(20):
            world.add(account(f"acc_n{n}", f"C-2{n:04}"))
        keys = [{"id": f"{prefix}_n{n}"} for n in range(20)]
        assert None not in await world.entities(type_name, "id", *keys)
        assert world.script.calls == [call]

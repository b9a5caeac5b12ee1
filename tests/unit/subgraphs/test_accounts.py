"""The accounts subgraph: accounts with what belongs to them, and lists of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway.server.principal import Principal
from schema.enums import AccountStatus, CaseStatus, ErpHome, SourceSystem
from schema.graphql.paging import MAX_FIRST
from schema.records.accounts import TaxRegistration
from schema.records.values import ExternalRef
from subgraphs.accounts.app import accounts_schema
from tests.support import rule_records as rules
from tests.support.accounts_world import (
    BUYER,
    DESK,
    NOW,
    World,
    accounts_world,
    case,
    customer,
    person,
)
from tests.support.fake_systems import account, opportunity


@pytest.fixture
def world() -> Iterator[World]:
    with accounts_world() as made:
        yield made


class TestAccounts:
    async def test_an_account_is_told_from_crm_and_erp_at_once(self, world: World):
        registration = TaxRegistration("VAT", "X1", "US-TX", exempt=True, certificate_expires=None, verified_at=NOW)
        world.add(world.crm.known["acc_1"], registrations=(registration,))
        fields = """
          id number name legalName status version erpHome currency paymentTerms priceGroup
          parent { number } billTo { number } territory { id code name } owner { id name roles }
          taxRegistrations { kind number jurisdiction exempt certificateExpires verifiedAt }
          externalRefs { system id current }
          contacts { id name email phone role }
          shipTos { totalCount nodes { id code active deliveryDays taxJurisdiction address { line1 } account { id } } }
          opportunities { nodes { id name stage amount { amount } closeDate account { id } owner { id } } }
          cases { nodes { id number subject status priority openedAt order { id } account { id } } }
        """
        assert (await world.data(f'{{ account(id: "acc_1") {{ {fields} }} }}'))["account"] == {
            "id": "acc_1",
            "number": "C-10042",
            "name": "Example Pumps",
            "legalName": None,
            "status": "ACTIVE",
            "version": 1,
            "erpHome": "CLOUD_ERP",
            "currency": "USD",
            "paymentTerms": "NET30",
            "priceGroup": "GOLD",
            "parent": {"number": "C-10000"},
            "billTo": {"number": "C-10000"},
            "territory": {"id": "ter_1", "code": "T1", "name": "Gulf"},
            "owner": {"id": "usr_ann", "name": "Ann Example", "roles": ["SALES"]},
            "taxRegistrations": [
                {
                    "kind": "VAT",
                    "number": "X1",
                    "jurisdiction": "US-TX",
                    "exempt": True,
                    "certificateExpires": None,
                    "verifiedAt": "2026-03-04T15:00:00Z",
                }
            ],
            "externalRefs": [
                {"system": "CRM", "id": "001A", "current": True},
                {"system": "CLOUD_ERP", "id": "42", "current": True},
            ],
            "contacts": [
                {"id": "con_1", "name": "Bo Example", "email": "bo@example.com", "phone": None, "role": "Buyer"}
            ],
            "shipTos": {
                "totalCount": 1,
                "nodes": [
                    {
                        "id": "shp_1",
                        "code": "MAIN",
                        "active": True,
                        "deliveryDays": [],
                        "taxJurisdiction": None,
                        "address": {"line1": "1 Example Road"},
                        "account": {"id": "acc_1"},
                    }
                ],
            },
            "opportunities": {
                "nodes": [
                    {
                        "id": "opp_1",
                        "name": "Spring pumps",
                        "stage": "Proposal",
                        "amount": None,
                        "closeDate": None,
                        "account": {"id": "acc_1"},
                        "owner": {"id": "usr_ann"},
                    }
                ]
            },
            "cases": {
                "nodes": [
                    {
                        "id": "cas_1",
                        "number": "0",
                        "subject": "Late",
                        "status": "OPEN",
                        "priority": "HIGH",
                        "openedAt": "2026-03-01T00:00:00Z",
                        "order": {"id": "ord_77"},
                        "account": {"id": "acc_1"},
                    }
                ]
            },
        }

    async def test_children_are_listed_by_number(self, world: World):
        found = await world.data(
            '{ account(id: "acc_top") { parent { id } children { nodes { number } totalCount } } }'
        )
        children = {"nodes": [{"number": "C-10042"}, {"number": "C-10043"}], "totalCount": 2}
        assert found == {"account": {"parent": None, "children": children}}

    @pytest.mark.parametrize(
        "root",
        [
            pytest.param('account(id: "acc_1")', id="id"),
            pytest.param('accountByNumber(number: "C-10042")', id="number"),
            pytest.param('accountByExternalRef(system: CRM, externalId: "001A")', id="id in the CRM"),
            pytest.param('accountByExternalRef(system: CLOUD_ERP, externalId: "42")', id="id in the ERP"),
        ],
    )
    async def test_an_account_is_found_by_each_of_its_names_by_who_may_see_it(self, world: World, root: str):
        query = f"{{ found: {root} {{ id }} }}"
        for who, found in (
            (DESK, {"id": "acc_1"}),
            (BUYER, {"id": "acc_1"}),
            (customer("acc_sib"), None),
            (None, None),
        ):
            assert await world.data(query, who) == {"found": found}

    @pytest.mark.parametrize(
        "root",
        [
            pytest.param('account(id: "acc_x")', id="id"),
            pytest.param('accountByNumber(number: "")', id="number"),
            pytest.param('accountByExternalRef(system: CRM, externalId: "42")', id="another system's id"),
            pytest.param('accountByExternalRef(system: LEGACY_ERP, externalId: "42")', id="another ERP's id"),
            pytest.param('accountByExternalRef(system: WMS, externalId: "42")', id="a system without such ids"),
            pytest.param('serviceCase(id: "cas_x")', id="case"),
        ],
    )
    async def test_what_nobody_knows_is_null(self, world: World, root: str):
        assert await world.data(f"{{ found: {root} {{ id }} }}") == {"found": None}

    async def test_a_system_that_has_no_ids_for_accounts_is_not_asked(self, world: World):
        await world.data('{ accountByExternalRef(system: TMS, externalId: "42") { id } }')
        assert world.script.calls == []

    async def test_an_erp_id_that_the_crm_knows_too_is_told_once(self, world: World):
        world.crm.known["acc_1"] = account(refs=(ExternalRef(SourceSystem.CLOUD_ERP, "42"),))
        found = await world.data('{ account(id: "acc_1") { externalRefs { id } } }')
        assert found["account"]["externalRefs"] == [{"id": "42"}]

    async def test_an_account_that_no_erp_knows_has_no_terms(self, world: World):
        del world.erp.terms_by_account["acc_1"]
        fields = "currency paymentTerms taxRegistrations { kind } credit { onHold } externalRefs { system }"
        assert await world.data(f'{{ account(id: "acc_1") {{ {fields} }} }}') == {
            "account": {
                "currency": None,
                "paymentTerms": None,
                "taxRegistrations": [],
                "credit": None,
                "externalRefs": [{"system": "CRM"}],
            }
        }


class TestLists:
    async def test_accounts_come_by_number_page_by_page(self, world: World):
        query = "query ($a: String) { accounts(first: 2, after: $a) { totalCount nodes { number } %s } }"
        query %= "pageInfo { hasNextPage hasPreviousPage endCursor }"
        first = (await world.data(query))["accounts"]
        assert [node["number"] for node in first["nodes"]] == ["C-10000", "C-10042"]
        assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
        rest = (await world.data(query, a=first["pageInfo"]["endCursor"]))["accounts"]
        assert [node["number"] for node in rest["nodes"]] == ["C-10043"]
        assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)

    async def test_the_crm_is_asked_for_what_is_wanted(self, world: World):
        world.add(account("acc_hold", "C-1", status=AccountStatus.ON_HOLD))
        found = await world.data("{ accounts(filter: {status: ON_HOLD}) { nodes { id } } }")
        assert found["accounts"]["nodes"] == [{"id": "acc_hold"}]

    @pytest.mark.parametrize(
        ("where", "numbers"),
        [
            pytest.param("{}", ["C-10042", "C-10043"], id="everything"),
            pytest.param('{text: "example p"}', ["C-10042"], id="start of the name"),
            pytest.param('{text: "c-1004"}', ["C-10042", "C-10043"], id="start of the number"),
            pytest.param('{text: "Pumps"}', [], id="the middle of the name"),
            pytest.param("{status: ON_HOLD}", ["C-10043"], id="status"),
            pytest.param('{territoryId: "ter_1"}', ["C-10042"], id="territory"),
            pytest.param("{erpHome: LEGACY_ERP}", ["C-10043"], id="ERP"),
            pytest.param('{ownerId: "usr_ann", status: ON_HOLD}', [], id="all conditions hold together"),
        ],
    )
    async def test_a_customer_lists_the_accounts_of_its_claim(self, world: World, where: str, numbers: list[str]):
        world.add(replace(world.crm.known["acc_sib"], status=AccountStatus.ON_HOLD, erp_home=ErpHome.LEGACY_ERP))
        who = customer("acc_sib", "acc_1", "acc_unknown", "acc_1")
        found = (await world.data(f"{{ accounts(filter: {where}) {{ totalCount nodes {{ number }} }} }}", who))[
            "accounts"
        ]
        assert [node["number"] for node in found["nodes"]] == numbers
        assert found["totalCount"] == len(numbers)
        assert world.script.calls == ["accounts"]

    async def test_a_customer_goes_on_behind_the_last_row(self, world: World):
        who = customer("acc_sib", "acc_1")
        query = "query ($a: String) { accounts(first: 1, after: $a) { nodes { number } pageInfo { endCursor } } }"
        first = (await world.data(query, who))["accounts"]
        rest = (await world.data(query, who, a=first["pageInfo"]["endCursor"]))["accounts"]
        assert [page["nodes"][0]["number"] for page in (first, rest)] == ["C-10042", "C-10043"]

    async def test_a_stranger_lists_nothing_and_no_system_is_asked(self, world: World):
        assert await world.data("{ accounts { totalCount nodes { id } } }", None) == {
            "accounts": {"totalCount": 0, "nodes": []}
        }
        assert world.script.calls == []

    @pytest.mark.parametrize(
        ("argument", "ids"),
        [
            pytest.param("", ["cas_3", "cas_1"], id="open ones, newest first, when nothing is said"),
            pytest.param("(open: false)", ["cas_4", "cas_2"], id="those that are over"),
            pytest.param("(open: null)", ["cas_4", "cas_3", "cas_2", "cas_1"], id="all"),
        ],
    )
    async def test_cases_are_open_over_or_all(self, world: World, argument: str, ids: list[str]):
        statuses = (CaseStatus.WAITING_CUSTOMER, CaseStatus.RESOLVED, CaseStatus.ANSWERED, CaseStatus.CLOSED)
        world.crm.cases_by_id = {f"cas_{n}": case(n, status) for n, status in enumerate(statuses, start=1)}
        found = await world.data(f'{{ account(id: "acc_1") {{ cases{argument} {{ nodes {{ id }} }} }} }}')
        assert [node["id"] for node in found["account"]["cases"]["nodes"]] == ids

    @pytest.mark.parametrize(
        ("argument", "ids"),
        [
            pytest.param("", ["opp_late", "opp_soon", "opp_never"], id="open ones, latest close date first"),
            pytest.param("(open: false)", ["opp_won"], id="closed ones"),
        ],
    )
    async def test_opportunities_are_open_or_closed(self, world: World, argument: str, ids: list[str]):
        rows = (
            opportunity("opp_soon", close_date=date(2026, 4, 1)),
            opportunity("opp_late", close_date=date(2026, 10, 1)),
            opportunity("opp_never"),
            opportunity("opp_won", is_open=False),
        )
        world.crm.opportunities_by_id = {row.id: row for row in rows}
        found = await world.data(f'{{ account(id: "acc_1") {{ opportunities{argument} {{ nodes {{ id }} }} }} }}')
        assert [node["id"] for node in found["account"]["opportunities"]["nodes"]] == ids

    @pytest.mark.parametrize("name", ["children", "shipTos", "opportunities", "cases"])
    async def test_every_list_of_an_account_is_read_to_its_end_without_gap_or_repetition(self, world: World, name: str):
        for n in range(2, 7):
            world.add(account(f"acc_{n}", f"C-{n}", parent_id="acc_1"))
            world.erp.places[f"shp_{n}"] = replace(rules.ship_to(), id=f"shp_{n}", code=f"P{n}")
            world.crm.opportunities_by_id[f"opp_{n}"] = opportunity(f"opp_{n}")
            world.crm.cases_by_id[f"cas_{n}"] = replace(case(n // 2), id=f"cas_{n}")
        fields = "totalCount nodes { id } pageInfo { hasNextPage endCursor }"
        query = f'query ($a: String) {{ account(id: "acc_1") {{ page: {name}(first: 2, after: $a) {{ {fields} }} }} }}'
        seen, cursor, more = [], None, True
        while more:
            page = (await world.data(query, a=cursor))["account"]["page"]
            seen += [node["id"] for node in page["nodes"]]
            cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert page["nodes"], "a page said that more follows"
        assert len(seen) == len(set(seen)) == page["totalCount"] == (5 if name == "children" else 6)

    @pytest.mark.parametrize("first", [0, -1, MAX_FIRST + 1])
    @pytest.mark.parametrize(
        "query",
        [
            pytest.param("{ accounts(first: %d) { nodes { id } } }", id="accounts"),
            pytest.param('{ account(id: "acc_1") { shipTos(first: %d) { nodes { id } } } }', id="a list of an account"),
        ],
    )
    async def test_too_many_or_no_rows_are_refused_with_the_limit(self, world: World, query: str, first: int):
        error = await world.error(query % first)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert str(MAX_FIRST) in error["message"]

    @pytest.mark.parametrize("cursor", ["nonsense", "", "e30", "WzEsMl0", "WyJhIl0", "ä"])
    @pytest.mark.parametrize(
        ("query", "who"),
        [
            pytest.param("{ accounts(after: %s) { nodes { id } } }", DESK, id="all accounts"),
            pytest.param("{ accounts(after: %s) { nodes { id } } }", BUYER, id="a customer's accounts"),
            pytest.param('{ account(id: "acc_1") { cases(after: %s) { nodes { id } } } }', DESK, id="cases"),
        ],
    )
    async def test_a_cursor_that_is_none_is_refused_by_name(
        self, world: World, query: str, who: Principal, cursor: str
    ):
        error = await world.error(query % f'"{cursor}"', who)
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}
        assert f"after: cursor {cursor!r}" in error["message"]


class TestViewer:
    @pytest.mark.parametrize(
        ("who", "viewer"),
        [
            pytest.param(
                DESK,
                {"id": "usr_ann", "name": "Ann Example", "roles": ["SERVICE_DESK"]},
                id="the roles of the token, not of the CRM",
            ),
            pytest.param(
                BUYER, {"id": "usr_buyer", "name": "usr_buyer", "roles": ["PORTAL_BUYER"]}, id="unknown to the CRM"
            ),
            pytest.param(person("system:edi"), {"id": "system:edi", "name": "system:edi", "roles": []}, id="a system"),
        ],
    )
    async def test_the_viewer_is_who_asks(self, world: World, who: Principal, viewer: dict[str, Any]):
        assert await world.data("{ viewer { id name roles } }", who) == {"viewer": viewer}

    async def test_who_asks_is_known_without_the_crm(self, world: World):
        world.script.down.add(SourceSystem.CRM)
        found = await world.data("{ viewer { id name } }")
        assert found == {"viewer": {"id": "usr_ann", "name": "usr_ann"}}

    async def test_nobody_is_told_to_sign_in(self, world: World):
        error = await world.error("{ viewer { id } }", None)
        assert error["extensions"] == {"code": "FORBIDDEN"}
        assert "send a token" in error["message"]


def test_the_schema_says_which_fields_are_protected_and_which_come_from_elsewhere():
    sdl = accounts_schema.as_str()
    assert 'type Account implements Node @key(fields: "id") @key(fields: "number")' in sdl
    assert "openOrderValue: Money @external" in sdl
    assert 'creditAvailable: Money @requires(fields: "openOrderValue { amount currency }")' in sdl
    assert 'type CreditProfile @requiresScopes(scopes: [["credit:read"]])' in sdl
    assert 'type Order @key(fields: "id", resolvable: false)' in sdl

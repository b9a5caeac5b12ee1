"""Accounts in the catalog subgraph: agreements and prices for those who may see the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schema.records.catalog import PriceLevel
from tests.support.catalog_shop import (
    Shop,
    account_of,
    catalog_shop,
    price_of,
)
from tests.support.rule_records import TODAY, rule
from tests.support.subgraph_requests import STRANGER, ask, customer, data, entities, staff


@pytest.fixture
def shop() -> Iterator[Shop]:
    with catalog_shop() as made:
        yield made


class TestAccess:
    async def test_customers_see_what_they_pay_themselves(self, shop: Shop):
        found = await price_of(shop, value="24", who=customer("acc_1"))
        assert found["unit"] == {"amount": "36.10", "currency": "USD"}

    @pytest.mark.parametrize("who", [customer("acc_2"), STRANGER], ids=["another customer", "a stranger"])
    async def test_an_account_of_others_answers_like_one_that_does_not_exist(self, shop: Shop, who: Any):
        others = await price_of(shop, account="acc_1", who=who)
        nobodys = await price_of(shop, account="acc_9", who=who)
        assert {**others, "message": others["message"].replace("acc_1", "acc_9")} == nobodys
        assert nobodys == await price_of(shop, account="acc_9")
        assert shop.calls()["rules"] == 1, "systems are asked only for who may see the account"

    async def test_agreements_of_others_do_not_exist(self, shop: Shop):
        found = await entities(
            shop.app,
            "... on Account { agreements { totalCount } } ... on PriceAgreement { number }",
            {"__typename": "Account", "id": "acc_1"},
            {"__typename": "PriceAgreement", "id": "agr_acc_1:rule_CON-1"},
            who=customer("acc_2"),
        )
        assert found == [{"agreements": None}, None]
        assert shop.calls() == {}

    @pytest.mark.parametrize("role", ["SALES_MANAGER", "PRICING_DESK", "FINANCE"])
    async def test_margins_are_for_those_with_the_right(self, shop: Shop, role: str):
        selection = "... on Price { marginPercent }"
        who = staff("margin:read", role=role)
        assert await price_of(shop, value="24", selection=selection, who=who) == {"marginPercent": "30.75"}

    @pytest.mark.parametrize(
        "who",
        [
            pytest.param(staff(role="SALES_MANAGER"), id="a manager without the scope"),
            pytest.param(staff("margin:read"), id="a rep with the scope"),
            pytest.param(staff("margin:read", role="SERVICE_DESK"), id="the service desk with the scope"),
            pytest.param(staff("margin:read", role="INTEGRATION"), id="a program of ours with the scope"),
            pytest.param(staff("margin:read", role="offline_access"), id="a role of no table with the scope"),
            pytest.param(customer("acc_1"), id="a customer"),
            pytest.param(customer("acc_1", scopes=("margin:read",)), id="a customer with the scope"),
        ],
    )
    async def test_margins_are_hidden_from_everybody_else(self, shop: Shop, who: Any):
        query = (
            '{ itemBySku(sku: "PMP-0042") { price(accountId: "acc_1", quantity: {value: "24", uom: "EA"})'
            " { ... on Price { unit { amount } marginPercent } } } }"
        )
        answer = await ask(shop.app, query, who)
        assert answer["data"]["itemBySku"]["price"] == {"unit": {"amount": "36.10"}, "marginPercent": None}
        assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
        assert "30.75" not in str(answer)


class TestAccounts:
    PRICE = (
        'price(sku: "PMP-0042", quantity: {value: "1", uom: "EA"})'
        " { __typename ... on Price { unit { amount currency } source } ... on ValidationFailed { rule path } }"
    )

    async def test_the_price_follows_the_terms_that_accounts_tell(self, shop: Shop):
        first, second, third = await entities(
            shop.app,
            f"... on Account {{ {self.PRICE} }}",
            account_of("acc_2", priceGroup="GOLD"),
            account_of("acc_euro", currency="EUR"),
            account_of("acc_1"),
        )
        assert (first["price"]["source"], first["price"]["unit"]["amount"]) == ("PRICE_GROUP", "42.00")
        assert second["price"]["unit"] == {"amount": "40.50", "currency": "EUR"}
        assert third["price"]["source"] == "CONTRACT"
        assert "terms" not in shop.calls()

    async def test_a_prospect_that_no_erp_knows_yet_has_no_price(self, shop: Shop):
        (found,) = await entities(shop.app, f"... on Account {{ {self.PRICE} }}", account_of("acc_new", currency=None))
        assert found["price"] == {"__typename": "ValidationFailed", "rule": "UNKNOWN_ACCOUNT", "path": ["accountId"]}

    async def test_what_is_wrong_points_at_the_field_s_own_arguments(self, shop: Shop):
        query = 'price(sku: "NONE", quantity: {value: "1", uom: "EA"}) { ... on ValidationFailed { rule path } }'
        (found,) = await entities(shop.app, f"... on Account {{ {query} }}", account_of())
        assert found["price"] == {"rule": "UNKNOWN_SKU", "path": ["sku"]}

    async def test_agreements_come_by_number_and_find_their_way_back(self, shop: Shop):
        fields = "id number sku categoryCode unit { amount } discountPercent validFrom validTo priority"
        fields += " breaks { minQuantity { value uom } unit { amount } }"
        (found,) = await entities(
            shop.app, f"... on Account {{ agreements {{ nodes {{ {fields} }} totalCount }} }}", account_of()
        )
        nodes = found["agreements"]["nodes"]
        assert [node["number"] for node in nodes] == ["CON-1", "CON-2", "old"]
        assert nodes[0]["breaks"][1] == {"minQuantity": {"value": "24", "uom": "EA"}, "unit": {"amount": "36.10"}}
        assert (nodes[1]["categoryCode"], nodes[1]["discountPercent"], nodes[1]["unit"]) == ("FILTERS", "4", None)
        ids = [{"__typename": "PriceAgreement", "id": node["id"]} for node in nodes]
        again = await entities(shop.app, f"... on PriceAgreement {{ {fields} }}", *ids)
        assert again == nodes

    async def test_an_agreement_keeps_its_id_when_its_account_is_merged_into_another(self, shop: Shop):
        shop.merges.survivor_of["acc_gone"] = "acc_1"
        wanted = [{"__typename": "PriceAgreement", "id": f"agr_{owner}:rule_CON-1"} for owner in ("acc_gone", "acc_1")]
        old, new = await entities(shop.app, "... on PriceAgreement { id number }", *wanted)
        assert (old["id"], new["id"]) == ("agr_acc_gone:rule_CON-1", "agr_acc_1:rule_CON-1")
        assert old["number"] == new["number"] == "CON-1"

    async def test_an_agreement_that_stayed_with_the_merged_account_is_still_its_own(self, shop: Shop):
        shop.merges.survivor_of["acc_gone"] = "acc_1"
        shop.erp.price_rules.append(rule("closed", PriceLevel.CONTRACT, "30.00", account="acc_gone"))
        found = await entities(
            shop.app,
            "... on PriceAgreement { number }",
            {"__typename": "PriceAgreement", "id": "agr_acc_gone:rule_closed"},
        )
        assert found == [{"number": "closed"}]

    @pytest.mark.parametrize(
        ("who", "is_seen"),
        [(customer("acc_1"), True), (customer("acc_gone"), False), (customer("acc_2"), False), (STRANGER, False)],
        ids=["the survivor's buyer", "the merged account's buyer", "another customer", "a stranger"],
    )
    async def test_an_agreement_that_went_along_is_for_who_may_see_the_survivor(
        self, shop: Shop, who: Any, is_seen: bool
    ):
        shop.merges.survivor_of["acc_gone"] = "acc_1"
        wanted = {"__typename": "PriceAgreement", "id": "agr_acc_gone:rule_CON-1"}
        found = await entities(shop.app, "... on PriceAgreement { number }", wanted, who=who)
        assert found == [{"number": "CON-1"} if is_seen else None]

    @pytest.mark.parametrize("wrong", ["rule_CON-1", "agr_acc_1", "agr_:x", "agr_acc_1:", "agr_acc_2:rule_CON-1"])
    async def test_an_agreement_that_is_none_is_null(self, shop: Shop, wrong: str):
        found = await entities(
            shop.app, "... on PriceAgreement { number }", {"__typename": "PriceAgreement", "id": wrong}
        )
        assert found == [None]

    async def test_breaks_over_several_items_count_in_each_one_s_unit(self, shop: Shop):
        shop.erp.price_rules = [
            rule("wide", PriceLevel.CONTRACT, account="acc_1", sku=None, category="PUMPS", breaks=(("10", "5.00"),))
        ]
        (found,) = await entities(
            shop.app, "... on Account { agreements { nodes { breaks { minQuantity { value uom } } } } }", account_of()
        )
        (node,) = found["agreements"]["nodes"]
        assert node["breaks"] == [{"minQuantity": {"value": "10", "uom": "C62"}}]

    async def test_agreements_of_a_day_are_those_that_hold_on_it(self, shop: Shop):
        selection = f'agreements(activeOn: "{TODAY}") {{ nodes {{ number }} totalCount }}'
        (found,) = await entities(shop.app, f"... on Account {{ {selection} }}", account_of())
        assert found["agreements"] == {"nodes": [{"number": "CON-1"}, {"number": "CON-2"}], "totalCount": 2}

    async def test_agreements_page_by_place(self, shop: Shop):
        query = (
            "query ($of: [_Any!]!, $after: String) { _entities(representations: $of) { ... on Account {"
            " agreements(first: 2, after: $after) { nodes { number } pageInfo { hasNextPage endCursor } } } } }"
        )
        (first,) = (await data(shop.app, query, of=[account_of()]))["_entities"]
        assert first["agreements"]["pageInfo"]["hasNextPage"] is True
        shop.erp.price_rules.append(rule("AAA", PriceLevel.CONTRACT, "1.00", account="acc_1"))
        after = first["agreements"]["pageInfo"]["endCursor"]
        (rest,) = (await data(shop.app, query, of=[account_of()], after=after))["_entities"]
        assert [node["number"] for node in rest["agreements"]["nodes"]] == ["old"], "what came in before shifts nothing"

    @pytest.mark.parametrize(
        "arguments", ["first: 201", "first: 0", 'after: "x"', 'after: "W10"', 'after: "WzEsMl0"'], ids=str
    )
    async def test_a_page_of_agreements_that_cannot_be_is_refused(self, shop: Shop, arguments: str):
        query = (
            "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Account {"
            f" agreements({arguments}) {{ totalCount }} }} }} }}"
        )
        (error,) = (await ask(shop.app, query, of=[account_of()]))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"

"""The catalog subgraph: items and their categories, and what they cost by the list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schema.enums import SourceSystem
from schema.records.catalog import PriceLevel
from tests.support.catalog_shop import (
    Shop,
    catalog_shop,
)
from tests.support.rule_records import rule
from tests.support.subgraph_requests import STRANGER, ask, data, entities


@pytest.fixture
def shop() -> Iterator[Shop]:
    with catalog_shop() as made:
        yield made


class TestItems:
    @pytest.mark.parametrize(
        "field",
        [
            'item(id: "itm_PMP-0042")',
            'itemBySku(sku: "PMP-0042")',
            'itemByGtin(gtin: "9521234000019")',
        ],
    )
    async def test_an_item_is_found_by_each_of_its_names(self, shop: Shop, field: str):
        assert (await data(shop.app, f"{{ found: {field} {{ sku }} }}"))["found"] == {"sku": "PMP-0042"}

    async def test_the_gtin_of_a_unit_names_the_item(self, shop: Shop):
        found = await data(shop.app, '{ itemByGtin(gtin: "95200002") { sku } }')
        assert found["itemByGtin"]["sku"] == "VLV-0007"

    @pytest.mark.parametrize(
        "field",
        ['item(id: "itm_NONE")', 'item(id: "PMP-0042")', 'itemBySku(sku: "")', 'itemByGtin(gtin: "1")'],
        ids=["unknown id", "no item id", "empty sku", "unknown gtin"],
    )
    async def test_what_does_not_exist_is_null(self, shop: Shop, field: str):
        assert (await data(shop.app, f"{{ found: {field} {{ sku }} }}"))["found"] is None

    async def test_an_item_says_what_its_master_says(self, shop: Shop):
        fields = (
            "id sku name description brand status baseUom gtin hazmatClass lotControlled taxCategory"
            " restrictedRegions uoms { uom perBase sellable } externalRefs { system id current }"
            " category { id code name parent { code parent { code } } } substitutes { sku } netWeight { value }"
        )
        assert (await data(shop.app, f'{{ itemBySku(sku: "PMP-0042") {{ {fields} }} }}'))["itemBySku"] == {
            "id": "itm_PMP-0042",
            "sku": "PMP-0042",
            "name": "Transfer pump 32",
            "description": None,
            "brand": "Norvik",
            "status": "ACTIVE",
            "baseUom": "EA",
            "gtin": "9521234000019",
            "hazmatClass": None,
            "lotControlled": False,
            "taxCategory": "STANDARD",
            "restrictedRegions": ["US-AK"],
            "uoms": [
                {"uom": "EA", "perBase": "1", "sellable": True},
                {"uom": "XBX", "perBase": "6", "sellable": True},
                {"uom": "XPX", "perBase": "240", "sellable": True},
            ],
            "externalRefs": [{"system": "CLOUD_ERP", "id": "4711", "current": True}],
            "category": {
                "id": "cat_PUMPS",
                "code": "PUMPS",
                "name": "Pumps",
                "parent": {"code": "ROOT", "parent": None},
            },
            "substitutes": [{"sku": "PMP-0043"}, {"sku": "VLV-0007"}],
            "netWeight": None,
        }

    async def test_references_find_items_by_either_key_and_categories(self, shop: Shop):
        found = await entities(
            shop.app,
            "... on Item { name } ... on Category { code }",
            {"__typename": "Item", "id": "itm_PMP-0042"},
            {"__typename": "Item", "sku": "PMP-0043"},
            {"__typename": "Item", "id": "PMP-0042"},
            {"__typename": "Item", "sku": "NONE"},
            {"__typename": "Category", "id": "cat_ROOT"},
            {"__typename": "Category", "id": "cat_NONE"},
        )
        assert found == [{"name": "Transfer pump 32"}, {"name": "Transfer pump 40"}, None, None, {"code": "ROOT"}, None]

    async def test_items_go_on_where_the_page_before_ended(self, shop: Shop):
        query = "query ($after: String) { items(first: 4, after: $after) { nodes { sku } totalCount %s } }"
        query %= "pageInfo { hasNextPage hasPreviousPage endCursor }"
        first = (await data(shop.app, query))["items"]
        assert [node["sku"] for node in first["nodes"]] == ["DOZ-0001", "FIT-0013", "MTR-0001", "OLD-0001"]
        assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (7, True)
        rest = (await data(shop.app, query, after=first["pageInfo"]["endCursor"]))["items"]
        assert [node["sku"] for node in rest["nodes"]] == ["PMP-0042", "PMP-0043", "VLV-0007"]
        assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)

    @pytest.mark.parametrize(
        ("where", "skus"),
        [
            pytest.param('text: "transfer"', [], id="text begins sku or name as the ERP reads it"),
            pytest.param('text: "pmp-00"', ["PMP-0042", "PMP-0043"], id="text in any case"),
            pytest.param('brand: "Aldous"', ["VLV-0007"], id="brand"),
            pytest.param("status: DISCONTINUED", ["OLD-0001"], id="status"),
            pytest.param('categoryCode: "PUMPS", text: "PMP-0042"', ["PMP-0042"], id="both conditions"),
        ],
    )
    async def test_every_condition_of_a_filter_reaches_the_item_master(self, shop: Shop, where: str, skus: list[str]):
        found = await data(shop.app, f"{{ items(filter: {{ {where} }}) {{ nodes {{ sku }} }} }}")
        assert [node["sku"] for node in found["items"]["nodes"]] == skus

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            pytest.param("first: 201", "ask for 1 to 200 rows", id="too many rows"),
            pytest.param("first: 0", "ask for 1 to 200 rows", id="no rows"),
            pytest.param('after: "elsewhere"', "cursor 'elsewhere' is not one of this list", id="a foreign cursor"),
        ],
    )
    async def test_a_page_that_cannot_be_is_refused(self, shop: Shop, arguments: str, said: str):
        (error,) = (await ask(shop.app, f"{{ items({arguments}) {{ nodes {{ sku }} }} }}"))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert said in error["message"]

    async def test_without_the_erp_items_fail_with_its_name(self, shop: Shop):
        shop.script.down.add(SourceSystem.CLOUD_ERP)
        answer = await ask(shop.app, '{ itemBySku(sku: "PMP-0042") { name } }')
        assert answer["data"] == {"itemBySku": None}
        code = {"code": "SYSTEM_UNAVAILABLE", "system": "CLOUD_ERP", "retryable": True}
        assert answer["errors"][0]["extensions"] == code


class TestListPrice:
    @pytest.mark.parametrize(
        ("sku", "currency", "amount"),
        [
            pytest.param("PMP-0042", "USD", "45.00", id="a row in the currency"),
            pytest.param("MTR-0001", "USD", "22.00", id="converted at today's rate"),
            pytest.param("PMP-0042", "MXN", None, id="no rate"),
            pytest.param("PMP-0043", "USD", None, id="no row"),
        ],
    )
    async def test_the_list_price_is_that_of_one_base_unit(
        self, shop: Shop, sku: str, currency: str, amount: str | None
    ):
        query = f'{{ itemBySku(sku: "{sku}") {{ listPrice(currency: "{currency}") {{ amount currency }} }} }}'
        found = (await data(shop.app, query, STRANGER))["itemBySku"]["listPrice"]
        assert found == (None if amount is None else {"amount": amount, "currency": currency})

    async def test_list_rows_that_contradict_each_other_give_no_price(self, shop: Shop):
        shop.erp.price_rules.append(rule("list2", PriceLevel.LIST, "46.00"))
        found = await data(shop.app, '{ itemBySku(sku: "PMP-0042") { listPrice(currency: "USD") { amount } } }')
        assert found["itemBySku"]["listPrice"] is None

    @pytest.mark.parametrize("currency", ["usd", "US", "", "ДОЛ"])
    async def test_what_is_no_currency_is_refused(self, shop: Shop, currency: str):
        query = 'query ($c: String!) { itemBySku(sku: "PMP-0042") { listPrice(currency: $c) { amount } } }'
        (error,) = (await ask(shop.app, query, c=currency))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "ISO 4217" in error["message"]

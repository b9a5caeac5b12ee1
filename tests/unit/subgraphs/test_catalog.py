"""The catalog subgraph: items for everybody, prices and agreements for those who may see the account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from starlette.types import ASGIApp

from processes.rules.tokens import PriceClaims, TokenSigner
from resolvers.catalog.ports import CatalogPorts
from schema.enums import ItemStatus, PriceSource, SourceSystem
from schema.records.catalog import Category, PriceLevel
from schema.records.currencies import trim_to_minor
from schema.records.values import ExternalRef, ItemUom
from subgraphs.catalog.app import build_catalog
from systems.errors import RateLimited, Unavailable
from tests.support.fake_systems import FakeClock, FakeCrm, FakeErp, Kept, Script, account
from tests.support.rule_records import NOW, SIGNING_KEY, TODAY, item, money, rule, ship_to, terms
from tests.support.subgraph_requests import CLAIMS, STAFF, STRANGER, ask, customer, data, entities, staff

PROBLEM = "... on Problem { code message path retryable } ... on ValidationFailed { rule field }"
PRICE = f"__typename ... on Price {{ sku unit {{ amount currency }} source }} {PROBLEM}"
LATER = TODAY + timedelta(days=40)

PUMPS = Category("cat_PUMPS", "PUMPS", "Pumps", "cat_ROOT")
ROOT = Category("cat_ROOT", "ROOT", "Everything", None)

PUMP = replace(
    item(substitutes=("PMP-0043", "GONE", "VLV-0007"), restricted=("US-AK",)),
    name="Transfer pump 32",
    category=PUMPS,
    gtin="9521234000019",
    refs=(ExternalRef(SourceSystem.CLOUD_ERP, "4711"),),
)
VALVE = replace(item("VLV-0007", brand="Aldous", category=None), uoms=(ItemUom("EA", Decimal(1), "95200002"),))

RULES = [
    rule("list", PriceLevel.LIST, "45.00"),
    rule("valve", PriceLevel.LIST, "10.00", sku="VLV-0007"),
    rule("euro", PriceLevel.LIST, "20.00", currency="EUR", sku="MTR-0001"),
    rule("gold", PriceLevel.PRICE_GROUP, "42.00", group="GOLD"),
    rule("sale", PriceLevel.PROMOTION, "8.50", sku="VLV-0007", start=LATER, end=LATER),
    rule(
        "CON-1",
        PriceLevel.CONTRACT,
        account="acc_1",
        breaks=(("1", "38.40"), ("24", "36.10"), ("96", "34.20")),
        inherit=True,
        exclusive=True,
        end=TODAY + timedelta(days=10),
    ),
    rule("CON-2", PriceLevel.CONTRACT, percent="4", account="acc_1", sku=None, category="FILTERS"),
    rule("old", PriceLevel.CONTRACT, "30.00", account="acc_1", sku="VLV-0007", end=TODAY - timedelta(days=1)),
    rule("one", PriceLevel.CONTRACT, "8.10", account="acc_2", sku="FIT-0013"),
    rule("two", PriceLevel.CONTRACT, "8.45", account="acc_2", sku="FIT-0013"),
]


@dataclass
class Shop:
    app: ASGIApp
    script: Script
    erp: FakeErp
    crm: FakeCrm

    def calls(self) -> Counter[str]:
        """Return the calls since this was last asked."""
        made = Counter(self.script.calls)
        self.script.calls.clear()
        return made

    def stock_items(self, count: int) -> list[str]:
        """Put items with list prices into the shop and return their skus."""
        skus = [f"ITM-{number:04}" for number in range(count)]
        self.erp.items_by_sku = {sku: item(sku) for sku in skus}
        self.erp.price_rules = [rule(sku, PriceLevel.LIST, "1.00", sku=sku) for sku in skus]
        return skus


@pytest.fixture
def shop() -> Iterator[Shop]:
    script, kept = Script(), Kept()
    erp, crm = FakeErp(script, kept), FakeCrm(script, kept)
    crm.known = {
        "acc_1": account("acc_1"),
        "acc_2": account("acc_2"),
        "acc_child": account("acc_child", parent_id="acc_middle"),
        "acc_middle": account("acc_middle", parent_id="acc_1"),
        "acc_loop": account("acc_loop", parent_id="acc_loop"),
        "acc_euro": account("acc_euro"),
    }
    erp.terms_by_account = {
        "acc_1": terms(),
        "acc_2": terms(account="acc_2", group=None),
        "acc_child": terms(account="acc_child"),
        "acc_loop": terms(account="acc_loop"),
        "acc_euro": terms(account="acc_euro", currency="EUR", group=None),
    }
    alaska = replace(ship_to(region="AK"), id="shp_ak")
    erp.places = {"shp_1": ship_to(), "shp_ak": alaska, "shp_2": replace(ship_to(), id="shp_2", account_id="acc_2")}
    erp.items_by_sku = {
        entry.sku: entry
        for entry in (
            PUMP,
            VALVE,
            replace(item("PMP-0043"), name="Transfer pump 40"),
            item("FIT-0013"),
            item("MTR-0001"),
            item("OLD-0001", status=ItemStatus.DISCONTINUED, substitutes=("VLV-0007",)),
            item("DOZ-0001", minimum="12", multiple="12"),
        )
    }
    erp.categories_by_id = {entry.id: entry for entry in (PUMPS, ROOT)}
    erp.price_rules = list(RULES)
    erp.rates = {("EUR", "USD"): Decimal("1.10"), ("USD", "EUR"): Decimal("0.90")}
    untouched: Any = None
    ports = CatalogPorts(
        items=erp,
        prices=erp,
        customers=erp,
        directory=crm,
        events=untouched,
        signer=TokenSigner(SIGNING_KEY),
        clock=FakeClock(NOW),
    )
    yield Shop(build_catalog(ports, CLAIMS), script, erp, crm)
    kept.close()


async def price_of(
    shop: Shop, sku: str = "PMP-0042", selection: str = PRICE, who: Any = STAFF, **changes: Any
) -> dict[str, Any]:
    """Return the answer for one line of a cart of acc_1."""
    quantity = {"value": changes.pop("value", "1"), "uom": changes.pop("uom", "EA")}
    asked = {"account": "acc_1", "lines": [{"sku": sku, "quantity": quantity}], **changes}
    query = (
        "query ($account: ID!, $lines: [PriceLineInput!]!, $shipTo: ID, $on: Date) {"
        f" prices(accountId: $account, lines: $lines, shipToId: $shipTo, asOf: $on) {{ {selection} }} }}"
    )
    (found,) = (await data(shop.app, query, who, **asked))["prices"]
    return dict(found)


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


class TestPrices:
    async def test_a_customer_pays_the_break_of_its_contract(self, shop: Shop):
        selection = (
            "... on Price { sku unit { amount currency } per { value uom } extended { amount } list { amount } source"
            " ruleId components { source ruleId description amount { amount } } validFrom validTo"
            " breaks { minQuantity { value uom } unit { amount } } freshness { source asOf stale note } }"
        )
        query = (
            'query ($a: ID!, $s: ID!, $q: QuantityInput!) { itemBySku(sku: "PMP-0042") {'
            f" price(accountId: $a, quantity: $q, shipToId: $s) {{ {selection} }} }} }}"
        )
        asked = {"a": "acc_1", "s": "shp_1", "q": {"value": "24", "uom": "EA"}}
        assert (await data(shop.app, query, **asked))["itemBySku"]["price"] == {
            "sku": "PMP-0042",
            "unit": {"amount": "36.10", "currency": "USD"},
            "per": {"value": "1", "uom": "EA"},
            "extended": {"amount": "866.40"},
            "list": {"amount": "45.00"},
            "source": "CONTRACT",
            "ruleId": "rule_CON-1",
            "components": [
                {
                    "source": "LIST",
                    "ruleId": "rule_list",
                    "description": "List list",
                    "amount": {"amount": "45.00"},
                },
                {
                    "source": "CONTRACT",
                    "ruleId": "rule_CON-1",
                    "description": "Contract CON-1",
                    "amount": {"amount": "-6.60"},
                },
                {
                    "source": "QUANTITY_BREAK",
                    "ruleId": "rule_CON-1",
                    "description": "From 24 base units on",
                    "amount": {"amount": "-2.30"},
                },
            ],
            "validFrom": "2026-01-01",
            "validTo": "2026-03-14",
            "breaks": [
                {"minQuantity": {"value": "1", "uom": "EA"}, "unit": {"amount": "38.40"}},
                {"minQuantity": {"value": "24", "uom": "EA"}, "unit": {"amount": "36.10"}},
                {"minQuantity": {"value": "96", "uom": "EA"}, "unit": {"amount": "34.20"}},
            ],
            "freshness": {"source": "CLOUD_ERP", "asOf": "2026-03-04T15:00:00Z", "stale": False, "note": None},
        }

    @pytest.mark.parametrize(
        ("who", "sku", "changes", "source", "unit"),
        [
            pytest.param("acc_1", "PMP-0042", {"value": "23"}, "CONTRACT", "38.40", id="below the break"),
            pytest.param("acc_1", "PMP-0042", {"value": "4", "uom": "XBX"}, "CONTRACT", "216.60", id="by the box"),
            pytest.param("acc_child", "PMP-0042", {"value": "24"}, "PARENT_CONTRACT", "36.10", id="a grandparent's"),
            pytest.param("acc_loop", "PMP-0042", {}, "PRICE_GROUP", "42.00", id="group; its own parent has none"),
            pytest.param("acc_2", "PMP-0042", {}, "LIST", "45.00", id="no group and no contract"),
            pytest.param("acc_1", "VLV-0007", {}, "LIST", "10.00", id="the contract has ended"),
            pytest.param("acc_1", "VLV-0007", {"on": LATER}, "PROMOTION", "8.50", id="a promotion of that day"),
            pytest.param("acc_1", "PMP-0042", {"on": LATER}, "PRICE_GROUP", "42.00", id="after the contract"),
            pytest.param("acc_1", "MTR-0001", {}, "FX_CONVERTED", "22.00", id="list in another currency"),
        ],
    )
    async def test_the_best_claim_decides(
        self, shop: Shop, who: str, sku: str, changes: dict[str, Any], source: str, unit: str
    ):
        dated = {key: value.isoformat() if isinstance(value, date) else value for key, value in changes.items()}
        found = await price_of(shop, sku, account=who, **dated)
        assert (found.get("source"), found.get("unit", {}).get("amount")) == (source, unit)

    async def test_the_token_is_the_price_for_a_quarter_of_an_hour(self, shop: Shop):
        found = await price_of(shop, value="24", selection="... on Price { token tokenExpiresAt }")
        assert found["tokenExpiresAt"] == "2026-03-04T15:15:00Z"
        assert TokenSigner(SIGNING_KEY).verify(found["token"]) == PriceClaims(
            account_id="acc_1",
            sku="PMP-0042",
            uom="EA",
            unit=money("36.1000"),
            min_quantity=Decimal(24),
            below=Decimal(96),
            source=PriceSource.CONTRACT,
            rule_id="rule_CON-1",
            expires_at=NOW + timedelta(minutes=15),
        )

    async def test_the_price_of_a_later_day_cannot_be_bought_at_today(self, shop: Shop):
        found = await price_of(shop, on=LATER.isoformat(), selection="... on Price { token tokenExpiresAt }")
        claims = TokenSigner(SIGNING_KEY).verify(found["token"])
        assert isinstance(claims, PriceClaims)
        assert claims.expires_at == NOW
        assert found["tokenExpiresAt"] == "2026-03-04T15:00:00Z"

    async def test_lines_are_answered_in_their_order_each_for_itself(self, shop: Shop):
        lines = [
            {"sku": sku, "quantity": {"value": value, "uom": uom}}
            for sku, value, uom in [
                ("VLV-0007", "2", "EA"),
                ("NONE", "1", "EA"),
                ("PMP-0042", "0", "EA"),
                ("OLD-0001", "1", "EA"),
                ("PMP-0043", "1", "EA"),
                ("VLV-0007", "2", "EA"),
            ]
        ]
        query = f'query ($l: [PriceLineInput!]!) {{ prices(accountId: "acc_1", lines: $l) {{ {PRICE} }} }}'
        found = (await data(shop.app, query, l=lines))["prices"]
        assert [(answer["__typename"], answer.get("path")) for answer in found] == [
            ("Price", None),
            ("ValidationFailed", ["lines", "1", "sku"]),
            ("ValidationFailed", ["lines", "2", "quantity", "value"]),
            ("ItemNotSellable", ["lines", "3"]),
            ("PricingConflict", ["lines", "4"]),
            ("Price", None),
        ]

    async def test_a_cart_without_lines_costs_nothing(self, shop: Shop):
        assert (await data(shop.app, '{ prices(accountId: "acc_1", lines: []) { __typename } }'))["prices"] == []
        assert shop.calls() == {}

    async def test_a_cart_that_is_too_large_is_refused_with_the_limit(self, shop: Shop):
        lines = [{"sku": "VLV-0007", "quantity": {"value": "1", "uom": "EA"}}] * 201
        query = 'query ($l: [PriceLineInput!]!) { prices(accountId: "acc_1", lines: $l) { __typename } }'
        (error,) = (await ask(shop.app, query, l=lines))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["message"] == "lines has 201 entries: price at most 200 at once"
        assert shop.calls() == {}


class TestProblems:
    @pytest.mark.parametrize(
        ("sku", "changes", "rule_name", "path", "said"),
        [
            pytest.param("NONE", {}, "UNKNOWN_SKU", "lines.0.sku", "'NONE' does not exist", id="unknown item"),
            pytest.param("PMP-0042", {"uom": "KGM"}, "UNKNOWN_UNIT", "lines.0.quantity.uom", "EA, XBX, XPX", id="unit"),
            pytest.param(
                "PMP-0042", {"value": "0"}, "QUANTITY_POSITIVE", "lines.0.quantity.value", "not above zero", id="zero"
            ),
            pytest.param(
                "PMP-0042", {"value": "-1"}, "QUANTITY_POSITIVE", "lines.0.quantity.value", "not above", id="negative"
            ),
            pytest.param(
                "PMP-0042", {"value": "2e9"}, "QUANTITY_TOO_LARGE", "lines.0.quantity.value", "more than", id="too many"
            ),
            pytest.param("DOZ-0001", {}, "MIN_QUANTITY", "lines.0.quantity.value", "12 EA", id="below the minimum"),
            pytest.param(
                "DOZ-0001", {"value": "13"}, "MULTIPLE", "lines.0.quantity.value", "multiple of 12 EA", id="no multiple"
            ),
            pytest.param("PMP-0042", {"on": "2026-03-02"}, "DATE_IN_PAST", "asOf", "2026-03-02 has passed", id="past"),
            pytest.param("PMP-0042", {"shipTo": "shp_9"}, "UNKNOWN_SHIP_TO", "shipToId", "no ship-to", id="ship-to"),
            pytest.param(
                "PMP-0042", {"shipTo": "shp_2"}, "UNKNOWN_SHIP_TO", "shipToId", "no ship-to 'shp_2'", id="another's"
            ),
            pytest.param(
                "PMP-0042", {"account": "acc_9"}, "UNKNOWN_ACCOUNT", "accountId", "'acc_9' is not known", id="account"
            ),
        ],
    )
    async def test_what_is_wrong_with_a_question_is_said_with_its_place(
        self, shop: Shop, sku: str, changes: dict[str, Any], rule_name: str, path: str, said: str
    ):
        found = await price_of(shop, sku, **changes)
        assert (found["__typename"], found["code"], found["rule"]) == (
            "ValidationFailed",
            "VALIDATION_FAILED",
            rule_name,
        )
        assert (".".join(found["path"]), found["field"], found["retryable"]) == (path, path.rpartition(".")[2], False)
        assert said in found["message"]

    async def test_yesterday_somewhere_on_earth_is_not_past(self, shop: Shop):
        shop.erp.price_rules = [rule("list", PriceLevel.LIST, "45.00")]
        found = await price_of(shop, on=(NOW - timedelta(hours=12)).date().isoformat())
        assert found["__typename"] == "Price"

    @pytest.mark.parametrize(
        ("sku", "account_id", "reason", "said"),
        [
            pytest.param("PMP-0043", "acc_1", "NO_PRICE", "no price row applies", id="no row"),
            pytest.param("FIT-0013", "acc_2", "AMBIGUOUS_RULES", "rules one, two are level", id="rows contradict"),
        ],
    )
    async def test_a_price_that_nobody_can_tell_is_a_conflict(
        self, shop: Shop, sku: str, account_id: str, reason: str, said: str
    ):
        selection = f"{PRICE} ... on PricingConflict {{ sku reason expected {{ amount }} current {{ amount }} }}"
        found = await price_of(shop, sku, selection, account=account_id)
        assert (found["__typename"], found["code"], found["reason"]) == ("PricingConflict", "PRICING_CONFLICT", reason)
        assert (found["sku"], found["expected"], found["current"]) == (sku, None, None)
        assert said in found["message"]

    async def test_a_contract_is_never_converted(self, shop: Shop):
        shop.erp.price_rules.append(rule("dollars", PriceLevel.CONTRACT, "30.00", account="acc_euro"))
        found = await price_of(shop, selection="... on PricingConflict { reason message }", account="acc_euro")
        assert found == {
            "reason": "NO_PRICE_IN_CURRENCY",
            "message": "PMP-0042 has no price: the contract is not in EUR",
        }

    @pytest.mark.parametrize(
        ("sku", "changes", "reason", "substitutes"),
        [
            pytest.param("OLD-0001", {}, "DISCONTINUED", ["VLV-0007"], id="discontinued"),
            pytest.param(
                "PMP-0042", {"shipTo": "shp_ak"}, "RESTRICTED_REGION", ["PMP-0043", "VLV-0007"], id="restricted region"
            ),
        ],
    )
    async def test_an_item_that_may_not_be_sold_comes_with_substitutes(
        self, shop: Shop, sku: str, changes: dict[str, Any], reason: str, substitutes: list[str]
    ):
        selection = "... on ItemNotSellable { code sku reason substitutes { sku } }"
        found = await price_of(shop, sku, selection, **changes)
        assert (found["code"], found["sku"], found["reason"]) == ("ITEM_NOT_SELLABLE", sku, reason)
        assert [entry["sku"] for entry in found["substitutes"]] == substitutes


class TestSystemsAway:
    SELECTION = f"{PRICE} ... on DependencyUnavailable {{ system retryAfterSeconds }}"

    @pytest.mark.parametrize("system", [SourceSystem.CLOUD_ERP, SourceSystem.CRM])
    async def test_a_system_that_is_down_is_named_instead_of_a_price(self, shop: Shop, system: SourceSystem):
        shop.script.down.add(system)
        found = await price_of(shop, selection=self.SELECTION)
        assert (found["__typename"], found["code"]) == ("DependencyUnavailable", "DEPENDENCY_UNAVAILABLE")
        assert (found["system"], found["retryable"], found["retryAfterSeconds"]) == (system.value, True, None)
        assert found["message"] == f"{system.value} did not answer: no price can be told, ask again"

    @pytest.mark.parametrize(
        "error",
        [
            Unavailable(SourceSystem.CLOUD_ERP, "rules", "overloaded", outcome_unknown=False, retry_after_s=29.2),
            RateLimited(SourceSystem.CLOUD_ERP, "rules", "slow down", 29.2),
        ],
        ids=["overloaded", "rate limited"],
    )
    async def test_how_long_to_wait_is_handed_on_in_whole_seconds(self, shop: Shop, error: Any):
        shop.script.before["rules"].append(error)
        found = await price_of(shop, selection=self.SELECTION)
        assert (found["system"], found["retryAfterSeconds"]) == ("CLOUD_ERP", 30)

    async def test_a_rate_that_cannot_be_read_costs_only_the_lines_that_need_it(self, shop: Shop):
        error = Unavailable(SourceSystem.CLOUD_ERP, "exchange rate", "no answer", outcome_unknown=False)
        shop.script.before["exchange_rate"].append(error)
        lines = [{"sku": sku, "quantity": {"value": "1", "uom": "EA"}} for sku in ("PMP-0042", "MTR-0001")]
        query = 'query ($l: [PriceLineInput!]!) { prices(accountId: "acc_1", lines: $l) { __typename } }'
        found = (await data(shop.app, query, l=lines))["prices"]
        assert [answer["__typename"] for answer in found] == ["Price", "DependencyUnavailable"]

    async def test_a_failed_system_is_asked_once_per_request(self, shop: Shop):
        shop.script.down.add(SourceSystem.CRM)
        lines = [{"sku": "PMP-0042", "quantity": {"value": str(n), "uom": "EA"}} for n in range(1, 20)]
        query = 'query ($l: [PriceLineInput!]!) { prices(accountId: "acc_1", lines: $l) { __typename } }'
        found = (await data(shop.app, query, l=lines))["prices"]
        assert {answer["__typename"] for answer in found} == {"DependencyUnavailable"}
        assert shop.calls()["accounts"] == 1


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

    async def test_margins_are_for_those_with_the_right(self, shop: Shop):
        selection = "... on Price { marginPercent }"
        assert await price_of(shop, value="24", selection=selection, who=staff("margin:read")) == {
            "marginPercent": "30.75"
        }

    @pytest.mark.parametrize(
        "who",
        [STAFF, customer("acc_1"), customer("acc_1", scopes=("margin:read",))],
        ids=["staff without the scope", "a customer", "a customer with the scope"],
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


def account_of(account_id: str = "acc_1", **told: Any) -> dict[str, Any]:
    return {"__typename": "Account", "id": account_id, "priceGroup": None, "currency": "USD", **told}


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


class TestCalls:
    """However many are asked for, each port is called as often as for one."""

    PRICE = '(accountId: "acc_1", shipToId: "shp_1", quantity: {value: "1", uom: "EA"}) { __typename }'
    ONCE: ClassVar = {"terms": 1, "ship_tos": 1, "accounts": 1, "rules": 1}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_prices_of_items_that_are_named_one_by_one(self, shop: Shop, count: int):
        fields = [
            f'i{n}: itemBySku(sku: "{sku}") {{ listPrice(currency: "USD") {{ amount }} price{self.PRICE} }}'
            for n, sku in enumerate(shop.stock_items(count))
        ]
        found = await data(shop.app, "{" + " ".join(fields) + "}")
        assert {entry["price"]["__typename"] for entry in found.values()} == {"Price"}
        assert shop.calls() == {"items": 1, **self.ONCE}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_prices_of_a_list_of_items(self, shop: Shop, count: int):
        shop.stock_items(count)
        found = await data(shop.app, f"{{ items(first: {count}) {{ nodes {{ sku price{self.PRICE} }} }} }}")
        assert len(found["items"]["nodes"]) == count
        assert shop.calls() == {"search_items": 1, **self.ONCE}

    @pytest.mark.parametrize("count", [1, 20])
    async def test_the_lines_of_a_cart(self, shop: Shop, count: int):
        lines = [{"sku": sku, "quantity": {"value": "1", "uom": "EA"}} for sku in shop.stock_items(count)]
        query = "query ($l: [PriceLineInput!]!) {"
        query += ' prices(accountId: "acc_1", shipToId: "shp_1", lines: $l) { __typename } }'
        found = await data(shop.app, query, l=lines)
        assert [answer["__typename"] for answer in found["prices"]] == ["Price"] * count
        assert shop.calls() == {"items": 1, **self.ONCE}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_references_to_items(self, shop: Shop, count: int):
        items = [{"__typename": "Item", "id": f"itm_{sku}"} for sku in shop.stock_items(count)]
        found = await entities(shop.app, f"... on Item {{ sku price{self.PRICE} }}", *items)
        assert len(found) == count
        assert shop.calls() == {"items": 1, **self.ONCE}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_prices_of_accounts_under_one_parent(self, shop: Shop, count: int):
        children = [account(f"acc_c{n}", parent_id="acc_1") for n in range(count)]
        shop.crm.known |= {entry.id: entry for entry in children}
        query = 'agreements { totalCount } price(sku: "PMP-0042", quantity: {value: "1", uom: "EA"})'
        found = await entities(
            shop.app,
            f"... on Account {{ {query} {{ ... on Price {{ source }} }} }}",
            *(account_of(entry.id, priceGroup=f"G{number}") for number, entry in enumerate(children)),
        )
        assert [entry["price"] for entry in found] == [{"source": "PARENT_CONTRACT"}] * count
        assert shop.calls() == {"items": 1, "accounts": 2, "rules": 1, "agreements_of": 1}

    @pytest.mark.parametrize("count", [1, 30])
    async def test_categories_and_substitutes(self, shop: Shop, count: int):
        skus = shop.stock_items(count)
        for sku in skus:
            shop.erp.items_by_sku[sku] = replace(item(sku, substitutes=(f"S-{sku}",)), category=PUMPS)
            shop.erp.items_by_sku[f"S-{sku}"] = item(f"S-{sku}")
        items = [{"__typename": "Item", "sku": sku} for sku in skus]
        found = await entities(shop.app, "... on Item { substitutes { sku } category { parent { code } } }", *items)
        assert found[-1] == {"substitutes": [{"sku": f"S-{skus[-1]}"}], "category": {"parent": {"code": "ROOT"}}}
        assert shop.calls() == {"items": 2, "categories": 1}

    async def test_rates_are_asked_per_pair_of_currencies(self, shop: Shop):
        skus = shop.stock_items(30)
        shop.erp.price_rules = [rule(sku, PriceLevel.LIST, "1.00", sku=sku, currency="EUR") for sku in skus]
        lines = [{"sku": sku, "quantity": {"value": "1", "uom": "EA"}} for sku in skus]
        query = 'query ($l: [PriceLineInput!]!) { prices(accountId: "acc_1", lines: $l) { ... on Price { source } } }'
        found = await data(shop.app, query, l=lines)
        assert {answer["source"] for answer in found["prices"]} == {"FX_CONVERTED"}
        assert shop.calls()["exchange_rate"] == 1


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("36.1000", "USD", "36.10"),
        ("36.1250", "USD", "36.125"),
        ("36", "USD", "36.00"),
        ("120.0000", "JPY", "120"),
        ("120.5000", "JPY", "120.5"),
        ("-2.3000", "KWD", "-2.300"),
    ],
)
def test_a_price_is_written_with_the_decimals_that_it_needs(amount: str, currency: str, written: str):
    assert f"{trim_to_minor(money(amount, currency)).amount:f}" == written


class TestMemory:
    """What a price is while a system is out."""

    FRESH = "... on Price { unit { amount } freshness { asOf stale note } } ... on Problem { code }"

    async def test_a_price_that_was_told_before_is_told_again_as_of_then(self, shop: Shop):
        before = await price_of(shop, selection=self.FRESH, account="acc_child")
        shop.script.down.add(SourceSystem.CLOUD_ERP)
        after = await price_of(shop, selection=self.FRESH, account="acc_child")
        assert after["unit"] == before["unit"]
        assert (before["freshness"]["stale"], after["freshness"]["stale"]) == (False, True)
        assert after["freshness"]["note"] == "the price is as the ERP last told it"

    async def test_what_one_customer_was_told_makes_no_price_for_another(self, shop: Shop):
        await price_of(shop, selection=self.FRESH)
        shop.script.down.add(SourceSystem.CLOUD_ERP)
        assert await price_of(shop, selection=self.FRESH, account="acc_2") == {"code": "DEPENDENCY_UNAVAILABLE"}

    async def test_without_knowing_the_parents_there_is_no_price(self, shop: Shop):
        shop.script.down.add(SourceSystem.CRM)
        assert await price_of(shop, selection=self.FRESH, account="acc_child") == {"code": "DEPENDENCY_UNAVAILABLE"}

    async def test_with_known_parents_there_is_one_without_the_crm(self, shop: Shop):
        before = await price_of(shop, selection=self.FRESH, account="acc_child")
        shop.script.down.add(SourceSystem.CRM)
        after = await price_of(shop, selection=self.FRESH, account="acc_child")
        assert (after["unit"], after["freshness"]["stale"]) == (before["unit"], True)

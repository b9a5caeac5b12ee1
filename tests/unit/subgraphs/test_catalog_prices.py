"""Prices of customers in the catalog subgraph: what a line costs, and why that cannot be told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes.rules.tokens import PriceClaims, TokenSigner
from schema.enums import PriceSource
from schema.records.catalog import PriceLevel
from schema.records.currencies import trim_to_minor
from tests.support.catalog_shop import (
    LATER,
    PRICE,
    Shop,
    catalog_shop,
    price_of,
)
from tests.support.rule_records import NOW, SIGNING_KEY, money, rule
from tests.support.subgraph_requests import ask, data


@pytest.fixture
def shop() -> Iterator[Shop]:
    with catalog_shop() as made:
        yield made


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

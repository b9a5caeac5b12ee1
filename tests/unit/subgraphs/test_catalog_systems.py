"""What the catalog subgraph asks of systems: one call for many questions, and memory while one is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from schema.enums import SourceSystem
from schema.records.catalog import PriceLevel
from systems.errors import RateLimited, Unavailable
from tests.support.catalog_shop import (
    PRICE,
    PUMPS,
    Shop,
    account_of,
    catalog_shop,
    price_of,
)
from tests.support.fake_systems import account
from tests.support.rule_records import item, rule
from tests.support.subgraph_requests import data, entities


@pytest.fixture
def shop() -> Iterator[Shop]:
    with catalog_shop() as made:
        yield made


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

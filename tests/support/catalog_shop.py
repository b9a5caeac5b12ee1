"""The catalog subgraph over systems in memory: a shop with a few items, customers and prices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from starlette.types import ASGIApp

from processes.rules.tokens import TokenSigner
from resolvers.catalog.ports import CatalogPorts
from schema.enums import ItemStatus, SourceSystem
from schema.records.catalog import Category, PriceLevel
from schema.records.values import ExternalRef, ItemUom
from subgraphs.catalog.app import build_catalog
from tests.support.fake_systems import FakeClock, FakeCrm, FakeErp, Kept, Script, account
from tests.support.no_merges import NoMerges
from tests.support.rule_records import NOW, SIGNING_KEY, TODAY, item, rule, ship_to, terms
from tests.support.subgraph_requests import CLAIMS, STAFF, data

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


class Merged(NoMerges):
    """A platform that knows of merged accounts which one each is now."""

    def __init__(self) -> None:
        self.survivor_of: dict[str, str] = {}

    async def survivors(self, account_ids: Sequence[str]) -> Mapping[str, str]:
        return {entry: self.survivor_of[entry] for entry in account_ids if entry in self.survivor_of}


@dataclass
class Shop:
    app: ASGIApp
    script: Script
    erp: FakeErp
    crm: FakeCrm
    merges: Merged

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


@contextmanager
def catalog_shop() -> Iterator[Shop]:
    """Open a shop with a few items, customers and prices."""
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
    merges = Merged()
    ports = CatalogPorts(
        items=erp,
        prices=erp,
        customers=erp,
        directory=crm,
        merges=merges,
        events=untouched,
        signer=TokenSigner(SIGNING_KEY),
        clock=FakeClock(NOW),
    )
    yield Shop(build_catalog(ports, CLAIMS), script, erp, crm, merges)
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


def account_of(account_id: str = "acc_1", **told: Any) -> dict[str, Any]:
    """Return an account as a reference names it."""
    return {"__typename": "Account", "id": account_id, "priceGroup": None, "currency": "USD", **told}

"""Prices of customers of several ERPs in one answer: one that is silent costs its own customers theirs at most."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import ASGIApp

from processes.rules.tokens import TokenSigner
from resolvers.catalog.ports import CatalogPorts
from schema.records.catalog import PriceLevel
from subgraphs.catalog.app import build_catalog
from tests.support.fake_systems import FakeClock, account
from tests.support.no_merges import NoMerges
from tests.support.rule_records import NOW, SIGNING_KEY, item, rule
from tests.support.subgraph_requests import CLAIMS, STAFF, data
from tests.support.two_erps import CLOUD, HOMES, LEGACY, TwoErps, two_erps

ANSWER = "... on Price { unit { amount } source freshness { source stale } } ... on DependencyUnavailable { system }"
LINES = '[{sku: "PMP-0042", quantity: {value: "1", uom: "EA"}}]'


@pytest.fixture
def erps() -> TwoErps:
    made = two_erps()
    made.crm.known["acc_child"] = account("acc_child", parent_id="acc_legacy")
    made.cloud.terms_by_account["acc_child"] = made.cloud.terms_by_account["acc_cloud"]
    made.cloud.items_by_sku = {"PMP-0042": item()}
    made.cloud.price_rules = [rule("list", PriceLevel.LIST, "45.00")]
    made.legacy.price_rules = [
        rule("old", PriceLevel.CONTRACT, "36.00", account="acc_legacy", inherit=True, exclusive=True),
        rule("moving", PriceLevel.CONTRACT, "37.00", account="acc_moving"),
    ]
    return made


@pytest.fixture
def app(erps: TwoErps) -> ASGIApp:
    erp = erps.routing
    untouched: Any = None
    ports = CatalogPorts(
        items=erp,
        prices=erp,
        customers=erp,
        directory=erps.crm,
        merges=NoMerges(),
        events=untouched,
        signer=TokenSigner(SIGNING_KEY),
        clock=FakeClock(NOW),
    )
    return build_catalog(ports, CLAIMS)


async def prices(app: ASGIApp, *names: str) -> dict[str, Any]:
    """Return (price or silent system, source, ERP, staleness) of a pump per account, all asked for at once."""
    fields = " ".join(f'{name}: prices(accountId: "{name}", lines: {LINES}) {{ {ANSWER} }}' for name in names)
    found = await data(app, f"{{ {fields} }}", STAFF)
    return {name: _shown(*answers) for name, answers in found.items()}


def _shown(answer: dict[str, Any]) -> tuple[Any, ...]:
    if "system" in answer:
        return (answer["system"],)
    return answer["unit"]["amount"], answer["source"], answer["freshness"]["source"], answer["freshness"]["stale"]


async def test_customers_pay_the_contracts_of_their_own_erp_and_the_list_of_all(app: ASGIApp, erps: TwoErps):
    assert await prices(app, *HOMES, "acc_child") == {
        "acc_cloud": ("45.00", "LIST", "CLOUD_ERP", False),
        "acc_legacy": ("36.00", "CONTRACT", "LEGACY_ERP", False),
        "acc_moving": ("37.00", "CONTRACT", "LEGACY_ERP", False),
        "acc_child": ("36.00", "PARENT_CONTRACT", "CLOUD_ERP", False),
    }
    assert [erps.cloud.script.calls.count("rules"), erps.legacy.script.calls.count("rules")] == [1, 1]


async def test_a_silent_erp_leaves_its_customers_and_their_heirs_without_prices(app: ASGIApp, erps: TwoErps):
    erps.silence(LEGACY)
    assert await prices(app, *HOMES, "acc_child") == {
        "acc_cloud": ("45.00", "LIST", "CLOUD_ERP", False),
        "acc_legacy": ("LEGACY_ERP",),
        "acc_moving": ("LEGACY_ERP",),
        "acc_child": ("LEGACY_ERP",),
    }


async def test_what_a_silent_erp_told_before_is_told_again_and_stale_for_its_own_customers(app: ASGIApp, erps: TwoErps):
    before = await prices(app, *HOMES, "acc_child")
    erps.silence(LEGACY)
    after = await prices(app, *HOMES, "acc_child")
    assert {name: shown[:3] for name, shown in after.items()} == {name: shown[:3] for name, shown in before.items()}
    stale = {name: shown[3] for name, shown in after.items()}
    assert stale == {"acc_cloud": False, "acc_legacy": True, "acc_moving": True, "acc_child": True}


async def test_a_silent_item_master_is_nobodys_price(app: ASGIApp, erps: TwoErps):
    erps.silence(CLOUD)
    assert await prices(app, "acc_legacy", "acc_cloud") == {"acc_legacy": ("CLOUD_ERP",), "acc_cloud": ("CLOUD_ERP",)}

"""Orders of two ERPs in one answer: one that is silent costs its own orders their freshness, and no others anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from schema.enums import SourceSystem
from schema.records.values import ExternalRef
from systems.errors import PartlyAnswered, Unavailable
from tests.support.order_records import document, recorded
from tests.support.orders_world import OrdersWorld, orders_world

CLOUD, LEGACY = SourceSystem.CLOUD_ERP, SourceSystem.LEGACY_ERP
SILENT = Unavailable(LEGACY, "orders", "no connection", outcome_unknown=False)
FIELDS = "nodes { id homeErp freshness { source stale } externalRefs { system id } }"


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    """``ord_1`` of ``acc_1`` is in the cloud; ``acc_2`` migrates: ``ord_2`` is in the legacy ERP, ``ord_3`` in both."""
    async with orders_world(sqlite_url) as made:
        first = recorded(1)
        await made.put(first, document(first))
        await made.put(recorded(2, account_id="acc_2", home_erp=LEGACY))
        third = recorded(3, account_id="acc_2", home_erp=CLOUD)
        await made.put(third, document(third))
        yield made


def partly(world: OrdersWorld, operation: str, *, by_account: bool) -> None:
    """Let a bulk read of the ERPs say what the cloud has, and that the legacy ERP is silent."""
    whole = getattr(world.erp, operation)

    async def read(*asked: object) -> object:
        found = await whole(*asked)
        if by_account:
            raise PartlyAnswered(operation, found, {"acc_2": SILENT}, {LEGACY: SILENT})
        known = {order.id: order for order in found.items}
        raise PartlyAnswered(operation, known, {}, {LEGACY: SILENT})

    setattr(world.erp, operation, read)


def shown(nodes: list[dict[str, object]]) -> dict[object, tuple[object, object]]:
    return {node["id"]: (node["homeErp"], node["freshness"]["stale"]) for node in nodes}  # type: ignore[index]


async def test_orders_of_accounts_are_stale_where_their_erp_is_silent(world: OrdersWorld):
    partly(world, "orders_of", by_account=True)
    representations = [{"__typename": "Account", "id": name} for name in ("acc_1", "acc_2")]
    one, other = await world.entities(f"... on Account {{ orders {{ {FIELDS} }} }}", *representations)
    assert shown(one["orders"]["nodes"]) == {"ord_1": ("CLOUD_ERP", False)}
    assert shown(other["orders"]["nodes"]) == {"ord_3": ("CLOUD_ERP", False), "ord_2": ("LEGACY_ERP", True)}
    stale = other["orders"]["nodes"][1]
    assert stale["externalRefs"] == [{"system": "LEGACY_ERP", "id": "SO-300002"}]
    assert "orders" not in world.calls  # the silent one is not asked a second time


async def test_a_search_shows_orders_of_a_silent_erp_as_they_are_recorded(world: OrdersWorld):
    partly(world, "search_orders", by_account=False)
    found = (await world.data(f"{{ orders {{ {FIELDS} }} }}"))["orders"]["nodes"]
    assert shown(found) == {
        "ord_3": ("CLOUD_ERP", False),
        "ord_2": ("LEGACY_ERP", True),
        "ord_1": ("CLOUD_ERP", False),
    }


async def test_an_order_by_its_id_fails_only_when_its_own_erp_may_know_more(world: OrdersWorld):
    whole = world.erp.orders
    here = document(recorded(4), home_erp=LEGACY, refs=(ExternalRef(LEGACY, "L-1"),))
    world.erp.entered[here.id] = replace(here, account_id="acc_1")

    async def read(ids: list[str]) -> object:
        found = {name: order for name, order in (await whole(ids)).items() if name in ("ord_1", "ord_4")}
        raise PartlyAnswered("orders", found, dict.fromkeys(set(ids) - set(found), SILENT), {LEGACY: SILENT})

    world.erp.orders = read  # type: ignore[assignment]
    query = """{ known: order(id: "ord_1") { homeErp freshness { stale } } old: order(id: "ord_4") { homeErp }
        stale: order(id: "ord_2") { homeErp freshness { stale } } lost: order(id: "ord_9") { id } }"""
    answer = await world.ask(query)
    assert answer["data"] == {
        "known": {"homeErp": "CLOUD_ERP", "freshness": {"stale": False}},
        "old": {"homeErp": "LEGACY_ERP"},
        "stale": {"homeErp": "LEGACY_ERP", "freshness": {"stale": True}},
        "lost": None,
    }
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["system"]) == (["lost"], "LEGACY_ERP")

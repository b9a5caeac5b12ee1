"""What the cloud ERP alone is asked for, items, against the served sandbox with the whole demo world."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from sandbox.erp.vendor import Erp
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import ItemStatus
from schema.records.catalog import ItemFilter
from schema.records.values import Money, PageRequest
from systems import ports
from systems.business_central import BusinessCentral, BusinessCentralSettings
from systems.ports import SystemCall
from tests.support.erps import HOSTILE
from tests.support.sandboxes import serve_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Place:
    """The connector of the served ERP, what it calls, and the world in it."""

    erp: BusinessCentral
    calls: list[SystemCall]
    world: WorldModel


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place() -> AsyncIterator[Place]:
    world, calls = generate_world(42, NOW), []
    async with serve_sandbox(Erp(), lambda: world) as served:
        settings = BusinessCentralSettings(served.url, "crossdock", "sandbox-erp-secret")
        async with BusinessCentral(settings, observer=calls.append) as erp:
            yield Place(erp, calls, world)


async def test_the_connector_is_the_port():
    for name, method in inspect.getmembers(ports.ItemMaster, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(BusinessCentral, name))
            assert list(ours.parameters) == list(inspect.signature(method).parameters)


BULK: dict[str, Callable[[BusinessCentral, WorldModel, int], Awaitable[Any]]] = {
    "items": lambda erp, world, n: erp.items([item.sku for item in world.items[:n]]),
    "categories": lambda erp, world, n: erp.categories([category.id for category in world.categories[:n]]),
    "inbound": lambda erp, world, n: erp.inbound([item.sku for item in world.items[:n]]),
}


@pytest.mark.parametrize("count", [0, 1, 250])
@pytest.mark.parametrize("name", BULK)
async def test_a_bulk_read_is_one_call_however_many_ids(place: Place, name: str, count: int):
    await BULK[name](place.erp, place.world, count)
    before = len(place.calls)
    await BULK[name](place.erp, place.world, count)
    assert len(place.calls) - before == min(count, 1)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_value_breaks_out_of_its_filter(place: Place, text: str):
    erp = place.erp
    assert await erp.items([text, "PMP-0042"]) == await erp.items(["PMP-0042"])
    assert await erp.item_by_gtin(text) is None
    assert (await erp.search_items(ItemFilter(text=text, brand=text), PageRequest(5))).items == ()


class TestItems:
    async def test_an_item_comes_with_units_category_and_cost(self, place: Place):
        (pump,) = (await place.erp.items(["PMP-0042", "NO-SUCH"])).values()
        assert (pump.id, pump.status, pump.base_uom) == ("itm_PMP-0042", ItemStatus.ACTIVE, "EA")
        assert [(unit.uom, unit.per_base) for unit in pump.uoms] == [("EA", 1), ("XBX", 4), ("XPX", 96)]
        assert pump.unit_cost == Money(Decimal("25.50"), "USD")
        assert pump.floor_margin_percent == 21
        assert pump.category is not None
        assert pump.substitute_skus == ("PMP-0043",)

    async def test_every_item_and_status_can_be_read(self, place: Place):
        found = await place.erp.items([item.sku for item in place.world.items])
        assert {sku: item.status.value for sku, item in found.items()} == {
            item.sku: item.status for item in place.world.items
        }

    async def test_an_item_is_found_by_the_gtin_of_a_package(self, place: Place):
        item, unit = next(
            (item, unit) for item in place.world.items for unit in item.uoms if unit.gtin and unit.gtin != item.gtin
        )
        for gtin in (item.gtin, unit.gtin):
            found = await place.erp.item_by_gtin(gtin)
            assert found is not None
            assert found.sku == item.sku

    async def test_a_part_of_a_gtin_finds_nothing(self, place: Place):
        assert await place.erp.item_by_gtin(place.world.items[0].gtin[:-1]) is None

    async def test_a_search_pages_through_all_items_by_sku(self, place: Place):
        skus: list[str] = []
        page = await place.erp.search_items(ItemFilter(), PageRequest(90))
        skus += [item.sku for item in page.items]
        while page.has_next:
            page = await place.erp.search_items(ItemFilter(), PageRequest(90, page.cursors[-1]))
            skus += [item.sku for item in page.items]
        assert skus == sorted(item.sku for item in place.world.items)

    @pytest.mark.parametrize(
        ("where", "fits"),
        [
            pytest.param(ItemFilter(text="pmp-00"), lambda item: item.sku.startswith("PMP-00"), id="a sku"),
            pytest.param(ItemFilter(text="TRANSFER"), lambda item: item.name.startswith("Transfer"), id="a name"),
            pytest.param(ItemFilter(status=ItemStatus.PHASE_OUT), lambda item: item.status == "PHASE_OUT", id="status"),
            pytest.param(ItemFilter(text="VLV", status=ItemStatus.ACTIVE),
                         lambda item: item.sku.startswith("VLV") and item.status == "ACTIVE", id="both"),
        ],
    )  # fmt: skip
    async def test_a_search_finds_what_fits(self, place: Place, where: ItemFilter, fits: Callable[[Any], bool]):
        page = await place.erp.search_items(where, PageRequest(200))
        assert [item.sku for item in page.items] == sorted(item.sku for item in place.world.items if fits(item))
        assert page.items

    async def test_a_search_by_brand_and_category(self, place: Place):
        pump = (await place.erp.items(["PMP-0042"]))["PMP-0042"]
        assert pump.category is not None
        where = ItemFilter(brand=pump.brand, category_code=pump.category.code)
        page = await place.erp.search_items(where, PageRequest(200))
        assert "PMP-0042" in {item.sku for item in page.items}
        assert {(item.brand, item.category and item.category.code) for item in page.items} == {
            (pump.brand, pump.category.code)
        }

    async def test_inbound_supply_comes_earliest_first(self, place: Place):
        skus = [item.sku for item in place.world.items]
        found = await place.erp.inbound(skus)
        assert sum(len(entries) for entries in found.values()) == len(place.world.inbound)
        assert all(list(entries) == sorted(entries, key=lambda entry: entry.eta) for entries in found.values())
        (pump,) = found["PMP-0042"]
        assert (pump.warehouse_code, pump.quantity, pump.confirmed) == ("W01", 60, True)

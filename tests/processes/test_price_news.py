"""Changes of the ERP's price book: told once, in order per item and customer, from the day on which they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from processes.price_news import PriceNews, row_change_of
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter, StoredEvent
from schema.records.catalog import PriceLevel, PriceRule
from systems.errors import Unavailable
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, TODAY, item, money, rule

DEAL = rule("deal", PriceLevel.CONTRACT, "38.00", account="acc_1")
LIST = rule("list", PriceLevel.LIST, "45.00")
WIDE = rule("pumps", PriceLevel.PROMOTION, percent="5", sku=None, category="PUMPS")


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(sqlite_url) as made:
        yield made


def at(row: PriceRule, unit: str) -> PriceRule:
    return replace(row, unit=money(unit))


async def told(world: ProcessWorld) -> list[StoredEvent]:
    return list(await world.use.events.read(EventFilter(types=("price.changed",)), None, 1_000))


async def test_a_change_is_told_with_the_row_before_and_after(world: ProcessWorld):
    world.erp.change_price(DEAL, at(DEAL, "37.00"), NOW)
    assert await PriceNews(world.use).read() == 1
    (stored,) = await told(world)
    event, change = stored.event, row_change_of(stored.event)
    assert (event.subject, event.partition_key, event.account_id) == ("itm_PMP-0042", "acc_1:PMP-0042", "acc_1")
    assert (event.occurred_at, event.system) == (NOW, SourceSystem.CLOUD_ERP)
    assert event.data["effectiveFrom"] == TODAY.isoformat()
    assert (change.before, change.after) == (DEAL, at(DEAL, "37.00"))


async def test_changes_are_told_in_their_order_and_each_once(world: ProcessWorld):
    for unit in ("37.00", "36.00", "35.00"):
        world.erp.change_price(DEAL, at(DEAL, unit), NOW)
    world.erp.change_price(None, LIST, NOW)
    news = PriceNews(world.use)
    assert (await news.read(), await news.read()) == (4, 0)
    assert [(stored.event.partition_key, stored.sequence) for stored in await told(world)] == [
        ("acc_1:PMP-0042", 1), ("acc_1:PMP-0042", 2), ("acc_1:PMP-0042", 3), ("PMP-0042", 1),
    ]  # fmt: skip


async def test_changes_that_are_read_again_are_told_once(world: ProcessWorld, monkeypatch: pytest.MonkeyPatch):
    world.erp.change_price(None, DEAL, NOW)
    world.erp.change_price(DEAL, None, NOW)

    async def nowhere(_: str) -> int:
        return 0

    monkeypatch.setattr(world.use.cursors, "place", nowhere)
    for _ in range(2):
        assert await PriceNews(world.use).read() == 2
    assert [stored.event.id for stored in await told(world)] == ["erp.prices:1:PMP-0042", "erp.prices:2:PMP-0042"]


async def test_each_erp_is_read_in_an_order_of_its_own(world: ProcessWorld):
    world.erp.change_price(None, DEAL, NOW)
    legacy = SourceSystem.LEGACY_ERP
    news = PriceNews(replace(world.use, price_changes={**world.use.price_changes, legacy: world.erp}))
    assert (await news.read(), await news.read(legacy), await news.read(legacy)) == (1, 1, 0)
    assert [(stored.event.id, stored.event.system) for stored in await told(world)] == [
        ("erp.prices:1:PMP-0042", SourceSystem.CLOUD_ERP), ("erp.prices.legacy:1:PMP-0042", legacy),
    ]  # fmt: skip


async def test_lists_of_another_erp_than_the_item_master_are_told_nobody(world: ProcessWorld):
    for row in (LIST, WIDE):
        world.erp.change_price(None, row, NOW)
    legacy = SourceSystem.LEGACY_ERP
    news = PriceNews(replace(world.use, price_changes={legacy: world.erp}))
    assert await news.read(legacy) == 2
    assert await told(world) == []


async def test_an_erp_that_is_away_is_read_later_and_nothing_is_lost(world: ProcessWorld):
    del world.erp.items_by_sku["VLV-0007"]
    world.erp.change_price(None, DEAL, NOW)
    world.erp.change_price(None, WIDE, NOW)
    away = Unavailable(SourceSystem.CLOUD_ERP, "search items", "away", outcome_unknown=False)
    world.script.before["search_items"].append(away)
    news = PriceNews(world.use)
    with pytest.raises(Unavailable):
        await news.read()
    assert await news.read() == 1
    assert [stored.event.data["rule"] for stored in await told(world)] == ["deal", "pumps"]


async def test_a_row_for_a_category_is_told_for_each_of_its_items(world: ProcessWorld, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("processes.price_news.ITEMS_AT_ONCE", 2)
    pumps = [f"PMP-{number:04}" for number in range(5)]
    world.erp.items_by_sku = {sku: item(sku) for sku in pumps} | {"VLV-0007": item("VLV-0007", category="VALVES")}
    world.erp.change_price(None, WIDE, NOW)
    await PriceNews(world.use).read()
    assert [stored.event.data["sku"] for stored in await told(world)] == pumps


async def test_a_change_of_what_is_over_is_told_nobody(world: ProcessWorld):
    over = replace(DEAL, valid_to=TODAY - timedelta(days=1))
    world.erp.change_price(over, at(over, "1.00"), NOW)
    assert await PriceNews(world.use).read() == 1
    assert await told(world) == []

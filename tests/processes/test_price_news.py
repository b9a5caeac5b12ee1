"""Changes of the ERP's price book: told once, in order per item and customer, from the day on which they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from processes.price_news import PRICE_ENTRY, PriceNews, change_of
from processes.rules.price_change import GroupMove, RowChange
from schema.enums import ErpHome, SourceSystem
from schema.events.envelope import EventFilter, StoredEvent
from schema.records.catalog import PriceLevel, PriceRule
from schema.records.entries import UnreadableEntry
from schema.records.operations import DeadLetter
from schema.records.values import PageRequest
from systems.errors import Rejected, Unavailable
from tests.support.fake_systems import account
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, TODAY, item, money, rule, terms

DEAL = rule("deal", PriceLevel.CONTRACT, "38.00", account="acc_1")
LIST = rule("list", PriceLevel.LIST, "45.00")
THEIRS = rule("theirs", PriceLevel.CONTRACT, "39.00", account="acc_2")
LEGACY = SourceSystem.LEGACY_ERP
WIDE = rule("pumps", PriceLevel.PROMOTION, percent="5", sku=None, category="PUMPS")


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(sqlite_url) as made:
        yield made


def at(row: PriceRule, unit: str) -> PriceRule:
    return replace(row, unit=money(unit))


def two_erps(world: ProcessWorld) -> PriceNews:
    """Return who follows two ERPs with the same log, the second of which is the home of acc_2."""
    world.crm.known["acc_2"] = account("acc_2", erp_home=ErpHome.LEGACY_ERP)
    use = replace(world.use, price_changes={**world.use.price_changes, LEGACY: world.erp})
    return PriceNews(use, world.inbox)


async def letters(world: ProcessWorld) -> list[DeadLetter]:
    return list((await world.use.dead_letters.search(None, PageRequest(10))).items)


async def told(world: ProcessWorld) -> list[StoredEvent]:
    return list(await world.use.events.read(EventFilter(types=("price.changed",)), None, 1_000))


async def test_a_change_is_told_with_the_row_before_and_after(world: ProcessWorld):
    world.erp.change_price(DEAL, at(DEAL, "37.00"), NOW)
    assert await PriceNews(world.use, world.inbox).read() == 1
    (stored,) = await told(world)
    event, change = stored.event, change_of(stored.event)
    assert isinstance(change, RowChange)
    assert (event.subject, event.partition_key, event.account_id) == ("itm_PMP-0042", "acc_1:PMP-0042", "acc_1")
    assert (event.occurred_at, event.system) == (NOW, SourceSystem.CLOUD_ERP)
    assert event.data["effectiveFrom"] == TODAY.isoformat()
    assert (change.before, change.after) == (DEAL, at(DEAL, "37.00"))


async def test_changes_are_told_in_their_order_and_each_once(world: ProcessWorld):
    for unit in ("37.00", "36.00", "35.00"):
        world.erp.change_price(DEAL, at(DEAL, unit), NOW)
    world.erp.change_price(None, LIST, NOW)
    news = PriceNews(world.use, world.inbox)
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
        assert await PriceNews(world.use, world.inbox).read() == 2
    assert [stored.event.id for stored in await told(world)] == ["erp.prices:1:PMP-0042", "erp.prices:2:PMP-0042"]


async def test_each_erp_is_read_in_an_order_of_its_own(world: ProcessWorld):
    world.erp.change_price(None, DEAL, NOW)
    world.erp.change_price(None, THEIRS, NOW)
    news = two_erps(world)
    assert (await news.read(), await news.read(LEGACY), await news.read(LEGACY)) == (2, 2, 0)
    assert [(stored.event.id, stored.event.system) for stored in await told(world)] == [
        ("erp.prices:1:PMP-0042", SourceSystem.CLOUD_ERP), ("erp.prices.legacy:2:PMP-0042", LEGACY),
    ]  # fmt: skip


async def test_lists_of_another_erp_than_the_item_master_are_told_nobody(world: ProcessWorld):
    for row in (LIST, WIDE):
        world.erp.change_price(None, row, NOW)
    assert await two_erps(world).read(LEGACY) == 2
    assert await told(world) == []


async def test_an_erp_that_is_away_is_read_later_and_nothing_is_lost(world: ProcessWorld):
    del world.erp.items_by_sku["VLV-0007"]
    world.erp.change_price(None, DEAL, NOW)
    world.erp.change_price(None, WIDE, NOW)
    away = Unavailable(SourceSystem.CLOUD_ERP, "search items", "away", outcome_unknown=False)
    world.script.before["search_items"].append(away)
    news = PriceNews(world.use, world.inbox)
    with pytest.raises(Unavailable):
        await news.read()
    assert await news.read() == 1
    assert [stored.event.data["rule"] for stored in await told(world)] == ["deal", "pumps"]


async def test_a_row_for_a_category_is_told_for_each_of_its_items(world: ProcessWorld, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("processes.price_news.ITEMS_AT_ONCE", 2)
    pumps = [f"PMP-{number:04}" for number in range(5)]
    world.erp.items_by_sku = {sku: item(sku) for sku in pumps} | {"VLV-0007": item("VLV-0007", category="VALVES")}
    world.erp.change_price(None, WIDE, NOW)
    await PriceNews(world.use, world.inbox).read()
    assert [stored.event.data["sku"] for stored in await told(world)] == pumps


async def test_a_change_of_what_is_over_is_told_nobody(world: ProcessWorld):
    over = replace(DEAL, valid_to=TODAY - timedelta(days=1))
    world.erp.change_price(over, at(over, "1.00"), NOW)
    assert await PriceNews(world.use, world.inbox).read() == 1
    assert await told(world) == []


async def test_the_far_end_of_all_days_is_no_change(world: ProcessWorld):
    for_ever = replace(DEAL, valid_to=date.max)
    world.erp.change_price(for_ever, at(for_ever, "1.00"), NOW)
    assert await PriceNews(world.use, world.inbox).read() == 1
    (stored,) = await told(world)
    assert stored.event.data["effectiveFrom"] == TODAY.isoformat()


class TestAnotherPriceGroup:
    @pytest.fixture(autouse=True)
    def groups(self, world: ProcessWorld) -> None:
        world.erp.items_by_sku |= {sku: item(sku, category="OTHER") for sku in ("A-1", "B-2", "C-3")}
        world.erp.price_rules = [
            LIST,
            rule("gold", PriceLevel.PRICE_GROUP, "42.00", group="GOLD"),
            rule("silver valve", PriceLevel.PRICE_GROUP, "9.00", group="SILVER", sku="VLV-0007"),
            rule("silver others", PriceLevel.PRICE_GROUP, percent="3", group="SILVER", sku=None, category="OTHER"),
            replace(
                rule("silver later", PriceLevel.PRICE_GROUP, "8.00", group="SILVER", sku="PMP-0042"),
                valid_from=TODAY + timedelta(days=30),
            ),
            rule("bronze", PriceLevel.PRICE_GROUP, "1.00", group="BRONZE"),
        ]

    async def test_is_told_for_each_item_of_which_one_of_the_groups_has_a_row(
        self, world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("processes.price_news.ITEMS_AT_ONCE", 2)
        world.erp.terms_by_account["acc_1"] = terms(group=None)
        world.erp.change_group("acc_1", "SILVER", NOW)
        assert await PriceNews(world.use, world.inbox).read() == 1
        found = [stored.event for stored in await told(world)]
        later = (TODAY + timedelta(days=30)).isoformat()
        assert sorted((event.data["sku"], event.data["effectiveFrom"]) for event in found) == [
            ("A-1", TODAY.isoformat()), ("B-2", TODAY.isoformat()), ("C-3", TODAY.isoformat()),
            ("PMP-0042", later), ("VLV-0007", TODAY.isoformat()),
        ]  # fmt: skip
        assert {(event.account_id, event.partition_key.partition(":")[0]) for event in found} == {("acc_1", "acc_1")}
        assert {change_of(event) for event in found} == {GroupMove(None, "SILVER")}

    async def test_is_told_without_a_look_at_items_of_which_no_row_is(self, world: ProcessWorld):
        world.erp.change_group("acc_1", None, NOW)
        assert await PriceNews(world.use, world.inbox).read() == 1
        assert [stored.event.data["sku"] for stored in await told(world)] == ["PMP-0042"]
        assert "search_items" not in world.script.calls

    @pytest.mark.parametrize("category", ["OTHER", None], ids=["of its category", "of everything"])
    async def test_is_told_once_of_an_item_that_falls_under_several_rows(
        self, world: ProcessWorld, category: str | None
    ):
        own = rule("own", PriceLevel.PRICE_GROUP, "7.00", group="SILVER", sku="A-1")
        wide = rule("wide", PriceLevel.PRICE_GROUP, percent="4", group="SILVER", sku=None, category=category)
        world.erp.price_rules += [own, wide]
        world.erp.change_group("acc_1", "SILVER", NOW)
        await PriceNews(world.use, world.inbox).read()
        skus = [stored.event.data["sku"] for stored in await told(world)]
        assert (skus.count("A-1"), len(skus)) == (1, len(set(skus)))
        assert len(skus) == len(world.erp.items_by_sku)

    async def test_is_told_by_the_erp_that_decides_the_terms(self, world: ProcessWorld):
        world.erp.terms_by_account |= {name: terms(account=name, group="GOLD") for name in ("acc_1", "acc_2")}
        for account_id in ("acc_1", "acc_2"):
            world.erp.change_group(account_id, "BRONZE", NOW)
        news = two_erps(world)
        assert (await news.read(), await news.read(LEGACY)) == (2, 2)
        assert [(stored.event.account_id, stored.event.system) for stored in await told(world)] == [
            ("acc_1", SourceSystem.CLOUD_ERP), ("acc_2", LEGACY),
        ]  # fmt: skip


class TestAChangeThatCannotBeTold:
    async def handled(self, world: ProcessWorld, news: PriceNews) -> None:
        while await world.inbox.handle_next(news.read_again):
            pass

    async def test_is_a_dead_letter_with_what_was_told_and_those_behind_it_go_on(self, world: ProcessWorld):
        world.erp.price_changes.append(UnreadableEntry(1, "KeyError 'level'", {"entryNo": 1, "before": {"x": 1.5}}))
        world.erp.change_price(None, DEAL, NOW)
        news = PriceNews(world.use, world.inbox)
        assert (await news.read(), await news.read()) == (2, 0)
        await self.handled(world, news)
        (letter,) = await letters(world)
        assert (letter.id, letter.source) == ("dl_CLOUD_ERP_erp.prices:1", SourceSystem.CLOUD_ERP)
        assert (letter.type, letter.payload["told"]) == (PRICE_ENTRY, {"entryNo": 1, "before": {"x": 1.5}})
        assert "KeyError 'level'" in letter.reason
        assert [stored.event.data["rule"] for stored in await told(world)] == ["deal"]

    async def test_is_told_when_it_is_replayed_after_somebody_has_mended_it(self, world: ProcessWorld):
        world.erp.price_changes.append(UnreadableEntry(1, "KeyError 'level'", {}))
        news = PriceNews(world.use, world.inbox)
        await news.read()
        await self.handled(world, news)
        (letter,) = await letters(world)
        await world.inbox.reopen(letter)
        await self.handled(world, news)
        assert (len(await letters(world)), await told(world)) == (1, [])
        world.erp.price_changes.clear()
        world.erp.change_price(None, DEAL, NOW)
        for _ in range(2):
            await world.inbox.reopen(letter)
            await self.handled(world, news)
        assert await letters(world) == []
        assert [stored.event.id for stored in await told(world)] == ["erp.prices:1:PMP-0042"]

    async def test_says_so_when_the_erp_does_not_show_it_any_more(self, world: ProcessWorld):
        world.erp.price_changes.append(UnreadableEntry(1, "KeyError 'level'", {}))
        news = PriceNews(world.use, world.inbox)
        await news.read()
        world.erp.price_changes.clear()
        await self.handled(world, news)
        (letter,) = await letters(world)
        assert "does not show entry 1" in letter.reason

    async def test_is_one_that_the_item_master_refuses_to_look_up_too(self, world: ProcessWorld):
        world.erp.change_price(None, WIDE, NOW)
        world.erp.change_price(None, DEAL, NOW)
        refusal = Rejected(SourceSystem.CLOUD_ERP, "search items", "no such category", reason="BAD_FILTER")
        world.script.before["search_items"] += [refusal, refusal]
        news = PriceNews(world.use, world.inbox)
        assert await news.read() == 2
        await self.handled(world, news)
        (letter,) = await letters(world)
        assert letter.payload["told"]["after"]["number"] == "pumps"
        assert [stored.event.data["rule"] for stored in await told(world)] == ["deal"]

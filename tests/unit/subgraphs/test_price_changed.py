"""The subscription of prices: which changes it tells to whom, with which price, and from where it goes on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from processes.price_news import PriceNews
from resolvers.catalog.follow import MAX_SKUS
from resolvers.catalog.ports import CatalogPorts
from resolvers.catalog.reader import CatalogReader
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter
from schema.records.catalog import PriceLevel, PriceRule
from schema.records.identity import Principal
from subgraphs.catalog.app import catalog_schema
from subgraphs.context import RequestContext
from tests.support.fake_systems import account
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW, TODAY, item, money, rule, terms

REP = Principal("user:ann", roles=("SALES",))
BUYER = Principal("user:pia", roles=("PORTAL_BUYER",), accounts=("acc_1",))
SIBLING = replace(BUYER, accounts=("acc_2",))
FOLLOW = """
subscription ($account: ID!, $skus: [String!]!, $after: ID) {
  priceChanged(accountId: $account, skus: $skus, after: $after) {
    eventId at effectiveFrom item { sku }
    price {
      __typename
      ... on Price { unit { amount } per { value uom } source extended { amount } freshness { stale } }
      ... on Problem { code message }
    }
  }
}
"""
LIST = rule("list", PriceLevel.LIST, "45.00")
GOLD = rule("gold", PriceLevel.PRICE_GROUP, "42.00", group="GOLD")
DEAL = rule("deal", PriceLevel.CONTRACT, "36.10", account="acc_1", inherit=True)
THEIRS = rule("theirs", PriceLevel.CONTRACT, "39.00", account="acc_2")
SALE = rule("sale", PriceLevel.PROMOTION, "30.00")
VALVE = rule("valve", PriceLevel.LIST, "10.00", sku="VLV-0007")


@dataclass
class Shop:
    world: ProcessWorld
    ports: CatalogPorts

    async def change(self, before: PriceRule | None, after: PriceRule | None) -> str:
        """Change a row of the price book and return the id of the latest event."""
        self.world.erp.change_price(before, after, NOW)
        return await self.tell()

    async def tell(self) -> str:
        """Tell of what the ERP has logged and return the id of the latest event."""
        while await PriceNews(self.world.use, self.world.inbox).read():
            pass
        return (await self.world.use.events.read(EventFilter(), None, 1_000))[-1].event.id

    @asynccontextmanager
    async def following(self, who: Principal = REP, **variables: Any) -> AsyncIterator[AsyncIterator[Any]]:
        context = RequestContext(who, lambda principal: CatalogReader(self.ports, principal))
        given = {"account": "acc_1", "skus": ["PMP-0042"], **variables}
        stream: Any = await catalog_schema.subscribe(FOLLOW, variable_values=given, context_value=context)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def told(self, count: int = 1, **asked: Any) -> list[dict[str, Any]]:
        """Return the next events of a stream."""
        async with self.following(**asked) as stream:
            return [await take(stream) for _ in range(count)]


async def take(stream: AsyncIterator[Any]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        result = await anext(stream)
    assert not result.errors, result.errors
    found: dict[str, Any] = result.data["priceChanged"]
    return found


@pytest.fixture
async def shop(sqlite_url: str) -> AsyncIterator[Shop]:
    async with process_world(sqlite_url) as world:
        world.erp.price_rules = [LIST, VALVE]
        world.erp.terms_by_account |= {
            "acc_1": terms(group="GOLD"),
            "acc_2": terms(account="acc_2", group=None),
            "acc_child": terms(account="acc_child", group=None),
        }
        world.crm.known |= {"acc_child": account("acc_child", parent_id="acc_1")}
        erp = world.erp
        ports = CatalogPorts(
            items=erp,
            prices=erp,
            customers=erp,
            directory=world.crm,
            merges=world.use.merges,
            events=world.use.events,
            signer=world.use.price_signer,
            clock=world.clock,
        )
        yield Shop(world, ports)


def at(row: PriceRule, unit: str) -> PriceRule:
    return replace(row, unit=money(unit))


async def test_a_changed_price_is_told_as_it_is_now_for_the_smallest_quantity_sold(shop: Shop):
    shop.world.erp.items_by_sku["PMP-0042"] = item(minimum="3", multiple="6")
    first = await shop.change(None, VALVE)
    await shop.change(None, DEAL)
    await shop.change(DEAL, at(DEAL, "35.00"))
    one, other = await shop.told(2, after=first)
    assert (one["item"]["sku"], one["effectiveFrom"]) == ("PMP-0042", TODAY.isoformat())
    assert one["price"]["unit"] == other["price"]["unit"] == {"amount": "35.00"}
    assert (one["price"]["per"], one["price"]["extended"]) == ({"value": "1", "uom": "EA"}, {"amount": "210.00"})
    assert other["price"]["source"] == "CONTRACT"


LEVELS = [
    pytest.param(GOLD, "acc_1", "PRICE_GROUP", id="its price group"),
    pytest.param(DEAL, "acc_1", "CONTRACT", id="its contract"),
    pytest.param(DEAL, "acc_child", "PARENT_CONTRACT", id="its parent's contract"),
    pytest.param(SALE, "acc_2", "PROMOTION", id="a promotion"),
]


@pytest.mark.parametrize(("row", "who", "source"), LEVELS)
async def test_what_decides_the_price_of_an_account_is_told_to_who_follows_it(
    shop: Shop, row: PriceRule, who: str, source: str
):
    first = await shop.change(None, VALVE)
    await shop.change(None, row)
    (event,) = await shop.told(account=who, after=first)
    assert event["price"]["source"] == source


async def test_what_leaves_the_price_of_the_account_as_it_was_is_not_told(shop: Shop):
    await shop.change(None, DEAL)
    first = await shop.change(None, VALVE)
    await shop.change(LIST, at(LIST, "46.00"))
    await shop.change(None, GOLD)
    await shop.change(None, THEIRS)
    await shop.change(VALVE, at(VALVE, "11.00"))
    last = await shop.change(DEAL, at(DEAL, "36.20"))
    assert [event["eventId"] for event in await shop.told(after=first)] == [last]


async def test_another_price_group_of_the_account_is_told_for_what_costs_another_amount_in_it(shop: Shop):
    first = await shop.change(None, GOLD)
    bronze = [rule("bronze", PriceLevel.PRICE_GROUP, "43.00", group="BRONZE")]
    bronze.append(rule("bronze valve", PriceLevel.PRICE_GROUP, "10.00", group="BRONZE", sku="VLV-0007"))
    shop.world.erp.price_rules += bronze
    shop.world.erp.change_group("acc_1", "BRONZE", NOW)
    shop.world.erp.change_group("acc_2", "BRONZE", NOW)
    await shop.tell()
    shop.world.erp.change_group("acc_1", None, NOW)
    last = await shop.tell()
    one, other = await shop.told(2, after=first, skus=["PMP-0042", "VLV-0007"])
    assert [(event["item"]["sku"], event["effectiveFrom"]) for event in (one, other)] == [
        ("PMP-0042", TODAY.isoformat())
    ] * 2
    assert other["price"]["source"] == "LIST"
    assert last.startswith(other["eventId"].rpartition(":")[0])


async def test_another_price_group_below_a_contract_is_not_told(shop: Shop):
    await shop.change(None, DEAL)
    first = await shop.change(None, GOLD)
    shop.world.erp.change_group("acc_1", None, NOW)
    await shop.tell()
    last = await shop.change(DEAL, at(DEAL, "35.00"))
    (event,) = await shop.told(after=first)
    assert event["eventId"] == last


async def test_a_price_of_later_is_told_as_of_its_first_day(shop: Shop):
    first = await shop.change(None, VALVE)
    later = TODAY + timedelta(days=30)
    await shop.change(None, replace(DEAL, valid_from=later))
    (event,) = await shop.told(after=first)
    assert (event["effectiveFrom"], event["price"]["unit"]) == (later.isoformat(), {"amount": "36.10"})


async def test_a_price_that_held_while_the_client_was_away_is_told_with_what_holds_today(shop: Shop):
    first = await shop.change(None, VALVE)
    await shop.change(None, replace(DEAL, valid_to=TODAY + timedelta(days=2)))
    shop.world.clock.at = NOW + timedelta(days=10)
    (event,) = await shop.told(after=first)
    assert (event["effectiveFrom"], event["price"]["source"]) == (TODAY.isoformat(), "LIST")


async def test_a_client_that_comes_back_gets_what_it_missed_once(shop: Shop):
    first = await shop.change(None, VALVE)
    ids = [await shop.change(None, DEAL)]
    ids += [await shop.change(DEAL, at(DEAL, "35.00")), await shop.change(at(DEAL, "35.00"), None)]
    assert [event["eventId"] for event in await shop.told(3, after=first)] == ids
    assert [event["eventId"] for event in await shop.told(2, after=ids[0])] == ids[1:]


async def test_live_changes_are_told_as_they_come(shop: Shop):
    async with shop.following() as stream:
        first, before = asyncio.ensure_future(take(stream)), None
        for unit in itertools.count(10):
            after = at(DEAL, f"{unit}.00")
            await shop.change(before, after)
            before = after
            if first.done():
                break
        assert (await first)["price"]["source"] == "CONTRACT"


async def test_a_right_that_is_gone_ends_what_is_told(shop: Shop):
    first = await shop.change(None, VALVE)
    await shop.change(None, DEAL)

    class Rows:
        allowed = True

        def has(self, account_id: str) -> bool:
            return account_id in self.all()

        def all(self) -> frozenset[str]:
            return frozenset({"acc_1"} if self.allowed else ())

    rows = Rows()
    async with shop.following(replace(REP, rows=rows), after=first) as stream:
        await take(stream)
        rows.allowed = False
        await shop.change(DEAL, at(DEAL, "35.00"))
        waiting = asyncio.ensure_future(take(stream))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        rows.allowed = True
        last = await shop.change(at(DEAL, "35.00"), at(DEAL, "34.00"))
        assert (await waiting)["eventId"] == last


async def test_while_the_erp_is_away_a_change_is_told_with_the_price_as_it_is_remembered(shop: Shop):
    first = await shop.change(None, VALVE)
    await shop.change(None, DEAL)
    (now,) = await shop.told(after=first)
    shop.world.script.down.add(SourceSystem.CLOUD_ERP)
    (later,) = await shop.told(after=first)
    assert (now["price"].pop("freshness"), later["price"].pop("freshness")) == ({"stale": False}, {"stale": True})
    assert later == now


async def test_while_nobody_can_say_what_a_change_means_it_is_told_with_the_name_of_the_system(shop: Shop):
    first = await shop.change(None, VALVE)
    await shop.change(None, DEAL)
    shop.world.script.down.add(SourceSystem.CRM)
    (event,) = await shop.told(after=first)
    assert event["price"]["__typename"] == "DependencyUnavailable"
    assert "CRM did not answer" in event["price"]["message"]


REFUSED = [
    pytest.param([], None, "BAD_USER_INPUT", id="no sku"),
    pytest.param(["A"] * (MAX_SKUS + 1), None, "BAD_USER_INPUT", id="too many skus"),
    pytest.param(["A"], "evt-gone", "GAP", id="a cursor that the log does not hold"),
]


@pytest.mark.parametrize(("skus", "after", "code"), REFUSED)
async def test_what_cannot_be_followed_says_why_at_once(shop: Shop, skus: list[str], after: str | None, code: str):
    async with shop.following(skus=skus, after=after) as stream:
        result = await anext(stream)
    (error,) = result.errors
    assert error.extensions["code"] == code


async def test_a_siblings_buyer_is_told_nothing_of_the_account(shop: Shop):
    first = await shop.change(None, VALVE)
    await shop.change(None, DEAL)
    last = await shop.change(None, THEIRS)
    async with shop.following(SIBLING, after=first) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    (event,) = await shop.told(who=SIBLING, account="acc_2", after=first)
    assert event["eventId"] == last
    (own,) = await shop.told(who=BUYER, after=first)
    assert own["price"]["source"] == "CONTRACT"

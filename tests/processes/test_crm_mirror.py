"""Completed orders in the CRM: each once, in order, after any outage, and how long it took is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from processes.crm_mirror import CrmMirror, pass_over_completions
from schema.enums import OrderStatus, SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.values import PageRequest
from systems.errors import Rejected, Unavailable
from tests.support.order_records import document, recorded, told
from tests.support.process_world import ProcessWorld, process_world
from tests.support.rule_records import NOW

CRM = SourceSystem.CRM


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[ProcessWorld]:
    async with process_world(sqlite_url) as made:
        for count in (1, 2):
            order = recorded(count, id=f"ord_{count}", status=OrderStatus.COMPLETED)
            await made.use.orders.create(order)
            made.erp.entered[order.id] = document(order)
        yield made


async def complete(world: ProcessWorld, order_id: str = "ord_1", at: datetime = NOW) -> None:
    made = told(f"{order_id}:completed", "order.completed", subject=order_id, partition_key=order_id, occurred_at=at)
    await world.use.events.append([made])


async def mirrored(world: ProcessWorld) -> list[Event]:
    found = await world.use.events.read(EventFilter(types=("crm.order.mirrored",)), None, 100)
    return [stored.event for stored in found]


async def test_a_completed_order_is_shown_as_such_and_how_long_it_took_is_told(world: ProcessWorld):
    await complete(world)
    assert [await CrmMirror(world.use).look() for _ in range(2)] == [1, 0]
    assert world.kept.all("mirror", "ord_1") == ["COMPLETED"]
    (event,) = await mirrored(world)
    (completed,) = await world.use.events.read(EventFilter(types=("order.completed",)), None, 10)
    assert event.data["toldAt"] == completed.recorded_at.isoformat()
    assert (event.partition_key, event.correlation_id) == ("ord_1", completed.event.correlation_id)


async def test_while_the_crm_is_away_completions_wait_in_order(world: ProcessWorld):
    for order_id in ("ord_1", "ord_2"):
        await complete(world, order_id)
    world.script.before["mirror_order"].append(Unavailable(CRM, "mirror order", "away", outcome_unknown=False))
    mirror = CrmMirror(world.use)
    with pytest.raises(Unavailable):
        await mirror.look()
    assert await mirrored(world) == []
    assert await mirror.look() == 2
    assert [event.subject for event in await mirrored(world)] == ["ord_1", "ord_2"]


async def test_what_the_crm_does_not_take_is_a_dead_letter_and_the_others_go_on(world: ProcessWorld):
    for order_id in ("ord_1", "ord_2"):
        await complete(world, order_id)
    world.script.before["mirror_order"].append(Rejected(CRM, "mirror order", "no such account", reason="ACCOUNT"))
    assert await CrmMirror(world.use).look() == 2
    assert [event.subject for event in await mirrored(world)] == ["ord_2"]
    (letter,) = (await world.use.dead_letters.search(None, PageRequest(10))).items
    assert (letter.payload["orderId"], "no such account" in letter.reason) == ("ord_1", True)


async def test_a_past_that_was_brought_in_is_no_news(world: ProcessWorld):
    await complete(world, at=NOW - timedelta(days=2))
    assert await CrmMirror(world.use).look() == 1
    assert "mirror_order" not in world.script.calls


async def test_what_was_passed_over_is_not_mirrored_and_what_follows_is(world: ProcessWorld):
    await complete(world)
    await pass_over_completions(world.use.events, world.use.cursors)
    await complete(world, "ord_2")
    assert await CrmMirror(world.use).look() == 1
    assert [event.subject for event in await mirrored(world)] == ["ord_2"]

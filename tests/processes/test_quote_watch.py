"""Quotes are over when their last day is; time is the test's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from processes import quote_watch
from processes.api import QuotePreparation, QuoteRequestLine
from processes.chronicle import Desk
from processes.quote_case import QuoteCase, QuoteRequest
from processes.quote_prepare import QUOTE_PREPARE
from processes.quote_watch import QuoteWatch
from processes.runner import Runner
from schema.enums import ProcessState, QuoteStatus
from schema.events.envelope import EventFilter
from schema.records.orders import Quote
from schema.records.values import Money, Quantity
from tests.support.platform_records import quote
from tests.support.process_world import QUICK, REP, MemoryJournal, ProcessWorld
from tests.support.rule_records import item

LAST_DAY = quote().valid_until
STILL = datetime.combine(LAST_DAY, time(23, 59, 59), UTC)
OVER = STILL + timedelta(seconds=1)


async def save(world: ProcessWorld, *statuses: QuoteStatus) -> None:
    for count, status in enumerate(statuses, 1):
        await world.use.quotes.save(quote(count, status=status))


async def stored(world: ProcessWorld, quote_id: str = "quo_1") -> Quote:
    return (await world.use.quotes.quotes([quote_id]))[quote_id]


async def expired(world: ProcessWorld) -> list[str]:
    found = await world.use.events.read(EventFilter(types=("quote.expired",)), None, 1_000)
    return sorted(entry.event.subject for entry in found)


async def test_a_quote_expires_when_its_last_day_is_over_and_not_before(world: ProcessWorld) -> None:
    await save(world, QuoteStatus.APPROVED)
    world.clock.at = STILL
    assert await QuoteWatch(world.use).look() == 0
    world.clock.at = OVER
    assert await QuoteWatch(world.use).look() == 1
    assert (await stored(world)).status is QuoteStatus.EXPIRED
    assert await QuoteWatch(world.use).look() == 0
    (told,) = await world.use.events.read(EventFilter(types=("quote.expired",)), None, 10)
    assert told.event.data == {
        "quoteId": "quo_1",
        "number": "Q-900001",
        "status": "EXPIRED",
        "validUntil": LAST_DAY.isoformat(),
    }


async def test_what_could_become_an_order_expires_and_what_has_ended_stays(world: ProcessWorld) -> None:
    await save(world, *QuoteStatus)
    world.clock.at = OVER
    await QuoteWatch(world.use).look()
    left = {status: (await stored(world, f"quo_{count}")).status for count, status in enumerate(QuoteStatus, 1)}
    assert {before for before, after in left.items() if before is not after} == {
        QuoteStatus.DRAFT,
        QuoteStatus.PRICED,
        QuoteStatus.PENDING_APPROVAL,
        QuoteStatus.APPROVED,
        QuoteStatus.SENT,
        QuoteStatus.ACCEPTED,
    }
    assert len(await expired(world)) == 6


async def test_many_quotes_expire_a_bounded_number_at_a_time(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quote_watch, "AT_ONCE", 2)
    await save(world, *[QuoteStatus.PRICED] * 5)
    world.clock.at = OVER
    watch = QuoteWatch(world.use)
    assert [await watch.look() for _ in range(4)] == [2, 2, 1, 0]
    assert await expired(world) == [f"quo_{count}" for count in range(1, 6)]


async def test_a_quote_that_is_ordered_at_the_same_time_does_not_expire(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(world, QuoteStatus.PRICED)
    save_quote = type(world.use.quotes).save

    async def late(store: object, wanted: Quote, events: Sequence[object] = ()) -> Quote:
        monkeypatch.undo()
        taken = replace(await stored(world), status=QuoteStatus.CONVERTED, order_id="ord_1")
        await world.use.quotes.save(taken)
        return await save_quote(store, wanted, events)  # type: ignore[arg-type]

    monkeypatch.setattr(type(world.use.quotes), "save", late)
    world.clock.at = OVER
    assert await QuoteWatch(world.use).look() == 0
    assert ((await stored(world)).status, await expired(world)) == (QuoteStatus.CONVERTED, [])


async def waiting(world: ProcessWorld, journal: MemoryJournal) -> ProcessState:
    """Carry a quote below its floor that holds for a day; the test decides what happens while it waits."""
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    line = QuoteRequestLine(1, "VLV-0007", Quantity(Decimal(2), "EA"), Money(Decimal("9.90"), "USD"))
    asked = QuotePreparation("acc_1", (line,), valid_until=world.clock.now().date())
    request = QuoteRequest("prc_1", "quo_1", asked, REP.subject, world.clock.now())
    use = world.use
    desk = Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)
    case = QuoteCase(request, use, resumed=False)
    return (await Runner(case, QUOTE_PREPARE, journal, desk, QUICK, lambda: None).run()).state


@pytest.mark.parametrize("dies", [False, True], ids=["at once", "after a crash"])
async def test_what_was_asked_about_a_quote_is_over_with_it(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    async def tomorrow(seconds: float) -> bool:
        world.clock.at = world.clock.now() + timedelta(days=1)
        if dies:
            monkeypatch.setattr(quote_watch, "close_lapsed", nothing)
        await QuoteWatch(world.use).look()
        return False

    async def nothing(*_: object) -> None:
        pass

    journal = MemoryJournal()
    journal.on_wait = tomorrow
    assert await waiting(world, journal) is ProcessState.COMPLETED
    found = await stored(world)
    assert found.status is QuoteStatus.EXPIRED
    assert [entry.decision for entry in found.approvals] == ["LAPSED"]
    tasks = await world.use.tasks.tasks([f"tsk_quo_1_{found.approvals[0].level}"])
    assert [(task.state, task.resolution) for task in tasks.values()] == [("RESOLVED", "LAPSED")]
    assert await expired(world) == ["quo_1"]

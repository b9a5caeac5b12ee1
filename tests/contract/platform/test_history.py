"""What happened before the platform comes into its ledgers whole, once, and only into empty ones."""

from __future__ import annotations

import pytest

from systems.errors import Conflict
from systems.platform import (
    Database,
    PlatformOrderLedger,
    PlatformProcessLog,
    PlatformQuoteStore,
    PlatformTaskQueue,
)
from systems.platform.history import BATCH, History, import_history
from tests.support.platform_records import RecordedEvents, event, ledger_order, process, quote, step, task


async def test_every_ledger_reads_what_was_brought_in(database: Database, events: RecordedEvents):
    told = process(1, steps=(step("receive"), step("price")))
    history = History([ledger_order(1)], [quote(1)], [told], [task(1)], [event("a"), event("b")])
    await import_history(database, events.append, history)
    assert await PlatformOrderLedger(database, events.append).orders(["ord_1"]) == {"ord_1": ledger_order(1)}
    assert await PlatformQuoteStore(database, events.append).quotes(["quo_1"]) == {"quo_1": quote(1)}
    assert await PlatformProcessLog(database, events.append).processes(["prc_1"]) == {"prc_1": told}
    assert await PlatformTaskQueue(database, events.append).tasks(["tsk_1"]) == {"tsk_1": task(1)}
    assert events.ids == ["a", "b"]


async def test_more_than_one_batch_comes_in_complete_and_in_order(database: Database, events: RecordedEvents):
    count = 2 * BATCH + 1
    history = History([ledger_order(n) for n in range(count)], events=[event(str(n)) for n in range(count)])
    await import_history(database, events.append, history)
    assert events.ids == [str(n) for n in range(count)]
    found = await PlatformOrderLedger(database, events.append).orders([f"ord_{n}" for n in range(count)])
    assert len(found) == count


async def test_a_ledger_that_holds_orders_is_left_alone(database: Database, events: RecordedEvents):
    await import_history(database, events.append, History([ledger_order(1)]))
    with pytest.raises(Conflict, match="not empty"):
        await import_history(database, events.append, History([ledger_order(2)], [quote(1)]))
    assert await PlatformQuoteStore(database, events.append).quotes(["quo_1"]) == {}


async def test_a_history_that_contradicts_itself_leaves_nothing(database: Database, events: RecordedEvents):
    with pytest.raises(Conflict):
        await import_history(database, events.append, History([ledger_order(1), ledger_order(2, number="SO-300001")]))
    assert await PlatformOrderLedger(database, events.append).orders(["ord_1"]) == {}

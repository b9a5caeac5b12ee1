"""The ledger of returns and the places of feeds, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from events.bus import MemoryBus
from events.log import SqlEventLog
from schema.enums import ReturnStatus
from schema.records.returns import ReturnDecision
from schema.records.values import Money
from systems.errors import Conflict
from systems.platform import Database, PlatformFeedCursors, PlatformReturnLedger
from tests.support.platform_records import NOW, ledger_return


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


@pytest.fixture
def ledger(database: Database) -> PlatformReturnLedger:
    return PlatformReturnLedger(database, SqlEventLog(database, MemoryBus()).append_in)


async def test_a_return_is_kept_as_it_was_written(ledger: PlatformReturnLedger):
    decision = ReturnDecision("dec_1", ReturnStatus.REQUESTED, approved=True, by="user:usr_2", at=NOW, comment="seen")
    written = ledger_return(
        decisions=(decision,), credit=Money(Decimal("54.15"), "USD"), received=ledger_return().lines
    )
    await ledger.create(written)
    assert await ledger.returns([written.id, "rma_none"]) == {written.id: written}
    assert await ledger.returns_of_processes([written.process_id]) == {written.process_id: written}


async def test_a_process_records_one_return(ledger: PlatformReturnLedger):
    await ledger.create(ledger_return())
    again = await ledger.create(ledger_return(id="rma_R-9", number="R-9"))
    assert again == ledger_return()
    assert (await ledger.returns_of_orders(["ord_1", "ord_2"])) == {"ord_1": (ledger_return(),), "ord_2": ()}


async def test_of_returns_that_count_the_same_others_one_is_recorded(ledger: PlatformReturnLedger):
    await ledger.create(ledger_return(9))
    made = await asyncio.gather(
        *(ledger.create(ledger_return(count), known=1) for count in range(1, 6)), return_exceptions=True
    )
    first = next(entry for entry in made if not isinstance(entry, BaseException))
    assert [type(entry) for entry in made].count(Conflict) == 4
    assert {entry.id for entry in (await ledger.returns_of_orders(["ord_1"]))["ord_1"]} == {first.id, "rma_R-9"}
    assert await ledger.create(first, known=2) == first  # the same again finds itself
    with pytest.raises(Conflict):
        await ledger.create(ledger_return(8), known=1)
    await ledger.create(ledger_return(8, order_id="ord_2"), known=0)


async def test_returns_of_an_order_come_oldest_first_and_of_an_account_newest_first(ledger: PlatformReturnLedger):
    for count in (2, 1, 3):
        await ledger.create(ledger_return(count))
    of_order = (await ledger.returns_of_orders(["ord_1"]))["ord_1"]
    of_account = (await ledger.returns_of(["acc_1"]))["acc_1"]
    assert [found.number for found in of_order] == ["R-1", "R-2", "R-3"]
    assert of_account == tuple(reversed(of_order))


async def test_of_two_writes_of_the_same_version_one_is_refused(ledger: PlatformReturnLedger):
    await ledger.create(ledger_return())
    written = await ledger.update(ledger_return(status=ReturnStatus.APPROVED))
    assert written.version == 2
    with pytest.raises(Conflict):
        await ledger.update(ledger_return(status=ReturnStatus.DENIED))
    assert (await ledger.returns(["rma_R-1"]))["rma_R-1"] == written


async def test_numbers_are_given_once(ledger: PlatformReturnLedger):
    assert [await ledger.next_number() for _ in range(2)] == ["RMA-500001", "RMA-500002"]


async def test_the_place_of_a_feed_goes_forward_only(database: Database):
    cursors = PlatformFeedCursors(database)
    assert await cursors.place("erp.invoices") == 0
    for place in (7, 3, 9):
        await cursors.move("erp.invoices", place)
    assert (await cursors.place("erp.invoices"), await cursors.place("another")) == (9, 0)

"""The ledger of submitted orders, and quotes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event as sa_event

from schema.enums import OrderStatus, QuoteStatus
from schema.records.orders import LedgerOrder, OrderFilter
from schema.records.problems import CreditHold
from schema.records.values import Money
from systems.errors import Conflict
from systems.platform import Database, PlatformOrderLedger, PlatformQuoteStore
from tests.support.platform_records import HOUR, NOW, RecordedEvents, event, ledger_order, quote

ALL = OrderFilter()
FINISHED = (OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.COMPLETED)
HOLD = CreditHold(code="CREDIT_HOLD", message="m", exposure=Money(Decimal("1.10"), "USD"))


@pytest.fixture
def ledger(database: Database, events: RecordedEvents) -> PlatformOrderLedger:
    return PlatformOrderLedger(database, events.append)


@pytest.fixture
def store(database: Database, events: RecordedEvents) -> PlatformQuoteStore:
    return PlatformQuoteStore(database, events.append)


async def test_an_order_comes_back_as_it_was_recorded(ledger: PlatformOrderLedger):
    order = ledger_order(exceptions=(HOLD,), submitted_at=NOW + timedelta(microseconds=1))
    await ledger.create(order)
    assert await ledger.orders(["ord_1", "ord_9"]) == {"ord_1": order}
    assert await ledger.orders_by_number(["SO-300001", "SO-9"]) == {"SO-300001": order}


async def test_recording_twice_keeps_the_first_and_tells_no_event_again(
    ledger: PlatformOrderLedger, events: RecordedEvents
):
    first = ledger_order()
    await ledger.create(first, [event("e1")])
    assert await ledger.create(ledger_order(po_number="other"), [event("e1")]) == first
    assert events.ids == ["e1"]


async def test_another_order_with_the_same_number_is_a_conflict(ledger: PlatformOrderLedger):
    await ledger.create(ledger_order(1))
    with pytest.raises(Conflict):
        await ledger.create(ledger_order(2, number="SO-300001"))


async def test_an_order_whose_event_cannot_be_told_is_not_recorded(ledger: PlatformOrderLedger, events: RecordedEvents):
    events.failure = RuntimeError("log is full")
    with pytest.raises(RuntimeError):
        await ledger.create(ledger_order(), [event("e1")])
    assert await ledger.orders(["ord_1"]) == {}


async def test_an_update_needs_the_version_that_was_read(ledger: PlatformOrderLedger, events: RecordedEvents):
    order = await ledger.create(ledger_order())
    accepted = await ledger.update(replace(order, status=OrderStatus.ACCEPTED), [event("e2")])
    assert accepted.version == order.version + 1
    assert await ledger.orders(["ord_1"]) == {"ord_1": accepted}
    with pytest.raises(Conflict, match="read it again"):
        await ledger.update(replace(order, status=OrderStatus.REJECTED), [event("e3")])
    assert events.ids == ["e2"]


async def test_of_two_writers_with_the_same_version_one_wins(ledger: PlatformOrderLedger):
    order = await ledger.create(ledger_order())
    outcomes = await asyncio.gather(*(ledger.update(order) for _ in range(5)), return_exceptions=True)
    assert sorted(isinstance(outcome, Conflict) for outcome in outcomes) == [False, True, True, True, True]


async def test_an_update_whose_event_cannot_be_told_changes_nothing(
    ledger: PlatformOrderLedger, events: RecordedEvents
):
    order = await ledger.create(ledger_order())
    events.failure = RuntimeError("log is full")
    with pytest.raises(RuntimeError):
        await ledger.update(replace(order, status=OrderStatus.ACCEPTED), [event("e1")])
    assert await ledger.orders(["ord_1"]) == {"ord_1": order}


@pytest.mark.parametrize(
    ("other", "is_duplicate"),
    [
        pytest.param({}, True, id="the same number within the time"),
        pytest.param({"status": OrderStatus.REJECTED}, False, id="one that was rejected"),
        pytest.param({"submitted_at": NOW - 2 * HOUR}, False, id="one from before"),
        pytest.param({"submitted_at": NOW - HOUR}, True, id="one at the very start of the time"),
        pytest.param({"account_id": "acc_2"}, False, id="another customer's"),
        pytest.param({"po_number": "PO-882"}, False, id="another number"),
    ],
)
async def test_duplicate_purchase_orders(ledger: PlatformOrderLedger, other: dict[str, Any], is_duplicate: bool):
    await ledger.create(replace(ledger_order(1, po_number="PO-881"), **other))
    await ledger.create(ledger_order(2, po_number="PO-881"))
    found = await ledger.find_duplicate_po("acc_1", "PO-881", NOW - HOUR, "ord_2")
    assert found == ("ord_1" if is_duplicate else None)


async def test_each_account_gets_its_newest_orders(ledger: PlatformOrderLedger):
    for number in range(1, 7):
        account = "acc_1" if number % 2 else "acc_2"
        await ledger.create(ledger_order(number, account_id=account, submitted_at=NOW + number * HOUR))
    found = await ledger.orders_of(["acc_1", "acc_2", "acc_3"], ALL, limit=2)
    assert {account: [order.id for order in orders] for account, orders in found.items()} == {
        "acc_1": ["ord_5", "ord_3"],
        "acc_2": ["ord_6", "ord_4"],
        "acc_3": [],
    }


@pytest.mark.parametrize(
    ("where", "found"),
    [
        pytest.param(ALL, ["ord_3", "ord_2", "ord_1"], id="everything, newest first"),
        pytest.param(OrderFilter(statuses=(OrderStatus.ACCEPTED,)), ["ord_2"], id="by status"),
        pytest.param(OrderFilter(statuses=()), [], id="by no status"),
        pytest.param(OrderFilter(po_number="PO-1"), ["ord_1"], id="by purchase order"),
        pytest.param(OrderFilter(start=NOW + HOUR), ["ord_3", "ord_2"], id="from a time on"),
        pytest.param(OrderFilter(end=NOW + HOUR), ["ord_1"], id="up to a time"),
        pytest.param(OrderFilter(behind=(NOW + 2 * HOUR, "ord_3")), ["ord_2", "ord_1"], id="behind an order"),
        pytest.param(OrderFilter(behind=(NOW + HOUR, "ord_9")), ["ord_2", "ord_1"], id="behind a higher id at a time"),
        pytest.param(OrderFilter(behind=(NOW + HOUR, "ord_1")), ["ord_1"], id="behind a lower id at a time"),
    ],
)
async def test_searching(ledger: PlatformOrderLedger, where: OrderFilter, found: list[str]):
    await ledger.create(ledger_order(1, po_number="PO-1"))
    await ledger.create(ledger_order(2, status=OrderStatus.ACCEPTED, submitted_at=NOW + HOUR))
    await ledger.create(ledger_order(3, submitted_at=NOW + 2 * HOUR))
    assert [order.id for order in await ledger.search_orders(where, 10)] == found
    assert [order.id for order in (await ledger.orders_of(["acc_1"], where, 10))["acc_1"]] == found
    assert len(await ledger.search_orders(where, 1)) == min(1, len(found))


@pytest.mark.parametrize(
    ("order", "may_have"),
    [
        *((ledger_order(1, status=status), status not in FINISHED) for status in OrderStatus),
        *((ledger_order(1, status=status, exceptions=(HOLD,)), True) for status in OrderStatus),
    ],
    ids=[*OrderStatus, *(f"{status} with a problem" for status in OrderStatus)],
)
async def test_orders_that_are_unfinished_or_have_problems_may_have_exceptions(
    ledger: PlatformOrderLedger, order: LedgerOrder, may_have: bool
):
    where = OrderFilter(may_have_exceptions=True)
    await ledger.create(ledger_order(1, status=OrderStatus.RECEIVED))
    assert len(await ledger.search_orders(where, 10)) == 1
    changed = await ledger.update(order)
    expected = (changed,) if may_have else ()
    assert await ledger.search_orders(where, 10) == expected
    assert await ledger.orders_of(["acc_1"], where, 10) == {"acc_1": expected}


async def test_exposure_counts_what_no_erp_document_stands_for(ledger: PlatformOrderLedger):
    await ledger.create(ledger_order(1))
    await ledger.create(ledger_order(2, erp_number="SO-2"))
    await ledger.create(ledger_order(3, status=OrderStatus.REJECTED))
    await ledger.create(ledger_order(4, account_id="acc_2"))
    await ledger.create(ledger_order(5))
    assert await ledger.open_exposure("acc_1", "ord_5") == (Money(Decimal("866.40"), "USD"),)


async def test_exposure_of_an_unpriced_submission_is_nothing(ledger: PlatformOrderLedger):
    lines = tuple(replace(line, unit_price=None) for line in ledger_order().lines)
    await ledger.create(ledger_order(1, lines=lines))
    assert await ledger.open_exposure("acc_1", "ord_5") == (Money(Decimal(0), "USD"),)


async def test_reading_many_orders_is_one_statement(ledger: PlatformOrderLedger, database: Database):
    for number in range(1, 6):
        await ledger.create(ledger_order(number))
    statements: list[str] = []
    sa_event.listen(
        database.reader.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, *rest: statements.append(statement),
    )
    await ledger.orders([f"ord_{number}" for number in range(1, 6)])
    await ledger.orders_of(["acc_1", "acc_2"], ALL, 10)
    assert len([statement for statement in statements if not statement.startswith("BEGIN")]) == 2


# --- Numbers -------------------------------------------------------------------------------------------------------


async def test_numbers_are_given_in_order_from_their_start(ledger: PlatformOrderLedger, store: PlatformQuoteStore):
    assert [await ledger.next_number() for _ in range(2)] == ["SO-300001", "SO-300002"]
    assert await store.next_number() == "Q-900001"


async def test_no_number_is_given_twice_to_programs_that_ask_together(database_url: str, events: RecordedEvents):
    async with Database(database_url) as one, Database(database_url) as other:
        ledgers = [PlatformOrderLedger(one, events.append), PlatformOrderLedger(other, events.append)]
        given = await asyncio.gather(*(ledgers[turn % 2].next_number() for turn in range(40)))
    assert sorted(given) == [f"SO-{300_001 + turn}" for turn in range(40)]


# --- Quotes --------------------------------------------------------------------------------------------------------


async def test_a_quote_is_saved_and_changed_by_version(store: PlatformQuoteStore, events: RecordedEvents):
    saved = await store.save(quote(), [event("e1")])
    assert saved == quote(version=1)
    sent = await store.save(replace(saved, status=QuoteStatus.SENT), [event("e2")])
    assert await store.quotes(["quo_1"]) == {"quo_1": sent}
    assert await store.quotes_by_number(["Q-900001", "Q-9"]) == {"Q-900001": sent}
    with pytest.raises(Conflict):
        await store.save(replace(saved, status=QuoteStatus.DECLINED), [event("e3")])
    with pytest.raises(Conflict):
        await store.save(quote(), [event("e4")])
    assert events.ids == ["e1", "e2"]


async def test_quotes_by_account_and_opportunity(store: PlatformQuoteStore):
    for number in range(1, 4):
        status = QuoteStatus.SENT if number == 2 else QuoteStatus.PRICED
        await store.save(quote(number, created_at=NOW + number * HOUR, status=status))
    await store.save(quote(4, account_id="acc_2", opportunity_id=None))
    newest = await store.quotes_of(["acc_1", "acc_3"], None, 2)
    assert {account: [entry.id for entry in found] for account, found in newest.items()} == {
        "acc_1": ["quo_3", "quo_2"],
        "acc_3": [],
    }
    assert [entry.id for entry in (await store.quotes_of(["acc_1"], QuoteStatus.SENT, 9))["acc_1"]] == ["quo_2"]
    by_opportunity = await store.quotes_of_opportunities(["opp_9", "opp_8"])
    assert [entry.id for entry in by_opportunity["opp_9"]] == ["quo_3", "quo_2", "quo_1"]
    assert by_opportunity["opp_8"] == ()


async def test_quotes_that_are_over_are_found_by_status_and_last_day(store: PlatformQuoteStore):
    days = {1: 3, 2: 1, 3: 2, 4: 4, 5: 1}
    for number, day in days.items():
        status = QuoteStatus.CONVERTED if number == 5 else QuoteStatus.PRICED
        await store.save(quote(number, valid_until=date(2026, 4, day), status=status))
    wanted = (QuoteStatus.PRICED, QuoteStatus.SENT)
    assert [entry.id for entry in await store.ended(wanted, date(2026, 4, 4), 9)] == ["quo_2", "quo_3", "quo_1"]
    assert [entry.id for entry in await store.ended(wanted, date(2026, 4, 4), 2)] == ["quo_2", "quo_3"]
    longer = replace((await store.quotes(["quo_2"]))["quo_2"], valid_until=date(2026, 5, 1))
    await store.save(longer)
    assert [entry.id for entry in await store.ended(wanted, date(2026, 4, 4), 9)] == ["quo_3", "quo_1"]
    assert await store.ended((QuoteStatus.SENT,), date(2026, 4, 4), 9) == ()


async def test_quotes_are_gone_through_by_status_in_the_order_of_their_ids(store: PlatformQuoteStore):
    for number in (3, 1, 4, 2):
        await store.save(quote(number, status=QuoteStatus.SENT if number == 2 else QuoteStatus.PRICED))
    wanted = (QuoteStatus.PRICED, QuoteStatus.APPROVED)
    assert [entry.id for entry in await store.standing(wanted, None, 2)] == ["quo_1", "quo_3"]
    assert [entry.id for entry in await store.standing(wanted, "quo_3", 2)] == ["quo_4"]
    assert await store.standing(wanted, "quo_4", 2) == ()

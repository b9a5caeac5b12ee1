"""Which warehouses have to do with an order, and what is found by that, on every database."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import column, insert, table
from sqlalchemy.engine import Connection

from crossdock import migrations
from crossdock.migrations import upgrade_database
from events.tables import event_log
from schema.enums import SourceSystem
from schema.records.orders import OrderFilter
from schema.records.values import PageRequest
from systems.platform import (
    Database,
    PlatformDeadLetterStore,
    PlatformOrderLedger,
    PlatformReturnLedger,
    PlatformTaskQueue,
    tables,
)
from systems.platform.history import History, import_history
from systems.platform.orders import order_row
from tests.support.order_records import recorded, set_aside, told
from tests.support.platform_records import NOW, RecordedEvents, ledger_return, letter, task

WEST = OrderFilter(warehouses=("W01",))


@pytest.fixture
def ledger(database: Database, events: RecordedEvents) -> PlatformOrderLedger:
    return PlatformOrderLedger(database, events.append)


async def test_they_are_where_goods_were_ever_set_aside_where_it_left_and_where_it_comes_back_to(
    database: Database, ledger: PlatformOrderLedger, events: RecordedEvents
):
    await ledger.create(set_aside(recorded(1), "W01", "W02"))
    await ledger.update(set_aside(recorded(1), "W03"))
    for _ in range(2):
        await ledger.note_warehouse("ord_1", "W04")
    await PlatformReturnLedger(database, events.append).create(ledger_return(warehouse_code="W05"))
    await ledger.note_warehouse("ord_of_elsewhere", "W01")
    assert await ledger.warehouses_of(["ord_1", "ord_of_elsewhere", "ord_9"]) == {
        "ord_1": {"W01", "W02", "W03", "W04", "W05"},
        "ord_of_elsewhere": {"W01"},
        "ord_9": frozenset(),
    }


async def test_orders_are_found_by_them(ledger: PlatformOrderLedger):
    orders = [set_aside(recorded(1), "W01", "W02"), set_aside(recorded(2), "W02"), recorded(3)]
    for order in orders:
        await ledger.create(order)
    assert await ledger.search_orders(WEST, 10) == (orders[0],)
    assert await ledger.search_orders(OrderFilter(warehouses=("W01", "W02")), 10) == (orders[1], orders[0])
    assert await ledger.search_orders(OrderFilter(warehouses=()), 10) == ()
    assert await ledger.orders_of(["acc_1"], WEST, 10) == {"acc_1": (orders[0],)}


async def test_tasks_and_dead_letters_are_found_by_them(
    database: Database, ledger: PlatformOrderLedger, events: RecordedEvents
):
    queue, letters = PlatformTaskQueue(database, events.append), PlatformDeadLetterStore(database, events.append)
    await ledger.note_warehouse("ord_1", "W01")
    for entry in (
        task(1),
        task(2, warehouse_code="W02"),
        task(3, order_id=None, warehouse_code="W01"),
        task(4, order_id=None),
    ):
        await queue.open_task(entry)
    for kept in (letter(1), letter(2, order_id="ord_1")):
        await letters.put(kept)
    found = await queue.search_tasks(None, None, PageRequest(1), {"W01"})
    assert (found.items, found.has_next, found.total) == ((task(1),), True, 2)
    kept = await letters.search(None, PageRequest(10), {"W01"})
    assert (kept.items, kept.total) == ((letter(2, order_id="ord_1"),), 1)


async def test_those_of_a_past_that_was_brought_in_are_known(
    database: Database, ledger: PlatformOrderLedger, events: RecordedEvents
):
    past = [
        told(type_, type_, partition_key="ord_2", data={"warehouse": code})
        for type_, code in (
            ("order.released", "W01"),
            ("order.line.allocated", "W02"),
            ("shipment.shipped", "W01"),
            ("return.authorized", "W03"),
            ("shipment.picked", None),
        )
    ]
    await import_history(database, events.append, History([set_aside(recorded(1), "W01"), recorded(2)], events=past))
    assert await ledger.warehouses_of(["ord_1", "ord_2"]) == {"ord_1": {"W01"}, "ord_2": {"W01", "W02"}}
    assert [order.id for order in await ledger.search_orders(WEST, 10)] == ["ord_2", "ord_1"]


async def test_those_of_what_was_there_before_they_were_kept_are_known(empty_database_url: str):
    columns = [entry for entry in tables.dead_letters.columns if entry.name != "order_id"]
    old_letters = table("dead_letters", *(column(entry.name, entry.type) for entry in columns))
    step = {"source": "PLATFORM", "type": "t", "reason": "r", "attempts": 1, "first_seen": NOW}
    row = {"source": "/s", "subject": "sh_1", "correlation_id": "c", "actor": "a",
            "manual": False, "system": "WMS", "occurred_at": NOW, "recorded_at": NOW}  # fmt: skip
    async with Database(empty_database_url) as database:
        async with database.transaction() as connection:
            await connection.run_sync(_migrate, "0010")
            orders = [set_aside(recorded(1), "W01", "W02"), set_aside(recorded(2), "W02"), recorded(3)]
            await connection.execute(insert(tables.ledger_orders), [order_row(order) for order in orders])
            payloads = [
                {"businessKey": "ord_1", "step": "x"},
                {"orderId": "ord_2"},
                {"businessKey": "quo_1"},
                [1],
                None,
            ]
            rows = [{**step, "id": f"dl_{count}", "payload": payload} for count, payload in enumerate(payloads)]
            rows.append({**step, "id": "dl_wms", "source": "WMS", "payload": {"orderId": "ord_1"}})
            await connection.execute(insert(old_letters), rows)
            places = [
                ("shipment.shipped", "ord_3", "W03"),
                ("order.released", "ord_3", "W03"),
                ("order.line.allocated", "ord_1", "W01"),
                ("shipment.shipped", "ord_4", None),
                ("return.received", "ord_4", "W04"),
            ]
            events = [
                {
                    **row,
                    "id": str(count),
                    "type": type_,
                    "partition_key": order_id,
                    "sequence": count,
                    "data": {"warehouse": code},
                }
                for count, (type_, order_id, code) in enumerate(places)
            ]
            await connection.execute(insert(event_log), events)
        await upgrade_database(database)
        ledger = PlatformOrderLedger(database, RecordedEvents().append)
        assert await ledger.warehouses_of([f"ord_{count}" for count in range(1, 5)]) == {
            "ord_1": {"W01", "W02"},
            "ord_2": {"W02"},
            "ord_3": {"W03"},
            "ord_4": frozenset(),
        }
        letters = PlatformDeadLetterStore(database, RecordedEvents().append)
        found = (await letters.search(SourceSystem.PLATFORM, PageRequest(10))).items
        assert [kept.order_id for kept in found] == ["ord_1", "ord_2", None, None, None]
        assert (await letters.letters(["dl_wms"]))["dl_wms"].order_id is None


def _migrate(connection: Connection, revision: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, revision)

"""Merges of accounts on every database: taken by one, carried over in one commit, or taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from schema.enums import AccountStatus, OrderStatus, SourceSystem
from schema.records.merges import AccountMerge, MergeStatus
from schema.records.orders import OrderFilter
from schema.records.values import ExternalRef
from systems.errors import Unavailable
from systems.platform import Database, PlatformAccountMerges, PlatformOrderLedger
from tests.support.platform_records import NOW, RecordedEvents, event, ledger_order


def merge(name: str = "1", duplicate: str = "acc_2", survivor: str = "acc_1", **changes: Any) -> AccountMerge:
    made = AccountMerge(
        id=f"prc_{name}",
        status=MergeStatus.UNDER_WAY,
        duplicate_id=duplicate,
        survivor_id=survivor,
        status_was=AccountStatus.ACTIVE,
        refs=(ExternalRef(SourceSystem.CRM, f"001{name}", current=False),),
        is_customer=True,
        belongings=(),
        merged_by="user:usr_1",
        began_at=NOW,
    )
    return replace(made, **changes)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


@pytest.fixture
def events() -> RecordedEvents:
    return RecordedEvents()


@pytest.fixture
def merges(database: Database, events: RecordedEvents) -> PlatformAccountMerges:
    return PlatformAccountMerges(database, events.append)


@pytest.fixture
def orders(database: Database, events: RecordedEvents) -> PlatformOrderLedger:
    return PlatformOrderLedger(database, events.append)


async def test_a_merge_is_begun_once_and_found_as_it_is(merges: PlatformAccountMerges):
    begun = merge()
    assert await merges.begin(begun) == begun
    noted = replace(begun, belongings=("Contact.AccountId/003",))
    await merges.note(noted)
    assert await merges.begin(begun) == noted
    assert await merges.merges([begun.id, "prc_none"]) == {begun.id: noted}


@pytest.mark.parametrize(
    ("duplicate", "survivor"),
    [("acc_2", "acc_1"), ("acc_1", "acc_2"), ("acc_3", "acc_2"), ("acc_1", "acc_3")],
)
async def test_an_account_belongs_to_one_merge(merges: PlatformAccountMerges, duplicate: str, survivor: str):
    await merges.begin(merge())
    other = merge("2", duplicate, survivor)
    assert await merges.begin(other) is None
    assert await merges.merges([other.id]) == {}
    await merges.take_back("prc_1")
    assert await merges.begin(other) == other


async def test_of_many_at_once_one_begins(merges: PlatformAccountMerges):
    found = await asyncio.gather(*(merges.begin(merge(str(count))) for count in range(6)))
    assert len([entry for entry in found if entry is not None]) == 1


async def test_open_orders_change_hands_with_the_events_or_not_at_all(
    merges: PlatformAccountMerges, orders: PlatformOrderLedger, events: RecordedEvents
):
    for count, status in enumerate((OrderStatus.ACCEPTED, OrderStatus.COMPLETED), 1):
        await orders.create(ledger_order(count, account_id="acc_2", status=status))
    await merges.begin(merge())
    events.failure = Unavailable(SourceSystem.PLATFORM, "append", "no disk", outcome_unknown=False)
    with pytest.raises(Unavailable):
        await merges.carry_over(merge(), [event("merged")])
    assert len((await orders.orders_of(["acc_2"], OrderFilter(), 9))["acc_2"]) == 2
    assert await merges.survivors(["acc_2"]) == {}
    events.failure = None
    await merges.carry_over(merge(), [event("merged")])
    found = await orders.orders_of(["acc_1", "acc_2"], OrderFilter(), 9)
    assert [entry.status for name in ("acc_1", "acc_2") for entry in found[name]] == ["ACCEPTED", "COMPLETED"]
    assert events.ids == [event("merged").id]
    await merges.carry_over(merge(), [event("merged")])
    assert events.ids == [event("merged").id]


async def test_the_end_of_a_merge_leaves_its_accounts_to_others(merges: PlatformAccountMerges):
    await merges.begin(merge())
    await merges.carry_over(merge(), [])
    following = merge("2", "acc_1", "acc_3")
    assert await merges.begin(following) == following
    await merges.carry_over(following, [])
    assert await merges.survivors(["acc_1", "acc_2", "acc_3"]) == {"acc_1": "acc_3", "acc_2": "acc_3"}
    into = await merges.merged_into(["acc_3", "acc_1"])
    assert [entry.duplicate_id for entry in into["acc_3"]] == ["acc_2", "acc_1"]
    assert into["acc_1"] == ()


async def test_what_was_taken_back_has_no_effect(merges: PlatformAccountMerges):
    await merges.begin(merge())
    await merges.take_back("prc_1")
    await merges.take_back("prc_none")
    await merges.carry_over(merge(), [event("merged")])
    assert await merges.survivors(["acc_2"]) == {}


@pytest.mark.parametrize("status", list(OrderStatus))
async def test_orders_are_under_decision_until_accepted_or_ended(
    merges: PlatformAccountMerges, orders: PlatformOrderLedger, status: OrderStatus
):
    await orders.create(ledger_order(1, account_id="acc_2", status=status))
    settled = status in (OrderStatus.ACCEPTED, OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.COMPLETED)
    number = ledger_order(1).number
    assert await merges.under_decision("acc_2") == (() if settled else (number,))
    assert await merges.under_decision("acc_1") == ()

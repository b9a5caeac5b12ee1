"""Which events make a story, how it is paged, and what counts as a touch."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from resolvers.operations.ownership import OWNERSHIP
from resolvers.operations.story import Chain, count_touches, merge, page_of
from schema.enums import OrderChannel
from schema.events.envelope import Event, EventPlace, StoredEvent
from schema.operations.views import HistoryPage, LineageEntry
from tests.support.platform_records import NOW, event, ledger_order

CHAIN = Chain(("quo_1", "ord_1"), "acc_1", "ord_1")


def told(type_: str = "order.priced", **changes: Any) -> Event:
    base = replace(event("e"), correlation_id="quo_1", account_id="acc_1", data={"orderId": "ord_1"})
    return replace(base, type=type_, **changes)


@pytest.mark.parametrize(
    ("entry", "belongs"),
    [
        pytest.param(told(), True, id="its own"),
        pytest.param(told(account_id=None), True, id="one without an account"),
        pytest.param(told(account_id="acc_2"), False, id="one of another account that named the quote"),
        pytest.param(told(data={"orderId": "ord_2"}), False, id="one of another order of the quote"),
        pytest.param(told(data={}, partition_key="ord_2"), False, id="another order's by its partition"),
        pytest.param(told("invoice.posted", data={}, partition_key="ord_1", subject="inv_1"), True, id="its invoice's"),
        pytest.param(told("quote.created", data={}, partition_key="quo_1"), True, id="the quote's"),
        pytest.param(told("quote.converted", data={"orderId": "ord_1"}, partition_key="quo_1"), True, id="becoming it"),
        pytest.param(
            told("inventory.reserved", partition_key="VLV-0007:W01"), True, id="stock reserved for it elsewhere"
        ),
    ],
)
def test_a_story_is_made_of_its_own_events(entry: Event, belongs: bool):
    assert CHAIN.has(entry) is belongs


def test_the_story_of_a_quote_has_every_order_of_its_account():
    chain = Chain(("quo_1", "ord_1", "ord_2"), "acc_1")
    assert chain.has(told(data={"orderId": "ord_2"}))
    assert not chain.has(told(data={"orderId": "ord_3"}, account_id="acc_2"))


def stored(minute: int, position: int | None = None) -> StoredEvent:
    at = NOW + timedelta(minutes=minute)
    return StoredEvent(replace(event(f"e{minute}"), occurred_at=at), position or minute, 1, NOW)


def minutes(events: tuple[StoredEvent, ...]) -> list[int]:
    return [int((entry.event.occurred_at - NOW).total_seconds() // 60) for entry in events]


def test_parts_of_a_story_are_merged_by_time():
    window = merge([[stored(1), stored(4)], [stored(2), stored(3)]], limit=10)
    assert (minutes(window.events), window.is_complete) == ([1, 2, 3, 4], True)


def test_a_part_that_was_not_read_to_its_end_ends_the_whole():
    window = merge([[stored(1), stored(3)], [stored(2), stored(9)]], limit=2)
    assert (minutes(window.events), window.is_complete) == ([1, 2, 3], False)


def page(
    count: int, first: int, after: EventPlace | None = None, *, limit: int = 100, odd: bool = False
) -> HistoryPage:
    def show(entry: StoredEvent) -> LineageEntry | None:
        if odd and entry.position % 2 == 0:
            return None
        return LineageEntry(entry.event, entry.place, "", "", None)

    return page_of(merge([[stored(number) for number in range(1, count + 1)]], limit), show, first, after)


@pytest.mark.parametrize(
    ("found", "shown", "has_next", "end", "total"),
    [
        pytest.param(page(3, 5), 3, False, 3, 3, id="all on one page"),
        pytest.param(page(3, 3), 3, False, 3, 3, id="a full page and nothing more"),
        pytest.param(page(3, 2), 2, True, 2, 3, id="more to come"),
        pytest.param(page(3, 2, stored(0).place), 2, True, 2, None, id="a later page is not counted"),
        pytest.param(page(4, 9, limit=4), 4, True, 4, None, id="the window ends before the story"),
        pytest.param(page(4, 9, limit=4, odd=True), 2, True, 4, None, id="what was left out is passed by"),
        pytest.param(page(4, 9, odd=True), 2, False, 3, 2, id="what is left out is not counted"),
        pytest.param(page(0, 9), 0, False, None, 0, id="nothing"),
    ],
)
def test_a_page_says_where_the_next_one_begins(
    found: HistoryPage, shown: int, has_next: bool, end: int | None, total: int | None
):
    assert (len(found.entries), found.has_next, found.total) == (shown, has_next, total)
    assert found.end == (None if end is None else stored(end).place)


def by(type_: str, actor: str = "user:usr_7", *, minute: int = 1, manual: bool = True) -> Event:
    return told(type_, actor=actor, manual=manual, occurred_at=NOW + timedelta(minutes=minute))


@pytest.mark.parametrize(
    ("entry", "touches"),
    [
        pytest.param(by("order.hold.released"), 1, id="a hold released by a person"),
        pytest.param(by("task.resolved"), 1, id="a task resolved"),
        pytest.param(by("order.change.accepted"), 1, id="a change"),
        pytest.param(by("return.approved"), 1, id="a decision about a return"),
        pytest.param(by("order.hold.released", "system:credit", manual=False), 0, id="a hold released by a rule"),
        pytest.param(by("order.hold.released", manual=False), 0, id="done in somebody's name, by nobody"),
        pytest.param(by("order.received"), 0, id="submitting it"),
        pytest.param(by("return.inspected"), 0, id="handling goods"),
        pytest.param(by("task.resolved", minute=-1), 0, id="before it was received"),
        pytest.param(by("order.cancelled", "user:usr_1"), 0, id="self-service of who submitted it over the portal"),
        pytest.param(by("order.cancelled", "user:usr_9"), 1, id="cancelled by another"),
    ],
)
def test_a_touch_is_a_person_changing_or_unblocking_it(entry: Event, touches: int):
    assert count_touches(ledger_order(), [entry, by("order.priced", "system:crossdock", manual=False)]) == touches


def test_a_rep_who_changes_the_own_submission_touches_it():
    order = ledger_order(channel=OrderChannel.SALES_REP)
    assert count_touches(order, [by("order.cancelled", order.submitted_by), by("task.resolved")]) == 2


def test_every_group_of_fields_has_one_owner_under_each_condition_and_a_team():
    ruled = [(rule.object, rule.field_group, rule.condition) for rule in OWNERSHIP]
    assert len(set(ruled)) == len(ruled)
    conditions: dict[tuple[str, str], set[bool]] = {}
    for object_, group, condition in ruled:
        conditions.setdefault((object_, group), set()).add(condition is None)
    assert all(len(kinds) == 1 for kinds in conditions.values()), "a group is owned always, or by conditions"
    assert all(rule.team for rule in OWNERSHIP)


def test_every_object_that_the_business_needs_an_owner_for_has_one():
    wanted = {"Account", "Item", "Price", "Inventory", "Order", "Shipment", "Invoice"}
    assert wanted <= {rule.object for rule in OWNERSHIP}

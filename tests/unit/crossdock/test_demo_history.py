"""The demo's past tells the same story as its systems."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from crossdock.demo.history import history_of
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import OrderStatus, ProcessState
from schema.events.envelope import Event
from schema.records.problems import CreditHold, FulfillmentDelay, Stockout
from systems.platform.history import History

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture(scope="module")
def history(world: WorldModel) -> History:
    return history_of(world)


def story(history: History, correlation_id: str) -> list[Event]:
    return [event for event in history.events if event.correlation_id == correlation_id]


def test_there_are_about_as_many_events_as_promised(history: History):
    assert 22_000 < len(history.events) < 32_000


def test_events_are_told_in_the_order_of_time_and_each_once(history: History):
    times = [event.occurred_at for event in history.events]
    assert times == sorted(times)
    assert max(Counter((event.source, event.id) for event in history.events).values()) == 1


def test_every_order_of_the_world_is_in_the_ledger_with_its_status(world: WorldModel, history: History):
    assert {order.id: order.status for order in history.orders} == {
        order.id: OrderStatus(order.status) for order in world.orders
    }


def test_an_order_outside_of_the_erp_has_no_erp_number_and_waits_for_a_person(history: History):
    order = next(order for order in history.orders if order.id == "ord_77")
    assert order.erp_number is None
    assert [hold.kind for hold in order.holds] == ["CREDIT"]
    assert [type(problem) for problem in order.exceptions] == [CreditHold]
    process = next(process for process in history.processes if process.id == order.process_id)
    assert process.state is ProcessState.WAITING_HUMAN
    assert "ord_77" in {task.order_id for task in history.tasks}
    told = [event.type for event in story(history, "ord_77")]
    assert told == ["order.received", "order.priced", "order.held", "task.opened"]


def test_the_known_customer_has_problems_to_look_at(history: History):
    problems = {
        type(problem) for order in history.orders if order.account_id == "acc_1" for problem in order.exceptions
    }
    assert problems == {Stockout, FulfillmentDelay}


def test_the_whole_story_runs_from_the_quote_to_the_credit(history: History):
    order = next(order for order in history.orders if order.number == "SO-204511")
    told = [event.type for event in story(history, order.quote_id or "")]
    expected = ["quote.created", "quote.converted", "order.received", "order.accepted", "shipment.delivered"]
    expected += ["invoice.posted", "order.completed", "return.requested", "return.credited"]
    assert [what for what in told if what in expected and told.count(what) == 1] == [
        what for what in expected if told.count(what) == 1
    ]
    assert set(expected) <= set(told)
    assert told.count("shipment.delivered") == 2


def test_an_event_is_manual_exactly_when_a_person_did_it(history: History):
    assert all(event.manual == event.actor.startswith("user:") for event in history.events)
    assert any(event.manual for event in history.events)

"""What events say in a sentence, to whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crossdock.demo.history import history_of
from resolvers.operations.summaries import CUSTOMER_TYPES, MAX_FACT, summary_for_customer, summary_of
from sandbox.world.generate import generate_world
from schema.enums import OrderChannel, ProcessState, ShipmentStatus, SourceSystem
from schema.events.envelope import Event


def event(type_: str, **data: Any) -> Event:
    return Event(
        id="e",
        source="/dist/orders",
        type=type_,
        subject="ord_1",
        partition_key="ord_1",
        correlation_id="ord_1",
        system=SourceSystem.PLATFORM,
        occurred_at=datetime(2026, 1, 5, tzinfo=UTC),
        data=data,
    )


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        pytest.param(
            event("order.received", number="SO-1", channel="MOBILE", lines=2),
            "Order SO-1 received over the mobile app",
            id="facts that are there",
        ),
        pytest.param(event("order.received"), "Order received", id="no facts at all"),
        pytest.param(
            event("quote.priced", number="Q-1", total={"amount": "12.50", "currency": "USD"}),
            "Quote Q-1 priced: 12.50 USD",
            id="a fact in a fact",
        ),
        pytest.param(
            event("quote.priced", number="Q-1", total={"amount": "12.50"}),
            "Quote Q-1 priced",
            id="a piece with half of its facts",
        ),
        pytest.param(
            event("order.rejected", number="SO-1", problems=[{"message": "no price"}, {"message": "no stock"}]),
            "Order SO-1 rejected: no price",
            id="the first of several",
        ),
        pytest.param(event("order.rejected", problems=[]), "Order rejected", id="the first of none"),
        pytest.param(event("order.rejected", problems="?"), "Order rejected", id="a fact of another shape"),
        pytest.param(
            event("shipment.milestone", shipmentNumber="SH-1", status="IN_TRANSIT", place=None),
            "Shipment SH-1 is in transit",
            id="a status in words",
        ),
        pytest.param(
            event("shipment.milestone", shipmentNumber="SH-1", status="DEPARTED", place="Chicago"),
            "Shipment SH-1 set off in Chicago",
            id="a station",
        ),
        pytest.param(
            event("order.fulfillment.changed", shipmentId="sh_SH-1", shipmentStatus="PICKING"),
            "Fulfilment went on: shipment SH-1 is being picked",
            id="which shipment moved an order on",
        ),
        pytest.param(
            event("customer.notified", template="return-credited", channel="EMAIL"),
            "Customer told of the credit, over e-mail",
            id="what a customer was told",
        ),
        pytest.param(
            event("customer.notified", template="new_thing", channel="FAX"),
            "Customer told of new thing, over FAX",
            id="what no table knows",
        ),
        pytest.param(
            event("process.state.changed", kind="ORDER_CHANGE", state="WAITING_HUMAN"),
            "Process order change waits for a decision",
            id="how a process stands",
        ),
        pytest.param(event("order.line.allocated", lineNo=0), "Line 0 allocated", id="zero is a fact"),
        pytest.param(event("robot.fell.over", where="W01"), "robot.fell.over", id="an unknown type"),
    ],
)
def test_an_event_is_told_with_the_facts_that_it_carries(told: Event, sentence: str):
    assert summary_of(told) == sentence


def test_a_long_fact_is_cut():
    assert summary_of(event("task.opened", summary="x" * 5_000)) == f"Task opened: {'x' * (MAX_FACT - 1)}…"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        pytest.param(
            event("order.held", hold="CREDIT", reason="12,000 over the limit", queue="CREDIT"),
            "Order is being checked",
            id="that an order is held, but not why",
        ),
        pytest.param(event("order.accepted", number="SO-1"), "Order SO-1 accepted", id="what they may know"),
        pytest.param(event("process.step.failed", step="erp", message="boom"), None, id="no failures of ours"),
        pytest.param(event("task.opened", summary="over the limit"), None, id="no tasks"),
        pytest.param(event("quote.approval.requested", reason="below floor"), None, id="no approvals"),
        pytest.param(event("invoice.mismatch", number="INV-1"), None, id="no mismatch"),
        pytest.param(event("robot.fell.over"), None, id="nothing unknown"),
    ],
)
def test_customers_are_told_less(told: Event, sentence: str | None):
    assert summary_for_customer(told) == sentence
    assert (told.type in CUSTOMER_TYPES) == (sentence is not None)


def test_everything_in_the_past_of_the_demo_is_told_in_words():
    history = history_of(generate_world(42, datetime(2026, 3, 4, 15, 30, tzinfo=UTC)))
    types = {told.type: told for told in history.events}
    assert [name for name, told in types.items() if summary_of(told) == name] == []


@pytest.mark.parametrize(
    ("type_", "fact", "values"),
    [
        pytest.param("shipment.milestone", "status", ShipmentStatus, id="shipments"),
        pytest.param("process.state.changed", "state", ProcessState, id="processes"),
        pytest.param("order.received", "channel", OrderChannel, id="channels"),
    ],
)
def test_every_state_and_channel_reads_as_english_and_as_itself_only(
    type_: str, fact: str, values: type[ShipmentStatus | ProcessState | OrderChannel]
):
    said = [summary_of(event(type_, **{fact: value.value})) for value in values]
    assert len(set(said)) == len(values)
    assert [text for text in said if "_" in text] == []
    assert [text for text in said if text.endswith((" is departed", " is loaded", " is cancelled"))] == []

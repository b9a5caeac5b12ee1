"""Key figures over small logs: what counts, when, and in which bucket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from events.projections.facts import Fact, FactKind, Key, days_of, read_fact, write_fact
from events.projections.figures import FIGURES, measure
from events.projections.fold import apply
from events.projections.measure import MAX_BUCKETS, TooManyBuckets
from events.projections.period import Period
from schema.enums import KpiName, SourceSystem
from schema.events.envelope import Event, StoredEvent

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)  # a Monday
K = KpiName


def told(type_: str, hours: float = 0, order: str = "ord_1", **data: Any) -> Event:
    """Return an event so many hours after ``AT``; ``by`` ``under`` and ``at_system`` its actor, story and system."""
    actor, story = data.pop("by", "system:crossdock"), data.pop("under", order)
    account, system = data.pop("account", "acc_1"), data.pop("at_system", SourceSystem.PLATFORM)
    return Event(
        id=f"{order}:{type_}:{hours}:{len(data)}",
        source="/dist/orders",
        type=type_,
        subject=order,
        partition_key=order,
        correlation_id=story,
        system=system,
        occurred_at=AT + timedelta(hours=hours),
        data=data,
        account_id=account,
        actor=actor,
        manual=actor.startswith("user:"),
    )


def received(order: str = "ord_1", hours: float = 0, quantity: str = "10", **data: Any) -> Event:
    items = [{"lineNo": 1, "sku": "A", "quantity": quantity, "uom": "EA"}]
    given = {"channel": "MOBILE", "requestedDate": "2026-03-05", "items": items, "by": "user:rep", **data}
    return told("order.received", hours, order, **given)


def whole_order(order: str = "ord_1", *, hours: float = 48, allocated: str = "10", arrived: str = "10") -> list[Event]:
    """Return an order that was delivered so many hours after ``AT``."""
    lines = [{"lineNo": 1, "quantity": "10", "uom": "EA"}]
    return [
        received(order),
        told("order.accepted", 0.0005, order),
        told("order.line.allocated", 0.01, order, lineNo=1, quantity=allocated),
        told("order.acknowledged", 0.02, order, promisedDate="2026-03-05"),
        told("order.released", 1, order, shipmentNumber=f"SH-{order}", lines=lines),
        told("shipment.shipped", 5, order, shipmentNumber=f"SH-{order}", lines=[{"lineNo": 1, "quantity": arrived}]),
        told("shipment.delivered", hours, order, shipmentNumber=f"SH-{order}"),
        told("invoice.posted", hours + 1, order, number=f"INV-{order}"),
        told("order.completed", hours + 2, order),
    ]


def folded(events: Iterable[Event], *, lag_s: float = 0) -> list[Fact]:
    facts: dict[Key, Fact] = {}
    for position, event in enumerate(events, 1):
        apply(facts, StoredEvent(event, position, position, event.occurred_at + timedelta(seconds=lag_s)))
    return list(facts.values())


def figure(
    name: KpiName, events: Iterable[Event], group_by: str | None = None, *, days: int = 27, lag_s: float = 0
) -> dict[str, str]:
    """Return the values of a figure over four weeks per bucket, as seen at their end."""
    period = Period(AT.date(), AT.date() + timedelta(days=days), AT + timedelta(days=days))
    kinds = [kind.value for kind in FIGURES[name].kinds]
    facts = [fact for fact in folded(events, lag_s=lag_s) if type(fact).__name__.removesuffix("Fact").upper() in kinds]
    return {point.bucket: str(point.value.normalize()) for point in measure(name, period, group_by, facts)}


def test_nothing_that_happened_measures_nothing():
    assert {name: figure(name, []) for name in KpiName} == {name: {} for name in KpiName}


def test_the_cycle_of_an_order_ends_with_its_last_delivery():
    assert figure(K.ORDER_CYCLE_TIME, [*whole_order(), *whole_order("ord_2", hours=72)]) == {"ALL": "6E+1"}
    assert figure(K.ORDER_CYCLE_TIME, whole_order(), "channel") == {"MOBILE": "48"}
    stages = figure(K.ORDER_CYCLE_TIME, whole_order(), "stage")
    assert (stages["accepted p50"], stages["shipped p50"], stages["delivered p90"]) == ("0.001", "5", "48")


def test_time_on_hold_is_shown_apart():
    events = whole_order()
    events[1:1] = [told("order.held", 0.0001), told("order.hold.released", 3.0001, by="user:credit", hold="CREDIT")]
    assert figure(K.ORDER_CYCLE_TIME, events, "stage")["held p50"] == "3"


TOUCHES = [
    pytest.param([], "0", id="nobody"),
    pytest.param([("order.hold.released", "user:credit")], "1", id="a release"),
    pytest.param([("task.resolved", "user:desk"), ("order.change.accepted", "user:desk")], "2", id="two persons' work"),
    pytest.param([("order.hold.released", "system:crossdock")], "0", id="the platform itself"),
    pytest.param([("order.released", "user:desk"), ("task.claimed", "user:desk")], "0", id="moving goods and looking"),
]


@pytest.mark.parametrize(("acts", "touches"), TOUCHES)
def test_a_touch_is_what_a_person_had_to_change(acts: list[tuple[str, str]], touches: str):
    events = [*whole_order(), *(told(type_, 2, by=actor, orderId="ord_1") for type_, actor in acts)]
    assert figure(K.MANUAL_TOUCHES, events) == {"ALL": touches}
    assert figure(K.TOUCHLESS_RATE, events) == {"ALL": "1E+2" if touches == "0" else "0"}


def test_what_a_customer_does_in_the_portal_is_no_touch():
    events = [received(channel="PORTAL", by="user:pia"), told("order.cancelled", 1, by="user:pia")]
    assert figure(K.MANUAL_TOUCHES, events) == {"ALL": "0"}


DEFECTS = [
    pytest.param([], {}, id="none"),
    pytest.param([told("order.rejected", 1, problems=[{"type": "ValidationFailed"}])], {"REJECTED": "1E+2"}, id="data"),
    pytest.param([told("order.rejected", 1, problems=[{"type": "CreditHold"}])], {}, id="a business reason is none"),
    pytest.param(
        [told("order.accepted", 1), told("order.hold.released", 2, by="user:desk", hold="PRICE")],
        {"PRICE_OVERRIDE": "1E+2"},
        id="a price override after acceptance",
    ),
    pytest.param([told("order.hold.released", 2, by="user:desk", hold="PRICE")], {}, id="before acceptance it is none"),
    pytest.param([told("invoice.mismatch", 9)], {"INVOICE_MISMATCH": "1E+2"}, id="a mismatch of the invoice"),
    pytest.param(
        [told("return.requested", 99, "rma_1", orderId="ord_1", lines=[{"lineNo": 1, "reason": "WRONG_ITEM"}])],
        {"RETURN": "1E+2"},
        id="the wrong item",
    ),
    pytest.param(
        [told("return.requested", 99, "rma_1", orderId="ord_1", lines=[{"lineNo": 1, "reason": "NOT_NEEDED"}])],
        {},
        id="a customer who changed his mind is none",
    ),
]


@pytest.mark.parametrize(("events", "causes"), DEFECTS)
def test_defects_are_those_of_the_distributor(events: list[Event], causes: dict[str, str]):
    found = figure(K.ORDER_DEFECT_RATE, [received(), *events], "cause")
    assert {cause: share for cause, share in found.items() if share != "0"} == causes
    assert figure(K.ORDER_DEFECT_RATE, [received(), *events]) == {"ALL": "1E+2" if causes else "0"}


SERVED = [
    pytest.param({}, "1E+2", "1E+2", id="in full on the day"),
    pytest.param({"hours": 96}, "0", "1E+2", id="a day late"),
    pytest.param({"allocated": "8"}, "1E+2", "0", id="less allocated than ordered"),
    pytest.param({"arrived": "9"}, "0", "0", id="a short pick that nobody made good"),
]


@pytest.mark.parametrize(("how", "on_time", "in_full"), SERVED)
def test_a_line_is_served_when_all_of_it_is_there_by_the_day(how: dict[str, Any], on_time: str, in_full: str):
    events = whole_order(**how)
    assert figure(K.OTIF, events, "factor") == {"on_time": on_time, "in_full": in_full}
    both = "1E+2" if on_time == in_full == "1E+2" else "0"
    assert figure(K.OTIF, events) == {"ALL": both}
    assert figure(K.PERFECT_ORDER, events) == {"ALL": both}
    assert figure(K.PROMISE_ACCURACY, events) == {"ALL": both}


def test_the_day_is_that_of_the_place_as_the_carrier_wrote_it():
    late_in_utc = told("shipment.delivered", 84, shipmentNumber="SH-ord_1", at="2026-03-05T21:00:00-05:00")
    events = [event if event.type != "shipment.delivered" else late_in_utc for event in whole_order()]
    assert figure(K.OTIF, events) == {"ALL": "1E+2"}


def test_an_order_that_never_came_is_late_when_its_day_is_over_and_no_earlier():
    assert figure(K.OTIF, [received()]) == {"ALL": "0"}
    assert figure(K.OTIF, [received()], days=3) == {}
    assert figure(K.OTIF, [received(), told("order.cancelled", 1)]) == {}


def test_a_later_promise_never_replaces_the_first():
    events = whole_order(hours=96)
    events.insert(4, told("order.acknowledged", 60, promisedDate="2026-03-06"))
    assert figure(K.PROMISE_ACCURACY, events, "factor") == {"kept": "0", "promised_again": "1E+2"}


@pytest.mark.parametrize(
    ("days", "reason", "undamaged"),
    [
        pytest.param(3, "DAMAGED", "0", id="damaged goods"),
        pytest.param(33, "DAMAGED", "1E+2", id="after thirty days"),
        pytest.param(3, "NOT_NEEDED", "1E+2", id="goods that nobody needs"),
    ],
)
def test_an_order_is_imperfect_when_its_goods_come_back_soon_for_our_sake(days: int, reason: str, undamaged: str):
    back = told("return.requested", 48 + days * 24, "rma_1", orderId="ord_1", lines=[{"lineNo": 1, "reason": reason}])
    found = figure(K.PERFECT_ORDER, [*whole_order(), back], "factor")
    assert found == {"on_time": "1E+2", "in_full": "1E+2", "invoice_matched": "1E+2", "undamaged": undamaged}


def test_a_quote_counts_for_the_week_in_which_it_was_sent():
    events = [
        *(told("quote.created", 0, f"quo_{number}") for number in (1, 2, 3)),
        *(told("quote.sent", hours, f"quo_{number}") for number, hours in ((1, 1), (2, 2), (3, 24 * 8))),
        told("order.accepted", 30, "ord_9", under="quo_1"),
        told("quote.converted", 200, "quo_3"),
        told("quote.converted", 30, "quo_2"),
        told("quote.reopened", 31, "quo_2"),
    ]
    assert figure(K.QUOTE_CONVERSION, events, "week") == {"2026-03-02": "5E+1", "2026-03-09": "1E+2"}
    assert figure(K.QUOTE_TO_ORDER_TIME, events) == {"ALL": "3E+1"}


def test_approvals_of_a_quote_are_timed_apart():
    events = [
        told("quote.created", 0, "quo_1"),
        told("quote.approval.requested", 1, "quo_1", level="SALES_MANAGER"),
        told("quote.approval.decided", 4, "quo_1", level="SALES_MANAGER"),
    ]
    assert figure(K.QUOTE_TO_ORDER_TIME, events, "stage") == {"approved p50": "3", "approved p90": "3"}


def test_a_task_is_answered_by_the_first_person_within_business_hours():
    late = {"taskId": "tsk_1", "queue": "CREDIT"}
    events = [
        told("task.opened", 7, **late),  # 21:00, an hour before the office closes
        told("task.resolved", 8, **late),
        told("task.opened", 7, "ord_2", **{**late, "taskId": "tsk_2"}),
        told("task.claimed", 24, "ord_2", **{**late, "taskId": "tsk_2"}, by="user:credit"),  # 14:00 next day
        told("task.resolved", 90, "ord_2", **{**late, "taskId": "tsk_2"}, by="user:credit"),
        told("case.opened", 0, caseId="cas_1"),
        told("case.answered", 5, caseId="cas_1"),
        told("case.opened", 1, caseId="cas_2"),
    ]
    assert figure(K.SERVICE_RESPONSE_TIME, events, "queue") == {"CREDIT": "3", "SERVICE": "5"}
    assert figure(K.SERVICE_RESPONSE_TIME, events, "statistic") == {
        "p50": "4",
        "p90": "4.8",
        "within target": "33.333",
    }


def outage(minutes: float, hours: float = 0, system: str = "WMS") -> list[Event]:
    opened = (AT + timedelta(hours=hours)).isoformat()
    facts = {"system": system, "openedAt": opened}
    return [
        told("system.circuit.opened", hours, system, **facts),
        told("system.circuit.closed", hours + minutes / 60, system, **facts),
    ]


INCIDENTS = [
    pytest.param(outage(6), "1", id="a circuit that was open for long"),
    pytest.param(outage(4), "0", id="one that closed soon"),
    pytest.param(outage(6)[:1], "1", id="one that is still open"),
    pytest.param([*outage(6), told("message.deadlettered", 0.2, "dl_1", source="WMS")], "1", id="one in the quarter"),
    pytest.param([*outage(6), told("message.deadlettered", 0.2, "dl_1", source="TMS")], "2", id="of two systems"),
    pytest.param([*outage(6), told("message.deadlettered", 0.3, "dl_1", source="WMS")], "2", id="after the quarter"),
    pytest.param([told("inventory.drift.detected", 1, "drift", at_system=SourceSystem.WMS)], "1", id="drift"),
]


@pytest.mark.parametrize(("events", "incidents"), INCIDENTS)
def test_incidents_are_counted_per_ten_thousand_messages(events: list[Event], incidents: str):
    traffic = [told("shipment.milestone", 2, f"m{number}", at_system=SourceSystem.TMS) for number in range(9)]
    points = figure(K.INTEGRATION_INCIDENTS, [*traffic, *events])
    messages = 9 + sum(event.system is not SourceSystem.PLATFORM for event in events)
    assert float(points["ALL"]) == pytest.approx(int(incidents) * 10_000 / messages, abs=0.001)


def test_service_levels_count_what_missed_its_bound_and_what_still_waits():
    events = [
        received("ord_1"),
        told("order.accepted", 2 / 3600, "ord_1"),
        received("ord_2"),
        told("order.held", 10 / 3600, "ord_2"),
        received("ord_3"),
        told("account.onboarding.submitted", 0, "onb_1"),
        told("account.activated", 0.1, "onb_1"),
        told("account.onboarding.submitted", 0, "onb_2"),
        told("account.onboarding.decided", 1, "onb_2", by="user:credit"),
    ]
    assert figure(K.SLO_COMPLIANCE, events, "workflow") == {
        "ONBOARDING": "1E+2",
        "ORDER_DECIDED": "66.667",
        "ORDER_DECISION": "33.333",
        "ORDER_KEPT": "66.667",
    }


def shares(**per_cent: str) -> dict[str, str]:
    return {name: {"100": "1E+2"}.get(value, value) for name, value in per_cent.items()}


SPREADS = [
    ("shipment.milestone", "receivedAt", 60, shares(MILESTONE_PUBLISHED="100")),
    ("shipment.milestone", "receivedAt", 61, shares(MILESTONE_PUBLISHED="0")),
    ("inventory.position.changed", "receivedAt", 60, shares(STOCK_PUBLISHED="100")),
    ("inventory.position.changed", "receivedAt", 61, shares(STOCK_PUBLISHED="0")),
    ("order.fulfillment.changed", "receivedAt", 5, shares(STATUS_PUBLISHED_5S="100", STATUS_PUBLISHED_60S="100")),
    ("order.fulfillment.changed", "receivedAt", 6, shares(STATUS_PUBLISHED_5S="0", STATUS_PUBLISHED_60S="100")),
    ("order.fulfillment.changed", "receivedAt", 61, shares(STATUS_PUBLISHED_5S="0", STATUS_PUBLISHED_60S="0")),
    ("crm.order.mirrored", "toldAt", 5, shares(CRM_MIRRORED_5S="100", CRM_MIRRORED_60S="100")),
    ("crm.order.mirrored", "toldAt", 6, shares(CRM_MIRRORED_5S="0", CRM_MIRRORED_60S="100")),
    ("crm.order.mirrored", "toldAt", 61, shares(CRM_MIRRORED_5S="0", CRM_MIRRORED_60S="0")),
    ("account.changed", "askedAt", 60, shares(ACCOUNT_CHANGED="100")),
    ("account.changed", "askedAt", 61, shares(ACCOUNT_CHANGED="0")),
]


@pytest.mark.parametrize(
    ("type_", "since", "lag_s", "wanted"), SPREADS, ids=[f"{row[0]} {row[2]} s" for row in SPREADS]
)
def test_news_keep_the_bound_of_their_workflow_or_miss_it(type_: str, since: str, lag_s: int, wanted: dict[str, str]):
    events = [told(type_, 1, **{since: (AT + timedelta(hours=1)).isoformat()})]
    assert figure(K.SLO_COMPLIANCE, events, "workflow", lag_s=lag_s) == wanted


def test_prices_and_promises_are_counted_as_programs_report_them():
    reports = [
        told("service.measured", 1, "one", total=30, quick=27, inTime=30, answered=30),
        told("service.measured", 2, "two", total=10, quick=3, inTime=8, answered=6),
    ]
    assert figure(K.SLO_COMPLIANCE, reports, "workflow") == {
        "PRICE_AND_PROMISE_800MS": "75",
        "PRICE_AND_PROMISE_2S": "95",
        "PRICE_AND_PROMISE_ANSWERED": "9E+1",
    }


def test_what_was_brought_in_from_elsewhere_says_nothing_about_our_service():
    events = [told("shipment.milestone", 1), told("account.changed", 1), told("order.fulfillment.changed", 1)]
    assert figure(K.SLO_COMPLIANCE, events, "workflow", lag_s=90_000) == {}


def test_one_lost_order_is_the_whole_budget_of_what_may_never_be_lost():
    kept = [received("ord_1"), told("order.accepted", 2 / 3600, "ord_1"), received("ord_2", 23.5)]
    burn = figure(K.SLO_COMPLIANCE, kept, "burn", days=1)
    assert (burn["ORDER_KEPT 1h OK"], burn["ORDER_KEPT 6h OK"]) == ("0", "0")
    burn = figure(K.SLO_COMPLIANCE, [*kept, received("ord_3", -0.5)], "burn", days=1)
    assert (burn["ORDER_KEPT 1h PAGE"], burn["ORDER_KEPT 6h TICKET"]) == ("1E+2", "1E+2")


def test_a_budget_that_burns_too_fast_pages_within_the_hour_and_makes_a_ticket_within_six():
    slow = [(23.5, 1), (19.0, 5)]
    events = [received(f"ord_{number}", number / 1000) for number in range(1000)]
    events += [told("order.accepted", number / 1000, f"ord_{number}") for number in range(1000)]
    for number, (hours, count) in enumerate(slow):
        for place in range(count):
            name = f"slow_{number}_{place}"
            events += [received(name, hours), told("order.accepted", hours + 0.01, name)]
    found = figure(K.SLO_COMPLIANCE, events, "burn", days=1)
    assert found == {
        "ORDER_DECIDED 1h OK": "0",
        "ORDER_DECIDED 6h OK": "0",
        "ORDER_DECISION 1h OK": "1.988",
        "ORDER_DECISION 6h TICKET": "11.928",
        "ORDER_KEPT 1h OK": "0",
        "ORDER_KEPT 6h OK": "0",
    }


def test_every_figure_groups_by_days_weeks_and_months():
    for name, entry in FIGURES.items():
        assert {"day", "week", "month"} <= set(entry.groups), name
    assert set(figure(K.TOUCHLESS_RATE, whole_order(), "day")) == {"2026-03-04"}
    assert set(figure(K.TOUCHLESS_RATE, whole_order(), "month")) == {"2026-03"}
    assert set(figure(K.TOUCHLESS_RATE, whole_order(), "account")) == {"acc_1"}


def test_a_grouping_without_end_is_refused():
    events = [received(f"ord_{number}", account=f"acc_{number}") for number in range(MAX_BUCKETS + 1)]
    with pytest.raises(TooManyBuckets):
        figure(K.MANUAL_TOUCHES, events, "account")


def test_facts_survive_being_written_down():
    kinds = {f"{kind.value.title()}Fact": kind for kind in FactKind}
    events = [*whole_order(), *outage(6), received("ord_2"), told("quote.created", 0, "quo_1")]
    events += [told("task.opened", 7, taskId="tsk_1", queue="CREDIT"), told("account.onboarding.submitted", 0, "onb_1")]
    events += [told("shipment.milestone", 1, receivedAt=AT.isoformat(), at_system=SourceSystem.TMS)]
    facts = folded(events)
    assert {type(fact).__name__ for fact in facts} == set(kinds)
    for fact in facts:
        kind = kinds[type(fact).__name__]
        assert read_fact(kind, write_fact(kind, fact)) == fact


def test_a_fact_is_found_under_every_day_that_it_says_something_about():
    (order,) = [fact for fact in folded(whole_order()) if type(fact).__name__ == "OrderFact"]
    assert days_of(order) == (date(2026, 3, 2), date(2026, 3, 5))

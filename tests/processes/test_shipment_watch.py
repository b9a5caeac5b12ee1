"""A shipment is late by its silence or by when it is expected, without a word of its carrier: once per ground."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from processes.dependencies import Dependencies
from processes.fulfilment import SHIPMENT_DELAY, Fulfilment
from processes.rules.delays import is_behind, is_silent, said_of
from processes.shipment_case import ShipmentCase, ShipmentRequest
from processes.shipment_watch import ShipmentWatch, pass_over_milestones
from schema.enums import ShipmentStatus, SourceSystem
from schema.records.orders import Milestone
from schema.records.problems import FulfillmentDelay
from systems.errors import Unavailable
from systems.news import ShipmentNews
from tests.support.process_world import ProcessWorld, line, run_order, submission
from tests.support.rule_records import NOW

S = ShipmentStatus
DAY = timedelta(hours=24)
A_MOMENT = timedelta(seconds=1)
PROMISED = date(2026, 3, 6)
IN_TIME = datetime(2026, 3, 6, 23, 59, tzinfo=UTC)


@dataclass
class Started:
    """An engine that keeps what it is asked to start, each name once."""

    dependencies: Dependencies
    requests: dict[str, ShipmentRequest] = field(default_factory=dict)

    async def start_shipment(self, request: ShipmentRequest) -> None:
        self.requests.setdefault(request.process_id, request)


def milestone(
    code: str, status: ShipmentStatus, hours: float = 0, eta: datetime | None = None, number: str = "S-1"
) -> ShipmentNews:
    told = Milestone(code, status, NOW + timedelta(hours=hours), "Memphis", None, SourceSystem.TMS)
    return ShipmentNews(
        source=SourceSystem.TMS,
        event_id=f"evt-{number}-{code}-{hours}",
        sequence=1,
        shipment_number=number,
        order_id="ord_1",
        account_id="acc_1",
        milestone=told,
        status=status,
        warehouse_code="W01",
        carrier="EXMP",
        tracking_number=f"PRO{number}",
        estimated_delivery=eta,
    )


@pytest.fixture
async def engine(world: ProcessWorld) -> Started:
    """An order that is promised, and an engine over the same systems."""
    await run_order(world, submission(line(6)))
    await world.use.orders.update(replace(await world.order("ord_1"), promised_date=PROMISED), [])
    return Started(world.use)


async def tell(engine: Started, *news: ShipmentNews, heard: datetime | None = None) -> None:
    """Hand news in, by default as it happens, and forget the processes that follow from the news itself."""
    for entry in news:
        await Fulfilment(engine).handle(entry, entry.milestone.at if heard is None else heard)
    engine.requests.clear()


async def silent(engine: Started, world: ProcessWorld, at: datetime) -> list[str]:
    world.clock.at = at
    while await ShipmentWatch(engine).look_for_silence():
        pass
    return list(engine.requests)


async def expected_late(engine: Started) -> list[str]:
    while await ShipmentWatch(engine).look_at_expected():
        pass
    return list(engine.requests)


@pytest.mark.parametrize(
    ("status", "after", "silence"),
    [
        pytest.param(S.IN_TRANSIT, DAY, False, id="a day to the second"),
        pytest.param(S.IN_TRANSIT, DAY + A_MOMENT, True, id="more than a day in transit"),
        pytest.param(S.DEPARTED, DAY + A_MOMENT, True, id="left and never heard of"),
        pytest.param(S.DELAYED, DAY + A_MOMENT, True, id="late and not heard of since"),
        pytest.param(S.OUT_FOR_DELIVERY, DAY + A_MOMENT, True, id="out for delivery"),
        pytest.param(S.PACKED, DAY + A_MOMENT, False, id="not under way yet"),
        pytest.param(S.DELIVERED, DAY + A_MOMENT, False, id="arrived"),
        pytest.param(S.CANCELLED, DAY + A_MOMENT, False, id="cancelled"),
    ],
)
def test_only_a_shipment_under_way_is_silent_after_a_day(status: ShipmentStatus, after: timedelta, silence: bool):
    assert is_silent(status, NOW, NOW + after) is silence


@pytest.mark.parametrize(
    ("status", "expected", "promised", "behind"),
    [
        pytest.param(S.IN_TRANSIT, IN_TIME, PROMISED, False, id="late on the promised day"),
        pytest.param(S.IN_TRANSIT, IN_TIME + A_MOMENT, PROMISED, True, id="after the promised day"),
        pytest.param(S.IN_TRANSIT, None, PROMISED, False, id="nobody knows when it comes"),
        pytest.param(S.IN_TRANSIT, IN_TIME + DAY, None, False, id="nothing was promised"),
        pytest.param(S.DELIVERED, IN_TIME + DAY, PROMISED, False, id="arrived"),
    ],
)
def test_a_shipment_is_behind_when_it_is_expected_after_its_promise(
    status: ShipmentStatus, expected: datetime | None, promised: date | None, behind: bool
):
    assert is_behind(status, expected, promised) is behind


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("SILENCE", "Nothing was heard of the shipment for 24 hours (reason SILENCE)"),
        ("ETA", "The carrier expects to deliver after the promised day (reason ETA)"),
        ("AI", "The carrier reports a delay (reason AI)"),
        (None, "The carrier reports a delay (reason not given)"),
    ],
)
def test_a_case_says_on_which_ground_a_shipment_is_late(code: str | None, said: str):
    assert said_of(code) == said


async def test_a_shipment_that_is_not_heard_of_for_a_day_is_late(engine: Started, world: ProcessWorld):
    await tell(engine, milestone("X6", S.IN_TRANSIT))
    assert await silent(engine, world, NOW + DAY) == []
    assert await silent(engine, world, NOW + DAY + A_MOMENT) == ["prc_shipment_delay_S-1_silence"]
    (request,) = engine.requests.values()
    assert (request.order_id, request.account_id, request.reason_code) == ("ord_1", "acc_1", "SILENCE")
    assert request.at == NOW + DAY


async def test_silence_is_counted_from_what_was_heard_last(engine: Started, world: ProcessWorld):
    await tell(engine, milestone("AF", S.DEPARTED), milestone("X6", S.IN_TRANSIT, 20))
    assert await silent(engine, world, NOW + timedelta(hours=43)) == []
    assert await silent(engine, world, NOW + timedelta(hours=45)) == ["prc_shipment_delay_S-1_silence"]


async def test_what_a_carrier_tells_late_is_news(engine: Started, world: ProcessWorld):
    await tell(engine, milestone("X6", S.IN_TRANSIT), heard=NOW + timedelta(hours=20))
    assert await silent(engine, world, NOW + timedelta(hours=44)) == []
    assert await silent(engine, world, NOW + timedelta(hours=44) + A_MOMENT) == ["prc_shipment_delay_S-1_silence"]


async def test_an_older_milestone_that_comes_later_is_news(engine: Started, world: ProcessWorld):
    await tell(engine, milestone("X6", S.IN_TRANSIT, 2))
    await tell(engine, milestone("AF", S.DEPARTED, 1), heard=NOW + timedelta(hours=20))
    assert await silent(engine, world, NOW + timedelta(hours=43)) == []
    assert await silent(engine, world, NOW + timedelta(hours=45)) == ["prc_shipment_delay_S-1_silence"]


async def test_what_a_carrier_dates_ahead_hides_neither_its_silence_nor_that_of_others(
    engine: Started, world: ProcessWorld
):
    await tell(engine, milestone("X6", S.IN_TRANSIT, 24 * 30), heard=NOW)
    await tell(engine, milestone("X6", S.IN_TRANSIT, number="S-2"))
    found = await silent(engine, world, NOW + DAY + A_MOMENT)
    assert found == ["prc_shipment_delay_S-1_silence", "prc_shipment_delay_S-2_silence"]


async def test_a_delivered_shipment_is_silent_for_good(engine: Started, world: ProcessWorld):
    await tell(engine, milestone("D1", S.DELIVERED, 2), milestone("X6", S.IN_TRANSIT, 3))
    assert await silent(engine, world, NOW + timedelta(days=3)) == []


async def test_a_shipment_of_long_ago_is_not_asked_about(engine: Started, world: ProcessWorld):
    await tell(engine, milestone("X6", S.IN_TRANSIT))
    assert await silent(engine, world, NOW + timedelta(days=8)) == []


async def test_a_shipment_expected_after_its_promise_is_late_at_once(engine: Started):
    eta = IN_TIME + DAY
    await tell(engine, milestone("X6", S.IN_TRANSIT, eta=IN_TIME))
    assert await expected_late(engine) == []
    await tell(engine, milestone("X6", S.IN_TRANSIT, 1, eta=eta), milestone("X6", S.IN_TRANSIT, 2, eta=eta))
    assert await expected_late(engine) == ["prc_shipment_delay_S-1_eta"]
    (request,) = engine.requests.values()
    assert (request.reason_code, request.estimated_delivery) == ("ETA", eta)


async def test_a_delay_that_the_carrier_reports_is_not_found_again_by_when_it_is_expected(engine: Started):
    await tell(engine, milestone("SD", S.DELAYED, eta=IN_TIME + DAY))
    assert await expected_late(engine) == []


async def test_an_order_of_elsewhere_promised_nothing(engine: Started):
    await tell(engine, replace(milestone("X6", S.IN_TRANSIT, eta=IN_TIME + DAY), order_id="ord_9"))
    assert await expected_late(engine) == []


async def test_a_past_that_was_brought_in_is_passed_over(engine: Started, world: ProcessWorld):
    await tell(engine, milestone("X6", S.IN_TRANSIT, eta=IN_TIME + DAY))
    await pass_over_milestones(world.use.events, world.use.cursors)
    assert await expected_late(engine) == []
    assert await silent(engine, world, NOW + timedelta(days=2)) == []


async def test_what_could_not_be_started_is_found_again(engine: Started, world: ProcessWorld):
    class Down(Started):
        async def start_shipment(self, request: ShipmentRequest) -> None:
            raise Unavailable(SourceSystem.PLATFORM, "start", "away", outcome_unknown=False)

    await tell(engine, milestone("X6", S.IN_TRANSIT, eta=IN_TIME + DAY))
    with pytest.raises(Unavailable):
        await expected_late(Down(world.use))
    assert await expected_late(engine) == ["prc_shipment_delay_S-1_eta"]


async def test_what_is_found_is_noted_on_the_order_asked_about_and_one_case_whatever_the_grounds(
    engine: Started, world: ProcessWorld
):
    await tell(engine, milestone("X6", S.IN_TRANSIT, eta=IN_TIME + DAY))
    await expected_late(engine)
    await silent(engine, world, NOW + DAY + A_MOMENT)
    for request in engine.requests.values():
        case = ShipmentCase(request, world.use, resumed=False)
        for step in SHIPMENT_DELAY:
            await step.do(case)
    (problem,) = (await world.order("ord_1")).exceptions
    assert isinstance(problem, FulfillmentDelay)
    assert (problem.shipment_id, problem.reason_code) == ("sh_S-1", "SILENCE")
    tasks = (await world.use.tasks.tasks_of(["ord_1"]))["ord_1"]
    assert sorted(task.summary for task in tasks) == [
        "shipment S-1 will be late (ETA)",
        "shipment S-1 will be late (SILENCE)",
    ]
    assert world.kept.all("case") == ["Shipment S-1 is late"]

"""How answers are counted and told to the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from crossdock.served_times import ServedTimes
from resolvers.timing import timed
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.problems import DependencyUnavailable
from systems.errors import Unavailable
from tests.support.fake_systems import FakeClock
from tests.support.rule_records import NOW


class Log:
    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.events: list[Event] = []
        self.told = asyncio.Event()

    async def append(self, events: Sequence[Event]) -> Any:
        self.told.set()
        if self.failure is not None:
            raise self.failure
        self.events += events


async def test_answers_of_a_while_are_told_together_and_the_rest_at_the_end():
    log = Log()
    async with ServedTimes(log, FakeClock(NOW), every_s=0.01) as served:
        for seconds, is_answer in ((0.8, True), (0.81, True), (2.0, True), (2.1, False)):
            served.note(seconds, is_answer)
        async with asyncio.timeout(30):
            await log.told.wait()
        served.note(0.1, True)
    counts = [{name: event.data[name] for name in ("total", "quick", "inTime", "answered")} for event in log.events]
    assert counts == [
        {"total": 4, "quick": 1, "inTime": 3, "answered": 3},
        {"total": 1, "quick": 1, "inTime": 1, "answered": 1},
    ]
    assert {(event.type, event.account_id) for event in log.events} == {("service.measured", None)}


async def test_who_answers_nothing_tells_nothing():
    log = Log()
    async with ServedTimes(log, FakeClock(NOW)):
        pass
    assert log.events == []


async def test_a_log_that_does_not_answer_costs_nobody_an_answer():
    log = Log(Unavailable(SourceSystem.PLATFORM, "append", "away", outcome_unknown=False))
    async with ServedTimes(log, FakeClock(NOW)) as served:
        served.note(0.1, True)
    assert log.told.is_set()


async def found(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


OUT = DependencyUnavailable(code="DEPENDENCY_UNAVAILABLE", message="away", system=SourceSystem.CLOUD_ERP)


@pytest.mark.parametrize(
    ("value", "is_answer"),
    [
        pytest.param("a price", True, id="a price"),
        pytest.param(None, True, id="nothing that there is"),
        pytest.param(OUT, False, id="a system that is out"),
    ],
)
async def test_what_counts_as_an_answer(value: Any, is_answer: bool):
    told: list[bool] = []
    assert await timed(lambda _, was: told.append(was), found(value)) == value
    assert told == [is_answer]


async def test_a_system_that_fails_is_no_answer_and_the_failure_goes_on():
    told: list[bool] = []
    with pytest.raises(Unavailable):
        await timed(
            lambda _, was: told.append(was),
            found(Unavailable(SourceSystem.WMS, "stock", "away", outcome_unknown=False)),
        )
    assert told == [False]

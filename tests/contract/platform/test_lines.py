"""Lines before systems that do not answer, on both kinds of database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processes.rules.turns import place_order
from schema.enums import ProcessState, SourceSystem
from systems.platform import Database, PlatformProcessLog, PlatformWaitingLines
from systems.ports import Line, Place
from tests.support.platform_records import HOUR, NOW, RecordedEvents, process

LONG_AGO = NOW - timedelta(days=30)
WMS, ERP = SourceSystem.WMS, SourceSystem.CLOUD_ERP
OURS = Line(WMS, "acc_1")


def place(number: int, line: Line = OURS, **changes: object) -> Place:
    known = {"step": "release", "order_id": f"ord_{number}", "since": NOW + number * HOUR, "joined_at": NOW}
    return Place(process_id=f"prc_{number}", line=line, **{**known, **changes})  # type: ignore[arg-type]


@pytest.fixture
def lines(database: Database) -> PlatformWaitingLines:
    return PlatformWaitingLines(database)


@pytest.fixture
async def log(database: Database, events: RecordedEvents) -> PlatformProcessLog:
    made = PlatformProcessLog(database, events.append)
    for number in range(1, 7):
        await made.start(process(number))
    return made


async def first(lines: PlatformWaitingLines, line: Line = OURS) -> str | None:
    found = (await lines.first(LONG_AGO, line)).get(line)
    return None if found is None else found.process_id


@pytest.mark.usefixtures("log")
async def test_the_first_of_every_line_is_what_was_accepted_first(lines: PlatformWaitingLines) -> None:
    theirs, erp = Line(WMS, "acc_2"), Line(ERP, "acc_1")
    for entry in (place(3), place(1), place(2), place(5, theirs), place(4, theirs), place(6, erp)):
        assert await lines.join(entry) == entry
    assert await lines.first(LONG_AGO) == {OURS: place(1), theirs: place(4, theirs), erp: place(6, erp)}
    assert await lines.first(LONG_AGO, theirs) == {theirs: place(4, theirs)}
    await lines.leave("prc_1")
    await lines.leave("prc_1")
    assert await first(lines) == "prc_2"


@pytest.mark.usefixtures("log")
async def test_a_place_is_kept_in_its_line_and_given_up_for_one_in_another(lines: PlatformWaitingLines) -> None:
    await lines.join(place(1))
    assert await lines.join(place(1, since=NOW + 9 * HOUR, joined_at=NOW + HOUR)) == place(1)
    moved = place(1, Line(ERP, "acc_1"), since=NOW + 9 * HOUR)
    assert await lines.join(moved) == moved
    assert await lines.first(LONG_AGO) == {moved.line: moved}


@pytest.mark.parametrize("state", [ProcessState.WAITING_HUMAN, ProcessState.FAILED, ProcessState.COMPLETED])
async def test_what_has_ended_or_waits_for_a_person_holds_nobody_up(
    lines: PlatformWaitingLines, log: PlatformProcessLog, state: ProcessState
) -> None:
    await lines.join(place(1))
    await lines.join(place(2))
    await log.set_state("prc_1", state, NOW)
    assert await first(lines) == "prc_2"


@pytest.mark.usefixtures("log")
async def test_what_stands_aside_or_has_waited_for_too_long_holds_nobody_up(lines: PlatformWaitingLines) -> None:
    for entry in (place(1), place(2, joined_at=LONG_AGO), place(3)):
        await lines.join(entry)
    await lines.stand_aside("prc_1")
    assert await first(lines) == "prc_3"


@pytest.mark.usefixtures("log")
async def test_places_before_a_system_are_paged_by_process(lines: PlatformWaitingLines) -> None:
    for entry in (place(2), place(1), place(3, step="hold"), place(4, Line(ERP, "acc_1"))):
        await lines.join(entry)
    assert await lines.places(WMS, ["release"], None, 1) == (place(1),)
    assert await lines.places(WMS, ["release"], "prc_1", 9) == (place(2),)
    assert await lines.places(WMS, ["release", "hold"], "prc_1", 9) == (place(2), place(3, step="hold"))


@pytest.mark.usefixtures("log")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([1, 2, 3, 4, 5, 6]), minutes=st.lists(st.integers(0, 2), min_size=6, max_size=6))
async def test_a_line_drains_as_the_rule_sorts_it(
    lines: PlatformWaitingLines, order: Sequence[int], minutes: Sequence[int]
) -> None:
    stood = [place(number, since=NOW + minutes[number - 1] * HOUR) for number in order]
    for entry in stood:
        await lines.join(entry)
    drained = []
    while (next_one := await first(lines)) is not None:
        drained.append(next_one)
        await lines.leave(next_one)
    assert drained == [entry.process_id for entry in sorted(stood, key=place_order)]

"""When a circuit opens and closes, as the event log is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crossdock.circuits import CircuitWatch
from schema.enums import SourceSystem
from systems.ports import SystemHealth

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)


def seen(*circuits: str) -> list[SystemHealth]:
    systems = (SourceSystem.WMS, SourceSystem.TMS)
    return [SystemHealth(system, circuit, None, None) for system, circuit in zip(systems, circuits, strict=False)]


def test_a_circuit_is_told_of_when_it_opens_and_when_it_closes_and_not_in_between():
    watch = CircuitWatch("a")
    looks = [("CLOSED", "CLOSED"), ("OPEN", "CLOSED"), ("HALF_OPEN", "OPEN"), ("OPEN", "OPEN"), ("CLOSED", "OPEN")]
    told = [watch.look(seen(*look), AT + timedelta(minutes=place)) for place, look in enumerate(looks)]
    assert [[(event.type, event.subject) for event in events] for events in told] == [
        [],
        [("system.circuit.opened", "WMS")],
        [("system.circuit.opened", "TMS")],
        [],
        [("system.circuit.closed", "WMS")],
    ]
    (closed,) = told[-1]
    assert closed.data == {"system": "WMS", "openedAt": (AT + timedelta(minutes=1)).isoformat()}


def test_two_programs_tell_of_the_same_outage_under_names_of_their_own():
    first, second = (CircuitWatch(name).look(seen("OPEN"), AT)[0] for name in ("a", "b"))
    assert first.id != second.id
    assert first.data == second.data

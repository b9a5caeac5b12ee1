"""Whose turn it is at a system that is back: one at a time per line, in the order in which things were accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.rules.turns import may_go, place_order
from schema.enums import SourceSystem
from systems.ports import Line, Place

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
LINE = Line(SourceSystem.WMS, "acc_1")


def place(name: str, minute: int = 0, *, aside: bool = False) -> Place:
    return Place(name, LINE, "release", None, NOW + timedelta(minutes=minute), NOW, aside)


def first(places: Sequence[Place]) -> Place | None:
    """Return who is first among those that hold others up, as the ledger says it."""
    return min((entry for entry in places if not entry.aside), key=place_order, default=None)


@pytest.mark.parametrize(
    ("mine", "ahead", "goes"),
    [
        pytest.param(place("b", 1), None, True, id="nobody holds anybody up"),
        pytest.param(place("b", 1), place("b", 1), True, id="it is the first"),
        pytest.param(place("b", 1), place("a", 0), False, id="another was accepted before"),
        pytest.param(place("a", 0), place("b", 1), True, id="it was accepted before the first that holds up"),
        pytest.param(place("b", 1), place("a", 1), False, id="of the same moment, the lower id first"),
        pytest.param(place("b", 1, aside=True), place("a", 0), True, id="it stands aside and goes when it likes"),
    ],
)
def test_a_place_goes_when_nothing_before_it_holds_it_up(mine: Place, ahead: Place | None, goes: bool) -> None:
    assert may_go(mine, ahead) is goes


PLACES = st.lists(
    st.builds(place, st.text("abcdef", min_size=1, max_size=3), st.integers(0, 5), aside=st.booleans()),
    max_size=12,
    unique_by=lambda entry: entry.process_id,
)


@given(PLACES)
def test_of_those_that_hold_others_up_exactly_one_may_go(places: list[Place]) -> None:
    going = [entry for entry in places if not entry.aside and may_go(entry, first(places))]
    assert len(going) == min(1, sum(not entry.aside for entry in places))


@given(PLACES, st.data())
def test_a_line_drains_in_the_order_of_acceptance_whenever_others_join_or_die_and_come_back(
    places: list[Place], data: st.DataObject
) -> None:
    line = [replace(entry, aside=False) for entry in places]
    drained: list[Place] = []
    while line:
        (next_one,) = [entry for entry in data.draw(st.permutations(line)) if may_go(entry, first(line))]
        line.remove(next_one)
        drained.append(next_one)
    assert drained == sorted(drained, key=place_order)


@given(PLACES)
def test_a_line_never_stands_still(places: list[Place]) -> None:
    assert not places or any(may_go(entry, first(places)) for entry in places)

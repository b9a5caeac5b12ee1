"""What is remembered of systems: for whom, for how long, and how much of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from schema.enums import SourceSystem
from systems.errors import ConnectorError, NotFound, PartlyAnswered, RateLimited, Rejected, Unavailable, Unexpected
from systems.memory import Memory, Recollection

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)
DAY = timedelta(hours=24)
ERP = SourceSystem.CLOUD_ERP
DOWN = Unavailable(ERP, "items", "no answer", outcome_unknown=False)


class Source:
    def __init__(self, **known: str) -> None:
        self.known = known
        self.failure: ConnectorError | None = None

    async def __call__(self, keys: Sequence[str]) -> Mapping[str, str]:
        if self.failure is not None:
            raise self.failure
        return {key: self.known[key] for key in keys if key in self.known}


async def test_a_system_that_answers_is_asked_every_time():
    source, memory = Source(a="1"), Memory(DAY)
    assert await Recollection(memory, AT).by_key("item", ["a"], source) == {"a": "1"}
    source.known["a"] = "2"
    seen = Recollection(memory, AT)
    assert await seen.by_key("item", ["a"], source) == {"a": "2"}
    assert seen.as_of is None


async def test_without_an_answer_the_last_one_is_given_with_its_age():
    source, memory = Source(a="1", b="2"), Memory(DAY)
    await Recollection(memory, AT).by_key("item", ["a"], source)
    await Recollection(memory, AT + timedelta(hours=1)).by_key("item", ["b", "missing"], source)
    source.failure = DOWN
    seen = Recollection(memory, AT + timedelta(hours=2))
    assert await seen.by_key("item", ["b", "missing"], source) == {"b": "2"}
    assert seen.as_of == AT + timedelta(hours=1)
    assert await seen.by_key("item", ["a", "b"], source) == {"a": "1", "b": "2"}
    assert seen.as_of == AT


@pytest.mark.parametrize(
    ("kind", "keys", "later"),
    [
        pytest.param("item", ["a", "b"], timedelta(), id="one of the keys is not remembered"),
        pytest.param("terms", ["a"], timedelta(), id="it is remembered as something else"),
        pytest.param("item", ["a"], DAY + timedelta(seconds=1), id="it is too old"),
    ],
)
async def test_what_is_not_remembered_as_a_whole_is_not_answered(kind: str, keys: list[str], later: timedelta):
    source, memory = Source(a="1"), Memory(DAY)
    await Recollection(memory, AT).by_key("item", ["a"], source)
    source.failure = DOWN
    with pytest.raises(Unavailable):
        await Recollection(memory, AT + later).by_key(kind, keys, source)


@pytest.mark.parametrize(
    ("failure", "recalls"),
    [
        pytest.param(DOWN, True, id="no answer"),
        pytest.param(RateLimited(ERP, "items", "slow down", 3), True, id="told to wait"),
        pytest.param(Unexpected(ERP, "items", "a page of HTML"), True, id="nonsense"),
        pytest.param(Rejected(ERP, "items", "too many", reason="TOO_MANY"), False, id="a refusal"),
        pytest.param(NotFound(ERP, "items", "no such company"), False, id="a missing record"),
    ],
)
async def test_only_an_outage_recalls(failure: ConnectorError, recalls: bool):
    source, memory = Source(a="1"), Memory(DAY)
    await Recollection(memory, AT).by_key("item", ["a"], source)
    source.failure = failure
    if recalls:
        assert await Recollection(memory, AT).by_key("item", ["a"], source) == {"a": "1"}
    else:
        with pytest.raises(type(failure)):
            await Recollection(memory, AT).by_key("item", ["a"], source)


async def test_what_was_read_longest_ago_makes_room():
    source, memory = Source(a="1", b="2", c="3"), Memory(DAY, most=2)
    for key in ("a", "b", "a", "c"):
        await Recollection(memory, AT).by_key("item", [key], source)
    assert memory.recall("item", "b", AT) is None
    assert memory.recall("item", "a", AT) == ("1", AT)


async def test_of_several_systems_only_the_silent_one_is_recalled():
    source, memory = Source(a="1", b="2"), Memory(DAY)
    await Recollection(memory, AT).by_key("item", ["a", "b"], source)
    silent = {SourceSystem.LEGACY_ERP: Unavailable(SourceSystem.LEGACY_ERP, "items", "no", outcome_unknown=False)}
    failures = {"b": silent[SourceSystem.LEGACY_ERP]}
    source.failure = PartlyAnswered("items", {"a": "9"}, failures, silent)
    seen = Recollection(memory, AT + timedelta(hours=1))
    assert await seen.by_key("item", ["a", "b"], source) == {"a": "9", "b": "2"}
    assert seen.recalled == {("item", "b"): AT}
    source.failure = PartlyAnswered("items", {"a": "9"}, failures | {"c": failures["b"]}, silent)
    with pytest.raises(PartlyAnswered) as caught:
        await Recollection(memory, AT).by_key("item", ["a", "b", "c"], source)
    assert (caught.value.found, set(caught.value.failures)) == ({"a": "9", "b": "2"}, {"c"})

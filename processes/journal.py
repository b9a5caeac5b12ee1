"""What the durable journal keeps of a process, as plain JSON: its input and the outcome of every step.

JSON outlives the classes that wrote it: a field that was added since takes its default, one that is gone is let be, so
a process that began under an earlier release goes on under this one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from dbos import Serializer
from pydantic import TypeAdapter

from schema.records import problems as problem_records
from schema.records.problems import Problem

__all__ = [
    "LEG",
    "PARK",
    "JournalSerializer",
    "ProcessBroken",
    "place_of_step",
    "problems_from_json",
    "problems_to_json",
    "read",
    "write",
]

R = TypeVar("R")

PARK = "park:"
"""What the entry of a step begins with that the run is parked at."""

LEG = "+"
"""Between the names of steps that are one entry."""

_SLEEP = "DBOS.sleep"
_TAG = "type"
_ERROR = "__error__"
_PROBLEMS: Mapping[str, type[Problem]] = {
    name: member
    for name in problem_records.__all__
    if isinstance(member := getattr(problem_records, name), type) and issubclass(member, Problem)
}


class ProcessBroken(Exception):
    """A process ended by a failure that nobody foresaw; the message is that of the failure."""


class JournalSerializer(Serializer):
    """Writes the journal as JSON; an exception is kept as its class name and message."""

    def serialize(self, data: Any) -> str:
        """Return JSON text."""
        if isinstance(data, BaseException):
            data = {_ERROR: type(data).__name__, "message": str(data)}
        return json.dumps(data, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        """Return the value of JSON text."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and _ERROR in data:
            return ProcessBroken(f"{data[_ERROR]}: {data['message']}")
        return data

    def name(self) -> str:
        """Return the name that rows written by this serializer carry."""
        return "crossdock_json"


def write(value: Any) -> Any:
    """Return a record as JSON values."""
    kind: Any = type(value)
    return _adapter(kind).dump_python(value, mode="json")


def read(record: type[R], document: Any) -> R:
    """Return the record that JSON values stand for."""
    kind: Any = record
    found: R = _adapter(kind).validate_python(document)
    return found


def problems_to_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Return problems as JSON values, each with the name of its class."""
    return [{_TAG: type(problem).__name__, **write(problem)} for problem in problems]


def problems_from_json(documents: Sequence[Mapping[str, Any]]) -> tuple[Problem, ...]:
    """Return the problems that JSON values stand for; of a class that is gone the common part is kept."""
    found = []
    for document in documents:
        fields = {name: value for name, value in document.items() if name != _TAG}
        record = _PROBLEMS.get(document[_TAG], Problem)
        known = record.__dataclass_fields__
        found.append(read(record, {name: value for name, value in fields.items() if name in known}))
    return tuple(found)


def place_of_step(entries: Sequence[tuple[int, str]], step: str | None) -> int | None:
    """Return where in the journal of a run a step was begun last, None when it was not.

    A step that was done in a leg and nowhere else begins with the leg.

    Args:
        entries: (place, name) of everything that the run did, in order.
        step: name of the step; None means the one that the run is parked at.
    """
    names = [name for _, name in entries]
    if step is None:
        parked = [name.removeprefix(PARK) for name in names[-1:] if name.startswith(PARK)]
        if not parked:
            return None
        step = parked[0]
    if step not in names:
        return next((place for place, name in reversed(entries) if step in name.split(LEG)), None)
    at = len(names) - 1 - names[::-1].index(step)
    while at > 0 and names[at - 1] in (step, _SLEEP):
        at -= 1
    while names[at] == _SLEEP:
        at += 1
    return entries[at][0]


@cache
def _adapter(record: Any) -> TypeAdapter[Any]:
    return TypeAdapter(record)

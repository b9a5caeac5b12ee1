"""Judge a new supergraph by the operations that clients are known to send.

An operation is broken when the new schema refuses it, when nothing plans it any more, or when it uses what a breaking
change takes away. A breaking change that no known operation uses breaks nobody. Without operations every breaking
change counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphql import GraphQLSyntaxError, parse, print_ast, separate_operations

from gateway.check.changes import Change, breaking_changes
from gateway.check.effort import Effort, Gauge
from gateway.check.nullability import NullChange, null_changes
from gateway.check.usage import used_coordinates
from gateway.errors import PlanningError, RequestError
from gateway.operation import Operation, parse_operation
from gateway.supergraph import Supergraph

__all__ = ["Check", "OperationCheck", "RecordedOperation", "check_schema"]


@dataclass(frozen=True, slots=True)
class RecordedOperation:
    """A document that a client sends; ``source`` says where it was found."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class OperationCheck:
    """What becomes of one operation.

    Attributes:
        name: where it was found, with its own name if it has one.
        problems: why it does not work any more; empty when it does.
        old_fault: why the published schema refuses it, None when it does not; it is not judged then.
        old: what it takes on the published schema, None when nothing plans it.
        new: what it takes on the new one, None when nothing plans it.
        nulls: places of its answer that can be null now and could not, or the other way round.
    """

    name: str
    problems: tuple[str, ...] = ()
    old_fault: str | None = None
    old: Effort | None = None
    new: Effort | None = None
    nulls: tuple[NullChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """What a new schema changes.

    Attributes:
        changes: every breaking change.
        unused: those of them that no operation uses.
        operations: each operation in the order of the recording.
    """

    changes: tuple[Change, ...]
    unused: tuple[Change, ...]
    operations: tuple[OperationCheck, ...]

    @property
    def ok(self) -> bool:
        """True when no known operation breaks; without operations, when nothing breaks."""
        if not self.operations:
            return not self.changes
        return not any(item.problems for item in self.operations)


def check_schema(old: Supergraph, new: Supergraph, recorded: Iterable[RecordedOperation] = ()) -> Check:
    """Compare two supergraphs; operations that cannot even be parsed are in the result."""
    changes = breaking_changes(old.api_schema, new.api_schema)
    judge = _Judge(old, new, changes)
    operations = tuple(item for document in recorded for item in judge.document(document))
    unused = tuple(change for change in changes if change not in judge.hits)
    return Check(changes, unused, operations)


class _Judge:
    def __init__(self, old: Supergraph, new: Supergraph, changes: Sequence[Change]) -> None:
        self._old, self._new = old, new
        self._gauges = Gauge(old), Gauge(new)
        self._changes = changes
        self.hits: set[Change] = set()

    def document(self, recorded: RecordedOperation) -> list[OperationCheck]:
        """Return the check of each operation of a document, as if it were sent by itself."""
        return [self._operation(item) for item in _separate(recorded)]

    def _operation(self, recorded: RecordedOperation) -> OperationCheck:
        where, text = recorded.source, recorded.text
        try:
            before = parse_operation(self._old, text)
            size = self._gauges[0].measure(before)
        except (RequestError, PlanningError) as error:
            return OperationCheck(where, old_fault=error.message)
        used = used_coordinates(self._old.api_schema, before.document)
        hits = [change for change in self._changes if _is_used(change, used)]
        self.hits.update(hits)
        problems = [str(change) for change in hits]
        after: Operation | None = None
        effort: Effort | None = None
        try:
            after = parse_operation(self._new, text)
            effort = self._gauges[1].measure(after)
        except RequestError as error:
            problems = problems or [fault.message for fault in error.errors] or [error.message]
        except PlanningError as error:
            problems.append(error.message)
        nulls = () if after is None else null_changes(before, after)
        return OperationCheck(where, tuple(problems), None, size, effort, nulls)


def _separate(recorded: RecordedOperation) -> list[RecordedOperation]:
    """Return each operation with the fragments that it uses; what cannot be read comes back as it is."""
    try:
        found = separate_operations(parse(recorded.text, no_location=True))
    except (GraphQLSyntaxError, RecursionError):
        return [recorded]
    if not found:
        return [recorded]
    return [
        RecordedOperation(f"{recorded.source}: {name}" if name else recorded.source, print_ast(document))
        for name, document in found.items()
    ]


def _is_used(change: Change, used: frozenset[str]) -> bool:
    return all(part in used for part in change.coordinate.split("|"))

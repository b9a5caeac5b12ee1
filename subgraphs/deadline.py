"""How long the gateway waits for an answer, as it says in a header; systems are not asked for longer than that."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from systems.deadline import waiting_until

__all__ = ["DEADLINE_HEADER", "Deadline", "read_deadline"]

DEADLINE_HEADER = "x-crossdock-deadline-ms"
"""Milliseconds that are left, by the clock of nobody: both sides count from the request."""

_MAX_DIGITS = 9


def read_deadline(headers: Mapping[str, str]) -> float | None:
    """Return the monotonic time at which the caller goes; None when it does not say, or says nonsense."""
    text = headers.get(DEADLINE_HEADER, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    return time.monotonic() + int(text) / 1000


class Deadline(SchemaExtension):
    """Bounds the reads of queries. Mutations run to their end: what they have begun counts, whoever waits for it."""

    def on_execute(self) -> Iterator[None]:
        """Hold the deadline of the request while its operation runs."""
        context = self.execution_context
        until = context.context.until if context.operation_type is OperationType.QUERY else None
        with waiting_until(until):
            yield

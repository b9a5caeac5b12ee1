"""The outcome of an execution, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.executor.paths import ResponsePath

__all__ = ["ExecutionResult", "Freshness", "Pending"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """What clients are told of an answer's use: ``Cache-Control``, its age, and their headers that it depends on."""

    cache_control: str
    age_s: int
    vary: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """An object or list that the client has and that a later part adds to.

    Attributes:
        part: index of the part in the plan.
        path: response keys and list indices from the root of the answer.
        label: label of the ``@defer`` or ``@stream``, None when it has none.
    """

    part: int
    path: ResponsePath
    label: str | None


@dataclass(slots=True)
class ExecutionResult:
    """What a client gets for one operation or one event.

    Attributes:
        data: the shaped answer; None when null reached the root. May share objects within itself, never with others.
        errors: GraphQL errors as plain values.
        body: the whole answer as JSON when a subgraph's bytes are passed on; ``data`` is then already its content.
        extensions: what the answer says of itself, None when nothing; ``body`` is None then.
        cursor: where the event stands in a stream that can be resumed after it, else None.
        freshness: what clients are told of the answer's use, None when they are told nothing.
        headers: further headers of an HTTP answer, lower-case names with values.
        pending: what later parts add to, when it is the first of several answers.
        is_fault: nothing was executed for it, so that it has no ``data``: it says why nothing starts, or why a stream
            ended.
    """

    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)
    body: bytes | None = None
    cursor: str | None = None
    extensions: dict[str, Any] | None = None
    freshness: Freshness | None = None
    headers: tuple[tuple[str, str], ...] = ()
    pending: tuple[Pending, ...] = ()
    is_fault: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the response object; ``errors`` only when there are some, no ``data`` when nothing was executed."""
        answer: dict[str, Any] = {"errors": self.errors} if self.errors else {}
        if not self.is_fault:
            answer["data"] = self.data
        if self.extensions is not None:
            answer["extensions"] = self.extensions
        return answer

    def to_bytes(self) -> bytes:
        """Return the response as JSON."""
        return self.body if self.body is not None else orjson.dumps(self.to_dict())

"""Answers whose deferred fragments come later, each as a part of one ``multipart/mixed`` answer.

Two formats are in use:

- ``incrementalSpec=v0.2``, the present draft of the GraphQL specification: places are announced as ``pending`` under
  an id, get their data, and are ``completed``. It is also what a client gets that names no format.
  https://specs.apollo.dev/incremental/v0.2/
- ``deferSpec=20220824``, which older clients ask for: each part names path and label of what it adds.

Which objects a fragment adds to is known when it is complete; so its places are announced in the part that fills them.
``hasNext`` is false in a last part of its own, so that no part waits to learn whether another follows.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson

from gateway.executor import DeferredResult, ExecutionResult
from gateway.server.http_streams import Framing
from gateway.server.multipart import DELIMITER, PART
from gateway.server.negotiate import ResponseKind

__all__ = ["incremental_parts"]

_LAST = PART + b'{"hasNext":false}' + DELIMITER + b"--\r\n"


def incremental_parts(kind: ResponseKind) -> Framing[ExecutionResult | DeferredResult]:
    """Return the framing of one answer, in the format of ``kind``."""
    write = _write_2022 if kind is ResponseKind.DEFERRED_2022 else _Present().write

    def part(result: ExecutionResult | DeferredResult) -> bytes:
        return PART + orjson.dumps(write(result)) + DELIMITER

    return Framing(
        content_type=kind.value.encode(), start=DELIMITER, heartbeat=b"", end=_LAST, result=part, fault=_fault
    )


def _fault(result: ExecutionResult) -> bytes:
    return PART + orjson.dumps({"errors": result.errors, "hasNext": True}) + DELIMITER


def _write_2022(result: ExecutionResult | DeferredResult) -> dict[str, Any]:
    if isinstance(result, ExecutionResult):
        return {**result.to_dict(), "hasNext": True}
    added = [
        {
            "data": patch.data,
            "path": list(patch.path),
            **({"label": result.label} if result.label is not None else {}),
            **({"errors": patch.errors} if patch.errors else {}),
        }
        for patch in result.patches
    ]
    return {"incremental": added, "hasNext": True}


class _Present:
    """Numbers the places of one answer."""

    def __init__(self) -> None:
        self._ids = count()

    def write(self, result: ExecutionResult | DeferredResult) -> dict[str, Any]:
        """Return the payload of a part."""
        if isinstance(result, ExecutionResult):
            return {**result.to_dict(), "pending": [], "hasNext": True}
        pending: list[dict[str, Any]] = []
        incremental: list[dict[str, Any]] = []
        completed: list[dict[str, Any]] = []
        for patch in result.patches:
            name = str(next(self._ids))
            label = {} if result.label is None else {"label": result.label}
            pending.append({"id": name, "path": list(patch.path), **label})
            errors = {"errors": patch.errors} if patch.errors else {}
            if patch.data is None:
                completed.append({"id": name, **errors})
            else:
                incremental.append({"id": name, "data": patch.data, **errors})
                completed.append({"id": name})
        added = {"incremental": incremental} if incremental else {}
        return {"pending": pending, **added, "completed": completed, "hasNext": True}

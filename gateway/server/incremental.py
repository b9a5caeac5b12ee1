"""Answers whose deferred fragments and later items come later, each as a part of one ``multipart/mixed`` answer.

Two formats are in use:

- ``incrementalSpec=v0.2``, the present draft of the GraphQL specification: places are announced as ``pending`` under
  an id, in the part that brings what they add to, get their data, and are ``completed``. It is also what a client gets
  that names no format.
  https://specs.apollo.dev/incremental/v0.2/
- ``deferSpec=20220824``, which older clients ask for: each part names path and label of what it adds; the path of items
  ends in the index of the first.

Where a client takes nothing but parts, an answer that comes at once is one part.

``hasNext`` is false in a last part of its own, so that no part waits to learn whether another follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import orjson

from gateway.executor import DeferredResult, ExecutionResult, Patch, Pending, StreamedItems
from gateway.server.http_streams import Framing
from gateway.server.multipart import DELIMITER, PART
from gateway.server.negotiate import ResponseKind

__all__ = ["incremental_parts", "one_part"]

_LAST = PART + b'{"hasNext":false}' + DELIMITER + b"--\r\n"


def incremental_parts(kind: ResponseKind) -> Framing[ExecutionResult | DeferredResult]:
    """Return the framing of one answer, in the format of ``kind``."""
    write = _write_2022 if kind is ResponseKind.DEFERRED_2022 else _Present().write

    def part(result: ExecutionResult | DeferredResult) -> bytes:
        return PART + orjson.dumps(write(result)) + DELIMITER

    return Framing(
        content_type=kind.value.encode(), start=DELIMITER, heartbeat=b"", end=_LAST, result=part, fault=_fault
    )


def one_part(kind: ResponseKind, answer: bytes) -> bytes:
    """Return a whole answer as the only part of a body, for a client that takes no other."""
    if kind is ResponseKind.PARTS:
        content = b'{"payload":' + answer + b"}"
    else:
        content = answer.rstrip()[:-1] + b',"hasNext":false}'
    return DELIMITER + PART + content + DELIMITER + b"--\r\n"


def _fault(result: ExecutionResult) -> bytes:
    return PART + orjson.dumps({"errors": result.errors, "hasNext": True}) + DELIMITER


def _write_2022(result: ExecutionResult | DeferredResult) -> dict[str, Any]:
    if isinstance(result, ExecutionResult):
        return {**result.to_dict(), "hasNext": True}
    label = {} if result.label is None else {"label": result.label}
    added: list[dict[str, Any]] = []
    for patch in result.patches:
        errors = {"errors": patch.errors} if patch.errors else {}
        if isinstance(patch, Patch):
            added.append({"data": patch.data, "path": list(patch.path), **label, **errors})
            continue
        if patch.items:
            own = {} if patch.is_cut else errors
            added.append({"items": patch.items, "path": [*patch.path, patch.start], **label, **own})
        if patch.is_cut:
            end = patch.start + len(patch.items)
            added.append({"items": None, "path": [*patch.path, end], **label, **errors})
    return {"incremental": added, "hasNext": True}


class _Present:
    """Numbers the places of one answer."""

    def __init__(self) -> None:
        self._numbers = count()
        self._ids: dict[int, list[str]] = {}

    def write(self, result: ExecutionResult | DeferredResult) -> dict[str, Any]:
        """Return the payload of a part."""
        if isinstance(result, ExecutionResult):
            return {**result.to_dict(), "pending": self._announce(result.pending), "hasNext": True}
        incremental: list[dict[str, Any]] = []
        completed: list[dict[str, Any]] = []
        for name, patch in zip(self._ids.pop(result.part), result.patches, strict=True):
            errors = {"errors": patch.errors} if patch.errors else {}
            added, has_failed = _content(patch)
            if added is not None:
                incremental.append({"id": name, **added, **({} if has_failed else errors)})
            completed.append({"id": name, **(errors if has_failed else {})})
        announced = {"pending": self._announce(result.pending)} if result.pending else {}
        filled = {"incremental": incremental} if incremental else {}
        return {**announced, **filled, "completed": completed, "hasNext": True}

    def _announce(self, pending: Iterable[Pending]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for place in pending:
            name = str(next(self._numbers))
            self._ids.setdefault(place.part, []).append(name)
            label = {} if place.label is None else {"label": place.label}
            told.append({"id": name, "path": list(place.path), **label})
        return told


def _content(patch: Patch | StreamedItems) -> tuple[dict[str, Any] | None, bool]:
    """Return what a place is filled with, None when with nothing, and whether null ended it."""
    if isinstance(patch, Patch):
        return (None, True) if patch.data is None else ({"data": patch.data}, False)
    return ({"items": patch.items} if patch.items else None), patch.is_cut

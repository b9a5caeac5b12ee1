"""How long the one who asks still waits. Reads end then: what they would find is not waited for any more.

It holds within one request and what it starts. Writes know no such end: whether they have happened must be found out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from schema.enums import SourceSystem
from systems.errors import Unavailable

__all__ = ["OutOfTime", "left_s", "waiting_until"]

_until: ContextVar[float | None] = ContextVar("until", default=None)


class OutOfTime(Unavailable):
    """The caller does not wait any longer; it says nothing about the system."""

    def __init__(self, system: SourceSystem, operation: str) -> None:
        super().__init__(system, operation, "the caller does not wait any longer", outcome_unknown=False)


@contextmanager
def waiting_until(monotonic_s: float | None) -> Iterator[None]:
    """Tell, while the context is open, when the caller goes; None for one who waits as long as it takes."""
    token = _until.set(monotonic_s)
    try:
        yield
    finally:
        _until.reset(token)


def left_s() -> float | None:
    """Return the seconds that the caller still waits, not below 0; None when it waits as long as it takes."""
    until = _until.get()
    return None if until is None else max(0.0, until - time.monotonic())

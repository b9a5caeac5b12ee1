"""How long an answer took that somebody waits for, told to whoever measures service."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from schema.records.problems import DependencyUnavailable
from systems.errors import ConnectorError

__all__ = ["Served", "timed", "untold"]

T = TypeVar("T")

Served = Callable[[float, bool], None]
"""Takes the seconds that an answer took, and whether it was one: a system that is out and not made up for is none."""


def untold(seconds: float, is_answer: bool, /) -> None:
    """Measure nothing."""
    del seconds, is_answer


async def timed(served: Served, work: Awaitable[T]) -> T:
    """Return what the work returns, and tell how long that took."""
    began = time.perf_counter()
    try:
        found = await work
    except ConnectorError:
        served(time.perf_counter() - began, False)
        raise
    served(time.perf_counter() - began, not isinstance(found, DependencyUnavailable))
    return found

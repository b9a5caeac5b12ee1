"""What is done again and again beside the processes: by news, or after a pause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from schema.enums import SourceSystem

__all__ = ["Routine"]


@dataclass(frozen=True, slots=True)
class Routine:
    """One thing that is done again and again; safe to repeat.

    Attributes:
        name: stable name.
        system: whom it talks to.
        do: carries it out once; news comes as its argument.
        every_s: pause after it was done; None when news of another system asks for it.
    """

    name: str
    system: SourceSystem
    do: Callable[..., Awaitable[Any]]
    every_s: float | None = None

"""Entries of the logs that ERPs keep: of postings, of price changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["UnreadableEntry"]


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """An entry that is not of the agreed shape, or names what is not there.

    Attributes:
        entry: its place in the log; later ones have higher numbers.
        reason: what is wrong with it.
        told: the entry as the ERP told it.
    """

    entry: int
    reason: str
    told: Mapping[str, Any]

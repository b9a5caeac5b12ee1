"""Numbers that the books give by themselves, in ranges of their own: no two ERPs ever call two things the same."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.kit.store import Store

__all__ = ["CLOUD_RANGES", "LEGACY_RANGES", "begin_ranges", "next_free", "next_number"]

CLOUD_RANGES: Mapping[str, int] = {"customer": 600_001, "order": 101_001, "invoice": 800_001}
LEGACY_RANGES: Mapping[str, int] = {"customer": 300_001, "order": 501_001, "invoice": 300_001}
"""First number of each kind; customers of a made-up world have numbers below either range."""


def begin_ranges(store: Store, ranges: Mapping[str, int]) -> None:
    """Have numbers counted from the first ones of these ranges."""
    store.executemany(
        "INSERT INTO number_ranges (name, last) VALUES (?, ?)",
        [(kind, first - 1) for kind, first in ranges.items()],
    )


def next_number(store: Store, kind: str) -> int:
    """Take the next number of a range.

    Raises:
        RuntimeError: there is no such range.
    """
    taken = store.one("UPDATE number_ranges SET last = last + 1 WHERE name = ? RETURNING last", (kind,))
    if taken is None:
        raise RuntimeError(f"the books have no number range for {kind}")
    return int(taken["last"])


def next_free(store: Store, kind: str, prefix: str, table: str) -> str:
    """Take the next number of a range that nobody has given to a row of a table by hand."""
    while True:
        number = f"{prefix}{next_number(store, kind)}"
        if store.one(f"SELECT 1 FROM {table} WHERE number = ?", (number,)) is None:  # noqa: S608 - names are ours
            return number

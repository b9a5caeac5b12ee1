"""The store of one sandbox: an SQLite file, or memory, used from the thread of its server alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Params", "Store"]

Params = Sequence[Any] | Mapping[str, Any]

BUSY_TIMEOUT_S = 5.0
"""Longest wait for another process that reads the same file."""

_META = "CREATE TABLE IF NOT EXISTS kit_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class Store:
    """An SQLite database whose statements are short, so that they run on the event loop's thread.

    Args:
        path: the file; None keeps everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "cache_size = -4000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_META)

    def execute(self, sql: str, params: Params = ()) -> sqlite3.Cursor:
        """Run one statement and return its cursor (``rowcount``, ``lastrowid``)."""
        return self._connection.execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement for many rows."""
        self._connection.executemany(sql, rows)

    def script(self, sql: str) -> None:
        """Run statements that make tables; ends an open transaction."""
        self._connection.executescript(sql)

    def query(self, sql: str, params: Params = ()) -> list[sqlite3.Row]:
        """Return all rows."""
        return self._connection.execute(sql, params).fetchall()

    def one(self, sql: str, params: Params = ()) -> sqlite3.Row | None:
        """Return the first row."""
        row: sqlite3.Row | None = self._connection.execute(sql, params).fetchone()
        return row

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done within together, or nothing of it on an exception. Joins the one that is open.

        Never await within: other requests would write into the same transaction.
        """
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def meta(self, key: str) -> str | None:
        """Return what was remembered under ``key``."""
        row = self.one("SELECT value FROM kit_meta WHERE key = ?", (key,))
        return None if row is None else str(row["value"])

    def remember(self, key: str, value: str) -> None:
        """Keep a small value, such as the time at which the system stopped."""
        self.execute(
            "INSERT INTO kit_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._connection.close()

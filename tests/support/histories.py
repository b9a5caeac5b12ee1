"""Processes that an earlier release began: what its databases held when it was killed, kept as fixtures.

It was killed where the process begins to wait for a person, or half-way.

``python -m tests.support.histories FOLDER`` writes one file per scenario of ``mortal_scenarios`` with the code that is
there. It is run when a release is made, so that the next one can be shown to end what this one has begun.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossdock.migrations import upgrade
from tests.support.mortal_scenarios import SCENARIOS
from tests.support.nursery import Nursery

__all__ = ["FOLDER", "Places", "restore"]

FOLDER = Path(__file__).parents[1] / "processes" / "histories"

_MADE_ANEW = ("alembic_version", "sqlite_sequence", "dbos_migrations")
"""Tables whose rows come with the schema."""

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Places:
    """Where a program keeps things: ledgers, journal, and what other systems have."""

    folder: Path

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.folder / 'crossdock.db'}"

    @property
    def kept(self) -> Path:
        return self.folder / "kept.db"

    @property
    def files(self) -> dict[str, Path]:
        names = {"ledgers": "crossdock.db", "journal": "crossdock-processes.db", "systems": "kept.db"}
        return {what: self.folder / name for what, name in names.items()}

    def plan(self, scenario: str | None, kill: int | None) -> dict[str, Any]:
        return {"scenario": scenario, "database": self.url, "kept": str(self.kept), "kill": kill}


def write(folder: Path) -> None:
    """Write the history of every scenario into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with Nursery() as nursery:
        for scenario in SCENARIOS:
            with _fresh() as places:
                passed = nursery.run(places.plan(scenario, None)).told()["moments"]
            waits = (place for place, name in enumerate(passed, 1) if name.startswith("kept wait:"))
            last = next(waits, len(passed) // 2)
            with _fresh() as places:
                nursery.run(places.plan(scenario, last))
                held = {what: _rows(path) for what, path in places.files.items()}
                history = {"moment": passed[last - 1], "revision": _revision(places), **held}
            text = json.dumps(history, indent=1, ensure_ascii=False)
            (folder / f"{scenario.replace(' ', '-')}.json").write_text(text + "\n", encoding="utf-8")


def restore(history: dict[str, Any], folder: Path, nursery: Nursery) -> Places:
    """Put a history into databases that today's code has brought up to date."""
    places = Places(folder)
    asyncio.run(upgrade(places.url, history["revision"]))
    _insert(places.files["ledgers"], history["ledgers"])
    asyncio.run(upgrade(places.url))
    nursery.run(places.plan(None, None)).told()
    _insert(places.files["journal"], history["journal"])
    _insert(places.files["systems"], history["systems"])
    return places


@contextmanager
def _fresh() -> Iterator[Places]:
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder))
        asyncio.run(upgrade(places.url))
        yield places


def _rows(path: Path) -> Rows:
    """Return what every table holds but those that are made with the schema."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in sorted(names)}
    return {name: [dict(row) for row in rows] for name, rows in found.items() if rows and name not in _MADE_ANEW}


def _revision(places: Places) -> str:
    with closing(sqlite3.connect(places.files["ledgers"])) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _insert(path: Path, tables: Rows) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, rows in tables.items():
            for row in rows:
                columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" for _ in row)
                connection.execute(
                    f'INSERT OR REPLACE INTO "{table}" ({columns}) VALUES ({marks})', tuple(row.values())
                )


if __name__ == "__main__":
    write(Path(sys.argv[1]))

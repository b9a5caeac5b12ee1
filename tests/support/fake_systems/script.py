"""What every fake is told to do wrong, what it keeps, and what time it is."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from schema.enums import SourceSystem
from systems.errors import ConnectorError, Unavailable


class Stop:
    """A place where a call stands until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._free = asyncio.Event()

    async def stand(self) -> None:
        self.reached.set()
        await self._free.wait()

    def let_go(self) -> None:
        self._free.set()


Fault = ConnectorError | float | str | Stop


class FakeClock:
    """A clock that stands where the test puts it, or runs with the real one."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at or datetime.now(UTC)


@dataclass
class Kept:
    """What the systems keep, in a file that outlives the program or in memory."""

    path: Path | None = None
    connection: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = sqlite3.connect(self.path or ":memory:", timeout=10, isolation_level=None)
        self.connection.execute("CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, body TEXT)")

    def close(self) -> None:
        self.connection.close()

    def put(self, kind: str, key: str, body: str) -> None:
        self.connection.execute("INSERT INTO kept VALUES (?, ?, ?)", (kind, key, body))

    def replace(self, kind: str, key: str, body: str) -> None:
        self.connection.execute("UPDATE kept SET body = ? WHERE kind = ? AND key = ?", (body, kind, key))

    def drop(self, kind: str, key: str) -> None:
        self.connection.execute("DELETE FROM kept WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str, key: str | None = None) -> list[str]:
        where = "kind = ?" if key is None else "kind = ? AND key = ?"
        values = (kind,) if key is None else (kind, key)
        return [row[0] for row in self.connection.execute(f"SELECT body FROM kept WHERE {where}", values)]

    def keys(self, kind: str) -> list[str]:
        return [row[0] for row in self.connection.execute("SELECT key FROM kept WHERE kind = ?", (kind,))]


@dataclass
class Script:
    """What happens to calls, by operation.

    ``before`` and ``after`` hold what to do with the next calls of an operation: raise an error, wait some seconds,
    ``"kill"`` the program, or stand there until the test lets them go on. ``after`` strikes when the system has done
    its work: the answer is lost.
    """

    before: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    after: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    calls: list[str] = field(default_factory=list)
    down: set[SourceSystem] = field(default_factory=set)
    seen: Callable[[str], None] = lambda operation: None

    async def enter(self, system: SourceSystem, operation: str) -> None:
        self.calls.append(operation)
        self.seen(operation)
        if system in self.down:
            raise Unavailable(system, operation, "no connection", outcome_unknown=False)
        await _strike(self.before[operation])

    async def leave(self, operation: str) -> None:
        await _strike(self.after[operation])


async def _strike(faults: list[Fault]) -> None:
    if not faults:
        return
    fault = faults.pop(0)
    if isinstance(fault, ConnectorError):
        raise fault
    if isinstance(fault, Stop):
        await fault.stand()
        await _strike(faults)
    elif isinstance(fault, str):
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        await asyncio.sleep(fault)

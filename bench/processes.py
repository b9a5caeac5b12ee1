"""Measure order submission (P3): orders a second to ACCEPTED, time to the decision, memory and backlog.

    python bench/processes.py --database postgresql --seconds 60
    python bench/processes.py --database sqlite --rate 7.5 --seconds 60

Keeps ``--clients`` orders under way, or sends ``--rate`` orders a second whatever becomes of them, and waits for the
last one. Systems answer from memory at once, so that what is measured is processes, ledgers and journal. An order has
two lines. PostgreSQL is the one of ``DATABASE_URL``, else one of our own as it is installed: it waits for the disk at
each commit.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import here  # noqa: F401 - makes the tests' support importable
import uvloop
from instant_world import ACCOUNTS, SKUS, instant_world

from crossdock.migrations import upgrade
from processes.api import OrderSubmission
from processes.registry import Process
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from systems.platform import Database
from tests.support.databases import postgres_running
from tests.support.process_world import REP, line, submission

TELL_S = 10.0
WAIT_MS = 30_000
END_S = 60.0


class WatchedEngine(ProcessEngine):
    """An engine that tells when and how its runs end."""

    def __init__(self, settings: EngineSettings, use: Any) -> None:
        super().__init__(settings, use)
        self.states: Counter[str] = Counter()
        self.ends: dict[str, asyncio.Event] = {}

    async def run(self, process: Process, document: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a process and tell its end."""
        told = await super().run(process, document)
        self.states[told["state"]] += 1
        self.ends.setdefault(document["process_id"], asyncio.Event()).set()
        return told


class Load:
    """Orders sent to an engine, and what is seen of them."""

    def __init__(self, engine: WatchedEngine) -> None:
        self.engine = engine
        self.starter = EngineStarter(engine)
        self.sent = 0
        self.decisions: list[float] = []
        self.late: list[float] = []

    async def order(self) -> None:
        """Send one order, note when it is decided, and wait for its end."""
        self.sent += 1
        number, began = self.sent, time.perf_counter()
        started = await self.starter.submit_order(made_order(number), key=f"b-{number}", principal=REP, wait_ms=WAIT_MS)
        self.decisions.append(time.perf_counter() - began)
        if started.process_id is None or started.problems:
            raise SystemExit(f"order {number}: {started.problems}")
        end = self.engine.ends.setdefault(started.process_id, asyncio.Event())
        async with asyncio.timeout(END_S):
            await end.wait()
        del self.engine.ends[started.process_id]

    async def keep_under_way(self, clients: int, until: float) -> None:
        """Have so many clients send one order after the other."""

        async def client() -> None:
            while time.monotonic() < until:
                await self.order()

        await asyncio.gather(*(client() for _ in range(clients)))

    async def send(self, rate: float, until: float) -> None:
        """Send so many orders a second, evenly, whatever becomes of them."""
        began, under_way = time.monotonic(), set[asyncio.Task[None]]()
        for place in range(int((until - began) * rate)):
            await asyncio.sleep(max(began + place / rate - time.monotonic(), 0))
            under_way = {task for task in under_way if not task.done()}
            under_way.add(asyncio.create_task(self.order()))
        await asyncio.gather(*under_way)


def made_order(number: int) -> OrderSubmission:
    """Return an order of two lines; accounts and items take turns."""
    account = ACCOUNTS[number % len(ACCOUNTS)]
    lines = [line(2, SKUS[(number * 2 + place) % len(SKUS)], place + 1) for place in range(2)]
    return submission(*lines, account_id=account, ship_to_id=f"shp_{account}")


async def measure(url: str, wanted: argparse.Namespace) -> None:
    await upgrade(url)
    async with Database(url) as database:
        world = instant_world(database)
        async with WatchedEngine(EngineSettings(url), world.use) as engine:
            load = Load(engine)
            await load.keep_under_way(4, time.monotonic() + 2)
            load.decisions.clear()
            before, cpu, began = engine.states["COMPLETED"], cpu_s(), time.monotonic()
            teller = asyncio.create_task(tell(load, began))
            until = began + wanted.seconds
            await (load.send(wanted.rate, until) if wanted.rate else load.keep_under_way(wanted.clients, until))
            took, spent = time.monotonic() - began, cpu_s() - cpu
            teller.cancel()
            done = engine.states["COMPLETED"] - before
    times = sorted(load.decisions)
    p50, p95, p99 = (times[int(len(times) * part)] * 1000 for part in (0.5, 0.95, 0.99))
    print(
        f"{done} orders to ACCEPTED and released in {took:.1f} s: {done / took:.1f} a second, "
        f"{spent / done * 1000:.1f} ms CPU of this program each; "
        f"decision p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms; {resident_mib():.0f} MiB; "
        f"ended {dict(engine.states)}"
    )


async def tell(load: Load, began: float) -> None:
    """Print now and then how it goes."""
    before = sum(load.engine.states.values())
    while True:
        await asyncio.sleep(TELL_S)
        ended = sum(load.engine.states.values())
        print(
            f"  {time.monotonic() - began:4.0f} s: {(ended - before) / TELL_S:.1f} a second, "
            f"{load.sent - ended} under way, {resident_mib():.0f} MiB",
            flush=True,
        )
        before = ended


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_mib() -> float:
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith("VmRSS"):
            return int(row.split()[1]) / 1024
    return 0.0


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite+aiosqlite:///{Path(folder) / 'crossdock.db'}"
        return
    with postgres_running(durable=True) as server:
        name = server.create()
        yield server.url(name)
        server.drop(name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0)
    wanted = parser.parse_args()
    with database(wanted.database) as url:
        uvloop.run(measure(url, wanted))


if __name__ == "__main__":
    main()

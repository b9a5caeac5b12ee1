"""Measure order submission (P3): orders a second to ACCEPTED, time to the decision, memory and backlog.

    python bench/processes.py --database postgresql --programs 2 --seconds 60
    python bench/processes.py --database sqlite --rate 7.5 --seconds 60
    python bench/processes.py --database postgresql --programs 2 --rate 30 --minutes 10
    python bench/processes.py --database postgresql --race

Programs share one database. Together they keep ``--clients`` orders under way, or send ``--rate`` orders a second
whatever becomes of them, and wait for the last one. Systems answer from memory at once, so that what is measured is
processes, ledgers and journal. An order has two lines. PostgreSQL is the one of ``DATABASE_URL``, else one of our own
as it is installed: it waits for the disk at each commit.

Every ten seconds (thirty of a run by ``--minutes``) each program tells on stderr how it goes. At the end stands how
backlog, memory and decisions went over time, all programs together, and what changed from the first third to the last.

``--race`` lets a hundred clients race for the last five of an item, and ``--webhooks`` tells twenty shipments by ten
thousand webhooks in any order and compares the end with that of one clean delivery.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import here  # noqa: F401 - makes the tests' support importable
import psycopg
import uvloop
from instant_world import ACCOUNTS, SKUS, instant_world

from crossdock.migrations import upgrade
from processes.api import OrderSubmission
from processes.registry import Process
from processes.starter import EngineStarter
from processes.starts import OVERLOADED
from processes.worker import EngineSettings, ProcessEngine
from systems.platform import Database
from tests.support.databases import PostgresServer, postgres_running
from tests.support.last_ones import race
from tests.support.process_world import REP, line, process_world, submission
from tests.support.webhook_storm import tell

TELL_S = 10.0
TELL_OF_MINUTES_S = 30.0
WAIT_MS = 30_000
END_S = 120.0
WARM_S = 3.0
CLIENTS, LEFT = 100, 5
SHIPMENTS, WEBHOOKS = 20, 10_000


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
        self.shed = 0
        self.decisions: list[float] = []
        self.samples: list[dict[str, float]] = []

    @property
    def under_way(self) -> int:
        """Orders sent, taken and not ended."""
        return self.sent - self.shed - self.engine.states.total()

    async def order(self) -> None:
        """Send one order, note when it is decided, and wait for its end."""
        self.sent += 1
        number, began = self.sent, time.perf_counter()
        started = await self.starter.submit_order(
            made_order(number), key=f"b-{os.getpid()}-{number}", principal=REP, wait_ms=WAIT_MS
        )
        if any(problem.code == OVERLOADED for problem in started.problems):
            self.shed += 1
            return
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


async def carry(url: str, wanted: argparse.Namespace) -> None:
    """Carry this program's part of the orders; the last line of the output is JSON."""
    async with Database(url) as database:
        world = instant_world(database)
        async with WatchedEngine(EngineSettings(url), world.use) as engine:
            load = Load(engine)
            await load.keep_under_way(2, time.monotonic() + WARM_S)
            load.decisions.clear()
            before, cpu, began = engine.states["COMPLETED"], cpu_s(), time.monotonic()
            teller = asyncio.create_task(report(load, began, TELL_OF_MINUTES_S if wanted.minutes else TELL_S))
            until = began + wanted.seconds
            rate, clients = wanted.rate / wanted.programs, max(wanted.clients // wanted.programs, 1)
            await (load.send(rate, until) if rate else load.keep_under_way(clients, until))
            took, spent = time.monotonic() - began, cpu_s() - cpu
            teller.cancel()
            done, failed = engine.states["COMPLETED"] - before, engine.states.total() - engine.states["COMPLETED"]
    told = {
        "done": done,
        "failed": failed,
        "took": took,
        "cpu": spent,
        "decisions": load.decisions,
        "shed": load.shed,
        "samples": load.samples,
        "mib": resident_mib(),
    }
    print(json.dumps(told))


async def report(load: Load, began: float, every_s: float) -> None:
    """Tell now and then how it goes, and keep it."""
    before, known, turn = load.engine.states.total(), len(load.decisions), 0
    while True:
        turn += 1
        await asyncio.sleep(max(began + turn * every_s - time.monotonic(), 0))
        ended, times = load.engine.states.total(), sorted(load.decisions[known:])
        sample = {
            "at": turn * every_s,
            "rate": (ended - before) / every_s,
            "under_way": load.under_way,
            "shed": load.shed,
            "mib": resident_mib(),
            "p50": part(times, 0.5) * 1000,
            "p95": part(times, 0.95) * 1000,
        }
        load.samples.append(sample)
        print(f"  program {os.getpid()}, {line_of(sample)}", file=sys.stderr, flush=True)
        before, known = ended, len(load.decisions)


def part(times: Sequence[float], share: float) -> float:
    """Return the time within which a share of sorted times lies, 0 when there are none."""
    return times[min(int(len(times) * share), len(times) - 1)] if times else 0.0


def line_of(sample: Mapping[str, float]) -> str:
    """Return one row of how it went."""
    return (
        f"{sample['at']:5.0f} s: {sample['rate']:5.1f} a second, {sample['under_way']:4.0f} under way, "
        f"{sample['shed']:4.0f} refused, {sample['mib']:6.1f} MiB, "
        f"decision p50 {sample['p50']:4.0f} ms, p95 {sample['p95']:4.0f} ms"
    )


def print_course(ends: Sequence[Mapping[str, Any]]) -> None:
    """Print how it went over time, all programs together, and what changed from the first third to the last.

    Percentiles of several programs are the worst of them.
    """
    joined = []
    for rows in zip(*(end["samples"] for end in ends), strict=False):
        sums = {name: sum(row[name] for row in rows) for name in ("rate", "under_way", "shed", "mib")}
        worst = {name: max(row[name] for row in rows) for name in ("at", "p50", "p95")}
        joined.append({**sums, **worst})
    for sample in joined:
        print(f"  {line_of(sample)}")
    third = len(joined) // 3
    if not third:
        return
    for name, unit in (("under_way", "orders"), ("mib", "MiB")):
        first, last = (sum(row[name] for row in rows) / third for rows in (joined[:third], joined[-third:]))
        print(f"{name.replace('_', ' ')}: {first:.1f} {unit} in the first third, {last:.1f} in the last")


def measure(url: str, wanted: argparse.Namespace, server: PostgresServer | None) -> None:
    """Let programs carry the orders, and print what they tell together."""
    uvloop.run(upgrade(url))
    before = 0.0 if server is None else server_cpu_s(server)
    command = [sys.executable, __file__, *sys.argv[1:], "--child", url]
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(wanted.programs)]
    told = [program.communicate()[0] for program in programs]
    ends = [json.loads(text.splitlines()[-1]) for text in told]
    print_course(ends)
    done, took = sum(end["done"] for end in ends), max(end["took"] for end in ends)
    times = sorted(time_ for end in ends for time_ in end["decisions"])
    p50, p95, p99 = (part(times, share) * 1000 for share in (0.5, 0.95, 0.99))
    print(f"{done} orders ACCEPTED and released in {took:.1f} s, {sum(end['failed'] for end in ends)} not", end="")
    print(f", {sum(end['shed'] for end in ends)} refused as too many")
    print(f"{done / took:.1f} a second; decision p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms")
    print(f"CPU an order: programs {sum(end['cpu'] for end in ends) / done * 1000:.1f} ms", end="")
    if server is not None:
        print(f", database {(server_cpu_s(server) - before) / done * 1000:.1f} ms (with the warm-up)", end="")
    print()
    print(f"resident: {', '.join(format(end['mib'], '.0f') for end in ends)} MiB")


def server_cpu_s(server: PostgresServer) -> float:
    """Return the CPU time of a PostgreSQL server on this machine and of all that it has started."""
    with psycopg.connect(server.admin) as connection:
        folder = connection.execute("SHOW data_directory").fetchone()
    main_process = int(Path(folder[0], "postmaster.pid").read_text().split()[0]) if folder else 0
    under = Path(f"/proc/{main_process}/task/{main_process}/children").read_text().split()
    ticks = 0
    for pid in (str(main_process), *under):
        with suppress(FileNotFoundError, ProcessLookupError):  # one that has ended counts as waited for, next time
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15] if pid == str(main_process) else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_s() -> float:
    """Return user and system time of this program so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_mib() -> float:
    """Return the resident memory of this program."""
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith("VmRSS"):
            return int(row.split()[1]) / 1024
    return 0.0


async def run_race(urls: Sequence[str]) -> None:
    """Print how a race for the last of an item ends."""
    await upgrade(urls[0])
    began = time.monotonic()
    async with process_world(urls[0]) as world:
        ended = await race(urls[0], world, clients=CLIENTS, left=LEFT)
        print(
            f"{CLIENTS} clients, {LEFT} left: {len(ended.sold)} sold, {len(world.erp.documents())} documents, "
            f"{len(ended.next_days)} stockouts, {sum(day is not None for day in ended.next_days)} with the next date, "
            f"{len(await world.held())} positions still held, in {time.monotonic() - began:.1f} s"
        )


async def run_webhooks(urls: Sequence[str]) -> None:
    """Print whether many webhooks in any order end as one clean delivery."""
    ends = []
    for url, webhooks in zip(urls, (0, WEBHOOKS), strict=True):
        await upgrade(url)
        began = time.monotonic()
        async with process_world(url) as world:
            ends.append(await tell(world, url, SHIPMENTS, webhooks, seed=7))
    if ends[0] != ends[1]:
        sys.exit(f"{WEBHOOKS} webhooks end otherwise than one clean delivery: {ends[1]} instead of {ends[0]}")
    took = time.monotonic() - began
    print(f"{WEBHOOKS} duplicate and shuffled webhooks, {SHIPMENTS} shipments: as one clean delivery, {took:.1f} s")


@contextmanager
def databases(kind: str) -> Iterator[tuple[list[str], PostgresServer | None]]:
    """Yield the URLs of two empty databases."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield [f"sqlite+aiosqlite:///{Path(folder) / name}.db" for name in ("one", "two")], None
        return
    with postgres_running(durable=True) as server:
        names = [server.create() for _ in range(2)]
        yield [server.url(name) for name in names], server
        for name in names:
            server.drop(name)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--minutes", type=float, default=0, help="instead of --seconds, told of in longer steps")
    parser.add_argument("--programs", type=int, default=1)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--race", action="store_true")
    parser.add_argument("--webhooks", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    wanted.seconds = wanted.minutes * 60 or wanted.seconds
    if wanted.child:
        uvloop.run(carry(wanted.child, wanted))
        return
    with databases(wanted.database) as (urls, server):
        if wanted.race:
            uvloop.run(run_race(urls))
        elif wanted.webhooks:
            uvloop.run(run_webhooks(urls))
        else:
            measure(urls[0], wanted, server)


if __name__ == "__main__":
    main()

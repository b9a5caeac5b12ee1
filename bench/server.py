"""Measure the gateway's server: idle subscribers, fan-out, behaviour under twice its load, cost of the policies.

    python bench/server.py [idle-sse] [idle-ws] [fanout] [overload] [policies] [reload] [settings]

All of them run when none is named.

The gateway is a process of its own (one worker) that ``crossdock gateway`` starts; subgraphs and load are this process.
Everything stays on the loopback and ends by itself.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import engine
import orjson
import uvloop
from clients import Exchange, Listener, post, subscriber
from served import Gateway, gateway, raise_open_files, report, serve_app, where

from gateway.bootstrap import build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.transport.base import SubgraphRequest

SUBSCRIBERS = 10_000
OPENING = 200
"""Subscribers that connect at the same time."""
IDLE_S = 15
"""Longer than the pause between heartbeats, so that idling includes one."""

FANOUT_SUBSCRIBERS = 100
FANOUT_PROCESSES = 4
"""Processes that hold the subscribers: one alone could not read as fast as the gateway writes."""
FANOUT_S = 10
SETTLING_S = 2
"""For what is on its way when the last event was sent."""
FANOUT_RATES = (100, 300, 500, 1000)
"""Events a second, each to all subscribers."""

LOAD_S = 10
CLOSED_CONNECTIONS = 32
MOST_CONNECTIONS = 4000
"""Requests under way at which the load gives up; far above what queue and limit of the gateway let wait."""

POLICY_ROUNDS = 5
POLICY_REQUESTS = {"big": 400, "small": 4000}
RELOADS = 1000

TICKS = {"ticks": "type Query { one: Int } type Subscription { ticks: Tick } type Tick { at: Float! number: Int! }"}
ROOMY = {"max_total": 2 * SUBSCRIBERS, "max_per_client": 2 * SUBSCRIBERS, "share_subgraph_streams": "all"}
STREAMED = {"subscriptions": ROOMY, "subgraphs": {"ticks": {"subscriptions": "sse"}}}

SHEDDING = {"load": {"max_running": 2, "max_waiting": 14, "max_wait": "200ms"}}
"""An answer of a big query is work of the processor alone here, so two at a time are as fast as many."""

WITHOUT = {
    "documents": {"automatic": {"enabled": False}},
    "traffic": {"retry": {"max_retries": 0}, "circuit": {"enabled": False}, "share_subgraph_requests": False},
    "server": {"compress_from_bytes": None},
    "telemetry": {"request_log": "none"},
}
"""Every policy off that can be."""

CHANGES: tuple[dict[str, Any], ...] = (
    {"limits": {"max_depth": 20}, "telemetry": {"metrics": True}},
    {"traffic": {"timeout": "9s"}, "headers": {"propagate": ["x-a"]}, "authorization": {"mode": "reject"}},
    {"rates": {"rules": [{"name": "all", "amount": 1_000_000}]}, "errors": {"subgraph_errors": "masked"}},
    {},
)
"""Settings that follow each other; each differs from the one before in several sections."""

SMALL = "{ users { id } }"


def _users(request: dict[str, Any]) -> Any:
    user = {"id": "1", "name": "a user", "email": "user@example.com"}
    targets = request.get("variables", {}).get("representations")
    return {"users": [user]} if targets is None else {"_entities": [user | {"id": item["id"]} for item in targets]}


TRANSPORTS = engine.TRANSPORTS | {"users": engine.Answers(_users)}
_AT = re.compile(rb'"at":([0-9.e+]+)')


class Ticks:
    """A subgraph that streams what it is told to, by server-sent events."""

    def __init__(self) -> None:
        self._streams: set[asyncio.Queue[bytes]] = set()

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    def emit(self, number: int) -> None:
        """Send one event to every stream."""
        event = b'event: next\ndata: {"data":{"ticks":{"at":%.6f,"number":%d}}}\n\n' % (time.monotonic(), number)
        for queue in self._streams:
            queue.put_nowait(event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        """Serve one stream until the other side leaves."""
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._streams.add(queue)
        gone = asyncio.get_running_loop().create_task(receive())
        gone.add_done_callback(lambda _: queue.put_nowait(b""))
        try:
            while event := await queue.get():
                await send({"type": "http.response.body", "body": event, "more_body": True})
        finally:
            self._streams.discard(queue)
            gone.cancel()


class FromMemory:
    """The subgraphs of ``bench/engine.py`` behind HTTP."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        answer = (await TRANSPORTS[scope["path"][1:]].send(SubgraphRequest(body))).body
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


ENGINE_SDL = {name: engine.LINK + sdl for name, sdl in engine.SUBGRAPHS.items()}


class Heard:
    """Counts events and how long each took from the subgraph to the client."""

    def __init__(self) -> None:
        self.delays: list[float] = []

    def __call__(self, listener: Listener, data: bytes) -> None:
        """Take bytes of one stream; an event that is not whole waits for its rest."""
        data = listener.tail + data
        now, end = time.monotonic(), 0
        for found in _AT.finditer(data):
            if found.end() < len(data):
                self.delays.append(now - float(found[1]))
                end = found.end()
        listener.tail = data[end:][-64:]


async def subscribe(port: int, count: int, make: Callable[[], Listener]) -> list[Listener]:
    """Open subscribers, a bounded number at a time."""
    loop, found = asyncio.get_running_loop(), []
    for start in range(0, count, OPENING):
        fresh = [make() for _ in range(min(OPENING, count - start))]
        for listener in fresh:
            await loop.create_connection(lambda listener=listener: listener, "127.0.0.1", port)
        async with asyncio.timeout(60):
            await asyncio.gather(*(listener.is_open for listener in fresh))
        found += fresh
    return found


async def measure_idle(name: str, protocol: str, target: str) -> None:
    """Measure resident memory with idle subscribers, and that each of them still gets an event."""
    ticks = Ticks()
    async with serve_app(ticks) as address, gateway(TICKS, address, STREAMED) as served:
        heard = Heard()
        empty = served.resident_mib()
        started = time.monotonic()
        listeners = await subscribe(served.port, SUBSCRIBERS, lambda: subscriber(protocol, heard))
        report(f"{name}: {SUBSCRIBERS} opened in", time.monotonic() - started, "s")
        before = served.cpu_s()
        await asyncio.sleep(IDLE_S)
        report(f"{name}: CPU while idle", (served.cpu_s() - before) / IDLE_S * 100, "% of a core")
        resident = served.resident_mib()
        report(f"{name}: resident with none", empty, "MiB")
        report(f"{name}: resident with {SUBSCRIBERS}", resident, "MiB", target)
        report(f"{name}: for each", (resident - empty) * 1024 / SUBSCRIBERS, "KiB")
        report(f"{name}: streams from the subgraph for them", ticks.streams, "")
        ticks.emit(1)
        await settled(heard, SUBSCRIBERS, 30)
        report(f"{name}: subscribers that got an event after that", len(heard.delays), "")
        report(f"{name}: the last of them after", max(heard.delays, default=0), "s")
        report(f"{name}: resident after the event", served.resident_mib(), "MiB")
        for listener in listeners:
            listener.transport.abort()
        await until(lambda: ticks.streams == 0, 60)
        await asyncio.sleep(1)
        report(f"{name}: resident after all left", served.resident_mib(), "MiB")


async def settled(heard: Heard, wanted: int, most_s: float) -> None:
    """Wait until so many events came."""
    await until(lambda: len(heard.delays) >= wanted, most_s)


async def until(is_so: Callable[[], bool], most_s: float) -> None:
    """Wait until something is so, at most so long."""
    end = time.monotonic() + most_s
    while not is_so() and time.monotonic() < end:  # noqa: ASYNC110 - what is waited for is in another process
        await asyncio.sleep(0.05)


async def measure_fanout() -> None:
    """Measure how long events take to many subscribers, at rising rates."""
    for protocol in ("SSE", "WebSocket"):
        for rate in FANOUT_RATES:
            ticks = Ticks()
            async with serve_app(ticks) as address, gateway(TICKS, address, STREAMED) as served:
                listening = [await _listen(served.port, protocol) for _ in range(FANOUT_PROCESSES)]
                await until(lambda t=ticks: t.streams > 0, 5)
                await asyncio.sleep(0.5)
                before, started = served.cpu_s(), time.monotonic()
                sent = 0
                while (passed := time.monotonic() - started) < FANOUT_S:
                    while sent < passed * rate:
                        ticks.emit(sent)
                        sent += 1
                    await asyncio.sleep(0.002)
                await asyncio.sleep(SETTLING_S)
                used_s = served.cpu_s() - before
                found = [json.loads((await process.communicate(b""))[0]) for process in listening]
                counts = sorted((int(ms), count) for each in found for ms, count in each.items())
                many = sum(count for _, count in counts)
                label = f"fan-out by {protocol}, {sent / FANOUT_S:.0f} events/s to {FANOUT_SUBSCRIBERS} each"
                report(f"{label}: p50", _share(counts, 0.5), "ms")
                report(f"{label}: p99", _share(counts, 0.99), "ms", "< 250 at 1000")
                report(f"{label}: delivered", many / (sent * FANOUT_SUBSCRIBERS) * 100, "%")
                report(f"{label}: CPU of the worker", used_s / FANOUT_S * 100, "% of a core")
                report(f"{label}: CPU for a delivery", used_s / max(1, many) * 1e6, "us")


async def _listen(port: int, protocol: str) -> asyncio.subprocess.Process:
    """Start a process with its share of the subscribers and return it once they are open."""
    script, pipe = str(Path(__file__).with_name("listen.py")), asyncio.subprocess.PIPE
    share = str(FANOUT_SUBSCRIBERS // FANOUT_PROCESSES)
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, str(port), protocol, share, stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


def _share(counts: list[tuple[int, int]], share: float) -> float:
    """Return the value that a share of what was counted does not exceed; nan when there is nothing."""
    left = sum(count for _, count in counts) * share
    for value, count in counts:
        left -= count
        if left <= 0:
            return value
    return float("nan")


def quantile(values: list[float], share: float) -> float:
    """Return a quantile; nan when there is nothing."""
    return sorted(values)[int(len(values) * share)] if values else float("nan")


class Connections:
    """Kept connections; one more is opened when all are in use."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Exchange] = []
        self.opened = 0

    async def ask(self, request: bytes) -> tuple[int, int]:
        """Send a request over a connection that is free and return status and size of the answer."""
        while self._idle and self._idle[-1].is_lost:
            self._idle.pop()
        if self._idle:
            connection = self._idle.pop()
        else:
            self.opened += 1
            _, connection = await asyncio.get_running_loop().create_connection(Exchange, "127.0.0.1", self._port)
        answer = await connection.ask(request)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close what is open."""
        for connection in self._idle:
            if connection.transport is not None:
                connection.transport.abort()


async def closed_loop(port: int, request: bytes, count: int, connections: int) -> float:
    """Send ``count`` requests over a number of connections, one after the other on each; return seconds."""
    pool, left = Connections(port), count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            status, _ = await pool.ask(request)
            if status != 200:
                sys.exit(f"status {status} where 200 was expected")

    started = time.monotonic()
    await asyncio.gather(*(work() for _ in range(connections)))
    pool.close()
    return time.monotonic() - started


async def open_loop(port: int, request: bytes, rate: float, seconds: float) -> tuple[list[float], dict[int, int], int]:
    """Send requests at a rate, whatever comes back; return times of the accepted, number by status, and of unsent.

    They come as those of many clients do that know nothing of each other: at random, after exponential pauses.
    """
    pool, times, statuses = Connections(port), list[float](), dict[int, int]()
    tasks = set[asyncio.Task[None]]()
    chance = random.Random(1)
    unsent = 0

    async def ask(due: float) -> None:
        status, _ = await pool.ask(request)
        statuses[status] = statuses.get(status, 0) + 1
        if status == 200:
            times.append(time.monotonic() - due)

    started = time.monotonic()
    due = started + chance.expovariate(rate)
    while (now := time.monotonic()) - started < seconds:
        while due < now:
            if len(tasks) < MOST_CONNECTIONS:
                task = asyncio.get_running_loop().create_task(ask(due))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                unsent += 1
            due += chance.expovariate(rate)
        await asyncio.sleep(0.001)
    if tasks:
        await asyncio.wait(tasks, timeout=30)
    pool.close()
    return times, statuses, unsent + len(tasks)


async def measure_overload() -> None:
    """Measure what accepted requests take at 80 % and at twice what the worker can carry."""
    request = post(orjson.dumps({"query": engine.QUERY}))
    async with engine_gateway(SHEDDING | UNSHARED) as served:
        await closed_loop(served.port, request, 200, 8)
        rates = [1000 / await closed_loop(served.port, request, 1000, 8) for _ in range(3)]
        capacity = max(rates)
        report("overload: requests/s that the worker can carry (big query)", capacity, "/s")
        found = {}
        for share in (0.8, 2.0, 0.8, 2.0):
            times, statuses, unanswered = await open_loop(served.port, request, capacity * share, LOAD_S)
            label = f"overload: at {share * 100:.0f} %"
            p99 = quantile(times, 0.99) * 1000
            found[share] = min(found.get(share, p99), p99)
            report(f"{label}: p50 of accepted", quantile(times, 0.5) * 1000, "ms")
            report(f"{label}: p99 of accepted", p99, "ms")
            report(f"{label}: accepted", len(times) / LOAD_S, "/s")
            others = {status: number for status, number in statuses.items() if status != 200}
            print(f"{label}: refused {others or 'none'}, unanswered {unanswered}", flush=True)
        report("overload: p99 at 200 % over that at 80 %", found[2.0] / found[0.8], "x", "< 3")


UNSHARED: dict[str, Any] = {"traffic": {"share_subgraph_requests": False}}
"""Equal requests of clients are sent to subgraphs each for itself, as different ones would be."""


@asynccontextmanager
async def engine_gateway(settings: dict[str, Any]) -> AsyncIterator[Gateway]:
    """Yield a gateway over the subgraphs of ``bench/engine.py``."""
    async with serve_app(FromMemory()) as address, gateway(ENGINE_SDL, address, settings) as served:
        yield served


async def measure_policies() -> None:
    """Measure CPU of one request with the default policies and without, two gateways in turn, best of rounds."""
    queries = {"big": engine.QUERY, "small": SMALL}
    async with engine_gateway(UNSHARED) as with_them, engine_gateway(WITHOUT) as without:
        for name, query in queries.items():
            request, count = post(orjson.dumps({"query": query})), POLICY_REQUESTS[name]
            best = [float("inf"), float("inf")]
            for _ in range(POLICY_ROUNDS):
                for place, served in enumerate((with_them, without)):
                    before = served.cpu_s()
                    await closed_loop(served.port, request, count, CLOSED_CONNECTIONS)
                    best[place] = min(best[place], (served.cpu_s() - before) / count * 1000)
            report(f"policies: CPU of a {name} query, default policies", best[0], "ms")
            report(f"policies: CPU of a {name} query, all off", best[1], "ms")
            report(f"policies: more for a {name} query", (best[0] / best[1] - 1) * 100, "%", "<= 15")


async def measure_reload() -> None:
    """Measure memory of this process over many reloads, each of another supergraph with operations to prepare."""
    sources = [SubgraphSource(name=name, url=f"http://localhost/{name}", sdl=sdl) for name, sdl in ENGINE_SDL.items()]
    texts = [str(compose_or_raise(sources).supergraph)]
    changed = [source if source.name != "users" else more_fields(source) for source in sources]
    texts.append(str(compose_or_raise(changed).supergraph))
    async with build_gateway(texts[0], TRANSPORTS, settings_from({}, {})) as served:
        for number in range(50):
            await served.execute(f"query Q{number} {{ products {{ upc name reviews {{ body }} }} }}")
        seen = []
        for number in range(RELOADS):
            await served.reload(texts[(number + 1) % 2])
            result = await served.execute("{ users { id name } }")
            if result.errors:
                sys.exit(f"after reload {number}: {result.errors[0]}")
            if number % (RELOADS // 10) == RELOADS // 10 - 1:
                gc.collect()
                seen.append(own_resident_mib())
        print("reload: resident after each tenth of them: " + ", ".join(f"{each:.0f}" for each in seen) + " MiB")
        report(f"reload: growth over the last {RELOADS * 8 // 10} of {RELOADS}", seen[-1] - seen[1], "MiB", "flat")


async def measure_settings() -> None:
    """Measure memory of this process over many changes of settings, with operations to prepare for each."""
    sources = [SubgraphSource(name=name, url=f"http://localhost/{name}", sdl=sdl) for name, sdl in ENGINE_SDL.items()]
    changes = [settings_from(values, {}) for values in CHANGES]
    async with build_gateway(str(compose_or_raise(sources).supergraph), TRANSPORTS, changes[-1]) as served:
        for number in range(50):
            await served.execute(f"query Q{number} {{ products {{ upc name reviews {{ body }} }} }}")
        seen = []
        started = time.process_time()
        for number in range(RELOADS):
            await served.change_settings(changes[number % len(changes)])
            result = await served.execute("{ users { id name } }")
            if result.errors:
                sys.exit(f"after change {number}: {result.errors[0]}")
            if number % (RELOADS // 10) == RELOADS // 10 - 1:
                gc.collect()
                seen.append(own_resident_mib())
        used = (time.process_time() - started) / RELOADS * 1000
        print("settings: resident after each tenth of them: " + ", ".join(f"{each:.0f}" for each in seen) + " MiB")
        report("settings: work of the processor for one change", used, "ms", "-")
        report(f"settings: growth over the last {RELOADS * 8 // 10} of {RELOADS}", seen[-1] - seen[1], "MiB", "flat")


def more_fields(source: SubgraphSource) -> SubgraphSource:
    """Return a subgraph with a field more."""
    return SubgraphSource(
        name=source.name, url=source.url, sdl=source.sdl.replace("email: String", "email: String phone: String")
    )


def own_resident_mib() -> float:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


PARTS: dict[str, Callable[[], Awaitable[None]]] = {
    "idle-sse": lambda: measure_idle("idle SSE", "SSE", "< 200"),
    "idle-ws": lambda: measure_idle("idle WebSockets", "WebSocket", "< 350"),
    "fanout": measure_fanout,
    "overload": measure_overload,
    "policies": measure_policies,
    "reload": measure_reload,
    "settings": measure_settings,
}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    where()
    raise_open_files()
    for name in wanted:
        uvloop.run(PARTS[name]())


if __name__ == "__main__":
    main()

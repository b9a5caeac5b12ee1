"""The demo: made-up systems in a process of their own, everything else in this one, then the tour.

1. The sandboxes start; meanwhile the platform's database is made and gets the past that fits their data.
2. Everything is served in the embedded form, and the addresses are printed.
3. The tour is played against the gateway, as any client would.
4. Everything stays up until Ctrl-C. The state stays in its folder: the next demo goes on from there.
"""

from __future__ import annotations

import asyncio
import gc
import json
import secrets
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crossdock.demo.client import GraphClient, SandboxSwitch, TourError
from crossdock.serving import serving, stop_signal
from gateway.logs import log_to
from gateway.server.listening import listen
from schema.records.operations import ProcessRecord

__all__ = ["ADDRESSES", "DemoOptions", "run_demo"]

LOOPBACK = "127.0.0.1"
ADDRESSES = "addresses.json"
"""File in the state folder that says where everything listens, while it does."""

SPEED = 60.0
"""Clock of warehouse and carrier: an hour in a minute, so that there is something to see."""

READY_S = 60.0
"""Longest wait for the sandboxes."""

STOP_S = 10.0
"""Longest wait for the sandboxes to end."""

MAX_RESUMED = 10
"""Processes that are named in the terminal when they go on after a restart."""

_MADE_UP = (
    ("crm", "CRM"),
    ("erp", "ERP"),
    ("wms", "warehouse"),
    ("tms", "carriers"),
    ("legacy_erp", "legacy ERP"),
)
_GC_THRESHOLDS = (50_000, 50, 100)
_FAILED = 1


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How the demo runs."""

    port: int
    sandbox_port: int
    state: Path
    has_tour: bool
    stays: bool


async def run_demo(options: DemoOptions) -> int:
    """Run the demo to its end; return the exit code: 1 when the tour did not end as it should.

    Raises:
        ConfigError: a port is taken.
        ValueError: the state folder holds something else.
    """
    began = time.perf_counter()
    console = Console()
    until = stop_signal()
    where = listen(LOOPBACK, options.port)
    url = f"http://{LOOPBACK}:{where.getsockname()[1]}"
    options.state.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        log = stack.enter_context((options.state / "crossdock.log").open("a", encoding="utf-8"))
        log_to(log)
        sandboxes = await stack.enter_async_context(_sandboxes(options, url))
        # Loading takes a second, in which the sandboxes start.
        from crossdock.demo.prepare import demo_settings, prepare  # noqa: PLC0415
        from crossdock.embedded import open_embedded  # noqa: PLC0415

        await prepare(options.state)
        addresses = await sandboxes.addresses()
        settings = demo_settings(options.state, addresses, secrets.token_urlsafe(32))
        app = await stack.enter_async_context(open_embedded(settings, resumed=_Resumed(console).tell))
        await stack.enter_async_context(serving(app, where, app.protocol, app.stops))
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        (options.state / ADDRESSES).write_text(json.dumps({"gateway": url, **addresses}), encoding="utf-8")
        stack.callback((options.state / ADDRESSES).unlink)
        _announce(console, url, addresses, time.perf_counter() - began)
        code = await _tour(console, url, addresses, until) if options.has_tour else 0
        if options.stays:
            console.print("\n[dim]Ctrl-C ends the demo; the state stays in[/]", str(options.state))
            await until.wait()
    return code


async def _tour(console: Console, url: str, addresses: Mapping[str, str], until: asyncio.Event) -> int:
    """Play the tour unless somebody asks to stop meanwhile."""
    from crossdock.demo.tour import Tour  # noqa: PLC0415 - a demo that only serves does not need it

    async with GraphClient(url) as graph:
        playing = asyncio.create_task(Tour(console, graph, SandboxSwitch(addresses), SPEED).play())
        stopping = asyncio.create_task(until.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not playing.done():
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            return 0
        try:
            playing.result()
        except TourError as error:
            console.print(f"[bold red]The tour stopped:[/] {error}")
            return _FAILED
    return 0


def _announce(console: Console, url: str, addresses: Mapping[str, str], took_s: float) -> None:
    table = Table("what", "where", title=f"Crossdock is ready after {took_s:.1f} s", title_justify="left")
    table.add_row("GraphiQL, with examples in tabs", f"{url}/")
    table.add_row("GraphQL: HTTP, events, WebSocket", f"{url}/graphql")
    for name, what in _MADE_UP:
        table.add_row(f"made-up system: {what}", addresses[name])
    console.print(table)


class _Resumed:
    """Says in the terminal which processes go on that the demo before this one left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def tell(self, process: ProcessRecord) -> None:
        """Say that a process goes on, unless that was said of many already."""
        self._told += 1
        if self._told <= MAX_RESUMED:
            self._console.print(f"goes on where it was: {process.kind} of {process.business_key}, process {process.id}")
        elif self._told == MAX_RESUMED + 1:
            self._console.print("and others; crossdock.log in the state folder names all of them")


class _Sandboxes:
    """The process that serves the made-up systems."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def addresses(self) -> Mapping[str, str]:
        """Return where each system listens, once all do.

        Raises:
            OSError: the process ended instead, or said nothing in time; its own words are in the terminal.
        """
        if self._process.stdout is None:
            raise OSError("the sandboxes have no output to read")
        try:
            async with asyncio.timeout(READY_S):
                line = await self._process.stdout.readline()
        except TimeoutError as error:
            raise OSError(f"the sandboxes did not start within {READY_S:g} s") from error
        if not line:
            raise OSError(
                "the made-up systems did not start, for the reason above: --sandbox-port gives them other ports, and "
                "`make clean-demo` (or removing the state folder) drops data of another version"
            )
        found: dict[str, str] = json.loads(line)
        return found


@asynccontextmanager
async def _sandboxes(options: DemoOptions, url: str) -> AsyncIterator[_Sandboxes]:
    """Start the sandboxes and end them; they end by themselves when this process is gone."""
    command = [sys.executable, "-m", "crossdock", "sandbox", "all", "--stop-with-stdin"]
    command += ["--port", str(options.sandbox_port), "--state", str(options.state / "sandbox")]
    command += ["--webhooks", f"{url}/webhooks", "--speed", str(SPEED)]
    # A session of its own: Ctrl-C in the terminal reaches this process alone, which then ends the other in order.
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    try:
        yield _Sandboxes(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

"""Several processes that serve one gateway: all take connections from one socket that this process listens on.

1. Each worker builds the gateway by itself, follows settings and supergraph by itself, and shares its metrics.
2. SIGHUP goes to every worker; SIGTERM and SIGINT let every worker finish, and then this process ends. A second SIGINT
   ends them at once.
3. A worker that ends by itself is started anew in its place, after a longer pause each time when it ends soon again.
   While none has served yet, one that cannot use its input ends all with its exit code.
4. When this process dies, the workers notice and stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType

from gateway.config import GatewaySettings
from gateway.errors import ConfigError, GatewayError
from gateway.exit_codes import BAD_INPUT, INTERRUPTED
from gateway.logs import log_to
from gateway.policies.shared_metrics import take_place
from gateway.server.listening import listen
from gateway.serving import ServeOptions, address_of, build, end_on_signals, read_settings, serve

__all__ = ["Workers"]

_log = logging.getLogger("gateway")

LONG_LIFE_S = 30.0
"""A worker that lived this long ended by chance, and is started anew at once."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""Bounds of the pause before a worker that ended soon is started anew; each further one doubles it."""

CLOSING_S = 5.0
"""Seconds for which a worker may close up after what was under way; then it is killed."""


class Workers:
    """The workers of one gateway, each in its place."""

    def __init__(self, options: ServeOptions, settings: GatewaySettings) -> None:
        self._options = options
        self._settings = settings
        self._context = get_context("spawn")  # a copy of a process with threads and an event loop cannot be trusted
        self._running: dict[int, SpawnProcess] = {}
        self._ready: dict[int, Event] = {}
        self._has_served = False
        self._started_at: dict[int, float] = {}
        self._pauses: dict[int, float] = {}
        self._due: dict[int, float] = {}
        self._is_stopping = False
        self._interrupts = 0

    def run(self) -> int:
        """Serve until it is asked to stop, and return the exit code.

        Raises:
            ConfigError: the address cannot be taken.
        """
        given = self._settings.server
        log_to(sys.stderr)
        with (
            listen(given.host, given.port) as where,
            tempfile.TemporaryDirectory(prefix="gateway-metrics-") as folder,
        ):
            _log.info("starting %d workers at %s", given.workers, address_of(given, where))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            if hasattr(signal, "SIGHUP"):
                signal.signal(signal.SIGHUP, self._pass_on)
            for place in range(given.workers):
                self._start(place, where, Path(folder))
            try:
                code = self._watch(where, Path(folder))
            finally:
                self._end_all()
            if self._interrupts > 1:
                _log.warning("interrupted again: ended at once, what was under way is cut off")
                return INTERRUPTED
            return code

    def _start(self, place: int, where: socket.socket, folder: Path) -> None:
        ready = self._context.Event()
        process = self._context.Process(
            target=_work, args=(self._options, where, folder, place, ready), name=f"gateway worker {place}"
        )
        self._ready[place], self._started_at[place] = ready, time.monotonic()
        # Ctrl-C reaches every process of a terminal, and must find one that can handle it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        self._running[place] = process

    def _watch(self, where: socket.socket, folder: Path) -> int:
        while not self._is_stopping:
            now = time.monotonic()
            for place in [place for place, due in self._due.items() if due <= now]:
                del self._due[place]
                self._start(place, where, folder)
            wait_s = max(0.0, min(self._due.values()) - now) if self._due else None
            connection.wait([process.sentinel for process in self._running.values()], wait_s)
            for place, process in list(self._running.items()):
                if process.is_alive() or self._is_stopping:
                    continue
                self._has_served = self._has_served or any(ready.is_set() for ready in self._ready.values())
                if process.exitcode == BAD_INPUT and not self._has_served:
                    return BAD_INPUT
                self._take_note(place, process)
        return 0

    def _take_note(self, place: int, process: SpawnProcess) -> None:
        """Plan a new worker in the place of one that ended."""
        del self._running[place]
        lived_s = time.monotonic() - self._started_at[place]
        pause_s = 0.0 if lived_s >= LONG_LIFE_S else self._pauses.get(place, 0.0)
        self._pauses[place] = min(LONGEST_PAUSE_S, pause_s * 2 or FIRST_PAUSE_S)
        self._due[place] = time.monotonic() + pause_s
        _log.error("worker %d ended with %s; another one starts in %.1f s", place, process.exitcode, pause_s)
        process.close()

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._is_stopping = True
        self._interrupts += number == signal.SIGINT
        self._signal(signal.SIGKILL if self._interrupts > 1 else signal.SIGTERM)

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self._signal(number)

    def _signal(self, number: int) -> None:
        for process in self._running.values():
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)

    def _patience_s(self) -> float:
        """Return how long the workers may take to stop, by the settings as they are now."""
        try:
            given = read_settings(self._options).server
        except ConfigError:
            given = self._settings.server  # which the workers have kept, too
        return (given.stop_notice or 0.0) + given.stop_timeout + CLOSING_S

    def _end_all(self) -> None:
        self._is_stopping = True
        self._signal(signal.SIGTERM)
        until = time.monotonic() + self._patience_s()
        for process in self._running.values():
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()


def _work(options: ServeOptions, where: socket.socket, folder: Path, place: int, ready: Event) -> None:
    """Be one worker."""
    end_on_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    hangups: list[int] = []
    """Those that came before anybody could look again: the settings may have been read before they were written."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda number, _: hangups.append(number))
    take_place(folder, place)
    try:
        gateway = build(options)
        gateway.asgi.on_start(partial(_start, ready, hangups))
        serve(gateway, where)
    except (GatewayError, OSError) as error:
        sys.stderr.write(f"{error.message if isinstance(error, GatewayError) else error}\n")
        sys.exit(BAD_INPUT)


async def _start(ready: Event, hangups: Sequence[int]) -> None:
    ready.set()
    if hangups:
        signal.raise_signal(signal.SIGHUP)
    parent = parent_process()
    if parent is not None:
        loop = asyncio.get_running_loop()
        loop.add_reader(parent.sentinel, lambda: _stop_without(loop, parent.sentinel))


def _stop_without(loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
    loop.remove_reader(sentinel)
    os.kill(os.getpid(), signal.SIGTERM)

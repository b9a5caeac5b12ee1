"""The engine that carries processes: DBOS as journal and scheduler, embedded in the program that uses it.

It runs on the event loop that enters it, because connectors and the platform's database belong to one loop, and so do
the workflows that use them: fresh ones, and those that DBOS recovers. DBOS writes its journal in threads of its own.
There is one engine per program, as DBOS is one per program.

- A run that dies with its program stays PENDING under its executor id. The next engine with this id recovers it within
  seconds; two engines with the same id at the same time would run it twice, so every program has its own slot.
- Leaving the engine cancels runs where they are; they go on when the engine starts again.
- The version of the application is that of the processes, not of the source: an edit strands no run that waits.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy import make_url

from processes.chronicle import Case, Desk
from processes.dependencies import Dependencies
from processes.journal import JournalSerializer, problems_from_json, problems_to_json, read, write
from processes.order_case import OrderRequest
from processes.quote_case import QuoteRequest
from processes.registry import ORDER, PROCESSES, QUOTE, Process
from processes.runner import Ending, Runner
from processes.shipment_case import ShipmentRequest
from processes.steps import RetryPolicy
from schema.enums import ProcessState

__all__ = ["PROCESS_VERSION", "EngineSettings", "ProcessEngine"]

PROCESS_VERSION = "1"
"""Version of the processes; a new one is needed when a step is added, removed or moved."""

MAX_RECOVERIES = 1_000
"""Times that a run is recovered before DBOS sets it aside."""

KEPT_ENDINGS = 10_000
"""Endings that are kept in memory; older ones are read from the journal."""

NOTICE_S = 0.2
"""How often DBOS looks for messages between runs; ours do not use them."""

MAX_THREADS = 8
"""Threads in which DBOS writes its journal."""

_log = structlog.get_logger("crossdock.processes")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where and as whom processes run.

    Attributes:
        database_url: URL of the platform's database. On PostgreSQL the journal is a schema ``dbos`` of the same
            database; beside an SQLite file it is a file of its own, so that both do not wait for one lock.
        executor_id: slot of this program; no other program that runs at the same time may have it.
        version: version of the processes; runs of another version wait for a program that has it.
        retries: how systems that do not answer are tried.
    """

    database_url: str
    executor_id: str = "slot-1"
    version: str = PROCESS_VERSION
    retries: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def journal_url(self) -> str:
        """URL of DBOS's tables."""
        url = make_url(self.database_url)
        if url.get_backend_name() == "sqlite":
            path = Path(str(url.database))
            return f"sqlite:///{path.with_name(f'{path.stem}-processes.db')}"
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


class ProcessEngine:
    """Runs processes while its context is open.

    Args:
        settings: where and as whom.
        dependencies: the ports that processes use; they must be open on the same event loop.
    """

    def __init__(self, settings: EngineSettings, dependencies: Dependencies) -> None:
        self._settings = settings
        self._use = dependencies
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fresh: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        self._endings: OrderedDict[str, Ending] = OrderedDict()

    async def __aenter__(self) -> Self:
        """Start DBOS; runs that an earlier engine of this slot left are recovered in the background.

        Raises:
            RuntimeError: another engine is open in this program.
        """
        _open(self)
        try:
            if self._settings.journal_url.startswith("sqlite"):
                await asyncio.to_thread(_make_journal, Path(str(make_url(self._settings.journal_url).database)))
            DBOS(config=self._config())
            # On this thread, so that DBOS adopts this loop for the runs that it recovers.
            DBOS.launch()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every run where it is, and DBOS."""
        await self._stop()

    @property
    def dependencies(self) -> Dependencies:
        """The ports that processes use."""
        return self._use

    async def start_order(self, request: OrderRequest) -> None:
        """Start a run of order submission, or nothing when it was started before."""
        await self._start(ORDER, request.process_id, request)

    async def start_quote(self, request: QuoteRequest) -> None:
        """Start a run of quote preparation, or nothing when it was started before."""
        await self._start(QUOTE, request.process_id, request)

    async def start_shipment(self, request: ShipmentRequest) -> None:
        """Start the process about a shipment that the request names, or nothing when it was started before."""
        await self._start(_BY_NAME[request.kind], request.process_id, request)

    async def decision(self, process_id: str, timeout_s: float) -> None:
        """Wait until a run has an answer for whoever started it, at most ``timeout_s``."""
        if await self.ending(process_id) is not None:
            return
        told = self._waiting.setdefault(process_id, asyncio.Event())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await told.wait()

    async def ending(self, process_id: str) -> Ending | None:
        """Return how a run ended, None while it has not."""
        if process_id in self._endings:
            return self._endings[process_id]
        status = await DBOS.get_workflow_status_async(process_id)
        if status is None or status.status != "SUCCESS" or not isinstance(status.output, dict):
            return None
        return Ending(ProcessState(status.output["state"]), problems_from_json(status.output["problems"]))

    async def run(self, process: Process, document: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a process; called by DBOS."""
        request = read(process.request, document)
        process_id: str = request.process_id
        case: Case = process.case(request, self._use, resumed=process_id not in self._fresh)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if case.resumed:
            _log.info("process resumed", process=process_id, kind=process.name, key=case.record.business_key)
        use = self._use
        desk = Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)
        runner: Runner[Any] = Runner(
            case, process.steps, _DbosJournal(), desk, self._settings.retries, lambda: self._tell(process_id)
        )
        ending = await runner.run()
        self._keep(process_id, ending)
        self._tell(process_id)
        return {"state": ending.state.value, "problems": problems_to_json(ending.problems)}

    async def _start(self, process: Process, process_id: str, request: Any) -> None:
        if await DBOS.get_workflow_status_async(process_id) is not None:
            return
        self._waiting.setdefault(process_id, asyncio.Event())
        self._fresh.add(process_id)
        with SetWorkflowID(process_id):
            await DBOS.start_workflow_async(_WORKFLOWS[process.name], write(request))

    def _tell(self, process_id: str) -> None:
        told = self._waiting.get(process_id)
        if told is not None:
            told.set()

    def _keep(self, process_id: str, ending: Ending) -> None:
        self._fresh.discard(process_id)
        self._endings[process_id] = ending
        if len(self._endings) > KEPT_ENDINGS:
            oldest, _ = self._endings.popitem(last=False)
            self._waiting.pop(oldest, None)

    def _config(self) -> DBOSConfig:
        return {
            "name": "crossdock",
            "system_database_url": self._settings.journal_url,
            "executor_id": self._settings.executor_id,
            "application_version": self._settings.version,
            "serializer": JournalSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": NOTICE_S,
            "max_executor_threads": MAX_THREADS,
        }

    async def _stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as thread:
            await loop.run_in_executor(thread, DBOS.destroy)
        # DBOS has made its threads, which are gone now, the loop's default ones.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        _close(self)


class _DbosJournal:
    """The journal of the run that this task carries."""

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        async def recorded() -> Any:
            return await work()

        return await DBOS.run_step_async({"name": name}, recorded)

    async def sleep(self, seconds: float) -> None:
        await DBOS.sleep_async(seconds)


def _registered(process: Process) -> Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]:
    """Return the workflow that DBOS knows under the name of a process."""

    @DBOS.workflow(name=process.name, max_recovery_attempts=MAX_RECOVERIES)
    async def carry(document: dict[str, Any]) -> dict[str, Any]:
        return await _engine().run(process, document)

    return carry


_BY_NAME = {process.name: process for process in PROCESSES}
_WORKFLOWS = {process.name: _registered(process) for process in PROCESSES}
_opened: list[ProcessEngine] = []


def _engine() -> ProcessEngine:
    if not _opened:
        raise RuntimeError("no process engine is open in this program: use it within 'async with'")
    return _opened[0]


def _open(engine: ProcessEngine) -> None:
    if _opened:
        raise RuntimeError("a process engine is open in this program already: DBOS is one per program")
    _opened.append(engine)


def _close(engine: ProcessEngine) -> None:
    if engine in _opened:
        _opened.remove(engine)


def _make_journal(path: Path) -> None:
    """Make the file with a write-ahead log, so that readers and the writer do not wait for each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")

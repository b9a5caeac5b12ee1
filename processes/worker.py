"""The engine that carries processes: DBOS as journal and scheduler, embedded in the program that uses it.

It runs on the event loop that enters it, because connectors and the platform's database belong to one loop, and so do
the workflows that use them: fresh ones, and those that DBOS recovers. DBOS writes its journal in threads of its own.
There is one engine per program, as DBOS is one per program.

- A run that dies with its program stays PENDING under the name of the program's slot. The next engine that takes this
  slot recovers it within seconds, else another engine takes it over (``processes/takeover.py``). Two engines with the
  same name would run it twice, so every engine holds its slot by a lock.
- Leaving the engine cancels runs where they are; they go on when the engine starts again.
- The version of the application is that of the processes, not of the source: an edit strands no run that waits.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
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
from processes.journal import PARK, JournalSerializer, place_of_step, problems_from_json, problems_to_json, read, write
from processes.order_case import OrderRequest
from processes.quote_case import QuoteRequest
from processes.registry import ORDER, PROCESSES, QUOTE, Process
from processes.runner import Ending, Runner
from processes.shipment_case import ShipmentRequest
from processes.slot_locks import slot_locks
from processes.slots import SlotTimes, slot_name, take_lowest
from processes.steps import RetryPolicy
from processes.takeover import MAX_RESUMED, SlotKeeper
from schema.enums import ProcessState

__all__ = ["PROCESS_VERSION", "EngineSettings", "ProcessEngine"]

PROCESS_VERSION = "1"
"""Version of the processes; a new one is needed when a step is added, removed or moved."""

MAX_RECOVERIES = 1_000
"""Times that a run is recovered before DBOS sets it aside."""

KEPT_ENDINGS = 10_000
"""Endings that are kept in memory; older ones are read from the journal."""

NOTICE_S = 0.2
"""How often DBOS looks for messages that wake waiting runs; one question for all of them."""

AGAIN = "~"
"""Between the id of a process and the number of a run that went on with it."""

ENDING_S = 1.0
"""Longest wait for a run that has done everything to be recorded as ended."""

ENDING_POLL_S = 0.02
"""How often that is looked at."""

_WAITING = ("wait:", "look:", "alarm:", "DBOS.")
"""What the last entry of a run begins with that waits for persons or time."""

_UNDER_WAY = ("PENDING", "ENQUEUED", "DELAYED")

WAKE = "wake"
"""Topic of messages that wake a run which waits for what persons decide."""

MAX_THREADS = 8
"""Threads in which DBOS writes its journal."""

_log = structlog.get_logger("crossdock.processes")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where and as whom processes run.

    Attributes:
        database_url: URL of the platform's database. On PostgreSQL the journal is a schema ``dbos`` of the same
            database; beside an SQLite file it is a file of its own, so that both do not wait for one lock.
        version: version of the processes; runs of another version wait for a program that has it.
        retries: how systems that do not answer are tried.
        slot_times: when a slot counts as lost or vacant.
    """

    database_url: str
    version: str = PROCESS_VERSION
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    slot_times: SlotTimes = field(default_factory=SlotTimes)

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
        end_program: called when the program has lost its slot and its runs are stopped; must end the program, so that
            whoever watches it starts it anew.
    """

    def __init__(
        self, settings: EngineSettings, dependencies: Dependencies, end_program: Callable[[], None] | None = None
    ) -> None:
        self._settings = settings
        self._use = dependencies
        self._end_program = end_program or _end_program
        self._locks = slot_locks(settings.database_url)
        self._slot: int | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fresh: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        self._endings: OrderedDict[str, Ending] = OrderedDict()

    async def __aenter__(self) -> Self:
        """Take a slot and start DBOS; runs that an earlier engine of this slot left are recovered in the background.

        Raises:
            RuntimeError: another engine is open in this program.
            NoFreeSlot: too many programs carry processes of this database.
            Unavailable: the database does not answer.
        """
        _open(self)
        try:
            self._slot = await take_lowest(self._locks)
            if self._settings.journal_url.startswith("sqlite"):
                await asyncio.to_thread(_make_journal, Path(str(make_url(self._settings.journal_url).database)))
            DBOS(config=self._config())
            # On this thread, so that DBOS adopts this loop for the runs that it recovers.
            DBOS.launch()
        except BaseException:
            await self._stop()
            raise
        keeper = SlotKeeper(self._locks, self._slot, self._settings.slot_times, _DbosRuns(), self._lose_slot)
        self._keeper = asyncio.create_task(keeper.run())
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

    @property
    def slot(self) -> int | None:
        """Number of the slot that this program holds, None while the engine is not open."""
        return self._slot

    async def wake(self, process_id: str) -> bool:
        """Have a run that waits for persons look what they decided; False when no run of the process is under way."""
        run_id = await self._latest_run(process_id)
        status = await DBOS.get_workflow_status_async(run_id)
        if status is None or status.status not in _UNDER_WAY:
            return False
        await DBOS.send_async(run_id, {"process": process_id}, WAKE)
        return True

    async def take_up(self, name: str, request: Any) -> None:
        """Go on with a process that no run carries; what earlier ones did is looked up before it is done again."""
        process_id: str = request.process_id
        self._forget(process_id)
        run_id = await self._next_run(process_id)
        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(_WORKFLOWS[name], write(request))

    async def look_at_parked(self, process_id: str) -> bool:
        """Have a parked run look how its task was resolved; False when no run of the process is parked."""
        entries = await self._ended_run(process_id)
        if not entries or not entries[-1][1].startswith(PARK):
            return False
        await self._fork(process_id, entries[-1][0])
        return True

    async def retry(self, process_id: str, step: str | None) -> bool:
        """Do a step of an ended run again, and whatever follows; False when no ended run has done the step.

        Args:
            process_id: the process.
            step: the step; None means the one that the run is parked at.
        """
        start = place_of_step(await self._ended_run(process_id), step)
        if start is None:
            return False
        await self._fork(process_id, start)
        return True

    async def start_order(self, request: OrderRequest) -> None:
        """Start a run of order submission, or nothing when it was started before."""
        await self._start(ORDER, request.process_id, request)

    async def start_quote(self, request: QuoteRequest) -> None:
        """Start a run of quote preparation, or nothing when it was started before."""
        await self._start(QUOTE, request.process_id, request)

    async def start(self, name: str, request: Any) -> None:
        """Start a run of the process with this name, or nothing when it was started before."""
        await self._start(_BY_NAME[name], request.process_id, request)

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
        status = await DBOS.get_workflow_status_async(await self._latest_run(process_id))
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
        before, steps = process.parted(getattr(request, "begins_at", None))
        runner: Runner[Any] = Runner(
            case, steps, _DbosJournal(), desk, self._settings.retries, lambda: self._tell(process_id), before
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

    async def _ended_run(self, process_id: str) -> list[tuple[int, str]]:
        """Return (place, name) of all that the last run did, nothing while it is under way.

        A run shows its process as parked or completed just before it ends; that moment is waited for.
        """
        run_id = await self._latest_run(process_id)
        deadline = time.monotonic() + ENDING_S
        while True:
            status = await DBOS.get_workflow_status_async(run_id)
            if status is None:
                return []
            entries = await DBOS.list_workflow_steps_async(run_id)
            if status.status not in _UNDER_WAY:
                return [(entry["function_id"], entry["function_name"]) for entry in entries]
            is_waiting = bool(entries) and entries[-1]["function_name"].startswith(_WAITING)
            if is_waiting or time.monotonic() > deadline:
                return []
            await asyncio.sleep(ENDING_POLL_S)

    async def _fork(self, process_id: str, start: int) -> None:
        """Go on with a process by a run that has done what the last one did before ``start``."""
        self._forget(process_id)
        last = await self._latest_run(process_id)
        with SetWorkflowID(await self._next_run(process_id)):
            await DBOS.fork_workflow_async(last, start, application_version=self._settings.version)

    async def _latest_run(self, process_id: str) -> str:
        """Return the run that carries the process, or carried it last; the first has the id of the process itself."""
        later = await DBOS.list_workflows_async(
            workflow_id_prefix=f"{process_id}{AGAIN}", sort_desc=True, limit=1, load_input=False, load_output=False
        )
        return later[0].workflow_id if later else process_id

    async def _next_run(self, process_id: str) -> str:
        """Return the id of one more run, the same for all who ask before it has begun."""
        latest = await self._latest_run(process_id)
        if latest == process_id and await DBOS.get_workflow_status_async(process_id) is None:
            return process_id
        _, _, number = latest.partition(AGAIN)
        return f"{process_id}{AGAIN}{int(number or 1) + 1:04d}"

    def _forget(self, process_id: str) -> None:
        """Forget how the process ended: it goes on."""
        self._fresh.discard(process_id)
        self._endings.pop(process_id, None)
        self._waiting[process_id] = asyncio.Event()

    def _keep(self, process_id: str, ending: Ending) -> None:
        self._fresh.discard(process_id)
        if ending.state is ProcessState.WAITING_HUMAN:
            return  # another program may go on with it
        self._endings[process_id] = ending
        if len(self._endings) > KEPT_ENDINGS:
            oldest, _ = self._endings.popitem(last=False)
            self._waiting.pop(oldest, None)

    def _config(self) -> DBOSConfig:
        return {
            "name": "crossdock",
            "system_database_url": self._settings.journal_url,
            "executor_id": slot_name(self._slot or 0),
            "application_version": self._settings.version,
            "serializer": JournalSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": NOTICE_S,
            "max_executor_threads": MAX_THREADS,
        }

    async def _lose_slot(self) -> None:
        """Stop every run: another program may be carrying them by now."""
        _log.error("worker slot lost, runs are stopped and the program ends", slot=slot_name(self._slot or 0))
        await self._stop_runs()
        self._end_program()

    async def _stop_runs(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._stop_runs()
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as thread:
            await loop.run_in_executor(thread, DBOS.destroy)
        # DBOS has made its threads, which are gone now, the loop's default ones.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        await self._locks.close()
        self._slot = None
        _close(self)


class _DbosJournal:
    """The journal of the run that this task carries."""

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        async def recorded() -> Any:
            return await work()

        return await DBOS.run_step_async({"name": name}, recorded)

    async def sleep(self, seconds: float) -> None:
        await DBOS.sleep_async(seconds)

    async def woken(self, seconds: float) -> bool:
        return await DBOS.recv_async(WAKE, timeout_seconds=seconds) is not None


class _DbosRuns:
    """:class:`processes.takeover.WaitingRuns` in the journal."""

    async def slots_with_runs(self, names: Sequence[str]) -> frozenset[str]:
        found = await DBOS.list_workflows_async(
            status="PENDING", executor_id=list(names), limit=MAX_RESUMED, load_input=False, load_output=False
        )
        return frozenset(run.executor_id for run in found if run.executor_id is not None)

    async def runs_of(self, name: str, limit: int) -> tuple[str, ...]:
        found = await DBOS.list_workflows_async(
            status="PENDING", executor_id=name, limit=limit, load_input=False, load_output=False
        )
        return tuple(run.workflow_id for run in found)

    async def resume(self, run_ids: Sequence[str]) -> None:
        await DBOS.resume_workflows_async(list(run_ids))


def _end_program() -> None:
    """Ask this program to end, as whoever watches it would."""
    signal.raise_signal(signal.SIGTERM)


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

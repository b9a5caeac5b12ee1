"""The engine that carries processes: DBOS as journal and scheduler, embedded in the program that uses it.

It runs on the event loop that enters it, because connectors and the platform's database belong to one loop, and so do
the workflows that use them: fresh ones, and those that DBOS recovers. DBOS writes its journal in threads of its own.
There is one engine per program, as DBOS is one per program.

- A run that dies with its program stays PENDING under the name of the program's slot. The next engine that takes this
  slot recovers it within seconds, else another engine takes it over (``processes/takeover.py``). Two engines with the
  same name would run it twice, so every engine holds its slot by a lock.
- Leaving the engine cancels runs where they are; they go on when the engine starts again.
- The version of the application is that of the processes, not of the source: an edit strands no run that waits. Runs
  of earlier versions go on under this one (``processes/adoption.py``).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import structlog
from dbos import DBOS, SetWorkflowID

from processes import runs
from processes.adoption import adopt_slot, leave_unknown
from processes.chronicle import Case, Chronicle, Desk
from processes.dbos_journal import DbosJournal, DbosRuns, dbos_config, make_journal
from processes.dependencies import Dependencies
from processes.endings import Endings
from processes.engine_settings import PROCESS_VERSION, EngineSettings
from processes.journal import PARK, place_of_step, problems_to_json, read, write
from processes.order_case import OrderRequest
from processes.quote_case import QuoteRequest
from processes.registry import ORDER, PROCESSES, QUOTE, Process
from processes.runner import Ending, Runner
from processes.shipment_case import ShipmentRequest
from processes.slot_locks import slot_locks
from processes.slots import slot_name, take_lowest
from processes.takeover import SlotKeeper
from processes.turns import Turns
from schema.records.operations import ProcessRecord

__all__ = ["PROCESS_VERSION", "EngineSettings", "ProcessEngine"]

MAX_RECOVERIES = 1_000
"""Times that a run is recovered before DBOS sets it aside."""

IN_LEGS = "inLegs"
"""Beside the request in a run's input: its steps are recorded together where they may be.

Runs that began before that was so do not have it; each of their steps is an entry, and they go on like that.
"""

_log = structlog.get_logger("crossdock.processes")


class ProcessEngine:
    """Runs processes while its context is open.

    Args:
        settings: where and as whom.
        dependencies: the ports that processes use; they must be open on the same event loop.
        end_program: called when the program has lost its slot and its runs are stopped; must end the program, so that
            whoever watches it starts it anew.
        resumed: told of every process that this program goes on with and did not begin.
    """

    def __init__(
        self,
        settings: EngineSettings,
        dependencies: Dependencies,
        end_program: Callable[[], None] | None = None,
        resumed: Callable[[ProcessRecord], None] | None = None,
    ) -> None:
        self._settings = settings
        self._use = dependencies
        self._end_program = end_program or _end_program
        self._tell_resumed = resumed
        self._locks = slot_locks(settings.database_url)
        self._slot: int | None = None
        self._keepers: tuple[asyncio.Task[None], ...] = ()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endings = Endings()
        self._begun: dict[str, Case] = {}
        self._turns = Turns(dependencies.lines, dependencies.clock)

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
            await self._turns.look()
            await asyncio.to_thread(make_journal, self._settings)
            await asyncio.to_thread(adopt_slot, self._settings, slot_name(self._slot))
            DBOS(config=dbos_config(self._settings, self._slot))
            # On this thread, so that DBOS adopts this loop for the runs that it recovers.
            DBOS.launch()
            await leave_unknown(self._settings, slot_name(self._slot))
        except BaseException:
            await self._stop()
            raise
        keeper = SlotKeeper(
            self._locks, self._slot, self._settings.slot_times, DbosRuns(self._settings), self._lose_slot
        )
        self._keepers = (asyncio.create_task(keeper.run()), asyncio.create_task(self._turns.run()))
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
    def _desk(self) -> Desk:
        use = self._use
        return Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)

    @property
    def undecided(self) -> int:
        """Number of processes that began in this program and have no answer yet for whoever started them."""
        return self._endings.undecided

    @property
    def slot(self) -> int | None:
        """Number of the slot that this program holds, None while the engine is not open."""
        return self._slot

    async def wake(self, process_id: str) -> bool:
        """Have a run that waits for persons look what they decided; False when no run of the process is under way."""
        return await runs.wake(process_id)

    async def knows(self, process_id: str) -> bool:
        """Return whether a run of the process was ever started."""
        return await runs.is_known(process_id)

    async def take_up(self, name: str, request: Any) -> None:
        """Go on with a process that no run carries; what earlier ones did is looked up before it is done again."""
        process_id: str = request.process_id
        run_id = await runs.next_run(process_id)
        if run_id is None:
            return
        self._endings.forget(process_id)
        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(_WORKFLOWS[name], _input(request))

    async def look_at_parked(self, process_id: str) -> bool:
        """Have a parked run look how its task was resolved; False when no run of the process is parked."""
        run_id, entries = await runs.ended_run(process_id)
        if not entries or not entries[-1][1].startswith(PARK):
            return False
        return await self._fork(process_id, run_id, entries[-1][0])

    async def retry(self, process_id: str, step: str | None) -> bool:
        """Do a step of an ended run again, and whatever follows; False when no ended run has done the step.

        Args:
            process_id: the process.
            step: the step; None means the one that the run is parked at.
        """
        run_id, entries = await runs.ended_run(process_id)
        start = place_of_step(entries, step)
        return start is not None and await self._fork(process_id, run_id, start)

    async def start_order(self, request: OrderRequest, *, is_new: bool = False) -> None:
        """Start a run of order submission, or nothing when it was started before.

        Args:
            request: what is submitted.
            is_new: nobody can have started it: the journal is not asked.
        """
        await self._start(ORDER, request.process_id, request, is_new=is_new)

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
        """Wait until a run has an answer for whoever started it, at most ``timeout_s``.

        A process that has come to nothing by then is recorded all the same: whoever asked for it can look at it.
        """
        if await self.ending(process_id) is not None:
            return
        await self._endings.told(process_id, timeout_s)
        case = self._begun.get(process_id)
        if case is not None and not self._endings.has_told(process_id):
            await Chronicle(case, self._desk).begin()

    async def ending(self, process_id: str) -> Ending | None:
        """Return how a run ended, None while it has not."""
        if self._endings.is_fresh(process_id):
            return None
        return self._endings.get(process_id) or await runs.read_ending(process_id)

    async def run(self, process: Process, document: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a process; called by DBOS."""
        request = read(process.request, document)
        process_id: str = request.process_id
        case: Case = process.case(request, self._use, resumed=not self._endings.is_fresh(process_id))
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if case.resumed:
            _log.info("process resumed", process=process_id, kind=process.name, key=case.record.business_key)
            if self._tell_resumed is not None:
                self._tell_resumed(case.record)
        before, steps = process.parted(getattr(request, "begins_at", None))
        runner: Runner[Any] = Runner(
            case,
            steps,
            DbosJournal(),
            self._desk,
            self._settings.retries,
            lambda: self._endings.tell(process_id),
            before,
            in_legs=document.get(IN_LEGS, False),
            turns=self._turns,
        )
        try:
            ending = await runner.run()
        finally:
            self._begun.pop(process_id, None)
            self._endings.stop(process_id)
        self._endings.end(process_id, ending)
        return {"state": ending.state.value, "problems": problems_to_json(ending.problems)}

    async def _start(self, process: Process, process_id: str, request: Any, *, is_new: bool = False) -> None:
        if not is_new and await runs.is_known(process_id):
            return
        self._endings.begin(process_id)
        self._begun[process_id] = process.case(request, self._use, resumed=True)
        try:
            with SetWorkflowID(process_id):
                await DBOS.start_workflow_async(_WORKFLOWS[process.name], _input(request))
        except BaseException:
            self._begun.pop(process_id, None)
            self._endings.stop(process_id)
            raise

    async def _fork(self, process_id: str, run_id: str, start: int) -> bool:
        self._endings.forget(process_id)
        return await runs.fork(run_id, start, self._settings.version)

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
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._stop_runs()
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as thread:
            await loop.run_in_executor(thread, DBOS.destroy)
        # DBOS has made its threads, which are gone now, the loop's default ones.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        await self._locks.close()
        self._slot = None
        _close(self)


def _end_program() -> None:
    """Ask this program to end, as whoever watches it would."""
    signal.raise_signal(signal.SIGTERM)


def _input(request: Any) -> dict[str, Any]:
    """Return what the journal keeps of a run that begins now."""
    return {**write(request), IN_LEGS: True}


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

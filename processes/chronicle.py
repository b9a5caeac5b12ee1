"""What the world sees of a process run: its state, its steps, its tasks and its dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from events.ports import EventLog
from processes.steps import NotItsTurn, Step, StepTimeout, Undecided, Verdict
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord, ProcessStepRecord
from schema.records.problems import Problem
from systems.erp_homes import ERPS
from systems.errors import AuthFailed, Conflict, RateLimited, Unavailable, Unexpected
from systems.ports import Clock, DeadLetterStore, ProcessLog, TaskQueue

__all__ = [
    "ASK_AGAIN",
    "BY_HAND",
    "CANCEL",
    "STEP_FAILED",
    "UNDO",
    "Case",
    "Chronicle",
    "Desk",
    "Failure",
    "state_news",
    "step_task_ids",
]

INTEGRATION_QUEUE = "INTEGRATION"
"""Queue of tasks about systems and not about business."""

TASK_LIFETIME = timedelta(hours=8)
"""Due time of a task about a step that does not get on."""

STEP_FAILED = "ProcessStepFailed"
"""Kind of a task about a step that does not get on."""

ASK_AGAIN = "RETRY"
CANCEL = "CANCEL"
BY_HAND = "DONE_BY_HAND"
"""How such a task is resolved: the step is tried again, the process is taken back, or a person has taken it back."""

MAX_ASKS = 20
"""Tasks about one step of one process, each opened when the one before was resolved and the step failed again."""

PROCESSES = "/dist/processes"
"""Source of events about processes themselves."""

UNDO = "undo:"
"""What the name of a step that takes another one back begins with."""

_AWAY = (Unavailable, RateLimited, Unexpected, AuthFailed, StepTimeout)
"""Failures of a system, whatever it was asked for."""

_TRANSIENT = (*_AWAY, Conflict, Undecided, NotItsTurn)

_UNDER_WAY = (ProcessState.RUNNING, ProcessState.WAITING_SYSTEM, ProcessState.COMPENSATING)


class Case(Protocol):
    """What a process run is about.

    Attributes:
        attempt: number of the running attempt, set by the runner.
        resumed: an earlier run may have sent what this one is about to send.
        findings: problems that steps found and went on with; a later step answers for them.
        refusal: problems for which the process is being taken back.
    """

    attempt: int
    resumed: bool
    findings: list[Problem]
    refusal: tuple[Problem, ...]

    @property
    def record(self) -> ProcessRecord:
        """The process as the process log starts it."""
        ...

    @property
    def home_erp(self) -> SourceSystem | None:
        """The ERP that the steps of the ERP are done in, None while that is not known."""
        ...

    @property
    def order_id(self) -> str | None:
        """Order that tasks of this process are about."""
        ...

    @property
    def account_id(self) -> str:
        """Account that it is about."""
        ...

    def news(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of this process's story; ``key`` makes its id."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a run is written down."""

    process_log: ProcessLog
    tasks: TaskQueue
    dead_letters: DeadLetterStore
    events: EventLog
    clock: Clock


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that brought no outcome. ``transient`` ones may succeed when tried again."""

    error: str
    message: str
    transient: bool
    retry_after_s: float
    system: str | None = None

    @property
    def is_away(self) -> bool:
        """Whether it was the system that did not answer as it should."""
        return any(self.error == kind.__name__ for kind in _AWAY)

    @property
    def is_behind(self) -> bool:
        """Whether nothing was tried, because others of the account come first."""
        return self.error == NotItsTurn.__name__

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return what an exception says."""
        after = getattr(error, "retry_after_s", None) or 0.0
        system = getattr(error, "system", None)
        return cls(type(error).__name__, str(error), isinstance(error, _TRANSIENT), float(after), system)


class Chronicle:
    """Writes one run down. What it writes twice is there once."""

    def __init__(self, case: Case, desk: Desk) -> None:
        self._case = case
        self._desk = desk
        self._state: ProcessState | None = None
        self._notes: dict[str, ProcessStepRecord] = {}

    def now(self) -> datetime:
        """Return the current time."""
        return self._desk.clock.now()

    async def begin(self) -> None:
        """Record the process when this run has not done so yet."""
        if self._state is None:
            record, log = self._case.record, self._desk.process_log
            await log.start(record, [self._state_news(record.state)])
            known = (await log.processes([record.id]))[record.id].state if self._case.resumed else None
            self._state = known or ProcessState.RUNNING

    async def take_up(self, active: ProcessState) -> None:
        """Show the process as under way before anything is done for it, when it had waited for a person or ended.

        Who cancels an order waits for its processes that are under way; what they do must not begin unseen.
        """
        await self.begin()
        if self._state not in _UNDER_WAY:
            await self.show(active)

    async def show(self, state: ProcessState, *events: Event) -> None:
        """Show the process in a state, and how its steps went until now."""
        if self._state is not state:
            await self.write_notes()
            told = [self._state_news(state), *events]
            await self._desk.process_log.set_state(self._case.record.id, state, self.now(), told)
            self._state = state

    def system_of(self, step: Step[Any]) -> SourceSystem:
        """Return whom a step talks to: of several ERPs the one that the case is about."""
        return self._case.home_erp or step.system if step.system in ERPS else step.system

    async def show_waiting(self, step: Step[Any], attempt: int, failure: Failure) -> None:
        """Show that the process waits for a system."""
        if self._state is ProcessState.WAITING_SYSTEM:
            return
        facts = {
            "processId": self._case.record.id,
            "step": step.name,
            "system": failure.system or self.system_of(step).value,
            "attempts": attempt,
            "error": failure.error,
            "message": failure.message,
        }
        told = self._case.news("process.step.failed", f"{step.name}:failed:{attempt}", facts)
        await self.show(ProcessState.WAITING_SYSTEM, told)

    async def show_in_line(self, step: Step[Any], attempt: int) -> None:
        """Show that the process waits for a system behind others of its account."""
        if self._state is not ProcessState.WAITING_SYSTEM:
            self.note(step, "WAITING", attempt, self.now(), str(NotItsTurn(step.name, step.system)))
            await self.show(ProcessState.WAITING_SYSTEM)

    def note(
        self,
        step: Step[Any],
        state: str,
        attempt: int,
        started: datetime,
        error: str | None,
        system: SourceSystem | None = None,
    ) -> None:
        """Note how an attempt of a step went; taking a step back is noted at the step itself.

        ``system`` is the one that kept the attempt from an outcome, None for that of the step.
        """
        name = step.name.removeprefix(UNDO)
        is_undo = step.name != name
        compensated = is_undo and state == Verdict.DONE.value
        if is_undo:
            state = "COMPENSATED" if compensated else "COMPENSATING"
        self._notes[name] = ProcessStepRecord(
            name=name,
            state=state,
            attempts=attempt,
            system=system or self.system_of(step),
            idempotency_key=self._key(step),
            started_at=started,
            ended_at=self.now(),
            last_error=error,
            compensated=compensated,
        )

    async def write_notes(self) -> None:
        """Write what was noted and is not written yet, in one commit."""
        if self._notes:
            await self._desk.process_log.step(self._case.record.id, *self._notes.values())
            self._notes = {}

    async def tell_compensated(self, step: Step[Any]) -> None:
        """Tell that a step was taken back."""
        facts = {"processId": self._case.record.id, "step": step.name, "system": self.system_of(step).value}
        await self._desk.events.append([self._case.news("process.step.compensated", f"{step.name}:undone", facts)])

    async def ask(self, step: Step[Any], failure: Failure) -> str | None:
        """Open the task of a step that does not get on; the second call finds it open.

        Returns:
            CANCEL or BY_HAND when a person has resolved the task so, None while it is open.
        """
        for turn in range(MAX_ASKS):
            task = self._step_task(step, failure, turn)
            facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
            stored = await self._desk.tasks.open_task(task, [self._case.news("task.opened", task.id, facts)])
            if stored.state != "RESOLVED":
                return None
            if stored.resolution in (CANCEL, BY_HAND):
                return stored.resolution
        return None

    def _step_task(self, step: Step[Any], failure: Failure, turn: int) -> ExceptionTask:
        record, now, system = self._case.record, self.now(), self.system_of(step)
        return ExceptionTask(
            id=_step_task_id(record.id, step.name, turn),
            queue=INTEGRATION_QUEUE,
            kind=STEP_FAILED,
            state="OPEN",
            order_id=self._case.order_id,
            account_id=self._case.account_id,
            process_id=record.id,
            summary=f"{record.kind} {record.business_key}: step {step.name} at {system} failed: {failure.message}",
            opened_at=now,
            due_at=now + TASK_LIFETIME,
            assignee=None,
            resolutions=(ASK_AGAIN, BY_HAND if step.name.startswith(UNDO) else CANCEL),
        )

    async def keep_letter(self, step: Step[Any], failure: Failure, attempt: int) -> None:
        """Keep what a system did not take as a dead letter."""
        record, key = self._case.record, self._key(step)
        letter = DeadLetter(
            id=f"dl_{key}",
            source=SourceSystem.PLATFORM,
            type=f"{record.kind}.{step.name}",
            reason=failure.message,
            attempts=attempt,
            first_seen=self.now(),
            payload={"processId": record.id, "step": step.name, "key": key, "businessKey": record.business_key},
            order_id=self._case.order_id,
        )
        await self._desk.dead_letters.put(letter)

    async def drop_letter(self, step: Step[Any]) -> None:
        """Forget the dead letter of a step that was done after all."""
        await self._desk.dead_letters.remove(f"dl_{self._key(step)}")

    def _state_news(self, state: ProcessState) -> Event:
        return state_news(self._case.record, state, self.now())

    def _key(self, step: Step[Any]) -> str:
        record, case = self._case.record, self._case
        return step.key.format(id=record.business_key, process=record.id, **getattr(case, "key_parts", {}))


def state_news(record: ProcessRecord, state: ProcessState, at: datetime, reason: str | None = None) -> Event:
    """Return the event that a process is in a state now; it is written with the state or not at all.

    It belongs to the process and not to the story of its order: that is told by what was done.
    """
    return Event(
        id=f"{record.id}:{uuid4().hex}",
        source=PROCESSES,
        type="process.state.changed",
        subject=record.id,
        partition_key=record.id,
        correlation_id=record.id,
        system=SourceSystem.PLATFORM,
        occurred_at=at,
        data={
            "processId": record.id,
            "kind": record.kind,
            "businessKey": record.business_key,
            "correlationId": record.correlation_id,
            "state": state.value,
            **({} if reason is None else {"reason": reason}),
        },
    )


def step_task_ids(record: ProcessRecord) -> list[str]:
    """Return the ids of all tasks that may have been opened about steps of a process."""
    names = [name for step in record.steps for name in (step.name, f"{UNDO}{step.name}")]
    return [_step_task_id(record.id, name, turn) for name in names for turn in range(MAX_ASKS)]


def _step_task_id(process_id: str, step: str, turn: int) -> str:
    return f"tsk_{process_id}_{step}" + (f"_{turn + 1}" if turn else "")

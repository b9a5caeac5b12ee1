"""What the world sees of a process run: its state, its steps, its tasks and its dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from events.ports import EventLog
from processes.steps import Step, StepTimeout, Verdict
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.operations import DeadLetter, ExceptionTask, ProcessRecord, ProcessStepRecord
from schema.records.problems import Problem
from systems.errors import AuthFailed, Conflict, RateLimited, Unavailable, Unexpected
from systems.ports import Clock, DeadLetterStore, ProcessLog, TaskQueue

__all__ = ["UNDO", "Case", "Chronicle", "Desk", "Failure"]

INTEGRATION_QUEUE = "INTEGRATION"
"""Queue of tasks about systems and not about business."""

TASK_LIFETIME = timedelta(hours=8)
"""Due time of a task about a step that does not get on."""

UNDO = "undo:"
"""What the name of a step that takes another one back begins with."""

_TRANSIENT = (Unavailable, RateLimited, Conflict, Unexpected, AuthFailed, StepTimeout)


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

    def now(self) -> datetime:
        """Return the current time."""
        return self._desk.clock.now()

    async def begin(self) -> None:
        """Record the process when this run has not done so yet."""
        if self._state is None:
            await self._desk.process_log.start(self._case.record)
            self._state = None if self._case.resumed else ProcessState.RUNNING

    async def show(self, state: ProcessState, *events: Event) -> None:
        """Show the process in a state."""
        if self._state is not state:
            await self._desk.process_log.set_state(self._case.record.id, state, self.now(), events)
            self._state = state

    async def show_waiting(self, step: Step[Any], attempt: int, failure: Failure) -> None:
        """Show that the process waits for a system."""
        if self._state is ProcessState.WAITING_SYSTEM:
            return
        facts = {
            "processId": self._case.record.id,
            "step": step.name,
            "system": step.system.value,
            "attempts": attempt,
            "error": failure.error,
            "message": failure.message,
        }
        told = self._case.news("process.step.failed", f"{step.name}:failed:{attempt}", facts)
        await self.show(ProcessState.WAITING_SYSTEM, told)

    async def note(self, step: Step[Any], state: str, attempt: int, started: datetime, error: str | None) -> None:
        """Write how an attempt of a step went; taking a step back is written at the step itself."""
        name = step.name.removeprefix(UNDO)
        is_undo = step.name != name
        compensated = is_undo and state == Verdict.DONE.value
        if is_undo:
            state = "COMPENSATED" if compensated else "COMPENSATING"
        entry = ProcessStepRecord(
            name=name,
            state=state,
            attempts=attempt,
            system=step.system,
            idempotency_key=self._key(step),
            started_at=started,
            ended_at=self.now(),
            last_error=error,
            compensated=compensated,
        )
        await self._desk.process_log.step(self._case.record.id, entry)

    async def tell_compensated(self, step: Step[Any]) -> None:
        """Tell that a step was taken back."""
        facts = {"processId": self._case.record.id, "step": step.name, "system": step.system.value}
        await self._desk.events.append([self._case.news("process.step.compensated", f"{step.name}:undone", facts)])

    async def ask(self, step: Step[Any], failure: Failure) -> None:
        """Open the task of a step that does not get on; the second call finds it open."""
        record, now = self._case.record, self.now()
        task = ExceptionTask(
            id=f"tsk_{record.id}_{step.name}",
            queue=INTEGRATION_QUEUE,
            kind="ProcessStepFailed",
            state="OPEN",
            order_id=self._case.order_id,
            account_id=self._case.account_id,
            process_id=record.id,
            summary=f"{record.kind} {record.business_key}: step {step.name} at {step.system} failed: {failure.message}",
            opened_at=now,
            due_at=now + TASK_LIFETIME,
            assignee=None,
            resolutions=("RETRY", "CANCEL"),
        )
        facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
        await self._desk.tasks.open_task(task, [self._case.news("task.opened", task.id, facts)])

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
        )
        await self._desk.dead_letters.put(letter)

    def _key(self, step: Step[Any]) -> str:
        return step.key.format(id=self._case.record.business_key, process=self._case.record.id)

"""Runs the steps of a process under a durable journal, so that it always ends.

- A step whose outcome is in the journal is not done again. The step in flight when a process dies is done again with
  the same key, and looks before it sends. Steps that join the one before are one entry of the journal (a leg) as far
  as they are done at once; the first that is not ends the leg, and goes on by itself from the attempt that it made.
- A system that does not answer is tried a few times at once, then the process shows itself as waiting and tries on in
  growing pauses, which outlive the program too. Past its time a person is asked.
- What an account has waiting for a system is done in the order in which it was accepted, once the system is back.
- A refusal undoes what was begun in reverse order; undoing waits for systems as doing does.
- What a person must decide is waited for durably: the run looks into the ledgers when it is woken or an alarm is due,
  and goes on by doing the steps that held anew.
- What nobody foresaw parks the process with a task instead of losing it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from random import SystemRandom
from typing import Any, Generic, Protocol, TypeVar

import structlog

from processes.chronicle import BY_HAND, CANCEL, UNDO, Case, Chronicle, Desk, Failure
from processes.journal import LEG, PARK, problems_from_json, problems_to_json
from processes.standing import Standing
from processes.steps import DONE, Alarm, NotItsTurn, Outage, Outcome, RetryPolicy, Step, StepTimeout, Verdict, Waits
from processes.turns import Turns
from schema.enums import ProcessState, SourceSystem
from schema.records.problems import DependencyUnavailable, Problem, ValidationFailed
from systems.errors import ConnectorError

__all__ = ["Durable", "Ending", "Runner"]

C = TypeVar("C", bound=Case)

LOOK_S = 3_600.0
"""A waiting process looks this often without being woken, should whoever decided have died before waking it."""

_GOES_ON = (Verdict.DONE.value, Verdict.SKIPPED.value)
"""Verdicts behind which the next step of a leg is done."""

_random = SystemRandom()
_log = structlog.get_logger("crossdock.processes")


class Durable(Protocol):
    """The journal of one process run."""

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return what ``work`` returned when it was done before, else do it and keep what it returns (JSON)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep until the moment that is kept when the sleep begins first."""
        ...

    async def woken(self, seconds: float) -> bool:
        """Wait to be woken, at most ``seconds`` from when this wait begins first; return whether that happened."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: done, undone or parked, and the problems that made it so."""

    state: ProcessState
    problems: tuple[Problem, ...] = ()


class Runner(Generic[C]):
    """One run of one process.

    Args:
        case: what it is about.
        steps: the process.
        durable: journal of the run.
        desk: where the run is written down.
        policy: retries and waits.
        decided: called when whoever started the process has an answer; may be called more than once.
        before: steps that an earlier run has done; they are taken back with those of this one.
        in_legs: whether steps are recorded together; a run that began with an entry for each goes on like that.
        turns: who waits in line for which system; None when nobody else can.
    """

    def __init__(
        self,
        case: C,
        steps: Sequence[Step[C]],
        durable: Durable,
        desk: Desk,
        policy: RetryPolicy,
        decided: Callable[[], None],
        before: Sequence[Step[C]] = (),
        *,
        in_legs: bool = True,
        turns: Turns | None = None,
    ) -> None:
        self._before = before
        self._in_legs = in_legs
        self._first_attempts: dict[str, Mapping[str, Any]] = {}
        self._case = case
        self._steps = steps
        self._durable = durable
        self._seen = Chronicle(case, desk)
        self._line = Standing(case, self._seen, turns)
        self._policy = policy
        self._decided = decided
        self._active = ProcessState.RUNNING

    async def run(self) -> Ending:
        """Carry the process to its end: done, undone, or parked where a person sees it."""
        begun: list[Step[C]] = list(self._before)
        held: list[Step[C]] = []
        for place, step in enumerate(self._steps):
            if self._in_legs and (place == 0 or not step.joins):
                await self._leg(_leg_at(self._steps, place))
            outcome = await self._finish(step)
            begun.append(step)
            if outcome is None:
                return await self._end(ProcessState.WAITING_HUMAN)
            if outcome.verdict is Verdict.REFUSED:
                return await self._undo(begun, outcome)
            if outcome.verdict is Verdict.DONE:
                self._case.findings += outcome.problems
            if outcome.verdict is Verdict.HELD:
                held.append(step)
            if held and step.waits is not None:
                ending = await self._pass(step, step.waits, begun, held)
                if ending is not None:
                    return ending
                held = []
            await self._insisting(self._passing(self._steps[place + 1 :]))()
            if step.decides and step is not self._steps[-1]:  # the last one decides by ending the process
                self._decided()
        return await self._end(ProcessState.COMPLETED)

    async def _leg(self, leg: Sequence[Step[C]]) -> None:
        """Do the steps of a leg once, as far as each is done or skipped at once, and keep their first attempts."""
        if len(leg) == 1:
            return

        async def work() -> dict[str, Any]:
            findings, results = list(self._case.findings), []
            for step in leg:
                result = await self._attempt(step, 1, self._seen.now(), is_noted_later=True)()
                results.append(result)
                if result.get("verdict") not in _GOES_ON:
                    break
                self._case.findings += _outcome_from(result).problems
            self._case.findings[:] = findings  # the walk over the steps adds them, as it does after a crash
            await self._insisting(self._write_notes)()
            return {"steps": results}

        kept = await self._durable.step(LEG.join(step.name for step in leg), work)
        self._first_attempts = {step.name: result for step, result in zip(leg, kept["steps"], strict=False)}

    def _passing(self, later: Sequence[Step[C]]) -> Callable[[], Awaitable[dict[str, Any]]]:
        async def work() -> dict[str, Any]:
            await self._line.passed(later)
            return {}

        return work

    async def _leave_line(self) -> dict[str, Any]:
        await self._line.leave()
        return {}

    async def _write_notes(self) -> dict[str, Any]:
        await self._seen.write_notes()
        return {}

    async def _pass(
        self, gate: Step[C], waits: Waits[C], begun: Sequence[Step[C]], held: Sequence[Step[C]]
    ) -> Ending | None:
        """Wait at a gate until nothing is held any more; None when the process goes on behind it."""
        while held:
            decision = await self._decision(gate, waits)
            if decision.verdict is Verdict.REFUSED:
                return await self._undo(begun, decision)
            if decision.verdict is Verdict.SKIPPED:
                return await self._end(ProcessState.CANCELLED, decision.problems)
            self._case.resumed = True  # a step that held may have sent something
            again, held = held, []
            for step in again:
                outcome = await self._finish(step)
                if outcome is None:
                    return await self._end(ProcessState.WAITING_HUMAN)
                if outcome.verdict is Verdict.REFUSED:
                    return await self._undo(begun, outcome)
                if outcome.verdict is Verdict.HELD:
                    held = [*held, step]
        return None

    async def _decision(self, gate: Step[C], waits: Waits[C]) -> Outcome:
        """Return what persons decided, however long that takes."""
        await self._insisting(self._leave_line)()
        since = await self._durable.step(f"wait:{gate.name}", self._insisting(self._begin_to_wait))
        self._decided()
        alarms = list(waits.alarms)
        while True:
            found = await self._durable.step(f"look:{gate.name}", self._insisting(self._looking(waits)))
            outcome = _outcome_from(found)
            if outcome.verdict is not Verdict.HELD:
                return outcome
            waited = (datetime.fromisoformat(found["at"]) - datetime.fromisoformat(since["at"])).total_seconds()
            if alarms and waited >= alarms[0].after.total_seconds():
                alarm = alarms.pop(0)
                await self._durable.step(f"alarm:{gate.name}:{alarm.name}", self._insisting(self._ringing(alarm)))
                continue
            due = alarms[0].after.total_seconds() - waited if alarms else LOOK_S
            await self._durable.woken(min(due, LOOK_S))

    async def _begin_to_wait(self) -> dict[str, Any]:
        await self._seen.show(ProcessState.WAITING_HUMAN)
        return {"at": self._seen.now().isoformat()}

    def _looking(self, waits: Waits[C]) -> Callable[[], Awaitable[dict[str, Any]]]:
        async def work() -> dict[str, Any]:
            outcome = await waits.look(self._case)
            return {**_to_json(outcome), "at": self._seen.now().isoformat()}

        return work

    def _ringing(self, alarm: Alarm[C]) -> Callable[[], Awaitable[dict[str, Any]]]:
        async def work() -> dict[str, Any]:
            await alarm.ring(self._case)
            return {}

        return work

    async def _finish(self, step: Step[C]) -> Outcome | None:
        """Return the step's outcome, however long its system stays away; None when the process must park."""
        began = self._seen.now()
        for attempt in range(1, self._policy.max_attempts + 1):
            result = self._first_attempts.pop(step.name, None)
            if result is None:
                result = await self._durable.step(step.name, self._attempt(step, attempt, began))
            failed = result.get("failed")
            if failed is None:
                return _outcome_from(result)
            failure = Failure(**failed)
            if not failure.transient:
                break
            if attempt >= self._policy.quick and step.outage is not Outage.WAIT:
                return await self._without(step, failure, attempt)
            if not failure.is_behind:
                await self._durable.sleep(self._pause(attempt, failure))
        resolution = await self._park(step, failure)
        if resolution == CANCEL:
            return Outcome(Verdict.REFUSED, (_cancelled(step),))
        return DONE if resolution == BY_HAND else None

    def _attempt(
        self, step: Step[C], attempt: int, began: datetime, *, is_noted_later: bool = False
    ) -> Callable[[], Awaitable[dict[str, Any]]]:
        async def work() -> dict[str, Any]:
            self._case.attempt = attempt
            started = self._seen.now()
            try:
                await self._seen.take_up(self._active)
                await self._take_turn(step, attempt)
                outcome = await self._in_time(step, attempt)
                self._line.done(step)
                self._seen.note(step, outcome.verdict.value, attempt, started, outcome.note)
                if not is_noted_later:
                    await self._seen.write_notes()
                if step.outage is Outage.DEAD_LETTER and self._case.resumed:
                    await self._seen.drop_letter(step)
                await self._seen.show(self._active)
            except Exception as error:  # noqa: BLE001 - whatever a system or a defect raises must not lose the process
                failure = Failure.of(error)
                await self._tell_failure(step, attempt, began, started, failure)
                return {"failed": asdict(failure)}
            return _to_json(outcome)

        return work

    async def _take_turn(self, step: Step[C], attempt: int) -> None:
        """Wait until those of the same account that wait for the system and come first have done with it."""
        if not await self._line.is_behind(step):
            return
        await self._seen.show_in_line(step, attempt)
        self._decided()
        if not await self._line.turn():
            raise NotItsTurn(step.name, step.system)

    async def _tell_failure(
        self, step: Step[C], attempt: int, began: datetime, started: datetime, failure: Failure
    ) -> None:
        """Write down a failed attempt; when the ledger is what fails there is nowhere to write it."""
        process_id = self._case.record.id
        _log.warning("step failed", process=process_id, step=step.name, attempt=attempt, error=failure.message)
        try:
            state = "WAITING" if failure.transient else "FAILED"
            silent = None if failure.system is None else SourceSystem(failure.system)
            self._seen.note(step, state, attempt, started, failure.message, silent)
            await self._seen.write_notes()
            is_long = failure.retry_after_s >= self._policy.wait_s
            is_out = attempt >= self._policy.quick or is_long or failure.error == StepTimeout.__name__
            if is_out and not failure.is_behind:
                await self._line.failed(step, failure)
                await self._wait_for(step, attempt, failure)
            if began + timedelta(seconds=self._policy.task_after_s) <= self._seen.now():
                await self._seen.ask(step, failure)
        except ConnectorError as error:
            _log.warning("failure not recorded", process=process_id, step=step.name, error=str(error))

    async def _wait_for(self, step: Step[C], attempt: int, failure: Failure) -> None:
        """Show the process as waiting; whoever started it has its answer, unless the step will be done without."""
        if step.outage is Outage.WAIT:
            await self._seen.show_waiting(step, attempt, failure)
            self._decided()

    async def _in_time(self, step: Step[C], attempt: int) -> Outcome:
        """Do the step within its time, showing the process as waiting when that takes long."""
        limit = min(step.timeout_s * attempt, max(self._policy.max_timeout_s, step.timeout_s))
        slow = min(self._policy.slow_after_s, limit)
        work = asyncio.ensure_future(step.do(self._case))
        try:
            await asyncio.wait({work}, timeout=slow)
            if not work.done():
                waits = Failure(
                    "Slow", f"{step.system} has not answered for {slow:g} s", transient=True, retry_after_s=0
                )
                await self._wait_for(step, attempt, waits)
                await asyncio.wait({work}, timeout=limit - slow)
            if not work.done():
                raise StepTimeout(step.name, limit)
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    async def _undo(self, begun: Sequence[Step[C]], refusal: Outcome) -> Ending:
        """Take back what was begun, last first, and end refused; the refused step may have been done in part."""
        self._active = ProcessState.COMPENSATING
        self._case.refusal = refusal.problems
        await self._insisting(self._leave_line)()
        if any(step.undo is not None for step in begun):
            await self._insisting(self._begin_to_undo)()
        for step in reversed(begun):
            if step.undo is not None and await self._finish(self._undoing(step)) is None:
                return await self._end(ProcessState.WAITING_HUMAN, refusal.problems)
            await self._insisting(self._passing(()))()
        return await self._end(ProcessState.FAILED, refusal.problems)

    async def _begin_to_undo(self) -> dict[str, Any]:
        await self._seen.begin()
        await self._seen.show(ProcessState.COMPENSATING)
        return {}

    def _undoing(self, step: Step[C]) -> Step[C]:
        """Return the step that takes this one back and says so."""

        async def do(case: C) -> Outcome:
            if step.undo is not None:
                await step.undo(case)
            await self._seen.tell_compensated(step)
            return DONE

        return replace(step, name=f"{UNDO}{step.name}", do=do, undo=None, outage=Outage.WAIT, waits=None)

    async def _without(self, step: Step[C], failure: Failure, attempt: int) -> Outcome:
        """Go on without a step whose system stays away, or refuse the process for it."""
        if step.outage is Outage.REFUSE:
            return Outcome(Verdict.REFUSED, (_unavailable(step, failure),))
        is_letter = step.outage is Outage.DEAD_LETTER

        async def work() -> dict[str, Any]:
            if is_letter:
                await self._seen.keep_letter(step, failure, attempt)
            outcome = Outcome(Verdict.SKIPPED, note=failure.message)
            if step.look_up is not None:
                outcome = await step.look_up(self._case)
                if outcome.verdict is not Verdict.DONE:
                    outcome = replace(outcome, note=f"{outcome.note} ({failure.message})")
            state = "DEAD_LETTER" if is_letter else outcome.verdict.value
            self._seen.note(step, state, attempt, self._seen.now(), outcome.note)
            await self._seen.write_notes()
            await self._seen.show(self._active)
            return _to_json(outcome)

        return _outcome_from(await self._durable.step(f"without:{step.name}", self._insisting(work)))

    async def _park(self, step: Step[C], failure: Failure) -> str | None:
        """Ask a person what becomes of a process that cannot go on by itself; return what was answered already."""

        async def work() -> dict[str, Any]:
            return {"resolution": await self._seen.ask(step, failure)}

        found = await self._durable.step(f"{PARK}{step.name}", self._insisting(work))
        resolution: str | None = found.get("resolution")
        return resolution

    async def _end(self, state: ProcessState, problems: tuple[Problem, ...] = ()) -> Ending:
        async def work() -> dict[str, Any]:
            await self._line.leave()
            await self._seen.show(state)
            return {}

        await self._insisting(work)()
        self._decided()
        return Ending(state, problems)

    def _insisting(self, work: Callable[[], Awaitable[dict[str, Any]]]) -> Callable[[], Awaitable[dict[str, Any]]]:
        """Return work on the platform's own ledgers that is tried until they answer."""

        async def insist() -> dict[str, Any]:
            attempt = 0
            while True:
                attempt += 1
                try:
                    return await work()
                except ConnectorError as error:
                    if attempt >= self._policy.max_attempts:
                        raise
                    await asyncio.sleep(self._pause(attempt, Failure.of(error)))

        return insist

    def _pause(self, attempt: int, failure: Failure) -> float:
        """Return how long to wait before the next attempt: full jitter at first, then growing pauses."""
        if attempt < self._policy.quick:
            pause = _random.uniform(0, self._policy.base_s * 2 ** (attempt - 1))
        else:
            pause = min(self._policy.wait_s * 2 ** min(attempt - self._policy.quick, 16), self._policy.wait_max_s)
        return max(pause, min(failure.retry_after_s, self._policy.wait_max_s))


def _leg_at(steps: Sequence[Step[C]], place: int) -> list[Step[C]]:
    """Return the step at a place and those that join it."""
    return [steps[place], *takewhile(lambda step: step.joins, steps[place + 1 :])]


def _cancelled(step: Step[Any]) -> ValidationFailed:
    said = f"step {step.name} did not get on, and a person has cancelled the process"
    return ValidationFailed(code="VALIDATION_FAILED", message=said, rule="PROCESS_CANCELLED")


def _unavailable(step: Step[Any], failure: Failure) -> DependencyUnavailable:
    system = SourceSystem(failure.system) if failure.system is not None else step.system
    return DependencyUnavailable(
        code="DEPENDENCY_UNAVAILABLE",
        message=f"{system} does not answer: {failure.message}",
        retryable=True,
        system=system,
        retry_after_seconds=round(failure.retry_after_s) or None,
    )


def _to_json(outcome: Outcome) -> dict[str, Any]:
    problems = problems_to_json(outcome.problems)
    return {"verdict": outcome.verdict.value, "problems": problems, "note": outcome.note}


def _outcome_from(result: Mapping[str, Any]) -> Outcome:
    return Outcome(Verdict(result["verdict"]), problems_from_json(result["problems"]), result["note"])

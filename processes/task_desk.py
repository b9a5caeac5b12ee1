"""What persons do about exception tasks: claim them, and resolve them, which does what the resolution says.

- CreditHold, PricingConflict, ApprovalRequired of an order, HoldOverdue: RELEASE, APPROVE or REJECT decides the hold.
- ApprovalRequired of a quote, ApprovalOverdue: APPROVE or REJECT decides the approval.
- ProcessStepFailed: RETRY tries the step again, CANCEL takes the process back, DONE_BY_HAND goes on without the step.
- OnboardingCredit and the other checks of an onboarding: APPROVE or REJECT decides the check.
- Stockout: WAIT leaves what is short backordered, CANCEL_LINE cancels it (P7), SPLIT releases what is there of an order
  that ships complete; SUBSTITUTE:<sku> puts that item in the place of what is short (P7). Whoever decides one of the
  last three has the task until the order is amended so.
- FulfillmentDelay: INFORM_CUSTOMER tells the customer; RE_TENDER and WAIT note what was done elsewhere.
- Every other: the resolution is noted, and the process of the task looks at it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from processes.authority import require_operator, require_queue
from processes.chronicle import ASK_AGAIN, STEP_FAILED, step_task_ids
from processes.decision_api import OpsAnswer, ProcessRetry, TaskResolution
from processes.dependencies import Dependencies
from processes.hold_decision import HoldVerdict, check_comment, decide_hold
from processes.onboarding_tasks import asked_about
from processes.onboarding_verdicts import decide_by_task
from processes.order_checks import failed
from processes.order_hold import hold_of
from processes.quote_approval import LEVELS
from processes.quote_decision import QuoteVerdict, decide_quote
from processes.shortage_desk import Amends, ShortageDesk
from processes.task_news import CLAIMED, RESOLVED, not_open, resolve_tasks, task_event
from processes.workplaces import may_take, noted_in, works_on
from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event, EventFilter
from schema.records.identity import Principal
from schema.records.operations import ExceptionTask, ProcessRecord
from schema.records.orders import LedgerOrder
from schema.records.problems import NotAllowedInState, Problem

__all__ = ["CarriesOn", "TaskDesk", "retry_process"]

MAX_RETRIES_READ = 200
"""Retries of one process that are looked through for one with the same key."""

STOCKOUT = "Stockout"
_APPROVING = ("RELEASE", "APPROVE")


class CarriesOn(Protocol):
    """What the desk wants of the engine."""

    @property
    def dependencies(self) -> Dependencies:
        """The ports that processes use."""
        ...

    def wake(self, process_id: str) -> Awaitable[bool]:
        """Have a run that waits look what was decided."""
        ...

    def retry(self, process_id: str, step: str | None) -> Awaitable[bool]:
        """Do a step of an ended run again, and whatever follows."""
        ...

    def look_at_parked(self, process_id: str) -> Awaitable[bool]:
        """Have a parked run look how its task was resolved."""
        ...


class TaskDesk:
    """Claims and resolves tasks.

    Args:
        engine: carries the processes that tasks are about.
        go_on: lets the process of an order go on after a decision.
        amends: amends orders that lack goods.
    """

    def __init__(
        self,
        engine: CarriesOn,
        go_on: Callable[[LedgerOrder], Awaitable[None]],
        amends: Amends,
    ) -> None:
        self._engine = engine
        self._use = engine.dependencies
        self._go_on = go_on
        self._shortages = ShortageDesk(self._use, amends)

    async def claim(self, task_id: str, principal: Principal) -> tuple[Problem, ...]:
        """Make a task the principal's own; one that is already stays so.

        Raises:
            NotEntitled: the principal does not work the task's queue.
        """
        task = (await self._use.tasks.tasks([task_id])).get(task_id)
        if task is None or not await self._is_seen(task, principal):
            return (_unknown(task_id),)
        require_queue(principal, task.queue, "exceptionTaskClaim")
        if task.state == CLAIMED and task.assignee == principal.subject:
            return ()
        if task.state in (CLAIMED, RESOLVED):
            return (not_open(task),)
        mine = replace(task, state=CLAIMED, assignee=principal.subject)
        facts = {"state": CLAIMED, "assignee": principal.subject}
        told = await task_event(self._use, mine, "claimed", f"claimed:{principal.subject}", principal.subject, facts)
        if await self._use.tasks.change_task(task, mine, self._use.clock.now(), [told]):
            return ()
        return await self.claim(task_id, principal)

    async def resolve(self, asked: TaskResolution, decision_id: str, principal: Principal) -> tuple[Problem, ...]:
        """Resolve a task; nothing happens when there are problems.

        Raises:
            NotEntitled: the principal does not work the task's queue.
            ConnectorError: a system that must be asked does not answer; the task stays open.
        """
        task = (await self._use.tasks.tasks([asked.task_id])).get(asked.task_id)
        if task is None or not await self._is_seen(task, principal):
            return (_unknown(asked.task_id),)
        require_queue(principal, task.queue, "exceptionTaskResolve")
        amended = await self._amended(task, asked, decision_id, principal)
        if amended is not None:
            if not amended:
                await self.claim(task.id, principal)  # theirs until the amendment resolves it, or is refused
            return tuple(amended)
        if _is_resolved_so(task, asked, principal):
            await self._follow_up(task)
            return ()
        problems = _unfit(task, asked, principal) or await self._act(task, asked, decision_id, principal)
        if problems:
            return tuple(problems)
        await resolve_tasks(self._use, [task], asked.resolution, principal.subject, asked.comment)
        stored = (await self._use.tasks.tasks([task.id]))[task.id]
        if not _is_decided_elsewhere(task) and not _is_resolved_so(stored, asked, principal):
            return (not_open(stored),)  # of two who decide at once the first one has decided
        await self._follow_up(replace(task, resolution=asked.resolution))
        return ()

    async def _amended(
        self, task: ExceptionTask, asked: TaskResolution, decision_id: str, principal: Principal
    ) -> Sequence[Problem] | None:
        """Return what has come of the amendment that a decision begins or has begun, None when it begins none."""
        if task.kind != STOCKOUT:
            return None
        begun = await self._shortages.begun(decision_id)
        if begun is None and not _unfit(task, asked, principal):
            begun = await self._shortages.resolve(task, asked, decision_id, principal)
        return begun

    async def _is_seen(self, task: ExceptionTask, principal: Principal) -> bool:
        """Customers work no queue and learn so; our own people do not learn of tasks that are not their matter."""
        is_of_theirs = principal.rows is None or task.account_id is None or principal.sees(task.account_id)
        return is_of_theirs and await may_take(principal, task, noted_in(self._use.orders))

    async def _act(
        self, task: ExceptionTask, asked: TaskResolution, decision_id: str, principal: Principal
    ) -> Sequence[Problem]:
        """Do what the resolution decides, before the task is closed; return why that cannot be."""
        approve = asked.resolution in _APPROVING
        hold = hold_of(task)
        if hold is not None and task.order_id is not None:
            if approve and await self._others_must_approve(task):
                return ()
            verdict = HoldVerdict(decision_id, task.order_id, hold, approve, asked.comment)
            return await decide_hold(self._use, verdict, principal)
        quoted = _quoted(task)
        if quoted is not None:
            quote_id, level = quoted
            quote_verdict = QuoteVerdict(decision_id, quote_id, None, approve, asked.comment, (level,))
            return await decide_quote(self._use, quote_verdict, principal)
        if asked_about(task) is not None:
            return await decide_by_task(self._use, task, decision_id, asked.comment, principal, approve=approve)
        if task.kind == "FulfillmentDelay" and asked.resolution == "INFORM_CUSTOMER":
            facts = {"template": "delayed", "channel": "SERVICE_DESK"}
            told = await task_event(self._use, task, "resolved", "informed", principal.subject, facts)
            await self._use.events.append([replace(told, type="customer.notified")])
        if task.kind == STEP_FAILED and asked.resolution != "RETRY" and not await self._is_parked(task):
            said = f"the process of task {task.id} tries on by itself: only a parked one is cancelled or done by hand"
            return [_not_allowed(said, ProcessState.WAITING_SYSTEM.value, ("RETRY",))]
        return ()

    async def _follow_up(self, task: ExceptionTask) -> None:
        """Let whoever waits for the resolution go on; safe to repeat."""
        if hold_of(task) is not None and task.order_id is not None:
            order = (await self._use.orders.orders([task.order_id])).get(task.order_id)
            if order is not None and not (task.resolution in _APPROVING and order.holds):
                await self._go_on(order)
            return
        if task.process_id is None:
            return
        if task.kind != STEP_FAILED:
            await self._engine.wake(task.process_id)
        elif task.resolution == "RETRY":
            await self._engine.retry(task.process_id, None)
        else:
            await self._engine.look_at_parked(task.process_id)

    async def _others_must_approve(self, task: ExceptionTask) -> bool:
        """Return whether other lines of the order wait for approval too: the hold ends with the last of them."""
        asked = (await self._use.tasks.tasks_of([str(task.order_id)]))[str(task.order_id)]
        return any(
            entry.kind == task.kind == "ApprovalRequired" and entry.state != RESOLVED and entry.id != task.id
            for entry in asked
        )

    async def _is_parked(self, task: ExceptionTask) -> bool:
        found = (await self._use.process_log.processes([str(task.process_id)])).get(str(task.process_id))
        return found is not None and found.state is ProcessState.WAITING_HUMAN


async def retry_process(engine: CarriesOn, asked: ProcessRetry, key: str, principal: Principal) -> OpsAnswer:
    """Have a parked process go on, or one do a dead-lettered step again.

    Cancel/retry: safe to repeat with the same key.

    Raises:
        NotEntitled: the principal does not run the platform.
    """
    require_operator(principal, "processRetry")
    use = engine.dependencies
    record = (await use.process_log.processes([asked.process_id])).get(asked.process_id)
    if record is None or not await works_on(principal, record.business_key, noted_in(use.orders)):
        return OpsAnswer((failed("UNKNOWN_PROCESS", f"process {asked.process_id} does not exist", "processId"),))
    told = _retried(record, asked, key, principal, use)
    known = EventFilter(types=(told.type,), subject=record.id)
    if any(stored.event.id == told.id for stored in await use.events.read(known, None, MAX_RETRIES_READ)):
        return OpsAnswer(process_id=record.id, accepted=1)
    steps = {step.name: step for step in record.steps}
    if asked.step is not None and asked.step not in steps:
        said = f"process {record.id} has done no step {asked.step!r}: it did {', '.join(steps)}"
        return OpsAnswer((failed("UNKNOWN_STEP", said, "step"),), record.id)
    is_letter = asked.step is not None and steps[asked.step].state == "DEAD_LETTER"
    is_parked = record.state is ProcessState.WAITING_HUMAN
    if (is_parked or is_letter) and not await engine.retry(record.id, asked.step):
        said = f"process {record.id} goes on already: somebody has retried it, or what it waited for has come"
        return OpsAnswer((_not_allowed(said, record.state.value, ()),), record.id)
    if not (is_parked or is_letter):
        said = f"process {record.id} is {record.state.value}: only a parked one, or a dead-lettered step, is retried"
        return OpsAnswer((_not_allowed(said, record.state.value, ()),), record.id)
    await use.events.append([told])
    tasks = await use.tasks.tasks(step_task_ids(record))
    await resolve_tasks(use, tasks.values(), ASK_AGAIN, principal.subject, "processRetry")
    return OpsAnswer(process_id=record.id, accepted=1)


def _retried(record: ProcessRecord, asked: ProcessRetry, key: str, principal: Principal, use: Dependencies) -> Event:
    return Event(
        id=f"{record.id}:retried:{key}",
        source="/dist/processes",
        type="process.retried",
        subject=record.id,
        partition_key=record.id,
        correlation_id=record.correlation_id,
        system=SourceSystem.PLATFORM,
        occurred_at=use.clock.now(),
        data={"processId": record.id, "kind": record.kind, "step": asked.step},
        actor=principal.subject,
        manual=principal.subject.startswith("user:"),
    )


def _quoted(task: ExceptionTask) -> tuple[str, str] | None:
    """Return quote and level that a task asks about, None when it asks about something else."""
    if task.order_id is not None or task.kind not in ("ApprovalRequired", "ApprovalOverdue"):
        return None
    about = task.id.removeprefix("tsk_").removesuffix("_OVERDUE")
    found = next((level for level in LEVELS if about.endswith(f"_{level}")), None)
    return None if found is None else (about.removesuffix(f"_{found}"), found)


def _is_decided_elsewhere(task: ExceptionTask) -> bool:
    """Return whether the decision stands in another ledger, which takes one, and not in the task."""
    return hold_of(task) is not None or _quoted(task) is not None or asked_about(task) is not None


def _unfit(task: ExceptionTask, asked: TaskResolution, principal: Principal) -> Sequence[Problem]:
    """Return why a task cannot be resolved so, whatever it is about."""
    if task.state == RESOLVED or (task.state == CLAIMED and task.assignee != principal.subject):
        return [not_open(task)]
    problems = list(check_comment(asked.comment))
    if asked.resolution not in task.resolutions:
        said = f"a task {task.kind} is resolved by one of {', '.join(task.resolutions)}"
        problems.append(failed("RESOLUTION", said, "resolution"))
    return problems


def _is_resolved_so(task: ExceptionTask, asked: TaskResolution, principal: Principal) -> bool:
    wanted = (RESOLVED, asked.resolution, principal.subject, asked.comment)
    return (task.state, task.resolution, task.resolved_by, task.comment) == wanted


def _unknown(task_id: str) -> Problem:
    return failed("UNKNOWN_TASK", f"task {task_id} does not exist", "id")


def _not_allowed(message: str, state: str, allowed: tuple[str, ...]) -> NotAllowedInState:
    return NotAllowedInState(code="NOT_ALLOWED_IN_STATE", message=message, state=state, allowed=allowed)

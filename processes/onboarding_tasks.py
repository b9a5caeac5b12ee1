"""Tasks that ask persons about checks of an onboarding: opened when it begins to wait, resolved when it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from processes.dependencies import Dependencies
from processes.onboarding_case import OnboardingCase, onboarding_event
from processes.task_news import resolve_tasks
from schema.enums import CheckKind, CheckResult
from schema.records.identity import Principal
from schema.records.onboarding import DECIDE_SCOPE, ENDED, Onboarding, OnboardingCheck
from schema.records.operations import ExceptionTask

__all__ = [
    "CHECK_ROLES",
    "DECIDE_WITHIN",
    "ask_a_second_person",
    "asked_about",
    "decides",
    "open_tasks",
    "settle_tasks",
    "task_id",
]

DECIDE_WITHIN = timedelta(hours=8)
"""A decision is made within this time."""

CREDIT_QUEUE = "CREDIT"
SALES_QUEUE = "SALES"
"""Queues of tasks about credit, and about everything else."""

SECOND = "_2"
"""What the id of the task for a second person ends with."""

APPROVE, REJECT, ENDED_WITHOUT = "APPROVE", "REJECT", "ENDED"
_PLATFORM = "system:crossdock"
_KIND = "Onboarding"

_OF_CREDIT = frozenset({CheckKind.CREDIT})
_OF_SALES = frozenset(CheckKind) - _OF_CREDIT
CHECK_ROLES: Mapping[str, frozenset[CheckKind]] = {
    "CREDIT_CONTROLLER": _OF_CREDIT,
    "FINANCE": _OF_CREDIT,
    "SALES_MANAGER": _OF_SALES,
}
"""Checks that each role decides: finance about credit, the sales organisation about the rest."""


def decides(principal: Principal) -> frozenset[CheckKind]:
    """Return the checks that the principal decides about; customers decide about none."""
    if DECIDE_SCOPE not in principal.scopes or principal.accounts is not None:
        return frozenset()
    return frozenset().union(*(CHECK_ROLES.get(role, frozenset()) for role in principal.roles))


def asked_about(task: ExceptionTask) -> tuple[str, CheckKind] | None:
    """Return onboarding and check that a task asks about, None when it asks about something else."""
    name = task.kind.removeprefix(_KIND).upper()
    if name == task.kind.upper() or name not in CheckKind.__members__:
        return None
    kind = CheckKind(name)
    about = task.id.removesuffix(SECOND).removeprefix("tsk_").removesuffix(f"_{kind.lower()}")
    return about, kind


def task_id(onboarding_id: str, kind: CheckKind) -> str:
    """Return the id of the task that asks a person about a check."""
    return f"tsk_{onboarding_id}_{kind.lower()}"


async def open_tasks(case: OnboardingCase, onboarding: Onboarding) -> None:
    """Open a task for every check that a person must decide; those that are there stay as they are."""
    for entry in onboarding.checks:
        if entry.result is CheckResult.NEEDS_DECISION:
            await _open(case.use, onboarding, entry, task_id(onboarding.id, entry.kind))


async def ask_a_second_person(use: Dependencies, onboarding: Onboarding, kind: CheckKind) -> None:
    """Open a task for the second person when the check still waits after the first one's approval."""
    entry = next(entry for entry in onboarding.checks if entry.kind is kind)
    if entry.result is CheckResult.NEEDS_DECISION:
        await _open(use, onboarding, entry, f"{task_id(onboarding.id, kind)}{SECOND}")


async def _open(use: Dependencies, onboarding: Onboarding, entry: OnboardingCheck, identifier: str) -> None:
    now = use.clock.now()
    task = ExceptionTask(
        id=identifier,
        queue=CREDIT_QUEUE if entry.kind is CheckKind.CREDIT else SALES_QUEUE,
        kind=f"{_KIND}{entry.kind.capitalize()}",
        state="OPEN",
        order_id=None,
        account_id=onboarding.account_id,
        process_id=onboarding.process_id,
        summary=f"Onboarding {onboarding.id} of {onboarding.applicant.legal_name}: {entry.detail}",
        opened_at=now,
        due_at=now + DECIDE_WITHIN,
        assignee=None,
        resolutions=(APPROVE, REJECT),
    )
    facts = {"taskId": task.id, "queue": task.queue, "kind": task.kind, "summary": task.summary}
    told = onboarding_event(onboarding.id, onboarding.account_id, "task.opened", task.id, facts, now)
    await use.tasks.open_task(task, [told])


async def settle_tasks(use: Dependencies, onboarding: Onboarding) -> None:
    """Resolve the tasks of checks that wait for nobody any more; those that are resolved stay as they are."""
    has_ended = onboarding.status in ENDED
    over = [entry for entry in onboarding.checks if has_ended or entry.result is not CheckResult.NEEDS_DECISION]
    names = {task_id(onboarding.id, entry.kind): entry.kind for entry in over}
    ids = {f"{name}{suffix}": kind for name, kind in names.items() for suffix in ("", SECOND)}
    decided = {entry.check: entry for entry in onboarding.decisions}
    for identifier, task in (await use.tasks.tasks(list(ids))).items():
        decision = decided.get(ids[identifier])
        if decision is None:
            said = f"the onboarding is {onboarding.status}"
            await resolve_tasks(use, [task], ENDED_WITHOUT, _PLATFORM, said)
        else:
            resolution = APPROVE if decision.approve else REJECT
            await resolve_tasks(use, [task], resolution, decision.by, decision.comment)

"""What operators do: every mutation of operations, with the scopes and keys that it takes."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from processes.authority import NotEntitled
from processes.decision_api import OperatorDesk, OpsAnswer, ProcessRetry, Replay, TaskResolution
from resolvers.envelopes import broken_rule, check_key
from schema.graphql.errors import Forbidden
from schema.records.identity import Principal
from schema.records.problems import Problem

__all__ = ["OPS_REPLAY", "claim_task", "replay_messages", "resolve_task", "retry_process"]

OPS_REPLAY = "ops:replay"
"""Scope of those who have dead letters handled again."""

MAX_IDS = 1_000
"""Dead letters that one request names."""

T = TypeVar("T")


async def claim_task(desk: OperatorDesk, task_id: str, principal: Principal) -> OpsAnswer:
    """Make a task the principal's own, or say why not.

    Raises:
        Forbidden: the principal does not work the task's queue.
    """
    return await _allowed("exceptionTaskClaim", principal, desk.claim_task(task_id, principal=principal))


async def resolve_task(desk: OperatorDesk, asked: TaskResolution, key: str, principal: Principal) -> OpsAnswer:
    """Resolve a task, or say why not.

    Raises:
        Forbidden: the principal does not work the task's queue.
    """
    problems = tuple(check_key(key))
    if problems:
        return OpsAnswer(problems)
    resolving = desk.resolve_task(asked, key=key, principal=principal)
    return await _allowed("exceptionTaskResolve", principal, resolving)


async def retry_process(desk: OperatorDesk, asked: ProcessRetry, key: str, principal: Principal) -> OpsAnswer:
    """Have a process go on, or say why not.

    Raises:
        Forbidden: the principal does not run the platform.
    """
    problems = tuple(check_key(key))
    if problems:
        return OpsAnswer(problems)
    return await _allowed("processRetry", principal, desk.retry_process(asked, key=key, principal=principal))


async def replay_messages(desk: OperatorDesk, asked: Replay, key: str, principal: Principal) -> OpsAnswer:
    """Have dead letters handled again, or say why not.

    Raises:
        Forbidden: the principal does not run the platform, or has not the scope for this.
    """
    if OPS_REPLAY not in principal.scopes:
        raise Forbidden(f"messagesReplay: {principal.subject} may not do this, it takes the scope {OPS_REPLAY}")
    problems: list[Problem] = list(check_key(key))
    if asked.letter_ids is not None and not 0 < len(asked.letter_ids) <= MAX_IDS:
        problems.append(broken_rule("DEAD_LETTERS", f"name 1 to {MAX_IDS} dead letters", "deadLetterIds"))
    if asked.start is not None and asked.end is not None and asked.end <= asked.start:
        problems.append(broken_rule("RANGE", "the range ends before it begins", "to"))
    if problems:
        return OpsAnswer(tuple(problems))
    return await _allowed("messagesReplay", principal, desk.replay_messages(asked, key=key, principal=principal))


async def _allowed(operation: str, principal: Principal, work: Awaitable[T]) -> T:
    try:
        return await work
    except NotEntitled as refusal:
        raise Forbidden(f"{operation}: {principal.subject} may not do this: {refusal}") from refusal

"""Decisions about held orders and quotes: who asks is checked here, whether the state allows it where it is written."""

from __future__ import annotations

from processes.api import Started
from processes.authority import NotEntitled
from processes.decision_api import DecisionDesk, HoldRelease, QuoteDecision
from resolvers.envelopes import check_key
from schema.graphql.errors import Forbidden
from schema.records.identity import Principal
from schema.records.problems import Problem
from schema.records.waiting import DECISION_WAIT_MS

__all__ = ["HOLD_RELEASE", "QUOTE_APPROVE", "decide_quote", "release_hold"]

HOLD_RELEASE = "hold:release"
"""Scope of those who release holds."""

QUOTE_APPROVE = "quote:approve"
"""Scope of those who approve quotes."""


async def release_hold(desk: DecisionDesk, release: HoldRelease, key: str, principal: Principal) -> Started:
    """Release a hold, or say why not.

    Raises:
        Forbidden: the principal releases no holds, or not this one.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    _require(principal, HOLD_RELEASE, "orderHoldRelease")
    problems = _envelope_problems(key)
    if problems:
        return _refused(problems)
    try:
        return await desk.release_hold(release, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)
    except NotEntitled as refusal:
        raise Forbidden(str(refusal)) from refusal


async def decide_quote(desk: DecisionDesk, decision: QuoteDecision, key: str, principal: Principal) -> Started:
    """Approve or reject a quote, or say why not.

    Raises:
        Forbidden: the principal approves no quotes, or not at the level that this one waits for.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    _require(principal, QUOTE_APPROVE, "quoteDecide")
    problems = _envelope_problems(key)
    if problems:
        return _refused(problems)
    try:
        return await desk.decide_quote(decision, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)
    except NotEntitled as refusal:
        raise Forbidden(str(refusal)) from refusal


def _require(principal: Principal, scope: str, operation: str) -> None:
    """The gateway checks the scope; who comes past it does not get further."""
    if scope not in principal.scopes or principal.accounts is not None:
        raise Forbidden(f"{operation}: {principal.subject} may not do this, it takes the scope {scope}")


def _envelope_problems(key: str) -> tuple[Problem, ...]:
    return tuple(check_key(key))


def _refused(problems: tuple[Problem, ...]) -> Started:
    return Started(process_id=None, state=None, entity_id=None, problems=problems, replayed=False)

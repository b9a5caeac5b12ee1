"""A person's decision about a quote below its margin floor: by level, with a check of the version that was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from processes.authority import LEVEL_ROLES, NotEntitled, may_approve
from processes.dependencies import Dependencies
from processes.hold_decision import check_comment
from processes.order_checks import failed
from processes.quote_approval import approval_task_id, undecided
from processes.quote_writes import quote_event
from processes.task_news import claimed_elsewhere, overdue_task_id, resolve_tasks
from schema.enums import QuoteStatus
from schema.events.envelope import Event
from schema.records.identity import Principal
from schema.records.orders import ApprovalRecord, Quote
from schema.records.problems import NotAllowedInState, Problem, VersionConflict
from systems.errors import Conflict

__all__ = ["QuoteVerdict", "decide_quote"]

APPROVED = "APPROVED"
REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class QuoteVerdict:
    """What somebody wants to become of a quote.

    Attributes:
        id: makes the decision the same when it is sent again.
        version: version of the quote that was seen; None for whatever it is.
        levels: approvals to decide; None for all that the principal may decide.
    """

    id: str
    quote_id: str
    version: int | None
    approve: bool
    comment: str
    levels: tuple[str, ...] | None = None


async def decide_quote(use: Dependencies, verdict: QuoteVerdict, principal: Principal) -> tuple[Problem, ...]:
    """Write the decision at the quote and close what was asked; nothing is written when there are problems.

    Cancel/retry: safe to repeat with the same verdict.

    Raises:
        NotEntitled: the principal approves at none of the levels that the quote waits for.
        ConnectorError: the platform's ledger does not answer; nothing is written.
    """
    quote = (await use.quotes.quotes([verdict.quote_id])).get(verdict.quote_id)
    if quote is None or not principal.sees(quote.account_id):
        return (failed("UNKNOWN_QUOTE", f"quote {verdict.quote_id} does not exist", "quoteId"),)
    if any(entry.decision_id == verdict.id for entry in quote.approvals):
        await _close(use, quote, verdict, principal)
        return ()
    waiting = [entry for entry in undecided(quote) if verdict.levels is None or entry.level in verdict.levels]
    mine = [entry.level for entry in waiting if may_approve(principal, entry.level)]
    if waiting and not mine:
        raise NotEntitled("quoteDecide", LEVEL_ROLES.get(waiting[0].level, frozenset()))
    problems = [*_check(quote, verdict, waiting, principal), *await _taken(use, quote, mine, principal)]
    if problems:
        return tuple(problems)
    now = use.clock.now()
    decided = _decided(quote, mine, verdict, principal, now)
    try:
        await use.quotes.save(decided, [_told(decided, level, verdict, principal, now) for level in mine])
    except Conflict:
        current = (await use.quotes.quotes([quote.id]))[quote.id]
        return (_conflict(current, quote.version),)
    await _close(use, decided, verdict, principal)
    return ()


async def _taken(
    use: Dependencies, quote: Quote, levels: Sequence[str], principal: Principal
) -> tuple[NotAllowedInState, ...]:
    """Return which of the approvals another person has claimed."""
    found: list[NotAllowedInState] = []
    for level in levels:
        first = approval_task_id(quote.id, level)
        tasks = await use.tasks.tasks([first, overdue_task_id(first)])
        found += claimed_elsewhere(tasks.values(), principal.subject)
    return tuple(found)


def _check(
    quote: Quote, verdict: QuoteVerdict, waiting: Sequence[ApprovalRecord], principal: Principal
) -> tuple[Problem, ...]:
    problems: list[Problem] = [*check_comment(verdict.comment)]
    if verdict.version is not None and verdict.version != quote.version:
        problems.append(_conflict(quote, verdict.version))
    if not waiting:
        said = f"quote {quote.number} is {quote.status.value} and waits for no such approval"
        allowed = ("DECIDE",) if undecided(quote) else ()
        problems.append(
            NotAllowedInState(code="NOT_ALLOWED_IN_STATE", message=said, state=quote.status.value, allowed=allowed)
        )
    if principal.subject == quote.created_by:
        said = f"{principal.subject} has asked for quote {quote.number}: somebody else decides about it"
        problems.append(failed("SEPARATION_OF_DUTIES", said, "quoteId"))
    return tuple(problems)


def _decided(quote: Quote, levels: Sequence[str], verdict: QuoteVerdict, principal: Principal, now: datetime) -> Quote:
    def decide(entry: ApprovalRecord) -> ApprovalRecord:
        if entry.level not in levels or entry.decided_at is not None:
            return entry
        return replace(
            entry,
            decided_at=now,
            decision=APPROVED if verdict.approve else REJECTED,
            by=principal.subject,
            comment=verdict.comment,
            decision_id=verdict.id,
        )

    approvals = tuple(decide(entry) for entry in quote.approvals)
    status = quote.status
    if not verdict.approve:
        status = QuoteStatus.REJECTED
    elif all(entry.decided_at is not None for entry in approvals):
        status = QuoteStatus.APPROVED
    return replace(quote, approvals=approvals, status=status)


def _told(quote: Quote, level: str, verdict: QuoteVerdict, principal: Principal, now: datetime) -> Event:
    """Return the event of a decision: who, when, under which rule, and the prices before and after."""
    record = next(entry for entry in quote.approvals if entry.level == level)
    lines = [
        {
            "lineNo": line.line_no,
            "sku": line.sku,
            "listPrice": None if line.list_price is None else str(line.list_price.amount),
            "unitPrice": str(line.unit_price.amount),
            "currency": line.unit_price.currency,
        }
        for line in quote.lines
        if line.line_no in record.lines
    ]
    facts = {
        "level": level,
        "decision": record.decision,
        "rule": record.rule,
        "reason": record.reason,
        "comment": record.comment,
        "lines": lines,
        "statusBefore": QuoteStatus.PENDING_APPROVAL.value,
    }
    told = quote_event(quote, now, "approval.decided", f"decided:{level}:{verdict.id}", facts)
    return replace(told, actor=principal.subject, manual=principal.subject.startswith("user:"))


async def _close(use: Dependencies, quote: Quote, verdict: QuoteVerdict, principal: Principal) -> None:
    """Resolve the tasks that asked for what is decided now; a rejected quote needs no other answer."""
    levels = [entry.level for entry in quote.approvals if entry.decided_at is not None or not verdict.approve]
    ids = [approval_task_id(quote.id, level) for level in levels]
    tasks = await use.tasks.tasks([*ids, *(overdue_task_id(task_id) for task_id in ids)])
    resolution = "APPROVE" if verdict.approve else "REJECT"
    await resolve_tasks(use, tasks.values(), resolution, principal.subject, verdict.comment)


def _conflict(quote: Quote, version: int) -> VersionConflict:
    return VersionConflict(
        code="VERSION_CONFLICT",
        message=f"quote {quote.number} is at version {quote.version}, not {version}: read it again",
        path=("version",),
        current_version=quote.version,
    )

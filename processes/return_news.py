"""What warehouses and persons tell of returns: written into the ledger, then the return's process goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from processes.amend_case import not_allowed
from processes.dependencies import Dependencies
from processes.order_checks import failed
from processes.return_case import change_return, return_event
from processes.return_receipt import differs
from schema.enums import ReturnStatus
from schema.events.envelope import Event
from schema.records.problems import Problem
from schema.records.returns import LedgerReturn, ReturnDecision
from systems.news import ReturnNews

__all__ = ["Decided", "Returns", "WakesProcesses", "record_decision"]

_S = ReturnStatus
_BEFORE = {
    _S.RECEIVED: (_S.APPROVED, _S.IN_TRANSIT),
    _S.INSPECTED: (_S.APPROVED, _S.IN_TRANSIT, _S.RECEIVED),
}
"""Statuses that news moves on; what comes late moves nothing back."""


class WakesProcesses(Protocol):
    """What returns want of the engine."""

    @property
    def dependencies(self) -> Dependencies:
        """The ports that processes use."""
        ...

    def wake(self, process_id: str) -> Awaitable[bool]:
        """Have a waiting run look again."""
        ...


class Returns:
    """Handles what warehouses tell of returns.

    Args:
        engine: carries the returns' processes.
    """

    def __init__(self, engine: WakesProcesses) -> None:
        self._engine = engine
        self._use = engine.dependencies

    async def handle(self, news: ReturnNews) -> None:
        """Take note that goods arrived or are inspected, and let their return go on.

        Cancel/retry: safe to repeat; the same news is told once.

        Raises:
            NotFound: no such return was requested here.
            ConnectorError: the platform's ledgers do not answer; nothing is lost when the news is handed in again.
        """

        def changed(entry: LedgerReturn) -> LedgerReturn:
            if entry.status not in _BEFORE[news.status]:
                return entry
            received = news.lines if news.status is _S.INSPECTED else entry.received
            return replace(entry, status=news.status, received=received)

        def tell(entry: LedgerReturn) -> Sequence[Event]:
            return [self._event(entry, news, status) for status in _told_with(news.status)]

        entry = await change_return(self._use, news.return_id, changed, tell)
        await self._engine.wake(entry.process_id)

    def _event(self, entry: LedgerReturn, news: ReturnNews, status: ReturnStatus) -> Event:
        name = status.value.lower()
        facts = {
            "rmaNumber": entry.number,
            "status": status.value,
            "warehouse": news.warehouse_code,
            "lines": [
                {"lineNo": line.line_no, "quantity": str(line.quantity.value), "disposition": line.disposition}
                for line in news.lines
            ],
            "disposition": ", ".join(sorted({line.disposition for line in news.lines if line.disposition})) or None,
        }
        event = return_event(entry.id, entry.order_id, entry.account_id, f"return.{name}", name, facts, self._use)
        return replace(event, system=news.source, occurred_at=news.at, causation_id=news.event_id)


def _told_with(status: ReturnStatus) -> Sequence[ReturnStatus]:
    """Return what is told: goods that are inspected have arrived, whether that was told before or not."""
    return (_S.RECEIVED,) if status is _S.RECEIVED else (_S.RECEIVED, _S.INSPECTED)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision: the return as it is then, or why it was not taken; ``is_known`` when repeated."""

    entry: LedgerReturn | None
    problems: tuple[Problem, ...] = ()
    is_known: bool = False


async def record_decision(
    use: Dependencies, return_id: str, decision_id: str, by: str, comment: str, *, approve: bool
) -> Decided:
    """Write down what a person decided about a return that waits for it; whoever asked for it cannot decide."""
    entry = (await use.returns.returns([return_id])).get(return_id)
    if entry is None:
        return Decided(None, (failed("UNKNOWN_RETURN", f"return {return_id} does not wait here", "returnId"),))
    if any(known.id == decision_id for known in entry.decisions):
        return Decided(entry, is_known=True)
    on = _waits_on(entry)
    if on is None:
        said = f"return {entry.number} is {entry.status.value} and waits for nobody"
        return Decided(entry, (not_allowed(said, entry.status.value, ()),))
    if entry.requested_by == by:
        said = f"return {entry.number} was requested by {by}: somebody else decides"
        return Decided(entry, (failed("DECIDER", said, "returnId"),))
    decision = ReturnDecision(decision_id, on, approve, by, use.clock.now(), comment)

    def changed(stored: LedgerReturn) -> LedgerReturn:
        return stored if _waits_on(stored) is not on else replace(stored, decisions=(*stored.decisions, decision))

    written = await change_return(use, return_id, changed, lambda _: ())
    if decision not in written.decisions:
        said = f"somebody else has decided about return {entry.number}"
        return Decided(written, (not_allowed(said, written.status.value, ()),))
    return Decided(written)


def _waits_on(entry: LedgerReturn) -> ReturnStatus | None:
    """Return the status that a person decides about now, None when nobody has to."""
    asks = entry.status is _S.REQUESTED or (entry.status is _S.INSPECTED and differs(entry))
    return entry.status if asks and entry.decision(entry.status) is None else None

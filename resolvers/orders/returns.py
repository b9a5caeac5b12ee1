"""Returns: mutations check who asks about what, then a process decides; reads put the ledger's half over the ERP's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from processes.api import ProcessStarter, ReturnAsked, ReturnLineAsked, ReturnVerdict, Started
from processes.authority import may_work
from resolvers.access import require_return_rights
from resolvers.envelopes import broken_rule, check_key
from resolvers.orders.amend import MAX_REASON, FindsOrders, envelope_problems, refused
from schema.graphql.errors import Forbidden
from schema.records.identity import Principal
from schema.records.orders import Return
from schema.records.problems import Problem
from schema.records.returns import LedgerReturn
from schema.records.waiting import DECISION_WAIT_MS
from systems.ports import ReturnBook, ReturnLedger

__all__ = ["MergedReturns", "decide_return", "request_return"]

RETURNS_QUEUE = "RETURNS"


class FindsReturns(Protocol):
    """Finds returns that the caller may see."""

    async def return_(self, return_id: str) -> Return | None:
        """Return a return, None when there is none that the caller may see."""
        ...


async def request_return(
    starter: ProcessStarter,
    orders: FindsOrders,
    asked: tuple[str, tuple[ReturnLineAsked, ...], str],
    key: str,
    principal: Principal,
) -> Started:
    """Start a return of (order id, lines, resolution), or say why nothing was started.

    Raises:
        Forbidden: the principal may not return goods.
        ConnectorError: the ERP must be asked for the order, and does not answer.
    """
    require_return_rights(principal, "returnRequest")
    order_id, lines, resolution = asked
    problems = await envelope_problems(orders, order_id, key, None, "", len(lines))
    order = await orders.order(order_id)
    if problems or order is None:
        return refused(problems)
    wanted = ReturnAsked(order_id, order.account_id, lines, resolution)
    return await starter.request_return(wanted, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)


async def decide_return(
    starter: ProcessStarter, returns: FindsReturns, verdict: ReturnVerdict, key: str, principal: Principal
) -> Started:
    """Decide about a return, or say why that was not taken.

    Raises:
        Forbidden: the principal does not decide about returns.
        ConnectorError: the ERP must be asked for the return, and does not answer.
    """
    if not may_work(principal, RETURNS_QUEUE):
        raise Forbidden(f"returnDecide: {principal.subject} does not decide about returns")
    problems: list[Problem] = list(check_key(key))
    if not 0 < len(verdict.comment.strip()) <= MAX_REASON:
        problems.append(broken_rule("TEXT_LENGTH", f"comment has 1 to {MAX_REASON} characters", "comment"))
    if await returns.return_(verdict.return_id) is None:
        problems.append(broken_rule("UNKNOWN_RETURN", f"return {verdict.return_id} does not exist", "returnId"))
    if problems:
        return refused(problems)
    return await starter.decide_return(verdict, key=key, principal=principal, wait_ms=DECISION_WAIT_MS)


class MergedReturns:
    """:class:`systems.ports.ReturnBook` out of two halves: what was requested here is shown as the ledger has it.

    Args:
        ledger: returns that were requested here.
        erp: every return that the ERP has.
    """

    def __init__(self, ledger: ReturnLedger, erp: ReturnBook) -> None:
        self._ledger = ledger
        self._erp = erp

    async def returns(self, ids: Sequence[str]) -> Mapping[str, Return]:
        """Return RMAs by platform id; the ERP is asked for those that the ledger does not have."""
        recorded = await self._ledger.returns(ids)
        others = [entry for entry in ids if entry not in recorded]
        documents = await self._erp.returns(others) if others else {}
        return {**documents, **{name: entry.shown for name, entry in recorded.items()}}

    async def returns_of_orders(self, order_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per order, oldest first."""
        recorded = await self._ledger.returns_of_orders(order_ids)
        documents = await self._erp.returns_of_orders(order_ids)
        return {name: _merged(recorded.get(name, ()), documents.get(name, ())) for name in order_ids}

    async def returns_of(self, account_ids: Sequence[str]) -> Mapping[str, tuple[Return, ...]]:
        """Return RMAs per account, newest first."""
        recorded = await self._ledger.returns_of(account_ids)
        documents = await self._erp.returns_of(account_ids)
        return {name: tuple(reversed(_merged(recorded.get(name, ()), documents.get(name, ())))) for name in account_ids}


def _merged(recorded: Iterable[LedgerReturn], documents: Iterable[Return]) -> tuple[Return, ...]:
    """Return both halves, oldest first, each return once."""
    shown = {entry.id: entry.shown for entry in recorded}
    rows = [*shown.values(), *(entry for entry in documents if entry.id not in shown)]
    return tuple(sorted(rows, key=lambda entry: (entry.created_at, entry.id)))

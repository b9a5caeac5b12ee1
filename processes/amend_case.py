"""One order that is being changed, split or cancelled: who may begin, and how it goes back when that is refused.

An order is amended by one process at a time. Which one stands in the ledger beside the status, written with a check of
the version that the caller has seen; so of two that begin at once one is first, and the other is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from processes.api import LineAdded, LineChange, OrderSubmission, SubmissionLine
from processes.dependencies import Dependencies
from processes.journal import problems_to_json
from processes.order_case import OrderCase, OrderRequest
from processes.order_checks import failed
from processes.steps import DONE, Outcome, Verdict
from processes.task_news import resolve_tasks
from schema.enums import OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.operations import ProcessRecord
from schema.records.orders import LedgerOrder
from schema.records.problems import NotAllowedInState, Problem, VersionConflict
from systems.errors import Conflict, Unavailable

__all__ = [
    "CANCELLATION",
    "CHANGE",
    "SPLIT",
    "AmendCase",
    "AmendRequest",
    "begin",
    "give_up",
    "has_company",
    "is_open",
    "not_allowed",
    "refusal_of",
    "refused_by_erp",
    "resolve_asking_task",
    "settle",
    "submission_of",
]

CHANGE = "ORDER_CHANGE"
CANCELLATION = "ORDER_CANCELLATION"
SPLIT = "ORDER_SPLIT"

_S = OrderStatus
_PENDING = {CHANGE: _S.CHANGE_PENDING, SPLIT: _S.CHANGE_PENDING, CANCELLATION: _S.CANCEL_PENDING}
_FROM = {
    CHANGE: (_S.ACCEPTED,),
    SPLIT: (_S.ACCEPTED,),
    CANCELLATION: (_S.RECEIVED, _S.VALIDATING, _S.ON_HOLD, _S.ACCEPTED),
}
"""Statuses in which an order can be changed, split or cancelled."""

_DONE_TO = {CHANGE: "changed", SPLIT: "split", CANCELLATION: "cancelled"}

_ALLOWED = {
    _S.RECEIVED: ("CANCEL",),
    _S.VALIDATING: ("CANCEL",),
    _S.ON_HOLD: ("CANCEL", "RELEASE_HOLD"),
    _S.ACCEPTED: ("CHANGE", "CANCEL"),
    _S.COMPLETED: ("REQUEST_RETURN",),
}
_BUSY = (ProcessState.RUNNING, ProcessState.WAITING_SYSTEM, ProcessState.COMPENSATING)
_WRITERS = ("ORDER_SUBMISSION", CHANGE, SPLIT, CANCELLATION)
"""Processes that write an order's lines."""


@dataclass(frozen=True, slots=True)
class AmendRequest:
    """Input of the process: who wants what to become of an order that was at ``version``."""

    process_id: str
    kind: str
    order_id: str
    version: int
    reason: str
    submission: OrderSubmission
    """The order as it was when this was asked for; what it says of lines is read anew."""
    asked_by: str
    asked_at: datetime
    lines: tuple[LineChange, ...] = ()
    added: tuple[LineAdded, ...] = ()
    task_id: str | None = None
    """Task by which it was asked for; it is resolved when the amendment is accepted."""
    resolution: str = ""


class AmendCase(OrderCase):
    """A run of a change, a split or a cancellation."""

    def __init__(self, request: AmendRequest, dependencies: Dependencies, *, resumed: bool) -> None:
        order = OrderRequest(
            request.process_id, request.order_id, request.submission, request.asked_by, request.asked_at
        )
        super().__init__(order, dependencies, resumed=resumed)
        self.amendment = request

    @property
    def version(self) -> int:
        """Version of the order that is amended; it makes the keys of the amendment its own."""
        return self.amendment.version

    @property
    def key_parts(self) -> Mapping[str, int]:
        """What the keys of steps name besides order and process."""
        return {"version": self.version}

    @property
    def record(self) -> ProcessRecord:
        """The process as its log starts it."""
        return replace(super().record, kind=self.amendment.kind)

    def own_key(self, what: str) -> str:
        """Return the idempotency key of something done for this amendment."""
        return f"chg:{self.order_id}:{self.version}:{what}"

    def told(self, type_: str, key: str, data: Mapping[str, Any]) -> Event:
        """Return an event of this amendment, as told by whoever asked for it."""
        event = self.news(type_, f"chg:{self.version}:{key}", {"reason": self.amendment.reason, **data})
        return replace(event, actor=self.amendment.asked_by)


def submission_of(order: LedgerOrder) -> OrderSubmission:
    """Return an order of the ledger as it would be submitted now."""
    return OrderSubmission(
        account_id=order.account_id,
        ship_to_id=order.ship_to_id,
        channel=order.channel,
        lines=tuple(
            SubmissionLine(line.line_no, line.sku, line.quantity, line.unit_price, requested_date=line.requested_date)
            for line in order.lines
        ),
        po_number=order.po_number,
        quote_id=order.quote_id,
        opportunity_id=order.opportunity_id,
        requested_date=order.requested_date,
        ship_complete=order.ship_complete,
        allow_backorder=order.allow_backorder,
        allow_substitutes=order.allow_substitutes,
    )


def refusal_of(case: AmendCase, order: LedgerOrder) -> Problem | None:
    """Return why the order as it stands cannot be amended, None when it can."""
    if order.version != case.version:
        return VersionConflict(
            code="VERSION_CONFLICT",
            message=f"order {order.number} is at version {order.version}, not {case.version}: read it again",
            path=("version",),
            current_version=order.version,
        )
    if order.status not in _FROM[case.amendment.kind]:
        said = f"order {order.number} is {order.status.value} and cannot be {_DONE_TO[case.amendment.kind]}"
        return not_allowed(said, order.status.value, _ALLOWED.get(order.status, ()))
    return None


def not_allowed(message: str, state: str, allowed: Sequence[str]) -> NotAllowedInState:
    """Return the problem that a state does not allow what was asked for."""
    return NotAllowedInState(code="NOT_ALLOWED_IN_STATE", message=message, state=state, allowed=tuple(allowed))


async def begin(case: AmendCase) -> Outcome:
    """Take the order for this amendment, when it is still at the version that the caller has seen."""
    order = await case.order()
    if order.amended_by == case.request.process_id:
        return DONE
    refusal = refusal_of(case, order)
    if refusal is not None:
        return Outcome(Verdict.REFUSED, (refusal,))
    status = _PENDING[case.amendment.kind]
    taken = replace(order, status=status, amended_by=case.request.process_id)
    try:
        await case.use.orders.update(
            taken, [case.told("order.change.requested", "requested", {"status": status.value})]
        )
    except Conflict as conflict:
        refusal = refusal_of(case, await case.order())
        if refusal is None:
            raise conflict from None
        return Outcome(Verdict.REFUSED, (refusal,))
    return DONE


async def give_up(case: AmendCase) -> None:
    """Put the order back into the state in which it was, or into which it has come meanwhile."""

    def changed(order: LedgerOrder) -> LedgerOrder:
        if order.amended_by != case.request.process_id:
            return order
        return replace(order, status=_status_without(order), amended_by=None, amended_lines=())

    def tell(order: LedgerOrder) -> Sequence[Event]:
        facts = {"status": order.status.value, "problems": problems_to_json(case.refusal)}
        return [case.told("order.change.refused", "refused", facts)]

    if (await case.order()).amended_by == case.request.process_id:
        await case.change(changed, tell)


async def resolve_asking_task(case: AmendCase) -> None:
    """Resolve the task by which the amendment was asked for, as whoever decided it has said; safe to repeat."""
    asked = case.amendment
    if asked.task_id is not None:
        tasks = await case.use.tasks.tasks([asked.task_id])
        await resolve_tasks(case.use, tasks.values(), asked.resolution, asked.asked_by, asked.reason)


async def is_open(case: AmendCase) -> bool:
    """Return whether the amendment is not accepted yet: what it has done can be taken back until then."""
    return (await case.order()).amended_by == case.request.process_id


async def settle(case: AmendCase) -> Outcome:
    """Wait until no other process writes the order.

    One that waits for a person may go on at any moment: a change does not begin before it has ended, and a cancellation
    takes back in the end what it has done meanwhile.

    Raises:
        Unavailable: one still does; the runner looks again.
    """
    for process in await _others(case):
        said = f"{process.kind} {process.id} is under way"
        if process.state in _BUSY:
            raise Unavailable(SourceSystem.PLATFORM, "settle", said, outcome_unknown=False)
        if process.state is ProcessState.WAITING_HUMAN and case.amendment.kind != CANCELLATION:
            said = (
                f"{said} and waits for a person: it has to end before the order can be {_DONE_TO[case.amendment.kind]}"
            )
            return Outcome(Verdict.REFUSED, (not_allowed(said, process.state.value, ("CANCEL",)),))
    return DONE


async def has_company(case: AmendCase) -> bool:
    """Return whether another process that writes the order was there at a time since this amendment was asked for."""
    since = case.amendment.asked_at
    return any(process.ended_at is None or process.ended_at > since for process in await _others(case))


async def _others(case: AmendCase) -> list[ProcessRecord]:
    """Return the other processes that write the order: those about it, and the one that has placed it."""
    log, placed_by = case.use.process_log, (await case.order()).process_id
    about = (await log.processes_of([case.order_id]))[case.order_id]
    placed = (await log.processes([placed_by])).values()  # a return, when the order replaces what came back
    found = {process.id: process for process in about if process.kind in _WRITERS}
    found.update({process.id: process for process in placed})
    return [process for process in found.values() if process.id != case.request.process_id]


def refused_by_erp(reason: str, detail: str) -> Problem:
    """Return what the ERP refuses; goods that have left can only come back."""
    if reason == "ORDER_SHIPPED":
        said = f"goods have left already ({detail}): once delivered they can be returned"
        return not_allowed(said, "SHIPPED", ("REQUEST_RETURN",))
    return failed(reason, f"the ERP refuses: {detail}")


def _status_without(order: LedgerOrder) -> OrderStatus:
    if order.status not in _PENDING.values():
        return order.status
    if order.holds:
        return OrderStatus.ON_HOLD
    return OrderStatus.RECEIVED if order.accepted_at is None else OrderStatus.ACCEPTED

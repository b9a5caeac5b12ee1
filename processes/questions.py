"""What is asked about orders by those who watch them: goods or invoices that should be there by now and are not.

A question is a task with an owner and a due time, asked once per id. One about a delay stands on its order too, as long
as it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from processes.dependencies import Dependencies
from processes.order_case import ORDERS
from processes.order_writes import change_order
from processes.rules.delays import end_of
from processes.task_news import CLAIMED, PLATFORM, resolve_tasks, task_event
from schema.enums import OrderStatus, SourceSystem
from schema.events.envelope import Event, StoredEvent
from schema.records.inventory import Warehouse
from schema.records.operations import ExceptionTask
from schema.records.orders import LedgerOrder
from schema.records.problems import FulfillmentDelay
from schema.records.values import PageRequest
from systems.errors import ConnectorError

__all__ = ["Delay", "Question", "ask", "ask_about_delay", "asked", "heard_at", "lift_delay", "warehouses_by_code"]

AT_ONCE = 200
"""Tasks that are read at once."""

_OVER = (OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.COMPLETED)


@dataclass(frozen=True, slots=True)
class Question:
    """A question about an order as its task asks it.

    Attributes:
        id: id of the task.
        due: from when it is asked until when it is to be looked at.
        process_id: the process that it is about, None when none carries what is missing.
        warehouse_code: the warehouse that can answer, None when those of the order can.
    """

    id: str
    queue: str
    kind: str
    order_id: str
    account_id: str
    summary: str
    due: timedelta
    resolutions: tuple[str, ...]
    process_id: str | None = None
    warehouse_code: str | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """What makes an order late: a shipment or what is none yet, and the reason."""

    shipment_id: str | None
    reason_code: str


async def ask(use: Dependencies, question: Question) -> None:
    """Open the task of a question; one that is asked already stays as it is.

    Raises:
        ConnectorError: the platform's ledgers do not answer.
    """
    now = use.clock.now()
    task = ExceptionTask(
        id=question.id,
        queue=question.queue,
        kind=question.kind,
        state="OPEN",
        order_id=question.order_id,
        account_id=question.account_id,
        process_id=question.process_id,
        summary=question.summary,
        opened_at=now,
        due_at=now + question.due,
        assignee=None,
        resolutions=question.resolutions,
        warehouse_code=question.warehouse_code,
    )
    await use.tasks.open_task(task, [await task_event(use, task, "opened", "opened", PLATFORM, {})])


async def ask_about_delay(use: Dependencies, question: Question, delay: Delay, missed: datetime) -> None:
    """Put a delay on its order, unless that has ended meanwhile, and open the task about it.

    Args:
        use: systems and ledgers.
        question: what is asked.
        delay: what is late.
        missed: the moment that was missed; what counts as promised for an order without a day.

    Raises:
        ConnectorError: the platform's ledgers do not answer.
    """

    def changed(order: LedgerOrder) -> LedgerOrder:
        if order.status in _OVER or any(_is_of(entry, delay) for entry in order.exceptions):
            return order
        day = order.promised_date
        problem = FulfillmentDelay(
            code="FULFILLMENT_DELAY",
            message=question.summary,
            shipment_id=delay.shipment_id,
            promised=missed if day is None else end_of(day),
            expected=None,
            reason_code=delay.reason_code,
        )
        return replace(order, exceptions=(*order.exceptions, problem))

    def tell(order: LedgerOrder) -> Sequence[Event]:
        problem = {"type": "FulfillmentDelay", "code": "FULFILLMENT_DELAY", "message": question.summary}
        told = Event(
            id=f"or:{order.id}:delayed:{question.id}",
            source=ORDERS,
            type="order.delayed",
            subject=order.id,
            partition_key=order.id,
            correlation_id=order.quote_id or order.id,
            system=SourceSystem.PLATFORM,
            occurred_at=use.clock.now(),
            data={"orderId": order.id, "status": order.status.value, "problem": problem},
            account_id=order.account_id,
        )
        return [told]

    # The order first: whoever dies in between finds no task, and asks again.
    await change_order(use, question.order_id, changed, tell)
    await ask(use, question)


async def lift_delay(use: Dependencies, task: ExceptionTask, delay: Delay, resolution: str, comment: str) -> None:
    """Take a delay that is over off the order of its task, and close the task.

    Raises:
        ConnectorError: the platform's ledgers do not answer.
    """

    def changed(order: LedgerOrder) -> LedgerOrder:
        return replace(order, exceptions=tuple(entry for entry in order.exceptions if not _is_of(entry, delay)))

    await change_order(use, str(task.order_id), changed, lambda _: ())
    await resolve_tasks(use, [task], resolution, PLATFORM, comment)


async def asked(use: Dependencies, queue: str, mark: str, limit: int) -> list[ExceptionTask]:
    """Return the questions of a queue that are not answered and whose ids end with a mark.

    Args:
        use: systems and ledgers.
        queue: whose tasks.
        mark: end of the ids.
        limit: tasks of the queue that are looked through; those behind them are seen when these are fewer.

    Raises:
        ConnectorError: the platform's ledgers do not answer.
    """
    found: list[ExceptionTask] = []
    for state in ("OPEN", CLAIMED):
        after: str | None = None
        for _ in range(limit // AT_ONCE):
            page = await use.tasks.search_tasks(queue, state, PageRequest(AT_ONCE, after))
            found += [task for task in page.items if task.id.endswith(mark)]
            if not page.has_next:
                break
            after = page.cursors[-1]
    return found


async def warehouses_by_code(use: Dependencies) -> Mapping[str, Warehouse]:
    """Return warehouses by code, as far as anybody knows while their system is out."""
    try:
        return {entry.code: entry for entry in await use.wms.warehouses()}
    except ConnectorError:
        return {}


def heard_at(stored: StoredEvent) -> datetime:
    """Return when news of another system came in, whatever time it says that it is of."""
    told = stored.event.data.get("receivedAt")
    return stored.recorded_at if told is None else datetime.fromisoformat(str(told))


def _is_of(problem: object, delay: Delay) -> bool:
    return isinstance(problem, FulfillmentDelay) and Delay(problem.shipment_id, problem.reason_code or "") == delay

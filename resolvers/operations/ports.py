"""What the operations subgraph is made over."""

from __future__ import annotations

from dataclasses import dataclass

from events.ports import EventLog
from processes.decision_api import OperatorDesk
from resolvers.operations.figures import FactSource
from systems.ports import (
    Clock,
    DeadLetterStore,
    OrderLedger,
    ProcessLog,
    QuoteStore,
    SystemHealthBoard,
    TaskQueue,
)

__all__ = ["OperationsPorts"]


@dataclass(frozen=True, slots=True)
class OperationsPorts:
    """Ports of the operations subgraph.

    Attributes:
        processes: how processes went.
        tasks: what people must decide.
        dead_letters: what could not be handled.
        events: the event log.
        orders: submitted orders: whose they are and which quote they come from.
        quotes: quotes: whose they are.
        health: how connected systems do.
        facts: what the event log adds up to.
        clock: where time comes from.
        desk: takes what operators do.
    """

    processes: ProcessLog
    tasks: TaskQueue
    dead_letters: DeadLetterStore
    events: EventLog
    orders: OrderLedger
    quotes: QuoteStore
    health: SystemHealthBoard
    facts: FactSource
    clock: Clock
    desk: OperatorDesk

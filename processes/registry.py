"""Every process there is: its name, its input and its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from processes.fulfilment import DELAY, DELIVERY, SHIPMENT_DELAY, SHIPMENT_DELIVERY, SHIPMENT_TENDER, TENDER
from processes.order_case import OrderCase, OrderRequest
from processes.order_submit import ORDER_SUBMIT
from processes.quote_case import QuoteCase, QuoteRequest
from processes.quote_prepare import QUOTE_PREPARE
from processes.shipment_case import ShipmentCase, ShipmentRequest
from processes.steps import Step

__all__ = ["ORDER", "PROCESSES", "QUOTE", "Process"]


@dataclass(frozen=True, slots=True)
class Process:
    """A kind of process.

    Attributes:
        name: stable name; journal and process log know it by this.
        request: record of its input, with a ``process_id``.
        case: makes the case of a run from request, dependencies and ``resumed``.
        steps: what it does.
    """

    name: str
    request: type[Any]
    case: Callable[..., Any]
    steps: tuple[Step[Any], ...]


ORDER = Process("ORDER_SUBMISSION", OrderRequest, OrderCase, ORDER_SUBMIT)
QUOTE = Process("QUOTE_PREPARATION", QuoteRequest, QuoteCase, QUOTE_PREPARE)
PROCESSES = (
    ORDER,
    QUOTE,
    Process(TENDER, ShipmentRequest, ShipmentCase, SHIPMENT_TENDER),
    Process(DELAY, ShipmentRequest, ShipmentCase, SHIPMENT_DELAY),
    Process(DELIVERY, ShipmentRequest, ShipmentCase, SHIPMENT_DELIVERY),
)

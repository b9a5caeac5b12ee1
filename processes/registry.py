"""Every process there is: its name, its input and its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from processes.account_case import ACCOUNT_CHANGED, AccountCase, AccountChangeRequest
from processes.account_change import ACCOUNT_CHANGE
from processes.account_merge import ACCOUNT_MERGE
from processes.amend_case import CANCELLATION, CHANGE, AmendCase, AmendRequest
from processes.fulfilment import DELAY, DELIVERY, SHIPMENT_DELAY, SHIPMENT_DELIVERY, SHIPMENT_TENDER, TENDER
from processes.invoice_case import INVOICE, InvoiceCase, InvoiceRequest
from processes.invoicing import INVOICE_POSTING
from processes.merge_case import ACCOUNT_MERGED, MergeCase, MergeRequest
from processes.onboarding import CUSTOMER_ONBOARDING
from processes.onboarding_case import ONBOARDING, OnboardingCase, OnboardingRequest
from processes.order_cancel import ORDER_CANCEL
from processes.order_case import OrderCase, OrderRequest
from processes.order_change import ORDER_CHANGE
from processes.order_submit import ORDER_SUBMIT
from processes.quote_case import QuoteCase, QuoteRequest
from processes.quote_prepare import QUOTE_PREPARE
from processes.return_case import RETURN, ReturnCase, ReturnRequest
from processes.return_goods import RETURN_GOODS
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

    def parted(self, begins_at: str | None) -> tuple[tuple[Step[Any], ...], tuple[Step[Any], ...]]:
        """Return the steps before a step, and those from it on; None is before the first.

        Raises:
            ValueError: the process has no such step.
        """
        names = [step.name for step in self.steps]
        at = 0 if begins_at is None else names.index(begins_at)
        return self.steps[:at], self.steps[at:]


ORDER = Process("ORDER_SUBMISSION", OrderRequest, OrderCase, ORDER_SUBMIT)
QUOTE = Process("QUOTE_PREPARATION", QuoteRequest, QuoteCase, QUOTE_PREPARE)
PROCESSES = (
    ORDER,
    QUOTE,
    Process(TENDER, ShipmentRequest, ShipmentCase, SHIPMENT_TENDER),
    Process(DELAY, ShipmentRequest, ShipmentCase, SHIPMENT_DELAY),
    Process(DELIVERY, ShipmentRequest, ShipmentCase, SHIPMENT_DELIVERY),
    Process(ACCOUNT_CHANGED, AccountChangeRequest, AccountCase, ACCOUNT_CHANGE),
    Process(ACCOUNT_MERGED, MergeRequest, MergeCase, ACCOUNT_MERGE),
    Process(ONBOARDING, OnboardingRequest, OnboardingCase, CUSTOMER_ONBOARDING),
    Process(CHANGE, AmendRequest, AmendCase, ORDER_CHANGE),
    Process(CANCELLATION, AmendRequest, AmendCase, ORDER_CANCEL),
    Process(RETURN, ReturnRequest, ReturnCase, RETURN_GOODS),
    Process(INVOICE, InvoiceRequest, InvoiceCase, INVOICE_POSTING),
)

"""Every process there is: its name, its input and its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from processes import (
    account_change,
    account_edit,
    account_merge,
    fulfilment,
    invoicing,
    onboarding,
    order_cancel,
    order_change,
    order_split,
    order_submit,
    quote_prepare,
    return_goods,
)
from processes.account_case import ACCOUNT_CHANGED, ACCOUNT_EDITED, AccountCase, AccountChangeRequest
from processes.account_change import ACCOUNT_CHANGE
from processes.account_edit import ACCOUNT_EDIT
from processes.account_merge import ACCOUNT_MERGE
from processes.amend_case import CANCELLATION, CHANGE, SPLIT, AmendCase, AmendRequest
from processes.fulfilment import DELAY, DELIVERY, SHIPMENT_DELAY, SHIPMENT_DELIVERY, SHIPMENT_TENDER, TENDER
from processes.invoice_case import INVOICE, InvoiceCase, InvoiceRequest
from processes.invoicing import INVOICE_POSTING
from processes.merge_case import ACCOUNT_MERGED, MergeCase, MergeRequest
from processes.onboarding import CUSTOMER_ONBOARDING
from processes.onboarding_case import ONBOARDING, OnboardingCase, OnboardingRequest
from processes.order_cancel import ORDER_CANCEL
from processes.order_case import OrderCase, OrderRequest
from processes.order_change import ORDER_CHANGE
from processes.order_split import ORDER_SPLIT
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
        title: what it is called beside the others, with its number.
        request: record of its input, with a ``process_id``.
        case: makes the case of a run from request, dependencies and ``resumed``.
        steps: what it does.
        about: what there is to know of it, as the module of its steps says it.
    """

    name: str
    title: str
    request: type[Any]
    case: Callable[..., Any]
    steps: tuple[Step[Any], ...]
    about: str | None

    def parted(self, begins_at: str | None) -> tuple[tuple[Step[Any], ...], tuple[Step[Any], ...]]:
        """Return the steps before a step, and those from it on; None is before the first.

        Raises:
            ValueError: the process has no such step.
        """
        names = [step.name for step in self.steps]
        at = 0 if begins_at is None else names.index(begins_at)
        return self.steps[:at], self.steps[at:]


# fmt: off
ORDER = Process("ORDER_SUBMISSION", "P3 Order submission", OrderRequest, OrderCase, ORDER_SUBMIT, order_submit.__doc__)
QUOTE = Process("QUOTE_PREPARATION", "P2 Quote to order", QuoteRequest, QuoteCase, QUOTE_PREPARE, quote_prepare.__doc__)
PROCESSES = (
    ORDER,
    QUOTE,
    Process(TENDER, "P4 Tender of a shipment", ShipmentRequest, ShipmentCase, SHIPMENT_TENDER, fulfilment.__doc__),
    Process(DELAY, "P4 Delay of a shipment", ShipmentRequest, ShipmentCase, SHIPMENT_DELAY, fulfilment.__doc__),
    Process(DELIVERY, "P4 Delivery of a shipment", ShipmentRequest, ShipmentCase, SHIPMENT_DELIVERY,
            fulfilment.__doc__),
    Process(ACCOUNT_CHANGED, "P9 Account change", AccountChangeRequest, AccountCase, ACCOUNT_CHANGE,
            account_change.__doc__),
    Process(ACCOUNT_EDITED, "P9 Account edit in the CRM", AccountChangeRequest, AccountCase, ACCOUNT_EDIT,
            account_edit.__doc__),
    Process(ACCOUNT_MERGED, "P9 Account merge", MergeRequest, MergeCase, ACCOUNT_MERGE, account_merge.__doc__),
    Process(ONBOARDING, "P1 Customer onboarding", OnboardingRequest, OnboardingCase, CUSTOMER_ONBOARDING,
            onboarding.__doc__),
    Process(CHANGE, "P7 Order change", AmendRequest, AmendCase, ORDER_CHANGE, order_change.__doc__),
    Process(SPLIT, "P3 Order split", AmendRequest, AmendCase, ORDER_SPLIT, order_split.__doc__),
    Process(CANCELLATION, "P7 Order cancellation", AmendRequest, AmendCase, ORDER_CANCEL, order_cancel.__doc__),
    Process(RETURN, "P6 Return", ReturnRequest, ReturnCase, RETURN_GOODS, return_goods.__doc__),
    Process(INVOICE, "P5 Invoice posting", InvoiceRequest, InvoiceCase, INVOICE_POSTING, invoicing.__doc__),
)
# fmt: on

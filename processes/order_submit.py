"""P3, order submission: from a channel's order to goods on their way through the warehouse.

RECEIVED until the ERP has answered, then ACCEPTED; ON_HOLD while a person decides; REJECTED when it cannot become an
order, CANCELLED when the ERP had accepted it before that came out. At a gate a held order waits until its holds are
released (``processes/order_hold.py``); the steps that held are done anew then.
"""

from __future__ import annotations

from processes.order_case import OrderCase
from processes.order_commit import allocate, cancel_in_erp, create_in_erp, deallocate
from processes.order_delivery import acknowledge, cancel_releases, release
from processes.order_hold import ORDER_HOLD
from processes.order_intake import enrich, receive, refuse, validate
from processes.order_pricing import check_credit, price_order
from processes.order_sourcing import give_back, look_up_reservation, reserve
from processes.steps import Outage, Step
from schema.enums import SourceSystem

__all__ = ["ORDER_SUBMIT"]

_PLATFORM, _CRM, _ERP, _WMS = (
    SourceSystem.PLATFORM,
    SourceSystem.CRM,
    SourceSystem.CLOUD_ERP,
    SourceSystem.WMS,
)

# fmt: off
ORDER_SUBMIT: tuple[Step[OrderCase], ...] = (
    Step("receive",     _PLATFORM, "{process}",         receive,       undo=refuse),
    Step("enrich",      _CRM,      "or:{id}:ctx",       enrich,        outage=Outage.SKIP, joins=True),
    Step("validate",    _PLATFORM, "or:{id}:val",       validate,      joins=True),
    Step("price",       _ERP,      "or:{id}:price:1",   price_order,   joins=True),
    Step("credit",      _ERP,      "or:{id}:credit:1",  check_credit,  waits=ORDER_HOLD, joins=True),
    Step("reserve",     _PLATFORM, "or:{id}:resv",      reserve,       undo=give_back, outage=Outage.SKIP,
         look_up=look_up_reservation, joins=True),
    Step("create",      _ERP,      "or:{id}:erp",       create_in_erp, undo=cancel_in_erp, timeout_s=4.0,
         waits=ORDER_HOLD),
    Step("allocate",    _ERP,      "or:{id}:alloc:1",   allocate,      undo=deallocate, decides=True),
    Step("release",     _WMS,      "or:{id}:rel",       release,       undo=cancel_releases, waits=ORDER_HOLD),
    Step("acknowledge", _CRM,      "or:{id}:ack:CRM:1", acknowledge,   outage=Outage.DEAD_LETTER, joins=True),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""

"""P6, returns: a customer sends goods back and gets a credit, or the goods anew.

REQUESTED, APPROVED when they may come, IN_TRANSIT when ERP and warehouse expect them, RECEIVED and INSPECTED as the
warehouse tells, CREDITED or REPLACED, CLOSED. DENIED when they may not come; closed early when nothing comes. From
their arrival on there is no way back: what does not fit then is decided by a person. When the order that replaces the
goods is cancelled before the return has ended, they are credited after all; afterwards a person is asked to.
"""

from __future__ import annotations

from processes.return_authorise import (
    APPROVAL,
    announce,
    authorise,
    cancel_receipt,
    cancel_rma,
    check,
    create_rma,
    expect_receipt,
    request,
    take_back,
)
from processes.return_case import ReturnCase
from processes.return_receipt import (
    ARRIVAL,
    DIFFERENCE,
    allocate_replacement,
    close,
    compare,
    create_replacement,
    credit,
    place_replacement,
    post_receipt,
    receive,
    release_replacement,
    settle_replacement,
)
from processes.steps import Step
from schema.enums import SourceSystem

__all__ = ["RETURN_GOODS"]

_PLATFORM, _ERP, _WMS = SourceSystem.PLATFORM, SourceSystem.CLOUD_ERP, SourceSystem.WMS

# fmt: off
RETURN_GOODS: tuple[Step[ReturnCase], ...] = (
    Step("check",     _ERP,      "{process}",             check),
    Step("request",   _PLATFORM, "{process}",             request,        undo=take_back),
    Step("authorise", _PLATFORM, "rma:{return}:auth",     authorise,      waits=APPROVAL),
    Step("erp",       _ERP,      "rma:{return}:erp",      create_rma,     undo=cancel_rma, timeout_s=30.0),
    Step("wms",       _WMS,      "rma:{return}:wms",      expect_receipt, undo=cancel_receipt, timeout_s=30.0),
    Step("announce",  _PLATFORM, "rma:{return}:told",     announce,       decides=True),
    Step("receive",   _WMS,      "rma:{return}:wms",      receive,        waits=ARRIVAL),
    Step("compare",   _PLATFORM, "rma:{return}:compare",  compare,        waits=DIFFERENCE),
    Step("post",      _ERP,      "rma:{return}:receipt",  post_receipt),
    Step("credit",    _ERP,      "rma:{return}:credit",   credit),
    Step("place",     _PLATFORM, "rma:{return}:repl",     place_replacement),
    Step("create",    _ERP,      "or:ord_{return}:erp",   create_replacement),
    Step("allocate",  _ERP,      "or:ord_{return}:alloc", allocate_replacement),
    Step("release",   _WMS,      "or:ord_{return}:rel",   release_replacement),
    Step("replace",   _ERP,      "rma:{return}:repl",     settle_replacement),
    Step("close",     _PLATFORM, "rma:{return}:closed",   close),
)
# fmt: on
"""The process: step, system, idempotency key, what it does, and beside it what takes it back."""

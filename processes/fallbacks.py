"""What the platform does instead while a system is out: one cell per system and operation, as data.

Where there is no cell, the operation asks nothing of the system. The time of a cell bounds how old an answer from
memory may be, or how long work is kept for the system.

- A system is out while its circuit is open: half of at least 20 calls in 30 s got no answer, or the p95 of at least 20
  answers was more than three times its budget (`systems.<name>.budget`, by default 1.5 s of a `timeout` of 5 s). After
  30 s one call probes it, and any answer closes the circuit.
- An ERP's cells are about accounts and orders that are at home in it. Items and lists are the cloud ERP's for all.
- Finance is the ERP's own here: its figures are out when the ERP is. They are not remembered, because a limit that was
  free an hour ago is no ground for an order now: the order waits.
- PLATFORM stands for what carries news from one program to another. The log keeps everything, whoever follows looks.
- Partners (EDI, suppliers) are asked nothing: no operation waits for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from processes.rules.staleness import SAFE_FOR
from schema.enums import SourceSystem

__all__ = ["FALLBACKS", "Behaviour", "Fallback", "Operation", "fallback"]


class Operation(StrEnum):
    """What somebody wants of the platform."""

    PRICE = "PRICE"
    PROMISE = "PROMISE"
    SUBMIT = "SUBMIT"
    CHANGE = "CHANGE"
    STATUS = "STATUS"


class Behaviour(StrEnum):
    """What is done instead."""

    REMEMBERED = "REMEMBERED"
    """The last answer is given and marked as stale; nothing is known means that the system is named as unavailable."""

    WITHOUT = "WITHOUT"
    """The answer is given without what the system would have added, and says so."""

    BUFFERED = "BUFFERED"
    """The work is accepted and waits for the system."""

    READ_MODEL = "READ_MODEL"
    """The platform's own records and events answer."""

    NULL = "NULL"
    """The fields of the system are null, each with an error that names it; everything else is answered."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """One cell."""

    behaviour: Behaviour
    within: timedelta | None = None


_DAY = timedelta(hours=24)
_S, _O, _B = SourceSystem, Operation, Behaviour

FALLBACKS: Mapping[tuple[SourceSystem, Operation], Fallback] = {
    (_S.CLOUD_ERP, _O.PRICE): Fallback(_B.REMEMBERED, _DAY),
    (_S.CLOUD_ERP, _O.PROMISE): Fallback(_B.WITHOUT, _DAY),
    (_S.CLOUD_ERP, _O.SUBMIT): Fallback(_B.BUFFERED, _DAY),
    (_S.CLOUD_ERP, _O.CHANGE): Fallback(_B.BUFFERED, _DAY),
    (_S.CLOUD_ERP, _O.STATUS): Fallback(_B.READ_MODEL),
    (_S.LEGACY_ERP, _O.PRICE): Fallback(_B.REMEMBERED, _DAY),
    (_S.LEGACY_ERP, _O.SUBMIT): Fallback(_B.BUFFERED, _DAY),
    (_S.LEGACY_ERP, _O.CHANGE): Fallback(_B.BUFFERED, _DAY),
    (_S.LEGACY_ERP, _O.STATUS): Fallback(_B.READ_MODEL),
    (_S.FINANCE, _O.SUBMIT): Fallback(_B.BUFFERED, _DAY),
    (_S.FINANCE, _O.CHANGE): Fallback(_B.BUFFERED, _DAY),
    (_S.FINANCE, _O.STATUS): Fallback(_B.NULL),
    (_S.WMS, _O.PROMISE): Fallback(_B.REMEMBERED, SAFE_FOR),
    (_S.WMS, _O.SUBMIT): Fallback(_B.BUFFERED),
    (_S.WMS, _O.CHANGE): Fallback(_B.BUFFERED),
    (_S.WMS, _O.STATUS): Fallback(_B.READ_MODEL),
    (_S.TMS, _O.SUBMIT): Fallback(_B.BUFFERED),
    (_S.TMS, _O.STATUS): Fallback(_B.READ_MODEL),
    (_S.CRM, _O.PRICE): Fallback(_B.REMEMBERED, _DAY),
    (_S.CRM, _O.SUBMIT): Fallback(_B.BUFFERED),
    (_S.CRM, _O.CHANGE): Fallback(_B.BUFFERED),
    (_S.CRM, _O.STATUS): Fallback(_B.NULL),
    (_S.PLATFORM, _O.STATUS): Fallback(_B.READ_MODEL),
}
"""Every cell."""


def fallback(system: SourceSystem, operation: Operation) -> Fallback | None:
    """Return what is done instead, None when the operation asks nothing of the system."""
    return FALLBACKS.get((system, operation))

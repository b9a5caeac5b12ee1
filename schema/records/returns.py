"""Records of returns on their way: what the platform has of one, and what ERP and warehouse are told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from schema.enums import ReturnStatus
from schema.records.orders import Return, ReturnLine
from schema.records.values import Money

__all__ = ["CREDIT", "REPLACE", "ExpectedReturn", "LedgerReturn", "NewReturn", "ReturnDecision", "return_id"]

CREDIT, REPLACE = "CREDIT", "REPLACE"
"""What the customer wants for the goods."""


def return_id(number: str) -> str:
    """Return the platform id of a return."""
    return f"rma_{number}"


@dataclass(frozen=True, slots=True)
class ReturnDecision:
    """What a person decided about a return.

    Attributes:
        id: what makes the decision the same when it is sent again.
        on: status of the return that was decided about: REQUESTED or INSPECTED.
    """

    id: str
    on: ReturnStatus
    approved: bool
    by: str
    at: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class LedgerReturn:
    """The platform's record of a return that was requested here. ``version`` grows with every change of it.

    Attributes:
        lines: what is to come back, in base units.
        received: what came back, as far as it is inspected, with what becomes of it.
        value: what the goods were sold for, without tax.
        warehouse_code: where they are sent.
        refusal: why it was denied or closed early.
    """

    id: str
    number: str
    version: int
    order_id: str
    account_id: str
    status: ReturnStatus
    resolution: str
    lines: tuple[ReturnLine, ...]
    value: Money
    warehouse_code: str
    requested_by: str
    requested_at: datetime
    process_id: str
    received: tuple[ReturnLine, ...] = ()
    credit: Money | None = None
    decisions: tuple[ReturnDecision, ...] = ()
    refusal: str | None = None

    @property
    def shown(self) -> Return:
        """The return as everybody sees it."""
        came = {line.line_no: line for line in self.received}
        lines = tuple(replace(came.get(line.line_no, line), reason=line.reason) for line in self.lines)
        return Return(
            id=self.id,
            rma_number=self.number,
            account_id=self.account_id,
            order_id=self.order_id,
            status=self.status,
            lines=lines,
            credit=self.credit,
            created_at=self.requested_at,
        )

    def decision(self, on: ReturnStatus) -> ReturnDecision | None:
        """Return what was decided while the return had a status, None while nothing was."""
        return next((entry for entry in self.decisions if entry.on is on), None)


@dataclass(frozen=True, slots=True)
class NewReturn:
    """A return to create in the ERP. ``key`` is ``rma:{id}:erp``."""

    key: str
    rma_number: str
    order_id: str
    lines: tuple[ReturnLine, ...]


@dataclass(frozen=True, slots=True)
class ExpectedReturn:
    """A return that a warehouse is to expect. ``key`` is ``rma:{id}:wms``."""

    key: str
    rma_number: str
    order_id: str
    account_id: str
    warehouse_code: str
    lines: tuple[ReturnLine, ...]

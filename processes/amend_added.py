"""Lines that an order gets by a change: as the ERP takes them, when they cannot be had after all, and what is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from processes.amend_case import AmendCase
from processes.amend_stock import stockout
from schema.events.envelope import Event
from schema.records.orders import LedgerLine, LedgerOrder, NewErpLine
from schema.records.problems import Stockout
from systems.ports import AllocationResult

__all__ = ["new_erp_line", "short_of_added", "substitutions_told"]

_NONE = Decimal(0)


def new_erp_line(line: LedgerLine) -> NewErpLine:
    """Return a line as the ERP takes it; it ships from where its goods are held."""
    if line.unit_price is None:
        raise ValueError(f"line {line.line_no} has no price")
    code = line.allocations[0].warehouse_code if line.allocations else None
    return NewErpLine(
        line.line_no, line.sku, line.description, line.quantity, line.unit_price, line.requested_date, code
    )


def short_of_added(
    case: AmendCase, lines: Sequence[LedgerLine], results: Mapping[int, Sequence[AllocationResult]]
) -> list[Stockout]:
    """Return added lines that the ERP has not set aside as a whole: another item that lacks, too, helps nobody."""
    added, found = {entry.line_no for entry in case.amendment.added}, list[Stockout]()
    for line in lines:
        got = sum((entry.allocated for entry in results.get(line.line_no, ())), _NONE)
        if line.line_no in added and got < line.wanted:
            found.append(stockout(line, got))
    return found


def substitutions_told(case: AmendCase, order: LedgerOrder) -> list[Event]:
    """Return what is told of each line that came in place of what another gave up."""
    lines, told = {line.line_no: line for line in order.lines}, list[Event]()
    for entry in case.amendment.added:
        facts = {
            "lineNo": entry.replaces,
            "substituted": lines[entry.replaces].sku,
            "substituteLineNo": entry.line_no,
            "sku": entry.sku,
            "quantity": str(entry.quantity.value),
            "uom": entry.quantity.uom,
            "status": order.status.value,
        }
        told.append(case.told("order.line.substituted", f"substituted:{entry.replaces}", facts))
    return told

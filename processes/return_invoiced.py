"""Whether what came back is invoiced: nobody gets money back that was never asked for.

The invoice comes after the goods have left, and one that is corrected is credited before what is owed is billed anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from processes.return_case import ReturnCase
from processes.rules.uom import factor
from schema.enums import ReturnStatus, SourceSystem
from schema.records.catalog import Item
from schema.records.problems import ValidationFailed
from schema.records.returns import CREDIT, LedgerReturn
from systems.errors import Unavailable

__all__ = ["require_invoiced"]


async def require_invoiced(case: ReturnCase, entry: LedgerReturn) -> None:
    """Return when what came back, and what is credited of the order besides, is invoiced; what costs nothing always is.

    Raises:
        Unavailable: it is not invoiced yet; the runner looks again, and asks a person in the end.
        ConnectorError: the ERP or the platform's ledgers do not answer.
    """
    document = (await case.use.erp.orders([case.order_id])).get(case.order_id)
    if document is None:
        return
    items = await case.use.erp.items(sorted({line.sku for line in document.lines}))
    credited = await _credited(case, entry, items)
    lines = {line.line_no: line for line in document.lines}
    for came in entry.received:
        sold = lines.get(came.line_no)
        if sold is None or sold.unit_price.amount == 0:
            continue
        invoiced = sold.invoiced * _per_base(sold.uom, items.get(sold.sku))
        wanted = came.quantity.value * _per_base(came.quantity.uom, items.get(sold.sku)) + credited[came.line_no]
        if wanted > invoiced:
            said = (
                f"{invoiced:f} of line {came.line_no} are invoiced and {wanted:f} have come back: "
                f"return {entry.number} is credited when they are"
            )
            raise Unavailable(SourceSystem.PLATFORM, "credit return", said, outcome_unknown=False)


async def _credited(case: ReturnCase, entry: LedgerReturn, items: Mapping[str, Item]) -> Mapping[int, Decimal]:
    """Return what other returns of the order have credited per line, or will before this one."""
    recorded = (await case.use.returns.returns_of_orders([case.order_id]))[case.order_id]
    documents = (await case.use.erp.returns_of_orders([case.order_id])).get(case.order_id, ())
    known = {other.id for other in recorded}
    others = [other.shown for other in recorded if other.id != entry.id and _is_before(other, entry)]
    others += [other for other in documents if other.id not in known and other.credit is not None]
    found: dict[int, Decimal] = defaultdict(Decimal)
    for other in others:
        for line in other.lines:
            found[line.line_no] += line.quantity.value * _per_base(line.quantity.uom, items.get(line.sku))
    return found


def _is_before(other: LedgerReturn, entry: LedgerReturn) -> bool:
    is_about_to = other.status is ReturnStatus.INSPECTED and other.resolution == CREDIT and other.id < entry.id
    return other.credit is not None or is_about_to


def _per_base(uom: str, item: Item | None) -> Decimal:
    found = None if item is None else factor(uom, item)
    return Decimal(1) if found is None or isinstance(found, ValidationFailed) else found

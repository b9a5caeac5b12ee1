"""What of a list's conditions each system can check for itself, so that what cannot match is not read.

An order is shown with the status that its halves make together, and each half alone may say something else.

1. The ledger gives every order of its own that may match: the statuses that can be merged into a wanted one, see
   :func:`resolvers.orders.merge.recorded_statuses`. The documents of these orders are read by id where the ERP's list
   lacks them.
2. The ERP's list is needed for orders that were entered in the ERP itself. Their status is the document's own, and
   nothing can be recorded about them.
3. Exceptions are late shipments, which only orders that are open have, and recorded problems, which the ledger counts
   as they are written.
4. Which warehouses have to do with its orders, the ledger knows; an ERP gives those of all.

What is given may still not match: every condition is checked on the merged order.
"""

from __future__ import annotations

from dataclasses import replace

from resolvers.orders.fulfilment import OPEN
from resolvers.orders.merge import recorded_statuses
from schema.enums import OrderStatus
from schema.orders.queries import OrderQuery
from schema.records.orders import OrderFilter

__all__ = ["erp_scope", "ledger_scope"]


def ledger_scope(query: OrderQuery) -> OrderFilter:
    """Return what the ledger is asked for."""
    statuses = None if query.statuses is None else recorded_statuses(query.statuses)
    return replace(
        query.scope,
        statuses=statuses,
        may_have_exceptions=query.with_exceptions is True,
        warehouses=query.warehouses,
    )


def erp_scope(query: OrderQuery) -> OrderFilter:
    """Return what the ERP is asked for."""
    if query.with_exceptions is not True:
        return replace(query.scope, statuses=query.statuses)
    wanted = OrderStatus if query.statuses is None else query.statuses
    return replace(query.scope, statuses=tuple(status for status in wanted if status in OPEN))

"""What the accounts subgraph is made over."""

from __future__ import annotations

from dataclasses import dataclass

from systems.ports import AccountDirectory, CaseDesk, Clock, CustomerMaster, SalesContext

__all__ = ["AccountPorts"]


@dataclass(frozen=True, slots=True)
class AccountPorts:
    """Ports of the accounts subgraph.

    Attributes:
        directory: who the customers are.
        sales: opportunities.
        cases: service cases.
        customers: terms, credit and delivery places, as the home ERP has them.
        clock: where time comes from.
    """

    directory: AccountDirectory
    sales: SalesContext
    cases: CaseDesk
    customers: CustomerMaster
    clock: Clock

"""What the accounts subgraph is made over."""

from __future__ import annotations

from dataclasses import dataclass

from events.ports import EventLog
from processes.api import AccountStarter
from systems.ports import (
    AccountDirectory,
    AccountMerges,
    CaseDesk,
    Clock,
    CustomerMaster,
    KeyRegistry,
    OnboardingStore,
    OrderBook,
    OrderLedger,
    ProcessLog,
    SalesContext,
)

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
        ledger: orders that were submitted here, which a case may be about.
        erp_orders: orders as the ERP has them, which know also those of elsewhere.
        keys: client idempotency keys.
        events: the event log.
        onboardings: requests to become a customer.
        merges: accounts that were found to be the same.
        processes: how processes went.
        starter: starts onboarding and changes of accounts, takes decisions.
    """

    directory: AccountDirectory
    sales: SalesContext
    cases: CaseDesk
    customers: CustomerMaster
    clock: Clock
    ledger: OrderLedger
    erp_orders: OrderBook
    keys: KeyRegistry
    events: EventLog
    onboardings: OnboardingStore
    merges: AccountMerges
    processes: ProcessLog
    starter: AccountStarter

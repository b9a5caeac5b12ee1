"""What processes and resolvers want of systems of record: one Protocol per capability.

Rules for every port:

- Reads are bulk: ids in, a mapping out; an id that the system does not know is absent from the mapping. However many
  ids, the number of calls to the vendor is constant per page of the vendor's own limit.
- Every method raises :class:`systems.errors.ConnectorError` and nothing else of the vendor's or the HTTP library's.
- Writes carry an idempotency key and are safe to repeat: the second call finds what the first made.
- Ids are platform ids; each system carries them in an external-id field, so there is no cross-walk to keep in step.
- Writes of the platform's ledgers take ``events``: they enter the event log in the same commit as the change, or not at
  all. A write that finds its effect done already appends nothing.
- Reads of one call are consistent with each other as far as the vendor is.
"""

from systems.ports.calls import BAD_CURSOR, CallObserver, Clock, SystemCall, SystemHealth, SystemHealthBoard
from systems.ports.crm import AccountDirectory, AccountRegistry, CaseDesk, OrderMirror, QuoteMirror, SalesContext
from systems.ports.customers import CustomerMaster, CustomerRegistry
from systems.ports.items import ItemMaster, PriceBook, PriceChanges
from systems.ports.lines import Line, Place, WaitingLines
from systems.ports.merges import AccountMerges
from systems.ports.onboardings import OnboardingStore
from systems.ports.orders import AllocationResult, InvoiceBook, InvoiceCorrections, InvoicePostings, OrderBook
from systems.ports.processes import FeedCursors, KeyRegistry, KeyUse, ProcessLog, Waiting
from systems.ports.reservations import ReservationLedger
from systems.ports.returns import ReturnBook, ReturnDesk, ReturnLedger
from systems.ports.submissions import OrderLedger, QuoteStore
from systems.ports.tasks import DeadLetterStore, TaskQueue
from systems.ports.transport import TenderRequest, TransportDesk
from systems.ports.warehouse import HoldOutcome, ReleaseRequest, ReleaseResult, StockBook, WarehouseFloor

__all__ = [
    "BAD_CURSOR",
    "AccountDirectory",
    "AccountMerges",
    "AccountRegistry",
    "AllocationResult",
    "CallObserver",
    "CaseDesk",
    "Clock",
    "CustomerMaster",
    "CustomerRegistry",
    "DeadLetterStore",
    "FeedCursors",
    "HoldOutcome",
    "InvoiceBook",
    "InvoiceCorrections",
    "InvoicePostings",
    "ItemMaster",
    "KeyRegistry",
    "KeyUse",
    "Line",
    "OnboardingStore",
    "OrderBook",
    "OrderLedger",
    "OrderMirror",
    "Place",
    "PriceBook",
    "PriceChanges",
    "ProcessLog",
    "QuoteMirror",
    "QuoteStore",
    "ReleaseRequest",
    "ReleaseResult",
    "ReservationLedger",
    "ReturnBook",
    "ReturnDesk",
    "ReturnLedger",
    "SalesContext",
    "StockBook",
    "SystemCall",
    "SystemHealth",
    "SystemHealthBoard",
    "TaskQueue",
    "TenderRequest",
    "TransportDesk",
    "Waiting",
    "WaitingLines",
    "WarehouseFloor",
]

"""The platform's own ledgers: submissions, quotes, onboardings, reservations, tasks, keys, processes, letters."""

from systems.platform.cursors import PlatformFeedCursors
from systems.platform.database import AppendEvents, Database
from systems.platform.dead_letters import PlatformDeadLetterStore
from systems.platform.keys import PlatformKeyRegistry
from systems.platform.lines import PlatformWaitingLines
from systems.platform.merges import PlatformAccountMerges
from systems.platform.onboardings import PlatformOnboardingStore
from systems.platform.orders import PlatformOrderLedger
from systems.platform.process_log import PlatformProcessLog
from systems.platform.quotes import PlatformQuoteStore
from systems.platform.reservations import PlatformReservationLedger
from systems.platform.returns import PlatformReturnLedger
from systems.platform.stock import PlatformStockBook
from systems.platform.tasks import PlatformTaskQueue

__all__ = [
    "AppendEvents",
    "Database",
    "PlatformAccountMerges",
    "PlatformDeadLetterStore",
    "PlatformFeedCursors",
    "PlatformKeyRegistry",
    "PlatformOnboardingStore",
    "PlatformOrderLedger",
    "PlatformProcessLog",
    "PlatformQuoteStore",
    "PlatformReservationLedger",
    "PlatformReturnLedger",
    "PlatformStockBook",
    "PlatformTaskQueue",
    "PlatformWaitingLines",
]

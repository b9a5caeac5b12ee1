"""The platform's own database with its ledgers, event log and inbox, opened together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from events.audit import SqlAuditLog
from events.bus import Bus, MemoryBus, RedisBus
from events.inbox import Inbox
from events.log import SqlEventLog
from events.projections.projector import FactProjection
from systems.platform import (
    Database,
    PlatformAccountMerges,
    PlatformDeadLetterStore,
    PlatformFeedCursors,
    PlatformKeyRegistry,
    PlatformOnboardingStore,
    PlatformOrderLedger,
    PlatformProcessLog,
    PlatformQuoteStore,
    PlatformReservationLedger,
    PlatformReturnLedger,
    PlatformStockBook,
    PlatformTaskQueue,
    PlatformWaitingLines,
)

__all__ = ["Platform", "open_platform"]


@dataclass(frozen=True, slots=True)
class Platform:
    """What the platform itself is the system of record of."""

    database: Database
    events: SqlEventLog
    inbox: Inbox
    orders: PlatformOrderLedger
    returns: PlatformReturnLedger
    cursors: PlatformFeedCursors
    quotes: PlatformQuoteStore
    onboardings: PlatformOnboardingStore
    merges: PlatformAccountMerges
    reservations: PlatformReservationLedger
    stock: PlatformStockBook
    tasks: PlatformTaskQueue
    keys: PlatformKeyRegistry
    process_log: PlatformProcessLog
    lines: PlatformWaitingLines
    dead_letters: PlatformDeadLetterStore
    facts: FactProjection
    audit: SqlAuditLog


@asynccontextmanager
async def open_platform(database_url: str, redis_url: str | None) -> AsyncIterator[Platform]:
    """Open the database and everything over it; without Redis the news of events stays in this process.

    Raises:
        ValueError: the URL is not one of a platform database.
        Unavailable: the database does not answer.
    """
    async with Database(database_url) as database, _bus(redis_url) as bus:
        audit = SqlAuditLog(database)
        events = SqlEventLog(database, bus, audit.note)
        dead_letters = PlatformDeadLetterStore(database, events.append_in)
        yield Platform(
            database=database,
            events=events,
            inbox=Inbox(database, dead_letters.put, dead_letters.remove),
            orders=PlatformOrderLedger(database, events.append_in),
            returns=PlatformReturnLedger(database, events.append_in),
            cursors=PlatformFeedCursors(database),
            quotes=PlatformQuoteStore(database, events.append_in),
            onboardings=PlatformOnboardingStore(database, events.append_in),
            merges=PlatformAccountMerges(database, events.append_in),
            reservations=PlatformReservationLedger(database, events.append_in),
            stock=PlatformStockBook(database, events.append_in),
            tasks=PlatformTaskQueue(database, events.append_in),
            keys=PlatformKeyRegistry(database, audit.append_in),
            process_log=PlatformProcessLog(database, events.append_in),
            lines=PlatformWaitingLines(database),
            dead_letters=dead_letters,
            facts=FactProjection(database),
            audit=audit,
        )


@asynccontextmanager
async def _bus(redis_url: str | None) -> AsyncIterator[Bus]:
    if redis_url is None:
        yield MemoryBus()
        return
    redis = Redis.from_url(redis_url)
    try:
        yield RedisBus(redis)
    finally:
        await redis.aclose()

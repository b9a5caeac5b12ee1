"""The platform's ledger of soft reservations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from schema.enums import ReservationStatus
from schema.events.envelope import Event
from schema.records.inventory import Reservation, ReserveLine


class ReservationLedger(Protocol):
    """Soft reservations; single writer per sku and warehouse. System of record: platform."""

    async def reserve(
        self,
        key: str,
        account_id: str,
        lines: Sequence[ReserveLine],
        expires_at: datetime,
        now: datetime,
        events: Sequence[Event] = (),
    ) -> tuple[tuple[Reservation, ...], tuple[ReserveLine, ...]]:
        """Reserve every line or none, each by one atomic conditional decrement.

        Returns:
            (reservations, short): with ``short`` empty when all lines are held, else ``reservations`` empty and the
            lines that did not fit within their ``limit``. Repeating a key returns what it reserved before.
        """
        ...

    async def reserved(self, skus: Sequence[str], now: datetime) -> Mapping[tuple[str, str], Decimal]:
        """Return unexpired held quantity per (sku, warehouse code)."""
        ...

    async def reservations(self, ids: Sequence[str]) -> Mapping[str, Reservation]:
        """Return reservations by id."""
        ...

    async def settle(self, key: str, status: ReservationStatus) -> tuple[Reservation, ...]:
        """Turn what ``key`` holds into CONSUMED or RELEASED; what is settled already stays."""
        ...

    async def release(
        self, ids: Sequence[str], tell: Callable[[Reservation], Event] | None = None
    ) -> tuple[Reservation, ...]:
        """Turn held reservations into RELEASED and tell of each that was held until now."""
        ...

    async def expire(self, now: datetime, limit: int) -> tuple[Reservation, ...]:
        """Turn at most ``limit`` overdue held reservations into EXPIRED."""
        ...

"""Soft reservations: the single writer of what is held per sku and warehouse.

The held quantity of a position is one row that is changed by one conditional ``UPDATE``; the database's row lock is
what makes the last unit go to whoever commits first. Every transaction locks in the same order (request key,
reservations by id, balances by position), so two of them never wait for each other in a circle.

Invariant: a balance equals the sum of the HELD reservations of its position, because both change in one commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import ReservationStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.audit import Change
from schema.records.inventory import Reservation, ReserveLine
from systems.errors import Rejected
from systems.platform.columns import ExactQuantity
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.records import batches
from systems.platform.tables import reservation_balances as balances
from systems.platform.tables import reservation_requests as requests
from systems.platform.tables import reservations

__all__ = ["PlatformReservationLedger"]

Position = tuple[str, str]


class _DoesNotFit(Exception):
    """Some lines are short: carries them out of the transaction, which is rolled back by it."""

    def __init__(self, short: tuple[ReserveLine, ...]) -> None:
        super().__init__("lines do not fit within their limits")
        self.short = short


class PlatformReservationLedger:
    """:class:`systems.ports.ReservationLedger` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def reserve(
        self,
        key: str,
        account_id: str,
        lines: Sequence[ReserveLine],
        expires_at: datetime,
        now: datetime,
        events: Sequence[Event] = (),
    ) -> tuple[tuple[Reservation, ...], tuple[ReserveLine, ...]]:
        """Reserve every line or none, each by one atomic conditional increment of what its position holds.

        Overdue reservations of the same positions are given back first. A key whose lines did not fit stays unused.

        Returns:
            (reservations, short): ``short`` is empty when all lines are held.

        Raises:
            Rejected: a quantity is not positive, or a line is there twice for the same warehouse.
        """
        _check(lines)
        try:
            async with self._database.transaction("reserve") as connection:
                claim = insert_into(connection, requests, {"key": key, "requested_at": now})
                claimed = await connection.execute(claim.on_conflict_do_nothing().returning(requests.c.key))
                if claimed.first() is None:
                    return await _of_key(connection, key), ()
                positions = sorted({(line.sku, line.warehouse_code) for line in lines})
                await _expire_at(connection, positions, now)
                await self._hold(connection, positions, lines)
                in_order = sorted(lines, key=lambda entry: (entry.line_no, entry.warehouse_code))
                rows = [_row(key, account_id, line, expires_at) for line in in_order]
                if rows:
                    await connection.execute(reservations.insert(), rows)
                await self._append(connection, events)
                return tuple(_reservation(row) for row in rows), ()
        except _DoesNotFit as outcome:
            return (), outcome.short

    async def reserved(self, skus: Sequence[str], now: datetime) -> Mapping[tuple[str, str], Decimal]:
        """Return unexpired held quantity per (sku, warehouse code); positions that hold nothing are absent."""
        table = reservations
        held: dict[tuple[str, str], Decimal] = {}
        async with self._database.reading("reserved") as connection:
            for batch in batches(skus):
                rows = await connection.execute(
                    select(table.c.sku, table.c.warehouse_code, func.sum(table.c.quantity, type_=table.c.quantity.type))
                    .where(table.c.sku.in_(batch), _held(), table.c.expires_at > now)
                    .group_by(table.c.sku, table.c.warehouse_code)
                )
                held.update({(row[0], row[1]): row[2] for row in rows})
        return held

    async def reservations(self, ids: Sequence[str]) -> Mapping[str, Reservation]:
        """Return reservations by id."""
        found: dict[str, Reservation] = {}
        async with self._database.reading("reservations") as connection:
            for batch in batches(ids):
                rows = await connection.execute(select(reservations).where(reservations.c.id.in_(batch)))
                found.update({row.id: _reservation(row._mapping) for row in rows})  # noqa: SLF001 - SQLAlchemy's name
        return found

    async def settle(self, key: str, status: ReservationStatus) -> tuple[Reservation, ...]:
        """Turn what ``key`` holds into CONSUMED or RELEASED and return everything that ``key`` reserved.

        What is settled already stays as it is.

        Raises:
            Rejected: ``status`` is neither CONSUMED nor RELEASED.
        """
        if status not in (ReservationStatus.CONSUMED, ReservationStatus.RELEASED):
            raise Rejected(
                SourceSystem.PLATFORM,
                "settle reservations",
                f"{status} is not an end that a caller may choose: use CONSUMED or RELEASED",
                reason="BAD_STATUS",
                fields=("status",),
            )
        async with self._database.transaction("settle reservations") as connection:
            await _close(connection, reservations.c.key == key, status)
            return await _of_key(connection, key)

    async def release(
        self, ids: Sequence[str], tell: Callable[[Reservation], Event] | None = None
    ) -> tuple[Reservation, ...]:
        """Turn held reservations into RELEASED and return all of ``ids`` that exist, by id.

        Args:
            ids: which ones.
            tell: the event of one that was held until now, which enters the log in the same commit.
        """
        released: list[Reservation] = []
        closed: list[Reservation] = []
        async with self._database.transaction("release reservations") as connection:
            for batch in batches(sorted(ids)):
                chosen = reservations.c.id.in_(batch)
                closed += await _close(connection, chosen, ReservationStatus.RELEASED)
                rows = await connection.execute(select(reservations).where(chosen).order_by(reservations.c.id))
                released += [_reservation(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's name
            if tell is not None and closed:
                change = Change({"status": ReservationStatus.HELD}, {"status": ReservationStatus.RELEASED})
                await self._append(connection, [tell(entry) for entry in closed], change)
        return tuple(released)

    async def expire(self, now: datetime, limit: int) -> tuple[Reservation, ...]:
        """Turn at most ``limit`` overdue held reservations into EXPIRED and return them, longest overdue first."""
        async with self._database.transaction("expire reservations") as connection:
            overdue = (
                select(reservations.c.id)
                .where(_held(), reservations.c.expires_at <= now)
                .order_by(reservations.c.expires_at, reservations.c.id)
                .limit(limit)
            )
            ids = list((await connection.execute(overdue)).scalars())
            if not ids:
                return ()
            closed = await _close(connection, reservations.c.id.in_(ids), ReservationStatus.EXPIRED, skip_locked=True)
        return tuple(sorted(closed, key=lambda entry: (entry.expires_at, entry.id)))

    async def _hold(
        self, connection: AsyncConnection, positions: Sequence[Position], lines: Sequence[ReserveLine]
    ) -> None:
        if not positions:
            return
        empty = [{"sku": sku, "warehouse_code": code, "held": Decimal(0)} for sku, code in positions]
        await connection.execute(insert_into(connection, balances, empty).on_conflict_do_nothing())
        short: list[ReserveLine] = []
        for line in sorted(lines, key=lambda entry: (entry.sku, entry.warehouse_code, entry.line_no)):
            held_after = balances.c.held + literal(line.quantity, ExactQuantity)
            changed = await connection.execute(
                update(balances)
                .where(
                    balances.c.sku == line.sku,
                    balances.c.warehouse_code == line.warehouse_code,
                    held_after <= literal(line.limit, ExactQuantity),
                )
                .values(held=held_after)
            )
            if changed.rowcount != 1:
                short.append(line)
        if short:
            raise _DoesNotFit(tuple(sorted(short, key=lambda entry: entry.line_no)))


def _check(lines: Sequence[ReserveLine]) -> None:
    seen: set[tuple[int, str]] = set()
    for place, line in enumerate(lines):
        wrong = None
        if line.quantity <= 0:
            wrong = f"line {line.line_no}: quantity {line.quantity} is not above zero"
        elif (line.line_no, line.warehouse_code) in seen:
            wrong = f"line {line.line_no} is there twice for warehouse {line.warehouse_code}"
        if wrong is not None:
            raise Rejected(SourceSystem.PLATFORM, "reserve", wrong, reason="BAD_LINE", fields=("lines", str(place)))
        seen.add((line.line_no, line.warehouse_code))


def _held() -> ColumnElement[bool]:
    return reservations.c.status == ReservationStatus.HELD.value


async def _of_key(connection: AsyncConnection, key: str) -> tuple[Reservation, ...]:
    rows = await connection.execute(
        select(reservations)
        .where(reservations.c.key == key)
        .order_by(reservations.c.line_no, reservations.c.warehouse_code)
    )
    return tuple(_reservation(row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's name


async def _expire_at(connection: AsyncConnection, positions: Sequence[Position], now: datetime) -> None:
    """Give back what is overdue at these positions; what another transaction settles right now is left to it."""
    if not positions:
        return
    at_positions = tuple_(reservations.c.sku, reservations.c.warehouse_code).in_(positions)
    overdue = and_(at_positions, reservations.c.expires_at <= now)
    await _close(connection, overdue, ReservationStatus.EXPIRED, skip_locked=True)


async def _close(
    connection: AsyncConnection, where: ColumnElement[bool], status: ReservationStatus, *, skip_locked: bool = False
) -> list[Reservation]:
    """Close the held reservations among ``where`` and take them off their balances; return the closed ones."""
    locking = (
        select(reservations).where(where, _held()).order_by(reservations.c.id).with_for_update(skip_locked=skip_locked)
    )
    rows = (await connection.execute(locking)).all()
    if not rows:
        return []
    ids = [row.id for row in rows]
    for batch in batches(ids):
        await connection.execute(update(reservations).where(reservations.c.id.in_(batch)).values(status=status.value))
    await _give_back(connection, rows)
    return [_reservation({**row._mapping, "status": status.value}) for row in rows]  # noqa: SLF001 - SQLAlchemy's name


async def _give_back(connection: AsyncConnection, rows: Iterable[Row[Any]]) -> None:
    freed: dict[Position, Decimal] = defaultdict(Decimal)
    for row in rows:
        freed[row.sku, row.warehouse_code] += row.quantity
    for (sku, code), quantity in sorted(freed.items()):
        await connection.execute(
            update(balances)
            .where(balances.c.sku == sku, balances.c.warehouse_code == code)
            .values(held=balances.c.held - literal(quantity, ExactQuantity))
        )


def _row(key: str, account_id: str, line: ReserveLine, expires_at: datetime) -> dict[str, Any]:
    return {
        "id": f"rsv_{key}:{line.line_no}:{line.warehouse_code}",
        "key": key,
        "line_no": line.line_no,
        "account_id": account_id,
        "sku": line.sku,
        "warehouse_code": line.warehouse_code,
        "quantity": line.quantity,
        "uom": line.uom,
        "status": ReservationStatus.HELD.value,
        "expires_at": expires_at,
    }


def _reservation(row: Mapping[Any, Any]) -> Reservation:
    return Reservation(
        id=row["id"],
        key=row["key"],
        account_id=row["account_id"],
        sku=row["sku"],
        warehouse_code=row["warehouse_code"],
        quantity=row["quantity"],
        uom=row["uom"],
        status=ReservationStatus(row["status"]),
        expires_at=row["expires_at"],
    )

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
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import ReservationStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.audit import Change
from schema.records.inventory import Reservation, ReserveLine
from systems.errors import Rejected
from systems.platform.columns import ExactQuantity
from systems.platform.database import AppendEvents, Database
from systems.platform.records import batches
from systems.platform.statements import by_kind, insert_of, numbered, run
from systems.platform.tables import reservation_balances as balances
from systems.platform.tables import reservation_requests as requests
from systems.platform.tables import reservations

__all__ = ["PlatformReservationLedger"]

Position = tuple[str, str]

MAX_ROWS = 20
"""Lines of one statement; an order of more takes several."""


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
                claim = _CLAIM[connection.dialect.name]
                if not await run(connection, claim, {"key": key, "requested_at": now}):
                    return await _of_key(connection, key), ()
                positions = sorted({(line.sku, line.warehouse_code) for line in lines})
                await _expire_at(connection, positions, now)
                await _hold(connection, lines)
                in_order = sorted(lines, key=lambda entry: (entry.line_no, entry.warehouse_code))
                rows = [_row(key, account_id, line, expires_at) for line in in_order]
                for start in range(0, len(rows), MAX_ROWS):
                    batch = rows[start : start + MAX_ROWS]
                    await run(connection, _insert_rows(connection.dialect.name, len(batch)), numbered(batch))
                await self._append(connection, events)
                return tuple(_reservation(row) for row in rows), ()
        except _DoesNotFit as outcome:
            return (), outcome.short

    async def reserved(self, skus: Sequence[str], now: datetime) -> Mapping[tuple[str, str], Decimal]:
        """Return unexpired held quantity per (sku, warehouse code); positions that hold nothing are absent."""
        if 0 < len(skus) <= MAX_ROWS:
            few = {**numbered([{"sku": sku} for sku in skus]), "now": now}
            rows = await self._database.ask("reserved", _reserved_of_few(len(skus)), few)
            return {(sku, code): quantity for sku, code, quantity in rows}
        held: dict[tuple[str, str], Decimal] = {}
        async with self._database.reading("reserved") as connection:
            for batch in batches(skus):
                found = await connection.execute(_reserved(reservations.c.sku.in_(batch)), {"now": now})
                held.update({(row[0], row[1]): row[2] for row in found})
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
            found = [dict(zip(_NAMES, row, strict=True)) for row in await run(connection, _LOCK_KEY, {"wanted": key})]
            held = [row for row in found if row["status"] == ReservationStatus.HELD.value]
            if held:
                await run(connection, _SETTLE, {"wanted": key, "new_status": status.value})
                await _give_back(connection, held)
                for row in held:
                    row["status"] = status.value
        return tuple(
            _reservation(row) for row in sorted(found, key=lambda row: (row["line_no"], row["warehouse_code"]))
        )

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


async def _hold(connection: AsyncConnection, lines: Sequence[ReserveLine]) -> None:
    short: list[ReserveLine] = []
    for line in sorted(lines, key=lambda entry: (entry.sku, entry.warehouse_code, entry.line_no)):
        position = {"sku": line.sku, "warehouse_code": line.warehouse_code, "held": line.quantity}
        # The row that is not there yet holds nothing: what fits there, an insert cannot tell.
        fits = line.quantity <= line.limit and await run(
            connection, _HOLD[connection.dialect.name], {**position, "limit": line.limit}
        )
        if not fits:
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
    rows = await run(connection, _OF_KEY, {"wanted": key})
    return tuple(_reservation(dict(zip(_NAMES, row, strict=True))) for row in rows)


async def _expire_at(connection: AsyncConnection, positions: Sequence[Position], now: datetime) -> None:
    """Give back what is overdue at these positions; what another transaction settles right now is left to it."""
    for start in range(0, len(positions), MAX_ROWS):
        batch = positions[start : start + MAX_ROWS]
        places = numbered([{"sku": sku, "code": code} for sku, code in batch])
        overdue = await run(connection, _overdue_at(len(batch)), {**places, "now": now})
        if overdue:
            ids = reservations.c.id.in_([row[0] for row in overdue])
            await _close(connection, ids, ReservationStatus.EXPIRED, skip_locked=True)


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
    await _give_back(connection, [row._mapping for row in rows])  # noqa: SLF001 - SQLAlchemy's name
    return [_reservation({**row._mapping, "status": status.value}) for row in rows]  # noqa: SLF001 - SQLAlchemy's name


async def _give_back(connection: AsyncConnection, rows: Iterable[Mapping[Any, Any]]) -> None:
    freed: dict[Position, Decimal] = defaultdict(Decimal)
    for row in rows:
        freed[row["sku"], row["warehouse_code"]] += row["quantity"]
    for (sku, code), quantity in sorted(freed.items()):
        await run(connection, _FREE, {"at_sku": sku, "at_code": code, "freed": quantity})


def _hold_statement(kind: str) -> Any:
    insert = insert_of(balances, kind)
    held_after = balances.c.held + insert.excluded.held
    limit = bindparam("limit", type_=ExactQuantity())
    statement = insert.on_conflict_do_update(
        index_elements=[balances.c.sku, balances.c.warehouse_code], set_={"held": held_after}, where=held_after <= limit
    )
    return statement.returning(balances.c.sku)


@cache
def _insert_rows(kind: str, count: int) -> Any:
    return insert_of(reservations, kind, count)


def _reserved(where: ColumnElement[bool]) -> Select[Any]:
    columns = reservations.c
    return (
        select(columns.sku, columns.warehouse_code, func.sum(columns.quantity, type_=columns.quantity.type))
        .where(where, _held(), columns.expires_at > bindparam("now", type_=columns.expires_at.type))
        .group_by(columns.sku, columns.warehouse_code)
    )


@cache
def _reserved_of_few(count: int) -> Select[Any]:
    names = ["sku"] if count == 1 else [f"sku_{place}" for place in range(count)]
    return _reserved(or_(*(reservations.c.sku == bindparam(name) for name in names)))


@cache
def _overdue_at(count: int) -> Select[Any]:
    columns, ends = reservations.c, [""] if count == 1 else [f"_{place}" for place in range(count)]
    places = [
        and_(columns.sku == bindparam(f"sku{end}"), columns.warehouse_code == bindparam(f"code{end}")) for end in ends
    ]
    now = bindparam("now", type_=columns.expires_at.type)
    return select(columns.id).where(or_(*places), _held(), columns.expires_at <= now)


_NAMES = tuple(reservations.columns.keys())
_CLAIM = by_kind(lambda kind: insert_of(requests, kind).on_conflict_do_nothing().returning(requests.c.key))
_HOLD = by_kind(_hold_statement)
_FREE = (
    update(balances)
    .where(balances.c.sku == bindparam("at_sku"), balances.c.warehouse_code == bindparam("at_code"))
    .values(held=balances.c.held - bindparam("freed", type_=ExactQuantity()))
)
_WITH_KEY = select(reservations).where(reservations.c.key == bindparam("wanted"))
_OF_KEY = _WITH_KEY.order_by(reservations.c.line_no, reservations.c.warehouse_code)
_LOCK_KEY = _WITH_KEY.order_by(reservations.c.id).with_for_update()
_SETTLE = (
    update(reservations)
    .where(reservations.c.key == bindparam("wanted"), _held())
    .values(status=bindparam("new_status"))
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

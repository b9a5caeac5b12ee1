"""Hold stock for a customer for a while, and give it back.

1. The request is checked as a whole; everything that is wrong with it is told at once.
2. Lines are placed: one warehouse that has all of a line, else several, the one with most first.
3. The ledger holds every line or none, each by one atomic step. Who comes second places anew on what is left then; what
   is left nowhere is a Stockout with the day of the next supply.

Invariant: what is held of a position never exceeds what the warehouse counts as free, however many ask at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from processes.rules.sellable import check_sellable
from processes.rules.staleness import safe
from processes.rules.supply import is_open
from processes.rules.uom import factor, tidy, to_base
from resolvers.access import can_see, require_stock_rights
from resolvers.envelopes import broken_rule, check_key, unavailable
from resolvers.inventory.placement import CheckedLine, Short, Wanted, impossible, place, stockout
from resolvers.inventory.ports import InventoryPorts
from resolvers.inventory.reader import InventoryReader
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.audit import AuditEntry
from schema.records.catalog import Item
from schema.records.identity import Principal
from schema.records.inventory import Reservation, ReserveLine, Warehouse
from schema.records.problems import IdempotencyConflict, Problem, ValidationFailed
from systems.errors import ConnectorError
from systems.ports import KeyUse

__all__ = ["Held", "ReleaseRequest", "ReserveRequest", "release", "reserve"]

MAX_LINES = 200
"""Lines of one reservation; a larger cart is an order."""

MIN_TTL_S = 1
MAX_TTL_S = 86_400
"""Longest hold of goods that nobody has ordered: a day."""

MAX_PLACEMENTS = 4
"""Times that lines are placed anew because others took the goods in between."""

MAX_RELEASED = 500
"""Reservations that one request gives back."""

_NONE = Decimal(0)
_NOTHING_HELD = "nothing was reserved, repeat with the same key"


@dataclass(frozen=True, slots=True)
class ReserveRequest:
    """What to hold, for whom, for how long."""

    key: str
    account_id: str
    ttl_s: int
    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What to give back."""

    key: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What came of a request. ``is_replayed`` when an earlier request with the same key answers."""

    reservations: tuple[Reservation, ...]
    problems: tuple[Problem, ...] = ()
    is_replayed: bool = False


async def reserve(ports: InventoryPorts, request: ReserveRequest, principal: Principal) -> Held:
    """Hold every line or none.

    A request that held nothing leaves its key unused, so repeating it asks anew.

    Raises:
        Forbidden: the principal may not reserve.
        ConnectorError: the platform's own ledger does not answer; safe to repeat with the same key.
    """
    require_stock_rights(principal, "inventoryReserve")
    reader = InventoryReader(ports, principal)
    try:
        lines = await _check(reader, request)
    except ConnectorError as error:
        return Held((), (unavailable(error, _NOTHING_HELD),))
    if isinstance(lines, tuple):
        return Held((), lines)
    use = _key_use(principal, "inventoryReserve", request.key, _payload(request), _asked(request), request.account_id)
    claimed = await ports.keys.claim(use, reader.now)
    if claimed.payload_hash != use.payload_hash:
        return Held((), (_conflict(claimed),))
    try:
        return await _hold(ports, principal, request, lines, claimed.process_id)
    except ConnectorError as error:
        if error.system is SourceSystem.PLATFORM:
            raise
        return Held((), (unavailable(error, _NOTHING_HELD),))


async def release(ports: InventoryPorts, request: ReleaseRequest, principal: Principal) -> Held:
    """Give reservations back; what is settled already stays as it is.

    Raises:
        Forbidden: the principal may not reserve.
        ConnectorError: the platform's own ledger does not answer; safe to repeat.
    """
    require_stock_rights(principal, "inventoryReservationRelease")
    problems = [*check_key(request.key)]
    if not 0 < len(request.ids) <= MAX_RELEASED:
        said = f"{len(request.ids)} reservations are named: name 1 to {MAX_RELEASED}"
        return Held((), (*problems, broken_rule("RESERVATION_COUNT", said, "reservationIds")))
    found = await ports.reservations.reservations(request.ids)
    for index, identifier in enumerate(request.ids):
        held = found.get(identifier)
        if held is None or not can_see(principal, held.account_id):
            said = f"reservation {identifier} does not exist"
            problems.append(broken_rule("UNKNOWN_RESERVATION", said, "reservationIds", str(index)))
    if problems:
        return Held((), tuple(problems))
    now, ids = ports.clock.now(), sorted(request.ids)
    use = _key_use(principal, "inventoryReservationRelease", request.key, ids, {"reservation_ids": ids})
    claimed = await ports.keys.claim(use, now)
    if claimed.payload_hash != use.payload_hash:
        return Held((), (_conflict(claimed),))
    released = await ports.reservations.release(request.ids, lambda entry: _released(entry, principal, now))
    return Held(released, is_replayed=claimed.process_id != use.process_id)


async def _check(reader: InventoryReader, request: ReserveRequest) -> list[CheckedLine] | tuple[Problem, ...]:
    """Return the lines when everything is in order, else everything that is wrong with the request."""
    problems: list[Problem] = [*check_key(request.key)]
    if not can_see(reader.principal, request.account_id) or not await reader.has_account(request.account_id):
        problems.append(broken_rule("UNKNOWN_ACCOUNT", f"account {request.account_id} does not exist", "accountId"))
    if not MIN_TTL_S <= request.ttl_s <= MAX_TTL_S:
        said = f"ttlSeconds is {request.ttl_s}: use {MIN_TTL_S} to {MAX_TTL_S}"
        problems.append(broken_rule("TTL", said, "ttlSeconds"))
    if not 0 < len(request.lines) <= MAX_LINES:
        said = f"there are {len(request.lines)} lines: reserve 1 to {MAX_LINES}"
        return (*problems, broken_rule("LINE_COUNT", said, "lines"))
    warehouses, items = await asyncio.gather(
        reader.warehouses(), asyncio.gather(*(reader.item(wanted.sku) for wanted in request.lines))
    )
    codes = {warehouse.code: warehouse for warehouse in warehouses}
    lines = []
    for index, (wanted, item) in enumerate(zip(request.lines, items, strict=True)):
        found = _check_line(index, wanted, item, codes)
        if isinstance(found, CheckedLine):
            lines.append(found)
        else:
            problems += found
    return tuple(problems) if problems else lines


def _check_line(
    index: int, wanted: Wanted, item: Item | None, warehouses: Mapping[str, Warehouse]
) -> CheckedLine | list[ValidationFailed]:
    where = ("lines", str(index))
    problems: list[ValidationFailed] = []
    code = wanted.warehouse_code
    if code is not None and code not in warehouses:
        said = f"warehouse {code!r} does not exist: use one of {', '.join(warehouses)}"
        problems.append(broken_rule("UNKNOWN_WAREHOUSE", said, *where, "warehouseCode"))
    if item is None:
        return [*problems, broken_rule("UNKNOWN_SKU", f"item {wanted.sku!r} does not exist", *where, "sku")]
    refused = check_sellable(item, None)
    if refused is not None:
        problems.append(broken_rule(refused.code, refused.message, *where, "sku"))
    base = to_base(wanted.quantity, item, (*where, "quantity"))
    per_base = factor(wanted.quantity.uom, item, (*where, "quantity"))
    if isinstance(base, ValidationFailed):
        return [*problems, base]
    if isinstance(per_base, ValidationFailed):
        return [*problems, per_base]
    return problems or CheckedLine(index, wanted, item, base, per_base)


async def _hold(
    ports: InventoryPorts, principal: Principal, request: ReserveRequest, lines: Sequence[CheckedLine], key: str
) -> Held:
    """Place and hold the lines; a key that has held lines before answers with them whatever is left now."""
    short: Sequence[Short] = ()
    reader = InventoryReader(ports, principal)
    for _ in range(MAX_PLACEMENTS):
        reader = InventoryReader(ports, principal)
        supplies = await asyncio.gather(*(reader.known_supply(sku) for sku in {line.item.sku: None for line in lines}))
        warehouses = await reader.warehouses()
        soft = {position: held for supply in supplies for position, held in supply.soft.items()}
        positions = [position for supply in supplies for position in supply.positions]
        open_codes = [entry.code for entry in warehouses if is_open(entry)]
        placed, short = place(lines, safe(positions, reader.now), soft, open_codes)
        asked = [impossible(short[0].line)] if short else placed
        expires_at = reader.now + timedelta(seconds=request.ttl_s)
        told = [_reserved(line, request, principal, reader.now, key) for line in asked]
        held, refused = await ports.reservations.reserve(key, request.account_id, asked, expires_at, reader.now, told)
        if not refused:
            return Held(held, is_replayed=any(entry.expires_at != expires_at for entry in held))
        if short:
            break
        short = [Short(lines[number - 1], _NONE) for number in sorted({entry.line_no for entry in refused})]
    problems = await asyncio.gather(*(stockout(reader, entry) for entry in short))
    return Held((), tuple(problems))


def _key_use(
    principal: Principal,
    operation: str,
    key: str,
    payload: object,
    asked_for: Mapping[str, object],
    account_id: str | None = None,
) -> KeyUse:
    """Return the use of a client's key, scoped by principal and operation; who claims it first gives the ledger key.

    The payload makes a request the same as another; the audit keeps what was asked for by its names.
    """
    scope = f"{principal.subject}:{operation}"
    digest = hashlib.sha256(json.dumps(payload).encode()).hexdigest()
    name = f"res_{uuid.uuid4().hex}"
    asked = AuditEntry(principal.subject, operation, "REQUESTED", subject=name, account_id=account_id, after=asked_for)
    return KeyUse(scope, key, digest, name, asked)


def _payload(request: ReserveRequest) -> object:
    lines = [
        [line.sku, f"{tidy(line.quantity.value):f}", line.quantity.uom, line.warehouse_code] for line in request.lines
    ]
    return [request.account_id, request.ttl_s, lines]


def _asked(request: ReserveRequest) -> Mapping[str, object]:
    lines = [
        {
            "sku": line.sku,
            "quantity": {"value": f"{tidy(line.quantity.value):f}", "uom": line.quantity.uom},
            "warehouse_code": line.warehouse_code,
        }
        for line in request.lines
    ]
    return {"account_id": request.account_id, "ttl_s": request.ttl_s, "lines": lines}


def _conflict(claimed: KeyUse) -> IdempotencyConflict:
    return IdempotencyConflict(
        code="IDEMPOTENCY_CONFLICT",
        message=f"idempotency key {claimed.key!r} was used before with another request: take a new one",
        path=("idempotencyKey",),
        original_process_id=claimed.process_id,
    )


def _reserved(line: ReserveLine, request: ReserveRequest, principal: Principal, now: datetime, key: str) -> Event:
    return _stock_event(
        "inventory.reserved", f"{key}:{line.line_no}:{line.warehouse_code}", line, request.account_id, principal, now
    )


def _released(entry: Reservation, principal: Principal, now: datetime) -> Event:
    return _stock_event("inventory.released", f"{entry.id}:released", entry, entry.account_id, principal, now)


def _stock_event(
    type_: str, identifier: str, of: ReserveLine | Reservation, account_id: str, principal: Principal, now: datetime
) -> Event:
    place = f"{of.sku}:{of.warehouse_code}"
    return Event(
        id=identifier,
        source="/dist/inventory",
        type=type_,
        subject=place,
        partition_key=place,
        correlation_id=of.key if isinstance(of, Reservation) else identifier.partition(":")[0],
        system=SourceSystem.PLATFORM,
        occurred_at=now,
        data={"sku": of.sku, "warehouseCode": of.warehouse_code, "quantity": str(of.quantity), "uom": of.uom},
        account_id=account_id,
        actor=principal.subject,
        manual=principal.subject.startswith("user:"),
    )

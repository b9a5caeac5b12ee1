# No postponed annotations: strawberry reads them.
"""Root fields of the inventory subgraph."""

import datetime as dt
from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry
from strawberry import Info

from resolvers.inventory.follow import follow_stock
from resolvers.inventory.placement import Wanted
from resolvers.inventory.reader import InventoryReader
from resolvers.inventory.reserve import Held, ReleaseRequest, ReserveRequest, release, reserve
from schema.graphql.idempotent import Idempotent
from schema.graphql.resumable import Resumable
from schema.inventory.inputs import InventoryReserveInput
from schema.inventory.item import Reservation, ReservationPayload
from schema.inventory.problems import inventory_problem
from schema.inventory.stock import StockPosition, Warehouse
from subgraphs.context import RequestContext

__all__ = ["Mutation", "Query", "Subscription"]

_Ctx = Info[RequestContext[InventoryReader], None]
_RESUMABLE = Resumable(cursor="eventId", argument="after")
_KEY_IN_INPUT = Idempotent(key="input.idempotencyKey")
_KEY = Idempotent(key="idempotencyKey")

DEFAULT_TTL_S = 900
"""How long stock is held when the caller does not say."""


@strawberry.type
class Query:
    """Reads of warehouses."""

    @strawberry.field
    async def warehouse(self, info: _Ctx, code: str) -> Warehouse | None:
        """The warehouse with this code."""
        found = await info.context.reader.warehouse(code)
        return None if found is None else Warehouse.of(found)

    @strawberry.field
    async def warehouses(self, info: _Ctx) -> list[Warehouse]:
        """Every warehouse, by code."""
        return [Warehouse.of(entry) for entry in await info.context.reader.warehouses()]


@strawberry.type
class Mutation:
    """Holding stock and giving it back."""

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def inventory_reserve(
        self,
        info: _Ctx,
        input: InventoryReserveInput,  # noqa: A002 - the argument is called so
    ) -> ReservationPayload:
        """Hold every line or none for a while; the same key and input give the same answer again, with `replayed`."""
        request = ReserveRequest(
            key=input.idempotency_key,
            account_id=input.account_id,
            ttl_s=DEFAULT_TTL_S if input.ttl_seconds is None else input.ttl_seconds,
            lines=tuple(Wanted(line.sku, line.quantity.record(), line.warehouse_code) for line in input.lines),
        )
        context = info.context
        return _payload(await reserve(context.reader.ports, request, context.principal))

    @strawberry.mutation(directives=[_KEY])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def inventory_reservation_release(
        self, info: _Ctx, idempotency_key: str, reservation_ids: list[strawberry.ID]
    ) -> ReservationPayload:
        """Give held stock back; what is consumed or expired already stays so."""
        request = ReleaseRequest(idempotency_key, tuple(reservation_ids))
        context = info.context
        return _payload(await release(context.reader.ports, request, context.principal))


@strawberry.type(description="A change of a position, with its figures at the moment of delivery.")
class AvailabilityEvent:
    """A change of a position."""

    event_id: strawberry.ID
    at: dt.datetime
    sku: str
    position: StockPosition


@strawberry.type
class Subscription:
    """Streams that go on after the last event seen."""

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def availability_changed(
        self,
        info: _Ctx,
        skus: list[str],
        warehouse_codes: list[str] | None = None,
        after: strawberry.ID | None = None,
    ) -> AsyncGenerator[AvailabilityEvent, None]:
        """Changes of stock, at most one a second per item and warehouse; `after` is the last eventId seen."""
        context = info.context
        stream = follow_stock(context.reader.ports.events, skus, warehouse_codes, after, context.principal)
        async with aclosing(stream) as events:
            async for stored in events:
                event = stored.event
                sku, code = str(event.data["sku"]), str(event.data["warehouseCode"])
                told = await context.renew().told_position(sku, code)
                if told is not None:
                    yield AvailabilityEvent(
                        event_id=strawberry.ID(event.id),
                        at=event.occurred_at,
                        sku=sku,
                        position=StockPosition.of(*told),
                    )


def _payload(held: Held) -> ReservationPayload:
    return ReservationPayload(
        reservations=[Reservation.of(entry) for entry in held.reservations],
        problems=[inventory_problem(problem) for problem in held.problems],
        replayed=held.is_replayed,
    )

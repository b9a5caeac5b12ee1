# No postponed annotations: strawberry reads them.
"""Root fields of the inventory subgraph."""

import strawberry
from strawberry import Info

from resolvers.inventory.placement import Wanted
from resolvers.inventory.reader import InventoryReader
from resolvers.inventory.reserve import Held, ReleaseRequest, ReserveRequest, release, reserve
from schema.inventory.inputs import InventoryReserveInput
from schema.inventory.item import Reservation, ReservationPayload
from schema.inventory.problems import inventory_problem
from schema.inventory.stock import Warehouse
from subgraphs.context import RequestContext

__all__ = ["Mutation", "Query"]

_Ctx = Info[RequestContext[InventoryReader], None]

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

    @strawberry.mutation
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

    @strawberry.mutation
    async def inventory_reservation_release(
        self, info: _Ctx, idempotency_key: str, reservation_ids: list[strawberry.ID]
    ) -> ReservationPayload:
        """Give held stock back; what is consumed or expired already stays so."""
        request = ReleaseRequest(idempotency_key, tuple(reservation_ids))
        context = info.context
        return _payload(await release(context.reader.ports, request, context.principal))


def _payload(held: Held) -> ReservationPayload:
    return ReservationPayload(
        reservations=[Reservation.of(entry) for entry in held.reservations],
        problems=[inventory_problem(problem) for problem in held.problems],
        replayed=held.is_replayed,
    )

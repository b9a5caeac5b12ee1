# No postponed annotations: strawberry reads them.
"""Items and delivery places as inventory sees them: what is there, what can be promised, from where."""

import datetime as dt
from decimal import Decimal
from typing import Any

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import AvailabilityDecision, ReservationStatus, SupplyKind
from schema.graphql.decorators import federated_field
from schema.graphql.errors import BadUserInput
from schema.graphql.values import Address, Freshness, ItemUom, Money, Node, Quantity, QuantityInput
from schema.inventory.context import InventoryContext, Promise
from schema.inventory.problems import InventoryProblem
from schema.inventory.stock import StockPosition, Warehouse
from schema.records import inventory as records
from schema.records import values
from schema.records.catalog import item_id, sku_of
from schema.records.problems import ValidationFailed

__all__ = [
    "Availability",
    "Item",
    "PromiseLine",
    "Reservation",
    "ReservationPayload",
    "ShipTo",
    "SourcingOption",
]

_Ctx = Info[InventoryContext, None]


@strawberry.type(description="Part of a promise: this much, from here, leaving then.")
class PromiseLine:
    """Part of a promise."""

    code: strawberry.Private[str]
    kind: SupplyKind
    quantity: Quantity
    ship_date: dt.date
    delivery_date: dt.date | None

    @classmethod
    def of(cls, record: records.PromiseLine) -> "PromiseLine":
        """Return the record as a graph value."""
        return cls(
            code=record.warehouse_code,
            kind=record.kind,
            quantity=Quantity.of(record.quantity),
            ship_date=record.ship_date,
            delivery_date=record.delivery_date,
        )

    @strawberry.field
    async def warehouse(self, info: _Ctx) -> Warehouse:
        """From where it comes."""
        return await _warehouse(info, self.code)


@strawberry.type(description="How much of an item can be had, from where and when; quantities are in the asked unit.")
class Availability:
    """How much of an item can be had."""

    decision: AvailabilityDecision
    requested: Quantity
    available_now: Quantity
    full_date: dt.date | None
    promise: list[PromiseLine]
    freshness: Freshness

    @classmethod
    def of(cls, record: records.Availability) -> "Availability":
        """Return the record as a graph value."""
        return cls(
            decision=record.decision,
            requested=Quantity.of(record.requested),
            available_now=Quantity.of(record.available_now),
            full_date=record.full_date,
            promise=[PromiseLine.of(line) for line in record.promise],
            freshness=Freshness.of(record.freshness),
        )


@strawberry.federation.type(keys=["id"])
class Item:
    """An item; the catalog knows more and tells its units."""

    units: strawberry.Private[tuple[values.ItemUom, ...]] = ()
    id: strawberry.ID
    base_uom: str = strawberry.federation.field(external=True)
    uoms: list[ItemUom] = strawberry.federation.field(external=True)

    @classmethod
    def resolve_reference(cls, id: strawberry.ID, **required: Any) -> "Item | None":  # noqa: A002 - the key
        """Return the item that a representation names, with the units that it brings along."""
        if sku_of(id) is None:
            return None
        units = tuple(
            values.ItemUom(uom=unit["uom"], per_base=Decimal(str(unit["perBase"])))
            for unit in required.get("uoms") or ()
        )
        return cls(
            units=units, id=id, base_uom=required.get("baseUom") or "", uoms=[ItemUom.of(unit) for unit in units]
        )

    @strawberry.field
    async def stock(self, info: _Ctx, warehouse_codes: list[str] | None = None) -> list[StockPosition] | None:
        """Stock by warehouse; null to customers, who learn availability only."""
        reader = info.context.reader
        supply = await reader.supply(self.sku)
        if supply is None:
            return None
        return [
            StockPosition.of(position, supply)
            for position in supply.positions
            if warehouse_codes is None or position.warehouse_code in warehouse_codes
        ]

    @federated_field(requires=["baseUom", "uoms { uom perBase }"])
    async def availability(
        self,
        info: _Ctx,
        quantity: QuantityInput,
        needed_by: dt.date | None = None,
        ship_to_id: strawberry.ID | None = None,
    ) -> Availability | None:
        """How much of `quantity` can be promised; with a place also when it arrives there."""
        promise = Promise(self.sku, self.base_uom, self.units, quantity.record(), needed_by, ship_to_id)
        answer = await info.context.reader.availability(promise)
        if isinstance(answer, ValidationFailed):
            raise BadUserInput(f"{'.'.join(answer.path or ())}: {answer.message}")
        return Availability.of(answer)

    @property
    def sku(self) -> str:
        """The item's sku."""
        return sku_of(self.id) or ""


@strawberry.type(description="A warehouse that can serve a place.")
class SourcingOption:
    """A warehouse that can serve a place."""

    warehouse: Warehouse
    rank: int
    transit_days: int
    estimated_freight: Money | None


@strawberry.federation.type(keys=["id"])
class ShipTo:
    """A delivery place; accounts know more and tell its address."""

    id: strawberry.ID
    address: Address = strawberry.federation.field(external=True)

    @classmethod
    def resolve_reference(cls, id: strawberry.ID, address: dict[str, Any] | None = None) -> "ShipTo":  # noqa: A002 - the key
        """Return the place that a representation names, with the address that it brings along."""
        told = address or {}
        known = values.Address(
            line1="",
            city="",
            postal_code=told.get("postalCode") or "",
            country=told.get("country") or "",
            region=told.get("region"),
        )
        return cls(id=id, address=Address.of(known))

    @federated_field(requires=["address { country region postalCode }"])
    async def sourcing(self, info: _Ctx) -> list[SourcingOption] | None:
        """Warehouses that can serve the place, nearest first."""
        asked = values.Address(
            line1="",
            city="",
            postal_code=self.address.postal_code,
            country=self.address.country,
            region=self.address.region,
        )
        ranked = await info.context.reader.sources(asked)
        return [
            SourcingOption(
                warehouse=Warehouse.of(entry.warehouse),
                rank=rank,
                transit_days=entry.transit_days,
                estimated_freight=Money.of(entry.freight),
            )
            for rank, entry in enumerate(ranked, start=1)
        ]


@strawberry.federation.type(keys=["id"], description="Stock held for a customer for a while, in the base unit.")
class Reservation(Node):
    """Stock held for a customer."""

    code: strawberry.Private[str]
    status: ReservationStatus
    item: Item
    quantity: Quantity
    expires_at: dt.datetime

    @classmethod
    def of(cls, record: records.Reservation) -> "Reservation":
        """Return the record as a graph value."""
        return cls(
            code=record.warehouse_code,
            id=strawberry.ID(record.id),
            status=record.status,
            item=Item(id=strawberry.ID(item_id(record.sku)), base_uom=record.uom, uoms=[]),
            quantity=Quantity(value=record.quantity, uom=record.uom),
            expires_at=record.expires_at,
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "Reservation | None":  # noqa: A002 - the key
        """Return the reservation that a representation names."""
        found = await info.context.reader.reservation(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def warehouse(self, info: _Ctx) -> Warehouse:
        """Where it is held."""
        return await _warehouse(info, self.code)


@strawberry.type(description="What became of a reservation.")
class ReservationPayload:
    """What became of a reservation; one that failed held nothing."""

    reservations: list[Reservation]
    problems: list[InventoryProblem]
    replayed: bool


async def _warehouse(info: _Ctx, code: str) -> Warehouse:
    found = await info.context.reader.warehouse(code)
    if found is None:
        raise LookupError(f"warehouse {code} is unknown")
    return Warehouse.of(found)

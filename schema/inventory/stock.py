# No postponed annotations: strawberry reads them.
"""Warehouses and what lies in them."""

import datetime as dt

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import SupplyKind
from schema.graphql.values import Address, ExternalRef, Freshness, Node, Quantity, external_refs
from schema.inventory.context import InventoryContext, Supply
from schema.records import inventory as records
from schema.records.inventory import warehouse_code

__all__ = ["InboundSupply", "StockPosition", "Warehouse", "stock_id"]

_Ctx = Info[InventoryContext, None]
_SEPARATOR = ":"


def stock_id(sku: str, code: str) -> str:
    """Return the platform id of a stock position; it is made of sku and warehouse so that no look-up is needed."""
    return f"stk_{sku}{_SEPARATOR}{code}"


@strawberry.federation.type(keys=["id", "code"], description="A warehouse; cutoff is HH:MM local time.")
class Warehouse(Node):
    """A warehouse."""

    code: str
    name: str
    address: Address
    time_zone: str
    cutoff: str
    status: str
    external_refs: list[ExternalRef]

    @classmethod
    def of(cls, record: records.Warehouse) -> "Warehouse":
        """Return the record as a graph value."""
        return cls(
            id=strawberry.ID(record.id),
            code=record.code,
            name=record.name,
            address=Address.of(record.address),
            time_zone=record.time_zone,
            cutoff=record.cutoff,
            status=record.status,
            external_refs=external_refs(record.refs),
        )

    @classmethod
    async def resolve_reference(
        cls,
        info: _Ctx,
        id: strawberry.ID | None = None,  # noqa: A002 - the key is called so
        code: str | None = None,
    ) -> "Warehouse | None":
        """Return the warehouse that a representation names; its id carries its code."""
        wanted = warehouse_code(id) if id is not None else code
        found = None if wanted is None else await info.context.reader.warehouse(wanted)
        return None if found is None else cls.of(found)


@strawberry.type(description="Quantity that will arrive, in the base unit.")
class InboundSupply:
    """Quantity that will arrive."""

    kind: SupplyKind
    reference: str
    quantity: Quantity
    eta: dt.date
    confirmed: bool


@strawberry.federation.type(keys=["id"], description="Stock of an item in a warehouse, in the base unit.")
class StockPosition:
    """Stock of an item in a warehouse."""

    record: strawberry.Private[records.StockPosition]
    supply: strawberry.Private[Supply]
    id: strawberry.ID
    on_hand: Quantity
    allocated: Quantity
    soft_reserved: Quantity
    blocked: Quantity
    safety_stock: Quantity
    available: Quantity

    @classmethod
    def of(cls, record: records.StockPosition, supply: Supply) -> "StockPosition":
        """Return the record as a graph value; what is available is what a customer of no priority can have."""
        soft = supply.soft.get((record.sku, record.warehouse_code), record.on_hand * 0)
        spoken_for = record.blocked + record.allocated + record.safety_stock + soft
        uom = record.uom
        return cls(
            record=record,
            supply=supply,
            id=strawberry.ID(stock_id(record.sku, record.warehouse_code)),
            on_hand=Quantity(value=record.on_hand, uom=uom),
            allocated=Quantity(value=record.allocated, uom=uom),
            soft_reserved=Quantity(value=soft, uom=uom),
            blocked=Quantity(value=record.blocked, uom=uom),
            safety_stock=Quantity(value=record.safety_stock, uom=uom),
            available=Quantity(value=max(record.on_hand * 0, record.on_hand - spoken_for), uom=uom),
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "StockPosition | None":  # noqa: A002 - the key
        """Return the position that a representation names."""
        sku, _, code = id.removeprefix("stk_").rpartition(_SEPARATOR)
        reader = info.context.reader
        record = await reader.position(sku, code) if sku and id.startswith("stk_") else None
        supply = None if record is None else await reader.supply(sku)
        return None if record is None or supply is None else cls.of(record, supply)

    @strawberry.field
    async def warehouse(self, info: _Ctx) -> Warehouse:
        """Where it lies."""
        found = await info.context.reader.warehouse(self.record.warehouse_code)
        if found is None:
            raise LookupError(f"stock lies in warehouse {self.record.warehouse_code}, which is unknown")
        return Warehouse.of(found)

    @strawberry.field
    def inbound(self) -> list[InboundSupply]:
        """What will arrive here, earliest first."""
        return [
            InboundSupply(
                kind=entry.kind,
                reference=entry.reference,
                quantity=Quantity(value=entry.quantity, uom=self.record.uom),
                eta=entry.eta,
                confirmed=entry.confirmed,
            )
            for entry in self.supply.inbound
            if entry.warehouse_code == self.record.warehouse_code
        ]

    @strawberry.field
    def freshness(self, info: _Ctx) -> Freshness:
        """When the warehouse system said so."""
        return Freshness.of(info.context.reader.freshness(self.record, self.supply))

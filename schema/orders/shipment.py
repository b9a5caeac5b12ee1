# No postponed annotations: strawberry reads them.
"""Shipments: what the warehouse sent and what the carrier says of it."""

import datetime as dt

import strawberry
from strawberry import Info

from schema.enums import ShipmentStatus, SourceSystem
from schema.graphql.values import Node, Quantity
from schema.orders import stubs
from schema.orders.context import OrdersContext
from schema.orders.delivery import milestones_of, status_of
from schema.orders.order import Order, OrderLine
from schema.records import orders as records

__all__ = ["Milestone", "Shipment", "ShipmentLine"]

_Ctx = Info[OrdersContext, None]


@strawberry.type(description="One thing that happened to a shipment.")
class Milestone:
    """One thing that happened to a shipment."""

    code: str
    status: ShipmentStatus
    at: dt.datetime
    place: str | None
    reason_code: str | None
    source: SourceSystem

    @classmethod
    def of(cls, record: records.Milestone) -> "Milestone":
        """Return the record as a graph value."""
        return cls(
            code=record.code,
            status=record.status,
            at=record.at,
            place=record.place,
            reason_code=record.reason_code,
            source=record.source,
        )


@strawberry.type(description="What a shipment carries of one order line.")
class ShipmentLine:
    """What a shipment carries of one order line."""

    order_id: strawberry.Private[str]
    line_no: strawberry.Private[int]
    quantity: Quantity
    lot: str | None

    @strawberry.field
    async def order_line(self, info: _Ctx) -> OrderLine:
        """The line that it is part of."""
        found = await info.context.reader.line(self.order_id, self.line_no)
        if found is None:
            raise LookupError(f"order {self.order_id} has no line {self.line_no}, but a shipment carries it")
        return OrderLine.of(*found)


@strawberry.federation.type(keys=["id"], description="A shipment of an order.")
class Shipment(Node):
    """A shipment."""

    record: strawberry.Private[records.Shipment]
    number: str
    sscc: list[str]
    planned_delivery: dt.datetime | None
    warehouse: stubs.Warehouse | None = strawberry.federation.field(provides=["code"])

    @classmethod
    def of(cls, record: records.Shipment) -> "Shipment":
        """Return a shipment as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            number=record.number,
            sscc=list(record.sscc),
            planned_delivery=record.planned_delivery,
            warehouse=stubs.warehouse(record.warehouse_code),
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "Shipment | None":  # noqa: A002 - the key
        """Return the shipment that a representation names."""
        found = await info.context.reader.shipment(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def status(self, info: _Ctx) -> ShipmentStatus:
        """How far the shipment is; the warehouse's word while the transport system is away."""
        return status_of(await info.context.reader.delivery(self.record))

    @strawberry.field
    async def order(self, info: _Ctx) -> Order:
        """The order that it is part of."""
        found = await info.context.reader.order(self.record.order_id)
        if found is None:
            raise LookupError(f"shipment {self.record.number} is of order {self.record.order_id}, which is unknown")
        return Order.of(found)

    @strawberry.field
    async def carrier(self, info: _Ctx) -> str | None:
        """Who moves it (SCAC)."""
        told = await info.context.reader.tracking(self.record)
        return None if told is None else told.carrier

    @strawberry.field
    async def tracking_number(self, info: _Ctx) -> str | None:
        """The carrier's number."""
        told = await info.context.reader.tracking(self.record)
        return None if told is None else told.tracking_number

    @strawberry.field
    def lines(self) -> list[ShipmentLine]:
        """What it carries."""
        return [
            ShipmentLine(
                order_id=self.record.order_id,
                line_no=line.line_no,
                quantity=Quantity.of(line.quantity),
                lot=line.lot,
            )
            for line in self.record.lines
        ]

    @strawberry.field
    async def milestones(self, info: _Ctx) -> list[Milestone]:
        """What happened to it, in order of time."""
        return [Milestone.of(entry) for entry in milestones_of(await info.context.reader.delivery(self.record))]

    @strawberry.field
    async def estimated_delivery(self, info: _Ctx) -> dt.datetime | None:
        """When the carrier expects to deliver it."""
        told = await info.context.reader.tracking(self.record)
        return None if told is None else told.estimated_delivery

    @strawberry.field
    async def delivered_at(self, info: _Ctx) -> dt.datetime | None:
        """When it was delivered."""
        told = await info.context.reader.tracking(self.record)
        return None if told is None else told.delivered_at

    @strawberry.field
    async def proof_of_delivery_url(self, info: _Ctx) -> str | None:
        """Where the proof of delivery is."""
        told = await info.context.reader.tracking(self.record)
        return None if told is None else told.proof_of_delivery_url

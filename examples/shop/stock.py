"""How much of an item is there, streamed too. Run: uvicorn examples.shop.stock:app --port 4302."""

import asyncio
from collections.abc import AsyncGenerator

import strawberry
from strawberry.asgi import GraphQL

AVAILABLE = {"PMP-0042": 18, "VLV-0007": 5, "HSE-0100": 240}
PAUSE_S = 1.0
"""Time between two counts in the stream."""


@strawberry.federation.type(keys=["sku"])
class Item:
    """An item as the warehouse counts it."""

    sku: strawberry.ID
    available: int

    @classmethod
    def resolve_reference(cls, sku: strawberry.ID) -> "Item":
        """Return the count of the item; unknown items are not there."""
        return cls(sku=sku, available=AVAILABLE.get(sku, 0))


@strawberry.type
class Query:
    """Ways into the stock."""

    @strawberry.field
    def running_low(self, below: int = 20) -> list[Item]:
        """Items of which fewer than ``below`` are left."""
        return [Item(sku=strawberry.ID(sku), available=left) for sku, left in AVAILABLE.items() if left < below]


@strawberry.type
class Subscription:
    """Counts as they happen."""

    @strawberry.subscription
    async def counted(self) -> AsyncGenerator[Item, None]:
        """One count of each item, then the end."""
        for sku, left in AVAILABLE.items():
            yield Item(sku=strawberry.ID(sku), available=left)
            await asyncio.sleep(PAUSE_S)


app = GraphQL(strawberry.federation.Schema(query=Query, subscription=Subscription))

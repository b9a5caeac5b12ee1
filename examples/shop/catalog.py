"""Items and their names. Run: uvicorn examples.shop.catalog:app --port 4301."""

import strawberry
from strawberry.asgi import GraphQL

NAMES = {"PMP-0042": "Transfer pump", "VLV-0007": "Ball valve", "HSE-0100": "Suction hose"}


@strawberry.federation.type(keys=["sku"])
class Item:
    """An item of the catalog."""

    sku: strawberry.ID
    name: str

    @classmethod
    def resolve_reference(cls, sku: strawberry.ID) -> "Item | None":
        """Return the item with this key."""
        return cls(sku=sku, name=NAMES[sku]) if sku in NAMES else None


@strawberry.type
class Query:
    """Ways into the catalog."""

    @strawberry.field
    def items(self) -> list[Item]:
        """Every item."""
        return [Item(sku=strawberry.ID(sku), name=name) for sku, name in NAMES.items()]


app = GraphQL(strawberry.federation.Schema(query=Query))

# No postponed annotations: strawberry reads them.
"""What is asked for."""

import strawberry

from schema.graphql.values import QuantityInput

__all__ = ["InventoryReserveInput", "ReserveLineInput"]


@strawberry.input(description="A line to hold; without a warehouse the platform chooses.")
class ReserveLineInput:
    """A line to hold."""

    sku: str
    quantity: QuantityInput
    warehouse_code: str | None = None


@strawberry.input(description="Stock to hold for an account, for at most a day.")
class InventoryReserveInput:
    """Stock to hold."""

    idempotency_key: str
    account_id: strawberry.ID
    lines: list[ReserveLineInput]
    ttl_seconds: int | None = 900

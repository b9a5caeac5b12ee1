"""Three small subgraphs in strawberry, as somebody who uses the gateway would write them."""

# strawberry reads the annotations of this module at run time, so they stay real types.
import asyncio
from collections.abc import AsyncGenerator
from enum import Enum
from typing import Any

import strawberry
from strawberry.asgi import GraphQL
from strawberry.federation.schema_directives import Key
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL


class Failure(Exception):
    """An error with extensions, as a subgraph of ours raises them."""

    def __init__(self, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.extensions = extensions


USERS = {"1": "Ada", "2": "Bo", "3": "Cy"}
PRODUCTS = {"table": 899, "chair": 499, "lamp": 6999}
REVIEWS = [
    {"id": "r1", "body": "sturdy", "author": "1", "product": "table"},
    {"id": "r2", "body": "wobbly", "author": "2", "product": "chair"},
    {"id": "r3", "body": "bright", "author": "1", "product": "lamp"},
    {"id": "r4", "body": "heavy", "author": "3", "product": "table"},
]


@strawberry.federation.type(keys=["id"], name="User")
class AccountUser:
    id: strawberry.ID
    name: str

    @strawberry.federation.field(authenticated=True)
    def email(self) -> str | None:
        return f"{self.name.lower()}@example.com"

    @strawberry.federation.field(requires_scopes=[["salary:read"], ["admin"]])
    def salary(self) -> int:
        return 100

    @classmethod
    def resolve_reference(cls, id: strawberry.ID) -> "AccountUser | None":  # noqa: A002
        return _user(id)


def _user(identifier: str) -> AccountUser | None:
    return AccountUser(id=strawberry.ID(identifier), name=USERS[identifier]) if identifier in USERS else None


@strawberry.type(name="Query")
class AccountQuery:
    @strawberry.field
    def me(self) -> AccountUser | None:
        return _user("1")

    @strawberry.field
    def users(self) -> list[AccountUser]:
        return [found for identifier in USERS if (found := _user(identifier))]

    @strawberry.field
    def header(self, info: strawberry.Info, name: str) -> str | None:
        found: str | None = info.context["request"].headers.get(name)
        return found


class Season(Enum):
    SUMMER = "SUMMER"
    WINTER = "WINTER"


@strawberry.federation.type(keys=["upc"], name="Product")
class CatalogProduct:
    upc: strawberry.ID
    price: int

    @strawberry.field
    def season(self) -> Season:
        return Season.WINTER if self.upc == "lamp" else Season.SUMMER

    @strawberry.field
    def secret(self) -> str | None:
        raise Failure("the warehouse is closed", code="WMS_CLOSED", system="wms", retryable=True)

    @classmethod
    def resolve_reference(cls, upc: strawberry.ID) -> "CatalogProduct | None":
        return _product(upc)


def _product(upc: str) -> CatalogProduct | None:
    return CatalogProduct(upc=strawberry.ID(upc), price=PRODUCTS[upc]) if upc in PRODUCTS else None


@strawberry.type(name="Query")
class CatalogQuery:
    @strawberry.field
    def products(self, first: int = 5, season: Season | None = None) -> list[CatalogProduct]:
        found = [item for upc in PRODUCTS if (item := _product(upc))]
        return [item for item in found if season is None or item.season() is season][:first]


@strawberry.type(name="Subscription")
class CatalogSubscription:
    @strawberry.subscription
    async def price_changed(self, upcs: list[strawberry.ID]) -> AsyncGenerator[CatalogProduct, None]:
        for upc in upcs:
            if upc == "wait":
                await asyncio.Event().wait()
            if upc == "fail":
                raise Failure("the price feed broke", code="FEED")
            product = _product(upc)
            if product is not None:
                yield product


@strawberry.federation.type(keys=[Key(fields="id")], name="User")
class ReviewUser:
    id: strawberry.ID

    @strawberry.field
    def reviews(self) -> "list[Review]":
        return [_review(row) for row in REVIEWS if row["author"] == self.id]


@strawberry.federation.type(keys=[Key(fields="upc")], name="Product")
class ReviewProduct:
    upc: strawberry.ID

    @strawberry.field
    def reviews(self) -> "list[Review]":
        return [_review(row) for row in REVIEWS if row["product"] == self.upc]


@strawberry.federation.type(keys=["id"])
class Review:
    id: strawberry.ID
    body: str
    author: ReviewUser
    product: ReviewProduct


def _review(row: dict[str, str]) -> Review:
    return Review(
        id=strawberry.ID(row["id"]),
        body=row["body"],
        author=ReviewUser(id=strawberry.ID(row["author"])),
        product=ReviewProduct(upc=strawberry.ID(row["product"])),
    )


@strawberry.input
class NewReview:
    body: str
    product: strawberry.ID
    stars: int = 5


@strawberry.type(name="Query")
class ReviewQuery:
    @strawberry.field
    def reviews(self) -> list[Review]:
        return [_review(row) for row in REVIEWS]


@strawberry.type(name="Mutation")
class ReviewMutation:
    @strawberry.mutation
    def add_review(self, input: NewReview) -> Review:  # noqa: A002
        return _review({"id": "new", "body": input.body, "author": "2", "product": input.product})


SCHEMAS = {
    "accounts": strawberry.federation.Schema(query=AccountQuery),
    "catalog": strawberry.federation.Schema(query=CatalogQuery, subscription=CatalogSubscription),
    "reviews": strawberry.federation.Schema(query=ReviewQuery, mutation=ReviewMutation),
}


def shop_app(name: str) -> GraphQL[Any, Any]:
    """Return the ASGI application of one of the subgraphs."""
    return GraphQL(SCHEMAS[name], subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL])

"""Two small subgraphs whose data changes and whose answers may be kept; they count what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from graphql import build_schema, execute_sync, parse

from tests.support.testkit import TestGateway, TestSubgraphs

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.12", '
    'import: ["@key", "@authenticated", "@cacheTag"])\n'
)
CACHE_CONTROL = """
enum CacheControlScope { PUBLIC PRIVATE }
directive @cacheControl(maxAge: Int, scope: CacheControlScope, inheritMaxAge: Boolean)
  on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
"""
CATALOG_SDL = """
type Query { products: [Product!]! product(upc: ID!): Product me: User fault: String }
type Mutation { rename(upc: ID!, name: String!): Product lock: Boolean }
type Product @key(fields: "upc") { upc: ID! name: String }
type User @key(fields: "id") { id: ID! name: String secret: String @authenticated }
"""
STOCK_SDL = """
type Product @key(fields: "upc") { upc: ID! stock(place: String): Int watched: Boolean }
type Mutation { restock(upc: ID!, count: Int!): Int }
"""

Headers = Mapping[str, str]


class KeptSubgraph:
    """An ASGI application.

    Attributes:
        says: value of the header ``Cache-Control`` of its answers; None for no header.
        requests: the bodies that it got.
        seen: set whenever a request has come.
        gate: answers wait until it is set.
    """

    def __init__(
        self,
        sdl: str,
        resolve: Callable[[str, Mapping[str, Any], Headers], Any],
        entity: Callable[[Mapping[str, Any], Headers], Any],
    ) -> None:
        self.sdl = LINK + sdl
        self.says: str | None = "max-age=60"
        self.age: str | None = None
        self.requests: list[dict[str, Any]] = []
        self.seen = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self._resolve = resolve
        self._entity = entity
        root = "extend type Query" if "type Query" in sdl else "type Query"
        entities = " | ".join(name for name in ("Product", "User") if f"type {name} " in sdl)
        extra = f"{root} {{ _entities(representations: [_Any!]!): [_Entity]! }} scalar _Any union _Entity = {entities}"
        self._schema = build_schema(f"{self.sdl}\n{extra}", assume_valid=True)

    @property
    def asked(self) -> list[list[str]]:
        """The first key value of each representation, by request."""
        return [
            [next(value for name, value in one.items() if name != "__typename") for one in values]
            for body in self.requests
            for values in body.get("variables", {}).values()
            if isinstance(values, list)
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        content = b""
        while True:
            message = await receive()
            content += message.get("body", b"")
            if not message.get("more_body"):
                break
        body = orjson.loads(content)
        self.requests.append(body)
        self.seen.set()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        answer = self._answer(body, headers)
        await self.gate.wait()
        told = [(b"content-type", b"application/json")]
        told += [(b"cache-control", self.says.encode())] if self.says is not None else []
        told += [(b"age", self.age.encode())] if self.age is not None else []
        await send({"type": "http.response.start", "status": 200, "headers": told})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, body: dict[str, Any], headers: Headers) -> bytes:
        root = {
            name: self._root(name, headers)
            for type_ in (self._schema.query_type, self._schema.mutation_type)
            if type_ is not None
            for name in type_.fields
        }
        result = execute_sync(self._schema, parse(body["query"]), root, variable_values=body.get("variables"))
        return orjson.dumps(result.formatted)

    def _root(self, name: str, headers: Headers) -> Callable[..., Any]:
        def answer(_: Any, **arguments: Any) -> Any:
            if name == "_entities":
                return [self._entity(one, headers) for one in arguments["representations"]]
            return self._resolve(name, arguments, headers)

        return answer


class KeptWorld:
    """Products in a catalog and their stock; a user who is told who asks."""

    def __init__(self, catalog_sdl: str = CATALOG_SDL, stock_sdl: str = STOCK_SDL) -> None:
        self.names = {"table": "Table", "chair": "Chair", "lamp": "Lamp"}
        self.stocks = {"table": 1, "chair": 2, "lamp": 3}
        self.catalog = KeptSubgraph(catalog_sdl, self._catalog, self._product)
        self.stock = KeptSubgraph(stock_sdl, self._stock, self._stocked)

    def _product(self, key: Mapping[str, Any], headers: Headers) -> Any:
        upc = key.get("upc")
        return {"__typename": "Product", "upc": upc, "name": self.names[upc]} if upc in self.names else None

    def _stocked(self, key: Mapping[str, Any], headers: Headers) -> Any:
        upc = key["upc"]
        if upc == "cursed":
            return ValueError("the shelf is cursed")
        return {"__typename": "Product", "upc": upc, "stock": self.stocks.get(upc)}

    def _catalog(self, name: str, arguments: Mapping[str, Any], headers: Headers) -> Any:
        match name:
            case "products":
                return [self._product({"upc": upc}, headers) for upc in self.names]
            case "product":
                return self._product(arguments, headers)
            case "rename":
                self.names[arguments["upc"]] = arguments["name"]
                return self._product(arguments, headers)
            case "me":
                who = headers.get("authorization", headers.get("x-who", "nobody"))
                return {"__typename": "User", "id": "1", "name": who, "secret": f"secret of {who}"}
            case "fault":
                raise ValueError("no such thing")
            case _:
                return True

    def _stock(self, name: str, arguments: Mapping[str, Any], headers: Headers) -> Any:
        self.stocks[arguments["upc"]] = arguments["count"]
        return arguments["count"]

    def kit(self, **cache: Any) -> TestGateway:
        """Return a gateway before the two, behind sockets, that keeps answers in memory."""
        subgraphs = TestSubgraphs(
            {"catalog": self.catalog.sdl, "stock": self.stock.sdl}, {"catalog": self.catalog, "stock": self.stock}
        )
        return TestGateway(subgraphs, behind_sockets=True).with_settings(cache={"store": "memory", **cache})

"""A subgraph with a resumable subscription over a log, as a transport whose breaks are written in the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from graphql import GraphQLError, parse, validate
from graphql.utilities import build_schema

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse

LOG_SDL = """
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@composeDirective"])
  @link(url: "https://crossdock.example/resumable/v1.0", import: ["@resumable"])
  @composeDirective(name: "@resumable")

directive @resumable(cursor: String!, argument: String!) on FIELD_DEFINITION

type Query { ready: Boolean }

type Subscription {
  changed(topic: String!, after: ID): Change @resumable(cursor: "eventId", argument: "after")
  ticked(topic: String!): Change
}

type Change { eventId: ID! n: Int! }
"""
_SCHEMA = build_schema(
    "type Query { ready: Boolean } type Subscription { changed(topic: String!, after: ID): Change "
    "ticked(topic: String!): Change } type Change { eventId: ID! n: Int! }"
)


def log_supergraph(sdl: str = LOG_SDL) -> str:
    return str(compose_or_raise([SubgraphSource(name="log", url="http://log.invalid", sdl=sdl)]).supergraph)


class LogTransport:
    """Holds events ``e1`` to ``eN``; ``breaks`` says after which events a request for the stream breaks, one each."""

    def __init__(self, many: int, breaks: list[str | None] | None = None, *, oldest: int = 1) -> None:
        self._many = many
        self._breaks = breaks or []
        self.oldest = oldest
        self.after: list[str | None] = []
        self.headers: list[tuple[tuple[str, str], ...]] = []
        self.refusals = 0
        self.repeats_the_cursor = False

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        raise AssertionError("nothing is asked by query")

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        body = orjson.loads(request.body)
        document = parse(body["query"])
        faults: list[GraphQLError] = validate(_SCHEMA, document)
        assert not faults
        variables = body.get("variables", {})
        if self.refusals:
            self.refusals -= 1
            raise SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "the log cannot be reached", subgraph="log")
        self.headers.append(request.headers)
        after = variables.get("_after")
        self.after.append(after)
        start = int(after.removeprefix("e")) if after else 0
        if after and start < self.oldest - 1:
            yield orjson.dumps({"data": None, "errors": [{"message": "too old", "extensions": {"code": "GAP"}}]})
            return
        broken = self._breaks.pop(0) if self._breaks else "never"
        if broken is None:
            raise self._break()
        for number in range(start if self.repeats_the_cursor and start else start + 1, self._many + 1):
            await asyncio.sleep(0)
            yield orjson.dumps({"data": self._event(body["query"], number)})
            if broken == f"e{number}":
                raise self._break()

    @staticmethod
    def _event(query: str, number: int) -> dict[str, Any]:
        event = {"eventId": f"e{number}", "_cursor": f"e{number}", "n": number}
        return {"ticked" if "ticked" in query else "changed": event}

    @staticmethod
    def _break() -> StreamBroken:
        return StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, "the connection broke", subgraph="log")

    async def aclose(self) -> None:
        """Nothing is held."""

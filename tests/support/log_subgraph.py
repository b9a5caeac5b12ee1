"""A served subgraph with a resumable subscription that can be stopped and started again at the same address."""

# strawberry reads the annotations of this module at run time, so they stay real types.
import asyncio
import socket
from collections.abc import AsyncGenerator

import strawberry
import uvicorn
from strawberry.asgi import GraphQL
from strawberry.subscriptions import (
    GRAPHQL_SSE_PROTOCOL,
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    MULTIPART_SUBSCRIPTION_PROTOCOL,
)

_PROTOCOLS = [GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL, MULTIPART_SUBSCRIPTION_PROTOCOL]


@strawberry.type
class Change:
    event_id: strawberry.ID
    n: int


class LogSubgraph:
    """The log outlives the server; closing every connection at once is what a crash looks like from outside."""

    def __init__(self) -> None:
        self._length = 0
        self._grown = asyncio.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._port = self._socket.getsockname()[1]
        self._socket.close()
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def append(self, many: int) -> None:
        self._length += many
        self._grown.set()
        self._grown = asyncio.Event()

    async def start(self) -> str:
        config = uvicorn.Config(
            self._app(), host="127.0.0.1", port=self._port, log_level="critical", ws="websockets-sansio", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup()
        self._task = asyncio.create_task(self._server.main_loop())
        return f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is None or self._task is None:
            return
        server.should_exit = True
        await self._task
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()
        for running in tuple(server.server_state.tasks):
            running.cancel()
        await server.shutdown()

    def _app(self) -> GraphQL:
        log = self

        @strawberry.type
        class Query:
            ready: bool = True

        @strawberry.type
        class Subscription:
            @strawberry.subscription
            async def changed(self, topic: str, after: strawberry.ID | None = None) -> AsyncGenerator[Change, None]:
                n = int(after.removeprefix("e")) if after else log._length
                while True:
                    while n < log._length:
                        n += 1
                        yield Change(event_id=strawberry.ID(f"e{n}"), n=n)
                    await log._grown.wait()

        schema = strawberry.Schema(query=Query, subscription=Subscription)
        return GraphQL(schema, graphql_ide=None, subscription_protocols=_PROTOCOLS)

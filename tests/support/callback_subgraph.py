"""A served subgraph that sends events by HTTP callback; the test says when it sends what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.bootstrap import Gateway, build_gateway
from gateway.config import settings_from
from tests.support.event_log import log_supergraph
from tests.support.serving import serve_asgi

_HEADERS = {"subscription-protocol": "callback/1.0"}


class Subscription:
    """One subscription that was asked for."""

    def __init__(self, body: dict[str, Any], headers: dict[str, str], client: httpx.AsyncClient) -> None:
        self.body = body
        self.headers = headers
        self.terms: dict[str, Any] = body["extensions"]["subscription"]
        self.after = body.get("variables", {}).get("_after")
        self._client = client

    async def post(self, content: bytes, url: str | None = None) -> httpx.Response:
        return await self._client.post(url or self.terms["callbackUrl"], content=content, headers=_HEADERS)

    async def tell(self, action: str, **more: Any) -> int:
        """Send a message and return the status that answers it."""
        message = {
            "kind": "subscription",
            "action": action,
            "id": self.terms["subscriptionId"],
            "verifier": self.terms["verifier"],
        }
        return (await self.post(orjson.dumps({**message, **more}))).status_code

    async def event(self, number: int) -> int:
        event = {"eventId": f"e{number}", "_cursor": f"e{number}", "n": number}
        field = "ticked" if "ticked" in self.body["query"] else "changed"
        return await self.tell("next", payload={"data": {field: event}})


class CallbackSubgraph:
    """Checks the address before it answers, as the protocol wants, unless it is told to ``answer`` otherwise."""

    def __init__(self) -> None:
        self.subscriptions: list[Subscription] = []
        self.answer: Response | None = None
        self.checks_first = True
        self._asked = asyncio.Condition()
        each = httpx.Limits(max_keepalive_connections=0)  # a connection for each message, as of many senders
        self._client = httpx.AsyncClient(timeout=30, limits=each)
        self.app = Starlette(routes=[Route("/graphql", self._begin, methods=["POST"])])

    async def _begin(self, request: Request) -> Response:
        asked = Subscription(orjson.loads(await request.body()), dict(request.headers), self._client)
        if self.checks_first and await asked.tell("check") != 204:
            return JSONResponse({"errors": [{"message": "the address does not take events"}]}, 400)
        self.subscriptions.append(asked)
        async with self._asked:
            self._asked.notify_all()
        return self.answer or JSONResponse({"data": None})

    async def asked(self, many: int = 1) -> Subscription:
        """Return the subscription that was asked for last, once so many were."""
        async with asyncio.timeout(30), self._asked:
            await self._asked.wait_for(lambda: len(self.subscriptions) >= many)
        return self.subscriptions[-1]

    async def aclose(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def callback_gateway(**sections: Any) -> AsyncIterator[tuple[Gateway, CallbackSubgraph]]:
    """Serve a gateway over such a subgraph, which reaches it at the address of ``callback.public_url``."""
    async with callback_gateways(1, **sections) as ((built,), subgraph):
        yield built, subgraph


@asynccontextmanager
async def callback_gateways(many: int, **sections: Any) -> AsyncIterator[tuple[list[Gateway], CallbackSubgraph]]:
    """Serve several gateways behind one address, at which the last of them answers; all of them run."""
    subgraph = CallbackSubgraph()
    built: list[Gateway] = []

    async def front(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] != "lifespan", "each gateway is started by its own server"
        await built[-1].asgi(scope, receive, send)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(subgraph.aclose)
        address = await stack.enter_async_context(serve_asgi(subgraph.app))
        own = await stack.enter_async_context(serve_asgi(front))
        settings = {
            **sections,
            "callback": {"public_url": f"{own}/callback", "heartbeat": "30s", **sections.get("callback", {})},
            "subgraphs": {"log": {"url": f"{address}/graphql", "subscriptions": "callback"}},
        }
        for _ in range(many):
            gateway = build_gateway(log_supergraph(), None, settings_from(settings, {}))
            built.append(await stack.enter_async_context(gateway))
            await stack.enter_async_context(serve_asgi(gateway.asgi))
        yield built, subgraph

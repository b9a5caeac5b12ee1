"""An endpoint that verifies webhooks as the platform does and keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schema.enums import SourceSystem
from systems.webhooks import Webhook, read_webhook
from tests.support.serving import serve_asgi


class WebhookReceiver:
    """Receives the webhooks of one sandbox."""

    def __init__(self, name: str) -> None:
        self._source = SourceSystem(name.upper())
        self._secret = f"sandbox-{name}-webhook"
        self._got: list[Webhook] = []
        self._more = asyncio.Condition()

    async def _receive(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        webhook = read_webhook(self._source, headers, await request.body(), self._secret, datetime.now(UTC))
        async with self._more:
            self._got.append(webhook)
            self._more.notify_all()
        return Response(status_code=202)

    async def until(self, is_last: Callable[[Webhook], bool], within_s: float) -> list[Webhook]:
        """Return everything up to the first webhook that is the last one."""
        async with asyncio.timeout(within_s), self._more:
            await self._more.wait_for(lambda: any(is_last(webhook) for webhook in self._got))
        return list(self._got)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        async with serve_asgi(Starlette(routes=[Route("/hook", self._receive, methods=["POST"])])) as url:
            yield f"{url}/hook"

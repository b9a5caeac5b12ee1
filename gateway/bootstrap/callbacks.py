"""Where subgraphs send the events of subscriptions, and how these get to the process that they are for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute

from gateway.config import GatewaySettings, RedisSettings
from gateway.server.callbacks import callback_route
from gateway.transport.callback import Callbacks

if TYPE_CHECKING:
    from gateway.server.callback_relay import CallbackRelay

__all__ = ["CallbackPlace"]

_Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class CallbackPlace:
    """Takes events under the settings that hold, and hands them to other processes where the settings want that."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._relay: CallbackRelay | None = None
        self._running: asyncio.Task[None] | None = None
        self._redis: RedisSettings | None = None

    def routes(self, settings: GatewaySettings) -> tuple[BaseRoute, ...]:
        """Return the routes on which events are taken; none without a place for them."""
        place = settings.callback
        if place is None:
            return ()
        return (callback_route(place.path, self._callbacks, settings.traffic.max_response_bytes, self),)

    async def change(self, settings: GatewaySettings, spawn: _Spawn) -> None:
        """Hand events on as other settings want it."""
        place = settings.callback
        wanted = settings.redis if place is not None and place.relay == "redis" else None
        if wanted == self._redis:
            return
        await self.aclose()
        self._redis = wanted
        if wanted is not None:
            from gateway.server.callback_relay import CallbackRelay  # noqa: PLC0415 - one process needs no relay

            self._relay = CallbackRelay(wanted, self._callbacks)
            self._running = spawn(self._relay.run())

    async def reaches(self, process: str) -> bool:
        """See :class:`gateway.server.callbacks.Relay`."""
        return self._relay is not None and await self._relay.reaches(process)

    async def send(self, process: str, subscription: str, body: bytes) -> int:
        """See :class:`gateway.server.callbacks.Relay`."""
        return 404 if self._relay is None else await self._relay.send(process, subscription, body)

    async def aclose(self) -> None:
        """Hand nothing on any more."""
        relay, self._relay, self._redis = self._relay, None, None
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if relay is not None:
            await relay.aclose()

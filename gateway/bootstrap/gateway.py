"""One gateway that runs: asked in the process or over the network, and changed while it serves."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self

from gateway.app import GatewayApp
from gateway.bootstrap.endpoints import http_limits
from gateway.bootstrap.graph import GraphBuilder
from gateway.config import GatewaySettings, check_change
from gateway.errors import ConfigError, GatewayError
from gateway.executor import DeferredResult, ExecutionResult
from gateway.server.pipeline import Pipeline
from gateway.server.prepared import Graph
from gateway.server.reload import Reloader, SupergraphSource
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.supergraph import Supergraph
from gateway.transport.registry import TransportRegistry

__all__ = ["Gateway"]

_log = logging.getLogger("gateway")

_NOBODY = RequestContext()


class Gateway:
    """A gateway for one supergraph. Use it as an async context manager; leaving it closes the transports."""

    def __init__(
        self,
        supergraph: Supergraph,
        pipeline: Pipeline,
        transports: TransportRegistry,
        asgi: GatewayApp,
        closing: Iterable[Callable[[], Awaitable[None]]] = (),
        build_graph: GraphBuilder | None = None,
        drain_s: float = 0.0,
    ) -> None:
        self.supergraph = supergraph
        self.asgi = asgi
        self._pipeline = pipeline
        self._transports = transports
        self._closing = tuple(closing)
        self._build_graph = build_graph
        self._drain_s = drain_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloaders: list[Reloader] = []
        self._changing = asyncio.Lock()
        asgi.on_stop(self.aclose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End shared event streams and close the transports; may be called more than once."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.asgi.aclose()
        await self._transports.aclose()
        for close in self._closing:
            await close()

    def follow(self, source: SupergraphSource, poll_s: float) -> None:
        """Look at ``source``, which has given what is served now, every ``poll_s`` while the server runs."""
        reloader = Reloader(source, self.reload, poll_s)
        self._reloaders.append(reloader)
        self.keep_running(reloader.run)

    def heed_hangup(self, read: Callable[[], GatewaySettings]) -> None:
        """On SIGHUP, while the server runs, take over the settings that ``read`` returns, and look for a supergraph."""

        async def start() -> None:
            if hasattr(signal, "SIGHUP"):
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._look_again(read)))

        self.asgi.on_start(start)

    async def _look_again(self, read: Callable[[], GatewaySettings]) -> None:
        try:
            changed = await self.change_settings(await asyncio.to_thread(read))
            _log.warning("settings taken over: %s", ", ".join(changed) or "none has changed")
        except GatewayError as error:
            _log.error("the settings are not replaced, the old ones hold: %s", error)
        for reloader in self._reloaders:
            await reloader.look()

    def keep_running(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start ``work`` with the server, and end it with the gateway."""

        async def start() -> None:
            self._spawn(work())

        self.asgi.on_start(start)

    async def reload(self, supergraph_sdl: str) -> None:
        """Serve another supergraph; what is under way ends with the one before, within the time to drain.

        Raises:
            SupergraphError: the document cannot be served; nothing has changed.
            ConfigError: the settings do not fit it; nothing has changed.
        """
        if self._build_graph is None:
            raise ConfigError("this gateway was put together for one supergraph")
        async with self._changing:
            parts = await asyncio.to_thread(self._build_graph.parse, supergraph_sdl)
            transports = self._build_graph.transports(parts.supergraph)
            before = await self._pipeline.replace(parts.supergraph, parts.planner, transports, parts.overrides)
            old, self._transports, self.supergraph = self._transports, transports, parts.supergraph
            self._spawn(self._retire(before, old))

    async def change_settings(self, settings: GatewaySettings) -> tuple[str, ...]:
        """Take over limits, rates and header rules, and return the keys that have changed.

        Requests that come from now on see them; what is under way ends with the old ones.

        Raises:
            ConfigError: other settings have changed too, or the new ones do not fit the supergraph; the old ones hold.
        """
        if self._build_graph is None:
            raise ConfigError("this gateway was put together for one supergraph")
        async with self._changing:
            changed = check_change(self._build_graph.settings, settings)
            if not changed:
                return ()
            builder = self._build_graph.with_settings(settings)
            transports = builder.transports(self.supergraph)
            self.asgi.change(builder.captured, http_limits(settings))
            before = await self._pipeline.change(settings, transports)
            old, self._transports, self._build_graph = self._transports, transports, builder
            self._spawn(self._retire(before, old))
            return changed

    async def _retire(self, graph: Graph, transports: TransportRegistry) -> None:
        """Close what only a graph that is not served any more has used."""
        given = () if self._build_graph is None else self._build_graph.given
        try:
            async with asyncio.timeout(self._drain_s):
                await graph.drain()
        except TimeoutError:
            _log.warning("%d operations of the old supergraph are ended", graph.running)
        finally:
            await transports.aclose(keep=given)
            gc.unfreeze()  # the command line freezes what it starts with, and that is garbage now

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def execute(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        context: RequestContext | None = None,
    ) -> ExecutionResult:
        """Run a query or mutation; every failure is in the result, none is raised.

        Cancel/retry: a cancelled mutation may have taken effect.
        """
        return await self._pipeline.execute(GraphQLRequest(query, variables, operation_name), context or _NOBODY)

    def deliver(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        context: RequestContext | None = None,
    ) -> AsyncGenerator[ExecutionResult | DeferredResult, None]:
        """Run a query or mutation and yield its first answer, then each fragment that it defers.

        Raises:
            RequestError, PlanningError: while iterating, before the first answer, when nothing was started.

        Cancel/retry: closing the generator cancels what is under way.
        """
        return self._pipeline.deliver(GraphQLRequest(query, variables, operation_name), context or _NOBODY)

    def subscribe(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        context: RequestContext | None = None,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Run a subscription and yield one result per event; closing the generator ends it.

        Raises:
            RequestError: while iterating, when the operation or its variables are not valid.
        """
        return self._pipeline.stream(GraphQLRequest(query, variables, operation_name), context or _NOBODY)

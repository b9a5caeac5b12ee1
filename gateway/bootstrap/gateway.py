"""One gateway that runs: asked in the process or over the network, and changed while it serves."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from gateway.app import GatewayApp
from gateway.bootstrap.endpoints import Doors
from gateway.bootstrap.generation import Generation, compile_settings
from gateway.bootstrap.graph import GraphBuilder, GraphParts
from gateway.bootstrap.observation import watch_figures
from gateway.cache.build import build_follower
from gateway.cache.cache import Cache
from gateway.config import GatewaySettings, check_change
from gateway.executor import DeferredResult, ExecutionResult
from gateway.extensions.extension import Extension
from gateway.extensions.lifecycle import Lifecycle
from gateway.policies.loop_lag import LoopLag
from gateway.server.connections import Connections
from gateway.server.pipeline import Pipeline
from gateway.server.prepared import Graph
from gateway.server.principal import Identity
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.stopping import StopTimes
from gateway.supergraph import Supergraph
from gateway.transport.registry import TransportRegistry

__all__ = ["Gateway"]

_log = logging.getLogger("gateway")

_NOBODY = RequestContext()


class Gateway:
    """A gateway for one supergraph. Use it as an async context manager; leaving it closes the transports.

    Attributes:
        asgi: the application that serves it.
        connections: bounds the connections of a server; its ``protocol`` is for uvicorn.
    """

    def __init__(
        self,
        parts: GraphParts,
        transports: TransportRegistry,
        pipeline: Pipeline,
        doors: Doors,
        builder: GraphBuilder,
        generation: Generation,
        identity: Identity | None,
        extensions: Sequence[Extension] = (),
    ) -> None:
        self._parts = parts
        self._transports = transports
        self._pipeline = pipeline
        self._doors = doors
        self._builder = builder
        self._generation = generation
        self._identity = identity
        self._extensions = tuple(extensions)
        self._lifecycle = Lifecycle(self._extensions)
        self._is_open = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self._watched = False
        self.connections = Connections(generation.settings, self._refused)
        self._following: tuple[Cache | None, asyncio.Task[None] | None] = (None, None)
        self.asgi = GatewayApp(doors.build(generation))
        self.asgi.on_start(self._open)
        self.asgi.on_start(self._watch_figures)
        self.asgi.on_start(self._follow_invalidations)
        self.asgi.on_start(self._relay_callbacks)
        builder.watch(parts.supergraph, generation)
        self.keep_running(builder.upstream.health.run)
        self.asgi.on_stop(self.aclose)

    @property
    def settings(self) -> GatewaySettings:
        """The settings that hold now."""
        return self._generation.settings

    @property
    def supergraph(self) -> Supergraph:
        """The supergraph that is served now."""
        return self._parts.supergraph

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _open(self) -> None:
        """Open the extensions.

        Raises:
            ConfigError: one cannot be opened.
        """
        self._is_open = True
        await self._lifecycle.open()
        await self._generation.extensions.open()

    async def aclose(self) -> None:
        """End shared event streams and close the transports; may be called more than once."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._doors.aclose()
        await self._transports.aclose()
        await self._builder.aclose()
        await self._generation.retire(None)
        await self._lifecycle.aclose()

    def announce_stop(self) -> StopTimes:
        """Tell by ``/health/ready`` that the gateway is about to stop; return the times for it."""
        self.asgi.announce_stop()
        server = self.settings.server
        return StopTimes(server.stop_notice or 0.0, server.stop_timeout)

    async def finish(self, within_s: float) -> None:
        """End subscriptions after what had arrived, and the connections that carry them.

        Clients are told where to resume. What is under way on such a connection may take so many seconds yet.
        """
        self._pipeline.end_subscriptions()
        await self._doors.leave(within_s)

    async def reload(self, supergraph_sdl: str) -> None:
        """Serve another supergraph; what is under way ends with the one before, within the time to drain.

        Raises:
            SupergraphError: the document cannot be served; nothing has changed.
            ConfigError: the settings do not fit it; nothing has changed.
        """
        async with self._changing:
            await self._change(self.settings, supergraph_sdl)

    async def change_settings(self, settings: GatewaySettings, supergraph_sdl: str | None = None) -> tuple[str, ...]:
        """Serve under other settings, and another supergraph where one is given; return the keys that have changed.

        Requests that come from now on see them; what is under way ends with the old ones. Files that the settings name
        are read again, even when no key has changed.

        Raises:
            ConfigError: one that asks for a restart has changed, or they do not fit the supergraph; the old ones hold.
            SupergraphError: the document cannot be served; nothing has changed.
        """
        async with self._changing:
            changed = check_change(self.settings, settings)
            await self._change(settings, supergraph_sdl)
            return changed

    async def _change(self, settings: GatewaySettings, supergraph_sdl: str | None) -> None:
        """Make everything ready, and then put it in force without a pause between."""
        builder, before = self._builder, self._generation
        if supergraph_sdl is None:
            parts = builder.refit(self._parts, settings)
        else:
            parts = await asyncio.to_thread(builder.parse, supergraph_sdl, settings)
        after = before
        if settings is not before.settings:
            after = await asyncio.to_thread(compile_settings, settings, self._identity, before, self._extensions)
            if self._is_open:
                await after.extensions.open()
        try:
            transports = builder.transports(parts.supergraph, after)
        except BaseException:
            await self._give_up(before, after)
            raise
        try:
            ready = await self._pipeline.make_ready(
                parts.supergraph, parts.planner, transports, after.rules, parts.overrides
            )
            entrance = self._doors.build(after)
        except BaseException:
            await transports.aclose()
            await self._give_up(before, after)
            raise
        old, self._transports, self._parts, self._generation = self._transports, transports, parts, after
        graph = self._pipeline.serve(ready)
        builder.watch(parts.supergraph, after)
        if after is not before:
            after.rules.policies.load.change(settings.load)
            self._doors.change(settings)
            self.asgi.change(entrance)
            await self._watch_figures()
            self.connections.change(settings)
            await self._follow_invalidations()
            await self._relay_callbacks()
        self.spawn(self._retire(graph, old, before, after))

    async def _give_up(self, before: Generation, after: Generation) -> None:
        if after is not before:
            await after.extensions.aclose()

    async def _retire(self, graph: Graph, transports: TransportRegistry, before: Generation, after: Generation) -> None:
        """Close what only a graph that is not served any more has used."""
        try:
            async with asyncio.timeout(self.settings.supergraph.drain):
                await graph.drain()
        except TimeoutError:
            _log.warning("%d operations of before the change are ended", graph.running)
        finally:
            await transports.aclose()
            if after is not before:
                await before.retire(after)
            gc.unfreeze()  # the command line freezes what it starts with, and that is garbage now

    def reloaded(self, what: str, *, has_failed: bool) -> None:
        """Count in the metrics that another ``supergraph`` or other ``settings`` were taken over, or were not."""
        metrics = self._generation.served_metrics
        if metrics is not None:
            metrics.reloaded(what, has_failed=has_failed)

    def _refused(self, code: str) -> None:
        self._generation.rules.observer.refused(code)

    async def _watch_figures(self) -> None:
        """Look after the figures that metrics tell, from the first time that they are served on."""
        metrics = self._generation.served_metrics
        if metrics is None or self._watched:
            return
        self._watched = True
        lag, load = LoopLag(), self._generation.rules.policies.load
        watch_figures(metrics, self._pipeline, load, self._doors.counter, self._builder.upstream, lag)
        self.spawn(lag.run(metrics.refresh))

    async def _follow_invalidations(self) -> None:
        """Follow what others than clients say has changed, for the cache that is in force."""
        cache, (followed, task) = self._generation.rules.cache, self._following
        if cache is followed:
            return
        if task is not None:
            task.cancel()
        follower = None if cache is None else build_follower(self.settings, cache)
        self._following = (cache, None if follower is None else self.spawn(follower.run()))

    async def _relay_callbacks(self) -> None:
        await self._doors.callbacks.change(self.settings, self.spawn)

    def keep_running(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start ``work`` with the server, and end it with the gateway."""

        async def start() -> None:
            self.spawn(work())

        self.asgi.on_start(start)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` beside the server; it ends with the gateway."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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

        Results are shared with others who follow the same: neither they nor what is in them may be changed.

        Raises:
            RequestError: while iterating, when the operation or its variables are not valid.
        """
        return self._pipeline.stream(GraphQLRequest(query, variables, operation_name), context or _NOBODY)

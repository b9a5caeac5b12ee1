"""The cache of one gateway, and what it knows of the graph that is served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.cache.counts import CacheCounts, NoCounts
from gateway.cache.invalidation import InvalidationReader
from gateway.cache.mutation import MutationFetches
from gateway.cache.plans import CachedFetch, PlanReader
from gateway.cache.query import QueryFetches
from gateway.cache.selections import SelectionReader
from gateway.cache.shared import Shared
from gateway.cache.store import CacheStore
from gateway.cache.who import WhoReader
from gateway.config import CacheSettings, IdentitySettings
from gateway.executor.result import ExecutionResult
from gateway.plan.nodes import QueryPlan
from gateway.server.principal import Principal
from gateway.supergraph import Supergraph

__all__ = ["Cache", "CachedOperation", "CachedRequest", "GraphCache"]


class Cache:
    """What is kept, for every graph that the gateway serves."""

    def __init__(
        self,
        settings: CacheSettings,
        store: CacheStore,
        identity: IdentitySettings,
        counts: CacheCounts | None = None,
    ) -> None:
        self._shared = Shared(settings, store, counts or NoCounts())
        self._who = WhoReader(settings, identity)
        self._invalidations: InvalidationReader | None = None

    def of(self, supergraph: Supergraph) -> GraphCache:
        """Return the cache for the operations on a supergraph, by which invalidations are read from now on."""
        selections = SelectionReader(supergraph)
        self._invalidations = InvalidationReader(supergraph, selections)
        return GraphCache(self._shared, self._who, PlanReader(supergraph, self._shared.settings, selections))

    def read_invalidation(self, text: bytes) -> tuple[str, ...]:
        """Return the tags of what must be found no more.

        Raises:
            RequestError: BAD_REQUEST, the text means nothing.
        """
        if self._invalidations is None:
            return ()
        return self._invalidations.read(text)

    async def invalidate(self, tags: tuple[str, ...], by: str) -> None:
        """Let nobody find what has one of the tags; ``by`` is ``request`` or ``event``."""
        self._shared.counts.invalidated(by, len(tags))
        await self._shared.store.invalidate(tags)

    async def aclose(self) -> None:
        """Release the store."""
        await self._shared.store.aclose()


@dataclass(frozen=True, slots=True)
class GraphCache:
    """The cache for the operations on one supergraph."""

    shared: Shared
    who: WhoReader
    plans: PlanReader

    def prepare(self, plan: QueryPlan) -> CachedOperation | None:
        """Return what is known of a plan, None when the cache has nothing to do with it."""
        if plan.kind == "subscription":
            return None  # what completes an event must be as new as the event
        if plan.kind == "mutation" and not self.shared.settings.read_own_writes:
            return None
        fetches = self.plans.read(plan)
        if all(fetch is None for fetch in fetches):
            return None
        return CachedOperation(self, plan.kind == "mutation", fetches)


@dataclass(frozen=True, slots=True)
class CachedOperation:
    """A query of which parts may be kept, or a mutation."""

    cache: GraphCache
    is_mutation: bool
    fetches: tuple[CachedFetch | None, ...]

    def open(self, principal: Principal, headers: tuple[tuple[str, str], ...]) -> CachedRequest:
        """Return the cache for one request; ``headers`` are those for subgraphs."""
        who = self.cache.who.read(principal, headers)
        if self.is_mutation:
            return CachedRequest(MutationFetches(self.cache.shared, self.fetches, who))
        return CachedRequest(QueryFetches(self.cache.shared, self.fetches, who, collects=False))


@dataclass(frozen=True, slots=True)
class CachedRequest:
    """The cache for one request."""

    fetches: QueryFetches | MutationFetches

    async def answer(self, run: Callable[[], Awaitable[ExecutionResult]]) -> ExecutionResult:
        """Return the answer that ``run`` makes; when it ends, also by failure, what a mutation touched is stale."""
        try:
            return await run()
        finally:
            await self.end()

    async def end(self) -> None:
        """Hide what a mutation has made stale."""
        if isinstance(self.fetches, MutationFetches):
            await self.fetches.end()

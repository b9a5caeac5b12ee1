"""The cache of one gateway, and what it knows of the graph that is served."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from gateway.cache.answers import QueryAnswers, Run
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
from gateway.executor import ExecutionContext
from gateway.executor.result import ExecutionResult
from gateway.plan.nodes import QueryPlan
from gateway.server.principal import Principal
from gateway.supergraph import Supergraph

__all__ = ["Cache", "CachedOperation", "CachedRequest", "GraphCache"]


class Cache:
    """What is kept, for every graph that the gateway serves.

    Args:
        vary: headers of clients that make a difference to answers, as the value of ``Vary``.
    """

    def __init__(
        self,
        settings: CacheSettings,
        store: CacheStore,
        identity: IdentitySettings,
        counts: CacheCounts | None = None,
        vary: str = "",
    ) -> None:
        self._shared = Shared(settings, store, counts or NoCounts(), vary)
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
        name = blake2b(repr(plan).encode(), digest_size=16).digest()
        is_whole = None not in fetches and plan.introspection is None and not plan.deferred
        return CachedOperation(self, plan.kind == "mutation", fetches, name, is_whole)


@dataclass(frozen=True, slots=True)
class CachedOperation:
    """A query of which parts may be kept, or a mutation.

    Attributes:
        name: names the plan, and with it the shape of the answer.
        is_whole: the answer is made of what may be kept, and of nothing else.
    """

    cache: GraphCache
    is_mutation: bool
    fetches: tuple[CachedFetch | None, ...]
    name: bytes
    is_whole: bool

    def open(self, principal: Principal, headers: tuple[tuple[str, str], ...]) -> CachedRequest:
        """Return the cache for one request; ``headers`` are those for subgraphs."""
        who, shared = self.cache.who.read(principal, headers), self.cache.shared
        if self.is_mutation:
            return CachedRequest(MutationFetches(shared, self.fetches, who))
        fetches = QueryFetches(shared, self.fetches, who, collects=shared.settings.answers and self.is_whole)
        return CachedRequest(fetches, QueryAnswers(shared, who, self.name, self.is_whole, fetches))


@dataclass(frozen=True, slots=True)
class CachedRequest:
    """The cache for one request; ``answers`` is None for a mutation."""

    fetches: QueryFetches | MutationFetches
    answers: QueryAnswers | None = None

    async def answer(self, execution: ExecutionContext, run: Run) -> ExecutionResult:
        """Return the answer that is kept or that ``run`` makes; what a mutation touched is stale when that ends.

        A mutation that fails or is given up may have taken effect too.
        """
        if self.answers is not None:
            return await self.answers.answer({**execution.defaults, **execution.variables}, run)
        try:
            return await run()
        finally:
            await self.end()

    async def end(self) -> None:
        """Hide what a mutation has made stale."""
        if isinstance(self.fetches, MutationFetches):
            await self.fetches.end()

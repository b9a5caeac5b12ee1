"""The fetches of one mutation: all are made, and what they touch is not found any more afterwards.

What a mutation touches are the entities in its answers, and those that it asks for further fields of. Besides, the
principal who sent it finds nothing that was fetched before its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cache.plans import CachedFetch
from gateway.cache.shared import Shared
from gateway.cache.tags import About
from gateway.cache.who import Who
from gateway.executor.answer import decode_answer
from gateway.executor.caching import CachedAnswer, SendFetch
from gateway.plan.nodes import FetchId

__all__ = ["MutationFetches"]


class MutationFetches:
    """See :class:`gateway.executor.caching.FetchCache`."""

    def __init__(self, shared: Shared, fetches: Sequence[CachedFetch | None], who: Who) -> None:
        self._shared = shared
        self._fetches = fetches
        self._who = who
        self._about = About()

    def covers(self, fetch: FetchId) -> bool:
        """See :class:`gateway.executor.caching.FetchCache`."""
        return self._fetches[fetch] is not None

    async def fetch(
        self, fetch: FetchId, variables: dict[str, Any], asked: Mapping[str, list[dict[str, Any]]], send: SendFetch
    ) -> CachedAnswer:
        """See :class:`gateway.executor.caching.FetchCache`."""
        cached = self._fetches[fetch]
        if cached is None:
            raise LookupError(f"fetch {fetch} is not covered")
        response = await send({**variables, **asked}, True, None)
        answer = decode_answer(response, cached.subgraph)
        data = answer[0]
        if cached.subject is not None:
            cached.subject.note(data, self._about)
        for call in cached.calls:
            entities = data.get(call.key) if data is not None else None
            if call.subject is not None and isinstance(entities, list):
                for representation, entity in zip(asked[call.variable], entities, strict=False):
                    call.subject.note_entity(representation, entity, self._about)
        return answer, response.body

    async def end(self) -> None:
        """Hide what the mutation has made stale.

        Cancel/retry: once called it takes place, even when cancelled.
        """
        tags = self._about.touched()
        barriers = () if self._who.own is None else (self._who.own,)
        if tags or barriers:
            self._shared.counts.invalidated("mutation", len(tags) + len(barriers))
            await self._shared.store.invalidate(tags, barriers)

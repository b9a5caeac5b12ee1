"""Whole answers of queries: kept by the plan, the variables and for whom they are, as long as their shortest part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.cache.keeping import entry_base, entry_key, entry_keys, first_found, jittered
from gateway.cache.lifetime import NEVER, Lifetime, join
from gateway.cache.query import QueryFetches
from gateway.cache.shared import Shared
from gateway.cache.store import Entry, Reading
from gateway.cache.who import Who
from gateway.executor.result import ExecutionResult, Freshness
from gateway.tracing import lookups, outcome_of

__all__ = ["QueryAnswers", "Run"]

Run = Callable[[], Awaitable[ExecutionResult]]


@dataclass(frozen=True, slots=True)
class QueryAnswers:
    """The answer of one query.

    Attributes:
        name: names the plan.
        is_whole: every fetch of it goes through the cache, and all of the answer comes from fetches.
        fetches: its fetches.
    """

    shared: Shared
    who: Who
    name: bytes
    is_whole: bool
    fetches: QueryFetches

    async def answer(self, variables: Mapping[str, Any], run: Run) -> ExecutionResult:
        """Return the answer that is kept, or the one that ``run`` makes, which may then be kept."""
        settings = self.shared.settings
        if not (settings.answers and self.is_whole):
            result = await run()
            return self._told(result, self._lifetime(result), 0.0)
        base = entry_base(self.name, self.who, variables)
        reading = await self.shared.store.read(entry_keys(base, self.who), self.fetches.barriers)
        found = first_found(reading.found, self.who)
        self._count(reading, is_hit=found is not None)
        if found is not None:
            kept, scope = found
            body = kept.value
            lifetime = Lifetime(kept.left_s + kept.age_s, scope)
            return self._told(ExecutionResult(orjson.loads(body)["data"], [], body), lifetime, kept.age_s)
        result = await run()
        lifetime = self._lifetime(result)
        if lifetime.max_age_s:
            result = replace(result, body=result.to_bytes())
            await self._keep(base, reading, lifetime, result.body or b"")
        return self._told(result, lifetime, 0.0)

    def _count(self, reading: Reading, *, is_hit: bool) -> None:
        trace = lookups.get()
        if reading.as_of is None:
            self.shared.counts.bypassed("answer", "")
        else:
            self.shared.counts.looked_up("answer", "", int(is_hit), int(not is_hit))
        if trace is not None:
            trace.answer("bypass" if reading.as_of is None else outcome_of(int(is_hit), int(not is_hit)))

    def _lifetime(self, result: ExecutionResult) -> Lifetime:
        return NEVER if result.errors or not self.is_whole else join(self.fetches.lifetimes)

    def _told(self, result: ExecutionResult, lifetime: Lifetime, age_s: float) -> ExecutionResult:
        if not self.shared.settings.tell_clients:
            return result
        return replace(result, freshness=Freshness(lifetime.header(), int(age_s), self.shared.vary))

    async def _keep(self, base: bytes, reading: Reading, lifetime: Lifetime, body: bytes) -> None:
        if lifetime.scope is None or not lifetime.max_age_s or reading.as_of is None:
            return
        lasts_s = jittered(lifetime.max_age_s, self.shared.settings.jitter)
        entry = Entry(entry_key(base, self.who, lifetime.scope), body, lasts_s, self.fetches.about.words())
        self.shared.counts.stored("answer", "", await self.shared.store.write([entry], reading.as_of))

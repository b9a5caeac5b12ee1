"""The fetches of one query: what is kept is not asked for, and what comes is kept.

An entity call asks only for the entities that are missing; what came and what was kept are put together again in the
order in which they were asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from gateway.cache.keeping import entry_base, entry_key, entry_keys, first_found, jittered, judge, pick
from gateway.cache.lifetime import NEVER, Lifetime
from gateway.cache.plans import CachedCall, CachedFetch
from gateway.cache.shared import Shared
from gateway.cache.store import Entry, Reading
from gateway.cache.tags import About
from gateway.cache.who import Who
from gateway.executor.answer import Answer, decode_answer
from gateway.executor.caching import CachedAnswer, SendFetch
from gateway.plan.nodes import FetchId
from gateway.tracing import lookups, outcome_of
from gateway.transport.base import SubgraphResponse

__all__ = ["Loaded", "QueryFetches"]

_Keep = Callable[[CachedFetch, bytes, Reading, Mapping[str, Any], "Loaded"], Awaitable[None]]
_Asked = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a fetch brought, for everybody who waited for it."""

    response: SubgraphResponse
    lifetime: Lifetime


class QueryFetches:
    """See :class:`gateway.executor.caching.FetchCache`.

    Attributes:
        barriers: what the one who asks brings to each reading.
        lifetimes: of each answer that was used so far.
        about: what these are about, where that is collected.
    """

    def __init__(self, shared: Shared, fetches: Sequence[CachedFetch | None], who: Who, *, collects: bool) -> None:
        self._shared = shared
        self._fetches = fetches
        self._who = who
        self._collects = collects
        self.barriers = (who.own,) if who.own is not None and shared.settings.read_own_writes else ()
        self.lifetimes: list[Lifetime] = []
        self.about = About()

    def covers(self, fetch: FetchId) -> bool:
        """See :class:`gateway.executor.caching.FetchCache`."""
        return self._fetches[fetch] is not None

    async def fetch(self, fetch: FetchId, variables: dict[str, Any], asked: _Asked, send: SendFetch) -> CachedAnswer:
        """See :class:`gateway.executor.caching.FetchCache`."""
        cached = self._fetches[fetch]
        if cached is None:
            raise LookupError(f"fetch {fetch} is not covered")
        if asked:
            return await self._entities(cached, variables, asked, send), None
        return await self._roots(cached, variables, send)

    async def _roots(self, cached: CachedFetch, variables: dict[str, Any], send: SendFetch) -> CachedAnswer:
        who, shared = self._who, self._shared
        base = entry_base(cached.name, who, pick(variables, cached.variables))
        reading = await shared.store.read(entry_keys(base, who), self.barriers)
        found = first_found(reading.found, who)
        self._count("fetch", cached, reading, hits=int(found is not None), misses=int(found is None))
        if found is not None:
            kept, scope = found
            response = SubgraphResponse(200, "application/json", kept.value)
            lifetime = Lifetime(kept.left_s, scope)
        else:
            loaded = await self._load(cached, base, reading, variables, send, "miss", self._keep_roots)
            response, lifetime = loaded.response, loaded.lifetime
        answer = decode_answer(response, cached.subgraph)
        self._use(lifetime, answer)
        if self._collects:
            self.about.add(_about_roots(cached, variables, answer[0]))
        return answer, response.body

    async def _keep_roots(
        self, cached: CachedFetch, base: bytes, reading: Reading, variables: Mapping[str, Any], loaded: Loaded
    ) -> None:
        data, errors = decode_answer(loaded.response, cached.subgraph)
        if errors or data is None:
            return
        words = _about_roots(cached, variables, data).words()
        await self._write("fetch", cached, reading, loaded.lifetime, [(base, loaded.response.body, words)])

    async def _entities(self, cached: CachedFetch, variables: dict[str, Any], asked: _Asked, send: SendFetch) -> Answer:
        who = self._who
        wanted = [(call, representation) for call in cached.calls for representation in asked[call.variable]]
        bases = [
            entry_base(call.name, who, [pick(variables, call.variables), representation])
            for call, representation in wanted
        ]
        names = [entry_keys(base, who) for base in bases]
        reading = await self._shared.store.read([key for keys in names for key in keys], self.barriers)
        step = len(names[0])
        found = [first_found(reading.found[start : start + step], who) for start in range(0, step * len(names), step)]
        misses = found.count(None)
        self._count("entity", cached, reading, hits=len(found) - misses, misses=misses)
        entities: list[Any] = [None if one is None else orjson.loads(one[0].value) for one in found]
        self.lifetimes += [Lifetime(one[0].left_s, one[1]) for one in found if one is not None]
        errors: list[dict[str, Any]] = []
        data: dict[str, Any] | None = {}
        if misses:
            slots = [number for number, one in enumerate(found) if one is None]
            missing: dict[str, list[dict[str, Any]]] = {call.variable: [] for call in cached.calls}
            for slot in slots:
                missing[wanted[slot][0].variable].append(wanted[slot][1])
            key = blake2b(b"".join(bases[slot] for slot in slots), digest_size=16).digest()
            every = {**variables, **missing}
            lookup = outcome_of(len(found) - misses, misses)
            loaded = await self._load(cached, key, reading, every, send, lookup, self._keep_entities)
            data, errors = decode_answer(loaded.response, cached.subgraph)
            self._use(loaded.lifetime, (data, errors))
            positions = _positions(cached.calls, wanted, slots)
            errors = [_moved(error, positions) for error in errors]
            if data is None and misses == len(found):
                return None, errors
            wrong = _fill(entities, slots, cached.calls, wanted, missing, data)
        else:
            wrong = {}
        if None in entities:
            self.lifetimes.append(NEVER)  # what is not there may come at any time
        return self._put_together(cached, asked, entities, wrong), errors

    def _put_together(
        self, cached: CachedFetch, asked: _Asked, entities: list[Any], wrong: Mapping[str, Any]
    ) -> dict[str, Any]:
        data: dict[str, Any] = {}
        start = 0
        for call in cached.calls:
            count = len(asked[call.variable])
            part = entities[start : start + count]
            data[call.key] = wrong.get(call.key, part)
            if self._collects:
                for representation, entity in zip(asked[call.variable], part, strict=True):
                    self.about.add(_about_entity(cached, call, representation, entity))
            start += count
        return data

    async def _keep_entities(
        self, cached: CachedFetch, _: bytes, reading: Reading, variables: Mapping[str, Any], loaded: Loaded
    ) -> None:
        data, errors = decode_answer(loaded.response, cached.subgraph)
        if errors or data is None:
            return
        kept: list[tuple[bytes, bytes, tuple[str, ...]]] = []
        for call in cached.calls:
            representations, entities = variables[call.variable], data.get(call.key)
            if entities.__class__ is not list or len(entities) != len(representations):
                return
            given = pick(variables, call.variables)
            for representation, entity in zip(representations, entities, strict=True):
                if entity is not None:
                    base = entry_base(call.name, self._who, [given, representation])
                    words = _about_entity(cached, call, representation, entity).words()
                    kept.append((base, orjson.dumps(entity), words))
        await self._write("entity", cached, reading, loaded.lifetime, kept)

    async def _load(
        self,
        cached: CachedFetch,
        key: bytes,
        reading: Reading,
        variables: Mapping[str, Any],
        send: SendFetch,
        lookup: str,
        keep: _Keep,
    ) -> Loaded:
        """Send a fetch, or wait for an equal one that is under way; whoever sends it keeps what comes."""
        who = self._who

        async def start() -> Loaded:
            has_looked = reading.as_of is not None
            response = await send(variables, has_looked, lookup if has_looked else "bypass")
            loaded = Loaded(response, judge(cached, response, who))
            if loaded.lifetime.max_age_s and reading.as_of is not None:
                await keep(cached, key, reading, variables, loaded)
            return loaded

        if reading.as_of is None:
            return await start()
        name = key + (who.private or b"")
        loaded: Loaded = await self._shared.flights.run(name, reading.as_of, reading.changed_at, start)
        return loaded

    async def _write(
        self,
        cache: str,
        cached: CachedFetch,
        reading: Reading,
        lifetime: Lifetime,
        kept: Sequence[tuple[bytes, bytes, tuple[str, ...]]],
    ) -> None:
        if lifetime.scope is None or not lifetime.max_age_s or reading.as_of is None or not kept:
            return
        shared, scope = self._shared, lifetime.scope
        entries = [
            Entry(
                entry_key(base, self._who, scope),
                value,
                jittered(lifetime.max_age_s, shared.settings.jitter),
                words,
            )
            for base, value, words in kept
        ]
        shared.counts.stored(cache, cached.subgraph, await shared.store.write(entries, reading.as_of))

    def _use(self, lifetime: Lifetime, answer: Answer) -> None:
        has_failed = bool(answer[1]) or answer[0] is None
        self.lifetimes.append(Lifetime(0.0, lifetime.scope) if has_failed else lifetime)

    def _count(self, cache: str, cached: CachedFetch, reading: Reading, *, hits: int, misses: int) -> None:
        counts, trace = self._shared.counts, lookups.get()
        is_bypassed = reading.as_of is None
        if is_bypassed:
            counts.bypassed(cache, cached.subgraph)
        else:
            counts.looked_up(cache, cached.subgraph, hits, misses)
        if trace is not None:
            trace.parts(hits, misses, bypassed=is_bypassed)


def _about_roots(cached: CachedFetch, variables: Mapping[str, Any], data: dict[str, Any] | None) -> About:
    about = About(cached.about)
    for tags in cached.root_tags:
        tags.note(variables, about)
    if cached.subject is not None:
        cached.subject.note(data, about)
    return about


def _about_entity(cached: CachedFetch, call: CachedCall, representation: dict[str, Any], entity: Any) -> About:
    about = About(cached.about)
    if call.subject is not None:
        call.subject.note_entity(representation, entity, about)
    return about


def _positions(
    calls: Sequence[CachedCall], wanted: Sequence[tuple[CachedCall, Any]], slots: Sequence[int]
) -> dict[str, list[int]]:
    """Return, by response key of a call, at which place among all that were asked for each missing one stands."""
    starts: dict[str, int] = {}
    for number, (call, _) in enumerate(wanted):
        starts.setdefault(call.key, number)
    found: dict[str, list[int]] = {call.key: [] for call in calls}
    for slot in slots:
        key = wanted[slot][0].key
        found[key].append(slot - starts[key])
    return found


def _moved(error: dict[str, Any], positions: Mapping[str, list[int]]) -> dict[str, Any]:
    """Return an error whose path counts all entities that were asked for, not only the missing ones."""
    path = error.get("path")
    if not isinstance(path, list) or len(path) < 2 or not isinstance(path[1], int):
        return error
    places = positions.get(path[0], [])
    if not 0 <= path[1] < len(places):
        return error
    return {**error, "path": [path[0], places[path[1]], *path[2:]]}


def _fill(
    entities: list[Any],
    slots: Sequence[int],
    calls: Sequence[CachedCall],
    wanted: Sequence[tuple[CachedCall, Any]],
    missing: _Asked,
    data: dict[str, Any] | None,
) -> dict[str, Any]:
    """Put what came in its places; return what came for a call instead of as many entities as were missing."""
    wrong: dict[str, Any] = {}
    came: dict[str, Any] = {}
    for call in calls:
        part = None if data is None else data.get(call.key)
        asked = missing[call.variable]
        if isinstance(part, list) and len(part) == len(asked):
            came[call.key] = iter(part)
        elif asked and part is not None:
            wrong[call.key] = _NO_LIST
    for slot in slots:
        key = wanted[slot][0].key
        if key in came:
            entities[slot] = next(came[key])
    return wrong


_NO_LIST = "not as many entities as were asked for"
"""Stands for a list of the wrong length, which must not be taken for one of the right length."""

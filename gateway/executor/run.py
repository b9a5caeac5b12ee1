"""Run a compiled plan for one request.

1. Start every fetch that waits for nothing. A fetch whose guards do not hold, or that has nothing to represent, is
   done at once and sends nothing.
2. When a fetch is done its answer is merged, and each follower whose other dependencies are done starts. There are no
   stages. A failed fetch is done too: its followers find less to represent, and the rest of the answer survives.
3. When all are done the tree is shaped into the answer; where parts are deferred, each when its own fetches are done.

Everything between two awaits runs on one event loop without interleaving, so merging needs no locks. When the request
is cancelled its open fetches are cancelled with it; a failing fetch never cancels another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor.announcing import Announced, Announcer
from gateway.executor.answer import Answer, decode_answer
from gateway.executor.blame import Blame
from gateway.executor.caching import FetchCache
from gateway.executor.compile import CompiledFetch, ExecutablePlan
from gateway.executor.completion import MAX_ERRORS, complete
from gateway.executor.context import ExecutionContext
from gateway.executor.contexts import MAX_GROUPS, CompiledContexts
from gateway.executor.deferred import DeferredResult, Delivered, Patch, StreamedItems, complete_patch, with_other_errors
from gateway.executor.merge import copy_value, merge_entities, merge_object
from gateway.executor.projection import FAULTS
from gateway.executor.representations import CompiledTarget, EntityBatch
from gateway.executor.result import ExecutionResult
from gateway.executor.streamed import ListPlace, complete_stream
from gateway.executor.verification import is_same_text
from gateway.transport.base import SubgraphRequest, SubgraphResponse, annotate

__all__ = ["complete_event", "run", "run_deferred", "variables_of"]

_Part = tuple[str, Sequence[CompiledTarget], EntityBatch]
"""The response key of an entity call, its targets and what was asked for."""


async def run(plan: ExecutablePlan, context: ExecutionContext) -> ExecutionResult:
    """Execute a query or mutation and return its answer; faults of subgraphs are in it, never raised.

    Cancel/retry: cancelling cancels the open fetches; a mutation may have taken effect then.
    """
    execution = _Execution(plan, context, {})
    await execution.run_all()
    return execution.shape()


async def run_deferred(
    plan: ExecutablePlan, context: ExecutionContext
) -> AsyncGenerator[ExecutionResult | DeferredResult, None]:
    """Execute a query or mutation and yield the first answer, then each deferred part when it is complete.

    A part comes after the one that it stands in; one that adds to no object of the answer is left out. Nothing is
    raised for faults of subgraphs.

    Cancel/retry: closing the generator cancels the open fetches; a mutation may have taken effect then.
    """
    if not plan.source.deferred:
        yield await run(plan, context)
        return
    execution = _Execution(plan, context, {})
    delivered, announcer = Delivered(), Announcer(plan.source, plan.shape(context).places)
    async with aclosing(execution.run_parts()) as parts:
        async for part in parts:
            if part is None:
                first = execution.shape()
                delivered.add((), first.data)
                first.pending = announcer.after(None, execution.data, delivered)
                yield first
                if not first.pending and plan.source.kind == "query":
                    return  # no later part has a place, so what runs for them is in vain
                continue
            patches = execution.patches(part, announcer.take(part))
            if patches:
                for patch in patches:
                    delivered.add_part(patch)
                pending = announcer.after(part, execution.data, delivered)
                yield DeferredResult(plan.source.deferred[part].label, part, patches, pending)


async def complete_event(
    plan: ExecutablePlan, context: ExecutionContext, data: dict[str, Any] | None, errors: list[dict[str, Any]]
) -> ExecutionResult:
    """Complete one event of a subscription: ``data`` is what the stream sent, further fetches add to it."""
    execution = _Execution(plan, context, data or {})
    stream = plan.source.fetches[0]
    execution.errors += Blame(stream, plan.source.output).root_errors(errors, execution.data)
    if data is not None:
        await execution.run_all()
    return execution.shape()


def variables_of(fetch: CompiledFetch, context: ExecutionContext) -> dict[str, Any]:
    """Return the client's variables that a fetch uses; those that the client left out are absent."""
    given = context.variables
    return {name: given[name] for name in fetch.fetch.variables if name in given}


class _Execution:
    """One request under way."""

    def __init__(self, plan: ExecutablePlan, context: ExecutionContext, data: dict[str, Any]) -> None:
        self._plan = plan
        self._context = context
        self.data = data
        self.errors: list[dict[str, Any]] = []
        self._waiting = [fetch.waits_for for fetch in plan.fetches]
        self._tasks: set[asyncio.Task[None]] = set()
        self._body: bytes | None = None
        self._errors_of_parts: dict[int, list[dict[str, Any]]] = {}
        self._open: dict[int | None, int] = dict.fromkeys((None, *range(len(plan.source.deferred))), 0)
        for part in plan.part_of:
            self._open[part] += 1

    async def run_all(self) -> None:
        """Run every fetch; afterwards ``data`` and ``errors`` are complete."""
        ready = self._plan.ready
        if len(ready) == 1:
            await self._run_from(ready[0])
        elif ready:
            for index in ready:
                self._start(index)
        tasks = self._tasks
        if not tasks:
            return
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                tasks -= done
                for task in done:
                    task.result()
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def run_parts(self) -> AsyncGenerator[int | None, None]:
        """Run every fetch; yield None when the first answer can be shaped, then each part that is complete."""
        for index in self._plan.ready:
            self._start(index)
        waiting: list[int | None] = list(self._open)
        tasks = self._tasks
        try:
            while True:
                for part in self._complete(waiting):
                    waiting.remove(part)
                    yield part
                if not tasks:
                    return
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                tasks -= done
                for task in done:
                    task.result()
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    def _complete(self, waiting: Sequence[int | None]) -> list[int | None]:
        """Return the parts of which nothing is under way, each after the one that it stands in."""
        open_: set[int | None] = set()
        for part in waiting:
            around = None if part is None else self._plan.source.deferred[part].parent
            if self._open[part] or (part is not None and (None in open_ or around in open_)):
                open_.add(part)
        return [part for part in waiting if part not in open_]

    def patches(self, part: int, announced: Sequence[Announced]) -> tuple[Patch | StreamedItems, ...]:
        """Return what a complete part adds to the objects and lists that were announced."""
        errors = self._errors_of_parts.get(part, [])
        found: list[Patch | StreamedItems] = [
            complete_stream(one.place, one.item, one.path, errors)
            if isinstance(one.place, ListPlace)
            else complete_patch(one.place.target, one.item, one.path, errors)
            for one in announced
        ]
        return tuple(with_other_errors(found, errors))

    def _note(self, fetch: CompiledFetch, errors: list[dict[str, Any]]) -> None:
        part = self._plan.part_of[fetch.fetch.id] if self._plan.part_of else None
        routes = self._plan.error_routes
        if routes is not None:
            for error in errors:
                own = routes.part_of(error["path"], part)
                (self.errors if own is None else self._errors_of_parts.setdefault(own, [])).append(error)
        elif part is None:
            self.errors += errors
        else:
            self._errors_of_parts.setdefault(part, []).extend(errors)

    def _start(self, index: int) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(self._run_from(index)))

    async def _run_from(self, index: int) -> None:
        """Run a fetch and then its followers; the last follower that becomes ready runs in this same task."""
        following: int | None = index
        parts = self._plan.part_of
        while following is not None:
            current = following
            fetch = self._plan.fetches[current]
            if self._is_wanted(fetch):
                await self._run_fetch(fetch)
            following = None
            for follower in fetch.followers:
                self._waiting[follower] -= 1
                if self._waiting[follower] == 0:
                    if parts and parts[follower] != parts[current]:
                        self._start(follower)  # so that the end of this task tells that its part may be complete
                        continue
                    if following is not None:
                        self._start(following)
                    following = follower
            if parts:
                self._open[parts[current]] -= 1

    def _is_wanted(self, fetch: CompiledFetch) -> bool:
        guards = fetch.fetch.guards
        return not guards or all(self._context.flag(guard.variable) is guard.expected for guard in guards)

    async def _run_fetch(self, fetch: CompiledFetch) -> None:
        if fetch.contexts is not None:
            await self._run_with_contexts(fetch, fetch.contexts)
            return
        if fetch.at is not None and not fetch.at.collect({(): [self.data]}):
            return
        batches: list[EntityBatch] = []
        if fetch.calls:
            batches = [call.build(self.data) for call in fetch.calls]
            if not any(batch.representations for batch in batches):
                return
        cache = self._context.cache
        try:
            if cache is not None and cache.covers(fetch.fetch.id):
                data, errors = await self._ask(cache, fetch, batches)
            else:
                data, errors = await self._send(fetch, self._body_of(fetch, batches))
            if batches:
                parts = [(call.key, call.targets, batch) for call, batch in zip(fetch.calls, batches, strict=True)]
                self._merge_calls(fetch, parts, data, errors)
            else:
                self._merge_root(fetch, data, errors)
        except SubgraphError as error:
            self._note(fetch, self._blame(fetch).failure(error, self.data))

    def _body_of(self, fetch: CompiledFetch, batches: list[EntityBatch]) -> bytes:
        if batches:
            variables = variables_of(fetch, self._context)
            for call, batch in zip(fetch.calls, batches, strict=True):
                variables[call.variable] = batch.representations
            return fetch.prefix + orjson.dumps(variables) + b"}"
        if fetch.bare_body is not None:
            return fetch.bare_body
        return fetch.prefix + orjson.dumps(variables_of(fetch, self._context)) + b"}"

    async def _ask(self, cache: FetchCache, fetch: CompiledFetch, batches: list[EntityBatch]) -> Answer:
        """Return the answer of the cache, which sends what it misses."""
        asked = {call.variable: batch.representations for call, batch in zip(fetch.calls, batches, strict=True)}

        async def send(variables: Mapping[str, Any], is_fresh: bool, lookup: str | None) -> SubgraphResponse:
            body = fetch.bare_body or fetch.prefix + orjson.dumps(variables) + b"}"
            request = self._request(fetch, body)
            request = replace(request, is_fresh=is_fresh)
            if lookup is not None:
                request = annotate(request, lookup=lookup)
            return await self._context.transport(fetch.fetch.subgraph).send(request)

        answer, body = await cache.fetch(fetch.fetch.id, variables_of(fetch, self._context), asked, send)
        if self._plan.is_single:
            self._body = body
        return answer

    async def _run_with_contexts(self, fetch: CompiledFetch, contexts: CompiledContexts) -> None:
        groups = contexts.groups(self.data)
        variables = variables_of(fetch, self._context)
        for start in range(0, len(groups), MAX_GROUPS):
            some = groups[start : start + MAX_GROUPS]
            body, keys = contexts.body(some, variables)
            targets = contexts.compiled.targets
            parts = [(key, targets, group.batch) for key, group in zip(keys, some, strict=True)]
            try:
                data, errors = await self._send(fetch, body)
                self._merge_calls(fetch, parts, data, errors)
            except SubgraphError as error:
                self._note(fetch, self._blame(fetch).failure(error, self.data))
                return

    async def _send(self, fetch: CompiledFetch, body: bytes) -> Answer:
        name = fetch.fetch.subgraph
        response = await self._context.transport(name).send(self._request(fetch, body))
        if self._plan.is_single:
            self._body = response.body
        return decode_answer(response, name)

    def _request(self, fetch: CompiledFetch, body: bytes) -> SubgraphRequest:
        context = self._context
        is_mutation = fetch.fetch.kind == "mutation"
        left_s = context.left_s(fetch.fetch.subgraph)
        request = SubgraphRequest(body, context.headers, left_s, is_mutation, has_key=is_mutation and context.has_keys)
        return request if context.caller is None else annotate(request, caller=context.caller)

    def _merge_root(self, fetch: CompiledFetch, data: dict[str, Any] | None, errors: Sequence[dict[str, Any]]) -> None:
        if data is not None:
            if fetch.at is not None:
                for number, item in enumerate(fetch.at.collect({(): [self.data]})):
                    merge_object(item, copy_value(data) if number else data, self._plan.types.is_object_type)
            else:
                merge_object(self.data, data, self._plan.types.is_object_type)
        if errors:
            self._note(fetch, self._blame(fetch).root_errors(errors[:MAX_ERRORS], self.data))

    def _merge_calls(
        self,
        fetch: CompiledFetch,
        parts: Sequence[_Part],
        data: dict[str, Any] | None,
        errors: Sequence[dict[str, Any]],
    ) -> None:
        is_object_type = self._plan.types.is_object_type
        wrong: list[dict[str, Any]] = []
        for key, targets, batch in parts:
            entities = data.get(key) if data is not None else None
            if entities is None:
                continue
            if entities.__class__ is not list or len(entities) != len(batch.representations):
                found = f"{len(entities)} entities" if isinstance(entities, list) else "no list of entities"
                wrong.append(_wrong_count(fetch, key, found, len(batch.representations)))
                continue
            for target, objects, slots in zip(targets, batch.objects, batch.slots, strict=True):
                bad = merge_entities(target, objects, slots, entities, is_object_type)
                wrong += [_wrong_entity(fetch, key, slot) for slot in dict.fromkeys(bad)]
        if not errors and data is None:
            message = f"subgraph {fetch.fetch.subgraph} sent no GraphQL answer: it has neither data nor errors"
            raise SubgraphError(ErrorCode.SUBGRAPH_MALFORMED, message, subgraph=fetch.fetch.subgraph, retryable=False)
        if errors or wrong:
            calls = {key: (targets, batch) for key, targets, batch in parts}
            reported = [*errors[:MAX_ERRORS], *wrong[:MAX_ERRORS]]
            self._note(fetch, self._blame(fetch).entity_errors(reported, calls, self.data))

    def _blame(self, fetch: CompiledFetch) -> Blame:
        return Blame(fetch.fetch, self._plan.source.output)

    def shape(self) -> ExecutionResult:
        """Return the answer for the merged data."""
        plan = self._plan
        shape = plan.shape(self._context)
        errors = self.errors
        if shape.verify is not None and self._body is not None and not errors:
            try:
                keys = shape.verify(self.data)
            except FAULTS:
                shape.note_failed_verification()
            else:
                return ExecutionResult(self.data, [], self._body if is_same_text(self._body, keys) else None)
        shaped: dict[str, Any] | None = None
        if not errors and shape.project is not None:
            try:
                shaped = shape.project(self.data)
            except FAULTS:
                shaped = shape.project_numbers(self.data)
        if shaped is None:
            shaped, errors = complete(shape.root, self.data, errors)
        if plan.introspection is not None and shaped is not None:
            shaped, errors = self._add_introspection(shaped, errors)
        return ExecutionResult(shaped, errors)

    def _add_introspection(
        self, shaped: dict[str, Any], errors: list[dict[str, Any]]
    ) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        introspection = self._plan.introspection
        if introspection is None:
            return shaped, errors
        answered, faults = introspection.answer({**self._context.defaults, **self._context.variables})
        if answered is None:
            return None, errors + faults
        return {**answered, **shaped}, errors + faults


def _wrong_count(fetch: CompiledFetch, key: str, found: str, expected: int) -> dict[str, Any]:
    return {
        "message": f"subgraph {fetch.fetch.subgraph} answered {found} for {expected} representations",
        "path": [key],
        "extensions": {"code": str(ErrorCode.SUBGRAPH_MALFORMED), "retryable": False},
    }


def _wrong_entity(fetch: CompiledFetch, key: str, slot: int) -> dict[str, Any]:
    return {
        "message": f"subgraph {fetch.fetch.subgraph} answered an entity of another type than was asked for",
        "path": [key, slot],
        "extensions": {"code": str(ErrorCode.SUBGRAPH_MALFORMED), "retryable": False},
    }

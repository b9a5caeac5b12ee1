"""Run identical subscriptions once: every event is completed once, written once for each protocol, and given to all.

Identical means that nobody could tell the results apart: the same prepared operation (which holds what its principal
may see), the same variables, the same headers passed on, and the same audience. What the audience is, and whether there
is one at all, is the policy of ``stream_sharing``; where further subgraphs are asked for an event they are told who
asks, so there only the same principal shares. Tokens may differ: each subscription ends with its own. Where extensions
add to answers, each client has results of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from graphql.language import VariableNode

from gateway.executor import ExecutionContext, ExecutionResult, subscribe
from gateway.executor.resumption import Resume
from gateway.extensions.hooks import Visit
from gateway.server.prepared import Prepared
from gateway.server.request import RequestContext
from gateway.server.stopping import stopping
from gateway.transport.fan_out import FanOut

__all__ = ["Event", "MovedOn", "SharedResults"]

PACE_S = 0.004
"""Seconds between two writes of a stream to its clients: nobody notices them, and a quick stream costs a fraction."""

Render = Callable[[ExecutionResult], bytes]


class MovedOn(Exception):
    """A resumable stream ended after an event because another supergraph is served; it goes on there."""


class Event:
    """One result for all who follow it, and how it was written."""

    __slots__ = ("_written", "result")

    def __init__(self, result: ExecutionResult) -> None:
        self.result = result
        self._written: dict[Render, bytes] = {}

    def write(self, render: Render) -> bytes:
        """Return the result as ``render`` writes it; a format has one such function for all of its clients."""
        found = self._written.get(render)
        if found is None:
            found = self._written[render] = render(self.result)
        return found


class SharedResults:
    """The subscriptions that run in this process."""

    def __init__(self) -> None:
        self._running: dict[Hashable, list[FanOut[Event]]] = {}
        self._all: set[FanOut[Event]] = set()
        """Those that run, shared or not."""
        self._has_stopped = False

    def stop(self) -> None:
        """End every subscription after what had arrived, and take no more."""
        self._has_stopped = True
        for stream in tuple(self._all):
            stream.close(stopping())

    def find(
        self, prepared: Prepared, execution: ExecutionContext, context: RequestContext, resume: Resume | None
    ) -> FanOut[Event]:
        """Return a stream that takes in who comes with the cursor of ``resume``; a new one where none does.

        Raises:
            RequestError: STOPPING, none is taken any more.
        """
        after = None if resume is None else resume.after
        if self._has_stopped:
            raise stopping(after)
        hooks = prepared.graph.rules.hooks
        key = None if hooks is not None and hooks.responses else _key(prepared, execution, context)
        streams = [] if key is None else self._running.setdefault(key, [])
        for stream in streams:
            if stream.takes_in(after):
                return stream

        def forget() -> None:
            self._all.discard(stream)
            streams.remove(stream)
            if not streams and self._running.get(key) is streams:
                del self._running[key]

        limits = prepared.graph.rules.stream_limits
        stream = FanOut(
            _run(prepared, execution, resume),
            limits.max_waiting,
            after=after,
            cursor_of=None if resume is None else _cursor_of,
            pace_s=PACE_S,
            patience_s=limits.patience_s,
        )
        streams.append(stream)
        self._all.add(stream)
        stream.reader.add_done_callback(lambda _: forget())
        return stream


async def _run(prepared: Prepared, execution: ExecutionContext, resume: Resume | None) -> AsyncGenerator[Event, None]:
    visit = execution.caller
    async with aclosing(subscribe(prepared.plan, execution, resume)) as results:
        async for result in results:
            prepared.graph.rules.observer.hide(result)
            yield Event(await visit.respond(result, is_event=True) if isinstance(visit, Visit) else result)
    if resume is not None and resume.is_moving:
        raise MovedOn


def _cursor_of(event: Event) -> str | None:
    return event.result.cursor


def _key(prepared: Prepared, execution: ExecutionContext, context: RequestContext) -> Hashable | None:
    """Return what identical subscriptions have in common, None for one that is not to be shared."""
    audience = execution.audience
    if audience is None:
        return None
    asks_more = len(prepared.plan.fetches) > 1
    cursor = _cursor_variable(prepared)
    return (
        id(prepared),  # what runs holds on to it, so nothing else can have the same meanwhile
        _as_key(execution.variables, cursor),
        _as_key(execution.defaults, cursor),
        context.headers,
        audience.who,
        context.principal if asks_more else None,
    )


def _as_key(values: Mapping[str, Any], without: str | None) -> bytes:
    kept = {name: value for name, value in values.items() if name != without}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def _cursor_variable(prepared: Prepared) -> str | None:
    """Return the variable that says nothing but where the client's stream begins."""
    stream = prepared.resumable
    if stream is None or not isinstance(stream.given, VariableNode):
        return None
    name = stream.given.name.value
    is_used = name in stream.variables or any(name in fetch.fetch.variables for fetch in prepared.plan.fetches[1:])
    return None if is_used else name

"""Run subscriptions as streams of results, from one supergraph to the next."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.executor import ExecutionContext, ExecutionResult, subscribe
from gateway.executor.resumption import Resume
from gateway.server.expiry import Place
from gateway.server.prepared import Prepared
from gateway.server.reception import Errors, Reception
from gateway.server.request import GraphQLRequest, RequestContext

__all__ = ["Subscriptions"]


class Subscriptions:
    """The subscriptions of one gateway; a resumable one is taken up again after a break, as long as the rules say."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    async def stream(
        self, prepared: Prepared, request: GraphQLRequest, context: RequestContext, place: Place
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Yield the results of a subscription, and keep ``place`` at the cursor from which it starts.

        Raises:
            RequestError, PlanningError: nothing was started; or the next supergraph does not have the stream any more.
        """
        execution = await self._reception.admit(prepared, request, context)
        after = request.resume_after
        if after is None and prepared.resumable is not None:
            place.cursor = prepared.resumable.start(execution)
        while True:
            resume = self._resume(prepared, after)
            async with aclosing(self._follow(prepared, execution, resume, context)) as results:
                async for result in results:
                    after = result.cursor or after
                    yield result
            if resume is None or not resume.is_moving:
                return
            prepared = await self._reception.open(request, context)
            execution = self._reception.surround(prepared, request, context)

    def _resume(self, prepared: Prepared, after: str | None) -> Resume | None:
        if prepared.resumable is None:
            return None
        resume_for_s = prepared.graph.rules.resume_for_s
        return Resume(prepared.resumable, after, resume_for_s, lambda: not self._reception.is_served(prepared))

    async def _follow(
        self, prepared: Prepared, execution: ExecutionContext, resume: Resume | None, context: RequestContext
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Yield the results of a subscription as long as it stays with one supergraph."""
        started, errors = time.perf_counter(), Errors()
        prepared.graph.running += 1
        try:
            async with aclosing(subscribe(prepared.plan, execution, resume)) as results:
                async for result in results:
                    errors.keep(result)
                    prepared.graph.rules.observer.hide(result)
                    yield result
        finally:
            prepared.graph.leave()
            self._reception.note(prepared, context, started, errors.kept)

"""The way of one operation: text -> plan -> checked variables -> execution.

1. Text, operation name and what the principal may not see select a prepared operation (``preparing``).
2. Variables are checked against the prepared operation, extensions let it in, and what it costs is charged
   (``reception``).
3. The compiled plan runs. Faults of the client and of subgraphs come back as answers; only bugs are exceptions, and
   these are caught here, logged with a correlation id and masked (``failures``).
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import replace
from functools import partial

from gateway.errors import ErrorCode, RequestError
from gateway.executor import DeferredResult, ExecutionContext, ExecutionResult, run, run_deferred
from gateway.extensions.hooks import Visit
from gateway.server.caching import through_cache
from gateway.server.expiry import until_expiry
from gateway.server.failures import error_result
from gateway.server.idempotency import Keys, read_key
from gateway.server.overrides import OverrideLabels
from gateway.server.prepared import Graph, MakesPlans, Prepared
from gateway.server.preparing import Preparer, make_graph
from gateway.server.principal import Principal
from gateway.server.reception import Errors, Reception
from gateway.server.request import Client, GraphQLRequest, RequestContext
from gateway.server.rules import Rules
from gateway.server.shared_results import SharedResults
from gateway.server.subscriptions import Subscription, results_of
from gateway.supergraph import Supergraph
from gateway.transport.base import SubgraphTransport
from gateway.transport.fan_out import Bell

__all__ = ["Pipeline"]


class Pipeline:
    """Prepares and runs operations against one supergraph."""

    def __init__(
        self,
        supergraph: Supergraph,
        planner: MakesPlans,
        transports: Mapping[str, SubgraphTransport],
        rules: Rules | None = None,
        overrides: OverrideLabels | None = None,
    ) -> None:
        self._keys = Keys()
        self._preparer = Preparer(make_graph(supergraph, planner, transports, rules or Rules(), overrides))
        self._reception = Reception(self._preparer)
        self._shared = SharedResults()

    async def make_ready(
        self,
        supergraph: Supergraph,
        planner: MakesPlans,
        transports: Mapping[str, SubgraphTransport],
        rules: Rules,
        overrides: OverrideLabels | None = None,
    ) -> Graph:
        """Return another graph, or the same one under other rules, for :meth:`serve`.

        The operations that were used last are prepared for it, so that clients do not wait for plans all at once.

        Raises:
            SupergraphError: a directive of the gateway stands where it means nothing.
        """
        graph = make_graph(supergraph, planner, transports, rules, overrides, before=self._preparer.graph)
        await self._preparer.warm(graph)
        return graph

    def serve(self, graph: Graph) -> Graph:
        """Serve another graph from now on; what is under way ends with the one before, which is returned."""
        return self._preparer.serve(graph)

    @property
    def cached_plans(self) -> int:
        """Number of prepared operations in memory."""
        return len(self._preparer.graph.cache)

    def prepare(
        self, request: GraphQLRequest, principal: Principal, *, in_parts: bool = False, brings_key: bool = False
    ) -> Prepared:
        """Return the prepared operation; ``in_parts`` leaves deferred fragments for later answers.

        With ``brings_key`` a header gives the key of a mutation that the document may leave out.

        Raises:
            RequestError: the document, the operation name or the principal's rights do not allow it.
            PlanningError: no plan answers it.
        """
        return self._preparer.prepare(request, principal, in_parts=in_parts, brings_key=brings_key)

    def end_subscriptions(self) -> None:
        """End every subscription after what had arrived, and take no more."""
        self._shared.stop()

    async def open(self, request: GraphQLRequest, context: RequestContext, *, in_parts: bool = False) -> Prepared:
        """Return the prepared operation of a request, which may name a persisted document instead of sending one.

        Raises:
            RequestError, PlanningError: as :meth:`prepare`; no document has the name, or it must have one.
        """
        return await self._reception.open(request, context, in_parts=in_parts)

    def turned_away(self, error: RequestError, client: Client) -> None:
        """Take note of a caller whose credentials are missing or not valid."""
        self._reception.turned_away(error, client)

    async def execute(self, request: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        """Run a query or mutation; every failure is in the result."""
        try:
            prepared = await self.open(request, context)
            return await self.run(prepared, request, context)
        except Exception as error:  # noqa: BLE001 - the one place where a bug becomes a masked answer
            return error_result(error)

    async def run(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        """Run a prepared query or mutation.

        Raises:
            RequestError: the variables are not valid, or the operation is a subscription.
        """
        if prepared.operation.kind == "subscription":
            message = "a subscription needs a stream: ask with Accept: text/event-stream or over a WebSocket"
            raise RequestError(ErrorCode.NOT_ACCEPTABLE, message, http_status=406)
        graph = prepared.graph
        graph.running += 1  # from the first wait on, so that what it needs stays open
        try:
            if prepared.keyed is None or context.idempotency_key is None:
                return await self._run(prepared, request, context)
            with self._hold(prepared, request, context):
                return await self._run(prepared, request, context)
        finally:
            graph.leave()

    def _hold(
        self, prepared: Prepared, request: GraphQLRequest, context: RequestContext
    ) -> AbstractContextManager[None]:
        """Keep a mutation whose key came by the header from running twice at the same time."""
        if prepared.keyed is None or context.idempotency_key is None:
            return nullcontext()
        key = read_key(context.idempotency_key)
        return self._keys.hold(prepared.keyed, context.principal, key, request.variables)

    async def _run(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        reception, rules, terms = self._reception, prepared.graph.rules, prepared.terms
        execution, cached, visit = reception.surround(prepared, request, context), None, None
        load, observer = rules.policies.load, rules.observer
        started = time.perf_counter()
        if rules.hooks is not None:
            execution, visit = await reception.enter(rules.hooks, prepared, execution, context)
        if prepared.cached is not None:
            execution, cached = through_cache(prepared.cached, execution, request, context)
        estimated = 0 if terms is None else await reception.charge(prepared, terms, execution, context)
        if visit is not None:
            await reception.show_plan(visit, prepared, estimated)
        if not load.take():
            await load.wait()
        try:
            if cached is None:
                result = await run(prepared.plan, execution)
            else:
                result = await cached.answer(execution, partial(run, prepared.plan, execution))
        finally:
            load.leave()
        extensions = None if terms is None else rules.policies.admission.report(terms, estimated, result.data)
        if extensions is not None:
            result = replace(result, body=None, extensions=extensions)
        if result.errors or observer.wants_all:
            reception.note(prepared, context, started, result.errors)
            observer.hide(result)
        return result if visit is None else await visit.respond(result)

    async def deliver(
        self, request: GraphQLRequest, context: RequestContext
    ) -> AsyncGenerator[ExecutionResult | DeferredResult, None]:
        """Run a query or mutation and yield its first answer, then each fragment that it defers when that is complete.

        Raises:
            RequestError, PlanningError: nothing was started.
        """
        prepared = await self.open(request, context, in_parts=True)
        if prepared.operation.kind == "subscription":
            raise RequestError(ErrorCode.NOT_ACCEPTABLE, "a subscription is not answered in parts", http_status=406)
        with self._hold(prepared, request, context):
            async with aclosing(self._deliver(prepared, request, context)) as results:
                async for result in results:
                    yield result

    async def _deliver(
        self, prepared: Prepared, request: GraphQLRequest, context: RequestContext
    ) -> AsyncGenerator[ExecutionResult | DeferredResult, None]:
        graph = prepared.graph
        graph.running += 1
        try:
            execution, cached = await self._reception.admit(prepared, request, context), None
            if prepared.cached is not None:
                execution, cached = through_cache(prepared.cached, execution, request, context)
            async with aclosing(self._parts(prepared, context, execution)) as results:
                try:
                    async for result in results:
                        yield result
                finally:
                    if cached is not None:
                        await cached.end()
        finally:
            graph.leave()

    async def _parts(
        self, prepared: Prepared, context: RequestContext, execution: ExecutionContext
    ) -> AsyncGenerator[ExecutionResult | DeferredResult, None]:
        started, errors = time.perf_counter(), Errors()
        rules, visit = prepared.graph.rules, execution.caller
        try:
            async with rules.policies.load, aclosing(run_deferred(prepared.plan, execution)) as results:
                async for result in results:
                    errors.keep(result)
                    rules.observer.hide(result)
                    if isinstance(visit, Visit) and isinstance(result, ExecutionResult):
                        yield await visit.respond(result)
                    else:
                        yield result
        finally:
            self._reception.note(prepared, context, started, errors.kept)

    async def stream(self, request: GraphQLRequest, context: RequestContext) -> AsyncGenerator[ExecutionResult, None]:
        """Run any operation as a stream; queries and mutations give one result.

        A resumable stream moves to the next supergraph when that is served, after the last event. Results are shared
        with others who follow the same: they are not to be changed.

        Raises:
            RequestError, PlanningError: nothing was started; or the next supergraph does not have the stream any more;
                or what proves the principal holds no longer; or the results were taken too slowly.
        """
        prepared = await self.open(request, context)
        if prepared.operation.kind != "subscription":
            yield await until_expiry(self.run(prepared, request, context), context.principal.expires_at)
            return
        bell = Bell()
        subscription = self.subscription(prepared, request, context, bell.ring)
        del prepared  # the stream moves from graph to graph, and must not keep the first one
        async with aclosing(results_of(subscription, bell)) as results:
            async for result in results:
                yield result

    def subscription(
        self, prepared: Prepared, request: GraphQLRequest, context: RequestContext, wake: Callable[[], None]
    ) -> Subscription:
        """Return a client's subscription, which is still to be started; ``wake`` is called when it has something."""
        return Subscription(self._reception, self._shared, prepared, request, context, wake)

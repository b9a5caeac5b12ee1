"""The way of one operation: text -> plan -> checked variables -> execution.

1. Text, operation name and what the principal may not see select a prepared operation from a bounded cache; a new one
   is parsed, validated, stripped of closed fields, planned and compiled.
2. Variables are checked against the prepared operation.
3. The compiled plan runs. Faults of the client and of subgraphs come back as answers; only bugs are exceptions, and
   these are caught here, logged with a correlation id and masked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.config import ErrorSettings, GatewaySettings
from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.executor import (
    DeferredResult,
    ExecutionContext,
    ExecutionResult,
    compile_plan,
    run,
    run_deferred,
    subscribe,
)
from gateway.executor.resumption import ResumableStream, Resume, compile_resumption
from gateway.executor.shape import SchemaTypes
from gateway.operation import parse_operation
from gateway.operation.key_variable import with_key_variable
from gateway.operation.variables import VariableChecker
from gateway.plan.nodes import QueryPlan
from gateway.policies.admission import Terms
from gateway.policies.cost_weights import read_weights
from gateway.policies.error_mask import ErrorMask
from gateway.policies.observer import Observer
from gateway.policies.policy_set import PolicySet, change_policies, compile_policies
from gateway.policies.request_log import RequestLog, hash_of
from gateway.server.authorization import Closed, closed_coordinates, enforce, restore
from gateway.server.claims import ClaimsSigner
from gateway.server.expiry import Place, until_expiry
from gateway.server.idempotency import UnderWay, compile_keys, idempotent_fields, read_key
from gateway.server.overrides import OverrideLabels
from gateway.server.prepared import Graph, MakesPlans, Prepared, Switches
from gateway.server.principal import Principal
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.resumption import resumable_fields
from gateway.server.stream_sharing import StreamSharing
from gateway.supergraph import Supergraph
from gateway.tracing import correlation_id
from gateway.transport.base import SubgraphTransport
from gateway.transport.with_upload import UploadTransports

__all__ = ["Pipeline", "error_result"]

_log = logging.getLogger("gateway")

MAX_WARMED = 200
"""Operations that are prepared for a new supergraph before it is served."""

MAX_PRINCIPAL_SHAPES = 10_000
"""Principals whose closed coordinates are remembered; a later one starts the memory afresh."""


class Pipeline:
    """Prepares and runs operations against one supergraph."""

    def __init__(
        self,
        supergraph: Supergraph,
        planner: MakesPlans,
        transports: Mapping[str, SubgraphTransport],
        *,
        max_cached_plans: int = 1000,
        max_cached_text_bytes: int = 64 * 1024,
        claims: ClaimsSigner | None = None,
        policies: PolicySet | None = None,
        operation_timeout_s: float | None = None,
        observer: Observer | None = None,
        resume_for_s: float = 60.0,
        overrides: OverrideLabels | None = None,
        retries_keyed: bool = True,
        stream_sharing: StreamSharing | None = None,
    ) -> None:
        self._max_plans = max_cached_plans
        self._max_text = max_cached_text_bytes
        self._claims = claims
        self._resume_for_s = resume_for_s
        self._timeout_s = operation_timeout_s
        self._retries_keyed = retries_keyed
        self._stream_sharing = stream_sharing or StreamSharing()
        self._under_way = UnderWay()
        self._observer = observer or Observer(ErrorMask(ErrorSettings()), RequestLog("none"), None)
        self._policies = policies or compile_policies(GatewaySettings())

        self._graph = self._make_graph(supergraph, planner, transports, overrides)

    def _make_graph(
        self,
        supergraph: Supergraph,
        planner: MakesPlans,
        transports: Mapping[str, SubgraphTransport],
        overrides: OverrideLabels | None,
    ) -> Graph:
        weights = read_weights(supergraph) if self._policies.admission.is_on else None
        labels = overrides or OverrideLabels(supergraph)
        types = SchemaTypes(supergraph.api_schema)
        resumable, keyed = resumable_fields(supergraph), idempotent_fields(supergraph)
        return Graph(supergraph, planner, transports, types, resumable, keyed, labels, weights)

    async def replace(
        self,
        supergraph: Supergraph,
        planner: MakesPlans,
        transports: Mapping[str, SubgraphTransport],
        overrides: OverrideLabels | None = None,
    ) -> Graph:
        """Serve another supergraph from now on; what is under way ends with the one before, which is returned.

        The operations that were used last are prepared first, so that clients do not wait for plans all at once.
        """
        graph = self._make_graph(supergraph, planner, transports, overrides)
        for key in list(self._graph.cache)[-MAX_WARMED:]:
            try:
                graph.cache[key] = self._prepare(graph, *key)
            except GatewayError:
                continue  # it does not fit the new graph; whoever asks is told why
            await asyncio.sleep(0)
        before, self._graph = self._graph, graph
        return before

    async def change(self, settings: GatewaySettings, transports: Mapping[str, SubgraphTransport]) -> Graph:
        """Take over limits and rates, for operations that come from now on; else as :meth:`replace`."""
        self._policies = change_policies(self._policies, settings)
        self._max_plans = settings.limits.max_cached_plans
        self._max_text = settings.limits.max_cached_text_bytes
        graph = self._graph
        return await self.replace(graph.supergraph, graph.planner, transports, graph.overrides)

    @property
    def cached_plans(self) -> int:
        """Number of prepared operations in memory."""
        return len(self._graph.cache)

    def prepare(
        self, request: GraphQLRequest, principal: Principal, *, in_parts: bool = False, brings_key: bool = False
    ) -> Prepared:
        """Return the prepared operation; ``in_parts`` leaves deferred fragments for later answers.

        With ``brings_key`` a header gives the key of a mutation that the document may leave out.

        Raises:
            RequestError: the document, the operation name or the principal's rights do not allow it.
            PlanningError: no plan answers it.
        """
        switches = _switches(request) if in_parts and "@defer" in request.query else None
        key = (
            request.query,
            request.operation_name,
            self._closed_for(principal),
            self._graph.overrides.active(),
            switches,
            brings_key,
        )
        found = self._graph.cache.get(key)
        if found is not None:
            self._graph.cache.move_to_end(key)
            return found
        with self._observer.tracing.planning():
            found = self._prepare(self._graph, *key)
        if len(request.query) <= self._max_text:
            self._graph.cache[key] = found
            if len(self._graph.cache) > self._max_plans:
                self._graph.cache.popitem(last=False)
        return found

    async def open(self, request: GraphQLRequest, context: RequestContext, *, in_parts: bool = False) -> Prepared:
        """Return the prepared operation of a request, which may name a persisted document instead of sending one.

        Raises:
            RequestError, PlanningError: as :meth:`prepare`; no document has the name, or it must have one.
        """
        documents = self._policies.documents
        try:
            if documents.wants(request):
                request = await documents.resolve(request, context.client)
            brings_key = context.idempotency_key is not None and bool(self._graph.keyed)
            return self.prepare(request, context.principal, in_parts=in_parts, brings_key=brings_key)
        except GatewayError as error:
            self._observer.refused(str(error.code))
            raise

    def _prepare(
        self,
        graph: Graph,
        text: str,
        operation_name: str | None,
        closed: Closed,
        labels: frozenset[str],
        switches: Switches | None,
        brings_key: bool,
    ) -> Prepared:
        policies = self._policies
        write_key = partial(with_key_variable, operation_name=operation_name, fields=graph.keyed)
        operation = parse_operation(
            graph.supergraph,
            text,
            operation_name,
            max_tokens=policies.max_tokens,
            check=policies.operations.check,
            defers=None if switches is None else dict(switches).get,
            rewrite=write_key if brings_key else None,
        )
        policies.introspection.check(operation, closed)
        visible, denied = enforce(operation, closed, policies.authorization)
        plan = graph.planner.plan(visible, override_labels=labels)
        if denied:
            plan = restore(plan, denied)
        schema = graph.supergraph.api_schema
        checker = VariableChecker(operation.variable_definitions, schema)
        terms = None if graph.weights is None else policies.admission.terms(visible, graph.weights)
        return Prepared(
            visible,
            compile_plan(plan, schema, graph.types),
            checker,
            _resumption(graph, plan),
            compile_keys(operation, graph.keyed) if graph.keyed else None,
            terms,
            hash_of(text),
            graph,
        )

    def _closed_for(self, principal: Principal) -> Closed:
        rules = self._graph.supergraph.authorization
        introspection = self._policies.introspection
        if not rules and introspection.is_open:
            return frozenset()
        found = self._graph.closed.get(principal)
        if found is None:
            if len(self._graph.closed) >= MAX_PRINCIPAL_SHAPES:
                self._graph.closed.clear()
            found = closed_coordinates(rules, principal) | introspection.closed_for(principal)
            self._graph.closed[principal] = found
        return found

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
        if prepared.keyed is None or context.idempotency_key is None:
            return await self._run(prepared, request, context)
        with self._hold(prepared, context):
            return await self._run(prepared, request, context)

    def _hold(self, prepared: Prepared, context: RequestContext) -> AbstractContextManager[None]:
        """Keep a mutation whose key came by the header from running twice at the same time."""
        if prepared.keyed is None or context.idempotency_key is None:
            return nullcontext()
        return self._under_way.hold(prepared.keyed, context.principal, read_key(context.idempotency_key))

    async def _run(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        execution = self._context(prepared, request, context)
        terms, load = prepared.terms, self._policies.load
        started = time.perf_counter()
        estimated = 0 if terms is None else await self._charge(terms, execution, context)
        if not load.take():
            await load.wait()
        graph = prepared.graph
        graph.running += 1
        try:
            result = await run(prepared.plan, execution)
        finally:
            graph.leave()
            load.leave()
        extensions = None if terms is None else self._policies.admission.report(terms, estimated, result.data)
        if extensions is not None:
            result = replace(result, body=None, extensions=extensions)
        if result.errors or self._observer.wants_all:
            self._note(prepared, context, started, result.errors)
            self._observer.hide(result)
        return result

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
        with self._hold(prepared, context):
            async with aclosing(self._deliver(prepared, request, context)) as results:
                async for result in results:
                    yield result

    async def _deliver(
        self, prepared: Prepared, request: GraphQLRequest, context: RequestContext
    ) -> AsyncGenerator[ExecutionResult | DeferredResult, None]:
        execution = await self._admit(prepared, request, context)
        started, errors = time.perf_counter(), _Errors()
        prepared.graph.running += 1
        try:
            async with self._policies.load, aclosing(run_deferred(prepared.plan, execution)) as results:
                async for result in results:
                    errors.keep(result)
                    self._observer.hide(result)
                    yield result
        finally:
            prepared.graph.leave()
            self._note(prepared, context, started, errors.kept)

    def stream(self, request: GraphQLRequest, context: RequestContext) -> AsyncGenerator[ExecutionResult, None]:
        """Run any operation as a stream; queries and mutations give one result.

        A resumable stream moves to the next supergraph when that is served, after the last event.

        Raises:
            RequestError, PlanningError: nothing was started; or the next supergraph does not have the stream any more;
                or what proves the principal holds no longer.
        """
        place = Place(request.resume_after)
        results = self._stream(request, context, place)
        expires_at = context.principal.expires_at
        return results if expires_at is None else until_expiry(results, expires_at, place)

    async def _stream(
        self, request: GraphQLRequest, context: RequestContext, place: Place
    ) -> AsyncGenerator[ExecutionResult, None]:
        prepared = await self.open(request, context)
        if prepared.operation.kind != "subscription":
            yield await self.run(prepared, request, context)
            return
        execution = await self._admit(prepared, request, context)
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
            prepared = await self.open(request, context)
            execution = self._context(prepared, request, context)

    def _resume(self, prepared: Prepared, after: str | None) -> Resume | None:
        if prepared.resumable is None:
            return None
        return Resume(prepared.resumable, after, self._resume_for_s, lambda: prepared.graph is not self._graph)

    async def _follow(
        self, prepared: Prepared, execution: ExecutionContext, resume: Resume | None, context: RequestContext
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Yield the results of a subscription as long as it stays with one supergraph."""
        started, errors = time.perf_counter(), _Errors()
        prepared.graph.running += 1
        try:
            async with aclosing(subscribe(prepared.plan, execution, resume)) as results:
                async for result in results:
                    errors.keep(result)
                    self._observer.hide(result)
                    yield result
        finally:
            prepared.graph.leave()
            self._note(prepared, context, started, errors.kept)

    def _note(self, prepared: Prepared, context: RequestContext, started: float, errors: list[dict[str, Any]]) -> None:
        operation = prepared.operation
        seconds = time.perf_counter() - started
        self._observer.answered(operation.kind, operation.name, prepared.digest, context, seconds, errors)

    async def _admit(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionContext:
        execution = self._context(prepared, request, context)
        if prepared.terms is not None:
            await self._charge(prepared.terms, execution, context)
        return execution

    async def _charge(self, terms: Terms, execution: ExecutionContext, context: RequestContext) -> int:
        """Return what the operation may cost, once it is allowed."""
        variables = {**execution.defaults, **execution.variables}
        try:
            return await self._policies.admission.admit(terms, variables, context)
        except RequestError as error:
            self._observer.refused(str(error.code))
            raise

    def _context(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionContext:
        if request.variables:
            self._policies.variables.check(request.variables)
        given, keyed = request.variables, prepared.keyed
        if keyed is not None and context.idempotency_key is not None:
            given = keyed.fill(given, prepared.variables.all_defaults, read_key(context.idempotency_key))
        variables = prepared.variables.check(given)
        has_keys = keyed is not None and self._retries_keyed and keyed.has_all(variables)
        make = None if self._claims is None else partial(self._signed, self._claims, context)
        headers = context.headers if make is None else make()
        timeout_s = self._timeout_s
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        transports = (
            prepared.graph.transports
            if request.upload is None
            else UploadTransports(prepared.graph.transports, request.upload)
        )
        is_stream = prepared.operation.kind == "subscription"
        audience = self._stream_sharing.audience(prepared, context) if is_stream else None
        return ExecutionContext(
            transports, variables.values, variables.defaults, headers, make, timeout_s, deadline, has_keys, audience
        )

    @staticmethod
    def _signed(claims: ClaimsSigner, context: RequestContext) -> tuple[tuple[str, str], ...]:
        return (*context.headers, claims.header(context.principal))


class _Errors:
    """The first few errors of an answer in several parts, for the log."""

    MOST = 20

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def keep(self, result: ExecutionResult | DeferredResult) -> None:
        parts = [result.errors] if isinstance(result, ExecutionResult) else [item.errors for item in result.patches]
        for errors in parts:
            self.kept += errors[: self.MOST - len(self.kept)]


def _resumption(graph: Graph, plan: QueryPlan) -> ResumableStream | None:
    if not graph.resumable or plan.kind != "subscription":
        return None
    field = graph.resumable.get(f"{plan.root_type}.{plan.output[0].name}")
    return None if field is None else compile_resumption(plan.fetches[0], field)


def _switches(request: GraphQLRequest) -> Switches:
    return tuple(sorted((name, value) for name, value in (request.variables or {}).items() if isinstance(value, bool)))


def error_result(error: Exception) -> ExecutionResult:
    """Return the answer for a failure before or outside execution.

    A fault of the client is shown as it is. Anything else is logged with its trace under an id, and the client gets
    the id.
    """
    if isinstance(error, RequestError) and error.errors:
        return ExecutionResult(None, [_with_code(dict(item.formatted), error.code) for item in error.errors])
    if isinstance(error, GatewayError) and error.shown:
        given = error.extensions if isinstance(error, RequestError) else {}
        extensions: dict[str, Any] = {**given, "code": str(error.code)}
        return ExecutionResult(None, [{"message": error.message, "extensions": extensions}])
    identifier = correlation_id()
    _log.error("internal error %s", identifier, exc_info=error)
    message = f"the gateway failed to answer; its log has the reason under {identifier}"
    code = str(ErrorCode.INTERNAL_ERROR)
    return ExecutionResult(None, [{"message": message, "extensions": {"code": code, "correlationId": identifier}}])


def _with_code(error: dict[str, Any], code: ErrorCode) -> dict[str, Any]:
    extensions = {**error.get("extensions", {}), "code": str(code)}
    return {**error, "extensions": extensions}

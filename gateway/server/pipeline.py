"""The way of one operation: text -> plan -> checked variables -> execution.

1. Text, operation name and what the principal may not see select a prepared operation from a bounded cache; a new one
   is parsed, validated, stripped of closed fields, planned and compiled.
2. Variables are checked against the prepared operation.
3. The compiled plan runs. Faults of the client and of subgraphs come back as answers; only bugs are exceptions, and
   these are caught here, logged with a correlation id and masked.
"""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.executor import ExecutablePlan, ExecutionContext, ExecutionResult, compile_plan, run, subscribe
from gateway.executor.shape import SchemaTypes
from gateway.operation import Operation, parse_operation
from gateway.operation.variables import VariableChecker
from gateway.plan.nodes import QueryPlan
from gateway.server.authorization import Closed, close, closed_coordinates, restore
from gateway.server.claims import ClaimsSigner
from gateway.server.principal import Principal
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.supergraph import Supergraph
from gateway.transport.base import SubgraphTransport

__all__ = ["Pipeline", "Prepared", "error_result"]

_log = logging.getLogger("gateway")

MAX_PRINCIPAL_SHAPES = 10_000
"""Principals whose closed coordinates are remembered; a later one starts the memory afresh."""


class MakesPlans(Protocol):
    """What the pipeline wants of a planner."""

    def plan(self, operation: Operation) -> QueryPlan:
        """Return the plan of an operation."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that is ready to run for every principal with the same closed coordinates."""

    operation: Operation
    plan: ExecutablePlan
    variables: VariableChecker


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
    ) -> None:
        self._supergraph = supergraph
        self._planner = planner
        self._transports = transports
        self._types = SchemaTypes(supergraph.api_schema)
        self._cache: OrderedDict[tuple[str, str | None, Closed], Prepared] = OrderedDict()
        self._max_plans = max_cached_plans
        self._max_text = max_cached_text_bytes
        self._claims = claims
        self._closed: dict[Principal, Closed] = {}

    @property
    def cached_plans(self) -> int:
        """Number of prepared operations in memory."""
        return len(self._cache)

    def prepare(self, request: GraphQLRequest, principal: Principal) -> Prepared:
        """Return the prepared operation.

        Raises:
            RequestError: the document, the operation name or the principal's rights do not allow it.
            PlanningError: no plan answers it.
        """
        key = (request.query, request.operation_name, self._closed_for(principal))
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        found = self._prepare(*key)
        if len(request.query) <= self._max_text:
            self._cache[key] = found
            if len(self._cache) > self._max_plans:
                self._cache.popitem(last=False)
        return found

    def _prepare(self, text: str, operation_name: str | None, closed: Closed) -> Prepared:
        operation = parse_operation(self._supergraph, text, operation_name)
        visible, denied = close(operation, closed)
        plan = self._planner.plan(visible)
        if denied:
            plan = restore(plan, denied)
        schema = self._supergraph.api_schema
        checker = VariableChecker(operation.variable_definitions, schema)
        return Prepared(visible, compile_plan(plan, schema, self._types), checker)

    def _closed_for(self, principal: Principal) -> Closed:
        rules = self._supergraph.authorization
        if not rules:
            return frozenset()
        found = self._closed.get(principal)
        if found is None:
            if len(self._closed) >= MAX_PRINCIPAL_SHAPES:
                self._closed.clear()
            found = self._closed[principal] = closed_coordinates(rules, principal)
        return found

    async def execute(self, request: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        """Run a query or mutation; every failure is in the result."""
        try:
            prepared = self.prepare(request, context.principal)
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
        return await run(prepared.plan, self._context(prepared, request, context))

    async def stream(self, request: GraphQLRequest, context: RequestContext) -> AsyncGenerator[ExecutionResult, None]:
        """Run any operation as a stream; queries and mutations give one result.

        Raises:
            RequestError, PlanningError: nothing was started.
        """
        prepared = self.prepare(request, context.principal)
        execution = self._context(prepared, request, context)
        if prepared.operation.kind != "subscription":
            yield await run(prepared.plan, execution)
            return
        async with aclosing(subscribe(prepared.plan, execution)) as results:
            async for result in results:
                yield result

    def _context(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionContext:
        variables = prepared.variables.check(request.variables)
        if self._claims is None:
            return ExecutionContext(self._transports, variables.values, variables.defaults, context.headers)
        make = partial(self._signed, self._claims, context)
        return ExecutionContext(self._transports, variables.values, variables.defaults, make(), make)

    @staticmethod
    def _signed(claims: ClaimsSigner, context: RequestContext) -> tuple[tuple[str, str], ...]:
        return (*context.headers, claims.header(context.principal))


def error_result(error: Exception) -> ExecutionResult:
    """Return the answer for a failure before or outside execution.

    A fault of the client is shown as it is. Anything else is logged with its trace under an id, and the client gets
    the id.
    """
    if isinstance(error, RequestError) and error.errors:
        return ExecutionResult(None, [_with_code(dict(item.formatted), error.code) for item in error.errors])
    if isinstance(error, GatewayError) and error.shown:
        return ExecutionResult(None, [{"message": error.message, "extensions": {"code": str(error.code)}}])
    identifier = uuid.uuid4().hex
    _log.error("internal error %s", identifier, exc_info=error)
    extensions = {"code": str(ErrorCode.INTERNAL_ERROR), "correlationId": identifier}
    message = f"the gateway failed to answer; its log has the reason under {identifier}"
    return ExecutionResult(None, [{"message": message, "extensions": extensions}])


def _with_code(error: dict[str, Any], code: ErrorCode) -> dict[str, Any]:
    extensions = {**error.get("extensions", {}), "code": str(code)}
    return {**error, "extensions": extensions}

"""Take requests in: find their documents, prepare them, check what comes with them, and charge what they cost."""

from __future__ import annotations

import time
from typing import Any

from gateway.errors import ErrorCode, GatewayError, RequestError
from gateway.executor import DeferredResult, ExecutionContext, ExecutionResult
from gateway.extensions.hooks import Hooks, Visit
from gateway.policies.admission import Terms
from gateway.policies.request_log import hash_of
from gateway.server.authorization import COORDINATES
from gateway.server.prepared import Prepared
from gateway.server.preparing import Preparer
from gateway.server.request import Client, GraphQLRequest, RequestContext
from gateway.server.visiting import enter, plan_of

__all__ = ["MAX_NOTED_ERRORS", "Errors", "Reception"]

MAX_NOTED_ERRORS = 20
"""Errors of one answer or stream that are kept for the log."""

_BY_RIGHTS = frozenset({ErrorCode.UNAUTHORIZED_FIELD_OR_TYPE, ErrorCode.INTROSPECTION_DISABLED})


class Reception:
    """What every operation passes before it runs, and where its end is noted."""

    def __init__(self, preparer: Preparer) -> None:
        self._preparer = preparer

    async def open(self, request: GraphQLRequest, context: RequestContext, *, in_parts: bool = False) -> Prepared:
        """Return the prepared operation; see :meth:`gateway.server.pipeline.Pipeline.open`."""
        rules = self._preparer.graph.rules
        documents = rules.policies.documents
        try:
            if documents.wants(request):
                request = await documents.resolve(request, context.client)
            brings_key = context.idempotency_key is not None and bool(self._preparer.graph.keyed)
            return self._preparer.prepare(request, context.principal, in_parts=in_parts, brings_key=brings_key)
        except GatewayError as error:
            rules.observer.refused(str(error.code))
            if isinstance(error, RequestError) and error.code in _BY_RIGHTS:
                named = error.extensions.get(COORDINATES, ())
                digest = hash_of(request.query)
                rules.observer.denied("rejected", error.code, request.operation_name, digest, named, context)
            raise

    def turned_away(self, error: RequestError, client: Client) -> None:
        """Take note of a caller whose credentials are missing or not valid."""
        self._preparer.graph.rules.observer.unauthenticated(str(error.code), client)

    def surround(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionContext:
        """Return the surroundings of one execution that begins now.

        Raises:
            RequestError: the variables are too large, not valid, or do not go with the key of the header.
        """
        rules = prepared.graph.rules
        if prepared.denied:
            name, code = prepared.operation.name, ErrorCode.UNAUTHORIZED_FIELD_OR_TYPE
            rules.observer.denied("filtered", code, name, prepared.digest, prepared.denied, context)
        if request.variables:
            rules.policies.variables.check(request.variables)
        return rules.surroundings.make(prepared, request, context)

    async def admit(
        self, prepared: Prepared, request: GraphQLRequest, context: RequestContext, *, is_charged: bool = True
    ) -> ExecutionContext:
        """Return the surroundings of one execution that begins now, once it is allowed.

        Without ``is_charged`` it goes on with what was charged before, and extensions are told of no cost.

        Raises:
            RequestError, ExtensionError: as :meth:`surround`, :meth:`enter`, :meth:`charge` and :meth:`show_plan`.
        """
        execution, visit = self.surround(prepared, request, context), None
        if prepared.graph.rules.hooks is not None:
            execution, visit = await self.enter(prepared.graph.rules.hooks, prepared, execution, context)
        estimated = None
        if prepared.terms is not None and is_charged:
            estimated = await self.charge(prepared, prepared.terms, execution, context)
        if visit is not None:
            await self.show_plan(visit, prepared, estimated)
        return execution

    async def enter(
        self, hooks: Hooks, prepared: Prepared, execution: ExecutionContext, context: RequestContext
    ) -> tuple[ExecutionContext, Visit]:
        """Return the surroundings of an operation that extensions let in, and its way past them.

        Raises:
            RequestError, ExtensionError: it does not run.
        """
        try:
            return await enter(hooks, prepared, execution, context)
        except GatewayError as error:
            prepared.graph.rules.observer.refused(str(error.code))
            raise

    async def show_plan(self, visit: Visit, prepared: Prepared, estimated: int | None) -> None:
        """Let extensions see the plan, and its cost where that is known.

        Raises:
            RequestError, ExtensionError: it does not run.
        """
        has_cost = prepared.terms is not None and prepared.terms.cost is not None
        try:
            await visit.show_plan(plan_of(prepared.plan.source, estimated if has_cost else None))
        except GatewayError as error:
            prepared.graph.rules.observer.refused(str(error.code))
            raise

    async def charge(
        self, prepared: Prepared, terms: Terms, execution: ExecutionContext, context: RequestContext
    ) -> int:
        """Return what the operation may cost, once it is allowed.

        Raises:
            RequestError: it costs too much, or its client asks too often.
        """
        rules = prepared.graph.rules
        variables = {**execution.defaults, **execution.variables}
        try:
            return await rules.policies.admission.admit(terms, variables, context)
        except RequestError as error:
            rules.observer.refused(str(error.code))
            raise

    def note(self, prepared: Prepared, context: RequestContext, started: float, errors: list[dict[str, Any]]) -> None:
        """Take note of an operation that began at a ``time.perf_counter`` and ended now."""
        operation = prepared.operation
        seconds = time.perf_counter() - started
        observer = prepared.graph.rules.observer
        observer.answered(operation.kind, operation.name, prepared.digest, context, seconds, errors)

    def is_served(self, prepared: Prepared) -> bool:
        """Tell whether the supergraph of an operation is still the one for new operations."""
        return prepared.graph is self._preparer.graph


class Errors:
    """The first few errors of an answer in several parts, for the log."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def keep(self, result: ExecutionResult | DeferredResult) -> None:
        """Keep the errors of one part, as far as there is room."""
        parts = [result.errors] if isinstance(result, ExecutionResult) else [item.errors for item in result.patches]
        for errors in parts:
            self.kept += errors[: MAX_NOTED_ERRORS - len(self.kept)]

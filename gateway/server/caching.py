"""Put the cache between an operation and its subgraphs."""

from __future__ import annotations

from dataclasses import replace

from gateway.cache.cache import CachedOperation, CachedRequest
from gateway.executor import ExecutionContext
from gateway.server.request import GraphQLRequest, RequestContext

__all__ = ["through_cache"]


def through_cache(
    operation: CachedOperation, execution: ExecutionContext, request: GraphQLRequest, context: RequestContext
) -> tuple[ExecutionContext, CachedRequest | None]:
    """Return surroundings in which fetches go through the cache, and the cache for this request.

    They are the same, and None, for a query with files: these are no part of what an answer is kept by.
    """
    if request.upload is not None and not operation.is_mutation:
        return execution, None
    opened = operation.open(context.principal, execution.headers)
    return replace(execution, cache=opened.fetches), opened

"""Put the cache between an operation and its subgraphs."""

from __future__ import annotations

from dataclasses import replace

from gateway.cache.cache import CachedRequest
from gateway.executor import ExecutionContext
from gateway.server.prepared import Prepared
from gateway.server.request import GraphQLRequest, RequestContext

__all__ = ["through_cache"]


def through_cache(
    prepared: Prepared, execution: ExecutionContext, request: GraphQLRequest, context: RequestContext
) -> tuple[ExecutionContext, CachedRequest | None]:
    """Return surroundings in which fetches go through the cache, and the cache for this request.

    They are the same, and None, when the cache has nothing to do with the operation: files, say, are no part of what an
    answer is kept by.
    """
    cached = prepared.cached
    if cached is None or (request.upload is not None and not cached.is_mutation):
        return execution, None
    opened = cached.open(context.principal, execution.headers)
    return replace(execution, cache=opened.fetches), opened

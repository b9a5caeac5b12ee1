"""Take requests that say what the cache must not give any more."""

from __future__ import annotations

import hmac

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.cache.cache import Cache
from gateway.errors import ErrorCode, RequestError
from gateway.server.body import read_whole
from gateway.server.failures import error_result

__all__ = ["invalidation_route"]

MAX_BYTES = 256 * 1024
"""Largest body; as many invalidations as are accepted fit into it."""


def invalidation_route(path: str, key: str, cache: Cache) -> Route:
    """Return the page that takes invalidations by POST from those who show the key, and says how many tags they had."""
    shown = f"Bearer {key}".encode()

    async def page(request: Request) -> Response:
        try:
            given = request.headers.get("authorization", "").encode("latin-1", "replace")
            if not hmac.compare_digest(given, shown):
                message = "show the key of cache.invalidation as authorization: Bearer"
                raise RequestError(ErrorCode.UNAUTHENTICATED, message, http_status=401)  # noqa: TRY301 - one answer
            body = await read_whole(request.scope["headers"], request.receive, MAX_BYTES)
            tags = cache.read_invalidation(body or b"")
            await cache.invalidate(tags, "request")
        except RequestError as error:
            content = orjson.dumps({"errors": error_result(error).errors})
            return Response(content, error.http_status, media_type="application/json")
        return Response(orjson.dumps({"tags": len(tags)}), 202, media_type="application/json")

    return Route(path, page, methods=["POST"])

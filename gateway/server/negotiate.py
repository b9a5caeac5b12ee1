"""Choose the media type of an answer and check the one of a request.

https://graphql.github.io/graphql-over-http/draft/#sec-Media-Types
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from gateway.errors import ErrorCode, RequestError

__all__ = ["ResponseKind", "check_content_type", "choose"]


class ResponseKind(Enum):
    """How an answer is written; the value is its ``Content-Type``."""

    GRAPHQL = "application/graphql-response+json; charset=utf-8"
    JSON = "application/json; charset=utf-8"
    EVENTS = "text/event-stream; charset=utf-8"
    PAGE = "text/html; charset=utf-8"


_MEDIA_TYPES = {
    "application/graphql-response+json": ResponseKind.GRAPHQL,
    "application/json": ResponseKind.JSON,
    "text/event-stream": ResponseKind.EVENTS,
    "text/html": ResponseKind.PAGE,
    "application/*": ResponseKind.GRAPHQL,
    "*/*": ResponseKind.JSON,
}

_SIMPLE_TYPES = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""What a browser sends to other sites without asking them first."""


@lru_cache(maxsize=512)
def choose(accept: str) -> ResponseKind | None:
    """Return the kind that an ``Accept`` header prefers, None when it accepts nothing that is served.

    Without a header it is ``application/json``, which every client understands. Between equal preferences the first
    one named wins.
    """
    best: tuple[float, ResponseKind] | None = None
    for part in accept.split(",") if accept.strip() else ["*/*"]:
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        kind = _MEDIA_TYPES.get(media_type)
        if kind is None:
            continue
        quality = _quality(parameters)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, kind)
    return best[1] if best else None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def check_content_type(content_type: str) -> None:
    """Accept JSON in UTF-8 and nothing else.

    Raises:
        RequestError: CSRF_PREVENTED for the types that a browser sends across sites without a preflight,
            UNSUPPORTED_MEDIA_TYPE for others.
    """
    if content_type == "application/json":
        return
    media_type, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    if media_type in _SIMPLE_TYPES:
        message = f"Content-Type {media_type} is refused, since any web page may send it; send application/json"
        raise RequestError(ErrorCode.CSRF_PREVENTED, message, http_status=415)
    charset = next((item[8:].strip('"') for item in parameters if item.startswith("charset=")), "utf-8")
    if media_type != "application/json" or charset not in {"utf-8", "utf8"}:
        shown = content_type[:100] or "missing"
        message = f"Content-Type is {shown}; send application/json in UTF-8"
        raise RequestError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, message, http_status=415)

"""Choose the media type of an answer and check the one of a request.

https://graphql.github.io/graphql-over-http/draft/#sec-Media-Types
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from gateway.errors import ErrorCode, RequestError

__all__ = ["JSON_KINDS", "Accepted", "ResponseKind", "check_content_type", "choose", "qualities"]


class ResponseKind(Enum):
    """How an answer is written; the value is its ``Content-Type``."""

    GRAPHQL = "application/graphql-response+json; charset=utf-8"
    JSON = "application/json; charset=utf-8"
    EVENTS = "text/event-stream; charset=utf-8"
    PARTS = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    DEFERRED = 'multipart/mixed;boundary="graphql";incrementalSpec=v0.2'
    DEFERRED_2022 = 'multipart/mixed;boundary="graphql";deferSpec=20220824'


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an ``Accept`` header prefers.

    Attributes:
        kind: for any operation: one JSON value, or events when the client prefers these even for a single answer.
        stream: for a subscription, None when the client accepts no stream.
        deferred: for an operation that defers fragments, None when the client takes them only with the rest.
        takes_json: whether the client accepts one JSON value.
    """

    kind: ResponseKind
    stream: ResponseKind | None = None
    deferred: ResponseKind | None = None
    takes_json: bool = True

    @property
    def only_parts(self) -> ResponseKind | None:
        """How one value is written for a client that takes neither JSON nor events, None for all others."""
        if self.takes_json or self.kind is ResponseKind.EVENTS:
            return None
        return self.deferred or self.stream


_MEDIA_TYPES = {
    "application/graphql-response+json": ResponseKind.GRAPHQL,
    "application/json": ResponseKind.JSON,
    "text/event-stream": ResponseKind.EVENTS,
    "application/*": ResponseKind.GRAPHQL,
    "*/*": ResponseKind.JSON,
}

_MULTIPART = {
    "subscriptionspec=1.0": ResponseKind.PARTS,
    "incrementalspec=v0.2": ResponseKind.DEFERRED,
    "deferspec=20220824": ResponseKind.DEFERRED_2022,
}

JSON_KINDS = frozenset({ResponseKind.GRAPHQL, ResponseKind.JSON})
"""Kinds of an answer that is one JSON value."""

_SINGLE = JSON_KINDS | {ResponseKind.EVENTS}
_STREAMS = frozenset({ResponseKind.EVENTS, ResponseKind.PARTS})
_DEFERRED = frozenset({ResponseKind.DEFERRED, ResponseKind.DEFERRED_2022})

_SIMPLE_TYPES = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""What a browser sends to other sites without asking them first."""


MAX_REMEMBERED_CHARS = 1024
"""Longest ``Accept`` whose outcome is remembered; browsers send some hundred characters."""


def choose(accept: str) -> Accepted | None:
    """Return what an ``Accept`` header prefers, None when it accepts nothing that is served.

    Without a header it is ``application/json``, which every client understands. Between equal preferences the first
    one named wins.
    """
    return _remembered(accept) if len(accept) <= MAX_REMEMBERED_CHARS else _choose(accept)


def _choose(accept: str) -> Accepted | None:
    found: dict[ResponseKind, float] = {}
    for name, quality in qualities(accept if accept.strip() else "*/*"):
        media_type, *parameters = name.split(";")
        kind = _multipart(parameters) if media_type == "multipart/mixed" else _MEDIA_TYPES.get(media_type)
        if kind is not None and quality > found.get(kind, 0.0):
            found[kind] = quality
    if not found:
        return None
    best = sorted(found, key=found.__getitem__, reverse=True)
    return Accepted(
        next((kind for kind in best if kind in _SINGLE), ResponseKind.JSON),
        next((kind for kind in best if kind in _STREAMS), None),
        next((kind for kind in best if kind in _DEFERRED), None),
        not JSON_KINDS.isdisjoint(found),
    )


_remembered = lru_cache(maxsize=512)(_choose)


def _multipart(parameters: list[str]) -> ResponseKind | None:
    """Return the format that the parameters name; without a name it is the present one of deferred fragments."""
    named = [parameter for parameter in parameters if "spec=" in parameter]
    if not named:
        return ResponseKind.DEFERRED
    return next((_MULTIPART[parameter] for parameter in named if parameter in _MULTIPART), None)


def qualities(header: str) -> Iterator[tuple[str, float]]:
    """Yield what a header such as ``Accept`` lists, lower case with its other parameters, and how much it is wanted."""
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        others = [parameter for parameter in parameters if not parameter.startswith("q=")]
        yield ";".join([name, *others]), _quality(parameters)


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

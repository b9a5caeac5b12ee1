"""What the executor wants of a way to a subgraph: bytes in, bytes out, and a close.

A transport knows neither plans nor the server. Each failure arrives as one :class:`gateway.errors.SubgraphError`,
mapped at the one place where the library's own exceptions are caught.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable
from dataclasses import dataclass, fields
from typing import Any, Protocol

from gateway.transport.upload import Upload

__all__ = [
    "ACCEPT",
    "AnnotatedRequest",
    "SharingTerms",
    "SubgraphRequest",
    "SubgraphResponse",
    "SubgraphTransport",
    "annotate",
    "read_retry_after",
]


ACCEPT = "application/graphql-response+json, application/json;q=0.9"
"""Media types of the answer to a query or mutation."""


@dataclass(frozen=True, slots=True)
class SharingTerms:
    """With whom a stream may be shared.

    Attributes:
        body: the request's body without a cursor.
        audience: who asks, as far as it makes a difference to the stream.
        after: cursor after which the stream begins; None begins with what happens from now on.
        cursor_of: reads the cursor of an event; None when the stream cannot be taken up again.
    """

    body: bytes
    audience: Hashable
    after: str | None = None
    cursor_of: Callable[[bytes], str | None] | None = None


@dataclass(frozen=True, slots=True)
class SubgraphRequest:
    """One GraphQL request to a subgraph.

    Attributes:
        body: JSON of ``query``, ``operationName``, ``variables``, ``extensions``; never changed after.
        headers: lower-case names with values, content headers not among them.
        timeout_s: seconds from now in which the whole answer must have come; None leaves it to the transport's limit.
        is_mutation: True forbids sharing the request, and sending it twice unless it has a key.
        has_key: the mutation has a key by which the subgraph knows a second one, so that it may be sent again.
        upload: files that go with the body, which is then the ``operations`` of a multipart request.
        sharing: with whom its stream may be shared; None for nobody, and where there is no stream.
        is_fresh: True forbids waiting for the answer of an equal request that began earlier.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float | None = None
    is_mutation: bool = False
    upload: Upload | None = None
    has_key: bool = False
    sharing: SharingTerms | None = None
    is_fresh: bool = False


@dataclass(frozen=True, slots=True)
class AnnotatedRequest(SubgraphRequest):
    """A request with what wrappers want to know of it; no part of what is sent.

    Attributes:
        caller: whose request it is, None where nobody wants to know.
        lookup: what the cache had before (``miss``, ``partial``, ``bypass``), None where it was not looked for.
    """

    caller: object | None = None
    lookup: str | None = None


def annotate(request: SubgraphRequest, **notes: Any) -> AnnotatedRequest:
    """Return the same request with further attributes of :class:`AnnotatedRequest`.

    Few requests have any, and all others should not pay for them.
    """
    return AnnotatedRequest(**{**{item.name: getattr(request, item.name) for item in fields(request)}, **notes})


@dataclass(frozen=True, slots=True)
class SubgraphResponse:
    """What the subgraph answered, undecoded.

    Attributes:
        status: HTTP status, 200 for transports without one.
        content_type: media type with parameters, empty when absent.
        body: the whole body, not larger than the transport's limit.
        retry_after_s: seconds after which the subgraph wants to be asked again, None when it did not say.
        cache_control, age: the headers of these names, empty when absent.
    """

    status: int
    content_type: str
    body: bytes
    retry_after_s: float | None = None
    cache_control: str = ""
    age: str = ""


def read_retry_after(text: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header; dates are not read, since clocks differ."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


class SubgraphTransport(Protocol):
    """A way to one subgraph. Safe for concurrent use by one event loop."""

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """Send a query or mutation and return the answer, whatever its status.

        Raises:
            SubgraphError: no answer came (unreachable, timeout, body over the limit).

        Cancel/retry: when cancelled the subgraph may have run the request; mutations must not be sent again blindly.
        """
        ...

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Start a subscription and yield the JSON text of each execution result, in order.

        The generator ends when the subgraph completes the stream; closing it unsubscribes.

        Raises:
            SubgraphError: while iterating, when the stream cannot start; :class:`gateway.errors.StreamBroken` when it
                breaks after the subgraph had accepted it.
        """
        ...

    async def aclose(self) -> None:
        """Release connections; further calls fail."""
        ...

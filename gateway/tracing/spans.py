"""Spans through the OpenTelemetry API: one for each request, plan and fetch.

The API alone records nothing. What records and exports is set up outside, for instance by ``opentelemetry-instrument``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
    TraceState,
)

from gateway.errors import SubgraphError
from gateway.tracing.context import TraceContext, current, read_context
from gateway.tracing.lookups import Lookups, lookups
from gateway.tracing.ways import entered
from gateway.transport.base import AnnotatedRequest, SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["Spans"]


class Spans:
    """See :class:`gateway.tracing.ways.Tracing`; ``provider`` None takes the one of the process."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("crossdock.gateway", tracer_provider=provider)

    @contextmanager
    def request(self, scope: Mapping[str, Any]) -> Iterator[None]:
        """See :class:`gateway.tracing.ways.Tracing`."""
        told = read_context(scope["headers"])
        attributes = {"url.path": scope["path"], "network.protocol.name": scope["type"]}
        if "method" in scope:
            attributes["http.request.method"] = scope["method"]
        parent = None if told is None else trace.set_span_in_context(NonRecordingSpan(_to_span_context(told)))
        with (
            self._tracer.start_as_current_span(
                "request", context=parent, kind=SpanKind.SERVER, attributes=attributes
            ) as span,
            entered(_from_span(span) or told or TraceContext.start()),
            _noting_lookups(span),
        ):
            yield

    @contextmanager
    def planning(self) -> Iterator[None]:
        """See :class:`gateway.tracing.ways.Tracing`."""
        with self._tracer.start_as_current_span("plan"):
            yield

    @contextmanager
    def fetching(self, subgraph: str) -> Iterator[Span]:
        """Surround one request to a subgraph."""
        attributes = {"crossdock.subgraph": subgraph}
        with self._tracer.start_as_current_span("fetch", kind=SpanKind.CLIENT, attributes=attributes) as span:
            yield span

    def wrap(self, subgraph: str, transport: SubgraphTransport) -> SubgraphTransport:
        """See :class:`gateway.tracing.ways.Tracing`."""
        return _SpanTransport(self, subgraph, transport)


class _SpanTransport:
    def __init__(self, spans: Spans, subgraph: str, inner: SubgraphTransport) -> None:
        self._spans = spans
        self._subgraph = subgraph
        self._inner = inner

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        with self._spans.fetching(self._subgraph) as span:
            if isinstance(request, AnnotatedRequest) and request.lookup is not None:
                span.set_attribute("crossdock.cache.outcome", request.lookup)
            try:
                response = await self._inner.send(_told(request, _from_span(span)))
            except SubgraphError as error:
                span.set_attribute("error.type", str(error.code))
                raise
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 400:
                span.set_status(Status(StatusCode.ERROR))
            return response

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        return self._inner.subscribe(_told(request, None))

    async def aclose(self) -> None:
        await self._inner.aclose()


@contextmanager
def _noting_lookups(span: Span) -> Iterator[None]:
    """Let the span of a request tell what the cache had for it."""

    def tell(name: str, value: str | int) -> None:
        if span.is_recording():  # work that others wait for goes on when the request is over
            span.set_attribute(name, value)

    before = lookups.set(Lookups(tell)) if span.is_recording() else None
    try:
        yield
    finally:
        if before is not None:
            lookups.reset(before)


def _told(request: SubgraphRequest, own: TraceContext | None) -> SubgraphRequest:
    found = own or current.get()
    return request if found is None else replace(request, headers=(*request.headers, *found.headers()))


def _to_span_context(told: TraceContext) -> SpanContext:
    return SpanContext(
        int(told.trace_id, 16),
        int(told.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(told.flags, 16)),
        trace_state=TraceState.from_header([told.state]),
    )


def _from_span(span: Span) -> TraceContext | None:
    """Return where a span is, None when nobody makes spans."""
    found = span.get_span_context()
    if not found.is_valid:
        return None
    trace_id, parent_id = trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)
    return TraceContext(trace_id, parent_id, f"{found.trace_flags:02x}", found.trace_state.to_header())

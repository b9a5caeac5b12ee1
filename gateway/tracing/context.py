"""The trace that a request belongs to, as ``traceparent`` and ``tracestate`` tell it.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["TraceContext", "begin_request", "correlation_id", "current", "read_context", "request_id"]

MAX_STATE_CHARS = 512
"""Longest ``tracestate`` that is passed on, the length that the specification asks for."""

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where in a trace somebody is.

    Attributes:
        trace_id: 32 hexadecimal digits.
        parent_id: 16 hexadecimal digits, the span that asks.
        flags: two hexadecimal digits.
        state: what vendors keep beside it, empty for nothing.
    """

    trace_id: str
    parent_id: str
    flags: str = "00"
    state: str = ""

    @classmethod
    def start(cls) -> TraceContext:
        """Return a new trace that nobody records."""
        return cls(secrets.token_hex(16), secrets.token_hex(8))

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that tell it."""
        parent = ("traceparent", f"00-{self.trace_id}-{self.parent_id}-{self.flags}")
        return (parent, ("tracestate", self.state)) if self.state else (parent,)


current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
"""The trace of the request that runs, None where traces are not followed."""


def read_context(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """Return the trace that the headers of a request tell, None when they tell none or no valid one."""
    parents: list[str] = []
    states: list[str] = []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value.decode("latin-1").strip())
        elif name == b"tracestate":
            states.append(value.decode("latin-1"))
    found = _PARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(parent_id, 16):
        return None
    state = ",".join(states)
    return TraceContext(trace_id, parent_id, flags, state if len(state) <= MAX_STATE_CHARS else "")


request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that runs, where traces are not followed."""


def begin_request() -> None:
    """Give the request that begins an id; it holds in the task that serves the request."""
    request_id.set(secrets.token_hex(16))


def correlation_id() -> str:
    """Return the id under which a failure is found in the logs: the trace's, the request's, or one of its own."""
    trace = current.get()
    return (request_id.get() or uuid.uuid4().hex) if trace is None else trace.trace_id

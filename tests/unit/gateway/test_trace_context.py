"""W3C trace context is read as the specification says, or not at all."""

from __future__ import annotations

import pytest

from gateway.tracing import TraceContext, correlation_id, current, read_context
from gateway.tracing.ways import entered

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def read(parent: str, *states: str) -> TraceContext | None:
    return read_context([(b"traceparent", parent.encode()), *((b"tracestate", state.encode()) for state in states)])


def test_a_trace_is_read_and_told_on():
    found = read(f"00-{TRACE}-{SPAN}-01", "a=1", "b=2")
    assert found == TraceContext(TRACE, SPAN, "01", "a=1,b=2")
    assert found.headers() == (("traceparent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "a=1,b=2"))


@pytest.mark.parametrize(
    ("parent", "is_read"),
    [
        pytest.param(f"cc-{TRACE}-{SPAN}-01-later", True, id="a later version with more in it"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", False, id="this version with more in it"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", False, id="the version that is forbidden"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", False, id="a trace of zeros"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", False, id="a span of zeros"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", False, id="upper case"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_what_is_not_valid_is_not_read(parent, is_read):
    assert (read(parent) is not None) is is_read


def test_two_parents_are_none():
    parent = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())
    assert read_context([parent, parent]) is None


def test_a_state_that_is_too_long_is_left_out():
    assert read(f"00-{TRACE}-{SPAN}-01", "a=" + "x" * 600) == TraceContext(TRACE, SPAN, "01")


def test_a_new_trace_is_valid_and_its_own():
    one, other = TraceContext.start(), TraceContext.start()
    assert one != other
    assert read(one.headers()[0][1]) == one


def test_failures_are_found_under_the_trace_or_an_id_of_their_own():
    assert correlation_id() != correlation_id()
    with entered(TraceContext(TRACE, SPAN)):
        assert correlation_id() == TRACE
    assert current.get() is None

"""A trace goes from the client through the gateway to its subgraphs."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest
import structlog

from gateway.bootstrap.observation import build_tracing
from gateway.config import settings_from
from gateway.errors import ConfigError
from gateway.logs import log_to
from tests.e2e.gateway.test_gateway import IN_PROCESS, http

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
ASK = {"query": '{ header(name: "traceparent") state: header(name: "tracestate") }'}
SECRET = {"query": "query Secrets { products(first: 1) { upc secret } }"}
PASS_ON = IN_PROCESS.with_settings(telemetry={"tracing": "pass_on"}, errors={"subgraph_errors": "masked"})
needs_sdk = pytest.mark.skipif(find_spec("opentelemetry") is None, reason="OpenTelemetry is an optional extra")


async def test_the_trace_of_the_client_goes_on_at_the_subgraph():
    async with http(PASS_ON) as client:
        answer = (await client.post("/graphql", json=ASK, headers=PARENT)).json()
    assert answer == {"data": {"header": PARENT["traceparent"], "state": "vendor=1"}}


async def test_a_request_without_a_trace_begins_one():
    async with http(PASS_ON) as client:
        told = [(await client.post("/graphql", json=ASK)).json()["data"]["header"] for _ in range(2)]
    assert all(header.startswith("00-") for header in told)
    assert told[0] != told[1]


async def test_nothing_is_passed_on_unless_told():
    async with http(IN_PROCESS) as client:
        answer = (await client.post("/graphql", json=ASK, headers=PARENT)).json()
    assert answer == {"data": {"header": None, "state": None}}


@contextmanager
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Write logs as programs do and yield what reads their lines."""
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    log_to(stream)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)


async def test_errors_and_lines_of_log_carry_the_id_of_the_trace():
    with logged() as lines:
        async with http(PASS_ON) as client:
            answer = (await client.post("/graphql", json=SECRET, headers=PARENT)).json()
    assert answer["errors"][0]["extensions"]["correlationId"] == TRACE
    assert {"subgraph", "operation"} <= {line["event"].split(" ")[0] for line in lines()}
    assert {line["correlation_id"] for line in lines()} == {TRACE}


async def test_without_traces_each_request_has_an_id_of_its_own():
    kit = PASS_ON.with_settings(telemetry={"tracing": "none"}, errors={"subgraph_errors": "masked"})
    with logged() as lines:
        async with http(kit) as client:
            answers = [(await client.post("/graphql", json=SECRET, headers=PARENT)).json() for _ in range(2)]
    ids = [answer["errors"][0]["extensions"]["correlationId"] for answer in answers]
    assert len({*ids, TRACE}) == 3
    assert {line["correlation_id"] for line in lines()} == {*ids}


def test_spans_without_open_telemetry_are_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gateway.tracing.spans", None)
    with pytest.raises(ConfigError, match=r"pip install crossdock\[telemetry\]"):
        build_tracing(settings_from({"telemetry": {"tracing": "spans"}}, {}))


@needs_sdk
async def test_request_plan_and_fetches_are_spans_of_the_clients_trace(monkeypatch):
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    spans_of = pytest.importorskip("gateway.tracing.spans").Spans
    exporter, provider = memory.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr("gateway.bootstrap.generation.build_tracing", lambda _: spans_of(provider))
    kit = IN_PROCESS.with_settings(telemetry={"tracing": "spans"})
    async with http(kit) as client:
        for _ in range(2):
            answer = (await client.post("/graphql", json=ASK, headers=PARENT)).json()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["plan", "fetch", "request", "fetch", "request"]
    plan, fetch, request, *_ = spans
    assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
    assert f"{request.parent.span_id:016x}" == SPAN
    assert plan.parent.span_id == fetch.parent.span_id == request.context.span_id
    assert fetch.attributes["crossdock.subgraph"]
    assert answer["data"]["header"] == f"00-{TRACE}-{spans[3].context.span_id:016x}-01"


@needs_sdk
async def test_without_an_sdk_the_trace_is_still_passed_on():
    kit = IN_PROCESS.with_settings(telemetry={"tracing": "spans"})
    async with http(kit) as client:
        answer = (await client.post("/graphql", json=ASK, headers=PARENT)).json()
    assert answer["data"]["header"] == PARENT["traceparent"]

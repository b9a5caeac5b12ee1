"""What the cache had for a request stands on its spans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.gateway.test_gateway import http
from tests.support.kept_world import KeptWorld

sdk = pytest.importorskip("opentelemetry.sdk.trace")

STOCKS = "{ products { upc stock } }"
ONE = '{ product(upc: "table") { upc stock } }'
ME = "{ me { id } }"

Spans = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Return what gives name and cache attributes of the spans since the last call, plans left out."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - an optional extra
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    from gateway.tracing.spans import Spans as Tracing  # noqa: PLC0415

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("gateway.bootstrap.generation.build_tracing", lambda _: Tracing(provider))

    def read() -> list[tuple[str, dict[str, Any]]]:
        found = [
            (span.name, {key: value for key, value in span.attributes.items() if key.startswith("crossdock.cache")})
            for span in exporter.get_finished_spans()
            if span.name != "plan"
        ]
        exporter.clear()
        return found

    return read


def looked(outcome: str, hits: int, misses: int, **more: str) -> dict[str, Any]:
    counts = {"outcome": outcome, "hits": hits, "misses": misses}
    return {f"crossdock.cache.{name}": value for name, value in {**counts, **more}.items()}


def sent(outcome: str) -> tuple[str, dict[str, Any]]:
    return "fetch", {"crossdock.cache.outcome": outcome}


async def test_a_miss_a_hit_and_what_is_there_in_part_are_told_apart(spans):
    world = KeptWorld()
    async with http(world.kit().with_settings(telemetry={"tracing": "spans"})) as client:
        told = []
        for query in (ONE, ONE, STOCKS, STOCKS):
            assert "errors" not in (await client.post("/graphql", json={"query": query})).json()
            told.append(spans())
    assert told == [
        [sent("miss"), sent("miss"), ("request", looked("miss", 0, 2))],
        [("request", looked("hit", 2, 0))],
        [sent("miss"), sent("partial"), ("request", looked("partial", 1, 3))],
        [("request", looked("hit", 4, 0))],
    ]


async def test_a_whole_answer_is_told_by_itself(spans):
    world = KeptWorld()
    async with http(world.kit(answers=True).with_settings(telemetry={"tracing": "spans"})) as client:
        for _ in range(2):
            await client.post("/graphql", json={"query": ME})
    assert spans() == [
        sent("miss"),
        ("request", looked("miss", 0, 1, answer="miss")),
        ("request", {"crossdock.cache.answer": "hit"}),
    ]


async def test_a_store_that_does_not_answer_is_told(spans):
    world = KeptWorld()
    kit = world.kit(store="redis", timeout="100ms").with_settings(
        telemetry={"tracing": "spans"}, redis={"url": "redis://127.0.0.1:1"}
    )
    async with http(kit) as client:
        assert (await client.post("/graphql", json={"query": ME})).json() == {"data": {"me": {"id": "1"}}}
    assert spans() == [sent("bypass"), ("request", looked("bypass", 0, 1))]


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        pytest.param(ME, {"store": "none"}, id="no cache"),
        pytest.param("mutation { lock }", {}, id="a mutation"),
        pytest.param(ME, {"subgraphs": {"catalog": {"enabled": False}}}, id="a subgraph that is left out"),
    ],
)
async def test_what_is_not_looked_for_says_nothing(spans, query, settings):
    async with http(KeptWorld().kit(**settings).with_settings(telemetry={"tracing": "spans"})) as client:
        await client.post("/graphql", json={"query": query})
    assert spans() == [("fetch", {}), ("request", {})]


async def test_requests_side_by_side_count_for_themselves(spans):
    world = KeptWorld()
    kit = world.kit().with_settings(telemetry={"tracing": "spans"}, limits={"max_batch": 2})
    async with http(kit) as client:
        await client.post("/graphql", json={"query": ONE})
        spans()
        await client.post("/graphql", json=[{"query": ONE}, {"query": ME}])
        await client.post("/graphql", json={"query": ME})
    assert spans() == [
        sent("miss"),
        ("request", looked("partial", 2, 1)),
        ("request", looked("hit", 1, 0)),
    ]

"""A supergraph is replaced while requests are under way, and while a client asks."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref

import httpx
import pytest

from gateway.bootstrap import Origin, Upkeep, build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import load_settings, settings_from
from gateway.errors import ConfigError, SupergraphError
from gateway.server.reload import FileSource
from gateway.tracing import request_id
from tests.support.fake_transport import FakeTransport
from tests.support.serving import serve_asgi

PATIENCE_S = 30
OLD = "type Query { a: Int b: Int }"
NEW = "type Query { a: Int c: Int }"


def compose(sdl: str, name: str = "s", url: str = "http://127.0.0.1:1/") -> str:
    return str(compose_or_raise([SubgraphSource(name=name, url=url, sdl=sdl)]).supergraph)


def answers() -> FakeTransport:
    return FakeTransport(lambda _: {"data": {"a": 1, "b": 2, "c": 3}})


async def test_requests_after_a_reload_see_the_new_graph_and_those_under_way_end_with_the_old_one():
    transport = answers()
    transport.gate = asyncio.Event()
    async with build_gateway(compose(OLD), {"s": transport}) as gateway:
        under_way = asyncio.get_running_loop().create_task(gateway.execute("{ b }"))
        await transport.started.wait()
        await gateway.reload(compose(NEW))
        transport.gate.set()
        assert (await under_way).to_dict() == {"data": {"b": 2}}
        assert (await gateway.execute("{ c }")).to_dict() == {"data": {"c": 3}}
        gone = (await gateway.execute("{ b }")).to_dict()
        assert gone["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert not transport.is_closed, "a transport from outside outlives each graph"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("type Query {", SupergraphError, id="a text that does not parse"),
        pytest.param("type Query { a: Int }", SupergraphError, id="a schema that is no supergraph"),
        pytest.param(compose(NEW, "other"), ConfigError, id="a graph that the settings do not fit"),
    ],
)
async def test_what_cannot_be_served_changes_nothing(text, error):
    async with build_gateway(compose(OLD), {"s": answers()}) as gateway:
        with pytest.raises(error):
            await gateway.reload(text)
        assert (await gateway.execute("{ b }")).to_dict() == {"data": {"b": 2}}


async def test_operations_that_were_used_are_prepared_before_the_new_graph_is_served():
    async with build_gateway(compose(OLD), {"s": answers()}) as gateway:
        for query in ("{ a }", "{ b }", "{ x: a }"):
            await gateway.execute(query)
        await gateway.reload(compose(NEW))
        assert gateway._pipeline.cached_plans == 2, "the one with b does not fit any more"


async def test_connections_are_closed_once_no_graph_uses_them_and_go_on_where_the_subgraph_is_the_same(monkeypatch):
    closed: list[str] = []

    def build(info, *_):
        transport = answers()

        async def aclose() -> None:
            closed.append(info.url)

        transport.aclose = aclose
        return transport

    monkeypatch.setattr("gateway.bootstrap.transports.build_http", build)
    async with build_gateway(compose(OLD)) as gateway:
        assert (await gateway.execute("{ a }")).to_dict() == {"data": {"a": 1}}
        await gateway.reload(compose(NEW))
        await asyncio.gather(*gateway._tasks)
        assert closed == []
        assert (await gateway.execute("{ c }")).to_dict() == {"data": {"c": 3}}
        await gateway.reload(compose(NEW, url="http://127.0.0.1:2/"))
        await asyncio.gather(*gateway._tasks)
        assert closed == ["http://127.0.0.1:1/"]
        assert (await gateway.execute("{ c }")).to_dict() == {"data": {"c": 3}}
    assert closed == ["http://127.0.0.1:1/", "http://127.0.0.1:2/"]


async def test_what_does_not_end_in_time_is_ended():
    transport = answers()
    transport.gate = asyncio.Event()
    settings = settings_from({"supergraph": {"drain": "10ms"}})
    async with build_gateway(compose(OLD), {"s": transport}, settings) as gateway:
        under_way = asyncio.get_running_loop().create_task(gateway.execute("{ b }"))
        await transport.started.wait()
        await gateway.reload(compose(NEW))
        async with asyncio.timeout(5):
            await asyncio.gather(*gateway._tasks)
        transport.gate.set()
        await under_way


async def test_a_served_gateway_follows_a_file(tmp_path):
    path = tmp_path / "supergraph.graphql"
    path.write_text(compose(OLD))
    source = FileSource(path)
    settings = settings_from({"supergraph": {"reload": True, "poll": "10ms"}})
    gateway = build_gateway(await source.changed() or "", {"s": answers()}, settings)
    Upkeep(gateway, source)
    async with serve_asgi(gateway.asgi) as address, httpx.AsyncClient(base_url=address) as client:
        assert (await client.post("/graphql", json={"query": "{ b }"})).json() == {"data": {"b": 2}}
        path.write_text(compose(NEW))
        async with asyncio.timeout(10):
            while "data" not in (answer := (await client.post("/graphql", json={"query": "{ c }"})).json()):
                pass
    assert answer == {"data": {"c": 3}}


async def test_what_runs_beside_requests_bears_the_id_of_none():
    gateway, ids = build_gateway(compose(OLD), {"s": answers()}), []
    request_id.set(None)  # whoever ran before in this process

    async def note() -> None:
        ids.append(request_id.get())

    gateway.asgi.on_start(note)
    async with serve_asgi(gateway.asgi):
        assert ids == [None]


async def test_changes_are_counted_and_what_cannot_be_served_is_kept_out(tmp_path, caplog):
    path, settings_file = tmp_path / "supergraph.graphql", tmp_path / "gateway.yaml"
    path.write_text(compose(OLD))
    source = FileSource(path)
    values = {"supergraph": {"reload": True, "poll": "1h"}, "telemetry": {"metrics": True}}
    settings_file.write_text(json.dumps(values))
    gateway = build_gateway(await source.changed() or "", {"s": answers()}, load_settings(settings_file))
    upkeep = Upkeep(gateway, source, Origin(lambda: load_settings(settings_file)))
    async with (
        serve_asgi(gateway.asgi) as address,
        httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client,
    ):
        path.write_text(compose(NEW))
        settings_file.write_text(json.dumps({**values, "limits": {"max_depth": 10}}))
        await upkeep.look_again()
        path.write_text("type Query {")
        settings_file.write_text("limits: {max_depth: many}")
        await upkeep.look_again()
        answer = await client.post("/graphql", json={"query": "{ c }"})
        page = (await client.get("/metrics")).text
    assert answer.json() == {"data": {"c": 3}}
    for what in ("supergraph", "settings"):
        for outcome in ("ok", "failed"):
            assert f'gateway_reloads_total{{outcome="{outcome}",what="{what}"}} 1.0' in page
    assert "the old one is served on: the supergraph is not valid GraphQL" in caplog.text
    assert "the old ones hold: the settings are not accepted" in caplog.text.replace(f"{settings_file}: ", "")


async def test_old_graphs_are_forgotten():
    async with build_gateway(compose(OLD), {"s": answers()}) as gateway:
        graphs = []
        for number in range(10):
            await gateway.execute("{ a }")
            graphs.append(weakref.ref(gateway.supergraph))
            await gateway.reload(compose(NEW if number % 2 else OLD))
            await asyncio.gather(*gateway._tasks)
        gc.collect()
        assert [graph() for graph in graphs] == [None] * 10
        assert gateway._tasks == set()

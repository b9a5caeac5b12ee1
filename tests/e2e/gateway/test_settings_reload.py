"""Every setting is taken over by a running gateway but those of the listening socket, or all old ones hold."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.bootstrap import Gateway, Origin, Upkeep, build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import load_settings, settings_from
from gateway.errors import ConfigError
from gateway.server.reload import FileSource
from tests.e2e.gateway.test_reload import compose
from tests.e2e.gateway.test_resumable import FOLLOW, numbers
from tests.support.event_log import log_supergraph
from tests.support.fake_transport import FakeTransport
from tests.support.feed import Feed
from tests.support.log_subgraph import LogSubgraph
from tests.support.serving import serve_asgi

WAIT_S = 30
SDL = "type Query { a: Int b: Int } type Mutation { put: Int }"
KEY = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
"""Hash of the key ``password``."""


def answers() -> FakeTransport:
    return FakeTransport(lambda _: {"data": {"a": 1, "b": 2, "x": 1, "y": 2}})


@asynccontextmanager
async def served(transport: FakeTransport | None = None, **sections: Any) -> AsyncIterator[Any]:
    """Serve a gateway; yield it and a client."""
    built = build_gateway(compose(SDL), {"s": transport or answers()}, settings_from(sections, {}))
    async with serve_asgi(built.asgi) as address, httpx.AsyncClient(base_url=address, timeout=WAIT_S) as client:
        yield built, client


async def ask(client: httpx.AsyncClient, query: str = "{ a }", path: str = "/graphql", **headers: str) -> str:
    """Return ``ok``, or the code of the first error, or the status."""
    answer = await client.post(path, json={"query": query}, headers=headers)
    if "json" not in answer.headers.get("content-type", ""):
        return str(answer.status_code)
    found = answer.json()
    return str(found["errors"][0]["extensions"]["code"]) if "errors" in found else "ok"


async def get(client: httpx.AsyncClient, path: str, **headers: str) -> str:
    return str((await client.get(path, headers=headers)).status_code)


async def header_of(client: httpx.AsyncClient, name: str, **headers: str) -> str | None:
    answer = await client.post("/graphql", json={"query": "{ a }"}, headers=headers)
    return answer.headers.get(name)


@pytest.mark.parametrize(
    ("new", "look", "before", "after"),
    [
        pytest.param(
            {"server": {"path": "/other"}}, lambda c: ask(c, path="/other"), "404", "ok", id="the path of the endpoint"
        ),
        pytest.param({"server": {"graphiql": False}}, lambda c: get(c, "/"), "200", "404", id="GraphiQL"),
        pytest.param(
            {"server": {"response_headers": {"x-more": "1"}}},
            lambda c: header_of(c, "x-more"),
            None,
            "1",
            id="headers of answers",
        ),
        pytest.param(
            {"cors": {"origins": ["https://page.example"]}},
            lambda c: header_of(c, "access-control-allow-origin", origin="https://page.example"),
            None,
            "https://page.example",
            id="pages that may read",
        ),
        pytest.param({"telemetry": {"metrics": True}}, lambda c: get(c, "/metrics"), "404", "200", id="metrics"),
        pytest.param(
            {"introspection": {"enabled": False}},
            lambda c: ask(c, "{ __schema { queryType { name } } }"),
            "ok",
            "INTROSPECTION_DISABLED",
            id="introspection",
        ),
        pytest.param(
            {"demand": {"mode": "enforce", "max_cost": 1}, "limits": {"max_aliases": 9}},
            lambda c: ask(c, "mutation { put }"),
            "ok",
            "COST_EXCEEDED",
            id="demand",
        ),
        pytest.param(
            {"identity": {"anonymous": False, "api_keys": [{"sha256": KEY, "subject": "robot"}]}},
            ask,
            "ok",
            "UNAUTHENTICATED",
            id="who may ask",
        ),
        pytest.param(
            {"identity": {"anonymous": False, "api_keys": [{"sha256": KEY, "subject": "robot"}]}},
            lambda c: ask(c, **{"x-api-key": "password"}),
            "ok",
            "ok",
            id="a key that is new",
        ),
        pytest.param(
            {"csrf": {"protect_get": True}}, lambda c: get(c, "/graphql?query=%7Ba%7D"), "200", "403", id="CSRF"
        ),
        pytest.param({"limits": {"max_request_bytes": 1024}}, lambda c: ask(c, "{ a }" + " " * 2000), "ok",
                     "LIMIT_EXCEEDED", id="the largest request"),
        pytest.param({"load": {"max_running": 1, "max_waiting": 1}}, ask, "ok", "ok", id="load"),
        pytest.param({"traffic": {"share_client_requests": True}}, ask, "ok", "ok", id="traffic"),
        pytest.param({"subscriptions": {"max_total": 1}}, ask, "ok", "ok", id="subscriptions"),
        pytest.param({"errors": {"subgraph_errors": "masked"}}, ask, "ok", "ok", id="errors"),
        pytest.param({"authorization": {"mode": "reject"}}, ask, "ok", "ok", id="authorization"),
        pytest.param({"telemetry": {"tracing": "pass_on", "request_log": "all"}}, ask, "ok", "ok", id="telemetry"),
        pytest.param({"documents": {"automatic": {"enabled": False}}}, ask, "ok", "ok", id="documents"),
        pytest.param({"idempotency": {"header": False}}, ask, "ok", "ok", id="idempotency"),
        pytest.param({"supergraph": {"drain": "1s"}}, ask, "ok", "ok", id="time to drain"),
        pytest.param({"redis": {"url": "redis://127.0.0.1:1"}}, ask, "ok", "ok", id="redis"),
    ],
)  # fmt: skip
async def test_a_setting_is_taken_over_and_back(
    new: dict[str, Any], look: Callable[[Any], Any], before: str | None, after: str | None
) -> None:
    async with served() as (built, client):
        assert await look(client) == before
        assert await built.change_settings(settings_from(new, {}))
        assert await look(client) == after
        assert await built.change_settings(settings_from({}, {}))
        assert await look(client) == before


async def test_a_request_under_way_ends_by_the_settings_under_which_it_began() -> None:
    transport = FakeTransport(lambda _: {"data": {"a": None}, "errors": [{"message": "a secret of the subgraph"}]})
    transport.gate = asyncio.Event()
    async with served(transport) as (built, client), asyncio.timeout(WAIT_S):
        under_way = asyncio.create_task(client.post("/graphql", json={"query": "{ a }"}))
        await transport.started.wait()
        await built.change_settings(settings_from({"errors": {"subgraph_errors": "masked"}}, {}))
        transport.gate.set()
        assert "a secret of the subgraph" in (await under_way).text
        assert "a secret of the subgraph" not in (await client.post("/graphql", json={"query": "{ b }"})).text


async def test_plans_stay_where_they_are_still_right(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[str] = []
    async with build_gateway(compose(SDL), {"s": answers()}) as built:
        plan = built._parts.planner.plan
        monkeypatch.setattr(
            type(built._parts.planner),
            "plan",
            lambda _, operation, **more: planned.append(operation.name) or plan(operation, **more),
        )
        for name in ("One", "Two"):
            await built.execute(f"query {name} {{ a }}")
        await built.change_settings(settings_from({"limits": {"max_depth": 7}}, {}))
        assert planned == ["One", "Two"]
        assert built._pipeline.cached_plans == 2
        await built.change_settings(settings_from({"authorization": {"mode": "reject"}}, {}))
        assert planned == ["One", "Two", "One", "Two"]


async def test_connections_to_a_subgraph_stay_unless_its_own_settings_change(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def build(info: Any, *_: Any) -> FakeTransport:
        made.append(info.name)
        return answers()

    monkeypatch.setattr("gateway.bootstrap.transports.build_http", build)
    sources = [SubgraphSource(name, f"http://{name}.example/", f"type Query {{ {name}: Int }}") for name in "ab"]
    async with build_gateway(str(compose_or_raise(sources).supergraph)) as built:
        await built.change_settings(settings_from({"limits": {"max_depth": 7}}, {}))
        assert made == ["a", "b"]
        await built.change_settings(settings_from({"subgraphs": {"b": {"timeout": "1s"}}}, {}))
        assert made == ["a", "b", "b"]
        await asyncio.gather(*built._tasks)


@pytest.mark.parametrize("share", ["none", "all"])
async def test_an_idle_stream_goes_on_across_new_settings_without_losing_an_event(share: str) -> None:
    subgraph = LogSubgraph()
    subgraph.append(2)
    address = await subgraph.start()
    drains: dict[str, Any] = {
        "subgraphs": {"log": {"url": f"{address}/graphql"}},
        "supergraph": {"drain": "1ms"},
        "subscriptions": {"share_subgraph_streams": share},
    }
    try:
        async with asyncio.timeout(WAIT_S), build_gateway(log_supergraph(), None, settings_from(drains, {})) as built:
            stream = built.subscribe('subscription { changed(topic: "t", after: "e0") { n } }')
            found = [await anext(stream), await anext(stream)]
            waiting = asyncio.create_task(anext(stream))
            old = weakref.ref(built._transports)
            await built.change_settings(settings_from({**drains, "limits": {"max_depth": 7}}, {}))
            await asyncio.gather(*built._tasks)
            subgraph.append(1)
            found.append(await waiting)
            gc.collect()
            assert old() is None, "the stream moved on, so nothing holds what was served before"
            subgraph.append(1)
            found.append(await anext(stream))
            await stream.aclose()
    finally:
        await subgraph.stop()
    assert numbers(found) == [1, 2, 3, 4]


async def test_a_stream_that_is_not_idle_moves_after_its_next_event() -> None:
    feed = Feed()
    async with asyncio.timeout(WAIT_S), build_gateway(log_supergraph(), {"log": feed}) as built:
        stream = built.subscribe(FOLLOW)
        coming = asyncio.create_task(anext(stream))
        (await feed.opened(1))[0].send(1, 2)
        found = [await coming, await anext(stream)]
        await built.change_settings(settings_from({"limits": {"max_depth": 7}}, {}))
        feed.streams[0].send(3, 4)
        found.append(await anext(stream))
        coming = asyncio.create_task(anext(stream))
        (await feed.opened(2))[1].send(4, 5)
        found += [await coming, await anext(stream)]
        await stream.aclose()
    assert numbers(found) == [1, 2, 3, 4, 5]
    assert b'"_after":"e3"' in feed.streams[1].request.body


@asynccontextmanager
async def kept_up(path: Path, text: str) -> AsyncIterator[tuple[Gateway, Upkeep, Any]]:
    """Serve a gateway by a file of settings."""
    await asyncio.to_thread(path.write_text, text)
    built = build_gateway(compose(SDL), {"s": answers()}, load_settings(path, {}))

    def source_of(settings: Any) -> FileSource | None:
        return None if settings.supergraph.file is None else FileSource(settings.supergraph.file)

    upkeep = Upkeep(built, source_of(built.settings), Origin(lambda: load_settings(path, {}), path, source_of))
    async with serve_asgi(built.asgi) as address, httpx.AsyncClient(base_url=address, timeout=WAIT_S) as client:
        yield built, upkeep, client


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("limits: {max_depth: deep}", "limits.max_depth", id="a value that is not accepted"),
        pytest.param("limits: {max_dept: 3}", "limits.max_dept: unknown key", id="a key that is not known"),
        pytest.param("limits: [", "not valid YAML", id="no YAML"),
        pytest.param("server: {port: 1}\nlimits: {max_root_fields: 1}", "server.port cannot change", id="a restart"),
        pytest.param("subgraphs: {nobody: {}}", "no such subgraph", id="a subgraph that is not there"),
        pytest.param("supergraph: {file: nowhere.graphql}", "nowhere.graphql", id="a supergraph that is not there"),
        pytest.param(
            "documents: {trusted: {manifests: [nowhere.json]}}", "nowhere.json", id="a manifest that is not there"
        ),
    ],
)
async def test_settings_that_cannot_be_served_leave_the_old_ones_and_say_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, said: str
) -> None:
    path = tmp_path / "gateway.yaml"
    async with kept_up(path, "limits: {max_root_fields: 3}\n") as (built, upkeep, client):
        path.write_text(text)
        with caplog.at_level(logging.ERROR):
            await upkeep.look_again()
        assert built.settings.limits.max_root_fields == 3
        assert await ask(client, "{ x: a y: b }") == "ok"
    assert "the settings are not replaced, the old ones hold" in caplog.text
    assert said in caplog.text


async def test_a_file_that_is_watched_is_taken_over_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    watched = "server: {watch_settings: 10ms}\n"
    async with asyncio.timeout(WAIT_S), kept_up(path, watched) as (built, _, client):
        assert await ask(client, "{ x: a y: b }") == "ok"
        path.write_text(watched + "limits: {max_root_fields: 1}\n")
        while await ask(client, "{ x: a y: b }") != "LIMIT_EXCEEDED":
            pass
        path.write_text("limits: {max_root_fields: 2}\n")
        while await ask(client, "{ x: a y: b }") != "ok":
            pass
        assert built.settings.server.watch_settings is None


async def test_settings_and_the_supergraph_that_they_name_are_put_in_force_together(tmp_path: Path) -> None:
    path, graph = tmp_path / "gateway.yaml", tmp_path / "other.graphql"
    graph.write_text(compose("type Query { other: Int a: Int }"))
    async with asyncio.timeout(WAIT_S), kept_up(path, "limits: {max_root_fields: 1}\n") as (built, upkeep, client):
        path.write_text(f"supergraph: {{file: {json.dumps(str(graph))}, reload: true, poll: 10ms}}\n")
        await upkeep.look_again()
        assert "other" in built.supergraph.types["Query"].fields
        assert await ask(client, "{ x: a y: a }") == "ok"
        graph.write_text(compose("type Query { newest: Int a: Int }"))
        while "newest" not in built.supergraph.types["Query"].fields:
            await ask(client)


async def test_rates_and_documents_are_remembered_across_changes() -> None:
    rates = {"rates": {"rules": [{"name": "all", "amount": 3, "window": "1h"}]}}
    digest = "b4a2a4d6c1a4bd0e4ee3d4ffb9d8bba4f0d0f0b9e9a9d8bd4e7d8ff0c0e2ab11"
    async with served(**rates) as (built, client):
        store = built._generation.rules.policies.documents.automatic
        await store.keep(digest, "{ a }")
        assert [await ask(client) for _ in range(2)] == ["ok", "ok"]
        await built.change_settings(settings_from({**rates, "errors": {"subgraph_errors": "masked"}}, {}))
        assert await built._generation.rules.policies.documents.automatic.find(digest) == "{ a }"
        assert [await ask(client) for _ in range(2)] == ["ok", "RATE_LIMITED"]


async def test_what_waits_for_its_turn_begins_when_more_may_run() -> None:
    transport = answers()
    transport.gate = asyncio.Event()
    few = {"load": {"max_running": 1, "max_waiting": 5, "max_wait": "1h"}}
    async with served(transport, **few) as (built, client), asyncio.timeout(WAIT_S):
        asked = [asyncio.create_task(ask(client, f"{{ {alias}: a }}")) for alias in ("x", "y")]
        load = built._generation.rules.policies.load
        while load.waiting != 1:
            await get(client, "/health/live")
        await built.change_settings(settings_from({"load": {"max_running": 2}}, {}))
        assert (load.running, load.waiting) == (2, 0)
        transport.gate.set()
        await asyncio.gather(*asked)
        assert load.running == 0


async def test_old_settings_are_forgotten() -> None:
    async with build_gateway(compose(SDL), {"s": answers()}) as built:
        seen = []
        for number in range(20):
            await built.execute("{ a }")
            seen.append(weakref.ref(built._generation.rules.surroundings))
            seen.append(weakref.ref(built._transports))
            await built.change_settings(settings_from({"limits": {"max_depth": 10 + number % 2}}, {}))
            await asyncio.gather(*built._tasks)
        gc.collect()
        assert [each() for each in seen] == [None] * 40


async def test_other_keys_of_a_file_that_needs_a_restart_are_not_taken_over_alone() -> None:
    async with build_gateway(compose(SDL), {"s": answers()}) as built:
        with pytest.raises(ConfigError, match=r"server\.host cannot change"):
            await built.change_settings(
                settings_from({"server": {"host": "127.0.0.9"}, "limits": {"max_root_fields": 1}}, {})
            )
        assert (await built.execute("{ x: a y: b }")).to_dict() == {"data": {"x": 1, "y": 2}}

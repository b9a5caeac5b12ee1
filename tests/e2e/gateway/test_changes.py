"""A running gateway takes over schemas and settings, or keeps what it has and says why."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.bootstrap import Origin, Upkeep, build_gateway
from gateway.config import GatewaySettings, load_settings, settings_from
from gateway.errors import CompositionError, ConfigError
from gateway.server.reload import Reloader
from gateway.server.sdl_directory import SdlDirectory
from gateway.subgraph_list import SubgraphList
from tests.e2e.gateway.test_reload import compose
from tests.support.fake_transport import FakeTransport
from tests.support.serving import serve_asgi

A = "type Query { a: Int }"
B = "type Query { b: Int }"
ADDRESSES = {"a": "http://127.0.0.1:1/", "b": "http://127.0.0.1:2/"}


def answers() -> FakeTransport:
    return FakeTransport(lambda _: {"data": {"a": 1, "b": 2, "c": 3, "x": 1, "y": 1}})


async def test_a_directory_is_composed_when_a_schema_comes_changes_or_goes(tmp_path):
    (tmp_path / "a.graphql").write_text(A)
    source = SdlDirectory(tmp_path, ADDRESSES)
    first = await source.changed() or ""
    assert "http://127.0.0.1:1/" in first
    assert await source.changed() is None
    (tmp_path / "b.graphql").write_text(B)
    assert "b: Int" in (await source.changed() or "")
    (tmp_path / "b.graphql").write_text(B.replace("b:", "other:"))
    assert "other: Int" in (await source.changed() or "")
    (tmp_path / "b.graphql").unlink()
    assert "other" not in (await source.changed() or "other")


@pytest.mark.parametrize(
    ("name", "sdl", "error", "said"),
    [
        pytest.param("b", "type Query { a: String }", CompositionError, "a", id="schemas that do not compose"),
        pytest.param("c", B, ConfigError, "subgraphs.c.url", id="a schema without an address"),
    ],
)
async def test_what_cannot_be_composed_is_refused_and_the_old_graph_served_on(tmp_path, caplog, name, sdl, error, said):
    (tmp_path / "a.graphql").write_text(A)
    source = SdlDirectory(tmp_path, ADDRESSES)
    async with build_gateway(await source.changed() or "", {"a": answers()}) as built:
        (tmp_path / f"{name}.graphql").write_text(sdl)
        with caplog.at_level(logging.ERROR):
            assert not await Reloader(source, built.reload, 1).look()
        assert (await built.execute("{ a }")).to_dict() == {"data": {"a": 1}}
    assert "the old one is served on" in caplog.text
    with pytest.raises(error, match=said):
        await SdlDirectory(tmp_path, ADDRESSES).changed()


async def test_a_list_of_subgraphs_is_composed_again_when_it_or_a_schema_of_it_changes(tmp_path):
    entries = [{"name": "a", "url": ADDRESSES["a"], "sdl_file": "a.graphql"}]
    (tmp_path / "list.json").write_text(json.dumps(entries))
    (tmp_path / "a.graphql").write_text(A)
    source = SubgraphList(tmp_path / "list.json")
    assert ADDRESSES["a"] in (await source.changed() or "")
    assert await source.changed() is None
    (tmp_path / "a.graphql").write_text(A.replace("a:", "other:"))
    assert "other: Int" in (await source.changed() or "")
    (tmp_path / "a.graphql").write_text("type Query { a: What }")
    with pytest.raises(CompositionError, match="What"):
        await source.changed()
    assert await source.changed() is None, "it is told once"
    (tmp_path / "a.graphql").write_text(A)
    (tmp_path / "list.json").write_text(json.dumps([*entries, {"name": "b", "url": ADDRESSES["b"], "sdl": B}]))
    assert ADDRESSES["b"] in (await source.changed() or "")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no such signal")
async def test_sighup_does_not_end_a_gateway_that_has_no_settings_to_read():
    built = build_gateway(compose(A), {"s": answers()})
    Upkeep(built, None)
    before = signal.getsignal(signal.SIGHUP)
    async with serve_asgi(built.asgi):
        assert signal.getsignal(signal.SIGHUP) not in {before, signal.SIG_DFL}


async def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no files"):
        await SdlDirectory(tmp_path, {}).changed()


async def test_settings_may_name_subgraphs_that_a_directory_does_not_have_yet(tmp_path):
    (tmp_path / "a.graphql").write_text(A)
    values = {"subgraphs": {"a": {}, "b": {"url": ADDRESSES["b"]}}, "supergraph": {"directory": str(tmp_path)}}
    source = SdlDirectory(tmp_path, ADDRESSES)
    async with build_gateway(await source.changed() or "", {"a": answers()}, settings_from(values, {})) as built:
        (tmp_path / "b.graphql").write_text(B)
        assert await Reloader(source, built.reload, 1).look()
        assert "b" in built.supergraph.subgraphs


async def test_limits_rates_and_header_rules_are_taken_over():
    seen = answers()
    async with (
        build_gateway(compose(A), {"s": seen}) as built,
        serve_asgi(built.asgi) as address,
        httpx.AsyncClient(base_url=address, headers={"x-a": "1"}) as client,
    ):

        async def ask(query: str) -> Any:
            return (await client.post("/graphql", json={"query": query})).json()

        assert await ask("{ a }") == {"data": {"a": 1}}
        new = {
            "limits": {"max_root_fields": 1},
            "headers": {"propagate": ["x-a"]},
            "rates": {"rules": [{"name": "all", "amount": 2, "burst": 2}]},
        }
        changed = await built.change_settings(settings_from(new, {}))
        assert changed == ("headers.propagate", "limits.max_root_fields", "rates.rules")
        assert await ask("{ a }") == {"data": {"a": 1}}
        assert (await ask("{ x: a y: a }"))["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert await ask("{ a }") == {"data": {"a": 1}}
        assert (await ask("{ a }"))["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert [dict(request.headers).get("x-a") for request in seen.seen] == [None, "1", "1"]


async def test_rates_that_change_keep_what_was_used():
    def rules(amount: int) -> GatewaySettings:
        return settings_from({"rates": {"rules": [{"name": "all", "amount": amount, "window": "1h"}]}}, {})

    async with build_gateway(compose(A), {"s": answers()}, rules(3)) as built:
        used = [(await built.execute("{ a }")).errors for _ in range(3)]
        await built.change_settings(rules(4))
        found = [(await built.execute("{ a }")).errors for _ in range(2)]
        assert used == [[], [], []]
        assert found[1][0]["extensions"]["code"] == "RATE_LIMITED", "four more would be left of new allowances"


@pytest.mark.parametrize(
    "new",
    [
        pytest.param({"server": {"port": 1}, "limits": {"max_root_fields": 1}}, id="a setting that needs a restart"),
        pytest.param(
            {"headers": {"subgraphs": {"nobody": {}}}, "limits": {"max_root_fields": 1}},
            id="a subgraph that is not there",
        ),
    ],
)
async def test_settings_that_are_refused_change_nothing(new):
    async with build_gateway(compose(A), {"s": answers()}) as built:
        with pytest.raises(ConfigError):
            await built.change_settings(settings_from(new, {}))
        assert (await built.execute("{ x: a y: a }")).to_dict() == {"data": {"x": 1, "y": 1}}


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no such signal")
async def test_sighup_reads_settings_and_schemas_anew(tmp_path: Path, caplog):
    sdl, config = tmp_path / "sdl", tmp_path / "gateway.yaml"
    sdl.mkdir()
    (sdl / "a.graphql").write_text(A)
    config.write_text("supergraph: {reload: true, poll: 1h}\nlimits: {max_root_fields: 5}\n")
    source = SdlDirectory(sdl, ADDRESSES)
    built = build_gateway(await source.changed() or "", {"a": answers()}, load_settings(config))
    Upkeep(built, source, Origin(lambda: load_settings(config)))
    async with asyncio.timeout(20), serve_asgi(built.asgi) as address, httpx.AsyncClient(base_url=address) as client:

        async def code(query: str) -> str | None:
            answer = (await client.post("/graphql", json={"query": query})).json()
            return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None

        async def becomes(query: str, wanted: str | None) -> None:
            while await code(query) != wanted:
                pass

        assert await code("{ x: a y: a }") is None
        config.write_text("supergraph: {reload: true, poll: 1h}\nlimits: {max_root_fields: 1}\n")
        (sdl / "a.graphql").write_text("type Query { a: Int c: Int }")
        os.kill(os.getpid(), signal.SIGHUP)
        await becomes("{ x: a y: a }", "LIMIT_EXCEEDED")
        await becomes("{ c }", None)
        config.write_text("server: {port: 9}\nlimits: {max_root_fields: 7}\n")
        (sdl / "a.graphql").write_text(A)
        os.kill(os.getpid(), signal.SIGHUP)
        await becomes("{ c }", "GRAPHQL_VALIDATION_FAILED")
        assert await code("{ x: a y: a }") == "LIMIT_EXCEEDED"
    assert "server.port cannot change" in caplog.text

"""Which subgraphs are there: for who asks whether the gateway is ready, in the metrics, and for the circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.bootstrap import build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import SubgraphHealth, SubgraphTls, settings_from
from gateway.errors import ConfigError
from gateway.transport.health_probe import HealthProbe
from gateway.transport.tls import SubgraphTlsContext
from tests.support.certificates import Authority
from tests.support.serving import serve_asgi, serve_raw

SDL = "type Query { n: Int }"
GRAPHQL = b'{"data":{"n":1,"__typename":"Query"}}'


class Subgraph:
    """Answers GraphQL and ``/healthz`` with the statuses that the test sets."""

    def __init__(self) -> None:
        self.graphql = 200
        self.path = 200
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.asked.append((scope["method"], scope["path"]))
        status = self.path if scope["path"] == "/healthz" else self.graphql
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": GRAPHQL})


@asynccontextmanager
async def served(
    subgraph: Any, health: dict[str, Any] | None, **sections: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    async with serve_asgi(subgraph) as url:
        settings = settings_from({"subgraphs": {"s": {"url": f"{url}/graphql", "health": health}}, **sections}, {})
        async with (
            build_gateway(supergraph(SDL), settings=settings) as gateway,
            serve_asgi(gateway.asgi) as address,
            httpx.AsyncClient(base_url=address, timeout=30) as client,
        ):
            yield client, gateway


def supergraph(sdl: str) -> str:
    return str(compose_or_raise([SubgraphSource(name="s", url="http://s.invalid", sdl=sdl)]).supergraph)


async def until(client: httpx.AsyncClient, holds: Callable[[dict[str, Any]], bool]) -> httpx.Response:
    """Ask whether the gateway is ready until the answer is the one that is waited for."""
    async with asyncio.timeout(30):
        while not holds((answer := await client.get("/health/ready")).json()):
            pass
    return answer


def is_(state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda told: told["subgraphs"]["s"]["status"] == state


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        pytest.param(None, ("POST", "/graphql"), id="by a query"),
        pytest.param("/healthz", ("GET", "/healthz"), id="by a path"),
    ],
)
async def test_a_subgraph_that_is_down_is_named_and_named_up_again_later(path, asked):
    subgraph = Subgraph()
    async with served(subgraph, {"path": path, "interval": "10ms"}) as (client, _):
        up = await until(client, is_("up"))
        subgraph.graphql = subgraph.path = 503
        down = await until(client, is_("down"))
        subgraph.graphql = subgraph.path = 200
        again = await until(client, is_("up"))
    assert up.json() == again.json() == {"status": "ready", "subgraphs": {"s": {"status": "up"}}}
    assert down.json() == {"status": "ready", "subgraphs": {"s": {"status": "down", "reason": "HTTP status 503"}}}
    assert down.status_code == 200, "the gateway can answer in part"
    assert set(subgraph.asked) == {asked}


async def test_a_gateway_is_not_ready_without_a_subgraph_that_is_required():
    subgraph = Subgraph()
    subgraph.graphql = 500
    async with served(subgraph, {"interval": "10ms", "required": True}) as (client, _):
        before = await client.get("/health/ready")
        subgraph.graphql = 200
        after = await until(client, is_("up"))
    assert (before.status_code, before.json()["status"]) == (503, "waiting")
    assert (after.status_code, after.json()["status"]) == (200, "ready")


async def test_without_the_setting_nothing_is_probed_and_nothing_told():
    subgraph = Subgraph()
    async with served(subgraph, None) as (client, _):
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        await client.post("/graphql", json={"query": "{ n }"})
    assert subgraph.asked == [("POST", "/graphql")]


async def test_metrics_say_which_subgraph_is_up():
    subgraph = Subgraph()
    async with served(subgraph, {"interval": "10ms"}, telemetry={"metrics": True}) as (client, _):
        await until(client, is_("up"))
        up = (await client.get("/metrics")).text
        subgraph.graphql = 404
        await until(client, is_("down"))
        down = (await client.get("/metrics")).text
    assert 'gateway_subgraph_up{subgraph="s"} 1.0' in up
    assert 'gateway_subgraph_up{subgraph="s"} 0.0' in down


async def test_a_probe_that_succeeds_lets_a_request_through_an_open_circuit():
    subgraph = Subgraph()
    subgraph.graphql = 500
    circuit = {"min_requests": 1, "open_for": "1h"}
    traffic = {"circuit": circuit, "retry": {"max_retries": 0}}
    async with served(subgraph, {"path": "/healthz", "interval": "10ms"}, traffic=traffic) as (client, _):

        async def ask() -> dict[str, Any]:
            answer: dict[str, Any] = (await client.post("/graphql", json={"query": "{ n }"})).json()
            return answer

        subgraph.path = 500
        await until(client, is_("down"))
        assert (await ask())["errors"][0]["extensions"]["code"] != "CIRCUIT_OPEN"
        assert (await ask())["errors"][0]["extensions"]["code"] == "CIRCUIT_OPEN"
        subgraph.graphql = subgraph.path = 200
        await until(client, is_("up"))
        assert await ask() == {"data": {"n": 1}}


async def test_what_is_known_stays_over_a_reload():
    subgraph = Subgraph()
    async with served(subgraph, {"interval": "1h"}) as (client, gateway):
        await until(client, is_("up"))
        await gateway.reload(supergraph("type Query { n: Int m: Int }"))
        told = (await client.get("/health/ready")).json()
    assert told["subgraphs"]["s"] == {"status": "up"}
    assert len(subgraph.asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n<html/>", "not JSON", id="a page"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", "GraphQL server", id="other JSON"),
        pytest.param(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", "status 302", id="a redirect"),
        pytest.param(b"hello\r\n\r\n", "not HTTP", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", "too large", id="large headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 70_000, "too large", id="a large body"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "broke", id="cut off"),
        pytest.param(b"", "broke", id="closed"),
    ],
)
async def test_what_is_no_answer_of_a_subgraph_is_told_as_the_reason(answer, said):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with serve_raw(serve) as address:
        assert said in (await HealthProbe("s", address, SubgraphHealth(timeout=30.0), None).check() or "")


async def test_a_subgraph_that_stalls_or_is_gone_is_told_as_the_reason():
    async def stall(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()
        await asyncio.Event().wait()

    async with serve_raw(stall) as address:
        stalled = await HealthProbe("s", address, SubgraphHealth(timeout=0.1), None).check()
    gone = await HealthProbe("s", address, SubgraphHealth(), None).check()
    assert (stalled, gone) == ("no answer within 0.1 s", "subgraph s cannot be reached")


async def test_probes_go_by_the_certificates_of_the_subgraph(tmp_path):
    authority = Authority(tmp_path, "authority")
    async with serve_asgi(Subgraph(), tls=authority.sign("127.0.0.1")) as address:
        believed = SubgraphTlsContext("s", SubgraphTls(ca=authority.ca))
        for path in (None, "/healthz"):
            settings = SubgraphHealth(path=path, timeout=30.0)
            assert await HealthProbe("s", f"{address}/graphql", settings, believed).check() is None
        unknown = await HealthProbe("s", f"{address}/graphql", SubgraphHealth(timeout=30.0), None).check()
    assert "the certificate of subgraph s is not accepted" in str(unknown)


@pytest.mark.parametrize("path", ["healthz", "/a b", "/a\r\nx: y", ""])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(ConfigError, match=r"subgraphs\.s\.health\.path"):
        settings_from({"subgraphs": {"s": {"health": {"path": path}}}}, {})

"""How long an answer is waited for, told to subgraphs, and to them by clients that wait for less."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.bootstrap import build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.errors import ConfigError
from tests.support.serving import serve_asgi

SDL = {
    "shops": 'type Query { shop: Shop } type Shop @key(fields: "id") { id: ID! }',
    "ratings": 'type Shop @key(fields: "id") { id: ID! rating: Int }',
}
LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"]) '
HEADER = "x-crossdock-deadline-ms"
LATENCY_S = 0.03


class Subgraphs:
    """Answer after a moment, and keep what they were told."""

    def __init__(self) -> None:
        self.told: dict[str, list[str | None]] = {"shops": [], "ratings": []}
        self.failures = 0

    def app(self, name: str, answer: bytes) -> Any:
        async def serve(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return
            headers = [value.decode() for key, value in scope["headers"] if key.decode() in {HEADER, "x-left"}]
            self.told[name] += headers or [None]
            assert len(headers) < 2
            await asyncio.sleep(LATENCY_S)
            status = 200
            if self.failures:
                self.failures -= 1
                status = 503
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": answer})

        return serve


@asynccontextmanager
async def asked(**sections: Any):
    subgraphs = Subgraphs()
    shops = subgraphs.app("shops", b'{"data":{"shop":{"__typename":"Shop","id":"1"}}}')
    ratings = subgraphs.app("ratings", b'{"data":{"_entities":[{"rating":5}]}}')
    async with serve_asgi(shops) as first, serve_asgi(ratings) as second:
        urls = {"shops": first, "ratings": second}
        sources = [SubgraphSource(name=name, url=urls[name], sdl=LINK + sdl) for name, sdl in SDL.items()]
        sdl = str(compose_or_raise(sources).supergraph)
        async with (
            build_gateway(sdl, settings=settings_from(sections, {})) as gateway,
            serve_asgi(gateway.asgi) as address,
            httpx.AsyncClient(base_url=address, timeout=30) as client,
        ):

            async def ask(**headers: str) -> Any:
                headers = {name.replace("_", "-"): value for name, value in headers.items()}
                return (await client.post("/graphql", json={"query": "{ shop { rating } }"}, headers=headers)).json()

            yield ask, subgraphs


async def test_what_is_left_shrinks_from_one_request_to_the_next():
    async with asked(traffic={"operation_timeout": "20s"}) as (ask, subgraphs):
        assert await ask() == {"data": {"shop": {"rating": 5}}}
    (first,), (second,) = ([int(told or 0) for told in item] for item in subgraphs.told.values())
    assert first <= 20_000
    assert 0 < second <= first - LATENCY_S * 1000


async def test_a_second_attempt_is_told_what_is_left_then():
    async with asked(traffic={"timeout": "20s"}) as (ask, subgraphs):
        subgraphs.failures = 1
        assert await ask() == {"data": {"shop": {"rating": 5}}}
    first, second = (int(told or 0) for told in subgraphs.told["shops"])
    assert 0 < second <= first - LATENCY_S * 1000
    assert first == 20_000, "the time of one answer, which is shorter than that of the operation"


@pytest.mark.parametrize(
    ("traffic", "told"),
    [
        pytest.param({"deadline_header": None}, [None], id="no header"),
        pytest.param({"deadline_header": "X-Left", "timeout": "20s"}, ["20000"], id="another header"),
    ],
)
async def test_the_header_is_a_setting(traffic, told):
    async with asked(traffic=traffic) as (ask, subgraphs):
        await ask()
    assert subgraphs.told["shops"] == told


@pytest.mark.parametrize(
    ("accepts", "said", "most"),
    [
        pytest.param(True, "5000", 5000, id="less time is taken over"),
        pytest.param(True, "90000", 20_000, id="more time is not"),
        pytest.param(True, "soon", 20_000, id="what is no number says nothing"),
        pytest.param(True, "9" * 40, 20_000, id="a huge number says nothing"),
        pytest.param(False, "5000", 20_000, id="without the setting clients have no say"),
    ],
)
async def test_a_client_can_shorten_the_time_and_not_lengthen_it(accepts, said, most):
    async with asked(traffic={"operation_timeout": "20s", "client_deadline": accepts}) as (ask, subgraphs):
        assert await ask(x_crossdock_deadline_ms=said) == {"data": {"shop": {"rating": 5}}}
    (first,) = (int(told or 0) for told in subgraphs.told["shops"])
    assert most - 5000 < first <= most


async def test_a_client_that_waits_for_nothing_gets_a_timeout():
    async with asked(traffic={"client_deadline": True}) as (ask, subgraphs):
        answer = await ask(x_crossdock_deadline_ms="0")
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["SUBGRAPH_TIMEOUT"]
    assert subgraphs.told["shops"] == []


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        pytest.param({"headers": {"propagate": [HEADER]}}, "the gateway itself tells", id="a rule names the header"),
        pytest.param(
            {"traffic": {"deadline_header": None, "client_deadline": True}}, "name the header", id="no header to read"
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(sections, said):
    with pytest.raises(ConfigError, match=said):
        settings_from(sections, {})

"""Identical subscriptions run once, and no result crosses to somebody who might have got another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from gateway.bootstrap import Gateway, build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.errors import ErrorCode, GatewayError
from gateway.executor import ExecutionResult
from gateway.server.principal import Principal
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.transport.fan_out import Bell
from tests.support.event_log import LOG_SDL, log_supergraph
from tests.support.fake_transport import FakeTransport
from tests.support.feed import Feed

LOG = LOG_SDL.replace("type Change {", 'type Change @key(fields: "eventId") {').replace(
    '["@composeDirective"]', '["@composeDirective", "@key"]'
)
NOTES = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated"])
type Change @key(fields: "eventId") { eventId: ID! note(of: ID): String secret: String @authenticated }
"""
SUPERGRAPH = str(
    compose_or_raise(
        [
            SubgraphSource(name="log", url="http://log.invalid", sdl=LOG),
            SubgraphSource(name="notes", url="http://notes.invalid", sdl=NOTES),
        ]
    ).supergraph
)
NOTED = 'subscription { changed(topic: "t") { n note } }'
BARE = 'subscription { changed(topic: "t") { n } }'
SECRET = 'subscription { changed(topic: "t") { n secret } }'
TICKS = 'subscription { ticked(topic: "t") { n } }'
TICKS_NOTED = 'subscription { ticked(topic: "t") { n note } }'
TOPIC = "subscription($t: String!) { changed(topic: $t) { n note } }"
ARGUED = 'subscription($a: ID) { changed(topic: "t", after: $a) { n note(of: $a) } }'
PUBLIC = {"public_fields": ["Subscription.ticked"]}
ADA, ADA_AGAIN, BOB = Principal("ada", expires_at=9e9), Principal("ada", expires_at=9.1e9), Principal("bob")
ADA_MORE = Principal("ada", frozenset({"more"}))


class World:
    def __init__(self, **subscriptions: Any) -> None:
        self.feed = Feed()
        self.notes = FakeTransport(_note)
        sections = {"identity": {"subgraph_claims": {"key": "k" * 16}}, "traffic": {"share_subgraph_requests": False}}
        settings = settings_from(sections | {"subscriptions": subscriptions}, {})
        self.gateway = build_gateway(SUPERGRAPH, {"log": self.feed, "notes": self.notes}, settings)

    def follow(
        self, query: str, principal: Principal, variables: Any = None, headers: Any = ()
    ) -> AsyncGenerator[ExecutionResult, None]:
        return self.gateway.subscribe(query, variables, None, RequestContext(principal, tuple(headers)))


def _note(request: dict[str, Any]) -> dict[str, Any]:
    many = len(request["variables"]["representations"])
    return {"data": {"_entities": [{"note": "a note", "secret": "s", "__typename": "Change"}] * many}}


async def both(world: World, *streams: AsyncGenerator[ExecutionResult, None]) -> list[ExecutionResult]:
    """Return the first result of each; the event comes once all follow."""
    coming = [asyncio.create_task(anext(stream)) for stream in streams]
    async with asyncio.timeout(30):
        await world.feed.opened(1)
        for _ in range(50):
            await asyncio.sleep(0)
        for stream in world.feed.streams:
            stream.send(1)
        found = await asyncio.gather(*coming)
    for stream in streams:
        await stream.aclose()
    return found


@pytest.mark.parametrize(
    ("query", "who", "settings", "runs"),
    [
        pytest.param(NOTED, (ADA, ADA_AGAIN), {}, 1, id="one principal with two tokens"),
        pytest.param(NOTED, (ADA, BOB), {}, 2, id="two principals"),
        pytest.param(NOTED, (ADA, ADA_MORE), {}, 2, id="one subject with more rights"),
        pytest.param(NOTED, (ADA, ADA), {"share_subgraph_streams": "none"}, 2, id="switched off"),
        pytest.param(TICKS_NOTED, (ADA, ADA), {}, 2, id="not resumable"),
        pytest.param(TICKS_NOTED, (ADA, ADA), PUBLIC, 1, id="public, one principal"),
        pytest.param(TICKS_NOTED, (ADA, BOB), PUBLIC, 2, id="public, but others are asked, two principals"),
    ],
)
async def test_an_event_is_completed_once_for_those_who_could_not_tell(query, who, settings, runs):
    world = World(**settings)
    async with world.gateway:
        found = await both(world, *(world.follow(query, principal) for principal in who))
        assert len(world.notes.requests) == runs
        assert (found[0] is found[1]) is (runs == 1)
        assert found[0].to_dict() == found[1].to_dict()


async def test_a_public_event_that_nobody_else_is_asked_for_is_the_same_for_everybody():
    world = World(**PUBLIC)
    async with world.gateway:
        first, second = await both(world, world.follow(TICKS, ADA), world.follow(TICKS, BOB))
        assert first is second


async def test_one_who_may_not_see_a_field_never_gets_the_result_of_one_who_may():
    world = World(**PUBLIC)
    async with world.gateway:
        query = SECRET.replace("changed", "ticked")
        known, stranger = await both(world, world.follow(query, ADA), world.follow(query, Principal()))
        assert known.data == {"ticked": {"n": 1, "secret": "s"}}
        assert stranger.data == {"ticked": {"n": 1, "secret": None}}
        assert [error["extensions"]["code"] for error in stranger.errors] == ["UNAUTHORIZED_FIELD_OR_TYPE"]


@pytest.mark.parametrize(
    ("query", "variables", "runs"),
    [
        pytest.param(TOPIC, ({"t": "a"}, {"t": "a"}), 1, id="equal"),
        pytest.param(TOPIC, ({"t": "a"}, {"t": "b"}), 2, id="different"),
        pytest.param(ARGUED, ({"a": "e0"}, {"a": "e0"}), 1, id="a cursor that is used elsewhere, equal"),
    ],
)
async def test_other_variables_are_another_subscription(query, variables, runs):
    world = World()
    async with world.gateway:
        await both(world, *(world.follow(query, ADA, given) for given in variables))
        assert len(world.notes.requests) == runs


async def test_other_headers_that_are_passed_on_are_another_subscription():
    world = World()
    async with world.gateway:
        german, french = (world.follow(NOTED, ADA, None, [("accept-language", name)]) for name in ("de", "fr"))
        first, second = await both(world, german, french)
        assert first is not second


async def test_a_cursor_that_says_only_where_to_begin_does_not_keep_clients_apart():
    world = World()
    query = 'subscription($a: ID) { changed(topic: "t", after: $a) { n note } }'
    async with world.gateway, asyncio.timeout(30):
        first = world.follow(query, ADA, {"a": "e0"})
        coming = asyncio.create_task(anext(first))
        (await world.feed.opened(1))[0].send(1, 2)
        assert [(await coming).cursor, (await anext(first)).cursor] == ["e1", "e2"]
        later = world.follow(query, ADA, {"a": "e1"})
        assert (await anext(later)).cursor == "e2"
        world.feed.streams[0].send(3)
        assert await anext(later) is await anext(first)
        assert (len(world.feed.streams), len(world.notes.requests)) == (1, 3)
        await first.aclose()
        await later.aclose()


async def test_a_client_that_is_too_slow_for_the_others_goes_on_by_itself_and_misses_nothing(monkeypatch):
    monkeypatch.setattr("gateway.transport.fan_out.HOLD_UP_S", 0.01)
    feed, settings = Feed(), settings_from({"subscriptions": {"max_waiting_events": 4}}, {})
    async with build_gateway(log_supergraph(), {"log": feed}, settings) as built, asyncio.timeout(30):
        slow, quick = built.subscribe(BARE), built.subscribe(BARE)
        coming = [asyncio.create_task(anext(stream)) for stream in (slow, quick)]
        (await feed.opened(1))[0].send(1)
        assert [(await first).cursor for first in coming] == ["e1", "e1"]
        for number in range(2, 12):
            feed.streams[0].send(number)
            assert (await anext(quick)).cursor == f"e{number}"
        assert [(await anext(slow)).cursor for _ in range(4)] == ["e2", "e3", "e4", "e5"]
        later = asyncio.create_task(anext(slow))
        (await feed.opened(2))[1].send(6)
        assert (await later).cursor == "e6"
        assert b'"_after":"e5"' in feed.streams[1].request.body
        await slow.aclose()
        await quick.aclose()


async def test_a_client_that_is_too_slow_and_cannot_resume_learns_where_it_was_left(monkeypatch):
    monkeypatch.setattr("gateway.transport.fan_out.HOLD_UP_S", 0.01)
    feed = Feed()
    settings = settings_from({"subscriptions": {"max_waiting_events": 4, "share_subgraph_streams": "all"}}, {})
    async with build_gateway(log_supergraph(), {"log": feed}, settings) as built, asyncio.timeout(30):
        slow, quick = built.subscribe(TICKS), built.subscribe(TICKS)
        coming = [asyncio.create_task(anext(stream)) for stream in (slow, quick)]
        (await feed.opened(1))[0].send(1)
        await asyncio.gather(*coming)
        for number in range(2, 12):
            feed.streams[0].send(number)
            await anext(quick)
        found = [(await anext(slow)).data for _ in range(4)]
        assert found == [{"ticked": {"n": number}} for number in range(2, 6)]
        with pytest.raises(GatewayError) as ended:
            await anext(slow)
        assert ended.value.code is ErrorCode.SLOW_CLIENT
        await quick.aclose()


@pytest.mark.parametrize(("query", "told"), [(BARE, {"resumeAfter": "e5"}), (TICKS, {})], ids=["resumable", "not"])
async def test_a_client_that_does_not_read_is_told_after_which_event_to_go_on(query, told):
    feed = Feed()
    settings = settings_from({"subscriptions": {"max_waiting_events": 4, "slow_client_timeout": "20ms"}}, {})
    async with build_gateway(log_supergraph(), {"log": feed}, settings) as built, asyncio.timeout(30):
        client = built.subscribe(query)
        coming = asyncio.create_task(anext(client))
        stream = (await feed.opened(1))[0]
        stream.send(1)
        await coming
        stream.send(*range(2, 12))
        await stream.closed.wait()
        found = [(await anext(client)).data for _ in range(4)]
        with pytest.raises(GatewayError) as ended:
            await anext(client)
    assert [data[next(iter(data))]["n"] for data in found] == [2, 3, 4, 5]
    assert (ended.value.code, ended.value.extensions) == (ErrorCode.SLOW_CLIENT, told)


@asynccontextmanager
async def pushed(gateway: Gateway, feed: Feed, bell: Bell | None = None) -> AsyncIterator[list[Any]]:
    """Yield two clients of one stream that has begun; the second one's wakes ring the bell."""
    bell = bell or Bell()
    request, context = GraphQLRequest(BARE), RequestContext()
    pipeline = gateway._pipeline
    prepared = await pipeline.open(request, context)
    clients = [pipeline.subscription(prepared, request, context, wake) for wake in (Bell().ring, bell.ring)]
    for client in clients:
        await client.start()
    await feed.opened(1)
    yield clients
    for client in clients:
        await client.aclose()


async def test_a_result_is_written_once_for_all_clients_of_a_protocol():
    feed, bell, written = Feed(), Bell(), []

    def render(result: ExecutionResult) -> bytes:
        written.append(result)
        return orjson.dumps(result.data)

    async with build_gateway(log_supergraph(), {"log": feed}) as built, pushed(built, feed, bell) as clients:
        feed.streams[0].send(1)
        async with asyncio.timeout(30):
            await bell.wait()
        texts = [event.write(render) for client in clients for event in client.take()]
        assert texts == [b'{"changed":{"n":1}}'] * 2
        assert len(written) == 1


async def test_a_graph_is_left_when_the_last_of_those_who_share_has_left():
    feed = Feed()
    async with build_gateway(log_supergraph(), {"log": feed}) as built:
        async with pushed(built, feed) as clients:
            graph = built._pipeline._preparer.graph
            assert graph.running == 2
            clients[0].close()
            assert graph.running == 1
            assert not feed.streams[0].closed.is_set()
        assert graph.running == 0
        assert feed.streams[0].closed.is_set()

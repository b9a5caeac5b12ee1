"""Many clients of one gateway, one stream from the subgraph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.bootstrap import Gateway, build_gateway
from gateway.config import settings_from
from gateway.errors import ConfigError, ErrorCode, StreamBroken
from gateway.executor import ExecutionResult
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from tests.support.event_log import log_supergraph
from tests.support.feed import Feed

FOLLOW = 'subscription { changed(topic: "t") { n } }'
TICKS = 'subscription { ticked(topic: "t") { n } }'
KEY = {"subgraph_claims": {"key": "k" * 16}}
PUBLIC = {"public_fields": ["Subscription.ticked"]}
ADA, ADA_AGAIN, BOB = Principal("ada", expires_at=9e9), Principal("ada", expires_at=9.1e9), Principal("bob")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.executor.resumption.FIRST_PAUSE_S", 0.001)


@asynccontextmanager
async def gateway(feed: Feed, **subscriptions: Any) -> AsyncIterator[Gateway]:
    settings = settings_from({"identity": KEY, "subscriptions": subscriptions}, {})
    async with asyncio.timeout(20), build_gateway(log_supergraph(), {"log": feed}, settings) as built:
        yield built


def follow(built: Gateway, query: str, principal: Principal) -> AsyncGenerator[ExecutionResult, None]:
    return built.subscribe(query, context=RequestContext(principal))


async def firsts(feed: Feed, streams: list[AsyncGenerator[ExecutionResult, None]]) -> list[ExecutionResult]:
    """Return the first result of each stream; the event comes once all have asked."""
    coming = [asyncio.create_task(anext(stream)) for stream in streams]
    await feed.opened(1)
    for _ in range(50):
        await asyncio.sleep(0)
    for stream in feed.streams:
        stream.send(1)
    return await asyncio.gather(*coming)


@pytest.mark.parametrize(
    ("query", "who", "settings", "streams"),
    [
        pytest.param(FOLLOW, (ADA, ADA_AGAIN), {}, 1, id="resumable, one principal with two tokens"),
        pytest.param(FOLLOW, (ADA, BOB), {}, 2, id="resumable, two principals"),
        pytest.param(FOLLOW, (ADA, ADA), {"share_subgraph_streams": "none"}, 2, id="switched off"),
        pytest.param(TICKS, (ADA, ADA), {}, 2, id="not resumable"),
        pytest.param(TICKS, (ADA, ADA), {"share_subgraph_streams": "all"}, 1, id="not resumable, all are shared"),
        pytest.param(TICKS, (ADA, BOB), {"share_subgraph_streams": "all"}, 2, id="all are shared, two principals"),
        pytest.param(TICKS, (ADA, BOB), PUBLIC, 1, id="public"),
        pytest.param(FOLLOW, (ADA, BOB), PUBLIC, 2, id="another field is public"),
    ],
)
async def test_clients_share_a_stream_where_that_is_safe(query, who, settings, streams):
    feed = Feed()
    async with gateway(feed, **settings) as built:
        followed = [follow(built, query, principal) for principal in who]
        found = await firsts(feed, followed)
        assert len(feed.streams) == streams
        assert found[0].to_dict() == found[1].to_dict()
        for stream in followed:
            await stream.aclose()
        assert all(stream.closed.is_set() for stream in feed.streams)


async def test_the_subgraph_of_a_public_field_is_not_told_who_asks():
    feed = Feed()
    async with gateway(feed, **PUBLIC) as built:
        followed = [follow(built, TICKS, ADA), follow(built, FOLLOW, ADA)]
        await firsts(feed, followed)
        names = [[name for name, _ in stream.request.headers] for stream in feed.streams]
        assert names == [[], ["crossdock-claims"]]
        for stream in followed:
            await stream.aclose()


async def test_a_shared_stream_that_breaks_is_taken_up_once_for_all_its_clients():
    feed = Feed()
    async with gateway(feed) as built:
        followed = [follow(built, FOLLOW, ADA) for _ in range(3)]
        await firsts(feed, followed)
        coming = [asyncio.create_task(anext(stream)) for stream in followed]
        feed.streams[0].end(StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, "broke", subgraph="log"))
        await feed.opened(2)
        feed.streams[1].send(2)
        assert [(await result).cursor for result in coming] == ["e2"] * 3
        assert len(feed.streams) == 2
        assert b'"_after":"e1"' in feed.streams[1].request.body
        for stream in followed:
            await stream.aclose()


def test_a_public_field_that_the_supergraph_lacks_is_refused_at_start():
    settings = settings_from({"subscriptions": {"public_fields": ["Subscription.tickd"]}}, {})
    with pytest.raises(ConfigError, match=r"Subscription\.tickd is no subscription.*Subscription\.ticked"):
        build_gateway(log_supergraph(), {"log": Feed()}, settings)

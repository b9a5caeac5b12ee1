"""Subscriptions that go on after a break: every event once and in order, or a typed notice that some are missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import httpx
import orjson
import pytest

from gateway.bootstrap import Gateway, build_gateway
from gateway.config import settings_from
from gateway.errors import RequestError, SupergraphError
from gateway.executor import ExecutionResult
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from tests.support.event_log import LOG_SDL, LogTransport, log_supergraph
from tests.support.feed import Feed
from tests.support.log_subgraph import LogSubgraph
from tests.support.serving import serve_asgi

FOLLOW = 'subscription { changed(topic: "t") { n } }'


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.executor.resumption.FIRST_PAUSE_S", 0.001)


@asynccontextmanager
async def gateway(log: Any, **sections: Any) -> AsyncIterator[Gateway]:
    built = build_gateway(log_supergraph(), {"log": log}, settings_from(sections, {}))
    async with built:
        yield built


async def results(log: Any, query: str = FOLLOW, variables: Any = None, **sections: Any) -> list[ExecutionResult]:
    async with asyncio.timeout(10), gateway(log, **sections) as built:
        return [result async for result in built.subscribe(query, variables)]


def numbers(found: list[ExecutionResult], field: str = "changed") -> list[int]:
    return [result.data[field]["n"] for result in found if result.data]


def code(result: ExecutionResult) -> str:
    return str(result.errors[0]["extensions"]["code"])


@pytest.mark.parametrize(
    ("breaks", "after"),
    [
        pytest.param([], [None], id="no break"),
        pytest.param(["e1", "e4"], [None, "e1", "e4"], id="two breaks"),
        pytest.param(["e2", None, None, "e3"], [None, "e2", "e2", "e2", "e3"], id="breaks before the first event"),
    ],
)
async def test_a_broken_stream_goes_on_after_the_last_event(breaks, after):
    log = LogTransport(5, breaks)
    found = await results(log)
    assert numbers(found) == [1, 2, 3, 4, 5]
    assert [result.to_dict() for result in found] == [{"data": {"changed": {"n": n}}} for n in range(1, 6)]
    assert [result.cursor for result in found] == ["e1", "e2", "e3", "e4", "e5"]
    assert log.after == after


async def test_a_subgraph_that_cannot_be_reached_for_a_while_is_asked_again():
    log = LogTransport(3, ["e2"])
    async with asyncio.timeout(10), gateway(log) as built:
        stream = built.subscribe(FOLLOW)
        found = [await anext(stream)]
        log.refusals = 4
        found += [result async for result in stream]
    assert numbers(found) == [1, 2, 3]


async def test_an_event_that_the_subgraph_repeats_is_shown_once():
    log = LogTransport(3, ["e2"])
    log.repeats_the_cursor = True
    assert numbers(await results(log)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        pytest.param('subscription { changed(topic: "t", after: "e3") { n } }', None, id="a literal"),
        pytest.param(
            "subscription($a: ID, $t: String!) { changed(topic: $t, after: $a) { n } }",
            {"a": "e3", "t": "t"},
            id="a variable",
        ),
        pytest.param(
            'subscription($a: ID = "e3") { changed(topic: "t", after: $a) { n } }', None, id="a variable's default"
        ),
    ],
)
async def test_the_cursor_that_the_client_gives_is_the_first_one(query, variables):
    log = LogTransport(5, ["e4"])
    assert numbers(await results(log, query, variables)) == [4, 5]
    assert log.after == ["e3", "e4"]


async def test_a_stream_that_stays_broken_ends_with_the_event_after_which_to_go_on():
    log = LogTransport(5, ["e2", *[None] * 500])
    found = await results(log, subscriptions={"resume_for": "20ms"})
    assert numbers(found) == [1, 2]
    assert code(found[-1]) == "SUBSCRIPTION_ENDED"
    assert found[-1].errors[0]["extensions"]["resumeAfter"] == "e2"
    assert found[-1].errors[0]["extensions"]["retryable"] is True


async def test_a_stream_that_cannot_start_says_so_at_once():
    log = LogTransport(5)
    log.refusals = 1
    found = await results(log)
    assert [code(result) for result in found] == ["SUBGRAPH_UNAVAILABLE"]


GAP = {"code": "GAP", "subgraph": "log", "retryable": False}
"""What every gap says: the same request again would lose events, or meet the gap again."""


async def test_a_stream_that_breaks_where_no_event_tells_its_place_is_a_gap():
    found = await results(LogTransport(5, [None]))
    assert [result.errors[0]["extensions"] for result in found] == [GAP]


async def test_a_gap_at_the_subgraph_is_told_and_ends_the_stream():
    log = LogTransport(5, oldest=4)
    found = await results(log, 'subscription { changed(topic: "t", after: "e1") { n } }')
    assert [result.errors[0]["extensions"] for result in found] == [GAP]
    assert log.after == ["e1"]


async def test_a_gap_that_the_subgraph_finds_after_a_break_ends_the_stream_after_its_events():
    log = LogTransport(5, ["e2"])
    async with asyncio.timeout(30), gateway(log) as built:
        stream = built.subscribe(FOLLOW)
        found = [await anext(stream)]
        log.oldest = 5
        found += [result async for result in stream]
    assert numbers(found) == [1, 2]
    assert [result.errors[0]["extensions"] for result in found[2:]] == [GAP]


async def test_a_gap_in_the_middle_of_a_stream_ends_it():
    feed = Feed()
    async with asyncio.timeout(30), gateway(feed) as built:
        stream = built.subscribe(FOLLOW)
        coming = asyncio.create_task(anext(stream))
        source = (await feed.opened(1))[0]
        source.send(1)
        found = [await coming]
        source.put(orjson.dumps({"data": None, "errors": [{"message": "cut short", "extensions": {"code": "GAP"}}]}))
        found += [result async for result in stream]
        await source.closed.wait()
    assert numbers(found) == [1]
    assert [(result.is_fault, result.errors[0]["extensions"]) for result in found[1:]] == [(True, GAP)]


async def test_another_stream_ends_with_a_code_that_says_it_cannot_be_resumed():
    log = LogTransport(5, ["e2"])
    found = await results(log, 'subscription { ticked(topic: "t") { n } }')
    assert numbers(found, "ticked") == [1, 2]
    assert code(found[-1]) == "SUBSCRIPTION_ENDED"
    assert "resumeAfter" not in found[-1].errors[0]["extensions"]


async def test_claims_are_signed_anew_for_each_attempt(monkeypatch):
    signed = count()
    monkeypatch.setattr("gateway.server.claims.ClaimsSigner.header", lambda *_: ("claims", f"signature {next(signed)}"))
    log = LogTransport(3, ["e1", "e2"])
    settings = settings_from({"identity": {"subgraph_claims": {"key": "k" * 16}}}, {})
    async with build_gateway(log_supergraph(), {"log": log}, settings) as built:
        found = [r async for r in built.subscribe(FOLLOW, context=RequestContext(Principal("ada")))]
    assert numbers(found) == [1, 2, 3]
    assert len(set(log.headers)) == 3


@asynccontextmanager
async def served(log: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        gateway(log) as built,
        serve_asgi(built.asgi) as address,
        httpx.AsyncClient(base_url=address, timeout=5) as client,
    ):
        yield client


async def test_events_carry_their_cursor_and_last_event_id_goes_on_after_it():
    async with served(LogTransport(3)) as client:
        headers = {"accept": "text/event-stream"}
        all_ = await client.post("/graphql", json={"query": FOLLOW}, headers=headers)
        later = await client.post("/graphql", json={"query": FOLLOW}, headers={**headers, "last-event-id": "e2"})
        browser = await client.get("/graphql", params={"query": FOLLOW}, headers={**headers, "last-event-id": "e3"})
    assert all_.text.split("\n\n")[1] == 'id: e2\nevent: next\ndata: {"data":{"changed":{"n":2}}}'
    assert [line for line in later.text.split("\n") if line.startswith("id")] == ["id: e3"]
    assert browser.text == "event: complete\ndata:\n\n"


@pytest.mark.parametrize("protocol", ["graphql-transport-ws", "sse", "multipart"])
async def test_a_client_notices_nothing_of_a_subgraph_that_restarts(protocol):
    subgraph = LogSubgraph()
    async with AsyncExitStack() as stack:
        subgraph.append(2)
        address = await subgraph.start()
        stack.push_async_callback(subgraph.stop)
        settings = {"subgraphs": {"log": {"url": f"{address}/graphql", "subscriptions": protocol}}}
        built = await stack.enter_async_context(build_gateway(log_supergraph(), None, settings_from(settings, {})))
        found = []
        async with asyncio.timeout(20):
            stream = built.subscribe('subscription { changed(topic: "t", after: "e0") { eventId n } }')
            for expected in range(1, 8):
                if expected == 3:
                    await subgraph.stop()
                    subgraph.append(2)
                    await subgraph.start()
                if expected == 5:
                    subgraph.append(1)
                if expected == 6:
                    await subgraph.stop()
                    await subgraph.start()
                    subgraph.append(2)
                found.append((await anext(stream)).to_dict())
            await stream.aclose()
    assert found == [{"data": {"changed": {"eventId": f"e{n}", "n": n}}} for n in range(1, 8)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('argument: "after")', 'argument: "since")', "no argument since"),
        ('cursor: "eventId"', 'cursor: "id"', "no field id"),
        (
            "type Query { ready: Boolean }",
            'type Query { ready: Boolean @resumable(cursor: "a", argument: "b") }',
            "only a subscription",
        ),
    ],
)
def test_a_directive_that_names_what_is_not_there_is_refused_at_start(old, new, said):
    assert old in LOG_SDL
    with pytest.raises(SupergraphError, match=said):
        build_gateway(log_supergraph(LOG_SDL.replace(old, new)))


async def test_a_stream_moves_to_the_next_supergraph_after_the_last_event():
    feed = Feed()
    async with asyncio.timeout(30), gateway(feed) as built:
        stream = built.subscribe(FOLLOW)
        coming = asyncio.create_task(anext(stream))
        (await feed.opened(1))[0].send(1, 2)
        found = [await coming, await anext(stream)]
        await built.reload(log_supergraph(LOG_SDL + "\nextend type Query { more: Int }"))
        feed.streams[0].send(3, 4)
        found.append(await anext(stream))
        coming = asyncio.create_task(anext(stream))
        (await feed.opened(2))[1].send(4, 5)
        found += [await coming, await anext(stream)]
        await stream.aclose()
    assert numbers(found) == [1, 2, 3, 4, 5]
    assert b'"_after":"e3"' in feed.streams[1].request.body


async def test_a_stream_that_the_next_supergraph_does_not_have_ends_with_the_reason():
    feed = Feed()
    async with asyncio.timeout(30), gateway(feed) as built:
        stream = built.subscribe(FOLLOW)
        coming = asyncio.create_task(anext(stream))
        (await feed.opened(1))[0].send(1)
        await coming
        await built.reload(log_supergraph(LOG_SDL.replace("changed(", "altered(")))
        feed.streams[0].send(2)
        assert numbers([await anext(stream)]) == [2]
        with pytest.raises(RequestError, match="changed"):
            await anext(stream)


async def test_an_idle_stream_moves_when_the_connections_of_the_old_supergraph_are_closed():
    subgraph = LogSubgraph()
    subgraph.append(2)
    async with AsyncExitStack() as stack:
        address = await subgraph.start()
        stack.push_async_callback(subgraph.stop)
        settings = {"subgraphs": {"log": {"url": f"{address}/graphql"}}, "supergraph": {"drain": "1ms"}}
        built = await stack.enter_async_context(build_gateway(log_supergraph(), None, settings_from(settings, {})))
        async with asyncio.timeout(20):
            stream = built.subscribe('subscription { changed(topic: "t", after: "e0") { n } }')
            found = [await anext(stream), await anext(stream)]
            waiting = asyncio.create_task(anext(stream))
            await built.reload(log_supergraph(LOG_SDL + "\nextend type Query { more: Int }"))
            subgraph.append(1)
            found.append(await waiting)
            subgraph.append(1)
            found.append(await anext(stream))
            await stream.aclose()
    assert numbers(found) == [1, 2, 3, 4]

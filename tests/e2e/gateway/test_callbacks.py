"""Subscriptions whose events a subgraph sends by HTTP callback."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from starlette.responses import JSONResponse

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from gateway.errors import ConfigError
from gateway.executor import ExecutionResult
from gateway.transport.inbox import Inbox
from gateway.transport.ws_messages import StreamFault
from tests.support.callback_subgraph import callback_gateway
from tests.support.event_log import LOG_SDL, log_supergraph

FOLLOW = 'subscription { changed(topic: "t") { n } }'
TICK = 'subscription { ticked(topic: "t") { n } }'


def code(result: ExecutionResult) -> str:
    return str(result.errors[0]["extensions"]["code"])


def n(result: ExecutionResult, field: str = "changed") -> int:
    assert result.data, result.errors
    return int(result.data[field]["n"])


def follow(gateway: Any, query: str = FOLLOW) -> asyncio.Task[list[ExecutionResult]]:
    """Read a subscription to its end in the background."""

    async def read() -> list[ExecutionResult]:
        return [result async for result in gateway.subscribe(query)]

    return asyncio.create_task(read())


async def test_events_arrive_in_order_until_the_subgraph_completes():
    async with asyncio.timeout(30), callback_gateway() as (gateway, subgraph):
        reading = follow(gateway)
        asked = await subgraph.asked()
        assert [await asked.event(number) for number in (1, 2, 3)] == [204, 204, 204]
        assert await asked.tell("complete") == 204
        assert [n(result) for result in await reading] == [1, 2, 3]
        assert await asked.event(4) == 404, "nobody listens any more"


async def test_the_subgraph_is_asked_as_the_protocol_says():
    async with asyncio.timeout(30), callback_gateway(callback={"heartbeat": "7s"}) as (gateway, subgraph):
        reading = follow(gateway)
        asked = await subgraph.asked()
        checked = await asked.post(
            orjson.dumps(
                {
                    "kind": "subscription",
                    "action": "check",
                    "id": asked.terms["subscriptionId"],
                    "verifier": asked.terms["verifier"],
                }
            )
        )
        await asked.tell("complete")
        await reading
    assert asked.headers["accept"].startswith("application/json;callbackSpec=1.0")
    assert asked.headers["subscription-protocol"] == "callback/1.0"
    assert asked.terms.keys() == {"callbackUrl", "subscriptionId", "verifier", "heartbeatIntervalMs"}
    assert asked.terms["callbackUrl"].endswith("/" + asked.terms["subscriptionId"])
    assert asked.terms["heartbeatIntervalMs"] == 7000
    assert len(asked.terms["verifier"]) >= 32
    assert (checked.status_code, checked.content) == (204, b"")
    assert checked.headers["subscription-protocol"] == "callback/1.0"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({}, 204, id="nothing wrong"),
        pytest.param({"verifier": "guessed"}, 403, id="another verifier"),
        pytest.param({"verifier": ""}, 403, id="an empty verifier"),
        pytest.param({"verifier": "ä"}, 403, id="a verifier that is no ASCII"),
        pytest.param({"verifier": None}, 400, id="no verifier"),
        pytest.param({"id": "another"}, 404, id="another subscription"),
        pytest.param({"kind": "query"}, 400, id="another kind"),
        pytest.param({"action": "begin"}, 400, id="an unknown action"),
        pytest.param({"action": "next"}, 400, id="an event without payload"),
        pytest.param({"action": "next", "payload": []}, 400, id="a payload that is no result"),
        pytest.param({"action": "next", "payload": {"data": "x" * 5000}}, 413, id="too large an event"),
    ],
)
async def test_a_message_that_is_not_of_the_subscription_is_refused_and_changes_nothing(change, status):
    async with (
        asyncio.timeout(30),
        callback_gateway(traffic={"max_response_bytes": 4096}) as (gateway, subgraph),
    ):
        reading = follow(gateway)
        asked = await subgraph.asked()
        assert await asked.tell(**{"action": "check", **change}) == status
        assert await asked.event(1) == 204
        await asked.tell("complete")
        assert [n(result) for result in await reading] == [1]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff"], ids=["nothing", "list", "cut", "text", "bytes"])
async def test_a_message_that_is_no_object_is_refused(body):
    async with asyncio.timeout(30), callback_gateway() as (gateway, subgraph):
        reading = follow(gateway)
        asked = await subgraph.asked()
        assert (await asked.post(body)).status_code == 400
        await asked.tell("complete")
        assert await reading == []


async def test_an_address_that_was_never_given_is_not_found():
    async with asyncio.timeout(30), callback_gateway() as (gateway, subgraph):
        reading = follow(gateway)
        asked = await subgraph.asked()
        base, process, subscription = asked.terms["callbackUrl"].rsplit("/", 2)
        for url in (f"{base}/{process}/x", f"{base}/{'0' * 16}/{subscription}", f"{base}/{subscription}"):
            assert (await asked.post(b"{}", url)).status_code == 404
        await asked.tell("complete")
        await reading


async def test_a_failure_of_the_subgraph_reaches_the_client_and_ends_the_stream():
    async with asyncio.timeout(30), callback_gateway() as (gateway, subgraph):
        reading = follow(gateway)
        asked = await subgraph.asked()
        await asked.event(1)
        assert await asked.tell("complete", errors=[{"message": "the log is full"}]) == 204
        first, last = await reading
    assert n(first) == 1
    assert last.errors[0]["message"] == "the log is full"


async def test_without_signs_of_life_a_stream_that_cannot_be_resumed_ends_and_says_so():
    async with asyncio.timeout(30), callback_gateway(callback={"heartbeat": "500ms"}) as (gateway, subgraph):
        reading = follow(gateway, TICK)
        asked = await subgraph.asked()
        await asked.event(1)
        first, last = await reading
        assert n(first, "ticked") == 1
        assert code(last) == "SUBSCRIPTION_ENDED"
        assert "no sign of life for 1 s" in last.errors[0]["message"]
        assert await asked.tell("check") == 404


async def test_without_signs_of_life_a_resumable_stream_is_asked_for_again_after_its_last_event():
    async with asyncio.timeout(30), callback_gateway(callback={"heartbeat": "1s"}) as (gateway, subgraph):
        reading = follow(gateway)
        first = await subgraph.asked(1)
        await first.event(1)
        await first.event(2)
        second = await subgraph.asked(2)
        assert second.after == "e2"
        assert second.terms["subscriptionId"] != first.terms["subscriptionId"]
        assert await first.event(3) == 404
        await second.event(3)
        await second.tell("complete")
        assert [n(result) for result in await reading] == [1, 2, 3]


async def test_signs_of_life_keep_a_quiet_stream():
    async with asyncio.timeout(30), callback_gateway(callback={"heartbeat": "1s"}) as (gateway, subgraph):
        reading = follow(gateway, TICK)
        asked = await subgraph.asked()
        until = asyncio.get_running_loop().time() + 2.5  # longer than two intervals
        while asyncio.get_running_loop().time() < until:
            assert await asked.tell("check") == 204
        await asked.event(1)
        await asked.tell("complete")
        assert [n(result, "ticked") for result in await reading] == [1]


@pytest.mark.parametrize(
    ("answer", "checks_first", "expected", "said"),
    [
        pytest.param(JSONResponse({}, 400), True, "SUBGRAPH_BAD_STATUS", "HTTP status 400", id="a status"),
        pytest.param(
            JSONResponse({"errors": [{"message": "no topic t"}]}), True, "SUBGRAPH_ERROR", "no topic t", id="an error"
        ),
        pytest.param(None, False, "SUBGRAPH_UNAVAILABLE", "callback.public_url", id="no check of the address"),
        pytest.param(
            JSONResponse({}, 500), False, "SUBGRAPH_BAD_STATUS", "callback.public_url", id="a check that failed"
        ),
    ],
)
async def test_a_subscription_that_does_not_start_says_why(answer, checks_first, expected, said):
    async with asyncio.timeout(30), callback_gateway() as (gateway, subgraph):
        subgraph.answer, subgraph.checks_first = answer, checks_first
        (result,) = [result async for result in gateway.subscribe(FOLLOW)]
        asked = await subgraph.asked()
        assert await asked.tell("check") == 404
    assert said in result.errors[0]["message"]
    assert code(result) == expected


async def test_a_client_that_leaves_ends_the_stream_at_the_subgraph():
    async with asyncio.timeout(30), callback_gateway() as (gateway, subgraph):
        stream = gateway.subscribe(TICK)
        first = asyncio.create_task(anext(stream))
        asked = await subgraph.asked()
        await asked.event(1)
        assert n(await first, "ticked") == 1
        await stream.aclose()
        assert await asked.tell("check") == 404


async def test_a_stream_moves_to_the_next_supergraph_after_its_last_event():
    async with asyncio.timeout(30), callback_gateway(supergraph={"drain": "1ms"}) as (gateway, subgraph):
        reading = follow(gateway)
        old = await subgraph.asked(1)
        await old.event(1)
        await gateway.reload(log_supergraph(LOG_SDL + "\nextend type Query { more: Int }"))
        new = await subgraph.asked(2)
        assert new.after == "e1"
        assert await old.event(2) == 404
        await new.event(2)
        await new.tell("complete")
        assert [n(result) for result in await reading] == [1, 2]


async def test_stopping_ends_the_streams_and_takes_no_more_events():
    async with asyncio.timeout(30), callback_gateway() as (gateway, subgraph):
        stream = gateway.subscribe(TICK)
        first = asyncio.create_task(anext(stream))
        asked = await subgraph.asked()
        await asked.event(1)
        assert n(await first, "ticked") == 1
        last = asyncio.create_task(anext(stream))
        await gateway.aclose()
        assert code(await last) == "SUBSCRIPTION_ENDED"
        assert await asked.tell("check") == 404


async def test_a_delivery_waits_while_the_inbox_is_full_and_is_taken_in_order():
    inbox = Inbox(max_waiting=1, heartbeat_s=30)
    assert await inbox.put(b"1")
    waiting = asyncio.create_task(inbox.put(b"2"))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert [await inbox.take(), await waiting, await inbox.take()] == [b"1", True, b"2"]


async def test_deliveries_that_wait_too_long_or_are_too_many_end_the_stream_after_what_came_before():
    late = Inbox(max_waiting=1, heartbeat_s=30, hold_s=0.01)
    assert await late.put(b"1")
    assert not await late.put(b"2")
    many = Inbox(max_waiting=1, heartbeat_s=30)
    assert await many.put(b"1")
    waiting = asyncio.create_task(many.put(b"2"))
    await asyncio.sleep(0)
    assert not await many.put(b"3")
    assert not await waiting
    for inbox, said in ((late, "without being taken"), (many, "more events wait")):
        assert await inbox.take() == b"1"
        with pytest.raises(StreamFault, match=said):
            await inbox.take()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param(
            {"subgraphs": {"a": {"subscriptions": "callback"}}},
            "subgraphs.a.subscriptions.*callback.public_url",
            id="no address",
        ),
        pytest.param({"callback": {"public_url": "gateway:4000"}}, "callback.public_url", id="no http"),
        pytest.param(
            {"callback": {"public_url": "http://g/graphql", "path": "/graphql"}}, "GraphQL endpoint", id="taken path"
        ),
        pytest.param(
            {"server": {"workers": 2}, "callback": {"public_url": "http://g/callback"}},
            "server.workers is 2.*callback.relay",
            id="several workers without a relay",
        ),
        pytest.param(
            {"callback": {"public_url": "http://g/callback", "relay": "redis"}}, 'callback.relay is "redis"', id="redis"
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        settings_from(settings, {})


async def test_the_path_is_not_served_without_the_setting():
    async with build_gateway(log_supergraph("type Query { ready: Boolean }")) as gateway:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(gateway.asgi), base_url="http://gateway")
        assert (await client.post("/callback/a/b", content=b"{}")).status_code == 404
        await client.aclose()

"""Callbacks that reach another process than the one that follows the stream."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.bootstrap import Gateway
from gateway.config import RedisSettings, settings_from
from gateway.server.callback_relay import CallbackRelay
from gateway.transport.callback import Callbacks
from tests.e2e.gateway.test_served import until_ready
from tests.support.callback_subgraph import CallbackSubgraph, Subscription, callback_gateways
from tests.support.event_log import log_supergraph
from tests.support.serving import serve_asgi

FOLLOW = 'subscription { changed(topic: "t") { n } }'
GONE = {"url": "redis://127.0.0.1:9/0", "timeout": "200ms"}


def settings(redis_url: str, relay: str = "redis") -> dict[str, Any]:
    return {"callback": {"relay": relay}, "redis": {"url": redis_url, "timeout": "5s"}}


async def asked_by_first(gateways: list[Gateway], subgraph: CallbackSubgraph) -> tuple[asyncio.Task[Any], Subscription]:
    """Follow a stream at the first gateway, while the second answers at the common address."""
    stream = gateways[0].subscribe(FOLLOW)

    async def read() -> list[Any]:
        return [result.to_dict() async for result in stream]

    while True:  # until both listen at Redis, the address cannot be checked through the other one
        reading = asyncio.create_task(read())
        asking = asyncio.create_task(subgraph.asked())
        await asyncio.wait({reading, asking}, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return reading, asking.result()
        asking.cancel()
        stream = gateways[0].subscribe(FOLLOW)


async def test_events_reach_the_process_that_follows_the_stream(redis_url):
    async with asyncio.timeout(60), callback_gateways(2, **settings(redis_url)) as (gateways, subgraph):
        reading, asked = await asked_by_first(gateways, subgraph)
        assert [await asked.event(number) for number in (1, 2, 3)] == [204, 204, 204]
        assert await asked.tell("check") == 204
        assert await asked.tell("check", verifier="guessed") == 403
        assert await asked.tell("begin") == 400
        assert await asked.tell("complete") == 204
        assert await reading == [{"data": {"changed": {"n": number}}} for number in (1, 2, 3)]
        assert await asked.tell("check") == 404


async def test_a_process_that_does_not_listen_is_not_found(redis_url):
    async with asyncio.timeout(60), callback_gateways(2, **settings(redis_url)) as (gateways, subgraph):
        reading, asked = await asked_by_first(gateways, subgraph)
        base, _, subscription = asked.terms["callbackUrl"].rsplit("/", 2)
        for process in ("0" * 16, "x", "0" * 15 + "*"):
            assert (await asked.post(b"{}", f"{base}/{process}/{subscription}")).status_code == 404
        await asked.tell("complete")
        await reading


async def test_without_a_relay_the_address_of_another_process_does_not_take_events(redis_url):
    async with asyncio.timeout(60), callback_gateways(2, **settings(redis_url, "none")) as (gateways, subgraph):
        (result,) = [result async for result in gateways[0].subscribe(FOLLOW)]
        assert subgraph.subscriptions == []
        assert "HTTP status 400" in result.errors[0]["message"]


async def test_a_relay_begins_with_the_settings_that_want_one(redis_url):
    async with asyncio.timeout(60), callback_gateways(2, **settings(redis_url, "none")) as (gateways, subgraph):
        for gateway in gateways:
            values = gateway.settings.model_dump()
            values["callback"]["relay"] = "redis"
            assert await gateway.change_settings(settings_from(values, {})) == ("callback.relay",)
        reading, asked = await asked_by_first(gateways, subgraph)
        assert await asked.event(1) == 204
        await asked.tell("complete")
        assert await reading == [{"data": {"changed": {"n": 1}}}]


async def test_while_redis_is_gone_a_subgraph_is_told_to_come_back_later():
    async with asyncio.timeout(60), callback_gateways(1, callback={"relay": "redis"}, redis=GONE) as (gateways, _):
        transport = httpx.ASGITransport(gateways[0].asgi)
        url = f"http://gateway/callback/{'0' * 16}/c4a9d1b8-dc57-44ab-9e5a-6e6189b2b945"
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.post(url, content=b"{}")).status_code == 503


async def test_a_relay_listens_again_after_redis_went_away(monkeypatch, redis_url):
    monkeypatch.setattr("gateway.server.callback_relay.PAUSE_S", 0.01)
    relay = CallbackRelay(RedisSettings(url=redis_url), Callbacks())
    failures = 2

    async def listen() -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError("gone")
        await CallbackRelay._listen(relay)

    monkeypatch.setattr(relay, "_listen", listen)
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(30):
        await relay.listens.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await relay.aclose()
    assert failures == 0


async def test_more_messages_than_may_be_under_way_are_refused(monkeypatch, redis_url):
    monkeypatch.setattr("gateway.server.callback_relay.MAX_RELAYED", 0)
    relay = CallbackRelay(RedisSettings(url=redis_url), Callbacks())
    assert await relay.send("0" * 16, "c4a9d1b8-dc57-44ab-9e5a-6e6189b2b945", b"{}") == 503
    await relay.aclose()


@pytest.mark.slow
async def test_two_workers_hand_each_event_to_the_one_that_follows(tmp_path, redis_url):
    subgraph = CallbackSubgraph()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with asyncio.timeout(120), serve_asgi(subgraph.app) as address:
        given = {
            **settings(redis_url),
            "server": {"workers": 2, "port": port},
            "supergraph": {"file": "supergraph.graphql"},
            "subgraphs": {"log": {"url": f"{address}/graphql", "subscriptions": "callback"}},
            "callback": {"public_url": f"http://127.0.0.1:{port}/callback", "relay": "redis", "heartbeat": "60s"},
        }
        (tmp_path / "gateway.yaml").write_text(json.dumps(given))
        (tmp_path / "supergraph.graphql").write_text(log_supergraph())
        command = (sys.executable, "-m", "gateway.cli", "gateway", "--config", "gateway.yaml")
        root = str(Path(__file__).parents[3])
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                await until_ready(process, client)
                assert await follow_over_http(client, subgraph) == list(range(1, 21))
        finally:
            process.terminate()
            await process.wait()
            await subgraph.aclose()


async def follow_over_http(client: httpx.AsyncClient, subgraph: CallbackSubgraph) -> list[int]:
    """Return the numbers of twenty events that a client sees, asking again until both workers listen at Redis."""

    async def send() -> None:
        asked = await subgraph.asked()
        assert [await asked.event(number) for number in range(1, 21)] == [204] * 20
        assert await asked.tell("complete") == 204

    sending = asyncio.create_task(send())
    found: list[int] = []
    while not found:
        headers = {"accept": "text/event-stream"}
        async with client.stream("POST", "/graphql", json={"query": FOLLOW}, headers=headers) as response:
            async for line in response.aiter_lines():
                told = json.loads(line[5:]) if line.startswith("data: {") else {}
                if told.get("data"):
                    found.append(told["data"]["changed"]["n"])
    await sending
    return found

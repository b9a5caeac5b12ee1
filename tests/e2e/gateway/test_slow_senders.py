"""Senders that let a request trickle in are cut; those that are only slow are served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.bootstrap import Gateway, build_gateway
from gateway.config import settings_from
from tests.e2e.gateway.test_reload import answers, compose
from tests.support.serving import serve_asgi

WAIT_S = 30
BODY = json.dumps({"query": "{ a }"}).encode()
HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
WEBSOCKET = (
    b"GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)
IMPATIENT = {"limits": {"head_timeout": "200ms", "body_timeout": "200ms", "min_body_rate": 1_000_000}}
ENDLESS = {"limits": {"head_timeout": "1h", "body_timeout": "1h"}, "server": {"keep_alive": "1h"}}


@dataclass
class Caller:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, Any]:
        """Return status and body of the next answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        return int(head[9:12]), json.loads(await self.reader.readexactly(length))

    async def leave(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def trickle(self, data: bytes) -> None:
        """Send one byte after another until the other side has enough."""
        while not self.reader.at_eof() and not self.reader._buffer:
            try:
                await self.send(data)
            except ConnectionError:
                return
            await asyncio.sleep(0.01)


class Served:
    """A gateway behind its own kind of server."""

    def __init__(self, gateway: Gateway, address: str, stack: AsyncExitStack) -> None:
        self.gateway = gateway
        self.address = address
        self._stack = stack

    async def call(self) -> Caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.address.rpartition(":")[2]))
        self._stack.callback(writer.close)
        return Caller(reader, writer)

    async def metrics(self) -> str:
        async with httpx.AsyncClient(base_url=self.address, timeout=WAIT_S) as client:
            return (await client.get("/metrics")).text


@asynccontextmanager
async def served(**sections: Any) -> AsyncIterator[Served]:
    settings = settings_from({**sections, "telemetry": {"metrics": True}}, {})
    built = build_gateway(compose("type Query { a: Int }"), {"s": answers()}, settings)
    async with (
        asyncio.timeout(WAIT_S),
        serve_asgi(built.asgi, built.connections.protocol) as address,
        AsyncExitStack() as stack,
    ):
        yield Served(built, address, stack)


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        pytest.param(b"POST /graphql HTTP/1.1\r\nx: ", b"y", id="a head"),
        pytest.param(HEAD % 1000, b" ", id="a body"),
        pytest.param(b"\r\n", b"\r\n", id="empty lines before a head"),
    ],
)
async def test_a_sender_that_trickles_is_cut_and_told_why(begins, goes_on):
    async with served(**IMPATIENT) as gateway:
        caller = await gateway.call()
        await caller.send(begins)
        await caller.trickle(goes_on)
        status, body = await caller.answer()
        assert (status, body["errors"][0]["extensions"]["code"]) == (408, "REQUEST_TIMEOUT")
        assert await caller.reader.read() == b""
        assert 'gateway_refused_total{code="REQUEST_TIMEOUT"} 1.0' in await gateway.metrics()


async def test_a_connection_that_asks_nothing_is_closed_without_an_answer():
    async with served(**IMPATIENT) as gateway:
        caller = await gateway.call()
        assert await caller.reader.read() == b""


async def test_a_sender_that_is_slow_but_fair_is_served_beside_one_that_trickles():
    fair = {"limits": {"head_timeout": "10s", "body_timeout": "1s", "min_body_rate": 10}}
    padded = BODY + b" " * 200  # allowed 20 s more at 10 bytes a second
    async with served(**fair) as gateway:
        slow, bad = await gateway.call(), await gateway.call()
        await slow.send(HEAD % len(padded))
        await bad.send(HEAD % len(padded))
        cut = asyncio.create_task(bad.trickle(b""))
        for place in range(0, len(padded), 20):
            await slow.send(padded[place : place + 20])
            await asyncio.sleep(0.1)
        assert await slow.answer() == (200, {"data": {"a": 1}})
        assert (await bad.answer())[0] == 408
        await cut


async def test_a_connection_that_is_kept_serves_one_request_after_another_and_is_closed_when_it_rests():
    async with served(server={"keep_alive": "300ms"}, limits={"head_timeout": "1h", "body_timeout": "1h"}) as gateway:
        caller = await gateway.call()
        for _ in range(3):
            await caller.send(HEAD % len(BODY))
            await caller.send(BODY)
            assert await caller.answer() == (200, {"data": {"a": 1}})
        assert await caller.reader.read() == b""


async def test_two_requests_at_once_are_both_answered():
    async with served(**IMPATIENT) as gateway:
        caller = await gateway.call()
        await caller.send((HEAD % len(BODY) + BODY) * 2)
        assert [await caller.answer() for _ in range(2)] == [(200, {"data": {"a": 1}})] * 2


async def test_a_websocket_is_no_slow_sender():
    async with served(**IMPATIENT) as gateway:
        caller = await gateway.call()
        await caller.send(WEBSOCKET)
        assert b"101" in await caller.reader.readuntil(b"\r\n\r\n")
        await caller.send(b"\x81\x9b\0\0\0\0" + b'{"type":"connection_init" }')
        assert b"connection_ack" in await caller.reader.readexactly(27)
        await asyncio.sleep(0.5)  # longer than any of the times for a sender
        await caller.send(b"\x81\x8f\0\0\0\0" + b'{"type":"ping"}')
        assert b"pong" in await caller.reader.readexactly(17)


async def test_a_request_while_the_gateway_works_on_it_is_not_cut():
    async with served(**IMPATIENT) as gateway:
        transport = gateway.gateway._builder._pools.given["s"]
        transport.gate = asyncio.Event()
        caller = await gateway.call()
        await caller.send(HEAD % len(BODY) + BODY)
        await transport.started.wait()
        await asyncio.sleep(0.5)  # longer than any of the times for a sender
        transport.gate.set()
        assert await caller.answer() == (200, {"data": {"a": 1}})


async def test_one_connection_more_than_allowed_is_refused_and_there_is_room_when_one_ends():
    async with served(**{**ENDLESS, "limits": {**ENDLESS["limits"], "max_connections": 2}}) as gateway:
        first, second, third = [await gateway.call() for _ in range(3)]
        for caller in (first, second):
            await caller.send(HEAD % len(BODY) + BODY)
            assert (await caller.answer())[0] == 200
        await third.send(HEAD % len(BODY) + BODY)
        status, body = await third.answer()
        assert (status, body["errors"][0]["extensions"]["code"]) == (503, "OVERLOADED")
        assert await third.reader.read() == b""
        for caller in (second, third):
            await caller.leave()
        while True:
            again = await gateway.call()
            await again.send(HEAD % len(BODY) + BODY)
            if (await again.answer())[0] == 200:
                break
            await again.leave()


async def test_far_too_many_connections_are_dropped_at_once():
    async with served(**{**ENDLESS, "limits": {**ENDLESS["limits"], "max_connections": 8}}) as gateway:
        callers = [await gateway.call() for _ in range(12)]
        ended = [caller.reader.at_eof() or caller.reader.exception() for caller in callers[:8]]
        assert not any(ended)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await callers[-1].answer()


async def test_other_bounds_hold_for_connections_that_come_after_them():
    async with served(**ENDLESS) as gateway:
        before = await gateway.call()
        await before.send(HEAD % len(BODY) + BODY)
        assert (await before.answer())[0] == 200
        settings = settings_from({**IMPATIENT, "telemetry": {"metrics": True}}, {})
        await gateway.gateway.change_settings(settings)
        after = await gateway.call()
        await after.send(HEAD % 1000)
        assert (await after.answer())[0] == 408
        await before.send(HEAD % len(BODY) + BODY)
        assert (await before.answer())[0] == 200

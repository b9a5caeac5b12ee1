"""Clients that do not read what they asked for: their connections are cut, at once or when the gateway stops."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
import pytest

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from tests.e2e.gateway.test_reload import compose
from tests.e2e.gateway.test_stopping import NEVER, Subgraph, served
from tests.support.fake_transport import FakeTransport
from tests.support.feed import Feed
from tests.support.log_lines import logged
from tests.support.serving import serve_asgi

WAIT_S = 60
SDL = "type Query { big: String ready: Boolean } type Subscription { big: String }"
MUCH = "x" * (12 * 1024 * 1024)
"""More than the buffers of the system hold."""
MOST = 1024 * 1024


class Generous(Subgraph):
    """Answers with much at once, and streams much."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        query = orjson.loads((await receive())["body"])["query"]
        headers = [(b"content-type", b"text/event-stream" if "subscription" in query else b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if "subscription" not in query:
            answer = {"data": {"big": MUCH, "ready": True}}
            await send({"type": "http.response.body", "body": orjson.dumps(answer)})
            return
        event = b"event: next\ndata: " + orjson.dumps({"data": {"big": MUCH[:MOST]}}) + b"\n\n"
        self.asked.release()
        for _ in range(len(MUCH) // MOST):
            await send({"type": "http.response.body", "body": event, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass


class Deaf:
    """A connection whose client reads what it is told to, and no more."""

    def __init__(self, address: str, verify: Any = None) -> None:
        self._where = ("127.0.0.1", int(address.rpartition(":")[2]))
        self._verify = verify if isinstance(verify, ssl.SSLContext) else None
        self.socket = socket.socket()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    async def open(self, request: bytes) -> None:
        await asyncio.to_thread(self._open, request)

    def _open(self, request: bytes) -> None:
        self.socket.settimeout(WAIT_S)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(self._where)
        if self._verify is not None:
            self.socket = self._verify.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.socket.sendall(request)

    async def say(self, data: bytes) -> None:
        await asyncio.to_thread(self.socket.sendall, data)

    async def hear(self, size: int) -> bytes:
        """Return at most so many bytes of what came; nothing when there is an end."""
        return await asyncio.to_thread(self.socket.recv, size)

    async def hear_out(self) -> int:
        """Return how many bytes there are up to the end or the cut."""
        heard = 0
        try:
            while data := await self.hear(MOST):
                heard += len(data)
        except OSError:
            pass
        return heard


def post(query: str, accept: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    head = f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\naccept: {accept}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def events(query: str) -> tuple[bytes, bytes]:
    """Return a request, and what is to be sent after the answer to it has begun."""
    return post(query, "text/event-stream"), b""


def frame(message: Any) -> bytes:
    payload = json.dumps(message).encode()
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + len(payload).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + payload  # a mask of zeros leaves it as it is


def websocket(query: str) -> tuple[bytes, bytes]:
    """Return a request, and what is to be sent after the answer to it has begun."""
    key = base64.b64encode(bytes(16)).decode()
    head = (
        "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        f"sec-websocket-key: {key}\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n"
    )
    subscribe = {"id": "1", "type": "subscribe", "payload": {"query": query}}
    return head.encode(), frame({"type": "connection_init"}) + frame(subscribe)


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("ask", [events, websocket])
async def test_a_stream_that_nobody_reads_does_not_hold_up_the_end(
    tmp_path: Path, ask: Callable[[str], tuple[bytes, bytes]], tls: bool
) -> None:
    async with served(tmp_path, tls=tls, subgraph=Generous(), sdl=SDL, stop_timeout=NEVER) as gateway:
        with Deaf(gateway.address, gateway.verify) as client:
            request, more = ask("subscription { big }")
            await client.open(request)
            assert await client.hear(10)
            await client.say(more)
            await gateway.subgraph.asked.acquire()
            gateway.stop()
            await gateway.end()


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_an_answer_that_nobody_reads_is_cut_when_the_time_to_stop_is_over(tmp_path: Path, tls: bool) -> None:
    async with served(tmp_path, tls=tls, subgraph=Generous(), sdl=SDL, stop_timeout="2s") as gateway:
        with Deaf(gateway.address, gateway.verify) as client:
            await client.open(post("{ big }", "application/json"))
            assert await client.hear(10)
            gateway.stop()
            await gateway.end()
            assert await client.hear_out() < len(MUCH)


@pytest.mark.slow
async def test_a_client_that_reads_on_gets_the_whole_answer_of_a_gateway_that_stops(tmp_path: Path) -> None:
    async with served(tmp_path, subgraph=Generous(), sdl=SDL, stop_timeout=NEVER) as gateway:
        with Deaf(gateway.address, gateway.verify) as client:
            await client.open(post("{ big }", "application/json"))
            heard = len(await client.hear(10))
            gateway.stop()
            heard += await client.hear_out()
            assert heard > len(MUCH)
            await gateway.end()


async def test_a_stream_that_is_cut_is_told_in_our_words_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    feed, lines = Feed(), list[Any]()
    settings = settings_from({"subscriptions": {"max_waiting_events": 2, "slow_client_timeout": "50ms"}}, {})
    built = build_gateway(compose(SDL), {"s": feed}, settings)
    async with asyncio.timeout(WAIT_S), built, serve_asgi(built.asgi, built.connections.protocol) as address:
        with Deaf(address) as client, logged() as log:
            logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
            monkeypatch.setattr(logging.getLogger("uvicorn"), "propagate", True)
            await client.open(events("subscription { big }")[0])
            assert await client.hear(10)
            source = (await feed.opened(1))[0]
            for _ in range(30):
                source.put(orjson.dumps({"data": {"big": MUCH[:MOST]}}))
            while not any("cut" in line["event"] for line in lines):
                await asyncio.sleep(0.01)
                lines += log.lines()
    cut = "an answer was cut: its client did not read it, or the gateway stopped"
    assert [(line["level"], line["event"]) for line in lines if "cut" in line["event"]] == [("warning", cut)]
    assert [line for line in lines if line["level"] == "error"] == []


@pytest.mark.parametrize("keeps", ["keep-alive", "close"])
async def test_an_answer_that_nobody_reads_is_cut_after_its_time(keeps: str) -> None:
    values = {"limits": {"answer_timeout": "200ms"}, "telemetry": {"metrics": True}}
    transport = FakeTransport(lambda _: {"data": {"big": MUCH}})
    built = build_gateway(compose("type Query { big: String }"), {"s": transport}, settings_from(values, {}))
    async with asyncio.timeout(WAIT_S), serve_asgi(built.asgi, built.connections.protocol) as address:
        with Deaf(address) as client:
            await client.open(post("{ big }", f"application/json\r\nconnection: {keeps}"))
            assert await client.hear(10)
            async with httpx.AsyncClient(base_url=address, timeout=WAIT_S) as other:
                while 'gateway_refused_total{code="SLOW_CLIENT"} 1.0' not in (await other.get("/metrics")).text:
                    pass
            assert await client.hear_out() < len(MUCH)


async def test_a_client_that_reads_slowly_gets_its_answer() -> None:
    transport = FakeTransport(lambda _: {"data": {"big": MUCH}})
    settings = settings_from({"limits": {"answer_timeout": "500ms"}}, {})
    built = build_gateway(compose("type Query { big: String }"), {"s": transport}, settings)
    async with asyncio.timeout(WAIT_S), serve_asgi(built.asgi, built.connections.protocol) as address:
        with Deaf(address) as client:
            await client.open(post("{ big }", "application/json\r\nconnection: close"))
            assert await client.hear_out() > len(MUCH)


async def test_pongs_for_a_client_that_does_not_read_them_are_not_kept() -> None:
    transport = FakeTransport(lambda _: {"data": {"big": "x"}})
    built = build_gateway(compose("type Query { big: String }"), {"s": transport})
    ping = b"\x89\xfd" + bytes(4) + b"p" * 125
    async with asyncio.timeout(WAIT_S), serve_asgi(built.asgi, built.connections.protocol) as address:
        with Deaf(address) as client:
            await client.open(websocket("{ big }")[0])
            assert await client.hear(10)
            sent = ping * (len(MUCH) // len(ping))
            await client.say(sent + b"\x88\x80" + bytes(4))  # the last frame closes the socket
            assert await client.hear_out() < len(sent) // 2

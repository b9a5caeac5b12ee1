"""A gateway that is asked to stop: what is under way ends as it should, and the process does not wait for the rest."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.exit_codes import INTERRUPTED
from tests.e2e.gateway.test_served import until_ready
from tests.support.certificates import Authority
from tests.support.event_log import LOG_SDL
from tests.support.serving import serve_asgi

pytestmark = pytest.mark.slow

WAIT_S = 120
NEVER = "1h"
"""How long the server waits for requests under way: what has ended in these tests was not waited for."""
ROOT = Path(__file__).parents[3]
EVENTS = {"accept": "text/event-stream"}
PARTS = {"accept": "multipart/mixed;subscriptionSpec=1.0"}
RESUMABLE = 'subscription { changed(topic: "t") { n } }'
PLAIN = 'subscription { ticked(topic: "t") { n } }'


class Subgraph:
    """Streams two events to each subscriber and then nothing; answers queries once it may."""

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        query = orjson.loads(body)["query"]
        if "subscription" not in query:
            self.asked.release()
            await self.may_answer.wait()
            await _start(send, b"application/json")
            key = b"again" if "again" in query else b"ready"
            await send({"type": "http.response.body", "body": b'{"data": {"%b": true}}' % key})
            return
        await _start(send, b"text/event-stream")
        field = "changed" if "changed" in query else "ticked"
        for number in (1, 2):
            event = {"n": number, "eventId": f"e{number}", "_cursor": f"e{number}"}
            data = orjson.dumps({"data": {field: event}})
            content = b"event: next\ndata: " + data + b"\n\n"
            await send({"type": "http.response.body", "body": content, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass


async def _start(send: Any, content_type: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})


class Served:
    """The gateway as a process."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, subgraph: Subgraph, verify: Any) -> None:
        self.process = process
        self.address = address
        self.subgraph = subgraph
        self.verify = verify

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.address, timeout=WAIT_S, verify=self.verify)

    def socket(self) -> connect:
        url = self.address.replace("http", "ws", 1) + "/graphql"
        more = {"ssl": self.verify} if self.address.startswith("https") else {}
        return connect(url, subprotocols=["graphql-transport-ws"], proxy=None, **more)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def end(self, code: int = 0) -> None:
        """Return when the process has ended, with the code that it should."""
        assert await self.process.wait() == code


@asynccontextmanager
async def served(
    folder: Path, *, tls: bool = False, subgraph: Subgraph | None = None, sdl: str = LOG_SDL, **server: Any
) -> AsyncIterator[Served]:
    subgraph = subgraph or Subgraph()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with asyncio.timeout(WAIT_S), serve_asgi(subgraph) as url:
        source = SubgraphSource(name="log", url=url, sdl=sdl)
        supergraph = str(compose_or_raise([source]).supergraph)
        await asyncio.to_thread((folder / "supergraph.graphql").write_text, supergraph)
        verify: Any = True
        if tls:
            authority = Authority(folder, "authority")
            pair = authority.sign("127.0.0.1")
            server["tls"] = {"certificate": str(pair.certificate), "key": str(pair.key)}
            verify = ssl.create_default_context(cafile=str(authority.ca))
        settings = {
            "server": {"port": port, "stop_timeout": NEVER, **server},
            "supergraph": {"file": "supergraph.graphql"},
            "subgraphs": {"log": {"subscriptions": "sse"}},
        }
        await asyncio.to_thread((folder / "gateway.yaml").write_text, json.dumps(settings))
        command = (sys.executable, "-m", "gateway.cli", "gateway", "--config", "gateway.yaml")
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        reading = asyncio.create_task(process.stderr.read())
        try:
            running = Served(process, f"http{'s' if tls else ''}://127.0.0.1:{port}", subgraph, verify)
            async with running.client() as client:
                await until_ready(process, client)
            yield running
            assert process.returncode is not None
            said = await reading
            assert b"Traceback" not in said
            assert b"ASGI callable" not in said
        finally:
            subgraph.may_answer.set()
            if process.returncode is None:
                process.kill()
                await process.wait()
            await reading


class Events:
    """An event stream that is read line by line."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def event(self) -> Any:
        """Return the payload of the next event."""
        async for line in self._lines:
            if line.startswith("data:"):
                return json.loads(line[5:])
        raise AssertionError("the stream has ended")

    async def read(self) -> list[str]:
        """Return the lines up to the end of the stream that say something."""
        return [line async for line in self._lines if line and line != ":"]


async def follow(socket: ClientConnection, query: str) -> None:
    await socket.send(json.dumps({"type": "connection_init"}))
    assert (await receive(socket))["type"] == "connection_ack"
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))


async def receive(socket: ClientConnection) -> Any:
    while (message := json.loads(await socket.recv()))["type"] in {"ping", "ka"}:
        pass
    return message


def stopped(resume_after: str | None) -> Any:
    """Return the extensions of the last result."""
    more = {} if resume_after is None else {"resumeAfter": resume_after}
    return {"code": "STOPPING", "retryable": True, **more}


@pytest.mark.parametrize("workers", [1, 2], ids=["one worker", "two workers"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_streams_end_at_once_and_tell_where_to_resume(tmp_path: Path, workers: int, tls: bool) -> None:
    async with served(tmp_path, tls=tls, workers=workers) as gateway, gateway.client() as client:
        async with (
            client.stream("POST", "/graphql", json={"query": RESUMABLE}, headers=EVENTS) as first,
            client.stream("POST", "/graphql", json={"query": PLAIN}, headers=EVENTS) as second,
            client.stream("POST", "/graphql", json={"query": PLAIN}, headers=PARTS) as third,
            gateway.socket() as socket,
            gateway.socket() as idle,
        ):
            resumable, plain, parts = Events(first), Events(second), Events(third)
            await follow(socket, RESUMABLE.replace('"t"', '"u"'))  # equal ones would share the two events
            for number in (1, 2):
                assert await resumable.event() == {"data": {"changed": {"n": number}}}
                assert await plain.event() == {"data": {"ticked": {"n": number}}}
                assert (await receive(socket))["payload"] == {"data": {"changed": {"n": number}}}
            gateway.stop()
            assert (await resumable.event())["errors"][0]["extensions"] == stopped("e2")
            assert (await plain.event())["errors"][0]["extensions"] == stopped(None)
            assert await resumable.read() == await plain.read() == []  # neither of them is complete
            assert '"STOPPING"' in (found := await parts.read())[-2]
            assert found[-1] == "--graphql--"
            last = await receive(socket)
            assert last["type"] == "next"
            assert last["payload"]["errors"][0]["extensions"] == stopped("e2")
            for each in (socket, idle):
                with pytest.raises(ConnectionClosed) as closed:
                    await receive(each)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
        await gateway.end()


async def test_a_shared_event_stream_ends_with_its_operations(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway, gateway.client() as client:
        token = (await client.put("/graphql")).text
        async with client.stream("GET", "/graphql", params={"token": token}, headers=EVENTS) as response:
            events = Events(response)
            body = {"query": RESUMABLE, "extensions": {"operationId": "a"}}
            started = await client.post("/graphql", json=body, headers={"x-graphql-event-stream-token": token})
            assert started.status_code == 202
            for number in (1, 2):
                assert (await events.event())["payload"] == {"data": {"changed": {"n": number}}}
            gateway.stop()
            last = await events.event()
            assert last["id"] == "a"
            assert last["payload"]["errors"][0]["extensions"] == stopped("e2")
            assert await events.read() == []
        await gateway.end()


async def test_a_query_under_way_is_answered_over_http_and_over_a_socket(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway, gateway.client() as client, gateway.socket() as socket:
        asked = asyncio.create_task(client.post("/graphql", json={"query": "{ ready }"}))
        await follow(socket, "{ again: ready }")
        for _ in range(2):
            await gateway.subgraph.asked.acquire()
        async with client.stream("POST", "/graphql", json={"query": PLAIN}, headers=EVENTS) as response:
            events = Events(response)
            await events.event()
            gateway.stop()
            while "errors" not in await events.event():
                pass
        gateway.subgraph.may_answer.set()
        assert (await asked).json() == {"data": {"ready": True}}
        assert (await receive(socket))["payload"] == {"data": {"again": True}}
        assert (await receive(socket))["type"] == "complete"
        await gateway.end()


async def test_a_query_that_takes_longer_than_the_server_waits_is_told_to_be_repeated(tmp_path: Path) -> None:
    async with served(tmp_path, stop_timeout="1s") as gateway, gateway.client() as client:
        asked = asyncio.create_task(client.post("/graphql", json={"query": "{ ready }"}))
        await gateway.subgraph.asked.acquire()
        gateway.stop()
        answer = await asked
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["errors"][0]["extensions"] == stopped(None)
        await gateway.end()


@pytest.mark.parametrize("workers", [1, 2], ids=["one worker", "two workers"])
async def test_it_says_that_it_is_not_ready_before_anything_ends(tmp_path: Path, workers: int) -> None:
    async with served(tmp_path, workers=workers, stop_notice="1s") as gateway, gateway.client() as client:
        async with client.stream("POST", "/graphql", json={"query": PLAIN}, headers=EVENTS) as response:
            events = Events(response)
            for number in (1, 2):
                assert await events.event() == {"data": {"ticked": {"n": number}}}
            gateway.stop()
            while (answer := await client.get("/health/ready")).status_code == 200:
                pass
            assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
            assert "errors" in await events.event()
        await gateway.end()


@pytest.mark.parametrize("workers", [1, 2], ids=["one worker", "two workers"])
async def test_an_interrupt_ends_streams_too_and_a_second_one_does_not_wait_for_what_is_under_way(
    tmp_path: Path, workers: int
) -> None:
    async with served(tmp_path, workers=workers) as gateway, gateway.client() as client:
        async with client.stream("POST", "/graphql", json={"query": PLAIN}, headers=EVENTS) as response:
            asked = asyncio.create_task(client.post("/graphql", json={"query": "{ ready }"}))
            await gateway.subgraph.asked.acquire()
            gateway.stop(signal.SIGINT)
            events = Events(response)
            while "errors" not in await events.event():
                pass
        gateway.stop(signal.SIGTERM)  # says nothing new
        gateway.stop(signal.SIGINT)
        await gateway.end(INTERRUPTED)
        await asyncio.gather(asked, return_exceptions=True)

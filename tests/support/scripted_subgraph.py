"""An ASGI subgraph that does what the query text says; the far side of the transport contract."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.encodings import pack


class ScriptedSubgraph:
    """Counts what happens so that tests can wait for it."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.stream_ended = asyncio.Event()
        self.release = asyncio.Event()
        self.sent = 0
        self.app = Starlette(
            routes=[
                Route("/graphql", self._http, methods=["POST"]),
                WebSocketRoute("/graphql", self._socket),
            ]
        )

    async def _http(self, request: Request) -> Response:
        body = orjson.loads(await request.body())
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        query = body["query"]
        if "text/event-stream" in request.headers["accept"]:
            return self._events(query)
        if "multipart/mixed" in request.headers["accept"]:
            return self._parts(query)
        match query:
            case "gzip" | "br" | "zstd" as coding:
                content = pack(coding, orjson.dumps({"data": {"text": "x" * 2000}}))
                return Response(content, media_type="application/json", headers={"content-encoding": coding})
            case "large":
                return Response(b'{"data":{"x":"' + b"x" * 200_000 + b'"}}', media_type="application/json")
            case str() if query.endswith(" bytes"):
                head, end = b'{"data":{"x":"', b'"}}'
                size = int(query.removesuffix(" bytes")) - len(head) - len(end)
                return Response(head + b"x" * size + end, media_type="application/json")
            case "large stream":
                return StreamingResponse(_pieces(), media_type="application/json")
            case "redirect":
                return RedirectResponse("/elsewhere")
            case "no content":
                return Response(status_code=204)
            case "failed":
                return Response("oops", status_code=500)
            case "stall":
                await self.release.wait()
            case "crash":
                raise RuntimeError("the subgraph has a bug")
        return JSONResponse({"data": {"query": query}})

    def _events(self, query: str) -> Response:
        async def write():
            try:
                yield b":\n\n"
                for number in range(3):
                    event = b"event: next\r\n" if query == "crlf" else b"event: next\n"
                    yield event + b'data: {"data":{"n":' + str(number).encode() + b"}}\n\n"
                    self.sent += 1
                if query == "forever":
                    await self.release.wait()
                if query == "break":
                    return
                if query == "large":
                    yield b"event: next\ndata: " + b"x" * 200_000
                yield b"event: complete\ndata:\n\n"
            finally:
                self.stream_ended.set()

        if query == "refuse":
            return JSONResponse({"errors": [{"message": "no"}]}, 400)
        return StreamingResponse(write(), media_type="text/event-stream")

    def _parts(self, query: str) -> Response:
        async def write():
            try:
                yield b"\r\n--x y\r\nContent-Type: application/json\r\n\r\n{}\r\n"
                for number in range(3):
                    yield b'--x y\r\nContent-Type: application/json\r\n\r\n{"payload": {"data":{"n":'
                    yield str(number).encode() + b"}}}\r\n"
                    self.sent += 1
                if query == "forever":
                    await self.release.wait()
                if query == "break":
                    return
                if query == "large":
                    yield b'--x y\r\n\r\n{"payload": "' + b"x" * 200_000
                if query == "nonsense":
                    yield b"--x y\r\n\r\n<html>\r\n"
                if query == "fault":
                    yield b'--x y\r\n\r\n{"payload": null, "errors": [{"message": "the router is lost"}]}\r\n'
                yield b"--x y--\r\n"
            finally:
                self.stream_ended.set()

        if query == "refuse":
            return JSONResponse({"errors": [{"message": "no"}]}, 400)
        return StreamingResponse(write(), media_type='multipart/mixed;boundary="x y";subscriptionSpec=1.0')

    async def _socket(self, socket: WebSocket) -> None:
        self.headers.append(dict(socket.headers))
        await socket.accept("graphql-transport-ws")
        try:
            await socket.receive_json()
            await socket.send_json({"type": "ping"})
            await socket.send_json({"type": "connection_ack"})
            query = await self._subscribed(socket)
            await self._push(socket, query)
        except WebSocketDisconnect:
            pass
        finally:
            self.stream_ended.set()

    async def _subscribed(self, socket: WebSocket) -> str:
        while (message := await socket.receive_json())["type"] != "subscribe":
            pass
        self.requests.append(message["payload"])
        return str(message["payload"]["query"])

    async def _push(self, socket: WebSocket, query: str) -> None:
        if query == "refuse":
            await socket.send_json({"id": "1", "type": "error", "payload": [{"message": "no"}]})
            return
        for number in range(3):
            await socket.send_json({"id": "1", "type": "next", "payload": {"data": {"n": number}}})
            self.sent += 1
        match query:
            case "forever":
                await socket.receive_json()
                return
            case "break":
                await socket.close(1011)
                return
            case "nonsense":
                await socket.send_text("<html>")
                await socket.receive_json()
                return
            case "large":
                await socket.send_json({"id": "1", "type": "next", "payload": {"data": "x" * 200_000}})
                await socket.receive_json()
                return
        await socket.send_json({"id": "1", "type": "complete"})


async def _pieces():
    yield b'{"data":{"x":"'
    for _ in range(200):
        yield b"x" * 1000
    yield b'"}}'

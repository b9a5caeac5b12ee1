"""Answers as server-sent events: one request, one stream (graphql-sse, distinct connections mode).

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from gateway.executor import ExecutionResult
from gateway.server.pipeline import error_result

__all__ = ["serve_events"]

_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"vary", b"Accept"),
    (b"x-content-type-options", b"nosniff"),
]
_COMPLETE = b"event: complete\ndata:\n\n"
_HEARTBEAT = b":\n\n"


async def serve_events(
    results: AsyncGenerator[ExecutionResult, None], receive: _Receive, send: _Send, heartbeat_s: float
) -> None:
    """Write each result as a ``next`` event, then ``complete``.

    Nothing is read ahead of what the client has taken. When the client goes away the stream is closed at once. A
    request that cannot start is answered by one event with the errors, since the protocol has no other place for them.
    """
    stream = asyncio.get_running_loop().create_task(_write(results, send, heartbeat_s))
    gone = asyncio.get_running_loop().create_task(_wait_for_disconnect(receive))
    try:
        await asyncio.wait({stream, gone}, return_when=asyncio.FIRST_COMPLETED)
        if stream.done():
            stream.result()
    finally:
        for task in (stream, gone):
            task.cancel()
        await asyncio.gather(stream, gone, return_exceptions=True)


async def _write(results: AsyncGenerator[ExecutionResult, None], send: _Send, heartbeat_s: float) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    async with aclosing(results):
        while True:
            result = await _next(results, send, heartbeat_s)
            if result is None:
                break
            await send(_body(b"event: next\ndata: " + result.to_bytes() + b"\n\n"))
    await send({"type": "http.response.body", "body": _COMPLETE, "more_body": False})


async def _next(
    results: AsyncGenerator[ExecutionResult, None], send: _Send, heartbeat_s: float
) -> ExecutionResult | None:
    """Return the next result, None at the end; writes comments while there is none."""
    waiting = asyncio.ensure_future(anext(results, None))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=heartbeat_s)
            if done:
                return waiting.result()
            await send(_body(_HEARTBEAT))
    except Exception as error:  # noqa: BLE001 - a stream that started can only end with an event that says why
        return error_result(error)
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def _wait_for_disconnect(receive: _Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(content: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": True}

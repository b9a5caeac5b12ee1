"""One HTTP answer that goes on: results are written as they come, in the framing that the client asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.executor import ExecutionResult
from gateway.server.failures import error_result
from gateway.server.streams import Quiet, ResultBuffer, StreamLimits

__all__ = ["Framing", "Receive", "Send", "serve_refusal", "serve_stream", "wait_for_disconnect"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Framing(Generic[R]):
    """How results stand in the body of one answer.

    Attributes:
        content_type: media type of the whole answer.
        start: what comes first, so that the client sees that the stream is open.
        heartbeat: what is written while there is nothing to say; empty when the format knows no sign of life.
        end: what closes the body.
        result: writes one result.
        fault: writes what ended a stream before its time.
        broken_off: what closes the body where the stream is to go on by another connection; None is ``end``.
    """

    content_type: bytes
    start: bytes
    heartbeat: bytes
    end: bytes
    result: Callable[[R], bytes]
    fault: Callable[[ExecutionResult], bytes]
    broken_off: bytes | None = None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers of the answer; caches and proxies must pass each piece on as it comes."""
        return [
            (b"content-type", self.content_type),
            (b"cache-control", b"no-cache, no-transform"),
            (b"x-accel-buffering", b"no"),
            (b"vary", b"Accept, Accept-Encoding"),
            (b"x-content-type-options", b"nosniff"),
        ]


async def serve_stream(
    results: AsyncGenerator[R, None],
    framing: Framing[R],
    receive: Receive,
    send: Send,
    limits: StreamLimits,
) -> None:
    """Write each result, then the end. When the client goes away, or does not take a write, the stream is closed."""
    async with ResultBuffer(results, limits) as buffer:
        watch = asyncio.get_running_loop().create_task(_drop_when_gone(receive, buffer))
        try:
            await _write(buffer, framing, send, limits)
        except TimeoutError:
            return  # the server cuts a connection whose answer is not complete
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def serve_refusal(error: Exception, framing: Framing[R], send: Send, limits: StreamLimits) -> None:
    """Write the reason why there is no stream, as one."""
    async with asyncio.timeout(limits.write_s):
        await send({"type": "http.response.start", "status": 200, "headers": framing.headers})
        body = framing.start + framing.fault(error_result(error)) + framing.end
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def _write(buffer: ResultBuffer[R], framing: Framing[R], send: Send, limits: StreamLimits) -> None:
    async def write(content: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(limits.write_s):
            await send({"type": "http.response.body", "body": content, "more_body": more})

    await send({"type": "http.response.start", "status": 200, "headers": framing.headers})
    if framing.start:
        await write(framing.start)
    while True:
        try:
            result = await buffer.take(is_timed=True)
        except Quiet:
            if framing.heartbeat:
                await write(framing.heartbeat)
            continue
        except Exception as error:  # noqa: BLE001 - a stream that started can only end with a message that says why
            await write(framing.fault(error_result(error)))
            break
        if result is None:
            break
        more = buffer.take_waiting()
        await write(framing.result(result) + b"".join(map(framing.result, more)) if more else framing.result(result))
    await write(framing.end, more=False)


async def _drop_when_gone(receive: Receive, buffer: ResultBuffer[R]) -> None:
    await wait_for_disconnect(receive)
    buffer.drop()


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass

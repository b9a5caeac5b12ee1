"""What waits for a client, and what happens to one that does not read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gateway.errors import ErrorCode, GatewayError
from gateway.executor import ExecutionResult
from gateway.server.http_streams import serve_stream
from gateway.server.incremental import incremental_parts
from gateway.server.multipart import SUBSCRIPTION_PARTS
from gateway.server.negotiate import ResponseKind
from gateway.server.sse import EVENTS
from gateway.server.streams import Quiet, ResultBuffer, StreamLimits


class Source:
    """A stream that counts what was read of it."""

    def __init__(self, many: int, fault: Exception | None = None, *, waits: bool = False) -> None:
        self._many = many
        self._fault = fault
        self._waits = waits
        self.read = 0
        self.closed = asyncio.Event()
        self._moved = asyncio.Event()

    async def results(self) -> AsyncGenerator[ExecutionResult, None]:
        try:
            for number in range(self._many):
                self.read += 1
                self._moved.set()
                yield ExecutionResult({"n": number})
            if self._waits:
                await asyncio.Event().wait()
            if self._fault is not None:
                raise self._fault
        finally:
            self.closed.set()


async def until_read(source: Source, many: int) -> None:
    while source.read < many:
        source._moved.clear()
        await source._moved.wait()


async def numbers(buffer: ResultBuffer) -> list[Any]:
    found = []
    while (result := await buffer.take()) is not None:
        found.append(result.data["n"])
    return found


async def test_a_burst_larger_than_the_buffer_reaches_a_client_that_reads():
    source = Source(1000)
    async with ResultBuffer(source.results(), StreamLimits(4, 5)) as buffer:
        assert await numbers(buffer) == list(range(1000))


async def test_no_more_is_read_than_the_buffer_holds():
    source = Source(1000)
    async with asyncio.timeout(5), ResultBuffer(source.results(), StreamLimits(4, 60)) as buffer:
        await until_read(source, 5)
        for _ in range(100):
            await asyncio.sleep(0)
        assert source.read == 5
        assert (await buffer.take()).data == {"n": 0}
        await until_read(source, 6)
    assert source.closed.is_set()


async def test_a_client_that_does_not_read_loses_the_stream_and_learns_where():
    source = Source(1000)
    async with asyncio.timeout(5), ResultBuffer(source.results(), StreamLimits(4, 0.02)) as buffer:
        await source.closed.wait()
        found = [(await buffer.take()).data["n"] for _ in range(4)]
        assert found == [0, 1, 2, 3]
        with pytest.raises(GatewayError) as caught:
            await buffer.take()
        assert caught.value.code is ErrorCode.SLOW_CLIENT
        assert await buffer.take() is None


async def test_a_fault_comes_after_what_came_before_it():
    async with ResultBuffer(Source(2, ValueError("broken")).results(), StreamLimits()) as buffer:
        assert [(await buffer.take()).data["n"] for _ in range(2)] == [0, 1]
        with pytest.raises(ValueError, match="broken"):
            await buffer.take()


async def test_a_dropped_stream_wakes_whoever_waits():
    source = Source(0, waits=True)
    async with asyncio.timeout(5), ResultBuffer(source.results(), StreamLimits()) as buffer:
        waiting = asyncio.create_task(buffer.take())
        await asyncio.sleep(0)
        buffer.drop()
        assert await waiting is None
        await source.closed.wait()


class Client:
    """The far side of one HTTP answer; stops taking writes after ``reads`` of them."""

    def __init__(self, reads: int | None = None) -> None:
        self._reads = reads
        self.gone = asyncio.Event()
        self.messages: list[Any] = []

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self._reads is not None and len(self.messages) >= self._reads:
            await asyncio.Event().wait()
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


DEFERRED = incremental_parts(ResponseKind.DEFERRED)
FRAMINGS = pytest.mark.parametrize(
    "framing", [EVENTS, SUBSCRIPTION_PARTS, DEFERRED], ids=["events", "parts", "deferred"]
)


@FRAMINGS
async def test_a_client_that_takes_nothing_is_cut_and_its_source_closed(framing):
    client, source = Client(reads=1), Source(3, waits=True)
    async with asyncio.timeout(5):
        await serve_stream(source.results(), framing, client.receive, client.send, StreamLimits(4, 0.02))
    assert source.closed.is_set()
    assert all(message.get("more_body", True) for message in client.messages)


@FRAMINGS
async def test_a_client_that_goes_away_closes_its_source(framing):
    client, source = Client(), Source(1, waits=True)
    served = asyncio.create_task(serve_stream(source.results(), framing, client.receive, client.send, StreamLimits()))
    await until_read(source, 1)
    client.gone.set()
    async with asyncio.timeout(5):
        await served
    assert source.closed.is_set()


@pytest.mark.parametrize(
    ("framing", "expected"),
    [
        pytest.param(
            EVENTS,
            b'event: next\ndata: {"data":{"n":0}}\n\nevent: next\ndata: {"errors":[',
            id="events",
        ),
        pytest.param(
            SUBSCRIPTION_PARTS,
            b'\r\n--graphql\r\ncontent-type: application/json\r\n\r\n{"payload":{"data":{"n":0}}}\r\n--graphql'
            b'\r\ncontent-type: application/json\r\n\r\n{"payload":null,"errors":[',
            id="parts",
        ),
        pytest.param(
            DEFERRED,
            b'\r\n--graphql\r\ncontent-type: application/json\r\n\r\n{"data":{"n":0},"pending":[],"hasNext":true}'
            b'\r\n--graphql\r\ncontent-type: application/json\r\n\r\n{"errors":[',
            id="deferred",
        ),
    ],
)
async def test_a_stream_that_breaks_says_so_before_it_ends(framing, expected, caplog):
    client = Client()
    results = Source(1, ValueError("secret")).results()
    await serve_stream(results, framing, client.receive, client.send, StreamLimits())
    assert client.body.startswith(expected)
    assert b"INTERNAL_ERROR" in client.body
    assert b"secret" not in client.body
    assert client.body.endswith(framing.end)
    assert client.messages[-1]["more_body"] is False


async def test_a_result_of_several_lines_stays_one_event():
    async def results() -> AsyncGenerator[ExecutionResult, None]:
        yield ExecutionResult({}, body=b'{\n  "data": {"a": 1}\r\n}')

    client = Client()
    await serve_stream(results(), EVENTS, client.receive, client.send, StreamLimits())
    assert client.body == b'event: next\ndata: {"data":{"a":1}}\n\nevent: complete\ndata:\n\n'


async def test_the_cursor_of_an_event_is_its_id():
    async def results() -> AsyncGenerator[ExecutionResult, None]:
        yield ExecutionResult({"a": 1}, cursor="e7\n\ndata: forged")

    client = Client()
    await serve_stream(results(), EVENTS, client.receive, client.send, StreamLimits())
    assert client.body.startswith(b'id: e7data: forged\nevent: next\ndata: {"data":{"a":1}}\n\n')


async def test_many_streams_leave_nothing_behind():
    for _ in range(50):
        async with ResultBuffer(Source(3, waits=True).results(), StreamLimits()) as buffer:
            await buffer.take()
    gc.collect()
    assert len(asyncio.all_tasks()) == 1


async def test_results_that_wait_together_are_written_in_one_go():
    client = Client()
    async with asyncio.timeout(5):
        await serve_stream(Source(3).results(), EVENTS, client.receive, client.send, StreamLimits())
    start, events, end = client.messages
    assert events["body"].count(b"event: next") == 3
    assert (start["type"], end["more_body"]) == ("http.response.start", False)


async def test_who_waits_for_a_result_is_told_of_each_pause_and_of_the_end():
    moved = asyncio.Event()

    async def results() -> AsyncGenerator[ExecutionResult, None]:
        yield ExecutionResult({"n": 0})
        await moved.wait()

    buffer = ResultBuffer(results(), StreamLimits(heartbeat_s=0.01))
    async with asyncio.timeout(5), buffer:
        assert await buffer.take(is_timed=True) is not None
        with pytest.raises(Quiet):
            await buffer.take(is_timed=True)
        with pytest.raises(Quiet):
            await buffer.take(is_timed=True)
        moved.set()
        assert await buffer.take(is_timed=True) is None

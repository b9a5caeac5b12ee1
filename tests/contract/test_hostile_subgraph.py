"""Answers of subgraphs that are broken or mean harm: each is a typed failure or an answer within the limits, no hang,
and nothing of it reaches the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import SubgraphHealth
from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse
from gateway.transport.health_probe import HealthProbe
from gateway.transport.http1 import Http1Transport
from gateway.transport.limits import TransportLimits
from tests.support.serving import serve_raw

GOOD = b'{"data":{"is":"good"}}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(GOOD), GOOD)
ASKING = SubgraphRequest(b'{"query":"{n}"}')
MAX_BODY = 1000
PATIENCE_S = 60

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Subgraph:
    """Answers the first request as it is told, then is good."""

    def __init__(self, first: Write) -> None:
        self._first: Write | None = first

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(ASKING.body))
            first, self._first = self._first, None
            if first is not None:
                await first(writer)
            else:
                writer.write(ANSWER)
            await writer.drain()


def saying(text: bytes, *, closes: bool) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        if closes:
            writer.close()

    return write


async def ask_twice(first: Write, timeout_s: float = 30.0) -> tuple[SubgraphResponse | SubgraphError, bytes]:
    """Return what becomes of the first request, and the answer to one after it."""
    async with asyncio.timeout(PATIENCE_S), serve_raw(Subgraph(first)) as address:
        transport = Http1Transport("s", f"{address}/", TransportLimits(timeout_s=30.0, max_body_bytes=MAX_BODY))
        outcome: SubgraphResponse | SubgraphError
        try:
            outcome = await transport.send(replace(ASKING, timeout_s=timeout_s))
        except SubgraphError as error:
            outcome = error
        after = (await transport.send(ASKING)).body
        await transport.aclose()
        return outcome, after


def forever(start: bytes, piece: bytes) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return write


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"", b"x" * 4096, id="no status line"),
        pytest.param(b"HTTP/1.1 200 ", b"x" * 4096, id="a reason without an end"),
        pytest.param(OK, b"y" * 4096, id="a header's name without an end"),
        pytest.param(OK + b"x: ", b"y" * 4096, id="a header's value without an end"),
        pytest.param(OK, b"x: y\r\n" * 700, id="headers without an end"),
        pytest.param(CHUNKED + b"1;", b"y" * 4096, id="a chunk's extension without an end"),
        pytest.param(CHUNKED + b"1\r\n{\r\n0\r\nx: ", b"y" * 4096, id="a trailer without an end"),
        pytest.param(CHUNKED + b"1\r\n{\r\n0\r\n", b"x: y\r\n" * 700, id="trailers without an end"),
        pytest.param(CHUNKED, b"1\r\nx\r\n" * 700, id="chunks without an end"),
        pytest.param(OK + b"\r\n", b"x" * 4096, id="a body without an end"),
    ],
)
async def test_what_has_no_end_is_cut_off_long_before_the_time_is_over(start, piece):
    outcome, after = await ask_twice(forever(start, piece))
    assert isinstance(outcome, SubgraphError)
    assert outcome.code in {ErrorCode.SUBGRAPH_TOO_LARGE, ErrorCode.SUBGRAPH_MALFORMED}
    assert after == GOOD
    probe = "the answer is not HTTP, or too large"
    async with asyncio.timeout(PATIENCE_S):

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await forever(start, piece)(writer)

        async with serve_raw(serve) as address:
            assert await HealthProbe("s", address, SubgraphHealth(timeout=30.0), None).check() == probe


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b"nobody asked for this", id="junk"),
        pytest.param(ANSWER.replace(b"good", b"evil"), id="a second answer"),
        pytest.param(ANSWER.replace(b"good", b"evil")[:-5], id="the start of a second answer"),
        pytest.param(b"HTT", id="a few bytes of a second answer"),
        pytest.param(b"\0" * 100, id="zeros"),
    ],
)
async def test_what_comes_after_an_answer_is_not_taken_for_the_next_one(more):
    outcome, after = await ask_twice(saying(ANSWER + more, closes=False))
    assert isinstance(outcome, SubgraphResponse)
    assert (outcome.body, after) == (GOOD, GOOD)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "MALFORMED", id="upgrade"),
        pytest.param(OK + b"content-length: -1\r\n\r\n", "MALFORMED", id="a negative length"),
        pytest.param(OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}}", "MALFORMED", id="two lengths"),
        pytest.param(OK + b"content-length: " + b"9" * 30 + b"\r\n\r\n", "", id="a length beyond all numbers"),
        pytest.param(OK + b"content-length: 1001\r\n\r\n", "TOO_LARGE", id="a length over the limit"),
        pytest.param(CHUNKED + b"xyz\r\n", "MALFORMED", id="a chunk's size that is no number"),
        pytest.param(CHUNKED + b"f" * 20 + b"\r\n", "MALFORMED", id="a chunk's size beyond all numbers"),
        pytest.param(CHUNKED + b"2\r\n{}xx\r\n0\r\n\r\n", "MALFORMED", id="a chunk longer than its size"),
        pytest.param(CHUNKED + b"2\r\n{}\r\n", "UNAVAILABLE", id="no last chunk"),
        pytest.param(OK + b"content-length: 9\r\n\r\n{}", "UNAVAILABLE", id="a body that is cut off"),
        pytest.param(OK + b"content-encoding: gzip, zip\r\n\r\n{}", "MALFORMED", id="a coding nobody asked for"),
        pytest.param(b"HTTP/9.9 200 OK\r\n\r\n", "MALFORMED", id="another version"),
        pytest.param(b"HTTP/1.1 99999 OK\r\n\r\n", "MALFORMED", id="a status with five digits"),
    ],
)
async def test_a_broken_answer_is_a_typed_failure(text, code):
    outcome, after = await ask_twice(saying(text, closes=True))
    assert isinstance(outcome, SubgraphError)
    assert code in outcome.code
    assert after == GOOD


STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 503 Busy", b"HTTP/1.1 100 Continue", b"HTTP/1.1 204", b"ICE/1"]
)
HEADER = st.sampled_from(
    [
        b"content-type: application/json",
        b"content-length: 5",
        b"content-length: 0",
        b"content-length: 5, 5",
        b"transfer-encoding: chunked",
        b"transfer-encoding: gzip, chunked",
        b"content-encoding: gzip",
        b"content-encoding: br",
        b"connection: close",
        b"connection: upgrade",
        b"upgrade: websocket",
        b"retry-after: -1",
        b"age: soon",
        b": empty",
        b" folded",
        b"no colon",
    ]
) | st.binary(max_size=30)
CHUNK = st.builds(
    lambda size, body: b"%x\r\n%b\r\n" % (size, body), st.integers(0, 20), st.binary(max_size=20)
) | st.sampled_from([b"0\r\n\r\n", b"-1\r\n", b"5;x=y\r\nhello\r\n", b"0\r\nx: y\r\n\r\n"])
MESSAGE = st.builds(
    lambda status, headers, body: b"\r\n".join([status, *headers, b"", b""]) + b"".join(body),
    STATUS,
    st.lists(HEADER, max_size=5),
    st.lists(CHUNK | st.binary(max_size=40), max_size=4),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw messages that are nearly right, cut off or with bytes in between."""
    text = b"".join(draw(st.lists(MESSAGE, min_size=1, max_size=3)))
    at = draw(st.integers(0, len(text)))
    return draw(st.sampled_from([text, text[:at], text[:at] + draw(st.binary(max_size=10)) + text[at:]]))


@settings(max_examples=150, deadline=None)
@given(text=damaged(), closes=st.booleans())
def test_whatever_a_subgraph_sends_ends_in_time_and_touches_nothing_else(text, closes):
    outcome, after = asyncio.run(ask_twice(saying(text, closes=closes), timeout_s=0.1))
    if isinstance(outcome, SubgraphResponse):
        assert len(outcome.body) <= MAX_BODY
        assert 200 <= outcome.status < 1000
    else:
        assert outcome.code.startswith("SUBGRAPH_")
    assert after == GOOD


@settings(max_examples=50, deadline=None)
@given(text=damaged())
def test_whatever_answers_a_probe_is_up_or_told_as_the_reason(text):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    async def probe() -> str | None:
        async with asyncio.timeout(PATIENCE_S), serve_raw(serve) as address:
            return await HealthProbe("s", address, SubgraphHealth(path="/", timeout=30.0), None).check()

    reason = asyncio.run(probe())
    assert reason is None or reason

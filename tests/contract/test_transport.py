"""What every transport promises, run over all of them; what only one has follows below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphTransport
from gateway.transport.dedupe import DedupeTransport
from gateway.transport.graphql_ws import GraphqlWsTransport, websocket_url
from gateway.transport.http import HttpTransport
from gateway.transport.http1 import Http1Transport
from gateway.transport.inprocess import InProcessTransport
from gateway.transport.limits import TransportLimits
from gateway.transport.multipart import MultipartTransport, PartParser
from gateway.transport.registry import TransportRegistry
from gateway.transport.sse import EventParser, SseTransport
from tests.support.fake_transport import FakeTransport
from tests.support.scripted_subgraph import ScriptedSubgraph
from tests.support.serving import serve_asgi, serve_raw

LIMITS = TransportLimits(timeout_s=5, connect_timeout_s=2, max_connections=4, max_body_bytes=50_000)


def asking(query: str, **more: object) -> SubgraphRequest:
    return SubgraphRequest(orjson.dumps({"query": query}), **more)  # type: ignore[arg-type]


@asynccontextmanager
async def connected(kind: str) -> AsyncIterator[tuple[SubgraphTransport, ScriptedSubgraph]]:
    subgraph = ScriptedSubgraph()
    if kind == "in process":
        yield InProcessTransport("s", subgraph.app, LIMITS), subgraph
        return
    async with serve_asgi(subgraph.app) as address:
        url = f"{address}/graphql"
        transport: SubgraphTransport
        if kind == "server-sent events":
            transport = SseTransport("s", url, LIMITS)
        elif kind == "parts of events":
            transport = MultipartTransport("s", url, LIMITS)
        elif kind == "WebSocket":
            transport = GraphqlWsTransport("s", url, LIMITS)
        elif kind == "own HTTP with WebSocket":
            transport = Http1Transport("s", url, LIMITS, GraphqlWsTransport("s", url, LIMITS))
        elif kind == "HTTP with WebSocket":
            transport = HttpTransport("s", url, LIMITS, GraphqlWsTransport("s", url, LIMITS))
        else:
            transport = DedupeTransport(HttpTransport("s", url, LIMITS, SseTransport("s", url, LIMITS)))
        try:
            yield transport, subgraph
        finally:
            subgraph.release.set()
            await transport.aclose()


SENDING = ["in process", "own HTTP with WebSocket", "HTTP with WebSocket", "shared HTTP with server-sent events"]
STREAMING = [*SENDING, "WebSocket", "server-sent events", "parts of events"]


@pytest.mark.parametrize("kind", SENDING)
async def test_a_request_is_answered_with_status_type_and_body(kind):
    async with connected(kind) as (transport, subgraph):
        answer = await transport.send(asking("hello", headers=(("authorization", "Bearer x"),)))
    assert answer.status == 200
    assert answer.content_type.startswith("application/json")
    assert orjson.loads(answer.body) == {"data": {"query": "hello"}}
    assert subgraph.headers[0]["authorization"] == "Bearer x"
    assert subgraph.headers[0]["content-type"] == "application/json"


@pytest.mark.parametrize("kind", SENDING)
@pytest.mark.parametrize(("query", "status"), [("redirect", 307), ("no content", 204), ("failed", 500)])
async def test_any_status_is_an_answer_and_redirects_are_not_followed(kind, query, status):
    async with connected(kind) as (transport, subgraph):
        assert (await transport.send(asking(query))).status == status
    assert len(subgraph.requests) == 1


@pytest.mark.parametrize("kind", SENDING)
@pytest.mark.parametrize("query", ["50001 bytes", "large stream"])
async def test_a_body_at_the_limit_is_read_and_one_above_it_is_refused(kind, query):
    async with connected(kind) as (transport, _):
        assert len((await transport.send(asking("50000 bytes"))).body) == LIMITS.max_body_bytes
        with pytest.raises(SubgraphError) as caught:
            await transport.send(asking(query))
    assert caught.value.code is ErrorCode.SUBGRAPH_TOO_LARGE
    assert caught.value.retryable is False


@pytest.mark.parametrize("kind", SENDING)
async def test_a_late_answer_is_a_timeout(kind):
    async with connected(kind) as (transport, _):
        with pytest.raises(SubgraphError) as caught:
            await transport.send(asking("stall", timeout_s=0.4))
    assert caught.value.code is ErrorCode.SUBGRAPH_TIMEOUT


@pytest.mark.parametrize("kind", SENDING)
async def test_requests_run_side_by_side(kind):
    async with connected(kind) as (transport, subgraph):
        waiting = asyncio.create_task(transport.send(asking("stall")))
        async with asyncio.timeout(3):
            assert (await transport.send(asking("quick"))).status == 200
            subgraph.release.set()
            assert (await waiting).status == 200


@pytest.mark.parametrize("kind", STREAMING)
async def test_a_stream_gives_its_events_in_order_and_ends(kind):
    async with connected(kind) as (transport, _):
        events = [orjson.loads(event) async for event in transport.subscribe(asking("three"))]
    assert events == [{"data": {"n": number}} for number in range(3)]


@pytest.mark.parametrize("kind", STREAMING)
async def test_closing_a_stream_ends_it_at_the_subgraph(kind):
    async with connected(kind) as (transport, subgraph):
        stream = transport.subscribe(asking("forever"))
        await anext(stream)
        await stream.aclose()
        async with asyncio.timeout(3):
            await subgraph.stream_ended.wait()


@pytest.mark.parametrize("kind", STREAMING)
async def test_a_stream_that_breaks_off_is_an_error_after_its_events(kind):
    async with connected(kind) as (transport, _):
        stream = transport.subscribe(asking("break"))
        for number in range(3):
            assert orjson.loads(await anext(stream)) == {"data": {"n": number}}
        with pytest.raises(StreamBroken) as caught:
            await anext(stream)
    assert caught.value.code is ErrorCode.SUBGRAPH_UNAVAILABLE


@pytest.mark.parametrize("kind", STREAMING)
async def test_a_refused_subscription_says_so(kind):
    async with connected(kind) as (transport, _):
        stream = transport.subscribe(asking("refuse"))
        if "events" in kind:
            with pytest.raises(SubgraphError) as caught:
                await anext(stream)
            assert caught.value.http_status_seen == 400
        else:
            assert orjson.loads(await anext(stream))["errors"] == [{"message": "no"}]
        await stream.aclose()


@pytest.mark.parametrize("kind", ["HTTP with WebSocket", "WebSocket", "in process", "parts of events"])
async def test_a_message_that_is_no_json_ends_the_stream(kind):
    async with connected(kind) as (transport, _):
        with pytest.raises(SubgraphError, match="not JSON"):
            _ = [event async for event in transport.subscribe(asking("nonsense"))]


@pytest.mark.parametrize("kind", ["WebSocket", "server-sent events", "parts of events"])
async def test_an_event_over_the_limit_ends_the_stream(kind):
    async with connected(kind) as (transport, _):
        with pytest.raises(SubgraphError):
            _ = [event async for event in transport.subscribe(asking("large"))]


@pytest.mark.parametrize("kind", ["WebSocket", "server-sent events", "parts of events"])
async def test_a_streaming_transport_answers_a_query_with_the_first_result(kind):
    async with connected(kind) as (transport, _):
        assert orjson.loads((await transport.send(asking("three"))).body) == {"data": {"n": 0}}


HTTP = pytest.mark.parametrize("make", [HttpTransport, Http1Transport])


@pytest.mark.parametrize("kind", ["HTTP with WebSocket", "own HTTP with WebSocket"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_compressed_answers_are_unpacked(kind, coding):
    async with connected(kind) as (transport, subgraph):
        body = (await transport.send(asking(coding))).body
    assert len(orjson.loads(body)["data"]["text"]) == 2000
    assert coding in subgraph.headers[0]["accept-encoding"]


async def test_an_application_that_crashes_is_unavailable():
    class Crashing:
        async def __call__(self, scope, receive, send):
            raise RuntimeError("bug")

    with pytest.raises(SubgraphError) as caught:
        await InProcessTransport("s", Crashing()).send(asking("x"))
    assert caught.value.code is ErrorCode.SUBGRAPH_UNAVAILABLE
    with pytest.raises(SubgraphError):
        await anext(InProcessTransport("s", Crashing()).subscribe(asking("x")))


@pytest.mark.parametrize("make", [HttpTransport, Http1Transport, GraphqlWsTransport, SseTransport, MultipartTransport])
async def test_a_subgraph_that_is_not_there_is_unavailable(make):
    transport = make("s", "http://127.0.0.1:9/graphql", LIMITS)
    with pytest.raises(SubgraphError) as caught:
        await transport.send(asking("x"))
    assert caught.value.code is ErrorCode.SUBGRAPH_UNAVAILABLE
    assert caught.value.retryable
    assert not isinstance(caught.value, StreamBroken)
    await transport.aclose()


@HTTP
async def test_a_body_that_stalls_in_the_middle_is_a_timeout(make):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"data":')
        await writer.drain()
        await asyncio.Event().wait()

    async with serve_raw(answer) as address:
        transport = make("s", f"{address}/graphql", TransportLimits(timeout_s=0.4))
        with pytest.raises(SubgraphError) as caught:
            await transport.send(asking("x"))
        await transport.aclose()
    assert caught.value.code is ErrorCode.SUBGRAPH_TIMEOUT


@HTTP
async def test_a_body_that_is_cut_off_is_unavailable(make):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"data":')
        await writer.drain()

    async with serve_raw(answer) as address:
        transport = make("s", f"{address}/graphql", LIMITS)
        with pytest.raises(SubgraphError) as caught:
            await transport.send(asking("x"))
        await transport.aclose()
    assert caught.value.code in {ErrorCode.SUBGRAPH_UNAVAILABLE, ErrorCode.SUBGRAPH_MALFORMED}


@HTTP
async def test_http_without_a_way_for_streams_says_so(make):
    transport = make("s", "http://127.0.0.1:9/", LIMITS)
    with pytest.raises(SubgraphError, match="no way for subscriptions"):
        await anext(transport.subscribe(asking("x")))


ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"data":{}}'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(b"hello\r\n\r\n", ErrorCode.SUBGRAPH_MALFORMED, id="no HTTP"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
            ErrorCode.SUBGRAPH_MALFORMED,
            id="no gzip",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n", ErrorCode.SUBGRAPH_TOO_LARGE, id="headers"
        ),
        pytest.param(b"", ErrorCode.SUBGRAPH_UNAVAILABLE, id="closed at once"),
    ],
)
async def test_own_http_refuses_what_is_no_answer(text, code):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    async with serve_raw(answer) as address:
        transport = Http1Transport("s", f"{address}/graphql", LIMITS)
        with pytest.raises(SubgraphError) as caught:
            await transport.send(asking("x"))
        await transport.aclose()
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("text", "body"),
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER, b'{"data":{}}', id="an interim answer is skipped"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}", id="a body may last until the connection closes"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"{}", id="chunks"
        ),
    ],
)
async def test_own_http_reads_every_framing(text, body):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    async with serve_raw(answer) as address:
        transport = Http1Transport("s", f"{address}/graphql", LIMITS)
        assert (await transport.send(asking("x"))).body == body
        await transport.aclose()


@pytest.mark.parametrize("is_mutation", [False, True], ids=["a query", "a mutation"])
async def test_own_http_sends_a_query_again_when_a_kept_connection_was_closed_and_a_mutation_never(is_mutation):
    seen = 0

    async def answer(reader, writer):
        nonlocal seen
        for _ in range(1 if seen == 0 else 2):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(13)
            seen += 1
            writer.write(ANSWER)
            await writer.drain()
        if seen == 1:
            await reader.readuntil(b"\r\n\r\n")  # the second request arrives, then the connection closes

    async with serve_raw(answer) as address:
        transport = Http1Transport("s", f"{address}/graphql", LIMITS)
        await transport.send(asking("x"))
        if is_mutation:
            with pytest.raises(SubgraphError):
                await transport.send(asking("x", is_mutation=True))
            assert seen == 1
        else:
            assert (await transport.send(asking("x"))).status == 200
            assert seen == 2
        await transport.aclose()


async def test_own_http_does_not_send_a_header_with_a_line_break():
    transport = Http1Transport("s", "http://127.0.0.1:9/", LIMITS)
    with pytest.raises(SubgraphError, match="line break"):
        await transport.send(asking("x", headers=(("authorization", "a\r\nx-admin: 1"),)))


async def test_own_http_waits_for_a_free_connection_no_longer_than_the_timeout():
    limits = TransportLimits(timeout_s=5, max_connections=1)
    subgraph = ScriptedSubgraph()
    async with serve_asgi(subgraph.app) as address:
        transport = Http1Transport("s", f"{address}/graphql", limits)
        first = asyncio.create_task(transport.send(asking("stall")))
        await asyncio.sleep(0)
        with pytest.raises(SubgraphError, match="busy"):
            await transport.send(asking("x", timeout_s=0.1))
        subgraph.release.set()
        assert (await first).status == 200
        assert (await transport.send(asking("x"))).status == 200
        await transport.aclose()


async def test_identical_queries_in_flight_are_sent_once():
    inner = FakeTransport()
    inner.gate = asyncio.Event()
    shared = DedupeTransport(inner)
    waiting = [asyncio.create_task(shared.send(asking("same"))) for _ in range(5)]
    others = [
        asyncio.create_task(shared.send(asking("same", headers=(("authorization", "other"),)))),
        asyncio.create_task(shared.send(asking("another"))),
    ]
    await inner.started.wait()
    inner.gate.set()
    await asyncio.gather(*waiting, *others)
    assert len(inner.seen) == 3
    await shared.send(asking("same"))
    assert len(inner.seen) == 4


async def test_mutations_are_never_shared():
    inner = FakeTransport()
    shared = DedupeTransport(inner)
    await asyncio.gather(*(shared.send(asking("same", is_mutation=True)) for _ in range(3)))
    assert len(inner.seen) == 3


async def test_one_caller_that_gives_up_leaves_the_others_their_answer():
    inner = FakeTransport()
    inner.gate = asyncio.Event()
    shared = DedupeTransport(inner)
    first, second = (asyncio.create_task(shared.send(asking("same"))) for _ in range(2))
    await inner.started.wait()
    first.cancel()
    inner.gate.set()
    assert (await second).status == 200
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_last_caller_that_gives_up_stops_the_request():
    inner = FakeTransport()
    inner.gate = asyncio.Event()
    shared = DedupeTransport(inner)
    only = asyncio.create_task(shared.send(asking("same")))
    await inner.started.wait()
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    inner.gate.set()
    assert (await shared.send(asking("same"))).status == 200
    assert len(inner.seen) == 2


async def test_a_registry_closes_all_even_when_one_fails():
    class Failing(FakeTransport):
        async def aclose(self) -> None:
            raise OSError("busy")

    good = FakeTransport()
    registry = TransportRegistry({"bad": Failing(), "good": good})
    assert list(registry) == ["bad", "good"]
    with pytest.raises(ExceptionGroup):
        await registry.aclose()
    assert good.is_closed


def test_events_are_cut_at_blank_lines_however_they_arrive():
    text = b": hi\n\nevent: next\ndata: a\ndata: b\n\nevent: complete\r\n\r\nid: 3\n\n"
    parser = EventParser(100)
    found = [event for at in range(len(text)) for event in parser.feed(text[at : at + 1])]
    assert found == [("next", "a\nb"), ("complete", "")]


async def test_what_ended_a_stream_of_parts_is_its_last_event():
    async with connected("parts of events") as (transport, _):
        events = [orjson.loads(event) async for event in transport.subscribe(asking("fault"))]
    assert events[3] == {"errors": [{"message": "the router is lost"}]}


PART = b"\r\ncontent-type: application/json\r\n\r\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            b"\r\n--g" + PART + b'{"payload":{"a":1}}\r\n--g' + PART + b"{}\r\n--g" + PART + b'{"data":2}\r\n--g--\r\n',
            id="the delimiter after each part",
        ),
        pytest.param(
            b"--g" + PART + b'{"payload":{"a":1}}\r\n\r\n--g' + PART + b'{"data":2}\r\n\r\n--g--',
            id="no line break before the first delimiter",
        ),
        pytest.param(
            b"--g" + PART + b'{"payload":\r\n{"a":1}\r\n}\r\n--g' + PART + b'{"data":2}\r\n--g--', id="several lines"
        ),
        pytest.param(
            PART + b"{}\r\n--g" + PART + b'{"payload":{"a":1}}\r\n--g' + PART + b'{"data":2}\r\n--g\r\n--g--\r\n',
            id="the delimiter after each part and once more at the end",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_parts_are_cut_however_they_are_written_and_arrive(text, size):
    parser = PartParser("multipart/mixed; boundary=g; subscriptionSpec=1.0", 1000)
    found = [event for at in range(0, len(text), size) for event in parser.feed(text[at : at + size])]
    assert [event and orjson.loads(event) for event in found[:3]] == [{"a": 1}, {"data": 2}, None]


def test_a_part_does_not_wait_for_the_next_delimiter():
    parser = PartParser("multipart/mixed", 1000)
    assert list(parser.feed(b"---" + PART + b'{"payload":{"a":')) == []
    assert list(parser.feed(b"{}")) == []
    assert list(parser.feed(b"}}")) == [b'{"a":{}}']
    assert list(parser.feed(b"\r\n---" + PART + b"{}\r\n-----")) == [None]


@pytest.mark.parametrize(
    ("url", "expected"), [("http://a/b", "ws://a/b"), ("https://a/b", "wss://a/b"), ("ws://a", "ws://a")]
)
def test_websocket_addresses_follow_from_http(url, expected):
    assert websocket_url(url) == expected

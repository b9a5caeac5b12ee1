"""Who shares a stream, what each of its clients gets, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest

from gateway.errors import ErrorCode, RequestError, StreamBroken, SubgraphError
from gateway.transport.base import SharingTerms, SubgraphRequest
from gateway.transport.shared_streams import SharedStreamTransport, StreamCount
from tests.support.feed import Feed

CLAIMS = "claims"
MOST = 8


def cursor_of(event: bytes) -> str | None:
    found: str = orjson.loads(event)["data"]["changed"]["eventId"]
    return found


def request(
    audience: str = "ada", after: str | None = None, *, resumes: bool = True, body: bytes = b"{}", **headers: str
) -> SubgraphRequest:
    terms = SharingTerms(body, audience, after, cursor_of if resumes else None)
    return SubgraphRequest(body, tuple(headers.items()), sharing=terms)


class Following:
    """A client that reads as far as it is told."""

    def __init__(self, stream: AsyncGenerator[bytes, None]) -> None:
        self.stream = stream

    async def take(self, many: int = 1) -> list[int]:
        async with asyncio.timeout(10):
            return [orjson.loads(await anext(self.stream))["data"]["changed"]["n"] for _ in range(many)]

    def start(self) -> asyncio.Task[list[int]]:
        return asyncio.get_running_loop().create_task(self.take())


class World:
    def __init__(self) -> None:
        self.feed = Feed()
        self.count = StreamCount()
        self.transport = SharedStreamTransport("log", self.feed, CLAIMS, MOST, self.count)

    def follow(self, asked: SubgraphRequest) -> Following:
        return Following(self.transport.subscribe(asked))

    async def joined(self, *asked: SubgraphRequest) -> list[Following]:
        """Return clients that have all got event 1 of the streams that they caused."""
        clients = [self.follow(item) for item in asked]
        firsts = [client.start() for client in clients]
        await self.feed.opened(1)
        for _ in range(3):
            await asyncio.sleep(0)  # every client asks before the first event comes
        for stream in self.feed.streams:
            stream.send(1)
        assert await asyncio.gather(*firsts) == [[1]] * len(clients)
        return clients


@pytest.fixture
async def world() -> Any:
    made = World()
    yield made
    await made.transport.aclose()


@pytest.mark.parametrize(
    ("other", "streams"),
    [
        pytest.param(request(), 1, id="the same"),
        pytest.param(request(claims="renewed"), 1, id="claims that were renewed"),
        pytest.param(request("bob"), 2, id="another audience"),
        pytest.param(request(language="de"), 2, id="another header"),
        pytest.param(request(body=b"{ }"), 2, id="another body"),
        pytest.param(request(after="e0"), 2, id="a cursor where the first began without"),
        pytest.param(SubgraphRequest(b"{}"), 2, id="one that is not to be shared"),
    ],
)
async def test_identical_streams_are_one(world, other, streams):
    await world.joined(request(), other)
    assert len(world.feed.streams) == world.count.running == streams


async def test_every_client_gets_every_event_once_and_in_order(world):
    clients = await world.joined(request(), request(), request())
    world.feed.streams[0].send(2, 3, 4)
    assert [await client.take(3) for client in clients] == [[2, 3, 4]] * 3


async def test_the_stream_ends_when_the_last_client_leaves_and_not_before(world):
    first, second = await world.joined(request(), request())
    await first.stream.aclose()
    world.feed.streams[0].send(2)
    assert await second.take() == [2]
    assert not world.feed.streams[0].closed.is_set()
    await second.stream.aclose()
    assert world.feed.streams[0].closed.is_set()
    await asyncio.sleep(0)
    assert world.count.running == 0
    assert world.transport._streams == {}


async def test_a_client_after_the_last_one_has_a_new_stream(world):
    (first,) = await world.joined(request())
    await first.stream.aclose()
    later = world.follow(request())
    taken = later.start()
    (await world.feed.opened(2))[1].send(7)
    assert await taken == [7]


async def test_one_who_joins_later_gets_what_comes_from_then_on(world):
    (first,) = await world.joined(request())
    later = world.follow(request())
    taken = later.start()
    await asyncio.sleep(0)
    world.feed.streams[0].send(2)
    assert await taken == await first.take() == [2]
    assert len(world.feed.streams) == 1


async def test_one_whose_cursor_is_remembered_gets_what_it_lacks_and_then_the_rest(world):
    (first,) = await world.joined(request(after="e0"))
    world.feed.streams[0].send(2, 3)
    assert await first.take(2) == [2, 3]
    later, start = world.follow(request(after="e1")), world.follow(request(after="e0"))
    assert await later.take(2) == [2, 3]
    assert await start.take(3) == [1, 2, 3]
    world.feed.streams[0].send(4)
    assert await later.take() == await start.take() == [4]
    assert len(world.feed.streams) == 1


async def test_one_whose_cursor_is_forgotten_has_a_stream_of_its_own(world):
    (first,) = await world.joined(request(after="e0"))
    for number in range(2, 2 + MOST):
        world.feed.streams[0].send(number)
        assert await first.take() == [number]
    taken = world.follow(request(after="e1")).start()
    (await world.feed.opened(2))[1].send(2)
    assert await taken == [2]


@pytest.mark.parametrize(
    ("resumes", "kind", "code"),
    [(True, StreamBroken, ErrorCode.SUBGRAPH_UNAVAILABLE), (False, RequestError, ErrorCode.SLOW_CLIENT)],
    ids=["one that can resume", "one that cannot"],
)
async def test_a_slow_client_leaves_after_what_waits_and_the_others_go_on(world, resumes, kind, code, monkeypatch):
    monkeypatch.setattr("gateway.transport.fan_out.HOLD_UP_S", 0.01)
    slow, quick = await world.joined(request(resumes=resumes), request(resumes=resumes))
    for number in range(2, 2 * MOST):
        world.feed.streams[0].send(number)
        assert await quick.take() == [number]
    assert await slow.take(MOST) == list(range(2, 2 + MOST))
    with pytest.raises(kind) as ended:
        await slow.take()
    assert ended.value.code == code
    world.feed.streams[0].send(99)
    assert await quick.take() == [99]


async def test_clients_that_are_equally_slow_stay_together_and_nothing_is_lost(world):
    clients = await world.joined(request(), request())
    world.feed.streams[0].send(*range(2, 40))
    found: list[list[int]] = [[], []]
    for _ in range(38):
        for client, got in zip(clients, found, strict=True):
            got.extend(await client.take())
    assert found == [list(range(2, 40))] * 2
    assert len(world.feed.streams) == 1


@pytest.mark.parametrize(
    "error",
    [
        StreamBroken(ErrorCode.SUBGRAPH_UNAVAILABLE, "broke", subgraph="log"),
        SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "refused", subgraph="log"),
    ],
    ids=["it broke", "it was refused"],
)
async def test_the_end_of_the_stream_reaches_everybody_after_what_waits(world, error):
    clients = await world.joined(request(), request())
    world.feed.streams[0].send(2)
    world.feed.streams[0].end(error)
    for client in clients:
        assert await client.take() == [2]
        with pytest.raises(type(error), match=error.message):
            await client.take()


async def test_a_stream_that_the_subgraph_completes_is_complete_for_everybody(world):
    clients = await world.joined(request(), request())
    world.feed.streams[0].end()
    for client in clients:
        with pytest.raises(StopAsyncIteration):
            await client.take()


async def test_closing_ends_the_streams_of_everybody():
    made = World()
    (client,) = await made.joined(request())
    waiting = client.start()
    await asyncio.sleep(0)
    await made.transport.aclose()
    with pytest.raises((StreamBroken, StopAsyncIteration, RuntimeError)):
        await waiting
    assert made.feed.streams[0].closed.is_set()


async def test_a_client_that_catches_up_in_time_stays(world):
    slow, quick = await world.joined(request(), request())
    for number in range(2, 2 + MOST):
        world.feed.streams[0].send(number)
        assert await quick.take() == [number]
    world.feed.streams[0].send(50)
    waiting = quick.start()
    await asyncio.sleep(0)
    assert await slow.take(MOST) == list(range(2, 2 + MOST))
    assert await waiting == await slow.take() == [50]
    assert len(world.feed.streams) == 1


async def test_one_who_drips_cannot_hold_the_others_up_for_ever(world, monkeypatch):
    monkeypatch.setattr("gateway.transport.fan_out.HOLD_UP_S", 0.05)
    slow, quick = await world.joined(request(), request())
    with pytest.raises(StreamBroken):  # noqa: PT012 - one of these steps lets it go
        for number in range(2, 10_000):
            world.feed.streams[0].send(number)
            if number > MOST + 1:
                waiting = quick.start()
                await asyncio.wait({waiting}, timeout=0.01)
                await slow.take()
                await waiting
            else:
                await quick.take()

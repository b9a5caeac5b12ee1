"""One stream for many: when they are woken, what is kept for them, and who is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gateway.transport.fan_out import MAX_WOKEN, Bell, FanOut, FellBehind, Member

MOST = 4


class Source:
    """Gives the numbers that the test puts in."""

    def __init__(self) -> None:
        self._numbers: asyncio.Queue[int] = asyncio.Queue()
        self.read = 0
        self.is_closed = False

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self._numbers.put_nowait(number)

    async def events(self) -> AsyncGenerator[int, None]:
        try:
            while True:
                number = await self._numbers.get()
                self.read += 1
                yield number
        finally:
            self.is_closed = True


class Follower:
    def __init__(self, stream: FanOut[int], after: str | None = None) -> None:
        self.bell = Bell()
        self.wakes = 0
        self.member: Member[int] = stream.join(after, self._wake)

    def _wake(self) -> None:
        self.wakes += 1
        self.bell.ring()

    async def take(self) -> list[int]:
        """Return what is there, once something is."""
        async with asyncio.timeout(30):
            while not (found := self.member.take()):
                await self.bell.wait()
            return found


async def turns(many: int = 5) -> None:
    for _ in range(many):
        await asyncio.sleep(0)


async def test_a_member_takes_all_that_came_since_the_last_time():
    source = Source()
    follower = Follower(FanOut(source.events(), MOST))
    source.put(1, 2, 3)
    assert await follower.take() == [1, 2, 3]
    assert follower.member.take() == []
    source.put(4)
    assert await follower.take() == [4]
    follower.member.leave()


async def test_many_members_are_woken_in_several_turns_of_the_loop_so_that_others_get_theirs():
    source = Source()
    stream = FanOut(source.events(), MOST)
    followers = [Follower(stream) for _ in range(2 * MAX_WOKEN + 1)]
    woken = []
    source.put(1)
    async with asyncio.timeout(30):
        while sum(follower.wakes for follower in followers) < len(followers):
            await asyncio.sleep(0)
            woken.append(sum(follower.wakes for follower in followers))
    steps = [after - before for before, after in zip([0, *woken], woken, strict=False)]
    assert max(steps) <= MAX_WOKEN
    assert [follower.wakes for follower in followers] == [1] * len(followers)
    stream.close(None)


async def test_events_that_come_within_the_pace_wake_nobody_before_it_is_over():
    source = Source()
    stream = FanOut(source.events(), 100, pace_s=1000)
    follower = Follower(stream)
    source.put(0)
    assert await follower.take() == [0]
    source.put(*range(1, 21))
    await turns(100)
    assert (source.read, follower.wakes) == (21, 1)
    stream.close(None)
    assert follower.wakes == 2
    assert follower.member.take() == list(range(1, 21))


async def test_what_comes_while_members_are_being_woken_reaches_those_who_were_woken_before():
    source = Source()
    stream = FanOut(source.events(), MOST)
    followers = [Follower(stream) for _ in range(MAX_WOKEN + 1)]
    source.put(1)
    assert await followers[0].take() == [1]
    source.put(2)
    assert await followers[0].take() == [2]
    assert await followers[-1].take() == [1, 2]
    stream.close(None)


async def test_no_more_is_read_than_may_wait_for_the_slowest():
    source = Source()
    follower = Follower(FanOut(source.events(), MOST))
    source.put(*range(20))
    await turns(50)
    assert source.read == MOST + 1, "one more is held by the reader"
    assert await follower.take() == [0, 1, 2, 3]
    await turns(50)
    assert source.read == 2 * MOST + 1
    follower.member.leave()


async def test_one_that_uses_up_the_patience_gets_what_waited_and_the_source_is_closed():
    source = Source()
    stream = FanOut(source.events(), MOST, patience_s=0.01)
    follower = Follower(stream)
    source.put(*range(20))
    async with asyncio.timeout(30):
        await asyncio.wait({stream.reader})
    assert source.is_closed
    assert follower.member.take() == [0, 1, 2, 3]
    assert follower.member.is_over
    assert isinstance(follower.member.fault, FellBehind)
    assert not follower.member.fault.held_up_others
    assert not stream.takes_in(None)


async def test_one_that_holds_others_up_is_let_go_and_nothing_is_lost_for_them(monkeypatch):
    monkeypatch.setattr("gateway.transport.fan_out.HOLD_UP_S", 0.01)
    source = Source()
    stream = FanOut(source.events(), MOST, patience_s=60)
    slow, quick = Follower(stream), Follower(stream)
    found: list[int] = []
    for number in range(20):
        source.put(number)
        found += await quick.take()
    assert found == list(range(20))
    assert slow.member.take() == [0, 1, 2, 3]
    assert isinstance(slow.member.fault, FellBehind)
    assert slow.member.fault.held_up_others
    quick.member.leave()


async def test_a_stream_of_one_member_keeps_nothing_that_was_taken_where_no_cursor_can_ask_for_it():
    source = Source()
    stream = FanOut(source.events(), MOST)
    follower = Follower(stream)
    for number in range(3 * MOST):
        source.put(number)
        await follower.take()
    assert stream._last == []
    follower.member.leave()


@pytest.mark.parametrize(
    ("after", "lacks"),
    [("9", []), ("8", [9]), ("7", [8, 9]), ("6", None), ("1", None), ("no cursor", None)],
    ids=[
        "the last",
        "the one before",
        "the oldest that is offered",
        "an older one",
        "a very old one",
        "an unknown one",
    ],
)
async def test_who_joins_with_a_cursor_gets_what_it_lacks_or_is_not_taken_in(after, lacks):
    source = Source()
    stream = FanOut(source.events(), MOST, cursor_of=str)
    first = Follower(stream)
    for number in range(10):
        source.put(number)
        await first.take()
    assert stream.takes_in(after) is (lacks is not None)
    if lacks is not None:
        assert Follower(stream, after).member.take() == lacks
    stream.close(None)


async def test_the_end_wakes_everybody_and_comes_after_what_waits():
    source = Source()
    stream = FanOut(source.events(), MOST)
    follower = Follower(stream)
    source.put(1)
    await turns()
    error = ValueError("closed")
    stream.close(error)
    assert not follower.member.is_over
    assert await follower.take() == [1]
    assert follower.member.is_over
    assert follower.member.fault is error
    await stream.closed()
    assert source.is_closed

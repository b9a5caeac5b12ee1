"""What a token allowed ends with it, whatever the clocks do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from gateway.config import TokenIdentity
from gateway.errors import ErrorCode, RequestError
from gateway.executor import ExecutionResult
from gateway.server.expiry import Place, sleep_until_expiry, until_expiry
from gateway.server.principal import Principal
from gateway.server.tokens import TokenReader
from tests.unit.gateway.server.test_tokens import SECRET, token


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Yields events with cursors; ``late`` moves the clock to the end while that event is made."""

    def __init__(self, clock: Clock, late: int | None = None) -> None:
        self._clock = clock
        self._late = late
        self.is_closed = False

    async def __call__(self, *, waits: bool = False) -> AsyncGenerator[ExecutionResult, None]:
        try:
            for number in range(1, 4):
                if number == self._late:
                    self._clock.now += 100
                yield ExecutionResult({"n": number}, cursor=f"e{number}")
            if waits:
                await asyncio.Event().wait()
        finally:
            self.is_closed = True


async def test_results_pass_while_the_token_holds():
    clock = Clock()
    found = [item.data async for item in until_expiry(Source(clock)(), 1100, Place(), clock)]
    assert found == [{"n": 1}, {"n": 2}, {"n": 3}]


async def test_an_event_that_is_complete_too_late_is_dropped_and_the_one_before_it_named():
    clock = Clock()
    source = Source(clock, late=3)
    stream = until_expiry(source(), 1100, Place("e0"), clock)
    assert [(await anext(stream)).cursor, (await anext(stream)).cursor] == ["e1", "e2"]
    with pytest.raises(RequestError) as ended:
        await anext(stream)
    assert (ended.value.code, ended.value.extensions) == (ErrorCode.UNAUTHENTICATED, {"resumeAfter": "e2"})
    assert source.is_closed


async def test_an_idle_stream_ends_at_the_time_and_is_closed_at_its_source():
    clock = Clock()
    source = Source(clock)
    stream = until_expiry(source(waits=True), clock.now + 0.05, Place(), clock)
    for _ in range(3):
        await anext(stream)
    async with asyncio.timeout(5):
        with pytest.raises(RequestError, match="expired"):
            await anext(stream)
    assert source.is_closed


@pytest.mark.parametrize(("place", "told"), [(None, {}), ("e7", {"resumeAfter": "e7"})], ids=["no place", "a place"])
async def test_a_stream_whose_token_has_expired_before_does_not_start(place, told):
    clock = Clock()
    with pytest.raises(RequestError) as ended:
        await anext(until_expiry(Source(clock)(), 999, Place(place), clock))
    assert ended.value.extensions == told


async def test_a_timeout_of_the_source_is_not_taken_for_the_end_of_the_token():
    async def failing() -> AsyncGenerator[ExecutionResult, None]:
        raise TimeoutError("the source")
        yield

    with pytest.raises(TimeoutError, match="the source"):
        await anext(until_expiry(failing(), time.time() + 100, Place()))


async def test_a_sleep_ends_when_the_clock_says_so_and_not_before():
    clock = Clock()

    def ticking() -> float:
        clock.now += 0.02
        return clock.now

    await sleep_until_expiry(clock.now + 0.05, ticking)
    assert clock.now >= 1000.05


@pytest.mark.parametrize(("is_on", "leeway"), [(True, 7.0), (False, 7.0)], ids=["on", "off"])
def test_a_token_says_when_its_subscriptions_end_where_that_is_set(is_on, leeway):
    ends = int(time.time()) + 500
    reader = TokenReader(TokenIdentity(secret=SECRET, leeway=leeway, end_subscriptions=is_on))
    found = reader({"authorization": f"Bearer {token(exp=ends)}"})
    assert isinstance(found, Principal)
    assert found.expires_at == (ends + leeway if is_on else None)


def test_a_renewed_token_makes_nobody_somebody_else():
    assert Principal("ann", expires_at=1.0) == Principal("ann", expires_at=2.0)
    assert hash(Principal("ann", expires_at=1.0)) == hash(Principal("ann"))

"""What a token allowed ends with it, whatever the clocks do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from functools import partial

import pytest

from gateway.bootstrap import build_gateway
from gateway.config import TokenIdentity, settings_from
from gateway.errors import ErrorCode, RequestError
from gateway.executor import ExecutionResult
from gateway.server.expiry import ExpiryAlarm, sleep_until_expiry, until_expiry
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from gateway.server.tokens import TokenReader
from tests.support.event_log import log_supergraph
from tests.support.feed import Feed
from tests.unit.gateway.server.test_tokens import SECRET, token


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Subscriber:
    """A client whose token ends at 1100, on a clock that only the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, expires_at: float = 1100) -> None:
        self.clock = Clock()
        alarm = partial(ExpiryAlarm, clock=self.clock)
        monkeypatch.setattr("gateway.server.subscriptions.ExpiryAlarm", alarm)
        self.feed = Feed()
        self._gateway = build_gateway(log_supergraph(), {"log": self.feed}, settings_from({}, {}))
        self._context = RequestContext(Principal("ada", expires_at=expires_at))

    def follow(self, after: str | None = None) -> AsyncGenerator[ExecutionResult, None]:
        argument = "" if after is None else f', after: "{after}"'
        return self._gateway.subscribe(
            f'subscription {{ changed(topic: "t"{argument}) {{ n }} }}', None, None, self._context
        )

    async def takes(self, stream: AsyncGenerator[ExecutionResult, None], *sent: int) -> list[str | None]:
        """Return the cursors of what came of events that were sent."""
        coming = asyncio.create_task(anext(stream))
        (await self.feed.opened(1))[0].send(*sent)
        return [(await coming).cursor, *[(await anext(stream)).cursor for _ in sent[1:]]]


async def test_results_pass_while_the_token_holds_and_an_event_that_is_complete_too_late_is_dropped(monkeypatch):
    client = Subscriber(monkeypatch)
    stream = client.follow()
    async with asyncio.timeout(30):
        assert await client.takes(stream, 1, 2) == ["e1", "e2"]
        client.clock.now = 1100
        client.feed.streams[0].send(3)
        with pytest.raises(RequestError) as ended:
            await anext(stream)
        assert (ended.value.code, ended.value.extensions) == (ErrorCode.UNAUTHENTICATED, {"resumeAfter": "e2"})
        await client.feed.streams[0].closed.wait()


@pytest.mark.parametrize(("after", "told"), [(None, {}), ("e7", {"resumeAfter": "e7"})], ids=["no place", "a place"])
async def test_a_stream_whose_token_has_expired_before_does_not_start(after, told, monkeypatch):
    client = Subscriber(monkeypatch, expires_at=999)
    async with asyncio.timeout(30):
        with pytest.raises(RequestError) as ended:
            await anext(client.follow(after))
    assert ended.value.extensions == told
    assert not client.feed.streams


async def test_an_alarm_rings_when_the_clock_says_so_and_not_before(monkeypatch):
    monkeypatch.setattr("gateway.server.expiry._LONGEST_SLEEP_S", 0.001)
    clock, rung = Clock(), asyncio.Event()
    looks = 0

    def looked() -> float:
        nonlocal looks
        looks += 1
        clock.now += 1 if looks > 6 else 0
        return clock.now

    alarm = ExpiryAlarm(1001, rung.set, looked)
    async with asyncio.timeout(30):
        await rung.wait()
    assert looks > 6
    assert alarm.is_due


async def test_an_alarm_that_is_stopped_does_not_ring():
    rung: list[bool] = []
    alarm = ExpiryAlarm(0, lambda: rung.append(True))
    alarm.stop()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not rung


async def test_one_result_that_comes_in_time_passes():
    assert await until_expiry(_answer(), time.time() + 100) == await until_expiry(_answer(), None) == 1


@pytest.mark.parametrize("late_s", [0.0, 100.0], ids=["it does not come", "it comes too late"])
async def test_one_result_does_not_outlive_the_token(late_s):
    clock = Clock()

    async def answer() -> int:
        clock.now += late_s
        if not late_s:
            await asyncio.Event().wait()
        return 1

    async with asyncio.timeout(30):
        with pytest.raises(RequestError, match="expired"):
            await until_expiry(answer(), 1000.01, clock)


async def test_a_timeout_of_the_work_is_not_taken_for_the_end_of_the_token():
    async def failing() -> int:
        raise TimeoutError("the source")

    with pytest.raises(TimeoutError, match="the source"):
        await until_expiry(failing(), time.time() + 100)


async def _answer() -> int:
    return 1


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

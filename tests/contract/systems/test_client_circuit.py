"""A system that gives no answers is left alone, and comes back by itself; over real sockets, with a driven clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from schema.enums import SourceSystem
from systems.circuit import MIN_CALLS, OPEN_S, Circuit, CircuitState
from systems.client import ClientSettings, VendorClient
from systems.errors import ConnectorError, NotFound, Unavailable
from systems.health import HealthBoard
from systems.ports import SystemCall
from tests.support.scripted_system import Reply, ScriptedSystem, scripted

OK, AWAY, HTML = Reply(), Reply(503), Reply(body=b"<html>maintenance</html>", content_type="text/html")
WMS = SourceSystem.WMS


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def client(system: ScriptedSystem, time: Time, **more: Any) -> VendorClient:
    return VendorClient(WMS, ClientSettings(system.url, timeout_s=5), circuit=Circuit(time), **more)


async def send(vendor: VendorClient, times: int = 1) -> ConnectorError:
    """Send writes, which are not tried again, and return what the last one failed with."""
    error: ConnectorError | None = None
    for _ in range(times):
        with pytest.raises(ConnectorError) as caught:
            await vendor.send("release", "POST", "/releases", {})
        error = caught.value
    assert error is not None
    return error


@pytest.mark.parametrize(
    "reply", [AWAY, HTML, Reply(drop=True)], ids=["503", "a maintenance page", "broken connection"]
)
async def test_after_enough_failures_no_call_reaches_the_system(reply: Reply, time: Time) -> None:
    async with scripted(reply) as system, client(system, time) as vendor:
        await send(vendor, MIN_CALLS)
        refused = await send(vendor)

    assert len(system.requests) == MIN_CALLS
    assert isinstance(refused, Unavailable)
    assert (refused.outcome_unknown, refused.retry_after_s) == (False, OPEN_S)
    assert "left alone for another 30 s" in str(refused)


@pytest.mark.parametrize("reply", [Reply(404), Reply(409), Reply(400), Reply(429)], ids=lambda reply: str(reply.status))
async def test_what_a_system_refuses_does_not_count_against_it(reply: Reply, time: Time) -> None:
    async with scripted(reply) as system, client(system, time) as vendor:
        await send(vendor, MIN_CALLS + 5)
        assert vendor._circuit.state is CircuitState.CLOSED


async def test_a_system_that_answers_its_probe_is_called_as_before(time: Time) -> None:
    async with scripted(*[AWAY] * MIN_CALLS, OK) as system, client(system, time) as vendor:
        await send(vendor, MIN_CALLS)
        time.now += OPEN_S
        await vendor.get("stock", "/stock")
        await vendor.get("stock", "/stock")

    assert len(system.requests) == MIN_CALLS + 2


async def test_only_one_of_many_calls_probes(time: Time) -> None:
    async with scripted(*[AWAY] * MIN_CALLS, OK) as system, client(system, time) as vendor:
        await send(vendor, MIN_CALLS)
        time.now += OPEN_S
        outcomes = await asyncio.gather(*(vendor.get("stock", "/stock") for _ in range(5)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Answer", *["Unavailable"] * 4]
    assert len(system.requests) == MIN_CALLS + 1


async def test_a_probe_may_sign_in_over_the_same_client(time: Time) -> None:
    async def authorize(_: bool) -> Mapping[str, str]:
        answer = await signer.query("sign in", "/token", {})
        return {"authorization": f"Bearer {answer.body['token']}"}

    circuit = Circuit(time)
    token = Reply(body=b'{"token": "t"}')
    async with scripted(token) as system:
        settings = ClientSettings(system.url)
        signer = VendorClient(WMS, settings, circuit=circuit)
        vendor = VendorClient(WMS, settings, authorize=authorize, circuit=circuit)
        async with signer, vendor:
            for _ in range(MIN_CALLS):
                permit = circuit.admit()
                assert permit is not None
                circuit.leave(permit, answered=False)
            time.now += OPEN_S
            await vendor.get("stock", "/stock")

    assert circuit.state is CircuitState.CLOSED
    assert [request.path for request in system.requests] == ["/token", "/stock"]


async def test_a_sign_in_that_fails_counts_once_with_its_call(time: Time) -> None:
    async def authorize(_: bool) -> Mapping[str, str]:
        await signer.send("sign in", "POST", "/token", {})
        return {}

    circuit = Circuit(time)
    async with scripted(AWAY) as system:
        settings = ClientSettings(system.url)
        signer = VendorClient(WMS, settings, circuit=circuit)
        vendor = VendorClient(WMS, settings, authorize=authorize, circuit=circuit)
        async with signer, vendor:
            await send(vendor, MIN_CALLS - 1)
            before = circuit.state
            await send(vendor)

    assert (before, circuit.state) == (CircuitState.CLOSED, CircuitState.OPEN)


async def test_a_call_that_is_cancelled_is_no_failure_and_frees_the_probe(time: Time) -> None:
    calls: list[SystemCall] = []
    stalled = Reply(stall=True, body=b"[1, 2, 3, 4]")
    async with (
        scripted(*[AWAY] * MIN_CALLS, stalled, OK) as system,
        client(system, time, observer=calls.append) as vendor,
    ):
        await send(vendor, MIN_CALLS)
        time.now += OPEN_S
        probe = asyncio.create_task(vendor.get("stock", "/stock"))
        while len(system.requests) == MIN_CALLS:  # until the system has the call
            await asyncio.wait([probe], timeout=0.01)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        await vendor.get("stock", "/stock")

    assert [call.error_code for call in calls] == ["SYSTEM_UNAVAILABLE"] * MIN_CALLS + [None]


async def test_the_board_shows_the_circuit_as_calls_leave_it(time: Time) -> None:
    board = HealthBoard([WMS], time)
    seen = []
    async with (
        scripted(*[AWAY] * MIN_CALLS, Reply(404)) as system,
        client(system, time, observer=board) as vendor,
    ):
        for waits in (MIN_CALLS - 1, 1, 1):
            await send(vendor, waits)
            seen.append(board.health()[0].circuit)
        time.now += OPEN_S
        seen.append(board.health()[0].circuit)
        with pytest.raises(NotFound):
            await vendor.get("stock", "/stock")
        seen.append(board.health()[0].circuit)

    assert seen == ["CLOSED", "OPEN", "OPEN", "HALF_OPEN", "CLOSED"]

"""Reads end when the caller goes, which says nothing about the system; writes go on."""

from __future__ import annotations

import time

import pytest

from schema.enums import SourceSystem
from systems.business_central.together import Together
from systems.circuit import Circuit, CircuitState
from systems.client import ClientSettings, VendorClient
from systems.deadline import OutOfTime, left_s, waiting_until
from systems.errors import ConnectorErrorCode, Unavailable
from systems.ports import SystemCall
from tests.support.scripted_system import Reply, ScriptedSystem, scripted

STALL = Reply(stall=True, body=b"[1, 2, 3, 4]")
OK = Reply(body=b'{"value": [1]}')
ERP = SourceSystem.CLOUD_ERP


def client(system: ScriptedSystem, timeout_s: float, circuit: Circuit, seen: list[SystemCall]) -> VendorClient:
    return VendorClient(ERP, ClientSettings(system.url, timeout_s=timeout_s), observer=seen.append, circuit=circuit)


async def test_a_read_ends_when_the_caller_goes_and_does_not_count_against_the_system() -> None:
    circuit, seen = Circuit(), list[SystemCall]()
    async with scripted(STALL) as system, client(system, 60, circuit, seen) as vendor:
        with waiting_until(time.monotonic() + 0.2), pytest.raises(OutOfTime, match="does not wait") as caught:
            await vendor.get("list orders", "/orders")
        for _ in range(30):  # more than enough failures to open the circuit
            with waiting_until(time.monotonic()), pytest.raises(OutOfTime):
                await vendor.get("list orders", "/orders")
    assert caught.value.code == ConnectorErrorCode.SYSTEM_UNAVAILABLE
    assert circuit.state is CircuitState.CLOSED
    assert seen == []


async def test_the_shorter_of_both_times_holds() -> None:
    circuit, seen = Circuit(), list[SystemCall]()
    async with scripted(STALL) as system, client(system, 0.2, circuit, seen) as vendor:
        with waiting_until(time.monotonic() + 60), pytest.raises(Unavailable, match=r"0\.2 s") as caught:
            await vendor.get("list orders", "/orders")
    assert not isinstance(caught.value, OutOfTime)
    assert [call.error_code for call in seen] == [ConnectorErrorCode.SYSTEM_UNAVAILABLE]


async def test_a_write_is_not_given_up_for_the_caller() -> None:
    circuit, seen = Circuit(), list[SystemCall]()
    async with scripted(OK) as system, client(system, 60, circuit, seen) as vendor:
        with waiting_until(time.monotonic()):
            assert (await vendor.send("create order", "POST", "/orders", {})).body == {"value": [1]}


async def test_questions_of_several_callers_are_asked_for_the_patient_ones() -> None:
    asked: list[float | None] = []

    async def ask(_: str, paths: object) -> list[str]:
        asked.append(left_s())
        return ["answer" for _ in paths]  # type: ignore[attr-defined]

    together = Together(ask)
    with waiting_until(time.monotonic()), pytest.raises(OutOfTime):
        await together.bodies("read order", ["/orders(1)"])
    with waiting_until(time.monotonic() + 60):
        assert await together.bodies("read order", ["/orders(2)"]) == ["answer"]
    assert asked == [None]

"""What the health board says of systems, from the calls that were reported to it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schema.enums import SourceSystem
from systems.circuit import OPEN_S
from systems.errors import ConnectorErrorCode
from systems.health import MAX_CALLS, WINDOW_S, HealthBoard
from systems.ports import SystemCall, SystemHealth

WMS, CRM = SourceSystem.WMS, SourceSystem.CRM


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def board(time: Time) -> HealthBoard:
    return HealthBoard([WMS], time)


def call(duration_s: float = 0.1, error: str | None = None, **changes: str) -> SystemCall:
    return SystemCall(WMS, "stock", duration_s, error, **changes)


def wms(board: HealthBoard) -> SystemHealth:
    (found,) = board.health()
    return found


def test_a_system_that_nothing_was_asked_of_is_there_without_figures(board: HealthBoard):
    assert board.health() == (SystemHealth(WMS, "CLOSED", None, None),)


def test_systems_come_by_name_and_those_that_were_called_are_among_them(board: HealthBoard):
    board(SystemCall(CRM, "accounts", 0.1, None))
    assert [entry.system for entry in board.health()] == [CRM, WMS]


def test_p95_is_what_95_of_100_calls_did_not_exceed(board: HealthBoard):
    for milliseconds in range(1, 101):
        board(call(milliseconds / 1000))
    assert wms(board).p95_ms == 95


def test_p95_of_one_call_is_that_call(board: HealthBoard):
    board(call(0.25))
    assert wms(board).p95_ms == 250


@pytest.mark.parametrize(
    ("code", "rate"),
    [
        pytest.param(ConnectorErrorCode.SYSTEM_UNAVAILABLE, "0.3333", id="no answer is an error"),
        pytest.param(ConnectorErrorCode.SYSTEM_UNEXPECTED, "0.3333", id="nonsense is an error"),
        pytest.param(ConnectorErrorCode.SYSTEM_AUTH_FAILED, "0.3333", id="refused credentials are an error"),
        pytest.param(ConnectorErrorCode.SYSTEM_RATE_LIMITED, "0.3333", id="a limit is an error"),
        pytest.param(ConnectorErrorCode.SYSTEM_NOT_FOUND, "0.0000", id="not found is an answer"),
        pytest.param(ConnectorErrorCode.SYSTEM_CONFLICT, "0.0000", id="a conflict is an answer"),
        pytest.param(ConnectorErrorCode.SYSTEM_REJECTED, "0.0000", id="a refusal is an answer"),
    ],
)
def test_the_error_rate_counts_what_a_working_system_would_not_say(
    board: HealthBoard, code: ConnectorErrorCode, rate: str
):
    for error in (None, None, code):
        board(call(error=error))
    assert wms(board).error_rate == Decimal(rate)


def test_what_was_long_ago_does_not_count(board: HealthBoard, time: Time):
    board(call(9.0, ConnectorErrorCode.SYSTEM_UNAVAILABLE))
    time.now += WINDOW_S
    board(call(0.1))
    assert (wms(board).p95_ms, wms(board).error_rate) == (100, Decimal(0))
    time.now += WINDOW_S
    assert wms(board) == SystemHealth(WMS, "CLOSED", None, None)


def test_memory_is_bounded_at_any_load(board: HealthBoard):
    board(call(9.0, ConnectorErrorCode.SYSTEM_UNAVAILABLE))
    for _ in range(MAX_CALLS):
        board(call())
    assert wms(board).error_rate == 0


def test_the_circuit_is_what_the_last_call_left_behind(board: HealthBoard, time: Time):
    board(call(error=ConnectorErrorCode.SYSTEM_UNAVAILABLE, circuit="OPEN"))
    assert wms(board).circuit == "OPEN"
    time.now += OPEN_S
    assert wms(board).circuit == "HALF_OPEN"
    board(call(circuit="CLOSED"))
    assert wms(board).circuit == "CLOSED"

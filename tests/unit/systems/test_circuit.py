"""When a circuit opens, how long it stays open, and what closes it."""

from __future__ import annotations

import pytest

from systems.circuit import MIN_CALLS, OPEN_S, WINDOW_S, Circuit, CircuitState, Permit


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def circuit(time: Time) -> Circuit:
    return Circuit(time)


def admitted(circuit: Circuit) -> Permit:
    permit = circuit.admit()
    assert permit is not None
    return permit


def call(circuit: Circuit, *, answered: bool, times: int = 1) -> None:
    for _ in range(times):
        circuit.leave(admitted(circuit), answered=answered)


BUDGET_S = 1.5


def take(circuit: Circuit, time: Time, seconds: float, times: int = 1) -> None:
    """Make calls, at the same time, that are answered after so long."""
    permits = [admitted(circuit) for _ in range(times)]
    time.now += seconds
    for permit in permits:
        circuit.leave(permit, answered=True)


def opened(circuit: Circuit) -> Circuit:
    call(circuit, answered=False, times=MIN_CALLS)
    assert circuit.state is CircuitState.OPEN
    return circuit


@pytest.mark.parametrize(
    ("answers", "failures", "state"),
    [
        pytest.param(0, MIN_CALLS - 1, CircuitState.CLOSED, id="too few calls to say anything"),
        pytest.param(MIN_CALLS - 1, 1, CircuitState.CLOSED, id="one failure among many answers"),
        pytest.param(11, 10, CircuitState.CLOSED, id="a little less than half fail"),
        pytest.param(10, 10, CircuitState.OPEN, id="half fail"),
        pytest.param(0, MIN_CALLS, CircuitState.OPEN, id="all fail"),
    ],
)
def test_it_opens_when_half_of_enough_calls_get_no_answer(
    circuit: Circuit, answers: int, failures: int, state: CircuitState
):
    call(circuit, answered=True, times=answers)
    call(circuit, answered=False, times=failures)
    assert circuit.state is state


@pytest.mark.parametrize(
    ("quick", "late", "state"),
    [
        pytest.param(0, MIN_CALLS - 1, CircuitState.CLOSED, id="too few answers to say anything"),
        pytest.param(MIN_CALLS - 1, 1, CircuitState.CLOSED, id="one of twenty is late"),
        pytest.param(MIN_CALLS - 2, 2, CircuitState.OPEN, id="two of twenty are late"),
        pytest.param(95, 5, CircuitState.CLOSED, id="five of a hundred are late"),
        pytest.param(94, 6, CircuitState.OPEN, id="six of a hundred are late"),
    ],
)
def test_it_opens_when_the_p95_of_enough_answers_is_beyond_three_budgets(
    time: Time, quick: int, late: int, state: CircuitState
):
    circuit = Circuit(time, budget_s=BUDGET_S)
    take(circuit, time, 0.1, quick)
    take(circuit, time, 3 * BUDGET_S + 0.1, late)
    assert circuit.state is state


def test_a_system_that_is_slow_within_three_budgets_is_not_left_alone(time: Time):
    circuit = Circuit(time, budget_s=BUDGET_S)
    take(circuit, time, 3 * BUDGET_S, MIN_CALLS * 10)
    assert circuit.state is CircuitState.CLOSED


def test_without_a_budget_no_answer_is_late(circuit: Circuit, time: Time):
    take(circuit, time, 600, MIN_CALLS)
    assert circuit.state is CircuitState.CLOSED


def test_late_answers_of_long_ago_do_not_count(time: Time):
    circuit = Circuit(time, budget_s=BUDGET_S)
    take(circuit, time, 5, MIN_CALLS - 1)
    time.now += WINDOW_S
    take(circuit, time, 5)
    assert circuit.state is CircuitState.CLOSED


def test_calls_without_an_answer_are_not_late_ones(time: Time):
    circuit = Circuit(time, budget_s=BUDGET_S)
    take(circuit, time, 0.1, MIN_CALLS)
    for _ in range(5):
        permit = admitted(circuit)
        time.now += 5
        circuit.leave(permit, answered=False)
    assert circuit.state is CircuitState.CLOSED


def test_an_answer_closes_what_late_answers_opened_however_long_it_took(time: Time):
    circuit = Circuit(time, budget_s=BUDGET_S)
    take(circuit, time, 5, MIN_CALLS)
    assert circuit.state is CircuitState.OPEN
    time.now += OPEN_S
    take(circuit, time, 5)
    assert circuit.state is CircuitState.CLOSED


def test_failures_of_long_ago_do_not_count(circuit: Circuit, time: Time):
    call(circuit, answered=False, times=MIN_CALLS - 1)
    time.now += WINDOW_S
    call(circuit, answered=False)
    assert circuit.state is CircuitState.CLOSED


def test_failures_count_together_while_their_window_lasts(circuit: Circuit, time: Time):
    for _ in range(MIN_CALLS):
        call(circuit, answered=False)
        time.now += (WINDOW_S - 1) / MIN_CALLS
    assert circuit.state is CircuitState.OPEN


def test_open_it_lets_nothing_through_until_its_time_is_over(circuit: Circuit, time: Time):
    opened(circuit)
    time.now += OPEN_S - 1
    assert circuit.admit() is None
    assert circuit.wait_s == 1
    time.now += 1
    assert circuit.state is CircuitState.HALF_OPEN
    assert circuit.wait_s == 0


def test_half_open_it_lets_one_call_through_and_an_answer_closes_it(circuit: Circuit, time: Time):
    opened(circuit)
    time.now += OPEN_S
    probe = admitted(circuit)
    assert circuit.admit() is None
    circuit.leave(probe, answered=True)
    assert circuit.state is CircuitState.CLOSED
    call(circuit, answered=False, times=MIN_CALLS - 1)
    assert circuit.state is CircuitState.CLOSED


def test_a_probe_without_an_answer_opens_it_for_as_long_again(circuit: Circuit, time: Time):
    opened(circuit)
    time.now += OPEN_S
    call(circuit, answered=False)
    assert (circuit.state, circuit.wait_s) == (CircuitState.OPEN, OPEN_S)


def test_a_probe_that_was_given_up_leaves_the_next_call_to_probe(circuit: Circuit, time: Time):
    opened(circuit)
    time.now += OPEN_S
    circuit.leave(admitted(circuit), answered=None)
    assert circuit.state is CircuitState.HALF_OPEN
    call(circuit, answered=True)
    assert circuit.state is CircuitState.CLOSED


@pytest.mark.parametrize("answered", [True, False, None], ids=["answered", "not answered", "given up"])
def test_a_call_from_before_it_opened_decides_nothing(circuit: Circuit, time: Time, answered: bool | None):
    early = admitted(circuit)
    opened(circuit)
    time.now += OPEN_S
    probe = admitted(circuit)
    circuit.leave(early, answered=answered)
    assert circuit.state is CircuitState.HALF_OPEN
    assert circuit.admit() is None, "the probe is still under way"
    circuit.leave(probe, answered=True)
    assert circuit.state is CircuitState.CLOSED


def test_calls_that_were_given_up_say_nothing_about_the_system(circuit: Circuit):
    for _ in range(MIN_CALLS * 2):
        circuit.leave(admitted(circuit), answered=None)
    assert circuit.state is CircuitState.CLOSED


def test_its_memory_does_not_grow_with_calls_or_time(circuit: Circuit, time: Time):
    for _ in range(500):
        call(circuit, answered=True, times=3)
        time.now += 1
    assert len(circuit._seconds) <= WINDOW_S

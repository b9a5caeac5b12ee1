"""When a query is sent again, and when a subgraph is left alone. Time and chance are what the tests say."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor import ExecutionContext
from gateway.transport.base import SubgraphRequest, SubgraphResponse, read_retry_after
from gateway.transport.circuit import CircuitRules, CircuitState, CircuitTransport
from gateway.transport.retry import RetryBudget, RetryRules, RetryTransport
from gateway.transport.upload import Upload
from gateway.transport.with_upload import UploadTransports

QUERY = SubgraphRequest(b"{}")
GOOD = SubgraphResponse(200, "application/json", b"{}")


def failure(code: ErrorCode = ErrorCode.SUBGRAPH_UNAVAILABLE, *, retryable: bool = True) -> SubgraphError:
    return SubgraphError(code, "failed", subgraph="s", retryable=retryable)


def status(number: int, retry_after_s: float | None = None) -> SubgraphResponse:
    return SubgraphResponse(number, "text/plain", b"", retry_after_s)


async def no_pieces():
    return
    yield b""


class Script:
    """A transport that goes through outcomes, the last one for good."""

    def __init__(self, *outcomes: SubgraphResponse | Exception) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[SubgraphRequest] = []
        self.is_closed = False

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        self.requests.append(request)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def subscribe(self, request: SubgraphRequest):
        yield request.body

    async def aclose(self) -> None:
        self.is_closed = True


class Retries:
    def __init__(self, script: Script, budget: RetryBudget | None = None, **changes) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        rules = RetryRules(**{"max_retries": 2, "base_delay_s": 0.1, "max_delay_s": 1.0, "timeout_s": 10.0, **changes})
        self.transport = RetryTransport(
            script,
            rules,
            budget or RetryBudget(1.0),
            sleep=self.sleep,
            clock=lambda: self.now,
            pick=lambda low, high: low + high,
        )

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(
    "outcome", [failure(), status(429), status(502), status(503), status(504)], ids=lambda item: str(item)[:40]
)
async def test_a_query_is_sent_again_after_what_passes(outcome):
    script = Script(outcome, GOOD)
    assert await Retries(script).transport.send(QUERY) is GOOD
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    "outcome",
    [
        status(500),
        status(400),
        status(404),
        failure(ErrorCode.SUBGRAPH_TIMEOUT),
        failure(ErrorCode.SUBGRAPH_TOO_LARGE, retryable=False),
        failure(ErrorCode.CIRCUIT_OPEN),
        failure(retryable=False),
    ],
    ids=lambda item: str(item)[:40],
)
async def test_what_another_try_does_not_change_is_not_tried_again(outcome):
    script = Script(outcome, GOOD)
    try:
        assert await Retries(script).transport.send(QUERY) is outcome
    except SubgraphError as error:
        assert error is outcome  # noqa: PT017 - a response is returned and a failure raised
    assert len(script.requests) == 1


@pytest.mark.parametrize("outcome", [failure(), status(503)], ids=["unreachable", "a status"])
async def test_a_mutation_is_sent_once(outcome):
    script = Script(outcome, GOOD)
    mutation = SubgraphRequest(b"{}", is_mutation=True)
    if isinstance(outcome, Exception):
        with pytest.raises(SubgraphError):
            await Retries(script).transport.send(mutation)
    else:
        assert await Retries(script).transport.send(mutation) is outcome
    assert len(script.requests) == 1


async def test_a_mutation_with_a_key_is_sent_again():
    script = Script(failure(), GOOD)
    assert await Retries(script).transport.send(SubgraphRequest(b"{}", is_mutation=True, has_key=True)) is GOOD
    assert len(script.requests) == 2


async def test_a_mutation_with_files_is_sent_once_although_it_has_a_key():
    script = Script(status(503), GOOD)
    files = UploadTransports({"s": Retries(script).transport}, Upload(b"x", b"{}", (("file",),), no_pieces()))
    request = SubgraphRequest(b'{"variables":{"file":null}}', is_mutation=True, has_key=True)
    assert (await files["s"].send(request)).status == 503
    assert len(script.requests) == 1


async def test_pauses_grow_and_the_last_failure_is_the_answer():
    script = Script(failure())
    retries = Retries(script, max_retries=5)
    with pytest.raises(SubgraphError):
        await retries.transport.send(QUERY)
    assert retries.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0])
    script = Script(status(503))
    assert (await Retries(script).transport.send(QUERY)).status == 503
    assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("asked", "pauses"),
    [(0.7, [0.7]), (0.01, [0.1]), (1.5, [])],
    ids=["is obeyed", "is at least the own pause", "is too long"],
)
async def test_the_pause_that_the_subgraph_asks_for(asked, pauses):
    retries = Retries(Script(status(503, asked), GOOD))
    await retries.transport.send(QUERY)
    assert retries.pauses == pauses


async def test_all_attempts_share_the_time_of_the_request():
    script = Script(failure())
    retries = Retries(script, max_retries=10)
    with pytest.raises(SubgraphError):
        await retries.transport.send(SubgraphRequest(b"{}", timeout_s=0.5))
    assert [request.timeout_s for request in script.requests] == pytest.approx([0.5, 0.4, 0.2])


async def test_all_attempts_share_the_time_of_one_answer_when_the_operation_has_more():
    script = Script(failure())
    retries = Retries(script, max_retries=10, timeout_s=0.5)
    with pytest.raises(SubgraphError):
        await retries.transport.send(SubgraphRequest(b"{}", timeout_s=60.0))
    assert [request.timeout_s for request in script.requests] == pytest.approx([60.0, 0.4, 0.2])


async def test_a_subgraph_that_always_fails_gets_few_retries():
    script = Script(failure())
    retries = Retries(script, RetryBudget(0.1, most=3))
    for _ in range(100):
        with pytest.raises(SubgraphError):
            await retries.transport.send(QUERY)
    assert 110 <= len(script.requests) <= 114


async def test_a_subgraph_that_fails_seldom_gets_every_retry():
    script = Script(*[failure(), *[GOOD] * 20] * 20, GOOD)
    retries = Retries(script, RetryBudget(0.1, most=1))
    for _ in range(400):
        assert await retries.transport.send(QUERY) is GOOD
    assert len(script.requests) == 400 + 20


async def test_pauses_are_random_below_their_bound():
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    rules = RetryRules(max_retries=10, base_delay_s=0.1, max_delay_s=0.1, timeout_s=1000.0)
    for _ in range(10):
        transport = RetryTransport(Script(failure()), rules, RetryBudget(1.0), sleep=sleep)
        with pytest.raises(SubgraphError):
            await transport.send(QUERY)
    assert len(pauses) == 100
    assert all(0 <= pause <= 0.1 for pause in pauses)
    assert len(set(pauses)) > 90, "gateways do not knock in step"


@pytest.mark.parametrize(
    ("waited_s", "state"),
    [
        pytest.param(1.0, CircuitState.CLOSED, id="a caller that waited for a moment"),
        pytest.param(20.0, CircuitState.OPEN, id="one that waited long enough"),
    ],
)
async def test_only_a_timeout_after_a_patient_wait_counts_against_a_subgraph(waited_s, state):
    now = 1000.0

    class Stalling(Script):
        async def send(self, request: SubgraphRequest) -> SubgraphResponse:
            nonlocal now
            now += waited_s
            raise failure(ErrorCode.SUBGRAPH_TIMEOUT)

    rules = CircuitRules(failure_share=0.5, min_requests=2, window_s=1000.0, open_s=5.0, patience_s=15.0)
    transport = CircuitTransport("s", Stalling(GOOD), rules, lambda: now)
    for _ in range(2):
        with pytest.raises(SubgraphError):
            await transport.send(QUERY)
    assert transport.state is state


async def test_streams_pass_and_closing_closes_all():
    script = Script(GOOD)
    rules = CircuitRules(0.5, 2, 10, 5)
    transport = RetryTransport(CircuitTransport("s", script, rules), RetryRules(1, 1, 1, 1), RetryBudget(1))
    assert [event async for event in transport.subscribe(QUERY)] == [b"{}"]
    await transport.aclose()
    assert script.is_closed


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("0", 0.0), (None, None), ("-1", None), ("Wed, 21 Oct 2015 07:28:00 GMT", None)]
)
def test_retry_after_is_read_as_seconds(text, seconds):
    assert read_retry_after(text) == seconds


class Circuit:
    def __init__(self, script: Script) -> None:
        self.now = 1000.0
        self.script = script
        rules = CircuitRules(failure_share=0.5, min_requests=4, window_s=10.0, open_s=5.0)
        self.transport = CircuitTransport("s", script, rules, lambda: self.now)

    async def ask(self, *outcomes: SubgraphResponse | Exception) -> list[str]:
        """Send one query per outcome and return how each ended."""
        found = []
        for outcome in outcomes:
            self.script.outcomes = [outcome]
            try:
                found.append(str((await self.transport.send(QUERY)).status))
            except SubgraphError as error:
                found.append(str(error.code))
        return found


BAD = failure()


async def test_a_subgraph_that_fails_too_often_is_left_alone_and_probed_by_one_request():
    circuit = Circuit(Script(GOOD))
    await circuit.ask(GOOD, GOOD, BAD, BAD)
    sent = len(circuit.script.requests)
    assert await circuit.ask(GOOD) == ["CIRCUIT_OPEN"]
    assert len(circuit.script.requests) == sent
    circuit.now += 5
    assert await circuit.ask(GOOD, GOOD) == ["200", "200"]
    assert circuit.transport.state is CircuitState.CLOSED


async def test_a_probe_that_fails_leaves_it_alone_again():
    circuit = Circuit(Script(GOOD))
    await circuit.ask(BAD, BAD, BAD, BAD)
    circuit.now += 5
    assert await circuit.ask(status(503), GOOD) == ["503", "CIRCUIT_OPEN"]
    circuit.now += 5
    assert await circuit.ask(GOOD) == ["200"]


async def test_only_one_request_probes_at_a_time():
    circuit = Circuit(Script(GOOD))
    await circuit.ask(BAD, BAD, BAD, BAD)
    circuit.now += 5
    gate = asyncio.Event()

    async def held(request: SubgraphRequest) -> SubgraphResponse:
        await gate.wait()
        return GOOD

    circuit.script.send = held
    probe = asyncio.get_running_loop().create_task(circuit.transport.send(QUERY))
    await asyncio.sleep(0)
    with pytest.raises(SubgraphError) as caught:
        await circuit.transport.send(QUERY)
    assert caught.value.code == "CIRCUIT_OPEN"
    gate.set()
    assert await probe is GOOD


async def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next():
    circuit = Circuit(Script(GOOD))
    await circuit.ask(BAD, BAD, BAD, BAD)
    circuit.now += 5

    async def cancelled(request: SubgraphRequest) -> SubgraphResponse:
        raise asyncio.CancelledError

    send, circuit.script.send = circuit.script.send, cancelled
    with pytest.raises(asyncio.CancelledError):
        await circuit.transport.send(QUERY)
    circuit.script.send = send
    assert await circuit.ask(GOOD) == ["200"]


async def test_where_that_is_set_the_gateway_probes_by_itself_and_no_client_is_let_through():
    script = Script(BAD)
    pauses: asyncio.Queue[float] = asyncio.Queue()
    go_on = asyncio.Semaphore(0)

    async def sleep(seconds: float) -> None:
        pauses.put_nowait(seconds)
        await go_on.acquire()

    rules = CircuitRules(failure_share=0.5, min_requests=1, window_s=10.0, open_s=5.0, probes=True)
    transport = CircuitTransport("s", script, rules, lambda: 1000.0 + 60 * len(script.requests), sleep)
    with pytest.raises(SubgraphError):
        await transport.send(QUERY)
    assert await pauses.get() == 5.0
    script.outcomes = [BAD, status(503), GOOD]
    for _ in range(2):
        go_on.release()
        await pauses.get()
        with pytest.raises(SubgraphError) as caught:
            await transport.send(QUERY)
        assert caught.value.code == "CIRCUIT_OPEN"
    prober = transport._prober
    assert prober is not None
    go_on.release()
    await prober
    assert transport.state is CircuitState.CLOSED
    assert [request.body for request in script.requests] == [QUERY.body] + [b'{"query":"{__typename}"}'] * 3
    assert await transport.send(QUERY) is GOOD


async def test_closing_ends_the_probes():
    rules = CircuitRules(failure_share=0.5, min_requests=1, window_s=10.0, open_s=3600.0, probes=True)
    script = Script(BAD)
    transport = CircuitTransport("s", script, rules)
    with pytest.raises(SubgraphError):
        await transport.send(QUERY)
    prober = transport._prober
    assert prober is not None
    await transport.aclose()
    assert prober.cancelled()
    assert script.is_closed


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param([BAD, BAD, BAD], id="few requests"),
        pytest.param([GOOD, GOOD, GOOD, BAD, BAD], id="a smaller share"),
        pytest.param([status(400)] * 9, id="queries that are refused"),
        pytest.param([failure(ErrorCode.SUBGRAPH_TOO_LARGE)] * 9, id="answers that are too large"),
    ],
)
async def test_a_subgraph_that_works_is_not_left_alone(outcomes):
    circuit = Circuit(Script(GOOD))
    assert "CIRCUIT_OPEN" not in await circuit.ask(*outcomes, GOOD)


async def test_failures_of_long_ago_do_not_count():
    circuit = Circuit(Script(GOOD))
    await circuit.ask(BAD, BAD, BAD)
    circuit.now += 11
    await circuit.ask(BAD)
    assert circuit.transport.state is CircuitState.CLOSED


async def test_the_time_of_an_operation_bounds_each_fetch_and_begins_anew_with_each_event(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("gateway.executor.context.time.monotonic", lambda: now[0])
    context = ExecutionContext({}, timeout_s=5.0, deadline=103.0)
    assert context.left_s("s") == 3.0
    assert context.for_event().left_s("s") == 5.0
    now[0] = 103.0
    with pytest.raises(SubgraphError) as caught:
        context.left_s("s")
    assert caught.value.code == "SUBGRAPH_TIMEOUT"
    assert ExecutionContext({}).left_s("s") is None

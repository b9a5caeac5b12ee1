"""Leave a subgraph alone while most requests to it fail, so that it can recover and nobody waits for nothing.

closed: requests pass, and their outcomes are counted over the last seconds.
open: after too many failures requests fail at once, for a while.
half-open: then one request is let through as a probe. If it succeeds the circuit closes, else it opens again. Where the
rules want it the gateway probes by a query of its own instead, again and again until one succeeds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["CircuitRules", "CircuitState", "CircuitTransport"]

_log = logging.getLogger("gateway")

_PROBE = SubgraphRequest(b'{"query":"{__typename}"}')
"""What every GraphQL server answers."""

_OUTAGES = frozenset({ErrorCode.SUBGRAPH_UNAVAILABLE, ErrorCode.SUBGRAPH_TIMEOUT})


class CircuitState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """When a circuit opens.

    Attributes:
        failure_share: share of failed requests that opens it.
        min_requests: requests within the window before any share counts.
        window_s: seconds over which outcomes are counted.
        open_s: seconds until a probe is let through.
        probes: send probes in the background instead of letting a client's request through.
        patience_s: wait after which no answer counts as an outage; after less it says more of who asks.
    """

    failure_share: float
    min_requests: int
    window_s: float
    open_s: float
    probes: bool = False
    patience_s: float = 0.0


class CircuitTransport:
    """Wraps a transport. Outages and server errors count as failures; a query that the subgraph refuses does not.

    Args:
        seen_at: time by ``clock`` at which something else last saw the subgraph alive; after that it is half-open.
    """

    def __init__(
        self,
        subgraph: str,
        inner: SubgraphTransport,
        rules: CircuitRules,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        seen_at: Callable[[], float] | None = None,
    ) -> None:
        self._subgraph = subgraph
        self._inner = inner
        self._rules = rules
        self._clock = clock
        self._sleep = sleep
        self._seen_at = seen_at
        self._prober: asyncio.Task[None] | None = None
        self._seconds: deque[list[int]] = deque()
        self._opened_at = 0.0
        self.state = CircuitState.CLOSED

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`.

        Raises:
            SubgraphError: CIRCUIT_OPEN, nothing was sent.
        """
        is_probe = self._pass()
        started = self._clock()
        try:
            response = await self._inner.send(request)
        except SubgraphError as error:
            if is_probe or not self._is_impatience(error, started):
                self._count(is_probe=is_probe, has_failed=error.code in _OUTAGES)
            raise
        except BaseException:
            if is_probe:  # nobody knows how it would have ended: the next request probes
                self._opened_at = self._clock() - self._rules.open_s
                self.state = CircuitState.OPEN
            raise
        self._count(is_probe=is_probe, has_failed=response.status >= 500)
        return response

    def _is_impatience(self, error: SubgraphError, started: float) -> bool:
        return error.code is ErrorCode.SUBGRAPH_TIMEOUT and self._clock() - started < self._rules.patience_s

    def _pass(self) -> bool:
        """Return whether the request is a probe; raise when it may not pass."""
        if self.state is CircuitState.CLOSED:
            return False
        wait_s = self._opened_at + self._rules.open_s - self._clock()
        is_due = wait_s <= 0 or (self._seen_at is not None and self._seen_at() > self._opened_at)
        if self.state is CircuitState.OPEN and is_due and self._prober is None:
            self.state = CircuitState.HALF_OPEN
            return True
        message = f"subgraph {self._subgraph} fails too often and is left alone for a moment; try again later"
        raise SubgraphError(ErrorCode.CIRCUIT_OPEN, message, subgraph=self._subgraph)

    def _count(self, *, is_probe: bool, has_failed: bool) -> None:
        if is_probe:
            if has_failed:
                self._open()
            else:
                self._close()
            return
        if self.state is not CircuitState.CLOSED:
            return  # it was sent before the circuit opened
        now = int(self._clock())
        seconds = self._seconds
        if not seconds or seconds[-1][0] != now:
            seconds.append([now, 0, 0])
            while seconds[0][0] <= now - self._rules.window_s:
                seconds.popleft()
        seconds[-1][1] += 1
        if not has_failed:
            return
        seconds[-1][2] += 1
        requests, failures = sum(item[1] for item in seconds), sum(item[2] for item in seconds)
        if requests >= self._rules.min_requests and failures >= requests * self._rules.failure_share:
            _log.warning("subgraph %s failed %d of %d requests and is left alone", self._subgraph, failures, requests)
            self._open()

    def _open(self) -> None:
        self.state = CircuitState.OPEN
        self._opened_at = self._clock()
        self._seconds.clear()
        if self._rules.probes and self._prober is None:
            self._prober = asyncio.get_running_loop().create_task(self._probe())

    def _close(self) -> None:
        self.state = CircuitState.CLOSED
        self._seconds.clear()
        _log.info("subgraph %s answers again", self._subgraph)

    async def _probe(self) -> None:
        """Ask until the subgraph answers."""
        try:
            while True:
                await self._sleep(self._rules.open_s)
                if await self._answers():
                    self._close()
                    return
        finally:
            self._prober = None

    async def _answers(self) -> bool:
        try:
            return (await self._inner.send(_PROBE)).status == 200
        except SubgraphError:
            return False

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Pass through; streams are few, and each tells of its end by itself."""
        return self._inner.subscribe(request)

    async def aclose(self) -> None:
        """Stop probing and close the inner transport."""
        prober = self._prober
        if prober is not None:
            prober.cancel()
            await asyncio.gather(prober, return_exceptions=True)
        await self._inner.aclose()

"""Send a request again when a subgraph failed in a way that passes: unreachable, or a status that says so.

- Mutations are sent twice only with a key by which the subgraph knows them: the first may have taken effect.
- The pause before each further attempt is random up to a bound that doubles, so that gateways do not knock in step; a
  subgraph's ``Retry-After`` is obeyed when there is time for it.
- All attempts share the time of one answer, and what is left to the operation if that is less.
- A budget bounds retries to a share of the requests: a subgraph that fails for everybody is not asked more often.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace

from gateway.errors import ErrorCode, SubgraphError
from gateway.transport.base import SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["RetryBudget", "RetryRules", "RetryTransport"]

_PASSING = frozenset({429, 502, 503, 504})
"""Statuses of servers that could not answer now."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How often and how fast a request is sent again.

    Attributes:
        max_retries: further attempts after the first.
        base_delay_s: bound of the first pause; each further one doubles it.
        max_delay_s: largest bound, and longest ``Retry-After`` that is waited for.
        timeout_s: time for all attempts together, unless the request has less.
    """

    max_retries: int
    base_delay_s: float
    max_delay_s: float
    timeout_s: float


class RetryBudget:
    """Each request earns a share of one retry; what is earned is kept up to a bound.

    Args:
        share: retries per request in the long run.
        most: retries that may be saved up, and are there at first.
    """

    def __init__(self, share: float, most: float = 10.0) -> None:
        self._share = share
        self._most = most
        self._left = most

    def earn(self) -> None:
        """Count a request."""
        self._left = min(self._most, self._left + self._share)

    def spend(self) -> bool:
        """Take one retry; False when nothing is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RetryTransport:
    """Wraps a transport.

    Args:
        sleep, clock, pick: waiting, monotonic time in seconds and a random number between two bounds.
    """

    def __init__(
        self,
        inner: SubgraphTransport,
        rules: RetryRules,
        budget: RetryBudget,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        pick: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._inner = inner
        self._rules = rules
        self._budget = budget
        self._sleep = sleep
        self._clock = clock
        self._pick = pick

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`."""
        if request.is_mutation and not request.has_key:
            return await self._inner.send(request)
        self._budget.earn()
        timeout_s = self._rules.timeout_s
        if request.timeout_s is not None and request.timeout_s < timeout_s:
            timeout_s = request.timeout_s
        deadline = self._clock() + timeout_s
        attempt = 0
        while True:
            failure: SubgraphError | None = None
            response: SubgraphResponse | None = None
            asked_s = 0.0
            try:
                response = await self._inner.send(request)
                if response.status not in _PASSING:
                    return response
                asked_s = response.retry_after_s or 0.0
            except SubgraphError as error:
                if error.code is not ErrorCode.SUBGRAPH_UNAVAILABLE or not error.retryable:
                    raise
                failure = error
            delay_s = self._delay(attempt, asked_s)
            left_s = deadline - self._clock() - delay_s
            if delay_s > self._rules.max_delay_s or left_s <= 0 or not self._may_retry(attempt):
                if response is not None:
                    return response
                assert failure is not None  # noqa: S101 - an attempt either answers or fails
                raise failure
            await self._sleep(delay_s)
            attempt += 1
            request = replace(request, timeout_s=left_s)

    def _delay(self, attempt: int, asked_s: float) -> float:
        bound = min(self._rules.max_delay_s, self._rules.base_delay_s * 2**attempt)
        return max(asked_s, self._pick(0, bound))

    def _may_retry(self, attempt: int) -> bool:
        return attempt < self._rules.max_retries and self._budget.spend()

    def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """Pass through; a stream that breaks is taken up again elsewhere, if it can be."""
        return self._inner.subscribe(request)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()

"""The proof of who we are that calls of one system share: a token, a ticket.

1. The first call asks for one; calls that need one at the same time wait for the same answer.
2. It is renewed before it ends, by ``early_s`` or half of a shorter life, so that none ends under way.
3. A call whose proof was refused has it renewed, unless somebody else has done so since the call was given it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Proof", "SharedProof"]


@dataclass(frozen=True, slots=True)
class Proof:
    """Headers that prove who we are, and for how many seconds from now; None until they are refused."""

    headers: Mapping[str, str]
    life_s: float | None = None


class SharedProof:
    """Gives each call the proof that holds.

    Args:
        ask: asks the system for a new one; what it raises is the failure of the calls that wait for it.
        early_s: seconds before its end at which a proof is renewed.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Proof]],
        early_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._early_s = early_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._headers: Mapping[str, str] = {}
        self._ends_at: float | None = -1.0
        self._turn = 0
        # Which proof the running call was given. Of each system by itself: a call may lead to calls of another one.
        self._seen: ContextVar[int] = ContextVar("seen", default=0)

    async def __call__(self, renew: bool) -> Mapping[str, str]:
        """Return the headers; ``renew`` says that those that the running call was given are refused.

        Raises:
            ConnectorError: the system gives no proof.
        """
        seen = self._seen.get() if renew else self._turn
        if renew or self._has_ended():
            async with self._lock:
                if self._turn == seen:
                    await self._renew()
        self._seen.set(self._turn)
        return self._headers

    def _has_ended(self) -> bool:
        return self._ends_at is not None and self._clock() >= self._ends_at

    async def _renew(self) -> None:
        proof = await self._ask()
        life_s = proof.life_s
        self._headers = proof.headers
        self._ends_at = None if life_s is None else self._clock() + max(life_s - self._early_s, life_s / 2)
        self._turn += 1

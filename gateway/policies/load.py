"""How many operations run at the same time; a few more wait, the rest is refused at once.

A server that accepts everything answers everything late. With a bound the accepted ones stay quick, and those refused
know at once that another try is needed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from gateway.config import LoadSettings
from gateway.errors import ErrorCode, RequestError

__all__ = ["Load"]

RETRY_AFTER_S = 1.0
"""What refused clients are told to wait."""


class Load:
    """A bounded number of places with a bounded queue, first come first served. Use it with ``async with``."""

    def __init__(self, settings: LoadSettings) -> None:
        self._settings = settings
        self._most = settings.max_running
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.running = 0

    def change(self, settings: LoadSettings) -> None:
        """Keep to other bounds; what runs beyond them goes on, and what waits begins where there is room now."""
        self._settings, self._most = settings, settings.max_running
        while self._waiting and self.running < self._most:
            turn = self._waiting.popleft()
            if not turn.done():
                self.running += 1
                turn.set_result(None)

    @property
    def waiting(self) -> int:
        """Operations in the queue."""
        return len(self._waiting)

    def take(self) -> bool:
        """Take a place that is free, to be given back by :meth:`leave`; False when all are taken."""
        if self.running >= self._most:
            return False
        self.running += 1
        return True

    async def __aenter__(self) -> None:
        if not self.take():
            await self.wait()

    async def wait(self) -> None:
        """Wait for a place, to be given back by :meth:`leave`.

        Raises:
            RequestError: OVERLOADED, too many wait already or this took too long.
        """
        if len(self._waiting) >= self._settings.max_waiting:
            raise _overloaded()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._settings.max_wait):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place came at the same moment
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise _overloaded() from error
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Give the place to the first that waits."""
        while self._waiting and self.running <= self._most:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1


def _overloaded() -> RequestError:
    message = "the gateway has more to do than it can; try again in a moment"
    return RequestError(ErrorCode.OVERLOADED, message, http_status=503, retry_after_s=RETRY_AFTER_S)

"""A server that lets its clients go before it stops.

1. Asked to stop, it says so by ``/health/ready``, and goes on for as long as the settings want.
2. It takes no more connections, and ends subscriptions; what is under way besides may finish.
3. A second Ctrl-C ends it at once. Other signals to stop may come as often as they like: those who start processes and
   those who sit before the terminal may both send one.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from types import FrameType
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.exit_codes import INTERRUPTED
from gateway.server.stopping import LAST_WORDS_S, StopTimes

__all__ = ["GracefulServer", "Stops"]

_TICK_S = 0.05
"""Seconds after which the server looks again whether it should end at once."""

_LEAST_GRACE_S = 1
"""Seconds that requests under way have in any case, once streams have ended."""


_CLOSING_S = 2.0
"""Seconds for which an application that ends at once may close what it has open."""


_SPARE_S = 0.2
"""Seconds before the end of its patience in which the server cuts off clients that do not read."""


_log = logging.getLogger("gateway")


class Stops(Protocol):
    """An application whose streams would go on for ever."""

    def announce_stop(self) -> StopTimes:
        """Tell that it is about to stop; return how long that may take."""
        ...

    async def finish(self, within_s: float) -> None:
        """End what would go on; what is under way besides may take so many seconds."""
        ...


class GracefulServer(uvicorn.Server):
    """Serves one application; ``stops`` is what knows its streams, None where it has none."""

    def __init__(self, config: uvicorn.Config, stops: Stops | None) -> None:
        super().__init__(config)
        self._stops = stops
        self._interrupts = 0

    @property
    def exit_code(self) -> int:
        """What the program should end with: 0 when all that was under way could end."""
        return INTERRUPTED if self.force_exit else 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note of a signal to stop."""
        if sig == signal.SIGINT:
            self._interrupts += 1
            if self.should_exit and self._interrupts == 1:
                return
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let clients go, and stop."""
        loop = asyncio.get_running_loop()
        if self._stops is not None:
            times = self._stops.announce_stop()
            _log.info("stopping; requests under way have %g s, a second Ctrl-C ends it at once", times.timeout_s)
            await self._await(loop.create_task(asyncio.sleep(times.notice_s)))
            began = loop.time()
            for server in self.servers:
                server.close()
            await self._await(loop.create_task(self._stops.finish(times.timeout_s)))
            left_s = times.timeout_s - (loop.time() - began)
            self.config.timeout_graceful_shutdown = max(_LEAST_GRACE_S, round(left_s))
        cutting = loop.create_task(self._cut_closed(loop.time() + (self.config.timeout_graceful_shutdown or 0.0)))
        await super().shutdown(sockets)
        cutting.cancel()
        if self.force_exit:
            _log.warning("interrupted again: ended at once, what was under way is cut off")
            # the application was not told, and would be torn down with a trace in the log
            await asyncio.wait({loop.create_task(self.lifespan.shutdown())}, timeout=_CLOSING_S)

    async def _cut_closed(self, until: float) -> None:
        """Cut connections that wait for nothing but the other side.

        One of TLS that idles does not give the last word; one that does not read leaves its answer lying: it has until
        the time given when that is complete, and is cut at once when nobody writes the rest of it.
        """
        loop = asyncio.get_running_loop()
        look_at = loop.time() + LAST_WORDS_S
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            is_late = now >= look_at
            look_at = now + LAST_WORDS_S if is_late else look_at
            for connection in tuple(self.server_state.connections):
                transport = connection.transport
                if not transport.is_closing():
                    continue
                if now >= until - _SPARE_S or _is_given_up(connection) or (is_late and not _has_answer(connection)):
                    transport.abort()

    async def _await(self, work: asyncio.Task[None]) -> None:
        """Wait for something, unless the server should end at once."""
        while not work.done() and not self.force_exit:
            await asyncio.wait({work}, timeout=_TICK_S)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _has_answer(connection: Any) -> bool:
    """Tell whether a whole answer waits to be read, which its client may be about to do."""
    return isinstance(connection, HttpToolsProtocol) and connection.transport.get_write_buffer_size() > 0


def _is_given_up(connection: Any) -> bool:
    """Tell whether the application left before it had said all, since the client did not take what came before."""
    if connection.transport.get_write_buffer_size() == 0:
        return False
    if isinstance(connection, HttpToolsProtocol):
        cycle: RequestResponseCycle | None = connection.cycle
        return cycle is not None and cycle.response_started and not cycle.response_complete
    return not connection.close_sent

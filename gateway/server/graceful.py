"""A server that lets its clients go before it stops.

1. Asked to stop, it says so by ``/health/ready``, and goes on for as long as the settings want.
2. It takes no more connections, and ends subscriptions; what is under way besides may finish.
3. A second Ctrl-C ends it at once. Other signals to stop may come as often as they like: those who start processes and
   those who sit before the terminal may both send one.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from types import FrameType
from typing import Protocol

import uvicorn

from gateway.server.stopping import LAST_WORDS_S

__all__ = ["GracefulServer", "Stops"]

_TICK_S = 0.05
"""Seconds after which the server looks again whether it should end at once."""

_LEAST_GRACE_S = 1
"""Seconds that requests under way have in any case, once streams have ended."""


_CLOSING_S = 2.0
"""Seconds for which an application that ends at once may close what it has open."""


class Stops(Protocol):
    """An application whose streams would go on for ever."""

    def announce_stop(self) -> float:
        """Tell that it is about to stop; return the seconds until it should."""
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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note of a signal to stop."""
        if sig == signal.SIGINT:
            self._interrupts += 1
            if self.should_exit and self._interrupts == 1:
                return
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let clients go, and stop."""
        loop, grace_s = asyncio.get_running_loop(), self.config.timeout_graceful_shutdown
        if self._stops is not None and grace_s is not None:
            notice = loop.create_task(asyncio.sleep(self._stops.announce_stop()))
            await self._await(notice)
            began = loop.time()
            for server in self.servers:
                server.close()
            await self._await(loop.create_task(self._stops.finish(grace_s)))
            self.config.timeout_graceful_shutdown = max(_LEAST_GRACE_S, round(grace_s - (loop.time() - began)))
        cutting = loop.create_task(self._cut_closed())
        await super().shutdown(sockets)
        cutting.cancel()
        if self.force_exit:  # then the application was not told, and would be torn down with a trace in the log
            await asyncio.wait({loop.create_task(self.lifespan.shutdown())}, timeout=_CLOSING_S)

    async def _cut_closed(self) -> None:
        """Cut connections that are closed but for the other side's word: one of TLS that idles does not give it."""
        while True:
            await asyncio.sleep(LAST_WORDS_S)
            for connection in tuple(self.server_state.connections):
                transport = connection.transport
                if transport.is_closing() and not transport.get_write_buffer_size():
                    transport.abort()

    async def _await(self, work: asyncio.Task[None]) -> None:
        """Wait for something, unless the server should end at once."""
        while not work.done() and not self.force_exit:
            await asyncio.wait({work}, timeout=_TICK_S)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

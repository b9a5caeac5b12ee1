"""A subscription as one HTTP answer that goes on: events or parts, as the client asked for.

While nothing happens there is only the request's own task, which waits for the client to go away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.executor import ExecutionResult
from gateway.server.failures import error_result
from gateway.server.heartbeats import Heartbeats
from gateway.server.http_streams import Framing, Receive, Send
from gateway.server.pushing import Pusher
from gateway.server.shared_results import Event
from gateway.server.stopping import LAST_WORDS_S, OpenConnections, has_stopped

__all__ = ["HttpSubscription"]


class HttpSubscription(Pusher):
    """Set its ``subscription``, then :meth:`serve` it.

    Args:
        write_s: seconds after which a write that does not end means that the connection is to be cut.
        ended: is called once, when it is over.
    """

    __slots__ = ("_beat_is_due", "_ended", "_error", "_framing", "_is_quiet", "_leaving", "_life", "_send", "_write_s")

    def __init__(
        self, framing: Framing[ExecutionResult], send: Send, write_s: float, ended: Callable[[], None]
    ) -> None:
        super().__init__()
        self._framing = framing
        self._send = send
        self._write_s = write_s
        self._ended = ended
        self._is_quiet = False
        self._beat_is_due = False
        self._error: Exception | None = None
        self._life = asyncio.timeout(None)
        self._leaving: asyncio.TimerHandle | None = None

    async def serve(self, receive: Receive, heartbeats: Heartbeats, connections: OpenConnections) -> None:
        """Write each result until the end, or until the client goes away or does not take a write."""
        slot = heartbeats.join(self) if self._framing.heartbeat else None
        connections.join(self)
        try:
            async with self._life:
                await self._begin()
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            pass  # it is over; the server cuts a connection whose answer is not complete
        finally:
            connections.forget(self)
            if self._leaving is not None:
                self._leaving.cancel()
            if slot is not None:
                heartbeats.leave(self, slot)
            try:
                await self.aclose()
            finally:
                self._ended()
        if self._error is not None:
            raise self._error

    async def _begin(self) -> None:
        assert self.subscription is not None  # noqa: S101 - whoever serves has set it
        await self._send({"type": "http.response.start", "status": 200, "headers": self._framing.headers})
        if self._framing.start:
            await self._write(self._framing.start)
        try:
            await self.subscription.start()
        except Exception as error:  # noqa: BLE001 - a stream that started can only end with a message that says why
            await self.conclude(error)
            return
        self.wake()

    async def give(self, events: Sequence[Event]) -> None:
        """See :class:`Pusher`."""
        await self._write(b"".join([event.write(self._framing.result) for event in events]))

    async def finish(self, fault: Exception | None) -> None:
        """See :class:`Pusher`."""
        if fault is not None:
            await self._write(self._framing.fault(error_result(fault)))
        end = self._framing.broken_off if has_stopped(fault) else None
        await self._write(self._framing.end if end is None else end, more=False)
        self._end()

    async def rest(self) -> None:
        """See :class:`Pusher`."""
        if self._beat_is_due:
            self._beat_is_due = False
            await self._write(self._framing.heartbeat)

    def leave(self, within_s: float) -> None:  # noqa: ARG002 - nothing of a subscription is under way but its end
        """See :class:`gateway.server.stopping.Leaves`."""
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().call_later(LAST_WORDS_S, self._end)

    def cut(self, error: Exception) -> None:
        """See :class:`Pusher`."""
        if not isinstance(error, TimeoutError):
            self._error = error
        self._end()

    def look(self) -> None:
        """See :class:`gateway.server.heartbeats.Beats`."""
        if self._is_quiet:
            self._beat_is_due = True
            self.wake()
        self._is_quiet = True

    async def _write(self, content: bytes, *, more: bool = True) -> None:
        self._is_quiet = False
        async with asyncio.timeout(self._write_s):
            await self._send({"type": "http.response.body", "body": content, "more_body": more})

    def _end(self) -> None:
        if self._life.when() is None:
            self._life.reschedule(asyncio.get_running_loop().time())

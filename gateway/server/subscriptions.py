"""One client's subscription: it joins results that are shared, and goes from one supergraph to the next.

1. :meth:`Subscription.start` checks and charges the operation, and joins the stream of results that takes it in.
2. When ``wake`` is called, :meth:`Subscription.take` has results, or it is over, or it has to move.
3. A resumable one moves when another supergraph is served, and when it was too slow for those with whom it shared: it
   joins again after the last event that it took, and misses nothing.
4. It ends with the stream, with its token, with the gateway, or with SLOW_CLIENT; ``fault`` says why.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from gateway.errors import ErrorCode, RequestError
from gateway.executor import ExecutionContext, ExecutionResult
from gateway.executor.resumption import Resume
from gateway.server.expiry import ExpiryAlarm, expired
from gateway.server.failures import StreamEnded
from gateway.server.prepared import Prepared
from gateway.server.reception import MAX_NOTED_ERRORS, Reception
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.shared_results import Event, MovedOn, SharedResults
from gateway.server.stopping import has_stopped, stopping
from gateway.transport.fan_out import Bell, FellBehind, Member

__all__ = ["Subscription", "results_of"]


async def results_of(subscription: Subscription, bell: Bell) -> AsyncGenerator[ExecutionResult, None]:
    """Yield the results of a subscription, which ``bell`` wakes, to one who asks for each of them.

    What keeps its stream from starting, or breaks it off, is the last result.

    Raises:
        RequestError, PlanningError: as :meth:`Subscription.start`, and whatever ends it before its time.
    """
    try:
        await subscription.start()
        while not subscription.is_over:
            events = subscription.take()
            for event in events:
                yield event.result
            if not events and not subscription.is_over:
                await (subscription.move() if subscription.has_to_move else bell.wait())
    finally:
        await subscription.aclose()
    fault = subscription.fault
    if isinstance(fault, StreamEnded):
        yield fault.result
    elif fault is not None:
        raise fault


class Subscription:
    """See the module; whoever opens one closes it."""

    __slots__ = (
        "_alarm",
        "_context",
        "_cursor",
        "_errors",
        "_is_joined",
        "_member",
        "_prepared",
        "_reception",
        "_request",
        "_shared",
        "_started",
        "_wake",
        "fault",
        "is_over",
    )

    def __init__(
        self,
        reception: Reception,
        shared: SharedResults,
        prepared: Prepared,
        request: GraphQLRequest,
        context: RequestContext,
        wake: Callable[[], None],
    ) -> None:
        self._reception = reception
        self._shared = shared
        self._prepared = prepared
        self._request = request
        self._context = context
        self._wake = wake
        self._cursor = request.resume_after
        self._member: Member[Event] | None = None
        self._alarm: ExpiryAlarm | None = None
        self._errors: list[dict[str, Any]] | None = None
        self._started = 0.0
        self._is_joined = False
        self.is_over = False
        """Whether nothing more is to be taken."""
        self.fault: Exception | None = None
        """Why it is over before its stream was complete."""

    async def start(self) -> None:
        """Check and charge the operation, and follow its stream from then on.

        Raises:
            RequestError, PlanningError: nothing was started.
        """
        prepared, expires_at = self._prepared, self._context.principal.expires_at
        if expires_at is not None:
            self._alarm = ExpiryAlarm(expires_at, self._expire)
        execution = await self._reception.admit(prepared, self._request, self._context)
        if self._cursor is None and prepared.resumable is not None:
            self._cursor = prepared.resumable.start(execution)
        if self._alarm is not None and self._alarm.is_due:
            self._expire()
        self._join(execution)

    def take(self) -> list[Event]:
        """Return the results that came since the last time; when there are none, it may be over or have to move."""
        member = self._member
        if member is None or self.is_over:
            return []
        if self._alarm is not None and self._alarm.is_due:
            self._expire()
            return []
        events = member.take()
        for event in events:
            if event.result.cursor is not None:
                self._cursor = event.result.cursor
            if event.result.errors:
                self._note(event.result.errors)
        if events and events[-1].result.is_fault:
            self.is_over, self.fault = True, StreamEnded(events.pop().result)
        elif not events and member.is_over and not self.has_to_move:
            self.is_over, self.fault = True, self._reason(member.fault)
        return events

    @property
    def has_to_move(self) -> bool:
        """Whether it goes on elsewhere, by :meth:`move`."""
        member = self._member
        if member is None or self.is_over or not member.is_over:
            return False
        return isinstance(member.fault, MovedOn) or self._is_too_slow_for_others(member.fault)

    async def move(self) -> None:
        """Follow on after the last result, under the supergraph that is served now.

        Raises:
            RequestError, PlanningError: that does not have the stream any more, or an extension does not let it in.
        """
        self._leave()
        self._prepared = await self._reception.open(self._request, self._context)
        self._join(await self._reception.admit(self._prepared, self._request, self._context, is_charged=False))

    def close(self) -> None:
        """Follow no longer."""
        self.is_over = True
        if self._alarm is not None:
            self._alarm.stop()
        self._leave()

    async def aclose(self) -> None:
        """Follow no longer, and return when nothing of it goes on."""
        self.close()
        if self._member is not None:
            await self._member.left()

    def _join(self, execution: ExecutionContext) -> None:
        if self.is_over:
            return  # closed or expired meanwhile
        reception, prepared = self._reception, self._prepared
        resume: Resume | None = None
        if prepared.resumable is not None:

            def is_outdated() -> bool:
                return not reception.is_served(prepared)

            resume = Resume(prepared.resumable, self._cursor, prepared.graph.rules.resume_for_s, is_outdated)
        stream = self._shared.find(prepared, execution, self._context, resume)
        self._member = stream.join(None if resume is None else resume.after, self._wake)
        self._started, self._errors, self._is_joined = time.perf_counter(), None, True
        prepared.graph.running += 1

    def _leave(self) -> None:
        if self._member is not None and self._is_joined:
            self._is_joined = False
            self._prepared.graph.leave()
            self._reception.note(self._prepared, self._context, self._started, self._errors or [])
            self._member.leave()

    def _expire(self) -> None:
        if not self.is_over:
            self.is_over, self.fault = True, expired(self._cursor)
            self._wake()

    def _note(self, errors: list[dict[str, Any]]) -> None:
        kept = self._errors = self._errors or []
        kept += errors[: MAX_NOTED_ERRORS - len(kept)]

    def _is_too_slow_for_others(self, fault: Exception | None) -> bool:
        return isinstance(fault, FellBehind) and fault.held_up_others and self._cursor is not None

    def _reason(self, fault: Exception | None) -> Exception | None:
        if has_stopped(fault):
            return stopping(self._cursor)
        if not isinstance(fault, FellBehind):
            return None if fault is None else fault.with_traceback(None)
        limits = self._prepared.graph.rules.stream_limits
        how_long = "while others read on" if fault.held_up_others else f"for {limits.patience_s:g} s"
        message = (
            f"the client left {limits.max_waiting} events waiting {how_long}; the subscription ended, events after "
            "this are missing: read faster, and subscribe again"
        )
        extensions = {} if self._cursor is None else {"resumeAfter": self._cursor}
        return RequestError(ErrorCode.SLOW_CLIENT, message, extensions=extensions)

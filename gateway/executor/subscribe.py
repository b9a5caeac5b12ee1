"""Run a subscription plan: one stream from one subgraph, each event completed by fetches to others.

Events are completed one after another and in order. Nothing is read ahead: while an event is being completed, and while
the client has not taken it, later ones wait in the transport, which bounds what it keeps.

A stream whose field is resumable is taken up again when it breaks, after the last event that was seen. The client sees
every event once and in order, or is told that it may have missed some: by the subgraph, which does not hold the events
any more, or here, when no event had come by which to find the place again.

What keeps a stream from starting, and what breaks it off, is a result without data: nothing was executed for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import orjson

from gateway.errors import ErrorCode, StreamBroken, SubgraphError
from gateway.executor.answer import decode_event
from gateway.executor.blame import stream_error, stream_failure
from gateway.executor.compile import ExecutablePlan
from gateway.executor.completion import MAX_ERRORS
from gateway.executor.context import ExecutionContext
from gateway.executor.result import ExecutionResult
from gateway.executor.resumption import LONGEST_PAUSE_S, ResumableStream, Resume, pauses
from gateway.executor.run import complete_event, variables_of
from gateway.transport.base import SharingTerms, SubgraphRequest, annotate

__all__ = ["subscribe"]


async def subscribe(
    plan: ExecutablePlan, context: ExecutionContext, resume: Resume | None = None
) -> AsyncGenerator[ExecutionResult, None]:
    """Yield one result per event, in order; a stream that fails ends with a result that says why.

    Cancel/retry: closing the generator unsubscribes from the subgraph.
    """
    if resume is None:
        stream = plan.fetches[0]
        body = stream.bare_body or stream.prefix + orjson.dumps(variables_of(stream, context)) + b"}"
        events = _follow(plan, context, _request(context, body, SharingTerms(body, None)), None)
    else:
        events = _follow_on(plan, context, resume)
    has_events = False
    try:
        async with aclosing(events) as results:
            async for result in results:
                has_events = True
                yield result
    except SubgraphError as error:
        reported = _ended(error) if has_events or isinstance(error, StreamBroken) else error
        told = stream_failure(reported)
        if isinstance(error, _EndedAfter):
            told["extensions"]["resumeAfter"] = error.cursor
        yield ExecutionResult(None, [told], is_fault=True)


async def _follow(
    plan: ExecutablePlan, context: ExecutionContext, request: SubgraphRequest, stream: ResumableStream | None
) -> AsyncGenerator[ExecutionResult, None]:
    """Yield the results of one request for the stream; the last says why the subgraph refuses it, or has a gap."""
    name = plan.fetches[0].fetch.subgraph
    has_begun = False
    async with aclosing(context.transport(name).subscribe(request)) as events:
        async for event in events:
            data, errors, is_of_stream = decode_event(event, name)
            if is_of_stream:
                told = [stream_error(error, name) for error in errors[:MAX_ERRORS]]
                if not has_begun or any(error["extensions"]["code"] == ErrorCode.GAP for error in told):
                    yield ExecutionResult(None, told, is_fault=True)
                    return
            has_begun = True
            cursor = stream.cursor_of(data) if stream is not None else None
            result = await complete_event(plan, context.for_event(), data, errors)
            result.cursor = cursor
            yield result


async def _follow_on(
    plan: ExecutablePlan, context: ExecutionContext, resume: Resume
) -> AsyncGenerator[ExecutionResult, None]:
    """Yield the results of a stream, taken up again after each break.

    Raises:
        SubgraphError: it did not start, broke for too long, or broke where nothing tells how to go on.
    """
    loop = asyncio.get_running_loop()
    stream = resume.stream
    cursor = resume.after if resume.after is not None else stream.start(context)
    has_begun = False
    broken_at, waits = loop.time(), pauses()
    while True:
        begun_at, last = loop.time(), cursor
        try:
            request = _request(context, stream.body(context, cursor), stream.sharing(context, cursor))
            async with aclosing(_follow(plan, context, request, stream)) as results:
                async for result in results:
                    has_begun = True
                    if result.cursor is not None:
                        if result.cursor == last:
                            continue  # the event of the cursor itself, which the client has seen
                        cursor = last = result.cursor
                    yield result
                    if result.is_fault:
                        return
                    broken_at, waits = loop.time(), pauses()
                    if cursor is not None and resume.is_outdated():
                        resume.is_moving = True
                        return
            return
        except SubgraphError as error:
            has_begun = has_begun or isinstance(error, StreamBroken)
            if not has_begun:
                raise
            if cursor is None:
                raise _gap(error) from error
            if resume.is_outdated():
                resume.is_moving = True
                return
            now = loop.time()
            if now - begun_at > LONGEST_PAUSE_S:
                broken_at, waits = now, pauses()  # it had come back and was quiet: a new break, with time of its own
            if not error.retryable or now - broken_at > resume.for_s:
                raise _EndedAfter(error, cursor) from error
        await asyncio.sleep(next(waits))
        context = context.for_event()


def _request(context: ExecutionContext, body: bytes, terms: SharingTerms) -> SubgraphRequest:
    audience = context.audience
    if audience is None:
        request = SubgraphRequest(body, context.headers)
    else:
        headers = context.headers if audience.headers is None else audience.headers
        request = SubgraphRequest(body, headers, sharing=replace(terms, audience=audience.who))
    return request if context.caller is None else annotate(request, caller=context.caller)


class _EndedAfter(SubgraphError):
    """A resumable stream ended for good as far as the gateway is concerned; the client may go on after ``cursor``."""

    def __init__(self, error: SubgraphError, cursor: str) -> None:
        message = f"the subscription ended; subscribe again after the last event, {cursor[:100]}: {error.message}"
        super().__init__(ErrorCode.SUBSCRIPTION_ENDED, message, subgraph=error.subgraph, retryable=error.retryable)
        self.cursor = cursor


def _gap(error: SubgraphError) -> SubgraphError:
    message = (
        "the stream broke before an event came from which it could be resumed; events may have been missed: read the "
        f"current state, then subscribe again: {error.message}"
    )
    return SubgraphError(ErrorCode.GAP, message, subgraph=error.subgraph, retryable=False)


def _ended(error: SubgraphError) -> SubgraphError:
    """Return what a client has to know of a stream that broke off: it may have missed events when it starts again."""
    if error.code in {ErrorCode.GAP, ErrorCode.SUBSCRIPTION_ENDED}:
        return error
    message = f"the subscription ended and cannot be resumed; events may have been missed: {error.message}"
    return SubgraphError(ErrorCode.SUBSCRIPTION_ENDED, message, subgraph=error.subgraph, retryable=error.retryable)

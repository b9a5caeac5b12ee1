"""Run a subscription plan: one stream from one subgraph, each event completed by fetches to others.

Events are completed one after another and in order. Nothing is read ahead: while an event is being completed, and while
the client has not taken it, later ones wait in the transport, which bounds what it keeps.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor.answer import decode_event
from gateway.executor.blame import Blame
from gateway.executor.compile import ExecutablePlan
from gateway.executor.context import ExecutionContext
from gateway.executor.result import ExecutionResult
from gateway.executor.run import complete_event, variables_of
from gateway.transport.base import SubgraphRequest

__all__ = ["subscribe"]


async def subscribe(plan: ExecutablePlan, context: ExecutionContext) -> AsyncGenerator[ExecutionResult, None]:
    """Yield one result per event, in order; a stream that fails ends with a result that says why.

    Cancel/retry: closing the generator unsubscribes from the subgraph.
    """
    stream = plan.fetches[0]
    name = stream.fetch.subgraph
    has_events = False
    try:
        transport = context.transport(name)
        body = stream.bare_body or stream.prefix + orjson.dumps(variables_of(stream, context)) + b"}"
        async with aclosing(transport.subscribe(SubgraphRequest(body, context.headers))) as events:
            async for event in events:
                has_events = True
                data, errors = decode_event(event, name)
                yield await complete_event(plan, context.for_event(), data, errors)
    except SubgraphError as error:
        reported = _ended(error) if has_events else error
        yield ExecutionResult(None, Blame(stream.fetch, plan.source.output).failure(reported, {}))


def _ended(error: SubgraphError) -> SubgraphError:
    """Return what a client has to know of a stream that broke off: it may have missed events when it starts again."""
    message = f"the subscription ended and cannot be resumed; events may have been missed: {error.message}"
    return SubgraphError(ErrorCode.SUBSCRIPTION_ENDED, message, subgraph=error.subgraph, retryable=error.retryable)

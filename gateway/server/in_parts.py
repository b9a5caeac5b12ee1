"""Answer in parts where something is to come, else at once: which of them it is, is known with the first answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.executor import DeferredResult, ExecutionResult

__all__ = ["begin"]

_Results = AsyncGenerator[ExecutionResult | DeferredResult, None]


async def begin(results: _Results) -> _Results | ExecutionResult:
    """Return results again when the first of them has come; just that one when it leaves nothing pending."""
    first = await anext(results)
    if isinstance(first, DeferredResult) or first.pending:
        return _again(first, results)
    async for _ in results:
        pass  # nothing comes, but a mutation goes on to its end
    return first


async def _again(first: ExecutionResult | DeferredResult, results: _Results) -> _Results:
    async with aclosing(results):
        yield first
        async for result in results:
            yield result

"""The hooks of all extensions, bound once: those that nobody has written are not there.

What a hook raises is either a refusal or a failure. A refusal is the client's answer as it is. A failure is logged with
the name of the extension, and the client gets EXTENSION_FAILED with the id of the line of log. The time for the whole
operation is the hooks' time too: one that is still waiting when it is over has failed.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import orjson

from gateway.errors import ConfigError, ExtensionError
from gateway.executor.result import ExecutionResult
from gateway.extensions.extension import Extension
from gateway.extensions.facts import Answer, Fetch, Fetched, Plan, Request
from gateway.extensions.headers import EditableHeaders
from gateway.extensions.refusal import Refused
from gateway.tracing import correlation_id

__all__ = ["Hook", "Hooks", "Visit", "bind", "call"]

_log = logging.getLogger("gateway")

_AWAITED = ("request", "plan", "fetch", "response")
_HOOKS = (*_AWAITED, "fetched")

R = TypeVar("R", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Hook(Generic[R]):
    """One hook of one extension.

    Attributes:
        extension: its name.
        sees_callers: whether it is told whose operation a request to a subgraph belongs to.
    """

    extension: str
    run: R
    sees_callers: bool


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of all extensions, each kind in the order in which they run.

    Attributes:
        tell_callers: requests to subgraphs may differ by who asks, in ways that only the hooks know.
    """

    requests: tuple[Hook[Callable[[Request], Awaitable[None]]], ...]
    plans: tuple[Hook[Callable[[Request, Plan], Awaitable[None]]], ...]
    fetches: tuple[Hook[Callable[[Fetch], Awaitable[None]]], ...]
    fetched: tuple[Hook[Callable[[Fetch, Fetched], None]], ...]
    responses: tuple[Hook[Callable[[Request, Answer], Awaitable[None]]], ...]
    tell_callers: bool


def bind(extensions: Sequence[Extension]) -> Hooks | None:
    """Return the hooks of extensions, None when there are none.

    Raises:
        ConfigError: one has no hook at all, or one that is ``async`` and must not be, or the other way round.
    """
    if not extensions:
        return None
    for extension in extensions:
        _check(extension)
    requests, plans, fetches, responses = (_bound(extensions, name) for name in _AWAITED)
    fetched = _bound(extensions, "fetched")
    return Hooks(
        requests,
        plans,
        fetches,
        tuple(reversed(fetched)),
        tuple(reversed(responses)),
        any(hook.sees_callers for hook in (*fetches, *fetched)),
    )


def _check(extension: Extension) -> None:
    written = [name for name in _HOOKS if _is_written(extension, name)]
    if not written:
        raise ConfigError(f"extension {extension.name} has none of the hooks {', '.join(_HOOKS)}")
    for name in written:
        is_async = inspect.iscoroutinefunction(getattr(extension, name))
        if is_async != (name in _AWAITED):
            wanted = "async def" if name in _AWAITED else "def"
            raise ConfigError(f"extension {extension.name}: the hook {name} must be written with {wanted}")


def _bound(extensions: Iterable[Extension], name: str) -> tuple[Hook[Any], ...]:
    written = [extension for extension in extensions if _is_written(extension, name)]
    return tuple(Hook(one.name, getattr(one, name), one.sees_callers) for one in written)


def _is_written(extension: Extension, name: str) -> bool:
    return getattr(type(extension), name) is not getattr(Extension, name)


async def call(hook: Hook[Any], what: str, left_s: float | None, *arguments: Any) -> None:
    """Run a hook that may take ``left_s`` seconds, None for no such bound.

    Raises:
        Refused: the hook refuses.
        ExtensionError: it failed, which is logged.
    """
    try:
        if left_s is None:
            await hook.run(*arguments)
        else:
            async with asyncio.timeout(max(0.0, left_s)):
                await hook.run(*arguments)
    except Refused:
        raise
    except Exception as error:
        raise failed(hook, what, error) from error


def failed(hook: Hook[Any], what: str, error: Exception) -> ExtensionError:
    """Log why a hook failed and return what the client is told of it."""
    identifier = correlation_id()
    _log.error("extension %s failed in %s, %s", hook.extension, what, identifier, exc_info=error)
    return ExtensionError(identifier)


class Visit:
    """One operation on its way past the extensions.

    Args:
        hooks: what it passes.
        request: what they are told of it.
        timeout_s: seconds that the operation, or an event, may take; None for no such bound.
        deadline: monotonic time at which they are over.
    """

    __slots__ = ("_deadline", "_hooks", "request", "timeout_s")

    def __init__(self, hooks: Hooks, request: Request, timeout_s: float | None, deadline: float | None) -> None:
        self._hooks = hooks
        self.request = request
        self.timeout_s = timeout_s
        self._deadline = deadline

    async def enter(self) -> None:
        """Let each extension see the operation.

        Raises:
            Refused, ExtensionError: it does not run.
        """
        for hook in self._hooks.requests:
            await call(hook, "request", self._left_s(), self.request)

    async def show_plan(self, plan: Plan) -> None:
        """Let each extension see how the operation will be answered.

        Raises:
            Refused, ExtensionError: it does not run.
        """
        for hook in self._hooks.plans:
            await call(hook, "plan", self._left_s(), self.request, plan)

    async def respond(self, result: ExecutionResult, *, is_event: bool = False) -> ExecutionResult:
        """Return the answer with what extensions add; one that fails adds its failure to the errors, and no more."""
        for hook in self._hooks.responses:
            left_s = self.timeout_s if is_event else self._left_s()
            result = await self._respond(hook, result, left_s)
        return result

    async def _respond(self, hook: Hook[Any], result: ExecutionResult, left_s: float | None) -> ExecutionResult:
        before = result.extensions or {}
        answer = Answer(result.data, tuple(result.errors), dict(before), EditableHeaders(result.headers))
        try:
            await call(hook, "response", left_s, self.request, answer)
            told = _checked(hook, answer.extensions)
        except (Refused, ExtensionError) as error:
            why = error if isinstance(error, ExtensionError) else failed(hook, "response", error)
            fault = {"message": why.message, "extensions": {**why.extensions, "code": str(why.code)}}
            return replace(result, body=None, errors=[*result.errors, fault])
        headers = answer.headers.pairs
        if told == before:
            return replace(result, headers=headers) if headers != result.headers else result
        return replace(result, body=None, extensions=told or None, headers=headers)

    def _left_s(self) -> float | None:
        return None if self._deadline is None else self._deadline - time.monotonic()


def _checked(hook: Hook[Any], extensions: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer says of itself, as plain JSON that the hook cannot change later.

    Raises:
        ExtensionError: it is no JSON, which would be found too late: when the answer is written.
    """
    if not extensions:
        return extensions
    try:
        told: dict[str, Any] = orjson.loads(orjson.dumps(extensions))
    except (TypeError, orjson.JSONEncodeError) as error:
        raise failed(hook, "response", error) from error
    return told

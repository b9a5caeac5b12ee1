"""Requests to a subgraph on their way past the extensions."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from gateway.errors import ErrorCode, ExtensionError, GatewayError, SubgraphError
from gateway.extensions.facts import Fetch, Fetched, Request
from gateway.extensions.headers import EditableHeaders
from gateway.extensions.hooks import Hook, Hooks, Visit, call
from gateway.extensions.refusal import Refused
from gateway.transport.base import AnnotatedRequest, SubgraphRequest, SubgraphResponse, SubgraphTransport

__all__ = ["HookedTransport"]

_log = logging.getLogger("gateway")


class _Stopped(SubgraphError):
    """An extension kept a request from its subgraph; nothing was sent."""

    def __init__(self, error: GatewayError, subgraph: str) -> None:
        super().__init__(error.code, error.message, subgraph=subgraph, retryable=error.retryable)
        self.extensions = error.extensions


class _Passage:
    """One request: what the hooks are told of it, once for those who know who asks and once for the others."""

    def __init__(self, subgraph: str, request: SubgraphRequest, *, is_stream: bool) -> None:
        caller = request.caller if isinstance(request, AnnotatedRequest) else None
        visit = caller if isinstance(caller, Visit) else None
        asked = None if visit is None else visit.request
        self.timeout_s = request.timeout_s
        if is_stream and visit is not None:
            self.timeout_s = visit.timeout_s  # a stream has no time of its own, and must not begin late for ever
        self.headers = EditableHeaders(request.headers)
        self._blind = self._fetch(subgraph, request, None, is_stream=is_stream)
        self._seeing = self._fetch(subgraph, request, asked, is_stream=is_stream)

    def _fetch(self, subgraph: str, request: SubgraphRequest, asked: Request | None, *, is_stream: bool) -> Fetch:
        return Fetch(subgraph, request.body, self.headers, asked, is_mutation=request.is_mutation, is_stream=is_stream)

    def seen_by(self, hook: Hook[Any]) -> Fetch:
        return self._seeing if hook.sees_callers else self._blind


class HookedTransport:
    """Wraps the transport of one subgraph."""

    def __init__(self, subgraph: str, inner: SubgraphTransport, hooks: Hooks) -> None:
        self._subgraph = subgraph
        self._inner = inner
        self._hooks = hooks

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        """See :class:`gateway.transport.base.SubgraphTransport`; a refusal is a failure of this fetch alone."""
        passage = _Passage(self._subgraph, request, is_stream=False)
        request = await self._pass(passage, request)
        status, code, started = None, "cancelled", time.perf_counter()
        try:
            response = await self._inner.send(request)
            status, code = response.status, ""
            return response
        except SubgraphError as error:
            status, code = error.http_status_seen, str(error.code)
            raise
        finally:
            self._tell(passage, Fetched(time.perf_counter() - started, status, code or None))

    async def subscribe(self, request: SubgraphRequest) -> AsyncGenerator[bytes, None]:
        """See :class:`gateway.transport.base.SubgraphTransport`; a refusal keeps the stream from starting."""
        passage = _Passage(self._subgraph, request, is_stream=True)
        request = await self._pass(passage, request)
        code, started = "cancelled", time.perf_counter()
        try:
            async with aclosing(self._inner.subscribe(request)) as events:
                async for event in events:
                    yield event
            code = ""
        except SubgraphError as error:
            code = str(error.code)
            raise
        finally:
            self._tell(passage, Fetched(time.perf_counter() - started, None, code or None))

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()

    async def _pass(self, passage: _Passage, request: SubgraphRequest) -> SubgraphRequest:
        """Return the request as the hooks want it, with what is left of its time."""
        timeout_s, began = passage.timeout_s, time.monotonic()
        for hook in self._hooks.fetches:
            left_s = None if timeout_s is None else timeout_s - (time.monotonic() - began)
            try:
                await call(hook, f"fetch of {self._subgraph}", left_s, passage.seen_by(hook))
            except (Refused, ExtensionError) as error:
                raise _Stopped(error, self._subgraph) from error
        if request.timeout_s is None:
            return replace(request, headers=passage.headers.pairs)
        left_s = request.timeout_s - (time.monotonic() - began)
        if left_s <= 0:
            message = f"subgraph {self._subgraph} was not asked: extensions took all the time for the operation"
            raise SubgraphError(ErrorCode.SUBGRAPH_TIMEOUT, message, subgraph=self._subgraph)
        return replace(request, headers=passage.headers.pairs, timeout_s=left_s)

    def _tell(self, passage: _Passage, outcome: Fetched) -> None:
        """Tell how it ended; an answer that came is not given up because somebody failed to take note of it."""
        for hook in self._hooks.fetched:
            try:
                hook.run(passage.seen_by(hook), outcome)
            except Exception:  # noqa: BLE001 - whatever happens there, the answer is here
                _log.exception("extension %s failed in fetched of %s", hook.extension, self._subgraph)

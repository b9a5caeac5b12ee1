"""The HTTP client of all connectors: deadlines, limits, one table of outcomes, and our errors instead of the library's.

- Reads are tried again within their deadline, with full jitter; a ``Retry-After`` beyond the deadline ends
  the call. Writes are sent once: whether to send again is for the caller to decide, who can look first.
- A body is read up to a limit and must be JSON; HTML and garbage are :class:`Unexpected`, never data.
- A system that mostly gives no answer, or late ones, is left alone for a while: calls fail at once with
  :class:`Unavailable`, like in any outage. What a system refuses or does not know is an answer.
- Every call that ended is reported to the observer. Messages and reports carry no bodies, headers or query strings.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self
from urllib.parse import urlencode

import httpx
import orjson

from schema.enums import SourceSystem
from systems.circuit import Circuit
from systems.deadline import OutOfTime, left_s
from systems.errors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Unavailable,
    Unexpected,
)
from systems.outcome import Action, Outcome, outcome_for
from systems.ports import CallObserver, SystemCall

__all__ = ["Answer", "ClientSettings", "VendorClient"]

READ_ATTEMPTS = 3
"""Times that a read is sent within its deadline."""

FIRST_PAUSE_S = 0.1
"""Longest first pause between attempts; it doubles."""

BUDGET_SHARE = 0.3
"""Share of the deadline in which an answer is expected: 1.5 s of 5 s, what a price or a look at credit may take."""

DEFAULT_RETRY_AFTER_S = 1.0
"""Pause when a system limits us without saying how long."""

PROBE_WAIT_S = 1.0
"""When to come back while another call probes a system that was down."""

_NO_ANSWER = (Unavailable.code, Unexpected.code)
"""Failures that count against a system's circuit."""

_admitted: ContextVar[Circuit | None] = ContextVar("admitted", default=None)
"""The circuit that the running call went through: what it calls on its way, to sign in, is a part of it."""

Authorize = Callable[[bool], Awaitable[Mapping[str, str]]]
"""Returns headers that prove who we are; True asks for new ones because the last were refused."""

ReadRefusal = Callable[[Any], tuple[str, str, tuple[str, ...]]]
"""Returns (reason, message, fields) from a vendor's error body."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How to reach a system.

    Attributes:
        base_url: address under which all paths lie.
        timeout_s: deadline of one call with all of its attempts; reads also end with the patience of the caller.
        max_connections: connections kept at most; further calls wait within their deadline.
        max_body_bytes: largest answer that is read.
        budget_s: time in which the system is expected to answer; ``BUDGET_SHARE`` of the deadline when None.
    """

    base_url: str
    timeout_s: float = 5.0
    max_connections: int = 20
    max_body_bytes: int = 16 * 1024 * 1024
    budget_s: float | None = None

    def circuit(self) -> Circuit:
        """Return a new circuit for the system, which opens when answers take far longer than expected."""
        return Circuit(budget_s=self.timeout_s * BUDGET_SHARE if self.budget_s is None else self.budget_s)


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its JSON (None without a body), and the headers with lower-case names."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(repr=False)


def _plain_refusal(_body: Any) -> tuple[str, str, tuple[str, ...]]:
    return "REFUSED", "the request is refused", ()


@cache
def _trusted() -> ssl.SSLContext:
    """Return what proves who a system is: the same for all clients of the program, because it takes long to read."""
    return httpx.create_ssl_context(trust_env=False)


class VendorClient:
    """A client of one system; opened with ``async with``.

    Args:
        authorize: makes the credentials; None sends none.
        read_refusal: reads the vendor's error bodies.
        own_outcomes: statuses that mean something else to this vendor.
        own_reasons: reasons in the vendor's error bodies, from ``read_refusal``, that say more than the status.
        observer: told of every call.
        circuit: the system's circuit, to share between its clients; None makes one.
    """

    def __init__(
        self,
        system: SourceSystem,
        settings: ClientSettings,
        *,
        authorize: Authorize | None = None,
        read_refusal: ReadRefusal = _plain_refusal,
        own_outcomes: Mapping[int, Outcome] | None = None,
        own_reasons: Mapping[str, Outcome] | None = None,
        observer: CallObserver | None = None,
        circuit: Circuit | None = None,
    ) -> None:
        self._system = system
        self._settings = settings
        self._authorize = authorize
        self._read_refusal = read_refusal
        self._own_outcomes = own_outcomes
        self._own_reasons = own_reasons or {}
        self._observer = observer
        self._circuit = circuit or settings.circuit()
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Make the connection pool; connections are made when they are first wanted."""
        limit = self._settings.max_connections
        self._http = httpx.AsyncClient(
            base_url=self._settings.base_url,
            limits=httpx.Limits(max_connections=limit, max_keepalive_connections=limit),
            timeout=httpx.Timeout(self._settings.timeout_s),
            follow_redirects=False,
            trust_env=False,
            verify=_trusted(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def get(self, operation: str, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read; tried again within the deadline when the system is not there for a moment.

        Raises:
            ConnectorError: one of its kinds, whatever went wrong.
        """
        return await self._call(operation, "GET", path, params=params, is_read=True)

    async def query(self, operation: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """Read by a POST whose body is the question; tried again like ``get``."""
        return await self._call(operation, "POST", path, body=body, headers=headers, is_read=True)

    async def submit(self, operation: str, path: str, form: Mapping[str, str]) -> Answer:
        """Read by a POST of a form, as sign-ins do; tried again like ``get``."""
        return await self._call(operation, "POST", path, form=form, is_read=True)

    async def send(
        self,
        operation: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Write, once.

        Raises:
            Unavailable: with ``outcome_unknown`` when the system may have done it; look before sending again.
            ConnectorError: another kind, and nothing was done.
        """
        return await self._call(operation, method, path, body=body, headers=headers, is_read=False)

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        is_read: bool,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        content = orjson.dumps(body) if body is not None else None
        if form is not None:
            content = urlencode(form).encode()
            headers = {**(headers or {}), "content-type": "application/x-www-form-urlencoded"}
        work = self._attempts(operation, method, path, params, content, headers or {}, is_read=is_read)
        return await self._guarded(operation, work, is_read=is_read)

    async def _guarded(self, operation: str, work: Coroutine[Any, Any, Answer], *, is_read: bool) -> Answer:
        """Do the work when the circuit lets it through, and report how it went."""
        is_part = _admitted.get() is self._circuit
        permit = None if is_part else self._circuit.admit()
        if permit is None and not is_part:
            work.close()
            raise self._left_alone(operation)
        token = _admitted.set(self._circuit)
        started = time.monotonic()
        code: str | None = None
        answered: bool | None = None
        try:
            answer = await self._in_time(operation, work, is_read=is_read)
            answered = True
            return answer
        except ConnectorError as error:
            code = error.code
            answered = None if isinstance(error, OutOfTime) else code not in _NO_ANSWER
            raise
        finally:
            _admitted.reset(token)
            if permit is not None:
                self._circuit.leave(permit, answered=answered)
            if self._observer is not None and answered is not None:
                took = time.monotonic() - started
                self._observer(SystemCall(self._system, operation, took, code, self._circuit.state))

    async def _in_time(self, operation: str, work: Coroutine[Any, Any, Answer], *, is_read: bool) -> Answer:
        own, left = self._settings.timeout_s, left_s() if is_read else None
        is_callers = left is not None and left < own
        try:
            async with asyncio.timeout(left if is_callers else own):
                return await work
        except TimeoutError as error:
            if is_callers:
                raise OutOfTime(self._system, operation) from error
            message = f"no answer within {self._settings.timeout_s:g} s"
            raise self._away(operation, message, unknown=not is_read) from error

    def _left_alone(self, operation: str) -> Unavailable:
        wait_s = self._circuit.wait_s or PROBE_WAIT_S
        message = f"it gave no answers lately, or late ones, and is left alone for another {wait_s:.0f} s"
        return self._away(operation, message, unknown=False, retry_after_s=wait_s)

    async def _attempts(
        self,
        operation: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        is_read: bool,
    ) -> Answer:
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            proof = await self._authorize(renewed) if self._authorize else {}
            try:
                status, answer_headers, raw = await self._exchange(
                    operation, method, path, params, content, {**headers, **proof}, is_read=is_read
                )
                return self._judge(operation, status, answer_headers, raw, is_read=is_read)
            except AuthFailed:
                if renewed or self._authorize is None:
                    raise
                renewed = True
            except OutOfTime:
                raise
            except (Unavailable, RateLimited) as error:
                pause = _pause(error, attempt)
                if not is_read or attempt >= READ_ATTEMPTS or pause >= self._settings.timeout_s:
                    raise
                await asyncio.sleep(pause)

    async def _exchange(
        self,
        operation: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        is_read: bool,
    ) -> tuple[int, httpx.Headers, bytes]:
        if self._http is None:
            raise RuntimeError("the client is not open: use it within 'async with'")
        sent = {"accept": "application/json", **headers}
        if content is not None:
            sent.setdefault("content-type", "application/json")
        try:
            async with self._http.stream(method, path, params=params, content=content, headers=sent) as response:
                return response.status_code, response.headers, await self._read(operation, response, is_read=is_read)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._away(operation, "it cannot be reached", unknown=False) from error
        except httpx.TimeoutException as error:
            raise self._away(operation, "it does not answer", unknown=not is_read) from error
        except httpx.TransportError as error:
            raise self._away(
                operation, f"the connection broke ({type(error).__name__})", unknown=not is_read
            ) from error

    async def _read(self, operation: str, response: httpx.Response, *, is_read: bool) -> bytes:
        raw = bytearray()
        async for chunk in response.aiter_bytes():
            raw += chunk
            if len(raw) > self._settings.max_body_bytes:
                message = f"the answer is larger than {self._settings.max_body_bytes} bytes"
                if is_read:
                    raise Unexpected(self._system, operation, message)
                raise self._away(operation, message, unknown=True)
        return bytes(raw)

    def _away(self, operation: str, message: str, *, unknown: bool, retry_after_s: float | None = None) -> Unavailable:
        return Unavailable(self._system, operation, message, outcome_unknown=unknown, retry_after_s=retry_after_s)

    def _judge(self, operation: str, status: int, headers: httpx.Headers, raw: bytes, *, is_read: bool) -> Answer:
        outcome = outcome_for(status, self._own_outcomes)
        if outcome.action is not Action.ACCEPT and self._own_reasons:
            outcome = self._own_reasons.get(self._refusal(raw)[0], outcome)
        message = f"{outcome.message} (status {status})"
        match outcome.action:
            case Action.ACCEPT:
                return Answer(status, self._decode(operation, headers, raw, is_read=is_read), headers)
            case Action.REAUTH:
                raise AuthFailed(self._system, operation, message)
            case Action.RATE_LIMITED:
                after = _retry_after(headers) or outcome.retry_after_s or DEFAULT_RETRY_AFTER_S
                raise RateLimited(self._system, operation, message, after)
            case Action.RETRY:
                raise self._away(operation, message, unknown=not is_read, retry_after_s=_retry_after(headers))
            case Action.NOT_FOUND:
                raise NotFound(self._system, operation, message)
            case Action.CONFLICT:
                raise Conflict(self._system, operation, message)
            case Action.REJECT:
                reason, text, fields = self._refusal(raw)
                raise Rejected(self._system, operation, text, reason=reason, fields=fields)
            case _:
                raise Unexpected(self._system, operation, message)

    def _decode(self, operation: str, headers: httpx.Headers, raw: bytes, *, is_read: bool) -> Any:
        if not raw:
            return None
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            kind = headers.get("content-type", "no content type").split(";")[0]
            message = f"the answer is not JSON but {kind}"
            if is_read:
                raise Unexpected(self._system, operation, message) from error
            # The write was accepted by whoever answered, so it may be done: the caller must look.
            raise self._away(operation, message, unknown=True) from error

    def _refusal(self, raw: bytes) -> tuple[str, str, tuple[str, ...]]:
        try:
            return self._read_refusal(orjson.loads(raw))
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            return _plain_refusal(None)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds of ``Retry-After``; dates are not used by the systems that we speak to."""
    value = headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _pause(error: Unavailable | RateLimited, attempt: int) -> float:
    if error.retry_after_s is not None:
        return error.retry_after_s
    return random.uniform(0, FIRST_PAUSE_S * 2 ** (attempt - 1))  # noqa: S311 - spreads load, guards nothing

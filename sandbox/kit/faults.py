"""Faults that a sandbox can be told to have, so that what depends on it can be seen to cope.

``PUT /_sandbox/faults`` takes a profile as JSON; every key is optional::

    {"seed": 1,
     "latency_ms": {"median": 20, "p95": 80},     # log-normal
     "error_rate": 0.1, "error_status": 500,      # before the request is handled; the vendor's own error body
     "html_rate": 0.0, "garbage_rate": 0.0,       # 200 with a proxy's page, or with half a JSON document
     "throttle_rate": 0.0, "retry_after_s": 1,    # 429 with Retry-After
     "hang_rate": 0.0,                            # never answers
     "lost_answer_rate": 0.0,                     # handled and committed, then never answers
     "hang_s": 30,                                # how long "never" is
     "only": {"methods": ["POST"], "path": "salesOrders"},   # requests that faults apply to
     "outages": [{"after_s": 0, "for_s": 5}],     # 503 for everything, and no webhooks; counted from now
     "webhooks": {"duplicate_rate": 0.2, "reorder_rate": 0.2}}
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FaultInjector", "FaultProfile", "Outage", "WebhookFaults", "read_profile"]

MAX_LATENCY_S = 60.0
"""Longest injected latency; beyond it a request counts as never answered anyway."""

MAX_OUTAGES = 20
"""Outage windows of one profile."""

MAX_HANG_S = 300.0
"""Longest time for which a request is left without an answer."""

_P95 = 1.6448536269514722
_PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Outage:
    """The system is down from ``after_s`` seconds after the profile was set, for ``for_s`` seconds."""

    after_s: float
    for_s: float


@dataclass(frozen=True, slots=True)
class WebhookFaults:
    """Rates (0 to 1) at which a webhook is sent twice, or after the next one."""

    duplicate_rate: float = 0.0
    reorder_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """How a system misbehaves; the module's text says what each key means. Without arguments it behaves."""

    seed: int = 0
    latency_median_ms: float = 0.0
    latency_p95_ms: float = 0.0
    error_rate: float = 0.0
    error_status: int = 500
    html_rate: float = 0.0
    garbage_rate: float = 0.0
    throttle_rate: float = 0.0
    retry_after_s: int = 1
    hang_rate: float = 0.0
    lost_answer_rate: float = 0.0
    hang_s: float = 30.0
    methods: frozenset[str] = frozenset()
    path: str = ""
    outages: tuple[Outage, ...] = ()
    webhooks: WebhookFaults = field(default_factory=WebhookFaults)


_RATES = ("error_rate", "html_rate", "garbage_rate", "throttle_rate", "hang_rate", "lost_answer_rate")
_NUMBERS = {"seed": (0, 2**31), "error_status": (400, 599), "retry_after_s": (0, 3600), "hang_s": (0, MAX_HANG_S)}


def read_profile(given: object) -> FaultProfile:
    """Return the profile that a JSON object describes.

    Raises:
        ValueError: a key or value is wrong; the message names it and what is accepted.
    """
    keys = _object(given, "faults", (*_RATES, *_NUMBERS, "latency_ms", "only", "outages", "webhooks"))
    values: dict[str, Any] = {name: _number(keys[name], name, 0, 1) for name in _RATES if name in keys}
    for name, (low, high) in _NUMBERS.items():
        if name in keys:
            number = _number(keys[name], name, low, high)
            values[name] = number if name == "hang_s" else int(number)
    latency = _object(keys.get("latency_ms", {}), "latency_ms", ("median", "p95"))
    median = _number(latency.get("median", 0), "latency_ms.median", 0, MAX_LATENCY_S * 1000)
    only = _object(keys.get("only", {}), "only", ("methods", "path"))
    methods = only.get("methods", [])
    if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
        raise ValueError("only.methods: give a list of HTTP methods")
    webhooks = _object(keys.get("webhooks", {}), "webhooks", ("duplicate_rate", "reorder_rate"))
    return FaultProfile(
        **values,
        latency_median_ms=median,
        latency_p95_ms=_number(latency.get("p95", median), "latency_ms.p95", median, MAX_LATENCY_S * 1000),
        methods=frozenset(method.upper() for method in methods),
        path=str(only.get("path", "")),
        outages=_outages(keys.get("outages", [])),
        webhooks=WebhookFaults(**{name: _number(rate, f"webhooks.{name}", 0, 1) for name, rate in webhooks.items()}),
    )


def _outages(given: object) -> tuple[Outage, ...]:
    if not isinstance(given, list) or len(given) > MAX_OUTAGES:
        raise ValueError(f"outages: give a list of at most {MAX_OUTAGES} windows")
    windows = [_object(window, "outages", ("after_s", "for_s")) for window in given]
    return tuple(
        Outage(
            _number(window.get("after_s", 0), "outages.after_s", 0, 86_400),
            _number(window.get("for_s", 0), "outages.for_s", 0, 86_400),
        )
        for window in windows
    )


def _object(given: object, name: str, accepted: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(f"{name}: give an object with the keys {', '.join(sorted(accepted))}")  # noqa: TRY004
    unknown = sorted(set(given) - set(accepted))
    if unknown:
        raise ValueError(f"{name}: unknown key {unknown[0]!r}; accepted are {', '.join(sorted(accepted))}")
    return given


def _number(given: object, name: str, low: float, high: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
        raise ValueError(f"{name}: give a number from {low:g} to {high:g}")
    return float(given)


class FaultInjector:
    """ASGI middleware around a vendor's routes that misbehaves as the current profile says.

    Args:
        app: the vendor's routes.
        failure: makes the vendor's own error body from a status and a message.
    """

    def __init__(self, app: ASGIApp, failure: Callable[[int, str], Response]) -> None:
        self._app = app
        self._failure = failure
        self.profile = FaultProfile()
        self._random = random.Random(0)  # noqa: S311 - chance that a test repeats, no secret
        self._since = time.monotonic()

    def use(self, profile: FaultProfile) -> None:
        """Misbehave as ``profile`` says from now on."""
        self.profile = profile
        self._random = random.Random(profile.seed)  # noqa: S311 - chance that a test repeats, no secret
        self._since = time.monotonic()

    def is_down(self) -> bool:
        """Whether an outage window is open."""
        passed = time.monotonic() - self._since
        return any(window.after_s <= passed < window.after_s + window.for_s for window in self.profile.outages)

    def strikes(self, rate: float) -> bool:
        """Whether chance strikes at this rate."""
        return rate > 0 and self._random.random() < rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or let it fail."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self.is_down():
            await self._failure(503, "the system is down")(scope, receive, send)
            return
        profile = self.profile
        if (profile.methods and scope["method"] not in profile.methods) or profile.path not in scope["path"]:
            await self._app(scope, receive, send)
            return
        if profile.latency_median_ms:
            await asyncio.sleep(self._latency_s())
        answer = self._fault_before()
        if answer is not None:
            await answer(scope, receive, send)
        elif self.strikes(profile.hang_rate):
            await self._never(scope, receive, send)
        elif self.strikes(profile.lost_answer_rate):
            await self._app(scope, receive, _into_nothing)
            await self._never(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _fault_before(self) -> Response | None:
        profile = self.profile
        if self.strikes(profile.error_rate):
            return self._failure(profile.error_status, "the system failed")
        if self.strikes(profile.throttle_rate):
            limited = self._failure(429, "too many requests")
            limited.headers["Retry-After"] = str(profile.retry_after_s)
            return limited
        if self.strikes(profile.html_rate):
            return HTMLResponse(_PROXY_PAGE)
        if self.strikes(profile.garbage_rate):
            return Response('{"value": [{"id"', media_type="application/json")
        return None

    def _latency_s(self) -> float:
        median, p95 = self.profile.latency_median_ms, self.profile.latency_p95_ms
        spread = math.log(p95 / median) / _P95
        return min(median / 1000 * math.exp(self._random.gauss(0, 1) * spread), MAX_LATENCY_S)

    async def _never(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self.profile.hang_s):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            await self._failure(504, "no answer in time")(scope, receive, send)


async def _into_nothing(_: Message) -> None:
    return

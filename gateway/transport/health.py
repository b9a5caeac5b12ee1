"""Which subgraphs are there, as far as the settings want them probed: for readiness, metrics and circuit breakers."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.config import SubgraphHealth
from gateway.transport.health_probe import HealthProbe
from gateway.transport.tls import SubgraphTlsContext

__all__ = ["HealthState", "ProbeTarget", "SubgraphStatus", "SubgraphsHealth"]

_log = logging.getLogger("gateway")

FAILURES = 2
"""Probes in a row that must fail before a subgraph counts as down: one lost packet is no outage."""

_NEVER = float("-inf")


class HealthState(StrEnum):
    """What the last probes said."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class SubgraphStatus:
    """What is known of one subgraph.

    Attributes:
        reason: what was wrong with the last probe, None when it succeeded.
        is_required: whether the gateway is not ready without it.
    """

    state: HealthState
    reason: str | None
    is_required: bool


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """How one subgraph is to be probed.

    Attributes:
        url: its GraphQL address.
        tls: how it is believed; None for the authorities of the machine.
    """

    url: str
    settings: SubgraphHealth
    tls: SubgraphTlsContext | None


@dataclass(slots=True)
class _Watched:
    target: ProbeTarget
    probe: HealthProbe
    due_at: float = 0.0
    state: HealthState = HealthState.UNKNOWN
    reason: str | None = None
    failures: int = 0
    seen_at: float = _NEVER


class SubgraphsHealth:
    """Probes subgraphs while the server runs."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._changed = asyncio.Event()

    def watch(self, targets: Mapping[str, ProbeTarget]) -> None:
        """Probe these from now on and no others; what is known of one that is to be probed as before stays."""
        before, self._watched = self._watched, {}
        for name, target in targets.items():
            known = before.get(name)
            if known is None or known.target != target:
                known = _Watched(target, HealthProbe(name, target.url, target.settings, target.tls))
            self._watched[name] = known
        self._changed.set()

    def statuses(self) -> dict[str, SubgraphStatus]:
        """Return what is known now, by subgraph."""
        return {
            name: SubgraphStatus(item.state, item.reason, item.target.settings.required)
            for name, item in self._watched.items()
        }

    def seen_at(self, subgraph: str) -> float:
        """Return the monotonic time of the last probe that succeeded, minus infinity when none did."""
        found = self._watched.get(subgraph)
        return _NEVER if found is None else found.seen_at

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            due = [(name, item) for name, item in self._watched.items() if item.due_at <= now]
            await asyncio.gather(*(self._check(name, item) for name, item in due))
            next_at = min((item.due_at for item in self._watched.values()), default=None)
            try:
                async with asyncio.timeout(None if next_at is None else max(0.0, next_at - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _check(self, name: str, item: _Watched) -> None:
        # Gateways that started together must not knock in step.
        item.due_at = time.monotonic() + item.target.settings.interval * random.uniform(0.9, 1.1)  # noqa: S311
        item.reason = await item.probe.check()
        if item.reason is None:
            if item.state is HealthState.DOWN:
                _log.info("subgraph %s is up again", name)
            item.state, item.failures, item.seen_at = HealthState.UP, 0, time.monotonic()
            return
        item.failures += 1
        if item.failures >= FAILURES and item.state is not HealthState.DOWN:
            _log.warning("subgraph %s is down: %s", name, item.reason)
            item.state = HealthState.DOWN

"""What one set of settings makes of the way that operations take.

A graph holds the rules that it is served under, and an operation holds its graph: so what is under way ends by the
rules under which it began, and one assignment puts other ones in force.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.cache.cache import Cache
from gateway.config import ErrorSettings, GatewaySettings
from gateway.extensions.hooks import Hooks
from gateway.policies.error_mask import ErrorMask
from gateway.policies.observer import Observer
from gateway.policies.policy_set import PolicySet, compile_policies
from gateway.policies.request_log import RequestLog
from gateway.server.streams import StreamLimits
from gateway.server.surroundings import Surroundings

__all__ = ["Rules"]


def _silent() -> Observer:
    return Observer(ErrorMask(ErrorSettings()), RequestLog("none"), None)


@dataclass(frozen=True, slots=True)
class Rules:
    """Policies, what is told of operations, and what they run with.

    Attributes:
        max_cached_plans: operations that are remembered.
        max_cached_text_bytes: characters of the longest text that is remembered.
        resume_for_s: how long a resumable stream that broke is taken up again.
        stream_limits: what may wait for one client of a subscription, and for how long.
        cache: what is kept of answers, None when nothing is.
        hooks: what extensions do with operations, None when there are none.
    """

    policies: PolicySet = field(default_factory=lambda: compile_policies(GatewaySettings()))
    observer: Observer = field(default_factory=_silent)
    surroundings: Surroundings = field(default_factory=Surroundings)
    max_cached_plans: int = 1000
    max_cached_text_bytes: int = 64 * 1024
    resume_for_s: float = 60.0
    stream_limits: StreamLimits = field(default_factory=StreamLimits)
    cache: Cache | None = None
    hooks: Hooks | None = None

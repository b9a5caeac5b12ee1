"""What is compiled from one set of settings and does not depend on the supergraph.

When settings change, a part whose own settings are the same goes on as it is: with its connections, and with what it
counts and keeps.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.bootstrap.identities import build_claims, build_identity
from gateway.bootstrap.observation import build_metrics, build_tracing
from gateway.cache.build import build_cache
from gateway.cache.cache import Cache
from gateway.config import GatewaySettings
from gateway.extensions.extension import Extension
from gateway.extensions.hooks import bind
from gateway.extensions.lifecycle import Lifecycle
from gateway.extensions.loading import load_extensions
from gateway.policies.audit_log import AuditLog
from gateway.policies.error_mask import ErrorMask
from gateway.policies.header_rules import HeaderRules
from gateway.policies.observer import Observer
from gateway.policies.policy_set import compile_policies
from gateway.policies.request_log import RequestLog
from gateway.policies.shared_redis import SharedRedis
from gateway.server.client_deadline import ClientDeadline
from gateway.server.principal import Identity
from gateway.server.rules import Rules
from gateway.server.stream_sharing import StreamSharing
from gateway.server.streams import StreamLimits
from gateway.server.surroundings import Surroundings
from gateway.tracing import Tracing
from gateway.transport.tls import SubgraphTlsContext

if TYPE_CHECKING:
    from gateway.policies.metrics import Metrics

__all__ = ["Generation", "compile_settings", "stream_limits"]

_log = logging.getLogger("gateway")

_Close = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """One set of settings and what is made of it.

    Attributes:
        certificates: those of subgraphs for which the settings name some, by subgraph.
        metrics: where figures are counted; kept when they are switched off, so that they go on when switched on again.
        closing: what is to be awaited once nothing uses the identity any more.
        extensions: those that the settings name, to be opened before they are used.
    """

    settings: GatewaySettings
    headers: HeaderRules
    certificates: Mapping[str, SubgraphTlsContext]
    metrics: Metrics | None
    tracing: Tracing
    redis: SharedRedis | None
    identity: Identity
    closing: tuple[_Close, ...]
    rules: Rules
    extensions: Lifecycle

    @property
    def served_metrics(self) -> Metrics | None:
        """Where figures are counted, None while they are switched off."""
        return self.metrics if self.settings.telemetry.metrics else None

    @property
    def captured(self) -> tuple[str, ...]:
        """Headers of clients that are read: by the rules, and for the time that they wait."""
        traffic = self.settings.traffic
        waits = (traffic.deadline_header,) if traffic.client_deadline and traffic.deadline_header is not None else ()
        return (*self.headers.captured, *waits)

    async def retire(self, after: Generation | None) -> None:
        """Close what the generation after this one has not taken over."""
        await self.extensions.aclose()
        if self.redis is not None and (after is None or after.redis is not self.redis):
            await self.redis.aclose()
        if after is None or after.identity is not self.identity:
            for close in self.closing:
                await close()
        cache = self.rules.cache
        if cache is not None and (after is None or after.rules.cache is not cache):
            await cache.aclose()


def compile_settings(
    settings: GatewaySettings,
    identity: Identity | None = None,
    before: Generation | None = None,
    given: Sequence[Extension] = (),
) -> Generation:
    """Return what is made of settings; reads the files that they name.

    Args:
        settings: the settings.
        identity: tells who asks, instead of what the settings say.
        before: what goes on where its own settings are the same.
        given: extensions that come from outside; those of the settings come after them and are made anew.

    Raises:
        ConfigError: a file that the settings name cannot be used, an extra that they need is not installed, or an
            extension that they name cannot be made.
    """
    old = None if before is None else before.settings
    redis = None if before is None else before.redis
    if old is None or old.redis != settings.redis:
        redis = None if settings.redis is None else SharedRedis(settings.redis)
    metrics = None if before is None else before.metrics
    if metrics is None:
        metrics = build_metrics(settings)
    if before is not None and before.settings.telemetry.tracing == settings.telemetry.tracing:
        tracing = before.tracing
    else:
        tracing = build_tracing(settings)
    closing: list[_Close] = []
    if before is not None and _proves_alike(before.settings, settings):
        chosen, kept = before.identity, before.closing
    else:
        chosen = identity or build_identity(settings, closing)
        kept = tuple(closing)
    counted = metrics if settings.telemetry.metrics else None
    telemetry, made = settings.telemetry, load_extensions(settings.extensions)
    hooks = bind((*given, *made))
    log, audit = RequestLog(telemetry.request_log), AuditLog(is_on=telemetry.audit_refusals)
    observer = Observer(ErrorMask(settings.errors), log, counted, tracing, audit)
    rules = Rules(
        compile_policies(settings, redis, None if before is None else before.rules.policies),
        observer,
        Surroundings(
            build_claims(settings),
            settings.traffic.operation_timeout,
            StreamSharing(settings.subscriptions),
            _client_deadline(settings),
            retries_keyed=settings.idempotency.retry,
        ),
        settings.limits.max_cached_plans,
        settings.limits.max_cached_text_bytes,
        settings.subscriptions.resume_for,
        stream_limits(settings),
        _cache(settings, metrics, before),
        hooks,
    )
    if hooks is not None and hooks.tell_callers and rules.cache is not None:
        _log.warning("no answers are kept: an extension that sees callers may make each one caller's own")
    certificates = {
        name: SubgraphTlsContext(name, own.tls) for name, own in settings.subgraphs.items() if own.tls is not None
    }
    headers = HeaderRules(settings.headers)
    return Generation(settings, headers, certificates, metrics, tracing, redis, chosen, kept, rules, Lifecycle(made))


def stream_limits(settings: GatewaySettings) -> StreamLimits:
    """Return the bounds of one subscription of a client."""
    given = settings.subscriptions
    return StreamLimits(given.max_waiting_events, given.slow_client_timeout, given.heartbeat)


def _cache(settings: GatewaySettings, metrics: Metrics | None, before: Generation | None) -> Cache | None:
    """Return what is kept of answers: what the generation before keeps, where it is kept the same way."""
    if before is not None and before.metrics is metrics:
        parts = ("cache", "redis", "identity", "headers", "extensions")
        if all(getattr(before.settings, part) == getattr(settings, part) for part in parts):
            return before.rules.cache
    return build_cache(settings, metrics)


def _client_deadline(settings: GatewaySettings) -> ClientDeadline | None:
    header = settings.traffic.deadline_header
    return ClientDeadline(header) if settings.traffic.client_deadline and header is not None else None


def _proves_alike(old: GatewaySettings, new: GatewaySettings) -> bool:
    """Tell whether who asks is proved the same way, so that keys that were read and tokens that were proved stay."""
    return old.identity.model_copy(update={"subgraph_claims": None}) == new.identity.model_copy(
        update={"subgraph_claims": None}
    )

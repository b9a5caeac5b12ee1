"""The policies of one gateway, compiled from its settings."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config import (
    AuthorizationSettings,
    AutomaticDocuments,
    DocumentSettings,
    GatewaySettings,
    LimitSettings,
    RateSettings,
)
from gateway.policies.admission import Admission
from gateway.policies.demand import Demand
from gateway.policies.document_manifest import read_manifests
from gateway.policies.document_store import DocumentStore, MemoryDocuments, RedisDocuments
from gateway.policies.documents import Documents, TrustedRules
from gateway.policies.introspection import IntrospectionPolicy
from gateway.policies.load import Load
from gateway.policies.operation_limits import OperationLimits
from gateway.policies.rate_limits import RateLimits
from gateway.policies.rate_store import MemoryRates, RateStore, RedisRates
from gateway.policies.shared_redis import SharedRedis
from gateway.policies.variable_limits import VariableLimits

__all__ = ["PolicySet", "compile_policies"]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """What the pipeline applies to every operation, and what it was compiled from."""

    operations: OperationLimits
    max_tokens: int
    variables: VariableLimits
    introspection: IntrospectionPolicy
    documents: Documents
    admission: Admission
    load: Load
    authorization: AuthorizationSettings
    settings: GatewaySettings
    redis: SharedRedis | None


def compile_policies(
    settings: GatewaySettings, redis: SharedRedis | None = None, before: PolicySet | None = None
) -> PolicySet:
    """Return the policies of settings; what those ``before`` count and keep stays, where it still means the same.

    The operations under way are counted on in the same place, whose bounds change by :meth:`Load.change`.

    Raises:
        ConfigError: a file that the settings name cannot be used.
    """
    limits = settings.limits
    return PolicySet(
        operations=_operation_limits(limits),
        max_tokens=limits.max_tokens,
        variables=VariableLimits(limits.max_variables_bytes),
        introspection=IntrospectionPolicy(
            settings.introspection.enabled, frozenset(settings.introspection.required_scopes)
        ),
        authorization=settings.authorization,
        admission=Admission(Demand(settings.demand), _rates(settings.rates, redis, before)),
        load=Load(settings.load) if before is None else before.load,
        documents=_documents(settings.documents, redis, before),
        settings=settings,
        redis=redis,
    )


def _rates(settings: RateSettings, redis: SharedRedis | None, before: PolicySet | None) -> RateLimits:
    memory = MemoryRates() if before is None else before.admission.rates.memory
    store: RateStore = memory
    if settings.store == "redis" and redis is not None:
        store = RedisRates(redis, memory)
    return RateLimits(settings.rules, store, memory)


def _documents(settings: DocumentSettings, redis: SharedRedis | None, before: PolicySet | None) -> Documents:
    rules: TrustedRules | None = None
    trusted = settings.trusted
    if trusted is not None:
        manifest = read_manifests(trusted.manifests)
        rules = TrustedRules(manifest, trusted.mode, trusted.clients, require_id=trusted.require_id)
    if before is not None and before.redis is redis and before.settings.documents.automatic == settings.automatic:
        return Documents(before.documents.automatic, rules)
    return Documents(_document_store(settings.automatic, redis), rules)


def _document_store(automatic: AutomaticDocuments, redis: SharedRedis | None) -> DocumentStore | None:
    if not automatic.enabled:
        return None
    near = MemoryDocuments(automatic.max_documents, automatic.max_document_bytes)
    if automatic.store == "redis" and redis is not None:
        return RedisDocuments(redis, near, automatic.max_document_bytes, automatic.lifetime)
    return near


def _operation_limits(limits: LimitSettings) -> OperationLimits:
    return OperationLimits(
        depth=limits.max_depth,
        height=limits.max_height,
        aliases=limits.max_aliases,
        root_fields=limits.max_root_fields,
        directives=limits.max_directives,
        introspection_depth=limits.max_introspection_depth,
    )

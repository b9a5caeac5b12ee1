"""The policies of one gateway, compiled from its settings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.config import AuthorizationSettings, DocumentSettings, GatewaySettings, LimitSettings, RateSettings
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

__all__ = ["PolicySet", "change_policies", "compile_policies"]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """What the pipeline applies to every operation."""

    operations: OperationLimits
    max_tokens: int
    variables: VariableLimits
    introspection: IntrospectionPolicy
    documents: Documents
    admission: Admission
    load: Load
    authorization: AuthorizationSettings


def compile_policies(settings: GatewaySettings, redis: SharedRedis | None = None) -> PolicySet:
    """Return the policies of settings.

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
        admission=Admission(Demand(settings.demand), _rates(settings.rates, redis)),
        load=Load(settings.load),
        documents=_documents(settings.documents, redis),
    )


def change_policies(policies: PolicySet, settings: GatewaySettings) -> PolicySet:
    """Return the policies with the limits and rates of other settings; what they count and keep stays."""
    limits = settings.limits
    return replace(
        policies,
        operations=_operation_limits(limits),
        max_tokens=limits.max_tokens,
        variables=VariableLimits(limits.max_variables_bytes),
        admission=policies.admission.with_rules(settings.rates.rules),
    )


def _rates(settings: RateSettings, redis: SharedRedis | None) -> RateLimits:
    store: RateStore = MemoryRates()
    if settings.store == "redis" and redis is not None:
        store = RedisRates(redis, MemoryRates())
    return RateLimits(settings.rules, store)


def _documents(settings: DocumentSettings, redis: SharedRedis | None) -> Documents:
    automatic, trusted = settings.automatic, settings.trusted
    store: DocumentStore | None = None
    if automatic.enabled:
        store = near = MemoryDocuments(automatic.max_documents, automatic.max_document_bytes)
        if automatic.store == "redis" and redis is not None:
            store = RedisDocuments(redis, near, automatic.max_document_bytes, automatic.lifetime)
    rules: TrustedRules | None = None
    if trusted is not None:
        manifest = read_manifests(trusted.manifests)
        rules = TrustedRules(manifest, trusted.mode, trusted.clients, require_id=trusted.require_id)
    return Documents(store, rules)


def _operation_limits(limits: LimitSettings) -> OperationLimits:
    return OperationLimits(
        depth=limits.max_depth,
        height=limits.max_height,
        aliases=limits.max_aliases,
        root_fields=limits.max_root_fields,
        directives=limits.max_directives,
        introspection_depth=limits.max_introspection_depth,
    )

"""The gateway's settings: frozen models, read once, refused when anything is unknown."""

from gateway.config.authorization import AuthorizationSettings
from gateway.config.browsers import CorsSettings, CsrfSettings
from gateway.config.cache import CacheSettings, InvalidationSettings, SubgraphCacheSettings
from gateway.config.callback import CallbackSettings
from gateway.config.changes import changed_keys, check_change
from gateway.config.demand import DemandSettings
from gateway.config.documents import AutomaticDocuments, DocumentSettings, TrustedDocuments
from gateway.config.extensions import ExtensionSettings
from gateway.config.headers import HeaderSettings, SubgraphHeaderSettings
from gateway.config.idempotency import IdempotencySettings
from gateway.config.identity import (
    ApiKeySettings,
    DevelopmentIdentity,
    IdentitySettings,
    KeySetSettings,
    SubgraphClaims,
    TokenIdentity,
)
from gateway.config.introspection import IntrospectionSettings
from gateway.config.limits import LimitSettings
from gateway.config.load import load_settings, read_file, settings_from, settings_schema, validate
from gateway.config.models import GatewaySettings
from gateway.config.rates import LoadSettings, RateRule, RateSettings
from gateway.config.redis import RedisSettings
from gateway.config.server import ExampleTab, ServerSettings
from gateway.config.subgraphs import SubgraphHealth, SubgraphSettings
from gateway.config.subscriptions import SubscriptionSettings
from gateway.config.supergraph import SupergraphSettings
from gateway.config.telemetry import ErrorSettings, TelemetrySettings
from gateway.config.tls import ServerTls, SubgraphTls
from gateway.config.traffic import CircuitSettings, RetrySettings, TrafficSettings

__all__ = [
    "ApiKeySettings",
    "AuthorizationSettings",
    "AutomaticDocuments",
    "CacheSettings",
    "CallbackSettings",
    "CircuitSettings",
    "CorsSettings",
    "CsrfSettings",
    "DemandSettings",
    "DevelopmentIdentity",
    "DocumentSettings",
    "ErrorSettings",
    "ExampleTab",
    "ExtensionSettings",
    "GatewaySettings",
    "HeaderSettings",
    "IdempotencySettings",
    "IdentitySettings",
    "IntrospectionSettings",
    "InvalidationSettings",
    "KeySetSettings",
    "LimitSettings",
    "LoadSettings",
    "RateRule",
    "RateSettings",
    "RedisSettings",
    "RetrySettings",
    "ServerSettings",
    "ServerTls",
    "SubgraphCacheSettings",
    "SubgraphClaims",
    "SubgraphHeaderSettings",
    "SubgraphHealth",
    "SubgraphSettings",
    "SubgraphTls",
    "SubscriptionSettings",
    "SupergraphSettings",
    "TelemetrySettings",
    "TokenIdentity",
    "TrafficSettings",
    "TrustedDocuments",
    "changed_keys",
    "check_change",
    "load_settings",
    "read_file",
    "settings_from",
    "settings_schema",
    "validate",
]

"""The gateway's settings: frozen models, read once, refused when anything is unknown."""

from gateway.config.load import load_settings, read_file, settings_from, settings_schema, validate
from gateway.config.models import (
    DevelopmentIdentity,
    ExampleTab,
    GatewaySettings,
    HeaderSettings,
    IdentitySettings,
    LimitSettings,
    ServerSettings,
    SubgraphClaims,
    SubgraphSettings,
    SubscriptionSettings,
    TokenIdentity,
    TrafficSettings,
)

__all__ = [
    "DevelopmentIdentity",
    "ExampleTab",
    "GatewaySettings",
    "HeaderSettings",
    "IdentitySettings",
    "LimitSettings",
    "ServerSettings",
    "SubgraphClaims",
    "SubgraphSettings",
    "SubscriptionSettings",
    "TokenIdentity",
    "TrafficSettings",
    "load_settings",
    "read_file",
    "settings_from",
    "settings_schema",
    "validate",
]

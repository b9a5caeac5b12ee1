"""One model per section of the gateway's settings.

Durations are written as ``"500ms"``, ``"5s"``, ``"2m"`` or ``"1h"`` and held in seconds. Sizes are bytes.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

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
    "is_loopback",
]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def _parse_duration(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)  # a default or a value that was parsed before
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or float(found[1]) == 0:
        raise ValueError('a duration such as "500ms", "5s", "2m" or "1h" is expected')
    return float(found[1]) * _UNITS[found[2]]


Duration = Annotated[
    float,
    BeforeValidator(_parse_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$", "examples": ["5s"]}),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ExampleTab(_Section):
    """An operation that GraphiQL offers in a tab."""

    title: str
    """Name of the tab."""
    query: str
    """Operation text."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Variables as JSON."""


class ServerSettings(_Section):
    """Where and what the server serves."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=4000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    path: str = Field(default="/graphql", pattern=r"^/[^?#]+$")
    """Path of the GraphQL endpoint, for HTTP, SSE and WebSocket alike."""
    graphiql: bool = True
    """Serve GraphiQL to browsers at ``/``."""
    examples: tuple[ExampleTab, ...] = ()
    """Operations that GraphiQL opens with."""


class SubgraphSettings(_Section):
    """How one subgraph is reached."""

    url: str | None = None
    """Address; overrides the one in the supergraph."""
    subscriptions: Literal["graphql-transport-ws", "sse", "none"] = "graphql-transport-ws"
    """Protocol of subscriptions."""
    subscriptions_url: str | None = None
    """Address of subscriptions when it is another one."""
    timeout: Duration | None = None
    """Time for one answer; overrides ``traffic.timeout``."""


class TrafficSettings(_Section):
    """Requests to subgraphs."""

    timeout: Duration = 30.0
    """Time for one answer of a subgraph, from the start of the request to the end of the body."""
    connect_timeout: Duration = 5.0
    """Time until a connection or a subscription is accepted."""
    max_connections: int = Field(default=256, ge=1)
    """Requests in flight to one subgraph; more wait."""
    max_response_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Largest answer of a subgraph."""
    share_subgraph_requests: bool = True
    """Send identical queries that are in flight at the same time once (same body, same propagated headers)."""
    share_client_requests: bool = False
    """Execute identical client queries that are in flight at the same time once (same body, headers and principal)."""


class HeaderSettings(_Section):
    """Which headers of the client reach the subgraphs. Nothing does unless it is named."""

    propagate: tuple[str, ...] = ()
    """Names of headers that are passed on as they are."""


class LimitSettings(_Section):
    """What one client request may cost."""

    max_request_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Largest request body."""
    max_cached_plans: int = Field(default=1000, ge=1)
    """Compiled plans kept, the least recently used go first."""
    max_cached_text_bytes: int = Field(default=64 * 1024, ge=0)
    """Operations with a longer text are planned for each request, so that the cache has a bounded size."""


class SubscriptionSettings(_Section):
    """Subscriptions of clients."""

    max_per_connection: int = Field(default=100, ge=1)
    """Operations under way on one WebSocket."""
    max_total: int = Field(default=10_000, ge=1)
    """Subscriptions under way in this process."""
    init_timeout: Duration = 5.0
    """Time in which a WebSocket must send ``connection_init``."""
    heartbeat: Duration = 12.0
    """Pause after which an idle event stream gets a comment and an idle WebSocket a ping."""


class DevelopmentIdentity(_Section):
    """A principal that every request gets. Only accepted while the server listens on loopback."""

    subject: str = Field(min_length=1)
    """Who the principal is."""
    scopes: tuple[str, ...] = ()
    """Scopes that it holds."""
    policies: tuple[str, ...] = ()
    """Policies that it meets."""
    claims: dict[str, str | int | bool | tuple[str, ...] | None] = Field(default_factory=dict)
    """What else subgraphs are told of it."""


class TokenIdentity(_Section):
    """Requests carry ``authorization: Bearer <JSON Web Token>``; without the header they are anonymous."""

    secret: str = Field(min_length=32, repr=False)
    """Secret that signs tokens with HS256, at least 32 characters; from the environment."""
    issuer: str | None = None
    """Who must have issued a token (``iss``)."""
    audience: str | None = None
    """Whom a token must be meant for (``aud``)."""
    leeway: Duration = 5.0
    """How far clocks may differ."""
    pass_claims: tuple[str, ...] = ()
    """Claims that subgraphs are told besides ``sub`` and ``scopes``; see ``subgraph_claims``."""


class SubgraphClaims(_Section):
    """The signed header by which subgraphs learn who asks."""

    key: str = Field(min_length=16, repr=False)
    """Secret shared with the subgraphs, at least 16 characters; from the environment."""
    header: str = Field(default="crossdock-claims", pattern=r"^[a-z0-9-]+$")
    """Name of the header, lower case."""
    lifetime: Duration = 60.0
    """Time until a header is no longer valid; subscriptions renew it with every event."""


class IdentitySettings(_Section):
    """Who a request comes from. Without a setting everybody is anonymous and protected fields stay closed."""

    development_identity: DevelopmentIdentity | None = None
    """Principal of every request, for development."""
    tokens: TokenIdentity | None = None
    """Signed tokens, for everything that is not development on one machine."""
    subgraph_claims: SubgraphClaims | None = None
    """Tell subgraphs who asks. Without it they learn nothing of the caller."""


class GatewaySettings(_Section):
    """All settings of the gateway."""

    server: ServerSettings = ServerSettings()
    """Where and what is served."""
    subgraphs: dict[str, SubgraphSettings] = Field(default_factory=dict)
    """Settings per subgraph, by its name in the supergraph."""
    traffic: TrafficSettings = TrafficSettings()
    """How requests to subgraphs are bounded and shared."""
    headers: HeaderSettings = HeaderSettings()
    """Headers passed to subgraphs."""
    limits: LimitSettings = LimitSettings()
    """Bounds of client requests."""
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    """How many subscriptions clients may have and how these are kept alive."""
    identity: IdentitySettings = IdentitySettings()
    """Who requests come from."""

    @model_validator(mode="after")
    def _keep_claims_ours(self) -> GatewaySettings:
        claims = self.identity.subgraph_claims
        if claims is not None and claims.header in {name.lower() for name in self.headers.propagate}:
            said = "which the gateway signs: clients must not be able to set it"
            raise ValueError(f"headers.propagate names {claims.header!r}, {said}")
        return self

    @model_validator(mode="after")
    def _choose_one_identity(self) -> GatewaySettings:
        if self.identity.development_identity is not None and self.identity.tokens is not None:
            raise ValueError("identity: development_identity and tokens exclude each other; keep one of them")
        return self

    @model_validator(mode="after")
    def _keep_development_at_home(self) -> GatewaySettings:
        if self.identity.development_identity is not None and not is_loopback(self.server.host):
            raise ValueError(
                f"identity.development_identity signs everybody in, so server.host must be a loopback address and not "
                f"{self.server.host!r}"
            )
        return self


def is_loopback(host: str) -> bool:
    """Tell whether an address only reaches this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

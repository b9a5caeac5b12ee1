"""All sections together, and what must hold between them."""

from __future__ import annotations

from pydantic import Field, model_validator

from gateway.config.authorization import AuthorizationSettings
from gateway.config.browsers import CorsSettings, CsrfSettings
from gateway.config.cache import CacheSettings
from gateway.config.callback import CallbackSettings
from gateway.config.demand import DemandSettings
from gateway.config.documents import DocumentSettings
from gateway.config.extensions import ExtensionSettings
from gateway.config.headers import HeaderSettings
from gateway.config.idempotency import IdempotencySettings
from gateway.config.identity import IdentitySettings
from gateway.config.introspection import IntrospectionSettings
from gateway.config.limits import LimitSettings
from gateway.config.rates import LoadSettings, RateSettings
from gateway.config.redis import RedisSettings
from gateway.config.section import Section
from gateway.config.server import ServerSettings, is_loopback
from gateway.config.subgraphs import SubgraphSettings
from gateway.config.subscriptions import SubscriptionSettings
from gateway.config.supergraph import SupergraphSettings
from gateway.config.telemetry import ErrorSettings, TelemetrySettings
from gateway.config.traffic import TrafficSettings

__all__ = ["GatewaySettings"]


class GatewaySettings(Section):
    """All settings of the gateway."""

    server: ServerSettings = ServerSettings()
    """Where and what is served."""
    supergraph: SupergraphSettings = SupergraphSettings()
    """Where the supergraph comes from, and whether a changed one is served without a restart."""
    subgraphs: dict[str, SubgraphSettings] = Field(default_factory=dict)
    """Settings per subgraph, by its name in the supergraph."""
    traffic: TrafficSettings = TrafficSettings()
    """How requests to subgraphs are bounded and shared."""
    cache: CacheSettings = CacheSettings()
    """Answers that are kept for a while."""
    headers: HeaderSettings = HeaderSettings()
    """Headers passed to subgraphs."""
    limits: LimitSettings = LimitSettings()
    """Bounds of client requests."""
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    """How many subscriptions clients may have and how these are kept alive."""
    callback: CallbackSettings | None = None
    """Where subgraphs send the events of subscriptions by HTTP callback."""
    identity: IdentitySettings = IdentitySettings()
    """Who requests come from."""
    idempotency: IdempotencySettings = IdempotencySettings()
    """Mutations with a key of the client's, by which a second attempt is known."""
    cors: CorsSettings | None = None
    """Which pages of other sites may read answers; none without it."""
    csrf: CsrfSettings = CsrfSettings()
    """Requests that pages of other sites may send."""
    documents: DocumentSettings = DocumentSettings()
    """Documents that clients name instead of sending them."""
    demand: DemandSettings = DemandSettings()
    """What operations may cost."""
    rates: RateSettings = RateSettings()
    """How often clients may ask."""
    load: LoadSettings = LoadSettings()
    """How much runs at the same time."""
    errors: ErrorSettings = ErrorSettings()
    """What clients are told of failures of subgraphs."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """What is logged and counted of requests."""
    redis: RedisSettings | None = None
    """A Redis for what policies share between processes."""
    authorization: AuthorizationSettings = AuthorizationSettings()
    """What happens to fields that a principal may not see."""
    introspection: IntrospectionSettings = IntrospectionSettings()
    """Who may ask for the schema."""
    extensions: tuple[ExtensionSettings, ...] = ()
    """Code of your own that sees operations, plans, requests to subgraphs and answers."""

    @model_validator(mode="after")
    def _keep_claims_ours(self) -> GatewaySettings:
        claims = self.identity.subgraph_claims
        rules = (self.headers, *self.headers.subgraphs.values())
        if claims is not None and any(claims.header in {*part.sources(), *part.targets()} for part in rules):
            said = "which the gateway signs: clients must not be able to set it"
            raise ValueError(f"headers names {claims.header!r}, {said}")
        return self

    @model_validator(mode="after")
    def _keep_the_deadline_ours(self) -> GatewaySettings:
        header = self.traffic.deadline_header
        rules = (self.headers, *self.headers.subgraphs.values())
        if any(header in {*part.sources(), *part.targets()} for part in rules):
            said = "in which the gateway itself tells subgraphs how long it waits"
            raise ValueError(f"headers names {header!r}, {said}: take another name for traffic.deadline_header")
        if self.traffic.client_deadline and header is None:
            raise ValueError("traffic.client_deadline is on: name the header as traffic.deadline_header")
        return self

    @model_validator(mode="after")
    def _name_a_redis(self) -> GatewaySettings:
        if self.redis is None and self.cache.invalidation.stream is not None:
            raise ValueError("cache.invalidation.stream is in Redis: give its address in the section redis")
        stores: dict[str, str] = {
            "cache.store": self.cache.store,
            "documents.automatic.store": self.documents.automatic.store,
            "rates.store": self.rates.store,
        }
        if self.callback is not None:
            stores["callback.relay"] = self.callback.relay
        for key, store in stores.items():
            if self.redis is None and store == "redis":
                raise ValueError(f'{key} is "redis": give its address in the section redis')
        return self

    @model_validator(mode="after")
    def _have_a_place_for_callbacks(self) -> GatewaySettings:
        used = next((name for name, own in self.subgraphs.items() if own.subscriptions == "callback"), None)
        if used is not None and self.callback is None:
            said = "give the address where it sends events as callback.public_url"
            raise ValueError(f'subgraphs.{used}.subscriptions is "callback": {said}')
        if self.callback is not None and self.callback.path == self.server.path:
            raise ValueError(f"callback.path is {self.callback.path}, which is the GraphQL endpoint; take another path")
        if self.callback is not None and self.callback.relay == "none" and self.server.workers > 1:
            said = "an event may reach another worker than the one that it is for"
            raise ValueError(f'server.workers is {self.server.workers}: {said}; set callback.relay to "redis"')
        return self

    @model_validator(mode="after")
    def _compute_costs_that_are_counted(self) -> GatewaySettings:
        counted = next((rule.name for rule in self.rates.rules if rule.unit == "cost"), None)
        if counted is not None and self.demand.mode == "off":
            raise ValueError(f'rates: the rule {counted} counts costs: set demand.mode to "measure" or "enforce"')
        return self

    @model_validator(mode="after")
    def _choose_one_identity(self) -> GatewaySettings:
        identity = self.identity
        if identity.development_identity is not None and (identity.tokens is not None or identity.api_keys):
            what = "tokens" if identity.tokens is not None else "api_keys"
            raise ValueError(f"identity: development_identity and {what} exclude each other; keep one of them")
        return self

    @model_validator(mode="after")
    def _keep_development_at_home(self) -> GatewaySettings:
        if self.identity.development_identity is not None and not is_loopback(self.server.host):
            raise ValueError(
                f"identity.development_identity signs everybody in, so server.host must be a loopback address and not "
                f"{self.server.host!r}"
            )
        return self

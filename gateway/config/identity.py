"""Who requests come from, and how subgraphs learn it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from gateway.config.headers import HeaderName
from gateway.config.section import Duration, Section

__all__ = [
    "ApiKeySettings",
    "DevelopmentIdentity",
    "IdentitySettings",
    "KeySetSettings",
    "SubgraphClaims",
    "TokenIdentity",
]

ClaimValue = str | int | bool | tuple[str, ...] | None


class DevelopmentIdentity(Section):
    """A principal that every request gets. Only accepted while the server listens on loopback."""

    subject: str = Field(min_length=1)
    """Who the principal is."""
    scopes: tuple[str, ...] = ()
    """Scopes that it holds."""
    policies: tuple[str, ...] = ()
    """Policies that it meets."""
    claims: dict[str, ClaimValue] = Field(default_factory=dict)
    """What else subgraphs are told of it."""


class KeySetSettings(Section):
    """Public keys of one issuer of tokens (JWKS). Exactly one of ``url`` and ``file`` is given."""

    url: str | None = None
    """Address of the keys: https, or http on this machine."""
    file: Path | None = None
    """File with the keys."""
    issuer: str | None = None
    """Who must have issued a token that these keys prove (``iss``)."""
    audience: str | None = None
    """Whom such a token must be meant for (``aud``)."""
    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"], ...
    ] = Field(default=("RS256", "ES256", "EdDSA"), min_length=1)
    """Algorithms of signatures that are accepted."""
    refresh: Duration = 600.0
    """Age at which the keys are read again, in the background."""
    keep_for: Duration = 24 * 3600.0
    """Age up to which keys serve while they cannot be read again."""
    timeout: Duration = 5.0
    """Time for one read."""

    @model_validator(mode="after")
    def _choose_one_source(self) -> KeySetSettings:
        if (self.url is None) == (self.file is None):
            raise ValueError("give either url or file")
        if self.url is not None and not _is_safe(self.url):
            raise ValueError("url must be https, or http on this machine: whoever can change the keys can sign tokens")
        if self.refresh > self.keep_for:
            raise ValueError("refresh must not be longer than keep_for")
        return self


class TokenIdentity(Section):
    """JSON Web Tokens as ``authorization: Bearer``, in a cookie, or in the payload of ``connection_init``."""

    secret: str | None = Field(default=None, min_length=32, repr=False)
    """Secret that signs tokens with HS256, at least 32 characters; from the environment."""
    issuer: str | None = None
    """Who must have issued a token with this secret (``iss``)."""
    audience: str | None = None
    """Whom such a token must be meant for (``aud``)."""
    key_sets: tuple[KeySetSettings, ...] = ()
    """Public keys of issuers, for tokens that are signed with other algorithms."""
    cookie: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    """Cookie that carries a token when there is no ``authorization``. Set ``csrf`` and ``cors`` with care then."""
    leeway: Duration = 5.0
    """How far clocks may differ."""
    end_subscriptions: bool = True
    """End a subscription with UNAUTHENTICATED when the token with which it began expires, and close its WebSocket."""
    scope_claim: str = "scope"
    """Claim with the scopes, as a string with spaces or a list."""
    policy_claim: str = "policies"
    """Claim with the policies that the principal meets, likewise."""
    pass_claims: tuple[str, ...] = ()
    """Claims that subgraphs are told besides ``sub`` and ``scopes``; see ``subgraph_claims``."""

    @model_validator(mode="after")
    def _have_a_key(self) -> TokenIdentity:
        if self.secret is None and not self.key_sets:
            raise ValueError("give a secret, key_sets or both: without a key no token can be proved")
        return self


class ApiKeySettings(Section):
    """A principal that shows a key instead of a token, for integrations."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    """SHA-256 of the key, in lower-case hexadecimal. Keys must be random, with 128 bits or more."""
    subject: str = Field(min_length=1)
    """Who the principal is."""
    scopes: tuple[str, ...] = ()
    """Scopes that it holds."""
    policies: tuple[str, ...] = ()
    """Policies that it meets."""
    claims: dict[str, ClaimValue] = Field(default_factory=dict)
    """What else subgraphs are told of it."""


class SubgraphClaims(Section):
    """The signed header by which subgraphs learn who asks."""

    key: str = Field(min_length=16, repr=False)
    """Secret shared with the subgraphs, at least 16 characters; from the environment."""
    header: str = Field(default="crossdock-claims", pattern=r"^[a-z0-9-]+$")
    """Name of the header, lower case."""
    lifetime: Duration = 60.0
    """Time until a header is no longer valid; subscriptions renew it with every event."""


class IdentitySettings(Section):
    """Who a request comes from. Without a setting everybody is anonymous and protected fields stay closed."""

    development_identity: DevelopmentIdentity | None = None
    """Principal of every request, for development."""
    tokens: TokenIdentity | None = None
    """Signed tokens, for everything that is not development on one machine."""
    api_keys: tuple[ApiKeySettings, ...] = ()
    """Keys of integrations."""
    api_key_header: HeaderName = "x-api-key"
    """Header that carries such a key."""
    anonymous: bool = True
    """Serve requests without credentials. They hold no rights, and protected fields stay closed to them."""
    subgraph_claims: SubgraphClaims | None = None
    """Tell subgraphs who asks. Without it they learn nothing of the caller."""


def _is_safe(url: str) -> bool:
    address = urlsplit(url)
    if address.scheme == "https":
        return True
    if address.scheme != "http" or not address.hostname:
        return False
    try:
        return address.hostname == "localhost" or ip_address(address.hostname).is_loopback
    except ValueError:
        return False

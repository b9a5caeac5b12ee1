"""Who requests come from, and how subgraphs are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.config import GatewaySettings
from gateway.policies.api_keys import ApiKeys
from gateway.policies.credentials import Credentials
from gateway.server.claims import ClaimsSigner
from gateway.server.principal import Identity, Principal, anonymous, everybody

__all__ = ["build_claims", "build_identity"]


def build_identity(settings: GatewaySettings, closing: list[Callable[[], Awaitable[None]]]) -> Identity:
    """Return how requests tell who they come from; what must be closed at the end is added to ``closing``."""
    given = settings.identity
    development = given.development_identity
    if development is None:
        ways: list[Identity] = []
        if given.tokens is not None:
            from gateway.server.tokens import TokenReader  # noqa: PLC0415 - cryptography is slow to load

            tokens = TokenReader(given.tokens)
            ways.append(tokens)
            closing.append(tokens.aclose)
        if given.api_keys:
            ways.append(ApiKeys(given.api_keys, given.api_key_header))
        if len(ways) == 1 and given.anonymous:
            return ways[0]
        return Credentials(tuple(ways), allows_anonymous=given.anonymous) if ways or not given.anonymous else anonymous
    return everybody(
        Principal(
            development.subject,
            frozenset(development.scopes),
            frozenset(development.policies),
            tuple(sorted(development.claims.items())),
        )
    )


def build_claims(settings: GatewaySettings) -> ClaimsSigner | None:
    """Return what tells subgraphs who asks, None where they learn nothing."""
    given = settings.identity.subgraph_claims
    return None if given is None else ClaimsSigner(given.header, given.key, given.lifetime)

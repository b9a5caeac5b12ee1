"""Who a request comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ANONYMOUS", "Identity", "Principal", "anonymous", "client_of", "everybody", "identify"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller; ``subject`` None is an anonymous one, who holds nothing.

    Attributes:
        subject: who it is.
        scopes: scopes that it holds.
        policies: policies that it meets.
        claims: what else is known of it and told to subgraphs: names with hashable JSON values (lists as tuples).
        expires_at: Unix time at which what proves it holds no longer, None for never; it makes nobody somebody else.
    """

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    claims: tuple[tuple[str, Any], ...] = ()
    expires_at: float | None = field(default=None, compare=False)


ANONYMOUS = Principal()


def client_of(principal: Principal, address: str | None) -> str:
    """Return whose streams are counted together: those of a subject, or of an address while nobody is known."""
    if principal.subject is not None:
        return f"subject {principal.subject}"
    return f"address {address}" if address else "address unknown"


Identity = Callable[[Mapping[str, str]], Principal | Awaitable[Principal]]
"""From the lower-case headers of a request (or the payload of ``connection_init``) to its principal; only what has to
ask elsewhere needs to be awaited. May raise :class:`gateway.errors.RequestError` with UNAUTHENTICATED when what it
finds is not valid."""


async def identify(identity: Identity, headers: Mapping[str, str]) -> Principal:
    """Return the principal of a request.

    Raises:
        RequestError: UNAUTHENTICATED, the credentials are not valid.
    """
    found = identity(headers)
    return found if isinstance(found, Principal) else await found


def anonymous(_: Mapping[str, str]) -> Principal:
    """Take everybody for a stranger; the identity when none is configured."""
    return ANONYMOUS


def everybody(principal: Principal) -> Identity:
    """Return an identity that gives every request the same principal, for development."""
    return lambda _: principal

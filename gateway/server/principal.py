"""Who a request comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ANONYMOUS", "Identity", "Principal", "anonymous", "everybody"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller; ``subject`` None is an anonymous one, who holds nothing.

    Attributes:
        subject: who it is.
        scopes: scopes that it holds.
        policies: policies that it meets.
        claims: what else is known of it and told to subgraphs: names with hashable JSON values (lists as tuples).
    """

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    claims: tuple[tuple[str, Any], ...] = ()


ANONYMOUS = Principal()

Identity = Callable[[Mapping[str, str]], Principal]
"""From the lower-case headers of a request (or the payload of ``connection_init``) to its principal. May raise
:class:`gateway.errors.RequestError` with UNAUTHENTICATED when what it finds is not valid."""


def anonymous(_: Mapping[str, str]) -> Principal:
    """Take everybody for a stranger; the identity when none is configured."""
    return ANONYMOUS


def everybody(principal: Principal) -> Identity:
    """Return an identity that gives every request the same principal, for development."""
    return lambda _: principal

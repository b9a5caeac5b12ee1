"""Who may ask for the schema."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import ErrorCode, RequestError
from gateway.operation import Operation
from gateway.server.principal import Principal

__all__ = ["IntrospectionPolicy"]

COORDINATE = "__schema"
"""Stands among a principal's closed coordinates when introspection is closed to it; no schema can define the name."""


@dataclass(frozen=True, slots=True)
class IntrospectionPolicy:
    """Introspection is open to everybody, to nobody, or to principals that hold every one of ``scopes``."""

    enabled: bool = True
    scopes: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether everybody may ask, so that nobody has to be looked at."""
        return self.enabled and not self.scopes

    def closed_for(self, principal: Principal) -> frozenset[str]:
        """Return the coordinate that is closed to a principal, as a set."""
        if self.enabled and self.scopes <= principal.scopes:
            return frozenset()
        return frozenset({COORDINATE})

    def hides(self, closed: frozenset[str]) -> bool:
        """Tell whether the schema is closed to a principal with these closed coordinates."""
        return COORDINATE in closed

    def check(self, operation: Operation, closed: frozenset[str]) -> None:
        """Accept an operation of a principal with these closed coordinates.

        Raises:
            RequestError: INTROSPECTION_DISABLED.
        """
        if operation.introspection and self.hides(closed):
            what = f"needs the scopes {', '.join(sorted(self.scopes))}" if self.enabled else "is not allowed here"
            message = f"introspection {what}; leave out __schema and __type"
            extensions = {"coordinates": [COORDINATE]}
            raise RequestError(ErrorCode.INTROSPECTION_DISABLED, message, http_status=403, extensions=extensions)

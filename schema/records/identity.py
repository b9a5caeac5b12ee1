"""Who asks: the verified claims that travel with a request."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ANONYMOUS", "Principal"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller.

    Attributes:
        subject: ``user:<id>`` or ``system:<name>``; used as actor in events and as scope of idempotency keys.
        roles: role names of the authorization table.
        scopes: rights such as ``credit:read``.
        accounts: account ids that a portal principal is bound to; None means not bound to accounts.
    """

    subject: str
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    accounts: tuple[str, ...] | None = None


ANONYMOUS = Principal(subject="user:anonymous", accounts=())

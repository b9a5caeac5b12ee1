"""Who asks: the verified claims that travel with a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["ANONYMOUS", "Principal", "Rows"]


class Rows(Protocol):
    """The accounts that one of the distributor's people works with; they change while somebody follows something."""

    def has(self, account_id: str) -> bool:
        """Return whether an account is one of them."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller.

    Attributes:
        subject: ``user:<id>`` or ``system:<name>``; used as actor in events and as scope of idempotency keys.
        roles: role names of the authorization table.
        scopes: rights such as ``credit:read``.
        accounts: account ids that a portal principal is bound to; None means not bound to accounts.
        territories: ids of the territories that one of the distributor's people works in; ``*`` is all of them.
        rows: the accounts that this comes to, as far as the principal is bound to some; None means all.
    """

    subject: str
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    accounts: tuple[str, ...] | None = None
    territories: tuple[str, ...] = ()
    rows: Rows | None = field(default=None, compare=False, repr=False)

    def sees(self, account_id: str) -> bool:
        """Return whether what belongs to the account exists for this principal."""
        if self.accounts is not None:
            return account_id in self.accounts
        return self.rows is None or self.rows.has(account_id)


ANONYMOUS = Principal(subject="user:anonymous", accounts=())

"""Who asks: the verified claims that travel with a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["ALL_ROWS_ROLES", "ANONYMOUS", "EVERYWHERE", "OPERATIONS", "ROLES", "TERRITORY_ROLES", "Principal", "Rows"]

EVERYWHERE = "*"
"""Territory, or warehouse, of those who work in all of them."""

OPERATIONS = "OPERATIONS"
"""Role that works in warehouses."""

TERRITORY_ROLES = frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK"})
"""Roles that work in territories."""

ALL_ROWS_ROLES = frozenset({"FINANCE", "CREDIT_CONTROLLER", "PRICING_DESK", "INTEGRATION"})
"""Roles that work with all accounts and warehouses, whatever comes with them but the claim ``accounts``."""

_CUSTOMER_ROLES = frozenset({"PORTAL_BUYER", "PORTAL_ADMIN"})

ROLES = TERRITORY_ROLES | ALL_ROWS_ROLES | _CUSTOMER_ROLES | {OPERATIONS}
"""The roles of the authorization table (``docs/rights.md``); any other role of a token means nothing here."""


class Rows(Protocol):
    """The accounts that one of the distributor's people works with; they change while somebody follows something."""

    def has(self, account_id: str) -> bool:
        """Return whether an account is one of them."""
        ...

    def all(self) -> frozenset[str]:
        """Return the accounts as they are now."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller.

    Attributes:
        subject: ``user:<id>`` or ``system:<name>``; used as actor in events and as scope of idempotency keys.
        roles: role names as the token has them, also those that mean nothing here.
        scopes: rights such as ``credit:read``.
        accounts: account ids that a portal principal is bound to; None means not bound to accounts.
        territories: ids of the territories that one of the distributor's people works in; ``*`` is all of them.
        warehouses: codes of the warehouses that one of the distributor's people works in; ``*`` is all of them.
        rows: the accounts that this comes to, as far as the principal is bound to some; None means all.
    """

    subject: str
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    accounts: tuple[str, ...] | None = None
    territories: tuple[str, ...] = ()
    warehouses: tuple[str, ...] = ()
    rows: Rows | None = field(default=None, compare=False, repr=False)

    def sees(self, account_id: str) -> bool:
        """Return whether what belongs to the account exists for this principal."""
        if self.accounts is not None:
            return account_id in self.accounts
        return self.rows is None or self.rows.has(account_id)

    @property
    def known_roles(self) -> frozenset[str]:
        """The roles that the authorization table has; identity providers give others besides."""
        return ROLES.intersection(self.roles)

    @property
    def workplaces(self) -> frozenset[str] | None:
        """The warehouses whose goods are all that the principal works with, None for one that is bound to none.

        Who has no role but OPERATIONS is bound to those of its claim; without the claim there are none.
        """
        if self.accounts is not None or self.known_roles != {OPERATIONS} or EVERYWHERE in self.warehouses:
            return None
        return frozenset(self.warehouses)

    def works_at(self, warehouse_codes: Iterable[str]) -> bool:
        """Return whether what lies in, waits for or left these warehouses is the principal's to work with.

        What belongs to no warehouse is for those who are bound to none.
        """
        bound = self.workplaces
        return bound is None or not bound.isdisjoint(warehouse_codes)


ANONYMOUS = Principal(subject="user:anonymous", accounts=())

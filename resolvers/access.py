"""Who may see and do what: rules over the verified principal, the same for roots, references and events.

What somebody may not see answers like something that does not exist, so that ids cannot be probed. A customer learns
whether a quantity can be had, not how much lies where: positions are for the distributor's own people.
"""

from __future__ import annotations

from schema.graphql.errors import Forbidden
from schema.records.identity import Principal

__all__ = [
    "can_see",
    "is_customer",
    "require_account_rights",
    "require_case_rights",
    "require_change_rights",
    "require_merge_rights",
    "require_onboarding_rights",
    "require_order_rights",
    "require_quote_rights",
    "require_return_rights",
    "require_stock_rights",
]

ORDER_ROLES = frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK", "PORTAL_BUYER", "PORTAL_ADMIN", "INTEGRATION"})
"""Roles that submit and cancel orders; warehouse, pricing and finance decide about orders but place none."""

CHANGE_ROLES = frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK", "INTEGRATION"})
"""Roles that change what was ordered; a customer's people ask them to, or cancel."""

STOCK_ROLES = frozenset({"SALES", "SALES_MANAGER", "INTEGRATION"})
"""Roles that hold stock before it is ordered, such as the shop for a customer's cart."""

RETURN_ROLES = frozenset({"SERVICE_DESK", "PORTAL_BUYER", "PORTAL_ADMIN", "INTEGRATION"})
"""Roles that ask for goods to be taken back."""

QUOTE_ROLES = frozenset({"SALES", "SALES_MANAGER", "INTEGRATION"})
"""Roles that prepare quotes."""

CASE_ROLES = frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK", "PORTAL_BUYER", "PORTAL_ADMIN", "INTEGRATION"})
"""Roles that open service cases."""

ONBOARDING_ROLES = frozenset({"SALES", "SALES_MANAGER", "INTEGRATION"})
"""Roles that bring new customers."""

ACCOUNT_ROLES = frozenset({"SALES", "SALES_MANAGER", "SERVICE_DESK", "FINANCE", "CREDIT_CONTROLLER", "INTEGRATION"})
"""Roles that change accounts."""

TERMS_ROLES = frozenset({"FINANCE", "CREDIT_CONTROLLER"})
"""Roles that change on what terms an account pays."""

MERGE_ROLES = frozenset({"SALES_MANAGER", "FINANCE", "CREDIT_CONTROLLER", "INTEGRATION"})
"""Roles that make one account of two: documents and what is owed change hands."""


def can_see(principal: Principal, account_id: str) -> bool:
    """Return whether what belongs to the account exists for this principal."""
    return principal.sees(account_id)


def is_customer(principal: Principal) -> bool:
    """Return whether the principal is bound to accounts, and so sees no stock figures."""
    return principal.accounts is not None


def require_order_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may place and cancel orders; one bound to accounts needs no role for its own.

    Raises:
        Forbidden: it may not.
    """
    if not _may(principal, ORDER_ROLES, bound_may=True):
        raise _forbidden(principal, operation, ORDER_ROLES)


def require_change_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may change orders.

    Raises:
        Forbidden: it may not.
    """
    if not _may(principal, CHANGE_ROLES, bound_may=False):
        raise _forbidden(principal, operation, CHANGE_ROLES)


def require_stock_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may hold stock and give it back.

    Raises:
        Forbidden: it may not.
    """
    if not _may(principal, STOCK_ROLES, bound_may=False):
        raise _forbidden(principal, operation, STOCK_ROLES)


def require_return_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may ask for returns; one bound to accounts needs no role for its own.

    Raises:
        Forbidden: it may not.
    """
    if not _may(principal, RETURN_ROLES, bound_may=True):
        raise _forbidden(principal, operation, RETURN_ROLES)


def require_quote_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may prepare quotes.

    Raises:
        Forbidden: it may not.
    """
    if not _may(principal, QUOTE_ROLES, bound_may=False):
        raise _forbidden(principal, operation, QUOTE_ROLES)


def require_case_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may open service cases; one bound to accounts needs no role for its own.

    Raises:
        Forbidden: it may not.
    """
    if not _may(principal, CASE_ROLES, bound_may=True):
        raise _forbidden(principal, operation, CASE_ROLES)


def require_onboarding_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may bring new customers.

    Raises:
        Forbidden: it may not.
    """
    if not _may(principal, ONBOARDING_ROLES, bound_may=False):
        raise _forbidden(principal, operation, ONBOARDING_ROLES)


def require_account_rights(principal: Principal, operation: str, *, is_about_terms: bool) -> None:
    """Check that the principal may change accounts, and for payment terms that it may change those.

    Raises:
        Forbidden: it may not.
    """
    roles = TERMS_ROLES if is_about_terms else ACCOUNT_ROLES
    if is_customer(principal) or not _may(principal, roles, bound_may=False):
        raise _forbidden(principal, operation, roles)


def require_merge_rights(principal: Principal, operation: str) -> None:
    """Check that the principal may make one account of two.

    Raises:
        Forbidden: it may not.
    """
    if is_customer(principal) or not _may(principal, MERGE_ROLES, bound_may=False):
        raise _forbidden(principal, operation, MERGE_ROLES)


def _may(principal: Principal, roles: frozenset[str], *, bound_may: bool) -> bool:
    if principal.known_roles:
        return not roles.isdisjoint(principal.roles)
    if principal.accounts is not None:
        return bound_may and bool(principal.accounts)
    return not principal.roles and principal.subject.startswith("system:")


def _forbidden(principal: Principal, operation: str, roles: frozenset[str]) -> Forbidden:
    wanted = ", ".join(sorted(roles))
    return Forbidden(f"{operation}: {principal.subject} may not do this, it takes one of the roles {wanted}")

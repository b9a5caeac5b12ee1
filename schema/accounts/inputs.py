# No postponed annotations: strawberry reads them.
"""What is asked for."""

import strawberry

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.enums import AccountStatus, ErpHome
from schema.records import accounts as records

__all__ = ["AccountFilter", "account_filter"]


@strawberry.input(
    description="Which accounts: every condition that is given must hold; `text` is the start of name or number."
)
class AccountFilter:
    """Which accounts."""

    text: str | None = None
    status: AccountStatus | None = None
    territory_id: strawberry.ID | None = None
    erp_home: ErpHome | None = None
    owner_id: strawberry.ID | None = None


def account_filter(asked: AccountFilter | None) -> records.AccountFilter:
    """Return the conditions as a record."""
    if asked is None:
        return records.AccountFilter()
    return records.AccountFilter(
        text=asked.text,
        status=asked.status,
        territory_id=asked.territory_id,
        erp_home=asked.erp_home,
        owner_id=asked.owner_id,
    )

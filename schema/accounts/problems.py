# No postponed annotations: strawberry reads them.
"""Problems of accounts, their cases and their onboarding."""

import decimal
from typing import Annotated

import strawberry
from strawberry import Info

from schema.accounts.account import Account
from schema.accounts.context import AccountsContext
from schema.graphql.problems import (
    ApprovalRequired,
    DependencyUnavailable,
    IdempotencyConflict,
    NotAllowedInState,
    Problem,
    ValidationFailed,
    VersionConflict,
    said_of,
    shared_problem,
)
from schema.graphql.values import Money, money
from schema.records import problems

__all__ = [
    "AccountProblem",
    "CreditDeclined",
    "DuplicateAccount",
    "DuplicateCandidate",
    "HierarchyInvalid",
    "PriceIneligible",
    "TaxInvalid",
    "TerritoryUnassigned",
    "account_problem",
]

_Ctx = Info[AccountsContext, None]


@strawberry.type(description="An account that may be the same customer; it is null for who may not see it.")
class DuplicateCandidate:
    """An account that may be the same customer."""

    account_id: strawberry.Private[str]
    score: decimal.Decimal
    matched_on: list[str]

    @strawberry.field
    async def account(self, info: _Ctx) -> Account | None:
        """The account."""
        found = await info.context.reader.account(self.account_id)
        return None if found is None else Account.of(found)


@strawberry.type(description="The customer is, or may be, an account already.")
class DuplicateAccount(Problem):
    """The customer is, or may be, an account already."""

    candidates: list[DuplicateCandidate]


@strawberry.type(description="A tax id or exemption does not hold.")
class TaxInvalid(Problem):
    """A tax id or exemption does not hold."""

    jurisdiction: str
    number: str | None


@strawberry.type(description="The credit is not given as it was asked for.")
class CreditDeclined(Problem):
    """The credit is not given as it was asked for; without an offer the customer pays in advance."""

    requested: Money | None
    offered: Money | None


@strawberry.type(description="No single sales territory is responsible.")
class TerritoryUnassigned(Problem):
    """No single sales territory is responsible."""

    postal_code: str | None
    country: str


@strawberry.type(description="The price group is not for this customer.")
class PriceIneligible(Problem):
    """The price group is not for this customer."""

    price_group: str
    reason: str


@strawberry.type(description="The account cannot stand where it should in the hierarchy.")
class HierarchyInvalid(Problem):
    """The account cannot stand where it should in the hierarchy."""

    parent_id: strawberry.ID | None
    reason: str


AccountProblem = Annotated[
    DuplicateAccount
    | TaxInvalid
    | CreditDeclined
    | TerritoryUnassigned
    | PriceIneligible
    | HierarchyInvalid
    | ApprovalRequired
    | ValidationFailed
    | NotAllowedInState
    | IdempotencyConflict
    | VersionConflict
    | DependencyUnavailable,
    strawberry.union("AccountProblem", description="Why an account, an onboarding or a case is not as was asked."),
]

_Problem = (
    DuplicateAccount
    | TaxInvalid
    | CreditDeclined
    | TerritoryUnassigned
    | PriceIneligible
    | HierarchyInvalid
    | ApprovalRequired
    | ValidationFailed
    | NotAllowedInState
    | IdempotencyConflict
    | VersionConflict
    | DependencyUnavailable
)


def account_problem(record: problems.Problem) -> AccountProblem:
    """Return a problem as a graph value; one that accounts have no type for is a broken rule under its own code."""
    shown = _own(record) or shared_problem(record)
    if isinstance(shown, _Problem):
        return shown
    field = record.path[-1] if record.path else None
    return ValidationFailed(**said_of(record), rule=record.code, field=field)


def _own(record: problems.Problem) -> Problem | None:
    said = said_of(record)
    match record:
        case problems.DuplicateAccount():
            candidates = [
                DuplicateCandidate(account_id=entry.account_id, score=entry.score, matched_on=list(entry.matched_on))
                for entry in record.candidates
            ]
            return DuplicateAccount(**said, candidates=candidates)
        case problems.TaxInvalid():
            return TaxInvalid(**said, jurisdiction=record.jurisdiction, number=record.number)
        case problems.CreditDeclined():
            return CreditDeclined(**said, requested=money(record.requested), offered=money(record.offered))
        case problems.TerritoryUnassigned():
            return TerritoryUnassigned(**said, postal_code=record.postal_code, country=record.country)
        case problems.PriceIneligible():
            return PriceIneligible(**said, price_group=record.price_group, reason=record.reason)
        case problems.HierarchyInvalid():
            parent_id = None if record.parent_id is None else strawberry.ID(record.parent_id)
            return HierarchyInvalid(**said, parent_id=parent_id, reason=record.reason)
    return None

# No postponed annotations: strawberry reads them.
"""What mutations of accounts answer, and what subscriptions tell."""

import datetime as dt

import strawberry

from schema.accounts import stubs
from schema.accounts.account import Account
from schema.accounts.belongings import ServiceCase
from schema.accounts.onboarding import OnboardingRequest
from schema.accounts.problems import AccountProblem

__all__ = ["AccountEvent", "AccountPayload", "CasePayload", "OnboardingEvent", "OnboardingPayload"]


@strawberry.type(description="What became of a case that was to be opened.")
class CasePayload:
    """What became of a case that was to be opened."""

    service_case: ServiceCase | None
    problems: list[AccountProblem]
    replayed: bool


@strawberry.type(description="What became of a request to become a customer, or of a decision about it.")
class OnboardingPayload:
    """What became of an onboarding; a refused one is there with its checks, and the reasons are problems."""

    onboarding: OnboardingRequest | None
    process: stubs.ProcessInstance | None = strawberry.federation.field(provides=["state"])
    problems: list[AccountProblem]
    replayed: bool


@strawberry.type(description="Something happened to an onboarding; it is shown as it is when the event is told.")
class OnboardingEvent:
    """Something happened to an onboarding."""

    event_id: strawberry.ID
    at: dt.datetime
    onboarding: OnboardingRequest


@strawberry.type(description="What became of a change of an account; the account is shown as it is then.")
class AccountPayload:
    """What became of a change of an account."""

    account: Account | None
    process: stubs.ProcessInstance | None = strawberry.federation.field(provides=["state"])
    problems: list[AccountProblem]
    replayed: bool


@strawberry.type(description="Something happened to an account; it is shown as it is when the event is told.")
class AccountEvent:
    """Something happened to an account; ``change`` is the type of the event."""

    event_id: strawberry.ID
    at: dt.datetime
    change: str
    account: Account

# No postponed annotations: strawberry reads them.
"""Requests to become a customer: what was checked and decided, and how far each system is."""

import datetime as dt

import strawberry
from strawberry import Info

import schema.graphql.enums  # noqa: F401 - makes the enumerations known
from schema.accounts import stubs
from schema.accounts.account import Account
from schema.accounts.context import AccountsContext
from schema.accounts.people import User
from schema.enums import CheckKind, CheckResult, OnboardingStatus, SourceSystem
from schema.graphql.decorators import federated_field
from schema.graphql.values import Node
from schema.records import onboarding as records

__all__ = ["OnboardingCheck", "OnboardingRequest", "SystemActivation"]

_Ctx = Info[AccountsContext, None]


@strawberry.type(description="One check of an onboarding; a decided one says by whom.")
class OnboardingCheck:
    """One check of an onboarding."""

    decider: strawberry.Private[str | None]
    kind: CheckKind
    result: CheckResult
    detail: str | None
    system: SourceSystem
    at: dt.datetime | None

    @classmethod
    def of(cls, record: records.OnboardingCheck) -> "OnboardingCheck":
        """Return the record as a graph value."""
        return cls(
            decider=record.decided_by,
            kind=record.kind,
            result=record.result,
            detail=record.detail,
            system=record.system,
            at=record.at,
        )

    @strawberry.field
    async def decided_by(self, info: _Ctx) -> User | None:
        """Who decided."""
        if self.decider is None:
            return None
        found = await info.context.reader.user(self.decider.removeprefix("user:"))
        return None if found is None else User.of(found)


@strawberry.type(description="How far a system is: ACTIVE, or taken back (BLOCKED, PROSPECT).")
class SystemActivation:
    """How far a system is."""

    system: SourceSystem
    external_id: str | None
    state: str
    at: dt.datetime | None

    @classmethod
    def of(cls, record: records.SystemActivation) -> "SystemActivation":
        """Return the record as a graph value."""
        return cls(system=record.system, external_id=record.external_id, state=record.state, at=record.at)


@strawberry.federation.type(keys=["id"], description="A request to become a customer.")
class OnboardingRequest(Node):
    """A request to become a customer."""

    record: strawberry.Private[records.Onboarding]
    version: int
    status: OnboardingStatus
    legal_name: str
    checks: list[OnboardingCheck]
    activations: list[SystemActivation]
    submitted_at: dt.datetime
    decided_at: dt.datetime | None

    @classmethod
    def of(cls, record: records.Onboarding) -> "OnboardingRequest":
        """Return the record as a graph value."""
        return cls(
            record=record,
            id=strawberry.ID(record.id),
            version=record.version,
            status=record.status,
            legal_name=record.applicant.legal_name,
            checks=[OnboardingCheck.of(entry) for entry in record.checks],
            activations=[SystemActivation.of(entry) for entry in record.activations],
            submitted_at=record.submitted_at,
            decided_at=record.decided_at,
        )

    @classmethod
    async def resolve_reference(cls, info: _Ctx, id: strawberry.ID) -> "OnboardingRequest | None":  # noqa: A002 - the key
        """Return the request that a representation names."""
        found = await info.context.reader.onboarding(id)
        return None if found is None else cls.of(found)

    @strawberry.field
    async def account(self, info: _Ctx) -> Account | None:
        """The account that came of it; null until the CRM has it."""
        found = await info.context.reader.account(self.record.account_id)
        return None if found is None else Account.of(found)

    @federated_field(provides=["state"])
    async def process(self, info: _Ctx) -> stubs.ProcessInstance | None:
        """The process that carries it."""
        found = await info.context.reader.process(self.record.process_id)
        return None if found is None else stubs.ProcessInstance(id=strawberry.ID(found.id), state=found.state)

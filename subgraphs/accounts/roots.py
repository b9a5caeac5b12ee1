# No postponed annotations: strawberry reads them.
"""Root fields of the accounts subgraph."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import strawberry
from strawberry import Info

from processes.api import AccountChange, Started
from processes.rules.onboarding_decision import Verdict
from resolvers.accounts.cases import CaseRequest, open_case
from resolvers.accounts.change import change
from resolvers.accounts.merge import merge
from resolvers.accounts.onboarding import decide, submit
from resolvers.accounts.reader import AccountReader
from resolvers.follow import Scope, follow
from schema.accounts import stubs
from schema.accounts.account import Account
from schema.accounts.belongings import ServiceCase
from schema.accounts.inputs import (
    AccountChangeInput,
    AccountFilter,
    AccountMergeInput,
    CaseOpenInput,
    OnboardingDecideInput,
    OnboardingSubmitInput,
    account_filter,
    applicant,
)
from schema.accounts.onboarding import OnboardingRequest
from schema.accounts.payloads import AccountEvent, AccountPayload, CasePayload, OnboardingEvent, OnboardingPayload
from schema.accounts.people import User
from schema.accounts.problems import account_problem
from schema.enums import OnboardingStatus, SourceSystem
from schema.graphql.decorators import federated_field
from schema.graphql.idempotent import Idempotent
from schema.graphql.paging import Connection, connection, page_request
from schema.graphql.resumable import Resumable
from schema.records import accounts as records
from schema.records.onboarding import DECIDE_SCOPE
from schema.records.waiting import DECISION_WAIT_MS
from subgraphs.context import RequestContext

__all__ = ["Mutation", "Query", "Subscription"]

_Ctx = Info[RequestContext[AccountReader], None]

_RESUMABLE = Resumable(cursor="eventId", argument="after")
_KEY_IN_INPUT = Idempotent(key="input.idempotencyKey")

DEFAULT_PRIORITY = "NORMAL"

ONBOARDING_EVENTS = ("account.*",)
"""Events that change what an onboarding shows; those of its own partition are meant."""

ACCOUNT_EVENTS = ("account.activated", "account.changed", "account.credit.changed", "account.merged")
"""Events that change what an account shows."""


@strawberry.type
class Query:
    """Reads of accounts, of service cases, and of who asks."""

    @strawberry.field
    async def viewer(self, info: _Ctx) -> User:
        """Who asks."""
        return User.of(await info.context.reader.viewer())

    @strawberry.field
    async def account(self, info: _Ctx, id: strawberry.ID) -> Account | None:  # noqa: A002 - the argument is called so
        """The account with this id."""
        return _shown(await info.context.reader.account(id))

    @strawberry.field
    async def account_by_number(self, info: _Ctx, number: str) -> Account | None:
        """The account with this customer number."""
        return _shown(await info.context.reader.account_by_number(number))

    @strawberry.field
    async def account_by_external_ref(self, info: _Ctx, system: SourceSystem, external_id: str) -> Account | None:
        """The account that a system knows under an id of its own; CRM and ERP have such ids."""
        return _shown(await info.context.reader.account_by_ref(system, external_id))

    @strawberry.field
    async def accounts(
        self,
        info: _Ctx,
        filter: AccountFilter | None = None,  # noqa: A002 - the argument is called so
        first: int | None = 25,
        after: str | None = None,
    ) -> Connection[Account]:
        """Accounts that the caller may see, by number."""
        found = await info.context.reader.accounts(account_filter(filter), page_request(first, after))
        return connection(found, Account.of, after)

    @strawberry.field
    async def onboarding(
        self,
        info: _Ctx,
        id: strawberry.ID,  # noqa: A002 - the argument is called so
    ) -> OnboardingRequest | None:
        """The request to become a customer with this id."""
        found = await info.context.reader.onboarding(id)
        return None if found is None else OnboardingRequest.of(found)

    @strawberry.field
    async def onboardings(
        self,
        info: _Ctx,
        status: OnboardingStatus | None = None,
        first: int | None = 25,
        after: str | None = None,
    ) -> Connection[OnboardingRequest]:
        """Requests to become a customer, earliest first."""
        found = await info.context.reader.onboardings(status, page_request(first, after))
        return connection(found, OnboardingRequest.of, after)

    @strawberry.field
    async def service_case(self, info: _Ctx, id: strawberry.ID) -> ServiceCase | None:  # noqa: A002 - the argument
        """The service case with this id."""
        found = await info.context.reader.case(id)
        return None if found is None else ServiceCase.of(found)


@strawberry.type
class Mutation:
    """Onboarding of customers, and their cases."""

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def onboarding_submit(
        self,
        info: _Ctx,
        input: OnboardingSubmitInput,  # noqa: A002 - the argument is called so
    ) -> OnboardingPayload:
        """Submit somebody who wants to become a customer, and wait at most `waitMs`; it goes on when the wait is over.

        The same `idempotencyKey` and input give the same answer again, with `replayed`.
        """
        context = info.context
        wait_ms = DECISION_WAIT_MS if input.wait_ms is None else input.wait_ms
        started = await submit(
            context.reader.ports,
            applicant(input),
            key=input.idempotency_key,
            wait_ms=wait_ms,
            principal=context.principal,
        )
        return await _onboarding_payload(info, started)

    @federated_field(requires_scopes=[[DECIDE_SCOPE]], directives=[_KEY_IN_INPUT])
    async def onboarding_decide(
        self,
        info: _Ctx,
        input: OnboardingDecideInput,  # noqa: A002 - the argument is called so
    ) -> OnboardingPayload:
        """Decide about checks of an onboarding that wait for a person; whoever submitted it does not."""
        verdict = Verdict(
            onboarding_id=input.onboarding_id,
            version=input.version,
            approve=input.approve,
            comment=input.comment,
            check=input.check,
            credit_limit=None if input.credit_limit is None else input.credit_limit.record(),
        )
        context = info.context
        started = await decide(context.reader.ports, verdict, key=input.idempotency_key, principal=context.principal)
        return await _onboarding_payload(info, started)

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def account_change(
        self,
        info: _Ctx,
        input: AccountChangeInput,  # noqa: A002 - the argument is called so
    ) -> AccountPayload:
        """Change values of an account in every system that has them, or in none; terms are for finance."""
        context = info.context
        asked = AccountChange(input.account_id, input.version, input.values(), input.comment)
        started = await change(context.reader.ports, asked, key=input.idempotency_key, principal=context.principal)
        return await _account_payload(info, started)

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def account_merge(
        self,
        info: _Ctx,
        input: AccountMergeInput,  # noqa: A002 - the argument is called so
    ) -> AccountPayload:
        """Make one account of two that are the same, in every system or in none; the answer has the one that remains.

        What is open goes to that one, the other ends as `MERGED` and can still be read.
        """
        context = info.context
        started = await merge(
            context.reader.ports, input.record(), key=input.idempotency_key, principal=context.principal
        )
        return await _account_payload(info, started)

    @strawberry.mutation(directives=[_KEY_IN_INPUT])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def case_open(self, info: _Ctx, input: CaseOpenInput) -> CasePayload:  # noqa: A002 - the argument
        """Open a service case; the same key and input give the same case again, with `replayed`."""
        request = CaseRequest(
            key=input.idempotency_key,
            account_id=input.account_id,
            order_id=input.order_id,
            subject=input.subject,
            priority=input.priority or DEFAULT_PRIORITY,
            body=input.body,
        )
        context = info.context
        opened = await open_case(context.reader.ports, request, context.principal)
        return CasePayload(
            service_case=None if opened.case is None else ServiceCase.of(opened.case),
            problems=[account_problem(problem) for problem in opened.problems],
            replayed=opened.is_replayed,
        )


@strawberry.type
class Subscription:
    """Streams that go on after the last event seen."""

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def onboarding_changed(
        self,
        info: _Ctx,
        id: strawberry.ID,  # noqa: A002 - the argument is called so
        after: strawberry.ID | None = None,
    ) -> AsyncGenerator[OnboardingEvent, None]:
        """What happens to an onboarding; `after` is the last eventId seen, so that nothing is missed or told twice."""
        context = info.context
        # Who is no customer yet is in nobody's territory: the reader says who sees it.
        principal = replace(context.principal, rows=None)
        stream = follow(context.reader.ports.events, ONBOARDING_EVENTS, Scope(id, None), after, principal)
        async with aclosing(stream) as events:
            async for stored in events:
                found = await context.renew().onboarding(id)
                if found is not None:
                    yield OnboardingEvent(
                        event_id=strawberry.ID(stored.event.id),
                        at=stored.event.occurred_at,
                        onboarding=OnboardingRequest.of(found),
                    )

    @strawberry.subscription(directives=[_RESUMABLE])  # type: ignore[untyped-decorator] # with arguments it has no type
    async def account_changed(
        self, info: _Ctx, account_id: strawberry.ID, after: strawberry.ID | None = None
    ) -> AsyncGenerator[AccountEvent, None]:
        """What happens to an account; `after` is the last eventId seen, so that nothing is missed or told twice."""
        context = info.context
        stream = follow(context.reader.ports.events, ACCOUNT_EVENTS, Scope(None, account_id), after, context.principal)
        async with aclosing(stream) as events:
            async for stored in events:
                found = await context.renew().account(account_id)
                if found is not None:
                    yield AccountEvent(
                        event_id=strawberry.ID(stored.event.id),
                        at=stored.event.occurred_at,
                        change=stored.event.type,
                        account=Account.of(found),
                    )


def _process(started: Started) -> stubs.ProcessInstance | None:
    if started.process_id is None or started.state is None:
        return None
    return stubs.ProcessInstance(id=strawberry.ID(started.process_id), state=started.state)


async def _account_payload(info: _Ctx, started: Started) -> AccountPayload:
    found = None if started.entity_id is None else await info.context.renew().account(started.entity_id)
    return AccountPayload(
        account=_shown(found),
        process=_process(started),
        problems=[account_problem(problem) for problem in started.problems],
        replayed=started.replayed,
    )


async def _onboarding_payload(info: _Ctx, started: Started) -> OnboardingPayload:
    found = None if started.entity_id is None else await info.context.renew().onboarding(started.entity_id)
    return OnboardingPayload(
        onboarding=None if found is None else OnboardingRequest.of(found),
        process=_process(started),
        problems=[account_problem(problem) for problem in started.problems],
        replayed=started.replayed,
    )


def _shown(found: records.Account | None) -> Account | None:
    return None if found is None else Account.of(found)

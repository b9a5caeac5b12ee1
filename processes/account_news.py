"""What the CRM tells of accounts becomes their story, and what has to follow from it does (P1, P9).

1. What we have written ourselves comes back as news and is left alone.
2. What is the CRM's own (name, owner, territory) is told to whoever follows the account.
3. Contacts and opportunities are told as changes of their account, whose people see them there.
4. Cases are told as opened, answered and resolved, at the times that the service desk gives.
5. An address, which is the ERP's, starts a process that sets it there (ACCOUNT_EDIT).
6. A prospect that is to become a customer starts an onboarding.

News that comes twice, or late, starts nothing twice: processes run under names made of the news' ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any, Protocol

from processes.account_case import ACCOUNT_EDITED, AccountChangeRequest
from processes.dependencies import Dependencies
from processes.onboarding_case import ONBOARDING, OnboardingRequest
from schema.enums import SourceSystem
from schema.events.envelope import Event
from schema.records.accounts import AccountValues
from schema.records.values import Address
from systems.news import AccountNews, CaseNews, OnboardingNews

__all__ = ["AccountChanges"]

CRM_USER = "system:crm"
"""Who is told to have asked for what began in the CRM."""


class StartsProcesses(Protocol):
    """What the CRM's news want of the engine."""

    @property
    def dependencies(self) -> Dependencies:
        """The ports that processes use."""
        ...

    def start(self, name: str, request: Any) -> Awaitable[None]:
        """Start a process, or nothing when it was started before."""
        ...


class AccountChanges:
    """Handles the CRM's news.

    Args:
        engine: runs the processes that follow.
    """

    def __init__(self, engine: StartsProcesses) -> None:
        self._engine = engine
        self._use = engine.dependencies

    async def handle(self, news: AccountNews | CaseNews | OnboardingNews) -> None:
        """Take note of news and start what follows from it.

        Cancel/retry: safe to repeat; the same news is told once and starts nothing twice.

        Raises:
            ConnectorError: CRM, ERP or the platform's ledgers do not answer.
        """
        if isinstance(news, OnboardingNews):
            await self._onboard(news)
        elif isinstance(news, CaseNews):
            await self._use.events.append(_case_story(news, await self._story_of(news)))
        elif not news.is_echo:
            await self._take_over(news)

    async def _onboard(self, news: OnboardingNews) -> None:
        name = _short(news.event_id)
        request = OnboardingRequest(
            process_id=f"prc_{name}",
            onboarding_id=f"onb_{name}",
            account_id=f"acc_{name}",
            applicant=news.applicant,
            submitted_by=CRM_USER,
            submitted_at=self._use.clock.now(),
        )
        await self._engine.start(ONBOARDING, request)

    async def _take_over(self, news: AccountNews) -> None:
        account = (await self._use.crm.accounts([news.account_id])).get(news.account_id)
        if account is None:
            return
        told = list(news.changed)
        if news.billing is not None and news.version >= account.version:  # of several edits the last one counts
            customer = (await self._use.erp.customer_values([account.id])).get(account.id)
            if customer is None:
                told.append("billing")
            elif customer.billing is None or _lines(customer.billing) != _lines(news.billing):
                await self._engine.start(ACCOUNT_EDITED, self._edit(news, news.billing, customer))
        if told:
            await self._use.events.append([_changed(news, told)])

    async def _story_of(self, news: CaseNews) -> str:
        """Return the root of the story that a case belongs to: that of its order, or its own."""
        if news.order_id is None:
            return news.case_id
        order = (await self._use.orders.orders([news.order_id])).get(news.order_id)
        return news.order_id if order is None else order.quote_id or order.id

    def _edit(self, news: AccountNews, billing: Address, before: AccountValues) -> AccountChangeRequest:
        return AccountChangeRequest(
            process_id=f"prc_{_short(news.event_id)}",
            account_id=news.account_id,
            version=news.version - 1,  # the edit itself has made the next one
            wanted=AccountValues(billing=billing),
            before=AccountValues(billing=before.billing),
            is_customer=True,
            comment=None,
            asked_by=CRM_USER,
            asked_at=self._use.clock.now(),
            kind=ACCOUNT_EDITED,
        )


def _short(event_id: str) -> str:
    """Return a name of news that fits every column, however long the sender's id is."""
    return f"crm{hashlib.sha256(event_id.encode()).hexdigest()[:24]}"


def _changed(news: AccountNews, fields: list[str]) -> Event:
    """Return the event that an account was changed in the CRM: in what, not into what."""
    return Event(
        id=f"crm:{news.event_id}",
        source="/dist/accounts",
        type="account.changed",
        subject=news.account_id,
        partition_key=news.account_id,
        correlation_id=news.account_id,
        system=SourceSystem.CRM,
        occurred_at=news.at,
        data={"accountId": news.account_id, "changed": fields, "version": news.version, "by": CRM_USER},
        account_id=news.account_id,
    )


def _case_story(news: CaseNews, story: str) -> list[Event]:
    """Return what has happened to a case so far; what was told before has the same ids and is left out by the log."""
    facts = {
        "caseId": news.case_id,
        "number": news.number,
        "accountId": news.account_id,
        "orderId": news.order_id,
        "priority": news.priority,
        "status": news.status.value,
    }
    steps = (
        ("opened", None if news.is_ours else news.opened_at),
        ("answered", news.first_response_at),
        ("resolved", news.resolved_at),
    )
    return [
        Event(
            id=f"case:{news.case_id}:{step}",
            source="/dist/accounts",
            type=f"case.{step}",
            subject=news.case_id,
            partition_key=news.order_id or news.case_id,
            correlation_id=story,
            system=SourceSystem.CRM,
            occurred_at=at,
            data=facts,
            account_id=news.account_id,
            actor=CRM_USER,
        )
        for step, at in steps
        if at is not None
    ]


def _lines(place: Address) -> tuple[str, ...]:
    """Return an address as systems agree on it, however each parts its lines."""
    street = ", ".join(line for line in (place.line1, place.line2) if line)
    return (street, place.city, place.region or "", place.postal_code, place.country)

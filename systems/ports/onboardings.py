"""The platform's ledger of requests to become a customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from schema.enums import OnboardingStatus
from schema.events.envelope import Event
from schema.records.onboarding import Onboarding
from schema.records.values import Page, PageRequest


class OnboardingStore(Protocol):
    """Requests to become a customer. System of record: platform."""

    async def create(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding:
        """Record a request, or return the one with the same id recorded before."""
        ...

    async def update(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding:
        """Write the request when the stored version is ``onboarding.version``; return it with the next version.

        One that has ended gives up the marks that it claimed.

        Raises:
            Conflict: the stored version differs.
        """
        ...

    async def claim(self, onboarding_id: str, marks: Sequence[str]) -> str | None:
        """Claim what the applicant is known by, all or nothing, until the onboarding ends.

        Returns:
            None when all marks are its own now, else the id of the onboarding that has one of them.
        """
        ...

    async def onboardings(self, ids: Sequence[str]) -> Mapping[str, Onboarding]:
        """Return requests by id."""
        ...

    async def search_onboardings(self, status: OnboardingStatus | None, page: PageRequest) -> Page[Onboarding]:
        """Return requests, earliest first.

        Raises:
            Rejected: with reason ``BAD_CURSOR`` when ``page.after`` is none of this list.
        """
        ...

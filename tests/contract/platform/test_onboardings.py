"""The ledger of requests to become a customer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from schema.enums import CheckKind, CheckResult, OnboardingStatus, SourceSystem
from schema.records.onboarding import ENDED, OnboardingCheck, SystemActivation
from schema.records.problems import DuplicateAccount, DuplicateCandidate
from schema.records.values import PageRequest
from systems.errors import Conflict, Rejected
from systems.platform import Database, PlatformOnboardingStore
from tests.support.onboarding_records import SUBMITTED, onboarding
from tests.support.platform_records import RecordedEvents, event


@pytest.fixture
def store(database: Database, events: RecordedEvents) -> PlatformOnboardingStore:
    return PlatformOnboardingStore(database, events.append)


async def test_a_request_comes_back_as_it_was_recorded(store: PlatformOnboardingStore):
    problem = DuplicateAccount(
        code="DUPLICATE_ACCOUNT", message="m", candidates=(DuplicateCandidate("acc_1", Decimal("0.95"), ("TAX_ID",)),)
    )
    made = onboarding(
        checks=(
            OnboardingCheck(
                CheckKind.DUPLICATE, SourceSystem.PLATFORM, CheckResult.FAILED, "d", SUBMITTED, None, (problem,)
            ),
        ),
        activations=(SystemActivation(SourceSystem.CRM, "001", "ACTIVE", SUBMITTED),),
    )
    await store.create(made)
    assert await store.onboardings(["onb_1", "onb_9"]) == {"onb_1": made}


async def test_recording_twice_keeps_the_first_and_tells_once(store: PlatformOnboardingStore, events: RecordedEvents):
    first = await store.create(onboarding(), [event("e-1")])
    again = await store.create(onboarding(submitted_by="user:other"), [event("e-2")])
    assert again == first
    assert events.ids == ["e-1"]


async def test_a_write_wants_the_version_that_is_stored(store: PlatformOnboardingStore, events: RecordedEvents):
    made = await store.create(onboarding())
    changed = await store.update(replace(made, status=OnboardingStatus.VALIDATING), [event("e-1")])
    assert changed.version == made.version + 1
    with pytest.raises(Conflict, match="read it again"):
        await store.update(made, [event("e-2")])
    assert (await store.onboardings(["onb_1"]))["onb_1"] == changed
    assert events.ids == ["e-1"]


async def test_marks_belong_to_one_onboarding_all_or_nothing(store: PlatformOnboardingStore):
    assert await store.claim("onb_1", ["tax:1", "name:a"]) is None
    assert await store.claim("onb_1", ["name:a", "tax:1"]) is None
    assert await store.claim("onb_2", ["crm:1", "name:a"]) == "onb_1"
    assert await store.claim("onb_3", ["crm:1"]) is None


async def test_of_many_that_claim_at_once_one_gets_the_marks(store: PlatformOnboardingStore):
    owners = await asyncio.gather(*(store.claim(f"onb_{n}", ["tax:1", f"own:{n}", "name:a"]) for n in range(8)))
    (winner,) = [f"onb_{n}" for n, owner in enumerate(owners) if owner is None]
    assert {owner for owner in owners if owner is not None} == {winner}


@pytest.mark.parametrize("status", sorted(OnboardingStatus))
async def test_marks_are_given_up_when_the_onboarding_ends(store: PlatformOnboardingStore, status: OnboardingStatus):
    made = await store.create(onboarding())
    await store.claim("onb_1", ["tax:1"])
    await store.update(replace(made, status=status))
    assert (await store.claim("onb_2", ["tax:1"]) is None) is (status in ENDED)


async def test_requests_are_listed_earliest_first_by_status(store: PlatformOnboardingStore):
    for number in (3, 1, 2):
        status = OnboardingStatus.REJECTED if number == 2 else OnboardingStatus.SUBMITTED
        await store.create(onboarding(number, status=status, submitted_at=SUBMITTED + timedelta(minutes=number)))
    first = await store.search_onboardings(None, PageRequest(2))
    rest = await store.search_onboardings(None, PageRequest(2, first.cursors[-1]))
    assert [entry.id for page in (first, rest) for entry in page.items] == ["onb_1", "onb_2", "onb_3"]
    assert (first.has_next, rest.has_next, first.total) == (True, False, 3)
    found = await store.search_onboardings(OnboardingStatus.REJECTED, PageRequest(5))
    assert [entry.id for entry in found.items] == ["onb_2"]
    with pytest.raises(Rejected, match="not one of this list"):
        await store.search_onboardings(None, PageRequest(5, "nonsense"))

"""Service cases of the CRM: read, and opened once per key."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import orjson
import pytest

from sandbox.kit.rest import utc_text
from sandbox.world.model import WorldModel
from schema.enums import CaseStatus
from systems.errors import Conflict, Rejected, Unavailable, Unexpected
from systems.salesforce import Salesforce
from tests.support.crm_connector import cases_in, late, settings
from tests.support.sandboxes import ServedSandbox
from tests.support.scripted_system import Reply, scripted


class TestCases:
    async def test_a_case_is_what_the_world_says(self, crm: Salesforce, world: WorldModel):
        known = next(case for case in world.cases if case.status == "RESOLVED")
        (found,) = (await crm.cases([known.id])).values()
        assert known.first_response_at is not None
        assert known.resolved_at is not None
        assert (found.account_id, found.number, found.subject, found.status, found.order_id) == (
            known.account_id,
            known.number,
            known.subject,
            CaseStatus.RESOLVED,
            known.order_id,
        )
        assert (found.opened_at, found.first_response_at, found.resolved_at) == tuple(
            datetime.fromisoformat(utc_text(moment))
            for moment in (known.opened_at, known.first_response_at, known.resolved_at)
        )

    async def test_every_case_comes_newest_first(self, crm: Salesforce, world: WorldModel):
        found = await crm.cases_of([account.id for account in world.accounts])
        assert {case.id: case.status for cases in found.values() for case in cases} == {
            case.id: CaseStatus(case.status) for case in world.cases
        }
        assert {case.priority for cases in found.values() for case in cases} == {"LOW", "NORMAL", "HIGH"}
        for cases in found.values():
            assert [case.opened_at for case in cases] == sorted((case.opened_at for case in cases), reverse=True)

    @pytest.mark.parametrize(("field", "word"), [("Status", "Escalated"), ("Priority", "Someday")])
    async def test_a_word_that_nobody_maps_is_named_and_not_guessed(
        self, crm: Salesforce, served: ServedSandbox, field: str, word: str
    ):
        served.host.store.execute(f'UPDATE "Case" SET "{field}" = ? WHERE "Crossdock_Id__c" = ?', (word, "cas_1"))
        with pytest.raises(Unexpected, match=f"of case cas_1 is '{word}'"):
            await crm.cases_of(["acc_1"])

    async def test_a_case_is_opened_with_what_it_is_about(self, crm: Salesforce, served: ServedSandbox):
        opened = await late(crm)
        assert (opened.account_id, opened.order_id, opened.subject) == ("acc_1", "ord_77", "Shipment S-1 is late")
        assert (opened.status, opened.priority, opened.first_response_at) == (CaseStatus.OPEN, "HIGH", None)
        assert opened.number.isdigit()
        assert await crm.cases([opened.id]) == {opened.id: opened}
        row = served.host.store.one('SELECT * FROM "Case" WHERE "Crossdock_Id__c" = ?', (opened.id,))
        assert row is not None
        assert (row["Description"], row["Origin"]) == ("Nobody knows why.", "Crossdock")

    async def test_the_same_key_opens_one_case_and_leaves_it_as_people_changed_it(
        self, crm: Salesforce, served: ServedSandbox
    ):
        before = cases_in(served)
        first = await late(crm)
        served.host.store.execute('UPDATE "Case" SET "Status" = ? WHERE "Crossdock_Id__c" = ?', ("Working", first.id))
        again = await late(crm, subject="Another subject")
        assert again == replace(first, status=CaseStatus.ANSWERED)
        assert cases_in(served) == before + 1

    async def test_other_keys_open_other_cases(self, crm: Salesforce):
        assert len({(await late(crm, key)).id for key in ("a", "A", "a" * 1_000)}) == 3

    async def test_one_key_at_the_same_time_opens_one_case(self, crm: Salesforce, served: ServedSandbox):
        before = cases_in(served)
        opened = await asyncio.gather(*(late(crm) for _ in range(8)))
        assert len({case.id for case in opened}) == 1
        assert cases_in(served) == before + 1

    async def test_a_case_whose_answer_got_lost_is_looked_up(self, crm: Salesforce, served: ServedSandbox):
        before = cases_in(served)
        await served.faults(lost_answer_rate=1, only={"methods": ["POST"], "path": "sobjects"})
        opened = await late(crm)
        assert opened.subject == "Shipment S-1 is late"
        await served.faults()
        assert await late(crm) == opened
        assert cases_in(served) == before + 1

    async def test_a_case_that_never_came_to_be_has_an_unknown_outcome(self, crm: Salesforce, served: ServedSandbox):
        before = cases_in(served)
        await served.faults(hang_rate=1, only={"methods": ["POST"], "path": "sobjects"})
        with pytest.raises(Unavailable) as lost:
            await late(crm)
        assert lost.value.outcome_unknown
        assert cases_in(served) == before
        await served.faults()
        await late(crm)
        assert cases_in(served) == before + 1

    @pytest.mark.parametrize(
        ("changes", "reason", "fields"),
        [
            ({"account_id": "acc_none"}, "INVALID_FIELD", ()),
            ({"subject": "x" * 256}, "STRING_TOO_LONG", ("Subject",)),
            ({"priority": "someday"}, "BAD_PRIORITY", ("priority",)),
        ],
    )
    async def test_a_case_that_cannot_be_is_refused(
        self, crm: Salesforce, served: ServedSandbox, changes: dict, reason: str, fields: tuple
    ):
        before = cases_in(served)
        with pytest.raises(Rejected) as refused:
            await late(crm, **changes)
        assert (refused.value.reason, refused.value.fields) == (reason, fields)
        assert cases_in(served) == before

    @pytest.mark.parametrize(
        ("given", "kept"), [("NORMAL", "NORMAL"), ("medium", "NORMAL"), ("Low", "LOW"), ("HIGH", "HIGH")]
    )
    async def test_priorities_are_taken_in_our_words(self, crm: Salesforce, given: str, kept: str):
        assert (await late(crm, priority=given)).priority == kept

    async def test_a_double_that_is_not_ours_is_a_conflict(self):
        double = Reply(400, orjson.dumps([{"message": "double", "errorCode": "DUPLICATE_VALUE", "fields": []}]))
        nothing = Reply(body=b'{"totalSize": 0, "done": true, "records": []}')
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), double, nothing) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Conflict):
                await late(crm)

    @pytest.mark.parametrize(
        "read",
        [
            pytest.param(Reply(503), id="the system is away"),
            pytest.param(Reply(body=b"<html>"), id="a proxy answers"),
            pytest.param(Reply(body=b'{"totalSize": 0, "done": true, "records": []}'), id="it is not there"),
        ],
    )
    async def test_a_case_that_was_opened_and_cannot_be_read_is_in_doubt(self, read: Reply):
        made = Reply(201, b'{"id": "500000000000001AAA", "success": true, "errors": []}')
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), made, read) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unavailable, match="cannot be read after it was opened") as doubt:
                await late(crm)
        assert doubt.value.outcome_unknown

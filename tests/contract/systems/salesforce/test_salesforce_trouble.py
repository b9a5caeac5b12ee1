"""What goes wrong at the CRM comes as one of our failures."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.model import WorldModel
from schema.enums import SourceSystem
from systems.errors import ConnectorError, RateLimited, Rejected, Unavailable, Unexpected
from systems.salesforce import Salesforce
from tests.support.crm_connector import QUERY, connected, late, mirror, settings
from tests.support.sandboxes import ServedSandbox
from tests.support.scripted_system import Reply, scripted


class TestTrouble:
    @pytest.mark.parametrize(
        ("profile", "failure"),
        [
            pytest.param({"error_rate": 1}, Unavailable, id="it fails"),
            pytest.param({"outages": [{"for_s": 60}]}, Unavailable, id="it is down"),
            pytest.param({"hang_rate": 1}, Unavailable, id="it never answers"),
            pytest.param({"throttle_rate": 1, "retry_after_s": 30}, RateLimited, id="it limits us"),
            pytest.param({"html_rate": 1}, Unexpected, id="a proxy answers with a page"),
            pytest.param({"garbage_rate": 1}, Unexpected, id="half an answer"),
            pytest.param({"error_rate": 1, "error_status": 403}, Unexpected, id="we may not"),
        ],
    )
    async def test_trouble_comes_as_one_of_our_failures(
        self, served: ServedSandbox, crm: Salesforce, profile: dict, failure: type[ConnectorError]
    ):
        await crm.users(["usr_1"])
        await served.faults(**profile)
        with pytest.raises(failure) as raised:
            await crm.accounts(["acc_1"])
        assert raised.value.system is SourceSystem.CRM

    async def test_a_short_failure_of_a_read_goes_unnoticed(self, served: ServedSandbox, crm: Salesforce):
        await served.faults(seed=3, error_rate=0.3)
        for _ in range(5):
            assert await crm.accounts(["acc_1"])

    async def test_the_end_of_the_days_calls_is_a_limit_that_lasts(self, world: WorldModel):
        async with connected(Crm(day_calls=1), world) as (crm, served):
            assert await crm.accounts(["acc_1"])
            with pytest.raises(RateLimited, match="calls of the day are used up") as limited:
                await crm.accounts(["acc_1"])
            assert limited.value.retry_after_s == 900
            with pytest.raises(RateLimited):
                await late(crm)
            assert (await served.calls())[f"GET {QUERY}"] == 2

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            pytest.param({"records": []}, "done", id="no word on whether it is all"),
            pytest.param({"done": True, "records": [{}]}, "Crossdock_Id__c", id="a record without its fields"),
            pytest.param({"done": True, "records": None}, "TypeError", id="no records"),
            pytest.param({"done": False, "records": []}, "nextRecordsUrl", id="no address of the next page"),
            pytest.param([], "TypeError", id="a list"),
            pytest.param(
                {"done": False, "nextRecordsUrl": "https://elsewhere.example.com/x", "records": []},
                "outside of the API",
                id="a next page elsewhere",
            ),
        ],
    )
    async def test_an_answer_of_another_shape_is_never_data(self, body: Any, problem: str):
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(body=orjson.dumps(body))) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unexpected, match=problem):
                await crm.accounts(["acc_1"])
        assert len(system.requests) == 2

    async def test_pages_without_an_end_are_given_up(self):
        page = orjson.dumps({"done": False, "nextRecordsUrl": f"{QUERY}/01g-1", "records": []})
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(body=page)) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unexpected, match="more than 200 pages"):
                await crm.accounts(["acc_1"])
        assert len(system.requests) == 201

    async def test_pages_that_are_gone_are_worth_another_try(self):
        page = orjson.dumps({"done": False, "nextRecordsUrl": f"{QUERY}/01g-1", "records": []})
        gone = orjson.dumps([{"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}])
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(body=page), Reply(400, gone)) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(Unavailable, match="pages of the query are gone"):
                await crm.accounts(["acc_1"])

    @pytest.mark.parametrize(
        ("status", "code", "failure"),
        [
            (400, "UNABLE_TO_LOCK_ROW", RateLimited),
            (400, "STRING_TOO_LONG", Rejected),
            (403, "INSUFFICIENT_ACCESS", Unexpected),
            (403, "REQUEST_LIMIT_EXCEEDED", RateLimited),
            (503, "SERVER_UNAVAILABLE", Unavailable),
        ],
    )
    async def test_the_vendors_codes_have_their_meaning(self, status: int, code: str, failure: type[ConnectorError]):
        refusal = orjson.dumps([{"message": "no", "errorCode": code}])
        async with (
            scripted(Reply(body=b'{"access_token": "t"}'), Reply(status, refusal)) as system,
            Salesforce(settings(system.url)) as crm,
        ):
            with pytest.raises(failure):
                await crm.mirror_order("k", mirror())

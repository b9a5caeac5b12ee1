"""What the cloud ERP's connector makes of trouble of its own: companies, unknown words of items, strange links."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.erp.vendor import Erp
from sandbox.erp_book.seed import COMPANY
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.records.orders import OrderFilter
from systems.business_central import BusinessCentral
from systems.errors import Conflict, RateLimited, Rejected, Unavailable, Unexpected
from systems.ports import SystemCall
from tests.support.erp_orders import SETTINGS
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.scripted_system import Reply, scripted
from tests.support.small_worlds import small_world

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return small_world(generate_world(42, NOW))


@pytest.fixture
async def vendor() -> Erp:
    return Erp()


@pytest.fixture
async def served(vendor: Erp, world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(vendor, lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
async def calls() -> list[SystemCall]:
    return []


@pytest.fixture
async def erp(served: ServedSandbox, calls: list[SystemCall]) -> AsyncIterator[BusinessCentral]:
    async with BusinessCentral(replace(SETTINGS, base_url=served.url), observer=calls.append) as connector:
        yield connector


class TestCompany:
    async def test_the_company_is_looked_up_once(self, erp: BusinessCentral, calls: list[SystemCall]):
        await asyncio.gather(*(erp.terms(["acc_1"]) for _ in range(4)))
        assert [call.operation for call in calls].count("find company") == 2
        assert [call.operation for call in calls].count("sign in") == 1

    async def test_a_company_that_is_not_there_is_named(self, served: ServedSandbox):
        async with BusinessCentral(replace(SETTINGS, base_url=served.url, company="Nobody's")) as connector:
            with pytest.raises(Unexpected, match="Nobody's"):
                await connector.terms(["acc_1"])


@pytest.mark.parametrize(
    ("table", "column", "ask"),
    [
        ("items", "status", lambda erp: erp.items(["PMP-0042"])),
        ("supplies", "kind", lambda erp: erp.inbound(["PMP-0042"])),
    ],
    ids=["item status", "kind of supply"],
)
async def test_a_word_that_nobody_knows_is_named_and_never_guessed(
    served: ServedSandbox, erp: BusinessCentral, table: str, column: str, ask: Any
):
    served.host.store.execute(f"UPDATE {table} SET {column} = 'Teleported'")
    with pytest.raises(Unexpected, match="Teleported"):
        await ask(erp)


@pytest.mark.parametrize("status", [409, 412], ids=["a conflict", "a changed record"])
@pytest.mark.parametrize("is_signed_in", [True, False], ids=["signed in", "at sign-in"])
async def test_a_record_that_changed_is_a_conflict(
    served: ServedSandbox, erp: BusinessCentral, status: int, is_signed_in: bool
):
    if is_signed_in:
        await erp.terms(["acc_1"])
    await served.faults(error_rate=1, error_status=status)
    with pytest.raises(Conflict):
        await erp.terms(["acc_1"])


class TestLinks:
    """Answers of a system that is not what it seems."""

    TOKEN = Reply(body=b'{"access_token": "t", "expires_in": 3600}')
    COMPANY = Reply(body=json.dumps({"value": [{"id": COMPANY, "currencyCode": "USD"}]}).encode())

    @staticmethod
    def page(link: Any) -> Reply:
        return Reply(body=json.dumps({"value": [], "@odata.nextLink": link}).encode())

    @pytest.mark.parametrize(
        "link",
        ["https://elsewhere.example/api", "//elsewhere.example/api", "/api/x", "", 5, {"a": 1}, "http://["],
        ids=str,
    )
    async def test_a_link_to_elsewhere_is_not_followed(self, link: Any):
        async with scripted(self.TOKEN, self.COMPANY, self.COMPANY, self.page(link)) as system:
            async with BusinessCentral(replace(SETTINGS, base_url=system.url)) as connector:
                with pytest.raises(Unexpected, match=r"another system|agreed shape"):
                    await connector.terms(["acc_1"])
            assert len(system.requests) == 4

    async def test_links_in_a_circle_end(self):
        async with scripted(self.TOKEN, self.COMPANY, self.COMPANY) as system:
            system._replies.append(self.page(f"{system.url}/api/again"))
            async with BusinessCentral(replace(SETTINGS, base_url=system.url)) as connector:
                with pytest.raises(Unexpected, match="pages"):
                    await connector.terms(["acc_1"])

    @pytest.mark.parametrize(
        ("answer", "failure"),
        [
            ({"responses": []}, Unexpected),
            ({}, Unexpected),
            ({"responses": [{"id": "0", "status": 200, "body": {"value": []}}]}, Unexpected),
            ({"responses": [{"id": "0", "status": 429}]}, RateLimited),
            ({"responses": [{"id": "0", "status": 503}]}, Unavailable),
            ({"responses": [{"id": "0", "status": 400, "body": {"error": {"code": "X", "message": "m"}}}]}, Rejected),
            ({"responses": [{"id": "0", "status": 400, "body": "?"}]}, Unexpected),
            ({"responses": [{"id": "0", "status": 404}]}, Unexpected),
            ({"responses": [{"id": "0", "status": "?"}]}, Unexpected),
            ({"responses": [{"id": "0"}, {"id": "1"}]}, Unexpected),
        ],
        ids=[
            "none",
            "nothing",
            "one is missing",
            "limited",
            "away",
            "refused",
            "unreadable",
            "not there",
            "a strange status",
            "no status",
        ],
    )
    async def test_a_part_of_a_batch_that_fails_fails_the_question(self, answer: Any, failure: Any):
        replies = (self.TOKEN, self.COMPANY, self.COMPANY, Reply(body=json.dumps(answer).encode()))
        async with (
            scripted(*replies) as system,
            BusinessCentral(replace(SETTINGS, base_url=system.url)) as connector,
        ):
            with pytest.raises(failure):
                await connector.orders_of(["acc_1", "acc_2"], OrderFilter(), 5)

"""What the ERP connector makes of trouble: faults, ended tokens, unknown words, strange links."""

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
from schema.enums import OrderStatus, SourceSystem
from schema.records.orders import OrderFilter
from schema.records.values import PageRequest
from systems.business_central import BusinessCentral
from systems.errors import AuthFailed, Conflict, RateLimited, Rejected, Unavailable, Unexpected
from systems.ports import SystemCall
from tests.support.erp_orders import SETTINGS, order
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
            pytest.param({"error_rate": 1, "error_status": 409}, Conflict, id="a conflict"),
            pytest.param({"error_rate": 1, "error_status": 412}, Conflict, id="a changed record"),
            pytest.param({"error_rate": 1, "error_status": 403}, Unexpected, id="a forbidden page"),
        ],
    )
    @pytest.mark.parametrize("is_signed_in", [True, False], ids=["signed in", "at sign-in"])
    async def test_trouble_comes_as_one_of_our_failures(
        self, served: ServedSandbox, erp: BusinessCentral, profile: dict[str, Any], failure: Any, is_signed_in: bool
    ):
        if is_signed_in:
            await erp.terms(["acc_1"])
        await served.faults(**profile)
        with pytest.raises(failure) as raised:
            await erp.terms(["acc_1"])
        assert raised.value.system is SourceSystem.CLOUD_ERP
        assert not getattr(raised.value, "outcome_unknown", False)

    async def test_a_failure_at_sign_in_leaves_no_doubt_about_a_write(
        self, served: ServedSandbox, erp: BusinessCentral
    ):
        await served.faults(error_rate=1, only={"path": "token"})
        with pytest.raises(Unavailable) as failed:
            await erp.create_order(order())
        assert not failed.value.outcome_unknown

    async def test_a_short_failure_of_a_read_goes_unnoticed(self, served: ServedSandbox, erp: BusinessCentral):
        await erp.terms(["acc_1"])
        await served.faults(seed=3, error_rate=0.3)
        for _ in range(5):
            assert await erp.orders_of(["acc_1", "acc_2"], OrderFilter(), 2)

    async def test_wrong_credentials_are_said_to_be_wrong(self, served: ServedSandbox):
        settings = replace(SETTINGS, base_url=served.url, client_secret="wrong")
        async with BusinessCentral(settings) as connector:
            with pytest.raises(AuthFailed):
                await connector.terms(["acc_1"])

    async def test_a_secret_is_never_shown(self):
        assert "sandbox-erp-secret" not in repr(SETTINGS)

    async def test_a_token_that_ended_is_renewed_once_for_all(
        self, vendor: Erp, erp: BusinessCentral, calls: list[SystemCall]
    ):
        await erp.terms(["acc_1"])
        calls.clear()
        vendor.revoke_tokens()
        found = await asyncio.gather(*(erp.terms(["acc_1"]) for _ in range(6)))
        assert all(found)
        assert [call.operation for call in calls].count("sign in") == 1
        vendor.revoke_tokens()
        assert (await erp.create_order(order())).status is OrderStatus.ACCEPTED

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
            ("orders", "status", lambda erp: erp.search_orders(OrderFilter(), PageRequest(5))),
            ("orders", "channel", lambda erp: erp.orders_of(["acc_1"], OrderFilter(), 5)),
            ("invoices", "status", lambda erp: erp.invoices_of(["acc_1"], 5)),
            ("returns", "status", lambda erp: erp.returns_of(["acc_1", "acc_2", "acc_7"])),
            ("items", "status", lambda erp: erp.items(["PMP-0042"])),
            ("customers", "blocked", lambda erp: erp.terms(["acc_1"])),
            ("supplies", "kind", lambda erp: erp.inbound(["PMP-0042"])),
        ],
        ids=["order status", "channel", "invoice status", "return status", "item status", "block", "kind of supply"],
    )
    async def test_a_word_that_nobody_knows_is_named_and_never_guessed(
        self, served: ServedSandbox, erp: BusinessCentral, table: str, column: str, ask: Any
    ):
        served.host.store.execute(f"UPDATE {table} SET {column} = 'Teleported'")
        with pytest.raises(Unexpected, match="Teleported"):
            await ask(erp)

    async def test_an_amount_with_more_digits_than_json_keeps_is_refused(
        self, served: ServedSandbox, erp: BusinessCentral
    ):
        served.host.store.execute("UPDATE customers SET creditLimit = '123456789012345.67'")
        with pytest.raises(Unexpected, match="digits"):
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

"""The session with the CRM: signed in once, renewed for all, and what the connector is."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.crm.vendor import Crm
from sandbox.world.model import WorldModel
from systems.errors import AuthFailed, Unavailable, Unexpected
from systems.ports import AccountDirectory, CaseDesk, SalesContext
from systems.salesforce import Salesforce
from tests.support.crm_connector import TOKEN, connected, mirror, mirrored, settings
from tests.support.sandboxes import ServedSandbox
from tests.support.scripted_system import Reply, scripted


class TestSession:
    async def test_one_sign_in_serves_all_calls(self, crm: Salesforce, served: ServedSandbox):
        await asyncio.gather(*(crm.accounts(["acc_1"]) for _ in range(10)))
        assert (await served.calls())[f"POST {TOKEN}"] == 1

    async def test_a_session_that_ended_is_renewed_once_for_all(self, world: WorldModel):
        now = 0.0
        async with connected(Crm(session_s=100, monotonic=lambda: now), world) as (crm, served):
            await crm.accounts(["acc_1"])
            now = 1_000.0
            found = await asyncio.gather(*(crm.accounts(["acc_1"]) for _ in range(10)))
            assert all("acc_1" in accounts for accounts in found)
            assert (await served.calls())[f"POST {TOKEN}"] == 2

    async def test_a_write_goes_on_after_the_session_ended(self, world: WorldModel):
        now = 0.0
        async with connected(Crm(session_s=100, monotonic=lambda: now), world) as (crm, served):
            await crm.accounts(["acc_1"])
            now = 1_000.0
            await crm.mirror_order("k", mirror())
            assert len(mirrored(served)) == 1

    async def test_a_session_that_is_refused_at_once_is_an_auth_failure(self, world: WorldModel):
        async with connected(Crm(session_s=-1), world) as (crm, served):
            with pytest.raises(AuthFailed):
                await crm.accounts(["acc_1"])
            assert (await served.calls())[f"POST {TOKEN}"] == 2

    async def test_a_wrong_secret_is_said_to_be_wrong(self, served: ServedSandbox):
        async with Salesforce(settings(served.url, client_secret="wrong")) as crm:
            with pytest.raises(AuthFailed, match="sign in"):
                await crm.accounts(["acc_1"])

    async def test_a_sign_in_without_an_answer_leaves_no_write_in_doubt(self, crm: Salesforce, served: ServedSandbox):
        await served.faults(error_rate=1, only={"path": "oauth2"})
        with pytest.raises(Unavailable) as away:
            await crm.mirror_order("k", mirror())
        assert not away.value.outcome_unknown

    @pytest.mark.parametrize("body", [b"[]", b"{}", b'{"access_token": 7}', b'{"access_token": ""}'])
    async def test_a_sign_in_without_a_token_breaks_the_protocol(self, body: bytes):
        async with scripted(Reply(body=body)) as system, Salesforce(settings(system.url)) as crm:
            with pytest.raises(Unexpected, match="no token"):
                await crm.accounts(["acc_1"])

    def test_settings_show_no_secret(self):
        assert "sandbox-crm-secret" not in repr(settings("http://127.0.0.1"))

    def test_the_connector_has_the_ports(self):
        connector = Salesforce(settings("http://127.0.0.1"))
        ports: tuple[AccountDirectory, SalesContext, CaseDesk] = (connector, connector, connector)
        assert ports

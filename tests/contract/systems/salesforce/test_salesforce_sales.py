"""Opportunities of the CRM, and orders that are mirrored there."""

from __future__ import annotations

import pytest

from sandbox.world.model import WorldModel
from schema.enums import OrderStatus, QuoteStatus, SourceSystem
from schema.records.values import ExternalRef, Money
from systems.errors import Rejected, Unavailable
from systems.salesforce import Salesforce
from tests.support.crm_connector import ACCOUNT_REF, mirror, mirrored, mirrored_quotes, quote_mirror
from tests.support.sandboxes import ServedSandbox


class TestSales:
    async def test_an_opportunity_is_what_the_world_says(self, crm: Salesforce, world: WorldModel):
        known = next(opportunity for opportunity in world.opportunities if opportunity.id == "opp_9")
        (found,) = (await crm.opportunities(["opp_9"])).values()
        assert (found.account_id, found.name, found.stage, found.close_date, found.owner_id, found.is_open) == (
            known.account_id,
            known.name,
            "Negotiation",
            known.close_date,
            known.owner_id,
            True,
        )
        assert found.amount == Money(known.amount, "USD")
        assert found.refs == (ExternalRef(SourceSystem.CRM, "006000000000009AAA"),)

    async def test_every_opportunity_comes_latest_close_date_first(self, crm: Salesforce, world: WorldModel):
        found = await crm.opportunities_of([account.id for account in world.accounts])
        assert sum(map(len, found.values())) == len(world.opportunities)
        assert {opportunity.is_open for several in found.values() for opportunity in several} == {True, False}
        for several in found.values():
            dates = [opportunity.close_date for opportunity in several]
            assert dates == sorted(dates, reverse=True)  # type: ignore[type-var]

    async def test_an_order_is_mirrored_with_its_account_and_opportunity(self, crm: Salesforce, served: ServedSandbox):
        await crm.mirror_order("or:ord_new:ack:CRM:1", mirror())
        (row,) = mirrored(served)
        assert (row["AccountId"], row["OpportunityId"]) == (ACCOUNT_REF, "006000000000009AAA")
        assert (row["OrderReferenceNumber"], row["PoNumber"], row["Status"]) == ("SO-900", "PO-1", "Accepted")
        assert (row["EffectiveDate"], row["Promised_Date__c"]) == ("2026-03-02", "2026-03-09")
        assert (row["Total__c"], row["CurrencyIsoCode"]) == (1234.56, "USD")

    async def test_every_status_has_a_word_of_its_own_in_the_crm(self, crm: Salesforce, served: ServedSandbox):
        words = []
        for status in OrderStatus:
            await crm.mirror_order("k", mirror(status=status))
            words.append(mirrored(served)[0]["Status"])
        assert len(set(words)) == len(OrderStatus)

    async def test_mirroring_again_changes_the_same_summary(self, crm: Salesforce, served: ServedSandbox):
        await crm.mirror_order("k", mirror())
        await crm.mirror_order("k", mirror(status=OrderStatus.COMPLETED, opportunity_id=None, po_number=None))
        (row,) = mirrored(served)
        assert (row["Status"], row["OpportunityId"], row["PoNumber"]) == ("Completed", None, None)

    async def test_an_order_id_with_strange_letters_is_one_id(self, crm: Salesforce, served: ServedSandbox):
        for _ in range(2):
            await crm.mirror_order("k", mirror("ord/../a b?%2F'ä"))
        assert len(mirrored(served, "ord/../a b?%2F'ä")) == 1

    async def test_an_order_of_an_unknown_account_is_refused_by_name(self, crm: Salesforce, served: ServedSandbox):
        with pytest.raises(Rejected, match="acc_none") as refused:
            await crm.mirror_order("k", mirror(account_id="acc_none"))
        assert refused.value.reason == "INVALID_FIELD"
        assert mirrored(served) == []

    async def test_an_answer_that_got_lost_does_not_double_the_summary(self, crm: Salesforce, served: ServedSandbox):
        await served.faults(lost_answer_rate=1, only={"methods": ["PATCH"]})
        with pytest.raises(Unavailable) as lost:
            await crm.mirror_order("k", mirror())
        assert lost.value.outcome_unknown
        await served.faults()
        await crm.mirror_order("k", mirror())
        assert len(mirrored(served)) == 1

    async def test_a_quote_is_one_at_its_opportunity_however_often_it_is_mirrored(
        self, crm: Salesforce, served: ServedSandbox
    ):
        words = []
        for status in QuoteStatus:
            await crm.mirror_quote(quote_mirror(status=status))
            (row,) = mirrored_quotes(served)
            words.append(row["Status"])
        assert len(set(words)) == len(QuoteStatus)
        assert (row["Crossdock_Id__c"], row["Name"]) == ("quo_new", "Q-900")
        assert (row["AccountId"], row["OpportunityId"]) == (ACCOUNT_REF, "006000000000009AAA")
        assert (row["ExpirationDate"], row["Total__c"], row["CurrencyIsoCode"]) == ("2026-04-01", 1234.56, "USD")

    async def test_a_quote_of_no_opportunity_stands_at_its_account(self, crm: Salesforce, served: ServedSandbox):
        await crm.mirror_quote(quote_mirror(opportunity_id=None))
        (row,) = mirrored_quotes(served)
        assert (row["AccountId"], row["OpportunityId"]) == (ACCOUNT_REF, None)

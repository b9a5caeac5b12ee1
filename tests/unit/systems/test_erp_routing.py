"""Several ERPs as one: who is asked what, what comes together, and what the silence of one costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schema.enums import ErpHome, OrderStatus, SourceSystem
from schema.records.accounts import AccountValues
from schema.records.catalog import PriceLevel
from schema.records.orders import ErpOrderChange, NewErpOrder, OrderFilter
from schema.records.values import ExternalRef, PageRequest
from systems.erp_routing.account_homes import BELIEVED_S
from systems.erp_routing.bounded import Bounded
from systems.errors import ConnectorError, NotFound, PartlyAnswered, Rejected, Unavailable
from tests.support.fake_systems import account
from tests.support.order_records import invoice, recorded, rma
from tests.support.rule_records import TODAY, credit, money, rule, ship_to, terms
from tests.support.two_erps import CLOUD, LEGACY, TwoErps, two_erps

ALL = ["acc_cloud", "acc_legacy", "acc_moving"]
EVERY = OrderFilter()


@pytest.fixture
def erps() -> TwoErps:
    return two_erps()


def new_order(erp: SourceSystem) -> NewErpOrder:
    of = recorded(7)
    return NewErpOrder(
        key=f"or:{of.id}:erp",
        order_id=of.id,
        number=of.number,
        account_id="acc_legacy",
        ship_to_id="shp_1",
        po_number=None,
        channel=of.channel,
        currency="USD",
        requested_date=None,
        opportunity_id=None,
        quote_id=None,
        lines=(),
        home_erp=erp,
    )


class TestAccounts:
    async def test_each_account_is_asked_for_where_it_is_at_home_in_one_call_to_each_system(self, erps: TwoErps):
        for count, (erp, name) in enumerate([(CLOUD, "acc_cloud"), (LEGACY, "acc_legacy")], 1):
            erps.enter(erp, count, name)
        found = await erps.routing.orders_of([*ALL, "acc_cloud"], EVERY, 10)
        assert [entry.home_erp for entry in found["acc_cloud"]] == [CLOUD]
        assert [entry.home_erp for entry in found["acc_legacy"]] == [LEGACY]
        assert found["acc_moving"] == ()
        assert erps.calls() == {"crm": ["accounts"], "cloud": ["orders_of"], "legacy": ["orders_of"]}

    async def test_an_account_of_the_cloud_costs_the_legacy_system_nothing(self, erps: TwoErps):
        erps.homes.note(erps.crm.known["acc_cloud"])
        await erps.routing.orders_of(["acc_cloud"], EVERY, 10)
        await erps.routing.terms(["acc_cloud"])
        await erps.routing.open_values(["acc_cloud"])
        await erps.routing.invoices_of(["acc_cloud"], 10)
        calls = erps.calls()
        assert (calls["crm"], calls["legacy"]) == ([], [])
        assert len(calls["cloud"]) == 4

    async def test_an_account_that_migrates_has_its_old_and_its_new_orders_newest_first(self, erps: TwoErps):
        made = [erps.enter(LEGACY if count < 3 else CLOUD, count, "acc_moving") for count in range(1, 6)]
        found = (await erps.routing.orders_of(["acc_moving"], EVERY, 4))["acc_moving"]
        assert [entry.id for entry in found] == [entry.id for entry in reversed(made[1:])]
        assert [entry.home_erp for entry in found] == [CLOUD, CLOUD, CLOUD, LEGACY]

    async def test_what_an_account_that_migrates_has_ordered_and_owes_is_of_both_systems(self, erps: TwoErps):
        erps.legacy.open["acc_moving"], erps.cloud.open["acc_moving"] = money("10.50"), money("4.25")
        owing = {CLOUD: credit(limit="1", receivables="7", overdue="2", days=40), LEGACY: credit(receivables="5")}
        for erp, fake in ((CLOUD, erps.cloud), (LEGACY, erps.legacy)):
            fake.terms_by_account["acc_moving"] = replace(
                terms(account="acc_moving"), credit=owing[erp], ref=ExternalRef(erp, "1")
            )
        assert (await erps.routing.open_values(ALL)) == {"acc_moving": money("14.75")}
        told = (await erps.routing.terms(["acc_moving"]))["acc_moving"]
        assert (told.ref.system, told.credit.limit) == (LEGACY, money("10000"))
        assert (told.credit.open_receivables, told.credit.overdue) == (money("12"), money("2"))
        assert told.credit.max_days_past_due == 40

    async def test_documents_of_an_account_that_migrates_come_from_both(self, erps: TwoErps):
        for count, fake in enumerate((erps.legacy, erps.cloud), 1):
            fake.invoices_by_id[f"inv_INV-{count}"] = invoice(count, account_id="acc_moving")
            fake.returns_by_id[f"rma_R-{count}"] = rma(count, account_id="acc_moving")
        invoices = (await erps.routing.invoices_of(["acc_moving"], 10))["acc_moving"]
        returns = (await erps.routing.returns_of(["acc_moving"]))["acc_moving"]
        assert [entry.number for entry in invoices] == ["INV-2", "INV-1"]
        assert [entry.rma_number for entry in returns] == ["R-2", "R-1"]

    async def test_a_customer_is_changed_wherever_it_has_a_card_first_where_that_is_decided(self, erps: TwoErps):
        seen: list[str] = []
        for name, fake in (("cloud", erps.cloud), ("legacy", erps.legacy)):
            fake.values["acc_moving"] = AccountValues()
            fake.script.seen = lambda operation, name=name: seen.append(f"{name} {operation}")
        await erps.routing.change_customer("acc_moving", AccountValues(payment_terms="NET45"))
        assert seen == ["legacy change_customer", "cloud change_customer"]

    async def test_a_new_customer_is_one_of_the_cloud_before_the_crm_knows_it(self, erps: TwoErps):
        await erps.routing.block_customer("acc_new", "All")
        calls = erps.calls()
        assert (calls["cloud"], calls["legacy"]) == (["block_customer"], [])

    async def test_duplicates_are_looked_for_in_every_system_or_not_at_all(self, erps: TwoErps):
        erps.silence(LEGACY)
        with pytest.raises(Unavailable):
            await erps.routing.traces(["RS-1"], [])

    async def test_an_account_is_found_by_the_number_of_the_system_that_gave_it(self, erps: TwoErps):
        erps.legacy.terms_by_account["acc_legacy"] = replace(terms(), ref=ExternalRef(LEGACY, "0017"))
        assert await erps.routing.account_id_by_ref(LEGACY, "0017") == "acc_legacy"
        assert await erps.routing.account_id_by_ref(SourceSystem.WMS, "0017") is None


class TestHomes:
    async def test_a_home_is_believed_for_a_while_and_then_asked_for_anew(self, erps: TwoErps):
        erps.homes.note(erps.crm.known["acc_legacy"])
        erps.crm.known["acc_legacy"] = account("acc_legacy", erp_home=ErpHome.CLOUD_ERP)
        erps.now_s[0] += BELIEVED_S
        await erps.routing.terms(["acc_legacy"])
        assert erps.calls() == {"crm": [], "cloud": [], "legacy": ["terms"]}
        erps.now_s[0] += 1
        await erps.routing.terms(["acc_legacy"])
        assert erps.calls() == {"crm": ["accounts"], "cloud": ["terms"], "legacy": []}

    async def test_while_the_crm_is_out_homes_are_as_it_told_them_last(self, erps: TwoErps):
        erps.homes.note(erps.crm.known["acc_legacy"])
        erps.now_s[0] += 10 * BELIEVED_S
        erps.silence(SourceSystem.CRM)
        assert set(await erps.routing.terms(["acc_legacy"])) == {"acc_legacy"}
        with pytest.raises(PartlyAnswered) as caught:
            await erps.routing.terms(["acc_legacy", "acc_cloud"])
        assert set(caught.value.found) == {"acc_legacy"}
        assert {name: error.system for name, error in caught.value.failures.items()} == {"acc_cloud": SourceSystem.CRM}

    async def test_questions_at_the_same_time_ask_the_crm_once_for_an_account(self, erps: TwoErps):
        await asyncio.gather(
            erps.routing.terms(["acc_cloud"]), erps.routing.open_values(["acc_cloud"]), erps.routing.terms(ALL)
        )
        assert erps.calls()["crm"] == ["accounts", "accounts"]

    def test_a_bounded_mapping_lets_go_what_was_not_asked_for_the_longest(self):
        kept: Bounded[int] = Bounded(2)
        kept.put("a", 1)
        kept.put("b", 2)
        assert kept.get("a") == 1
        kept.put("c", 3)
        assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (1, None, 3, 2)


class TestSilence:
    @pytest.mark.parametrize(
        ("ask", "value"),
        [
            pytest.param(lambda erp: erp.terms(ALL), None, id="terms"),
            pytest.param(lambda erp: erp.orders_of(ALL, EVERY, 5), (), id="orders"),
            pytest.param(lambda erp: erp.invoices_of(ALL, 5), (), id="invoices"),
            pytest.param(lambda erp: erp.agreements_of(["acc_cloud", "acc_legacy", "acc_moving"]), (), id="contracts"),
        ],
    )
    async def test_a_silent_erp_costs_the_accounts_that_need_it_and_no_other(
        self, erps: TwoErps, ask: Callable[[Any], Awaitable[Any]], value: object
    ):
        erps.silence(LEGACY)
        with pytest.raises(PartlyAnswered) as caught:
            await ask(erps.routing)
        partly = caught.value
        assert {name: error.system for name, error in partly.failures.items()} == {
            "acc_legacy": LEGACY,
            "acc_moving": LEGACY,
        }
        assert "acc_cloud" in partly.found
        assert value is None or partly.found["acc_cloud"] == value
        assert partly.systems == {LEGACY}

    async def test_when_nothing_is_answered_the_failure_is_the_erps_own(self, erps: TwoErps):
        erps.silence(LEGACY)
        with pytest.raises(Unavailable) as caught:
            await erps.routing.terms(["acc_legacy"])
        assert not isinstance(caught.value, PartlyAnswered)
        assert caught.value.system is LEGACY

    async def test_a_refusal_is_no_silence(self, erps: TwoErps):
        refusal = Rejected(LEGACY, "terms", "no", reason="NO")
        erps.legacy.script.before["terms"] = [refusal]
        with pytest.raises(Rejected):
            await erps.routing.terms(ALL)

    async def test_a_search_shows_what_the_others_have(self, erps: TwoErps):
        erps.enter(LEGACY, 1, "acc_legacy")
        here = erps.enter(CLOUD, 2, "acc_cloud")
        erps.silence(LEGACY)
        with pytest.raises(PartlyAnswered) as caught:
            await erps.routing.search_orders(EVERY, PageRequest(10))
        assert list(caught.value.found) == [here.id]
        erps.silence(LEGACY, CLOUD)
        with pytest.raises(ConnectorError):
            await erps.routing.search_orders(EVERY, PageRequest(10))

    async def test_an_order_that_only_the_silent_erp_may_know_is_not_said_to_be_unknown(self, erps: TwoErps):
        here = erps.enter(CLOUD, 1, "acc_cloud")
        erps.silence(LEGACY)
        with pytest.raises(PartlyAnswered) as caught:
            await erps.routing.orders([here.id, "ord_elsewhere"])
        assert set(caught.value.found) == {here.id}
        assert set(caught.value.failures) == {"ord_elsewhere"}


class TestSearch:
    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    async def test_pages_of_all_systems_are_one_list_without_gap_or_double(self, erps: TwoErps, size: int):
        made = [erps.enter((CLOUD, LEGACY)[count % 3 == 0], count, "acc_moving").id for count in range(1, 12)]
        seen: list[str] = []
        after = None
        while True:
            page = await erps.routing.search_orders(EVERY, PageRequest(size, after))
            seen += [order.id for order in page.items]
            if not page.has_next:
                break
            after = page.cursors[-1]
        assert seen == list(reversed(made))

    async def test_orders_of_one_instant_are_told_apart_by_their_ids(self, erps: TwoErps):
        at = datetime(2026, 1, 5, 12, tzinfo=UTC)
        for count, erp in ((1, CLOUD), (2, LEGACY), (3, CLOUD)):
            made = erps.enter(erp, count, "acc_moving")
            fake = erps.cloud if erp is CLOUD else erps.legacy
            fake.entered[made.id] = replace(made, submitted_at=at)
        first = await erps.routing.search_orders(EVERY, PageRequest(2))
        second = await erps.routing.search_orders(EVERY, PageRequest(2, first.cursors[-1]))
        assert [order.id for order in (*first.items, *second.items)] == ["ord_3", "ord_2", "ord_1"]

    @pytest.mark.parametrize("cursor", ["", "%%%", "bm9uc2Vuc2U", "MjAyNi0wMS0wMVQwMDowMDowMHxvcmRfMQ"])
    async def test_a_cursor_of_another_list_is_refused(self, erps: TwoErps, cursor: str):
        with pytest.raises(Rejected) as caught:
            await erps.routing.search_orders(EVERY, PageRequest(2, cursor))
        assert caught.value.reason == "BAD_CURSOR"


class TestDocuments:
    async def test_an_order_is_asked_for_where_the_ledger_says_it_was_created(self, erps: TwoErps):
        order = erps.enter(LEGACY, 1, "acc_cloud", is_recorded=True)  # its account has moved since
        for _ in range(2):
            assert set(await erps.routing.orders([order.id])) == {order.id}
        calls = erps.calls()
        assert (calls["cloud"], calls["legacy"]) == ([], ["orders", "orders"])
        assert erps.ledger.asked == 1

    async def test_an_order_that_nobody_has_recorded_is_asked_for_everywhere_once(self, erps: TwoErps):
        order = erps.enter(LEGACY, 1, "acc_legacy")
        for _ in range(2):
            assert set(await erps.routing.orders([order.id])) == {order.id}
        calls = erps.calls()
        assert (calls["cloud"], calls["legacy"]) == (["orders"], ["orders", "orders"])

    async def test_an_order_that_was_taken_when_there_was_one_erp_is_in_the_cloud(self, erps: TwoErps):
        order = erps.enter(CLOUD, 1, "acc_cloud", is_recorded=True)
        erps.ledger.recorded[order.id] = replace(erps.ledger.recorded[order.id], home_erp=None)
        await erps.routing.orders([order.id])
        assert erps.calls()["legacy"] == []

    @pytest.mark.parametrize("erp", [CLOUD, LEGACY])
    async def test_an_order_is_created_in_its_home_and_all_that_follows_is_done_there(
        self, erps: TwoErps, erp: SourceSystem
    ):
        home, other = (erps.cloud, erps.legacy) if erp is CLOUD else (erps.legacy, erps.cloud)
        made = await erps.routing.create_order(new_order(erp))
        assert made.home_erp is erp
        assert await erps.routing.find_order("or:ord_7:erp") == made
        await erps.routing.allocate("or:ord_7:alloc:1", "ord_7")
        await erps.routing.change_order(ErpOrderChange("chg:ord_7:2:erp", "ord_7", ()))
        await erps.routing.deallocate("or:ord_7:alloc:1", "ord_7")
        await erps.routing.invoices_of_orders(["ord_7"])
        await erps.routing.cancel_order("or:ord_7:erp")
        assert (await erps.routing.orders(["ord_7"]))["ord_7"].status is OrderStatus.CANCELLED
        assert other.script.calls == []
        assert len(home.script.calls) == 8

    async def test_an_unknown_outcome_is_looked_for_where_the_order_is_meant_to_be(self, erps: TwoErps):
        await erps.legacy.create_order(new_order(LEGACY))
        erps.ledger.recorded["ord_7"] = recorded(7, home_erp=LEGACY, erp_number=None)
        erps.silence(CLOUD)
        found = await erps.routing.find_order("or:ord_7:erp")
        assert found is not None
        assert found.home_erp is LEGACY

    async def test_a_key_that_names_no_order_is_looked_for_everywhere(self, erps: TwoErps):
        assert await erps.routing.find_order("something else") is None
        calls = erps.calls()
        assert (calls["cloud"], calls["legacy"]) == (["find_order"], ["find_order"])

    async def test_an_order_that_no_erp_has_cannot_be_allocated(self, erps: TwoErps):
        with pytest.raises(NotFound):
            await erps.routing.allocate("or:ord_9:alloc:1", "ord_9")
        await erps.routing.deallocate("or:ord_9:alloc:1", "ord_9")

    async def test_an_invoice_is_corrected_in_the_erp_that_posted_it(self, erps: TwoErps):
        erps.legacy.invoices_by_id["inv_INV-1"] = invoice(account_id="acc_legacy")
        await erps.routing.credit_invoice("inv:INV-1:credit", "INV-1")
        await erps.routing.take_credit_back("inv:INV-1:credit", "INV-1")
        calls = erps.calls()
        assert calls["legacy"] == ["invoices", "credit_invoice", "take_credit_back"]
        assert calls["cloud"] == ["invoices"]
        with pytest.raises(NotFound):
            await erps.routing.credit_invoice("inv:INV-9:credit", "INV-9")

    async def test_a_place_is_asked_for_where_its_account_is_at_home(self, erps: TwoErps):
        erps.legacy.places["shp_1"] = replace(ship_to(), account_id="acc_moving", code="OLD")
        erps.cloud.places["shp_1"] = replace(ship_to(), account_id="acc_moving", code="COPY")
        for _ in range(2):
            assert (await erps.routing.ship_tos(["shp_1"]))["shp_1"].code == "OLD"
        calls = erps.calls()
        assert (calls["cloud"], calls["legacy"]) == (["ship_tos"], ["ship_tos", "ship_tos"])
        erps.homes.put("acc_moving", ErpHome.CLOUD_ERP)
        assert (await erps.routing.ship_tos(["shp_1"]))["shp_1"].code == "COPY"

    async def test_a_place_that_only_the_silent_erp_may_know_is_not_said_to_be_unknown(self, erps: TwoErps):
        erps.cloud.places["shp_1"] = replace(ship_to(), account_id="acc_cloud")
        erps.silence(LEGACY)
        with pytest.raises(PartlyAnswered) as caught:
            await erps.routing.ship_tos(["shp_1", "shp_2"])
        assert (set(caught.value.found), set(caught.value.failures)) == ({"shp_1"}, {"shp_2"})


class TestPrices:
    async def test_lists_are_the_item_masters_and_contracts_those_of_the_accounts_home(self, erps: TwoErps):
        listed = rule("list", PriceLevel.LIST, "45.00")
        erps.cloud.price_rules = [listed, rule("new", PriceLevel.CONTRACT, "36.10", account="acc_cloud")]
        erps.legacy.price_rules = [
            rule("old list", PriceLevel.LIST, "44.00"),
            *(rule(f"old {name}", PriceLevel.CONTRACT, "35.00", account=name) for name in ("acc_legacy", "acc_cloud")),
        ]
        found = await erps.routing.rules(ALL, ["GOLD"], ["PMP-0042"])
        assert {entry.id for entry in found} == {"rule_list", "rule_new", "rule_old acc_legacy"}
        assert erps.calls() == {"crm": ["accounts"], "cloud": ["rules"], "legacy": ["rules"]}

    async def test_a_silent_legacy_erp_costs_its_accounts_their_contracts(self, erps: TwoErps):
        erps.cloud.price_rules = [rule("list", PriceLevel.LIST, "45.00")]
        erps.silence(LEGACY)
        with pytest.raises(PartlyAnswered) as caught:
            await erps.routing.rules(ALL, [], ["PMP-0042"])
        assert set(caught.value.found) == {"rule_list"}
        assert set(caught.value.failures) == {"acc_legacy", "acc_moving"}

    async def test_without_the_item_master_there_are_no_prices_at_all(self, erps: TwoErps):
        erps.silence(CLOUD)
        with pytest.raises(Unavailable) as caught:
            await erps.routing.rules(ALL, [], ["PMP-0042"])
        assert not isinstance(caught.value, PartlyAnswered)

    async def test_rates_are_the_item_masters(self, erps: TwoErps):
        erps.cloud.rates["EUR", "USD"] = Decimal("1.10")
        assert await erps.routing.exchange_rate("EUR", "USD", TODAY) == Decimal("1.10")

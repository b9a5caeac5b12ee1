"""The demo's world is the same for the same seed, holds together, and has in it what was planted."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sandbox.world.generate import generate_world
from sandbox.world.homes import CLOUD, LEGACY, MIGRATING, part_of
from sandbox.world.identifiers import check_digit, gln, gtin13, gtin14, sscc
from sandbox.world.model import WorldModel, WorldOrder

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
SEEDS = (1, 42, 77)


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> WorldModel:
    return generate_world(request.param, NOW)


@pytest.fixture(scope="module")
def demo() -> WorldModel:
    return generate_world(42, NOW)


def order_of(world: WorldModel, number: str) -> WorldOrder:
    return next(order for order in world.orders if order.number == number)


class TestSameness:
    def test_the_same_seed_and_moment_make_the_same_world(self, demo: WorldModel):
        assert repr(generate_world(42, NOW)) == repr(demo)

    def test_another_seed_makes_another_world(self, demo: WorldModel):
        assert generate_world(43, NOW).orders != demo.orders

    @pytest.mark.parametrize("hour", [0, 5, 21])
    def test_the_hour_of_the_day_decides_nothing_that_is_worked_with(self, demo: WorldModel, hour: int):
        def seen(world: WorldModel) -> list[object]:
            orders = [(order.id, order.account_id, order.status, order.hold_kind) for order in world.orders]
            returns = [(back.rma_number, back.order_id, back.status) for back in world.returns]
            return [*orders, *returns, *((bill.order_id, bill.total) for bill in world.invoices)]

        assert seen(generate_world(42, NOW.replace(hour=hour))) == seen(demo)

    def test_a_moment_without_a_zone_is_refused(self):
        with pytest.raises(ValueError, match="time zone"):
            generate_world(42, datetime(2026, 3, 4))  # noqa: DTZ001 - that is what is refused


class TestProfile:
    @pytest.mark.parametrize(
        ("what", "count"),
        [
            ("accounts", 60),
            ("ship_tos", 140),
            ("items", 400),
            ("price_rules", 6_000),
            ("warehouses", 5),
            ("stock", 1_500),
            ("quotes", 300),
            ("orders", 1_200),
            ("returns", 60),
        ],
    )
    def test_the_counts_that_are_promised_are_met(self, world: WorldModel, what: str, count: int):
        assert len(getattr(world, what)) == count

    @pytest.mark.parametrize(("what", "about"), [("shipments", 1_500), ("invoices", 1_300), ("contacts", 120)])
    def test_the_counts_that_follow_from_chance_are_near(self, world: WorldModel, what: str, about: int):
        assert abs(len(getattr(world, what)) - about) < about * 0.12

    def test_orders_have_about_five_lines(self, world: WorldModel):
        assert 5_400 < sum(len(order.lines) for order in world.orders) < 6_600

    def test_ids_are_never_given_twice(self, world: WorldModel):
        for things in (world.accounts, world.ship_tos, world.orders, world.quotes, world.price_rules, world.cases):
            assert max(Counter(thing.id for thing in things).values()) == 1
        assert max(Counter(order.number for order in world.orders).values()) == 1

    def test_four_currencies_and_three_levels_of_accounts(self, world: WorldModel):
        assert {account.currency for account in world.accounts} == {"USD", "CAD", "EUR", "MXN"}
        parent_of = {account.id: account.parent_id for account in world.accounts}
        assert parent_of["acc_10"] == "acc_4"
        assert parent_of["acc_4"] == "acc_parent"
        assert len({parent for parent in parent_of.values() if parent}) == 12


class TestHomes:
    def test_eighteen_customers_are_in_the_cloud_forty_in_the_legacy_erp_and_two_on_their_way(self, world: WorldModel):
        assert Counter(account.erp_home for account in world.accounts) == {CLOUD: 18, LEGACY: 40, MIGRATING: 2}

    def test_every_order_is_in_one_erp_with_all_that_belongs_to_it(self, world: WorldModel):
        cloud, legacy = part_of(world, CLOUD), part_of(world, LEGACY)
        for name in ("orders", "shipments", "invoices", "returns"):
            whole, parts = getattr(world, name), (*getattr(cloud, name), *getattr(legacy, name))
            assert sorted(map(repr, parts)) == sorted(map(repr, whole))
        for part in (cloud, legacy):
            accounts, orders = {account.id for account in part.accounts}, {order.id for order in part.orders}
            assert {order.account_id for order in part.orders} <= accounts
            assert {place.account_id for place in part.ship_tos} == accounts
            assert {invoice.order_id for invoice in part.invoices} <= orders

    def test_contracts_are_known_where_their_customers_are_and_lists_in_the_cloud(self, world: WorldModel):
        contracts = {rule.id for rule in world.price_rules if rule.account_id is not None}
        cloud, legacy = (part_of(world, erp).price_rules for erp in (CLOUD, LEGACY))
        assert {rule.id for rule in world.price_rules} - contracts <= {rule.id for rule in cloud}
        assert {rule.id for rule in legacy} <= contracts
        shared = {rule.account_id for rule in cloud} & {rule.account_id for rule in legacy}
        assert shared <= {"acc_3", "acc_16"}

    def test_what_a_customer_on_its_way_owes_is_parted_like_its_invoices(self, world: WorldModel):
        parts = [part_of(world, erp) for erp in (CLOUD, LEGACY)]
        for account in world.accounts:
            owed = [entry.open_receivables for part in parts for entry in part.accounts if entry.id == account.id]
            assert sum(owed) == account.open_receivables

    @pytest.mark.parametrize("account_id", ["acc_3", "acc_16"])
    def test_customers_of_the_demo_on_their_way_have_open_orders_in_both(self, demo: WorldModel, account_id: str):
        of = [order for order in demo.orders if order.account_id == account_id and order.status == "ACCEPTED"]
        assert {order.erp for order in of} == {CLOUD, LEGACY}
        assert max(order.submitted_at for order in of if order.erp == LEGACY) < min(
            order.submitted_at for order in of if order.erp == CLOUD
        )


class TestNumbers:
    @pytest.mark.parametrize(
        ("digits", "check"), [("629104150021", "3"), ("37610425002123456", "9"), ("1", "7"), ("0", "0")]
    )
    def test_check_digits_are_those_of_gs1(self, digits: str, check: str):
        assert check_digit(digits) == check

    def test_numbers_have_their_length_and_the_prefix_of_examples(self):
        made = (gtin13(7), gtin14(3, 7), gln(7), sscc(7))
        assert [len(number) for number in made] == [13, 14, 13, 18]
        assert all("952" in number[:4] for number in made)
        assert all(check_digit(number[:-1]) == number[-1] for number in made)


class TestConsistency:
    def test_an_orders_total_is_the_sum_of_its_lines_with_tax_and_freight(self, world: WorldModel):
        for order in world.orders:
            assert order.subtotal == sum(line.extended for line in order.lines)
            assert order.total == order.subtotal + order.tax + order.freight

    def test_every_ordered_piece_is_somewhere(self, world: WorldModel):
        for order in world.orders:
            for line in order.lines:
                known = line.allocated + line.backordered + line.shipped + line.cancelled
                assert known == (line.ordered if order.in_erp else 0), (order.number, line)
                assert line.invoiced <= line.shipped

    def test_shipments_carry_what_was_shipped_and_what_is_allocated(self, world: WorldModel):
        per_base = {(item.sku, uom.uom): uom.per_base for item in world.items for uom in item.uoms}
        carried: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
        for shipment in world.shipments:
            for line in shipment.lines:
                carried[shipment.order_id, line.line_no] += line.quantity
        for order in world.orders:
            for line in order.lines:
                expected = (line.shipped + line.allocated) * per_base[line.sku, line.uom]
                assert carried.get((order.id, line.line_no), 0) == expected

    def test_milestones_are_in_order_and_not_in_the_future(self, world: WorldModel):
        for shipment in world.shipments:
            times = [milestone.at for milestone in shipment.milestones]
            assert times == sorted(times)
            assert times[-1] <= world.now
            assert shipment.status == shipment.milestones[-1].status
            assert (shipment.status == "DELIVERED") == (shipment.delivered_at is not None)

    def test_invoices_of_a_completed_order_add_up_to_it(self, world: WorldModel):
        billed: dict[str, Decimal] = defaultdict(Decimal)
        for invoice in world.invoices:
            billed[invoice.order_id] += invoice.total
            assert 0 <= invoice.balance <= invoice.total
        for order in world.orders:
            assert billed.get(order.id, 0) == (order.total if order.status == "COMPLETED" else 0)

    def test_receivables_are_what_open_invoices_add_up_to(self, world: WorldModel):
        owed: dict[str, Decimal] = defaultdict(Decimal)
        for invoice in world.invoices:
            owed[invoice.account_id] += invoice.balance
        assert {account.id: account.open_receivables for account in world.accounts} == {
            account.id: owed.get(account.id, 0) for account in world.accounts
        }

    def test_stock_covers_what_open_orders_hold(self, world: WorldModel):
        for position in world.stock:
            assert position.on_hand >= position.allocated + position.blocked + position.safety_stock
        places = {(position.sku, position.warehouse_code) for position in world.stock}
        assert {(line.sku, line.warehouse_code) for order in world.orders for line in order.lines} <= places

    def test_orders_are_paid_in_their_accounts_currency_and_go_to_their_accounts_places(self, world: WorldModel):
        accounts = {account.id: account for account in world.accounts}
        owner = {place.id: place.account_id for place in world.ship_tos}
        for order in world.orders:
            assert order.currency == accounts[order.account_id].currency
            assert owner[order.ship_to_id] == order.account_id

    def test_returns_bring_back_no_more_than_was_shipped(self, world: WorldModel):
        orders = {order.id: order for order in world.orders}
        per_base = {(item.sku, uom.uom): uom.per_base for item in world.items for uom in item.uoms}
        for back in world.returns:
            for line in back.lines:
                origin = next(entry for entry in orders[back.order_id].lines if entry.line_no == line.line_no)
                assert line.quantity <= origin.shipped * per_base[origin.sku, origin.uom]


class TestPlanted:
    def test_the_known_customer(self, world: WorldModel):
        account = next(account for account in world.accounts if account.number == "C-10042")
        assert (account.id, account.currency, account.status) == ("acc_1", "USD", "ACTIVE")
        assert next(place for place in world.ship_tos if place.id == "shp_1").account_id == "acc_1"
        assert account.credit_limit is not None
        assert account.overdue < account.credit_limit / 10
        assert account.open_receivables > 0

    def test_its_contract_on_the_pump_has_a_break_at_24(self, world: WorldModel):
        rule = next(rule for rule in world.price_rules if (rule.account_id, rule.sku) == ("acc_1", "PMP-0042"))
        assert (Decimal(24), Decimal("36.10")) in [(step.min_quantity, step.unit) for step in rule.breaks]

    def test_31_50_for_the_pump_is_less_than_three_points_below_its_floor(self, world: WorldModel):
        pump = next(item for item in world.items if item.sku == "PMP-0042")
        margin = (Decimal("31.50") - pump.unit_cost) / Decimal("31.50") * 100
        assert 0 < pump.floor_margin_percent - margin <= 3

    def test_eighteen_pumps_are_free_and_the_rest_arrives_where_they_lie(self, world: WorldModel):
        free = {
            position.warehouse_code: position.on_hand - position.allocated - position.blocked - position.safety_stock
            for position in world.stock
            if position.sku == "PMP-0042"
        }
        assert free == {"W01": 18, "W02": 0}
        supply = [inbound for inbound in world.inbound if inbound.sku == "PMP-0042"]
        assert [(inbound.warehouse_code, inbound.confirmed) for inbound in supply] == [("W01", True)]

    def test_five_valves_are_left_and_have_a_substitute(self, world: WorldModel):
        positions = [position for position in world.stock if position.sku == "VLV-0007"]
        assert [position.on_hand - position.allocated for position in positions] == [5]
        assert next(item for item in world.items if item.sku == "VLV-0007").substitute_skus

    def test_the_order_of_a_late_payer_waits_outside_of_the_erp(self, world: WorldModel):
        order = next(order for order in world.orders if order.id == "ord_77")
        account = next(account for account in world.accounts if account.id == order.account_id)
        assert (order.status, order.hold_kind, order.in_erp) == ("ON_HOLD", "CREDIT", False)
        assert account.max_days_past_due > 15
        assert order.total < 12_000

    def test_the_order_with_the_whole_story(self, world: WorldModel):
        order = order_of(world, "SO-204511")
        assert (order.account_id, order.status) == ("acc_1", "COMPLETED")
        assert order.quote_id is not None
        assert [shipment.status for shipment in world.shipments if shipment.order_id == order.id] == ["DELIVERED"] * 2
        assert [invoice for invoice in world.invoices if invoice.order_id == order.id]
        back = next(back for back in world.returns if back.order_id == order.id)
        assert (back.lines[0].reason, back.status) == ("DAMAGED", "CREDITED")

    def test_the_known_customer_has_a_backorder_a_delay_open_cases_and_an_open_opportunity(self, world: WorldModel):
        mine = [order for order in world.orders if order.account_id == "acc_1" and order.status == "ACCEPTED"]
        assert any(line.backordered for order in mine for line in order.lines)
        ids = {order.id for order in mine}
        assert "DELAYED" in {shipment.status for shipment in world.shipments if shipment.order_id in ids}
        assert len([case for case in world.cases if case.account_id == "acc_1" and case.status == "OPEN"]) >= 3
        chance = next(entry for entry in world.opportunities if entry.id == "opp_9")
        assert (chance.account_id, chance.is_closed) == ("acc_1", False)

    def test_two_contracts_contradict_each_other(self, world: WorldModel):
        rules = [rule for rule in world.price_rules if (rule.account_id, rule.sku) == ("acc_2", "FIT-0013")]
        assert len({rule.unit for rule in rules}) == 2
        assert len({(rule.priority, rule.valid_from) for rule in rules}) == 1

    def test_two_accounts_were_entered_twice(self, world: WorldModel):
        names = Counter((account.name.lower(), account.address.postal_code) for account in world.accounts)
        assert sorted(names.values())[-2:] == [2, 2]

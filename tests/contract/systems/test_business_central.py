"""What the ERP connector reads, against the served ERP sandbox with the whole demo world."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio

from sandbox.erp.vendor import Erp
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel, WorldOrder
from schema.enums import InvoiceStatus, ItemStatus, OrderStatus, SourceSystem
from schema.records.catalog import ItemFilter, PriceLevel
from schema.records.orders import OrderFilter
from schema.records.values import ExternalRef, Money, PageRequest
from systems import ports
from systems.business_central import BusinessCentral, BusinessCentralSettings
from systems.errors import Rejected
from systems.ports import SystemCall
from tests.support.sandboxes import ServedSandbox, serve_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)
EVERY = OrderFilter()


@dataclass(frozen=True)
class Place:
    """The served ERP, its connector, what the connector calls, and the world in it."""

    served: ServedSandbox
    erp: BusinessCentral
    calls: list[SystemCall]
    world: WorldModel

    @property
    def orders(self) -> list[WorldOrder]:
        return sorted(
            (order for order in self.world.orders if order.in_erp),
            key=lambda order: (order.submitted_at, order.id),
            reverse=True,
        )

    async def count(self, ask: Callable[[], Awaitable[Any]]) -> int:
        """Return how many vendor calls a question takes once we are signed in."""
        await ask()
        before = len(self.calls)
        await ask()
        return len(self.calls) - before


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place() -> AsyncIterator[Place]:
    world, calls = generate_world(42, NOW), []
    async with serve_sandbox(Erp(), lambda: world) as served:
        settings = BusinessCentralSettings(served.url, "crossdock", "sandbox-erp-secret")
        async with BusinessCentral(settings, observer=calls.append) as erp:
            yield Place(served, erp, calls, world)


@pytest.mark.parametrize(
    "port",
    [ports.CustomerMaster, ports.ItemMaster, ports.PriceBook, ports.OrderBook, ports.InvoiceBook, ports.ReturnBook],
    ids=lambda port: port.__name__,
)
async def test_the_connector_is_the_port(port: type):
    for name, method in inspect.getmembers(port, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(BusinessCentral, name))
            assert list(ours.parameters) == list(inspect.signature(method).parameters)


BULK: dict[str, Callable[[BusinessCentral, WorldModel, int], Awaitable[Any]]] = {
    "terms": lambda erp, world, n: erp.terms(_ids(world.accounts, n)),
    "ship_tos": lambda erp, world, n: erp.ship_tos(_ids(world.ship_tos, n)),
    "ship_tos_of": lambda erp, world, n: erp.ship_tos_of(_ids(world.accounts, n)),
    "items": lambda erp, world, n: erp.items([item.sku for item in world.items[:n]]),
    "categories": lambda erp, world, n: erp.categories(_ids(world.categories, n)),
    "inbound": lambda erp, world, n: erp.inbound([item.sku for item in world.items[:n]]),
    "rules": lambda erp, world, n: erp.rules(["acc_1"], [], [item.sku for item in world.items[: n // 2 + 1]]),
    "agreements_of": lambda erp, world, n: erp.agreements_of(_ids(world.accounts, n)),
    "orders": lambda erp, world, n: erp.orders(_ids(world.orders, n)),
    "orders_of": lambda erp, world, n: erp.orders_of(_ids(world.accounts, n), EVERY, 5),
    "open_values": lambda erp, world, n: erp.open_values(_ids(world.accounts, n)),
    "invoices": lambda erp, world, n: erp.invoices([f"inv_{entry.number}" for entry in world.invoices[:n]]),
    "invoices_of": lambda erp, world, n: erp.invoices_of(_ids(world.accounts, n), 5),
    "invoices_of_orders": lambda erp, world, n: erp.invoices_of_orders(_ids(world.orders, n)),
    "returns": lambda erp, world, n: erp.returns([f"rma_{entry.rma_number}" for entry in world.returns[:n]]),
    "returns_of": lambda erp, world, n: erp.returns_of(_ids(world.accounts, n)),
    "returns_of_orders": lambda erp, world, n: erp.returns_of_orders(_ids(world.orders, n)),
}


def _ids(rows: Sequence[Any], count: int) -> list[str]:
    return [row.id for row in rows[:count]]


@pytest.mark.parametrize("count", [1, 60, 250])
@pytest.mark.parametrize("name", BULK)
async def test_a_bulk_read_is_one_call_however_many_ids(place: Place, name: str, count: int):
    assert await place.count(lambda: BULK[name](place.erp, place.world, count)) == 1


@pytest.mark.parametrize("name", BULK)
async def test_nothing_asked_is_nothing_called(place: Place, name: str):
    expected = 1 if name == "rules" else 0  # rules for everything hold without items too
    assert await place.count(lambda: BULK[name](place.erp, place.world, 0)) == expected


HOSTILE = [
    "x' or 1 eq 1 or number eq 'x",
    "'",
    "''",
    "%27 or 1 eq 1",
    "a&$top=5",
    "a#b?c",
    "ä€\u0000\n",
    ")",
    "x" * 5_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_value_breaks_out_of_its_filter(place: Place, text: str):
    erp = place.erp
    assert await erp.terms([text]) == {}
    assert await erp.items([text, "PMP-0042"]) == await erp.items(["PMP-0042"])
    assert await erp.orders([text]) == {}
    assert await erp.orders_of([text], EVERY, 5) == {text: ()}
    assert await erp.orders_by_number([text]) == {}
    assert await erp.find_order(text) is None
    assert await erp.item_by_gtin(text) is None
    assert await erp.invoices([f"inv_{text}"]) == {}
    assert (await erp.search_orders(OrderFilter(po_number=text), PageRequest(5))).items == ()
    assert (await erp.search_items(ItemFilter(text=text, brand=text), PageRequest(5))).items == ()
    assert {rule.sku for rule in await erp.rules([text], [text], [text])} <= {None}


class TestCustomers:
    async def test_terms_are_what_the_world_says(self, place: Place):
        found = await place.erp.terms([account.id for account in place.world.accounts])
        for account in place.world.accounts:
            terms = found[account.id]
            assert (terms.number, terms.currency, terms.price_group, terms.blocked) == (
                account.number, account.currency, account.price_group, account.blocked,
            )  # fmt: skip
            assert terms.credit.limit == (account.credit_limit and Money(account.credit_limit, account.currency))
            assert terms.credit.open_receivables == Money(account.open_receivables, account.currency)
            assert (terms.credit.on_hold, terms.credit.max_days_past_due) == (
                account.credit_on_hold, account.max_days_past_due,
            )  # fmt: skip
            assert [entry.number for entry in terms.tax_registrations] == [
                entry.number for entry in account.tax_registrations
            ]
            assert terms.ref == ExternalRef(SourceSystem.CLOUD_ERP, account.number)

    async def test_credit_is_as_of_the_moment_it_was_read(self, place: Place):
        before = datetime.now(UTC)
        terms = (await place.erp.terms(["acc_1"]))["acc_1"]
        assert before <= terms.credit.as_of <= datetime.now(UTC)

    async def test_an_account_is_found_by_the_erps_own_number(self, place: Place):
        assert await place.erp.account_id_by_ref(SourceSystem.CLOUD_ERP, "C-10042") == "acc_1"
        assert await place.erp.account_id_by_ref(SourceSystem.CLOUD_ERP, "C-0") is None
        assert await place.erp.account_id_by_ref(SourceSystem.LEGACY_ERP, "C-10042") is None

    async def test_ship_tos_come_by_id_and_by_account(self, place: Place):
        (by_id,) = (await place.erp.ship_tos(["shp_1", "shp_none"])).values()
        assert (by_id.account_id, by_id.active) == ("acc_1", True)
        of_accounts = await place.erp.ship_tos_of(["acc_1", "acc_none"])
        assert of_accounts["acc_none"] == ()
        assert [entry.id for entry in of_accounts["acc_1"]] == [
            entry.id
            for entry in sorted(place.world.ship_tos, key=lambda entry: entry.code)
            if entry.account_id == "acc_1"
        ]


class TestItems:
    async def test_an_item_comes_with_units_category_and_cost(self, place: Place):
        (pump,) = (await place.erp.items(["PMP-0042", "NO-SUCH"])).values()
        assert (pump.id, pump.status, pump.base_uom) == ("itm_PMP-0042", ItemStatus.ACTIVE, "EA")
        assert [(unit.uom, unit.per_base) for unit in pump.uoms] == [("EA", 1), ("XBX", 4), ("XPX", 96)]
        assert pump.unit_cost == Money(Decimal("25.50"), "USD")
        assert pump.floor_margin_percent == 21
        assert pump.category is not None
        assert pump.substitute_skus == ("PMP-0043",)

    async def test_every_item_and_status_can_be_read(self, place: Place):
        found = await place.erp.items([item.sku for item in place.world.items])
        assert {sku: item.status.value for sku, item in found.items()} == {
            item.sku: item.status for item in place.world.items
        }

    async def test_an_item_is_found_by_the_gtin_of_a_package(self, place: Place):
        item, unit = next(
            (item, unit) for item in place.world.items for unit in item.uoms if unit.gtin and unit.gtin != item.gtin
        )
        for gtin in (item.gtin, unit.gtin):
            found = await place.erp.item_by_gtin(gtin)
            assert found is not None
            assert found.sku == item.sku

    async def test_a_part_of_a_gtin_finds_nothing(self, place: Place):
        assert await place.erp.item_by_gtin(place.world.items[0].gtin[:-1]) is None

    async def test_a_search_pages_through_all_items_by_sku(self, place: Place):
        skus: list[str] = []
        page = await place.erp.search_items(ItemFilter(), PageRequest(90))
        skus += [item.sku for item in page.items]
        while page.has_next:
            page = await place.erp.search_items(ItemFilter(), PageRequest(90, page.cursors[-1]))
            skus += [item.sku for item in page.items]
        assert skus == sorted(item.sku for item in place.world.items)

    @pytest.mark.parametrize(
        ("where", "fits"),
        [
            pytest.param(ItemFilter(text="pmp-00"), lambda item: item.sku.startswith("PMP-00"), id="a sku"),
            pytest.param(ItemFilter(text="TRANSFER"), lambda item: item.name.startswith("Transfer"), id="a name"),
            pytest.param(ItemFilter(status=ItemStatus.PHASE_OUT), lambda item: item.status == "PHASE_OUT", id="status"),
            pytest.param(ItemFilter(text="VLV", status=ItemStatus.ACTIVE),
                         lambda item: item.sku.startswith("VLV") and item.status == "ACTIVE", id="both"),
        ],
    )  # fmt: skip
    async def test_a_search_finds_what_fits(self, place: Place, where: ItemFilter, fits: Callable[[Any], bool]):
        page = await place.erp.search_items(where, PageRequest(200))
        assert [item.sku for item in page.items] == sorted(item.sku for item in place.world.items if fits(item))
        assert page.items

    async def test_a_search_by_brand_and_category(self, place: Place):
        pump = (await place.erp.items(["PMP-0042"]))["PMP-0042"]
        assert pump.category is not None
        where = ItemFilter(brand=pump.brand, category_code=pump.category.code)
        page = await place.erp.search_items(where, PageRequest(200))
        assert "PMP-0042" in {item.sku for item in page.items}
        assert {(item.brand, item.category and item.category.code) for item in page.items} == {
            (pump.brand, pump.category.code)
        }

    async def test_inbound_supply_comes_earliest_first(self, place: Place):
        skus = [item.sku for item in place.world.items]
        found = await place.erp.inbound(skus)
        assert sum(len(entries) for entries in found.values()) == len(place.world.inbound)
        assert all(list(entries) == sorted(entries, key=lambda entry: entry.eta) for entries in found.values())
        (pump,) = found["PMP-0042"]
        assert (pump.warehouse_code, pump.quantity, pump.confirmed) == ("W01", 60, True)


class TestPrices:
    async def test_rules_of_an_account_are_all_that_may_concern_it(self, place: Place):
        world, skus = place.world, ["PMP-0042", "VLV-0007"]
        group = next(account.price_group for account in world.accounts if account.id == "acc_1")
        found = await place.erp.rules(["acc_1", "acc_parent"], [group], skus)
        assert {rule.number for rule in found} == {
            rule.number
            for rule in world.price_rules
            if rule.sku in skus
            and (
                rule.level in ("LIST", "PROMOTION")
                or rule.account_id in ("acc_1", "acc_parent")
                or rule.price_group == group
            )
        }
        contract = next(rule for rule in found if rule.number == "CON-C-10042-PMP-0042")
        assert contract.level is PriceLevel.CONTRACT
        assert [(step.min_quantity, step.unit) for step in contract.breaks] == [
            (1, Money(Decimal("38.40"), "USD")),
            (24, Money(Decimal("36.10"), "USD")),
            (96, Money(Decimal("34.20"), "USD")),
        ]

    async def test_every_rule_of_the_world_can_be_read_over_its_pages(self, place: Place):
        world = place.world
        groups = sorted({rule.price_group for rule in world.price_rules if rule.price_group})
        accounts = [account.id for account in world.accounts]
        found = await place.erp.rules(accounts, groups, [item.sku for item in world.items])
        assert [rule.id for rule in found] == [
            rule.id for rule in sorted(world.price_rules, key=lambda rule: rule.number)
        ]

    @pytest.mark.parametrize("column", ["categoryCode", "brand", "level"])
    async def test_rules_without_an_item_are_always_there(self, place: Place, column: str):
        store = place.served.host.store
        store.execute(
            "INSERT INTO prices (id, number, level, currencyCode, discountPercent, breaks, startingDate, priority, "
            "inheritToChildren, exclusive, combinable, graduated) "
            "VALUES ('wide', 'WIDE', 'PROMOTION', 'USD', '2.5', '[]', '2026-01-01', 0, 0, 0, 0, 0)"
        )
        try:
            if column != "level":
                store.execute(f"UPDATE prices SET {column} = 'X' WHERE id = 'wide'")
            for skus in (["PMP-0042"], [item.sku for item in place.world.items]):
                found = [rule for rule in await place.erp.rules(["acc_1"], [], skus) if rule.number == "WIDE"]
                assert [(rule.sku, rule.discount_percent) for rule in found] == [(None, Decimal("2.5"))]
        finally:
            store.execute("DELETE FROM prices WHERE id = 'wide'")

    async def test_agreements_are_the_contracts_by_number(self, place: Place):
        found = await place.erp.agreements_of(["acc_1", "acc_2", "acc_none"])
        assert found["acc_none"] == ()
        for account_id in ("acc_1", "acc_2"):
            assert [rule.number for rule in found[account_id]] == sorted(
                rule.number for rule in place.world.price_rules if rule.account_id == account_id
            )

    async def test_exchange_rates_hold_from_their_day_on(self, place: Place):
        one, other, since, rate = place.world.exchange_rates[0]
        assert await place.erp.exchange_rate(one, other, since) == rate
        assert await place.erp.exchange_rate(one, other, since - timedelta(days=1)) is None
        assert await place.erp.exchange_rate(one, one, date(2026, 1, 1)) == 1
        assert await place.erp.exchange_rate(one, "XXX", since) is None


class TestOrders:
    async def test_an_order_comes_whole(self, place: Place):
        order = next(order for order in place.world.orders if order.number == "SO-204511")
        found = (await place.erp.orders_by_number(["SO-204511"])).get("SO-204511")
        assert found is not None
        assert await place.erp.orders([order.id, "ord_none"]) == {order.id: found}
        assert await place.erp.find_order(f"or:{order.id}:erp") == found
        assert (found.id, found.account_id, found.status) == (order.id, "acc_1", OrderStatus.COMPLETED)
        assert (found.total, found.submitted_at) == (Money(order.total, order.currency), order.submitted_at)
        assert found.refs == (ExternalRef(SourceSystem.CLOUD_ERP, "SO-204511"),)
        assert [(line.line_no, line.sku, line.ordered, line.unit_price.amount) for line in found.lines] == [
            (line.line_no, line.sku, line.ordered, line.unit_price) for line in order.lines
        ]

    async def test_money_never_loses_a_cent(self, place: Place):
        found = await place.erp.orders([order.id for order in place.orders])
        assert len(found) == len(place.orders)
        for order in place.orders:
            ours = found[order.id]
            assert (ours.subtotal.amount, ours.tax.amount, ours.total.amount) == (
                order.subtotal,
                order.tax,
                order.total,
            )
            assert [line.extended.amount for line in ours.lines] == [line.extended for line in order.lines]
            assert ours.subtotal.amount == sum(line.extended.amount for line in ours.lines)

    async def test_allocated_lines_say_where_and_when(self, place: Place):
        order = next(order for order in place.orders if any(line.allocated for line in order.lines))
        line = next(line for line in order.lines if line.allocated)
        ours = next(
            entry for entry in (await place.erp.orders([order.id]))[order.id].lines if entry.line_no == line.line_no
        )
        (allocation,) = ours.allocations
        assert (allocation.warehouse_code, allocation.quantity.value) == (line.warehouse_code, line.allocated)
        assert allocation.firm

    async def test_orders_of_accounts_are_each_accounts_newest(self, place: Place):
        accounts = [account.id for account in place.world.accounts]
        found = await place.erp.orders_of(accounts, EVERY, 3)
        assert {account: [order.id for order in orders] for account, orders in found.items()} == {
            account: [order.id for order in place.orders if order.account_id == account][:3] for account in accounts
        }

    async def test_more_accounts_than_a_batch_holds_come_complete(self, place: Place):
        accounts = [f"acc_{number}" for number in range(1, 151)]
        found = await place.erp.orders_of(accounts, EVERY, 1)
        assert list(found) == accounts
        assert await place.count(lambda: place.erp.orders_of(accounts, EVERY, 1)) == 2

    @pytest.mark.parametrize("first", [7, 500])
    async def test_a_search_pages_through_all_orders_newest_first(self, place: Place, first: int):
        ids: list[str] = []
        after = None
        while True:
            page = await place.erp.search_orders(EVERY, PageRequest(first, after))
            ids += [order.id for order in page.items]
            if not page.has_next or (first == 7 and len(ids) > 50):
                break
            after = page.cursors[-1]
        assert ids == [order.id for order in place.orders][: len(ids)]
        assert first == 7 or len(ids) == len(place.orders)

    async def test_conditions_narrow_the_search(self, place: Place):
        start, end = place.orders[60].submitted_at, place.orders[20].submitted_at
        where = OrderFilter(statuses=(OrderStatus.ACCEPTED, OrderStatus.REJECTED), start=start, end=end)
        page = await place.erp.search_orders(where, PageRequest(100))
        assert [order.id for order in page.items] == [
            order.id for order in place.orders if order.status == "ACCEPTED" and start <= order.submitted_at < end
        ]
        wanted = place.orders[0]
        page = await place.erp.search_orders(OrderFilter(po_number=wanted.po_number), PageRequest(5))
        assert [order.id for order in page.items] == [wanted.id]

    async def test_bounds_finer_than_a_millisecond_keep_what_they_let_through(self, place: Place):
        wanted = place.orders[0]
        just_after = wanted.submitted_at + timedelta(microseconds=1)
        assert (await place.erp.search_orders(OrderFilter(start=just_after), PageRequest(5))).items == ()
        page = await place.erp.search_orders(OrderFilter(end=just_after), PageRequest(1))
        assert page.items[0].id == wanted.id

    async def test_orders_behind_a_place_are_those_that_follow_it(self, place: Place):
        newest = (await place.erp.search_orders(EVERY, PageRequest(5))).items
        for before, following in pairwise(newest):
            for finer in (timedelta(0), timedelta(microseconds=1)):
                where = OrderFilter(behind=(before.submitted_at + finer, before.id))
                found = (await place.erp.search_orders(where, PageRequest(1))).items[0]
                assert found.id == (before.id if finer else following.id)

    async def test_statuses_that_no_erp_has_are_not_asked_for(self, place: Place):
        where = OrderFilter(statuses=(OrderStatus.RECEIVED,))
        assert await place.erp.orders_of(["acc_1"], where, 5) == {"acc_1": ()}
        assert await place.count(lambda: place.erp.search_orders(where, PageRequest(5))) == 0

    @pytest.mark.parametrize("cursor", ["?", "", "eA", "MjAyNi0wMS0wMXxvcmRfMQ"], ids=["junk", "empty", "x", "no zone"])
    async def test_a_strange_cursor_is_refused(self, place: Place, cursor: str):
        with pytest.raises(Rejected) as refused:
            await place.erp.search_orders(EVERY, PageRequest(5, cursor))
        assert (refused.value.reason, refused.value.fields) == ("BAD_CURSOR", ("after",))

    async def test_open_values_add_up_what_is_not_invoiced(self, place: Place):
        world = place.world
        found = await place.erp.open_values([account.id for account in world.accounts] + ["acc_none"])
        for account in world.accounts:
            open_amount = sum(
                ((line.ordered - line.cancelled - line.invoiced) * line.unit_price
                 for order in place.orders if order.account_id == account.id and order.status == "ACCEPTED"
                 for line in order.lines),
                Decimal(0),
            )  # fmt: skip
            assert found[account.id] == Money(open_amount, account.currency)
        assert "acc_none" not in found


class TestDocuments:
    async def test_invoices_come_newest_first_and_limited(self, place: Place):
        mine = sorted(
            (entry for entry in place.world.invoices if entry.account_id == "acc_1"),
            key=lambda entry: (entry.posted_at, entry.number),
            reverse=True,
        )
        found = await place.erp.invoices_of(["acc_1", "acc_none"], 10)
        assert [entry.number for entry in found["acc_1"]] == [entry.number for entry in mine[:10]]
        assert found["acc_none"] == ()

    async def test_every_invoice_is_what_the_world_says(self, place: Place):
        found = await place.erp.invoices([f"inv_{entry.number}" for entry in place.world.invoices])
        for entry in place.world.invoices:
            ours = found[f"inv_{entry.number}"]
            assert (ours.status.value, ours.total.amount, ours.balance.amount, ours.due_date) == (
                entry.status, entry.total, entry.balance, entry.due_date,
            )  # fmt: skip
        assert InvoiceStatus.PARTIALLY_PAID in {entry.status for entry in found.values()}

    async def test_invoices_of_orders_come_oldest_first(self, place: Place):
        ids = [order.id for order in place.orders]
        found = await place.erp.invoices_of_orders(ids)
        assert sum(len(entries) for entries in found.values()) == len(place.world.invoices)
        assert all(list(entries) == sorted(entries, key=lambda entry: entry.posted_at) for entries in found.values())

    async def test_returns_come_by_id_by_order_and_by_account(self, place: Place):
        first = place.world.returns[0]
        (ours,) = (await place.erp.returns([f"rma_{first.rma_number}", "other"])).values()
        assert (ours.order_id, ours.status.value, ours.credit and ours.credit.amount) == (
            first.order_id, first.status, first.credit,
        )  # fmt: skip
        assert [(line.sku, line.quantity.value, line.reason) for line in ours.lines] == [
            (line.sku, line.quantity, line.reason) for line in first.lines
        ]
        assert (await place.erp.returns_of_orders([first.order_id]))[first.order_id] == (ours,)
        of_account = (await place.erp.returns_of(["acc_1"]))["acc_1"]
        assert ours in of_account
        assert list(of_account) == sorted(of_account, key=lambda entry: entry.created_at, reverse=True)

"""What a connector reads of its ERP, whichever it is, against the served sandbox with the whole demo world."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
import pytest_asyncio

from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel, WorldOrder
from schema.enums import InvoiceStatus, OrderStatus
from schema.records.catalog import PriceLevel
from schema.records.orders import OrderFilter
from schema.records.values import ExternalRef, Money, PageRequest
from systems.errors import Rejected
from systems.ports import SystemCall
from tests.support.erps import ERP_PORTS, HOSTILE, KINDS, ErpConnector, ErpKind
from tests.support.sandboxes import ServedSandbox, serve_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime.now(UTC)
EVERY = OrderFilter()


@dataclass(frozen=True)
class Place:
    """The served ERP, its connector, what the connector calls, and the world in it."""

    kind: ErpKind
    served: ServedSandbox
    erp: ErpConnector
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


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS, ids=lambda kind: kind.name)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    kind: ErpKind = request.param
    world, calls = generate_world(42, NOW), []
    async with (
        serve_sandbox(kind.vendor(), lambda: world) as served,
        kind.open(served.url, observer=calls.append, timeout_s=5) as erp,
    ):
        yield Place(kind, served, erp, calls, world)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("port", ERP_PORTS, ids=lambda port: port.__name__)
async def test_the_connector_is_the_port(kind: ErpKind, port: type):
    for name, method in inspect.getmembers(port, inspect.isfunction):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(kind.connector, name))
            assert list(ours.parameters) == list(inspect.signature(method).parameters)


KEYS: dict[str, Callable[[WorldModel], list[str]]] = {
    "accounts": lambda world: [account.id for account in world.accounts],
    "ship-tos": lambda world: [place.id for place in world.ship_tos],
    "skus": lambda world: [item.sku for item in world.items],
    "orders": lambda world: [order.id for order in world.orders],
    "invoices": lambda world: [f"inv_{entry.number}" for entry in world.invoices],
    "returns": lambda world: [f"rma_{entry.rma_number}" for entry in world.returns],
}
BULK: dict[str, tuple[str, Callable[[ErpConnector, list[str]], Awaitable[Any]]]] = {
    "terms": ("accounts", lambda erp, keys: erp.terms(keys)),
    "ship_tos": ("ship-tos", lambda erp, keys: erp.ship_tos(keys)),
    "ship_tos_of": ("accounts", lambda erp, keys: erp.ship_tos_of(keys)),
    "rules": ("skus", lambda erp, keys: erp.rules(["acc_1"], [], keys)),
    "agreements_of": ("accounts", lambda erp, keys: erp.agreements_of(keys)),
    "orders": ("orders", lambda erp, keys: erp.orders(keys)),
    "orders_of": ("accounts", lambda erp, keys: erp.orders_of(keys, EVERY, 5)),
    "open_values": ("accounts", lambda erp, keys: erp.open_values(keys)),
    "invoices": ("invoices", lambda erp, keys: erp.invoices(keys)),
    "invoices_of": ("accounts", lambda erp, keys: erp.invoices_of(keys, 5)),
    "invoices_of_orders": ("orders", lambda erp, keys: erp.invoices_of_orders(keys)),
    "returns": ("returns", lambda erp, keys: erp.returns(keys)),
    "returns_of": ("accounts", lambda erp, keys: erp.returns_of(keys)),
    "returns_of_orders": ("orders", lambda erp, keys: erp.returns_of_orders(keys)),
}


@pytest.mark.parametrize("count", [1, 50, 126])
@pytest.mark.parametrize("name", BULK)
async def test_a_bulk_read_takes_as_few_calls_as_the_vendor_allows(place: Place, name: str, count: int):
    kind, ask = BULK[name]
    keys = KEYS[kind](place.world)[:count]
    assert await place.count(lambda: ask(place.erp, keys)) == place.kind.calls(len(keys))


@pytest.mark.parametrize("name", BULK)
async def test_nothing_asked_is_nothing_called(place: Place, name: str):
    expected = 1 if name == "rules" else 0  # rules for everything hold without items too
    assert await place.count(lambda: BULK[name][1](place.erp, [])) == expected


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_value_breaks_out_of_its_filter(place: Place, text: str):
    erp = place.erp
    assert await erp.terms([text]) == {}
    assert await erp.orders([text]) == {}
    assert await erp.orders_of([text], EVERY, 5) == {text: ()}
    assert await erp.orders_by_number([text]) == {}
    assert await erp.find_order(text) is None
    assert await erp.invoices([f"inv_{text}"]) == {}
    assert (await erp.search_orders(OrderFilter(po_number=text), PageRequest(5))).items == ()
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
            assert terms.ref == ExternalRef(place.kind.system, account.number)

    async def test_credit_is_as_of_the_moment_it_was_read(self, place: Place):
        before = datetime.now(UTC)
        terms = (await place.erp.terms(["acc_1"]))["acc_1"]
        assert before <= terms.credit.as_of <= datetime.now(UTC)

    async def test_an_account_is_found_by_the_erps_own_number(self, place: Place):
        (other,) = (kind.system for kind in KINDS if kind is not place.kind)
        assert await place.erp.account_id_by_ref(place.kind.system, "C-10042") == "acc_1"
        assert await place.erp.account_id_by_ref(place.kind.system, "C-0") is None
        assert await place.erp.account_id_by_ref(other, "C-10042") is None

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

    async def test_rules_of_price_groups_are_found_whatever_items_they_are_for(self, place: Place):
        found = await place.erp.group_rules(["PG-01", "PG-02", "PG-99"])
        assert found
        assert [rule.number for rule in found] == sorted(
            rule.number for rule in place.world.price_rules if rule.price_group in ("PG-01", "PG-02")
        )
        assert await place.erp.group_rules([]) == ()

    async def test_exchange_rates_hold_from_their_day_on(self, place: Place):
        one, other, since, rate = place.world.exchange_rates[0]
        assert await place.erp.exchange_rate(one, other, since) == rate
        assert await place.erp.exchange_rate(one, other, since - timedelta(days=1)) is None
        assert await place.erp.exchange_rate(one, one, date(2026, 1, 1)) == 1
        assert await place.erp.exchange_rate(one, "XXX", since) is None

    @pytest.mark.parametrize(
        ("group", "currency", "known"),
        [("PG-01", "USD", True), ("PG-01", "EUR", False), ("PG-99", "USD", None), ("PG-06", "CAD", True)],
    )
    async def test_a_price_group_has_prices_in_its_currency(
        self, place: Place, group: str, currency: str, known: bool | None
    ):
        assert await place.erp.group_has_prices(group, currency) is known


class TestOrders:
    async def test_an_order_comes_whole(self, place: Place):
        order = next(order for order in place.world.orders if order.number == "SO-204511")
        found = (await place.erp.orders_by_number(["SO-204511"])).get("SO-204511")
        assert found is not None
        assert await place.erp.orders([order.id, "ord_none"]) == {order.id: found}
        assert await place.erp.find_order(f"or:{order.id}:erp") == found
        assert (found.id, found.account_id, found.status) == (order.id, "acc_1", OrderStatus.COMPLETED)
        assert (found.total, found.submitted_at) == (Money(order.total, order.currency), order.submitted_at)
        assert (found.home_erp, found.refs) == (place.kind.system, (ExternalRef(place.kind.system, "SO-204511"),))
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

    async def test_more_accounts_than_a_call_holds_come_complete(self, place: Place):
        accounts = [f"acc_{number}" for number in range(1, 151)]
        found = await place.erp.orders_of(accounts, EVERY, 1)
        assert list(found) == accounts
        calls = ceil(len(accounts) / place.kind.accounts_per_call)
        assert await place.count(lambda: place.erp.orders_of(accounts, EVERY, 1)) == calls

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

"""Who sees what of orders and their documents, on every path to them, and what a question costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.server.principal import Principal as Caller
from schema.records.values import Money
from tests.support.fake_systems import tracking
from tests.support.order_records import document, entered, erp_line, invoice, recorded, rma, shipment
from tests.support.orders_world import NOW, OrdersWorld, names, orders_world
from tests.support.subgraph_requests import STAFF, STRANGER, customer, staff

KEYS = [
    pytest.param({"__typename": "Order", "id": "ord_1"}, id="order by id"),
    pytest.param({"__typename": "Order", "number": "SO-300001"}, id="order by number"),
    pytest.param({"__typename": "OrderLine", "id": "ord_1:1"}, id="line by id"),
    pytest.param({"__typename": "Quote", "id": "quo_1"}, id="quote by id"),
    pytest.param({"__typename": "Quote", "number": "Q-900001"}, id="quote by number"),
    pytest.param({"__typename": "Shipment", "id": "sh_S-1"}, id="shipment by id"),
    pytest.param({"__typename": "Invoice", "id": "inv_INV-1"}, id="invoice by id"),
    pytest.param({"__typename": "Invoice", "number": "INV-1"}, id="invoice by number"),
    pytest.param({"__typename": "Return", "id": "rma_R-1"}, id="return by id"),
    pytest.param({"__typename": "Return", "rmaNumber": "R-1"}, id="return by number"),
]
ROOTS = [
    'order(id: "ord_1")',
    'orderByNumber(number: "SO-300001")',
    'quote(id: "quo_1")',
    'shipment(id: "sh_S-1")',
    'shipmentByTracking(trackingNumber: "PROS-1")',
    'invoiceByNumber(number: "INV-1")',
    'return(id: "rma_R-1")',
]
OF_ACCOUNT = "orders quotes invoices returns"
ANY = " ".join(f"... on {kind} {{ id }}" for kind in ("Order", "OrderLine", "Quote", "Shipment", "Invoice", "Return"))
OUTSIDERS = [
    pytest.param(customer("acc_2"), id="a buyer of a sibling account"),
    pytest.param(customer("acc_2", scopes=("credit:read",)), id="a buyer of a sibling account with scopes"),
    pytest.param(customer(), id="a customer of no account"),
    pytest.param(STRANGER, id="somebody unknown"),
]
INSIDERS = [
    *(
        pytest.param(staff(role=role), id=role)
        for role in ("SALES", "SALES_MANAGER", "SERVICE_DESK", "FINANCE", "OPERATIONS", "WAREHOUSE", "INTEGRATION")
    ),
    pytest.param(customer("acc_1"), id="the account's buyer"),
    pytest.param(customer("acc_2", "acc_1"), id="a buyer of several accounts"),
]


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[OrdersWorld]:
    async with orders_world(sqlite_url) as made:
        yield made


class TestRights:
    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("who", INSIDERS)
    async def test_a_reference_is_resolved_for_all_who_may_see_it(
        self, world: OrdersWorld, key: dict[str, str], who: Caller
    ):
        await world.fill()
        (found,) = await world.entities(f"__typename {ANY}", key, who=who)
        assert found["__typename"] == key["__typename"]
        assert key.get("id") in (None, found["id"])

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("who", OUTSIDERS)
    async def test_a_reference_to_what_is_not_to_be_seen_is_null(
        self, world: OrdersWorld, key: dict[str, str], who: Caller
    ):
        await world.fill()
        assert await world.entities(ANY, key, who=who) == [None]

    @pytest.mark.parametrize("key", KEYS)
    async def test_a_reference_to_what_there_is_not_is_null(self, world: OrdersWorld, key: dict[str, str]):
        assert await world.entities(ANY, key) == [None]

    @pytest.mark.parametrize("key", ["ord_1", "ord_1:", "ord_1:x", ":1", "ord_1:99", ""])
    async def test_a_line_that_there_is_not_is_null(self, world: OrdersWorld, key: str):
        await world.fill()
        assert await world.entities(ANY, {"__typename": "OrderLine", "id": key}) == [None]

    @pytest.mark.parametrize("who", INSIDERS)
    async def test_root_fields_answer_all_who_may_see(self, world: OrdersWorld, who: Caller):
        await world.fill()
        fields = " ".join(f"f{place}: {root} {{ id }}" for place, root in enumerate(ROOTS))
        found = await world.data(f"{{ {fields} orders {{ nodes {{ id }} }} }}", who)
        assert all(row is not None for row in found.values())
        assert found["orders"]["nodes"] == [{"id": "ord_1"}]

    @pytest.mark.parametrize("who", OUTSIDERS)
    async def test_root_fields_know_nothing_for_all_others(self, world: OrdersWorld, who: Caller):
        await world.fill()
        fields = " ".join(f"f{place}: {root} {{ id }}" for place, root in enumerate(ROOTS))
        found = await world.data(f"{{ {fields} orders {{ nodes {{ id }} totalCount }} }}", who)
        assert found.pop("orders") == {"nodes": [], "totalCount": 0}
        assert set(found.values()) == {None}

    @pytest.mark.parametrize("who", OUTSIDERS)
    async def test_an_account_or_opportunity_shows_nothing_to_them(self, world: OrdersWorld, who: Caller):
        await world.fill()
        world.erp.open["acc_1"] = Money(Decimal(1), "USD")
        fields = "openOrderValue { amount } " + " ".join(f"{kind} {{ nodes {{ id }} }}" for kind in OF_ACCOUNT.split())
        account, deal = await world.entities(
            f"... on Account {{ {fields} }} ... on Opportunity {{ deals: quotes {{ id }} came: orders {{ id }} }}",
            {"__typename": "Account", "id": "acc_1"},
            {"__typename": "Opportunity", "id": "opp_9"},
            who=who,
        )
        assert set(account.values()) == {None}
        assert deal == {"deals": [], "came": []}
        assert not {"open_values", "orders_of", "invoices_of", "returns_of"} & set(world.calls)


class TestCalls:
    @pytest.mark.parametrize("count", [1, 20])
    async def test_references_of_every_kind_cost_one_call_each(self, world: OrdersWorld, count: int):
        keys = []
        for number in range(1, count + 1):
            record = recorded(number)
            await world.put(record, document(record))
            await world.save(number)
            world.ship(shipment(f"{number}", order_id=record.id))
            world.erp.invoices_by_id[f"inv_INV-{number}"] = invoice(number, order_id=record.id)
            world.erp.returns_by_id[f"rma_R-{number}"] = rma(number, order_id=record.id)
            keys += [
                {"__typename": "Order", "id": record.id},
                {"__typename": "OrderLine", "id": f"{record.id}:1"},
                {"__typename": "Quote", "id": f"quo_{number}"},
                {"__typename": "Quote", "number": f"Q-{900_000 + number}"},
                {"__typename": "Shipment", "id": f"sh_S-{number}"},
                {"__typename": "Invoice", "number": f"INV-{number}"},
                {"__typename": "Return", "rmaNumber": f"R-{number}"},
            ]
        assert None not in await world.entities(ANY, *keys)
        assert sorted(world.calls) == [
            "invoices",
            "ledger.orders",
            "orders",
            "quotes.quotes",
            "quotes.quotes_by_number",
            "returns",
            "shipments",
        ]

    @pytest.mark.parametrize("count", [1, 20])
    async def test_numbers_cost_the_same_however_many_they_are(self, world: OrdersWorld, count: int):
        keys = []
        for number in range(1, count + 1):
            record = recorded(number)
            await world.put(record, document(record))
            await world.put(None, entered(100 + number, number=f"ERP-{number}"))
            keys += [{"__typename": "Order", "number": of} for of in (record.number, f"ERP-{number}", f"X-{number}")]
        found = await world.entities("... on Order { id }", *keys)
        assert [row and row["id"] for row in found[:3]] == ["ord_1", "ord_101", None]
        assert sorted(world.calls) == ["ledger.orders", "ledger.orders_by_number", "orders", "orders_by_number"]

    @pytest.mark.parametrize("count", [1, 20])
    async def test_everything_about_rows_of_a_list_costs_one_call_per_question(self, world: OrdersWorld, count: int):
        for number in range(1, count + 1):
            record = recorded(number, quote_id=f"quo_{number}")
            await world.put(record, document(record, erp_line(invoiced=24)))
            await world.save(number)
            world.ship(shipment(f"{number}", order_id=record.id))
            world.tms.loads[f"S-{number}"] = tracking(f"S-{number}")
            world.erp.invoices_by_id[f"inv_INV-{number}"] = invoice(number, order_id=record.id)
            world.erp.returns_by_id[f"rma_R-{number}"] = rma(number, order_id=record.id)
        fields = """
          fulfillmentStatus billingStatus exceptions { __typename } allowedActions quote { id } invoices { id }
          shipments { status carrier order { id } milestones { code } lines { orderLine { status } } }
          returns { id order { number } }
          lines { nodes { status shipped { value } delivered { value } returned { value } } }
        """
        found = (await world.data(f"{{ orders(first: 25) {{ nodes {{ {fields} }} }} }}"))["orders"]["nodes"]
        assert len(found) == count
        assert sorted(world.calls) == [
            "invoices_of_orders",
            "ledger.search_orders",
            "quotes.quotes",
            "returns_of_orders",
            "search_orders",
            "shipments_of",
            "tracking",
        ]

    @pytest.mark.parametrize("count", [1, 20])
    async def test_documents_of_accounts_cost_one_call_per_kind(self, world: OrdersWorld, count: int):
        keys = [{"__typename": "Account", "id": f"acc_{number}"} for number in range(1, count + 1)]
        later = timedelta(0)
        for number in range(1, count + 1):
            await world.save(number, account_id=f"acc_{number}", created_at=NOW + later)
        fields = "openOrderValue { amount } " + " ".join(f"{kind} {{ nodes {{ id }} }}" for kind in OF_ACCOUNT.split())
        rows = await world.entities(f"... on Account {{ {fields} }}", *keys)
        assert [names(row["quotes"]["nodes"]) for row in rows] == [[f"quo_{number}"] for number in range(1, count + 1)]
        assert sorted(world.calls) == [
            "invoices_of",
            "ledger.orders_of",
            "open_values",
            "orders_of",
            "quotes.quotes_of",
            "returns_of",
        ]

    async def test_quotes_of_other_statuses_cost_another_call_each(self, world: OrdersWorld):
        keys = [{"__typename": "Account", "id": f"acc_{number}"} for number in range(1, 21)]
        fields = "a: quotes { nodes { id } } b: quotes(status: SENT) { nodes { id } }"
        assert len(await world.entities(f"... on Account {{ {fields} }}", *keys, who=STAFF)) == len(keys)
        assert world.calls == ["quotes.quotes_of", "quotes.quotes_of"]

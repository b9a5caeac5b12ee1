"""Customers of two ERPs: their orders go where they are at home, stay there, and wait for no other ERP."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from crossdock.scenarios import scenario
from sandbox.erp_book.price_lines import PriceLines
from tests.support.eventually import eventually
from tests.support.graph_suite.asking import following, submission, until
from tests.support.whole import FAST, Whole, in_process

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LEGACY = {"account": "acc_4", "ship_to": "shp_4"}
MOVING = {"account": "acc_3", "ship_to": "shp_3"}
CLOUD = {"account": "acc_9", "ship_to": "shp_9"}
"""Its credit is its own: what is owed by others of a group has to be known of all of them."""
SUBMIT = scenario("order").query
ORDER = """query ($id: ID!) { order(id: $id) { number status fulfillmentStatus billingStatus homeErp
    freshness { source stale } externalRefs { system id } invoices { number status total { amount } }
    processes { kind state steps { name state system } } lineage(first: 100) { nodes { type system } } } }"""
DRAINED_WITHIN_S = 120.0
"""Pauses between attempts have grown while a system was out."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    async with in_process(tmp_path_factory.mktemp("two_erps")) as running:
        yield running


async def submit(whole: Whole, who: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Submit an order of two valves and return it."""
    answer = (await whole.data(SUBMIT, {"input": submission(("VLV-0042", "2"), **who, **changes)}))["orderSubmit"]
    assert answer["problems"] == []
    order: dict[str, Any] = answer["order"]
    return order


async def seen(whole: Whole, order: dict[str, Any]) -> dict[str, Any]:
    """Return an order as the graph shows it."""
    found: dict[str, Any] = (await whole.data(ORDER, {"id": order["id"]}))["order"]
    return found


def documents(whole: Whole, order: dict[str, Any]) -> list[str]:
    """Return the ERPs that have a document of an order."""
    sql = "SELECT number FROM orders WHERE orderId = ?"
    return [name for name in ("erp", "legacy_erp") if whole.sandboxes[name].host.store.query(sql, (order["id"],))]


async def test_an_order_of_the_legacy_erp_is_accepted_fulfilled_and_invoiced_there(whole: Whole):
    placed = await submit(whole, LEGACY)
    assert placed["status"] == "ACCEPTED"
    assert documents(whole, placed) == ["legacy_erp"]
    await eventually(
        lambda: seen(whole, placed), lambda order: [entry["state"] for entry in order["processes"]] == ["COMPLETED"]
    )
    query = "subscription ($a: ID!) { invoicePosted(accountId: $a) { invoice { order { id } } } }"
    async with following(whole, query, {"a": LEGACY["account"]}) as stream:
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)  # the subscription is on its way before time runs
        await whole.speed(FAST, "wms", "tms", "legacy_erp")
        try:
            events = [await first]
            if not _bills(events[0], placed):
                await until(stream, lambda event: _bills(event, placed))
            order = await eventually(lambda: seen(whole, placed), lambda found: found["status"] == "COMPLETED")
        finally:
            await whole.speed(1, "wms", "tms", "legacy_erp")
    assert (order["homeErp"], order["fulfillmentStatus"], order["billingStatus"]) == (
        "LEGACY_ERP",
        "DELIVERED",
        "INVOICED",
    )
    assert order["externalRefs"] == [{"system": "LEGACY_ERP", "id": order["number"]}]
    (invoice,) = order["invoices"]
    assert Decimal(invoice["total"]["amount"]) > 0
    steps = {step["name"]: step["system"] for entry in order["processes"] for step in entry["steps"]}
    assert (steps["create"], steps["allocate"], steps["release"]) == ("LEGACY_ERP", "LEGACY_ERP", "WMS")
    told = {event["type"]: event["system"] for event in order["lineage"]["nodes"]}
    assert (told["order.accepted"], told["invoice.posted"]) == ("LEGACY_ERP", "LEGACY_ERP")


def _bills(event: Any, order: dict[str, Any]) -> bool:
    return bool(event["invoicePosted"]["invoice"]["order"]["id"] == order["id"])


@pytest.mark.parametrize(
    ("who", "erp", "home"),
    [(MOVING, "erp", "CLOUD_ERP"), (CLOUD, "erp", "CLOUD_ERP"), (LEGACY, "legacy_erp", "LEGACY_ERP")],
    ids=["on its way", "in the cloud", "in the legacy ERP"],
)
async def test_a_new_order_goes_to_the_erp_that_takes_those_of_its_account(
    whole: Whole, who: dict[str, str], erp: str, home: str
):
    placed = await submit(whole, who)
    assert documents(whole, placed) == [erp]
    order = await seen(whole, placed)
    assert (order["homeErp"], order["freshness"]) == (home, {"source": home, "stale": False})


async def test_an_account_that_has_moved_keeps_its_ids_and_finishes_its_orders_where_they_started(whole: Whole):
    query = """{ accountByNumber(number: "C-10057") { id erpHome orders(first: 3) { nodes { id homeErp status } } } }"""
    before = (await whole.data(query))["accountByNumber"]
    store = whole.sandboxes["crm"].host.store
    store.execute("UPDATE Account SET ERP_Home__c = 'Cloud ERP' WHERE Crossdock_Id__c = ?", (before["id"],))
    try:
        after = (await whole.data(query))["accountByNumber"]
        assert (before["erpHome"], after["erpHome"]) == ("MIGRATING", "CLOUD_ERP")
        assert after["orders"] == before["orders"]
        assert "LEGACY_ERP" in {order["homeErp"] for order in after["orders"]["nodes"]}
        placed = await submit(whole, {"account": before["id"], "ship_to": "shp_16"})
        assert documents(whole, placed) == ["erp"]
    finally:
        store.execute("UPDATE Account SET ERP_Home__c = 'Migrating' WHERE Crossdock_Id__c = ?", (before["id"],))


async def test_while_the_legacy_erp_is_out_its_orders_wait_and_those_of_the_cloud_do_not(whole: Whole):
    legacy = whole.sandboxes["legacy_erp"]
    await legacy.faults(outages=[{"after_s": 0, "for_s": 600}])
    try:
        waiting = await submit(whole, LEGACY, waitMs=200)
        assert waiting["status"] in ("RECEIVED", "VALIDATING")
        assert (await submit(whole, CLOUD))["status"] == "ACCEPTED"
        query = "{ systems { system circuit queued } }"
        shown = await eventually(
            lambda: whole.data(query), lambda found: _system(found, "LEGACY_ERP")["circuit"] == "OPEN"
        )
        assert _system(shown, "CLOUD_ERP")["circuit"] == "CLOSED"
        shown = await eventually(lambda: whole.data(query), lambda found: _system(found, "LEGACY_ERP")["queued"] > 0)
        assert _system(shown, "CLOUD_ERP")["queued"] == 0
    finally:
        await legacy.faults()
    query = "query ($id: ID!) { order(id: $id) { status } }"
    await eventually(
        lambda: whole.ask(query, {"id": waiting["id"]}),
        lambda found: found["data"]["order"] == {"status": "ACCEPTED"},
        DRAINED_WITHIN_S,
    )
    assert documents(whole, waiting) == ["legacy_erp"]


def _system(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in found["systems"] if entry["system"] == name)


async def test_prices_of_the_legacy_erp_are_told_and_an_entry_that_nobody_can_read_is_replayed_when_it_is_mended(
    whole: Whole,
):
    host = whole.sandboxes["legacy_erp"].host
    lines, skus = (
        PriceLines(host),
        {name: f"VLV-00{place}" for name, place in (("good", 41), ("bad", 42), ("then", 43))},
    )
    query = """subscription ($account: ID!, $skus: [String!]!) { priceChanged(accountId: $account, skus: $skus) {
        item { sku } price { ... on Price { unit { amount } source freshness { source } } } } }"""
    letters = "{ deadLetters(source: LEGACY_ERP) { nodes { id type reason payload } } }"
    replay = "mutation ($input: ReplayInput!) { messagesReplay(input: $input) { accepted problems { __typename } } }"

    def agree(name: str, unit: int) -> None:
        row = {"number": f"CON-{name}-{unit}", "level": "CONTRACT", "currencyCode": "USD", "accountId": "acc_4"}
        row |= {"itemNumber": skus[name], "startingDate": "2026-01-01"}
        lines.create(row | {"unitPrice": unit, "priority": 1_000 + unit})

    def spoil(value: str | None) -> None:
        sql = "UPDATE price_changes SET after = json_set(after, '$.startingDate', ?) WHERE number = 'CON-bad-7'"
        host.store.execute(sql, (value,))

    async with following(whole, query, {"account": "acc_4", "skus": list(skus.values())}) as stream:
        first = asyncio.ensure_future(anext(stream))
        for unit in itertools.count(1):  # until the subscription is there
            agree("good", unit)
            await asyncio.wait([first], timeout=1)
            if first.done():
                break
        told = (await first)["priceChanged"]
        assert told["price"] == {"unit": {"amount": told["price"]["unit"]["amount"]}, "source": "CONTRACT",
                                 "freshness": {"source": "LEGACY_ERP"}}  # fmt: skip
        with host.store.transaction():
            agree("bad", 7)
            spoil(None)
            agree("then", 9)
        await until(stream, lambda event: event["priceChanged"]["item"]["sku"] == skus["then"])
        (letter,) = (await eventually(
            lambda: whole.data(letters), lambda found: found["deadLetters"]["nodes"] != []
        ))["deadLetters"]["nodes"]  # fmt: skip
        assert (letter["type"], "starting date" in letter["reason"]) == ("price.entry", True)
        assert "CON-bad-7" in str(letter["payload"])
        spoil("2026-01-01")
        asked = {"input": {"idempotencyKey": "mended-price", "deadLetterIds": [letter["id"]]}}
        assert (await whole.data(replay, asked))["messagesReplay"] == {"accepted": 1, "problems": []}
        await until(stream, lambda event: event["priceChanged"]["item"]["sku"] == skus["bad"])
    await eventually(lambda: whole.data(letters), lambda found: found["deadLetters"]["nodes"] == [])

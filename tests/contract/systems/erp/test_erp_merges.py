"""Customers that are the same become one in the ERP: what is open changes hands once per key, and comes back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schema.records.catalog import PriceChange
from systems.errors import Conflict, NotFound, Rejected, Unavailable
from tests.support.erps import ErpConnector
from tests.support.onboarding_records import new_customer
from tests.support.sandboxes import ServedSandbox

KEY = "mrg:acc_1:acc_7:prc_1:ERP"
TABLES = ("customers", "orders", "invoices", "returns", "ship_tos", "prices")


@pytest.fixture
def pair(served: ServedSandbox) -> tuple[str, str]:
    """Two customers of one currency: (survivor, duplicate); the duplicate has open orders and ended ones."""
    found = served.host.store.query(
        "SELECT o.accountId AS id, c.currencyCode AS currency FROM orders o "
        "JOIN customers c ON c.crossdockId = o.accountId "
        "GROUP BY 1, 2 HAVING sum(o.status = 'Open') > 0 AND sum(o.status = 'Completed') > 0 ORDER BY 1"
    )
    duplicate = found[0]
    sql = "SELECT crossdockId AS id FROM customers WHERE currencyCode = ? AND crossdockId != ? AND blocked = '' LIMIT 1"
    (survivor,) = served.host.store.query(sql, (duplicate["currency"], duplicate["id"]))
    return survivor["id"], duplicate["id"]


def state(served: ServedSandbox) -> dict[str, list[dict[str, Any]]]:
    """Return all rows without what every write changes."""
    written = ("version", "lastModifiedDateTime")
    rows = {name: served.host.store.query(f"SELECT * FROM {name} ORDER BY id") for name in TABLES}
    return {
        name: [{field: value for field, value in dict(row).items() if field not in written} for row in found]
        for name, found in rows.items()
    }


def statuses(served: ServedSandbox, table: str, account_id: str) -> set[str]:
    rows = served.host.store.query(f"SELECT status FROM {table} WHERE accountId = ?", (account_id,))
    return {row["status"] for row in rows}


async def test_what_is_open_goes_to_the_other_customer(erp: ErpConnector, served: ServedSandbox, pair: tuple[str, str]):
    survivor, duplicate = pair
    await erp.merge_customers(KEY, duplicate, survivor)
    assert statuses(served, "orders", duplicate) <= {"Completed", "Cancelled"}
    assert "Open" in statuses(served, "orders", survivor)
    assert statuses(served, "invoices", duplicate) <= {"Paid", "Corrective", "Canceled"}
    assert statuses(served, "returns", duplicate) <= {"Denied", "Credited", "Replaced", "Closed", "Canceled"}
    assert (await erp.ship_tos_of([duplicate]))[duplicate] == ()
    assert (await erp.terms([duplicate]))[duplicate].blocked == "All"


async def test_what_is_owed_goes_too_and_the_duplicate_owes_nothing(erp: ErpConnector, pair: tuple[str, str]):
    survivor, duplicate = pair
    before = await erp.terms(pair)
    await erp.merge_customers(KEY, duplicate, survivor)
    after = await erp.terms(pair)
    owed = [before[name].credit.open_receivables.amount for name in pair]
    assert [after[name].credit.open_receivables.amount for name in pair] == [sum(owed), Decimal(0)]


async def test_codes_of_delivery_places_stay_apart(erp: ErpConnector):
    for name in ("acc_a", "acc_b"):
        await erp.create_customer(new_customer(name))
    number = (await erp.terms(["acc_b"]))["acc_b"].number
    await erp.merge_customers(KEY, "acc_b", "acc_a")
    places = (await erp.ship_tos_of(["acc_a"]))["acc_a"]
    assert sorted(place.code for place in places) == ["MAIN", f"MAIN-{number}"]


def agree(
    served: ServedSandbox, number: str, account_id: str, start: str = "2020-01-01", end: str | None = None
) -> str:
    """Write a contract on an item, or on another one where the number says so."""
    row = served.host.store.query("SELECT * FROM prices WHERE level = 'CONTRACT' LIMIT 1")[0]
    given = {"id": number, "number": number, "accountId": account_id, "startingDate": start, "endingDate": end}
    given |= {"itemNumber": number.partition("-")[2], "currencyCode": "USD", "unitPrice": "1", "breaks": "[]"}
    made = dict(row) | given
    columns, values = ", ".join(made), ", ".join(f":{name}" for name in made)
    served.host.store.execute(f"INSERT INTO prices ({columns}) VALUES ({values})", made)
    return number


async def test_agreements_go_too_but_where_the_other_customer_has_its_own(erp: ErpConnector, served: ServedSandbox):
    for name in ("acc_a", "acc_b"):
        await erp.create_customer(new_customer(name))
    moved = [agree(served, "b-ONE", "acc_b"), agree(served, "b-LATER", "acc_b", end="2199-12-31")]
    stays = [agree(served, "b-OVER", "acc_b", end="2021-01-01"), agree(served, "b-BOTH", "acc_b")]
    own = [agree(served, "a-BOTH", "acc_a", start="2021-01-01"), agree(served, "a-LATER", "acc_a", start="2200-01-01")]
    await erp.merge_customers(KEY, "acc_b", "acc_a")
    found = await erp.agreements_of(["acc_a", "acc_b"])
    assert [rule.number for rule in found["acc_a"]] == sorted([*own, *moved])
    assert [rule.number for rule in found["acc_b"]] == sorted(stays)
    changes = await erp.price_changes_after(0, 10)
    assert [
        (change.before.account_id, change.after.account_id)
        for change in changes
        if isinstance(change, PriceChange) and change.before and change.after
    ] == [("acc_b", "acc_a")] * 2
    await erp.take_merge_back(KEY, "acc_b")
    back = await erp.agreements_of(["acc_a", "acc_b"])
    assert [rule.number for rule in back["acc_b"]] == sorted([*moved, *stays])


async def test_the_same_key_merges_once(erp: ErpConnector, served: ServedSandbox, pair: tuple[str, str]):
    survivor, duplicate = pair
    await erp.merge_customers(KEY, duplicate, survivor)
    once = state(served)
    await erp.merge_customers(KEY, duplicate, survivor)
    assert state(served) == once


async def test_taking_back_leaves_everything_as_it_was(erp: ErpConnector, served: ServedSandbox, pair: tuple[str, str]):
    survivor, duplicate = pair
    before = state(served)
    await erp.merge_customers(KEY, duplicate, survivor)
    assert state(served) != before
    await erp.take_merge_back(KEY, duplicate)
    assert state(served) == before
    await erp.take_merge_back(KEY, duplicate)
    assert state(served) == before


async def test_an_answer_that_is_lost_is_repeated_with_the_same_effect(
    erp: ErpConnector, served: ServedSandbox, pair: tuple[str, str]
):
    survivor, duplicate = pair
    await erp.terms([duplicate])
    await served.faults(lost_answer_rate=1, hang_s=0.1, only={"methods": ["POST"]})
    with pytest.raises(Unavailable) as caught:
        await erp.merge_customers(KEY, duplicate, survivor)
    assert caught.value.outcome_unknown
    done = state(served)
    await served.faults()
    await erp.merge_customers(KEY, duplicate, survivor)
    assert state(served) == done


async def test_a_refused_merge_changes_nothing(erp: ErpConnector, served: ServedSandbox, pair: tuple[str, str]):
    survivor, duplicate = pair
    before = state(served)
    with pytest.raises(NotFound):
        await erp.merge_customers(KEY, "acc_nobody", survivor)
    for wanted in ("acc_nobody", duplicate):
        with pytest.raises(Rejected) as caught:
            await erp.merge_customers(KEY, duplicate, wanted)
        assert caught.value.fields == ("accountId",)
    await erp.take_merge_back("a key of nobody", duplicate)
    assert state(served) == before


async def test_a_key_merges_one_customer_only(erp: ErpConnector, pair: tuple[str, str]):
    survivor, duplicate = pair
    await erp.create_customer(new_customer("acc_a"))
    await erp.merge_customers(KEY, duplicate, survivor)
    with pytest.raises(Conflict):
        await erp.merge_customers(KEY, "acc_a", survivor)

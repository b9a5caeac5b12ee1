"""Changes of prices as an ERP logs them: rows, groups of customers, and entries that are not of the agreed shape."""

from __future__ import annotations

from decimal import Decimal

from sandbox.erp_book.customer_cards import CustomerCards
from sandbox.erp_book.price_lines import PriceLines
from schema.records.catalog import GroupChange, PriceChange, PriceLevel
from schema.records.entries import UnreadableEntry
from tests.support.erps import ErpConnector
from tests.support.onboarding_records import new_customer
from tests.support.sandboxes import ServedSandbox

ROW = {
    "level": "CONTRACT",
    "currencyCode": "USD",
    "accountId": "acc_1",
    "itemNumber": "VLV-0007",
    "unitPrice": Decimal("9.75"),
    "startingDate": "2027-01-01",
}


def agree(served: ServedSandbox, number: str) -> None:
    with served.host.store.transaction():
        PriceLines(served.host).create(ROW | {"number": number})


def regroup(served: ServedSandbox, account_id: str, group: str | None) -> None:
    row = served.host.store.one("SELECT id FROM customers WHERE crossdockId = ?", (account_id,))
    assert row is not None
    with served.host.store.transaction():
        CustomerCards(served.host).change(row["id"], {"customerPriceGroup": group}, None)


async def test_rows_and_groups_are_logged_in_one_order(erp: ErpConnector, served: ServedSandbox):
    await erp.create_customer(new_customer("acc_a"))
    before = (await erp.terms(["acc_a"]))["acc_a"].price_group
    agree(served, "CON-1")
    for group in ("GOLD", "GOLD", None):
        regroup(served, "acc_a", group)
    row, into, out = await erp.price_changes_after(0, 10)
    assert isinstance(row, PriceChange)
    assert row.after is not None
    assert (row.before, row.after.level, row.after.number) == (None, PriceLevel.CONTRACT, "CON-1")
    assert isinstance(into, GroupChange)
    assert isinstance(out, GroupChange)
    assert (into.account_id, into.before, into.after) == ("acc_a", before, "GOLD")
    assert (out.account_id, out.before, out.after) == ("acc_a", "GOLD", None)
    assert row.entry < into.entry < out.entry
    assert await erp.price_changes_after(into.entry, 10) == (out,)
    assert (await erp.terms(["acc_a"]))["acc_a"].price_group is None


async def test_an_entry_of_another_shape_stands_in_its_place_with_what_was_told(
    erp: ErpConnector, served: ServedSandbox
):
    for number in ("CON-1", "CON-2", "CON-3"):
        agree(served, number)
    no_start = "UPDATE price_changes SET after = json_set(after, '$.startingDate', NULL) WHERE number = 'CON-2'"
    served.host.store.execute(no_start)
    first, second, third = await erp.price_changes_after(0, 10)
    assert isinstance(second, UnreadableEntry)
    assert (type(first), type(third)) == (PriceChange, PriceChange)
    assert first.entry < second.entry < third.entry
    assert "CON-2" in str(second.told)
    assert "starting date" in second.reason
    assert await erp.price_changes_after(second.entry, 10) == (third,)

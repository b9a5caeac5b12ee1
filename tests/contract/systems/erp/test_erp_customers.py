"""Customers that come to be in the ERP: traces, cards, billing, and what becomes of lost answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sandbox.erp_book.numbers import CLOUD_RANGES, LEGACY_RANGES
from sandbox.world.model import WorldModel
from schema.records.accounts import AccountValues
from schema.records.onboarding import BillingTerms, CustomerTrace
from schema.records.values import Money
from systems.errors import NotFound, Rejected, Unavailable
from tests.support.erps import LEGACY, ErpConnector, ErpKind
from tests.support.onboarding_records import address, new_customer, registration
from tests.support.sandboxes import ServedSandbox


def cards(served: ServedSandbox, account_id: str = "acc_new") -> list[dict[str, Any]]:
    rows = served.host.store.query("SELECT * FROM customers WHERE crossdockId = ?", (account_id,))
    return [dict(row) for row in rows]


async def test_a_customer_is_created_with_its_places_and_not_billed_yet(erp: ErpConnector):
    made = await erp.create_customer(new_customer())
    assert (made.account_id, made.currency, made.price_group, made.blocked) == ("acc_new", "USD", "PG-01", "Invoice")
    assert made.number.startswith("C-")
    assert made.credit.limit is None
    assert made.tax_registrations == (registration(),)
    (place,) = (await erp.ship_tos_of(["acc_new"]))["acc_new"]
    assert (place.id, place.code, place.tax_jurisdiction) == ("shp_acc_new", "MAIN", "US-TX")
    assert place.address == address(gln="9521234500001")


async def test_numbers_are_given_in_turn(erp: ErpConnector):
    numbers = [(await erp.create_customer(new_customer(f"acc_n{place}"))).number for place in range(3)]
    first = int(numbers[0][2:])
    assert numbers == [f"C-{first + place}" for place in range(3)]


async def test_no_erp_gives_a_number_that_another_one_gives(erp: ErpConnector, kind: ErpKind, world: WorldModel):
    number = int((await erp.create_customer(new_customer())).number.removeprefix("C-"))
    own, other = (LEGACY_RANGES, CLOUD_RANGES) if kind is LEGACY else (CLOUD_RANGES, LEGACY_RANGES)
    assert number == own["customer"] > max(int(account.number.removeprefix("C-")) for account in world.accounts)
    apart = 100_000
    assert all(abs(own[name] - other[name]) >= apart for name in own)


async def test_creating_again_finds_what_the_first_call_made(erp: ErpConnector, served: ServedSandbox):
    first = await erp.create_customer(new_customer())
    again = await erp.create_customer(new_customer(name="Another name"))
    assert (again.number, len(cards(served))) == (first.number, 1)
    assert cards(served)[0]["displayName"] == "Quayside Valves Inc."


async def test_an_answer_that_is_lost_leaves_one_customer(erp: ErpConnector, served: ServedSandbox):
    await erp.terms(["acc_1"])
    await served.faults(lost_answer_rate=1, hang_s=0.1, only={"methods": ["POST"]})
    with pytest.raises(Unavailable) as caught:
        await erp.create_customer(new_customer())
    assert caught.value.outcome_unknown
    await served.faults()
    assert (await erp.create_customer(new_customer())).account_id == "acc_new"
    assert len(cards(served)) == 1


async def test_billing_is_opened_with_terms_and_limit_and_closed_again(erp: ErpConnector):
    await erp.create_customer(new_customer())
    billing = BillingTerms("NET30", Money(Decimal("8000.00"), "USD"))
    for _ in range(2):
        await erp.open_billing("acc_new", billing)
    opened = (await erp.terms(["acc_new"]))["acc_new"]
    assert (opened.payment_terms, opened.credit.limit, opened.blocked) == ("NET30", billing.credit_limit, "")
    await erp.block_customer("acc_new", "All")
    assert (await erp.terms(["acc_new"]))["acc_new"].blocked == "All"


async def test_who_pays_in_advance_has_no_limit(erp: ErpConnector):
    await erp.create_customer(new_customer())
    await erp.open_billing("acc_new", BillingTerms("PREPAID", None))
    assert (await erp.terms(["acc_new"]))["acc_new"].credit.limit is None


async def test_billing_of_nobody_is_not_found_and_blocking_nobody_does_nothing(erp: ErpConnector):
    with pytest.raises(NotFound, match="acc_nobody"):
        await erp.open_billing("acc_nobody", BillingTerms("NET30", None))
    await erp.block_customer("acc_nobody", "All")


async def test_terms_and_billing_address_are_read_and_changed(erp: ErpConnector):
    await erp.create_customer(new_customer(billing=address()))
    assert await erp.customer_values(["acc_new", "acc_nobody"]) == {"acc_new": AccountValues("", None, address())}
    moved = AccountValues("NET45", None, address(city="Austin"))
    for _ in range(2):
        await erp.change_customer("acc_new", moved)
    assert await erp.customer_values(["acc_new"]) == {"acc_new": moved}
    await erp.change_customer("acc_new", AccountValues(payment_terms=""))
    assert await erp.customer_values(["acc_new"]) == {"acc_new": replace(moved, payment_terms="")}


async def test_a_change_of_nobody_is_not_found(erp: ErpConnector):
    with pytest.raises(NotFound, match="acc_nobody"):
        await erp.change_customer("acc_nobody", AccountValues(payment_terms="NET45"))


async def test_a_place_of_another_customer_is_refused_and_nothing_is_made(
    erp: ErpConnector, served: ServedSandbox, world: WorldModel
):
    (place,) = new_customer().ship_tos
    taken = replace(new_customer(), ship_tos=(replace(place, id=world.ship_tos[0].id),))
    with pytest.raises(Rejected, match="delivery place"):
        await erp.create_customer(taken)
    assert cards(served) == []


async def test_what_the_erp_refuses_says_which_field(erp: ErpConnector, served: ServedSandbox):
    with pytest.raises(Rejected) as caught:
        await erp.create_customer(new_customer(billing=address(country="USA")))
    assert (caught.value.reason, caught.value.fields) == ("FIELD", ("country",))
    assert cards(served) == []


async def test_traces_are_customers_with_the_tax_number_or_the_gln(erp: ErpConnector, world: WorldModel):
    known = world.accounts[0]
    number = known.tax_registrations[0].number.replace("-", "")
    place = next(entry for entry in world.ship_tos if entry.account_id == world.accounts[1].id)
    assert place.address.gln is not None
    found = await erp.traces([number, "NOBODYS1"], [place.address.gln])
    by_account = {trace.account_id: trace for trace in found}
    assert by_account[known.id] == CustomerTrace(known.id, (number,), ())
    assert by_account[place.account_id].glns == (place.address.gln,)


@pytest.mark.parametrize("number", ["", "' or 1 eq 1", "0000"])
async def test_a_number_that_nobody_has_leaves_no_trace(erp: ErpConnector, number: str):
    assert await erp.traces([number], []) == ()


async def test_part_of_a_tax_number_is_not_the_number(erp: ErpConnector, world: WorldModel):
    number = world.accounts[0].tax_registrations[0].number.replace("-", "")
    assert await erp.traces([number[:-1]], []) == ()

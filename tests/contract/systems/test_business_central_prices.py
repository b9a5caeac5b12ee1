"""Changes of the price book against the served ERP sandbox: made as people make them, read as the ERP logs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sandbox.erp.vendor import Erp
from sandbox.erp_book.seed import COMPANY
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.records.catalog import GroupChange, PriceChange, PriceLevel, PriceRule
from schema.records.values import Money
from systems.business_central import BusinessCentral, BusinessCentralSettings
from systems.errors import Unavailable
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.small_worlds import small_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRICES = f"/api/crossdock/distribution/v1.0/companies({COMPANY})/prices"
CONTRACT = "CON-C-10042-PMP-0042"
NEW = {
    "number": "CON-NEW",
    "level": "CONTRACT",
    "currencyCode": "USD",
    "accountId": "acc_1",
    "itemNumber": "VLV-0007",
    "unitPrice": 9.75,
    "startingDate": "2027-01-01",
}


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return small_world(generate_world(42, datetime.now(UTC)))


@asynccontextmanager
async def signed_in(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Erp(), lambda: world) as sandbox:
        form = {"grant_type": "client_credentials", "client_id": "crossdock", "client_secret": "sandbox-erp-secret"}
        token = (await sandbox.http.post("/oauth2/v2.0/token", data=form)).json()["access_token"]
        sandbox.http.headers["authorization"] = f"Bearer {token}"
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with signed_in(world) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    """A sandbox for tests that leave it as it is."""
    async with signed_in(world) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def erp(served: ServedSandbox) -> AsyncIterator[BusinessCentral]:
    async with BusinessCentral(BusinessCentralSettings(served.url, "crossdock", "sandbox-erp-secret")) as connector:
        yield connector


async def line(served: ServedSandbox, number: str = CONTRACT) -> dict[str, Any]:
    answer = await served.http.get(PRICES, params={"$filter": f"number eq '{number}'"})
    (row,) = answer.json()["value"]
    return dict(row)


async def change(
    served: ServedSandbox, body: dict[str, Any], match: str = "*", method: str = "PATCH"
) -> httpx.Response:
    address = f"{PRICES}({(await line(served))['id']})"
    return await served.http.request(method, address, json=body, headers={"if-match": match})


async def rule(erp: BusinessCentral, number: str = CONTRACT) -> PriceRule | None:
    rows = await erp.rules(["acc_1"], [], ["PMP-0042", "VLV-0007"])
    return next((row for row in rows if row.number == number), None)


async def test_nothing_was_changed_at_the_start(erp: BusinessCentral):
    assert await erp.price_changes_after(0, 10) == ()


async def test_a_change_is_logged_with_the_line_before_and_after(erp: BusinessCentral, served: ServedSandbox):
    before = await rule(erp)
    steps = [{"minimumQuantity": 1, "unitPrice": 37.5}, {"minimumQuantity": 24, "unitPrice": 35.10}]
    answer = await change(served, {"breaks": steps, "endingDate": "2030-12-31", "priority": 11, "exclusive": False})
    assert answer.status_code == 200, answer.text
    (logged,) = await erp.price_changes_after(0, 10)
    assert isinstance(logged, PriceChange)
    after = await rule(erp)
    assert (logged.entry, logged.before, logged.after) == (1, before, after)
    assert after is not None
    assert (after.priority, after.exclusive, after.valid_to) == (11, False, date(2030, 12, 31))
    assert [step.unit for step in after.breaks] == [Money(Decimal(text), "USD") for text in ("37.50", "35.10")]
    assert logged.at.tzinfo is not None


async def test_a_new_line_and_one_that_is_gone_are_logged_in_order(erp: BusinessCentral, served: ServedSandbox):
    made = await served.http.post(PRICES, json=NEW)
    assert made.status_code == 201, made.text
    shown = await rule(erp, "CON-NEW")
    gone = await served.http.delete(f"{PRICES}({made.json()['id']})", headers={"if-match": made.json()["@odata.etag"]})
    assert gone.status_code == 204
    first, second = await erp.price_changes_after(0, 10)
    assert isinstance(first, PriceChange)
    assert isinstance(second, PriceChange)
    assert (first.before, first.after) == (None, shown)
    assert (second.before, second.after) == (shown, None)
    assert shown is not None
    assert (shown.level, shown.account_id, shown.unit) == (PriceLevel.CONTRACT, "acc_1", Money(Decimal("9.75"), "USD"))
    assert await rule(erp, "CON-NEW") is None
    assert await erp.price_changes_after(first.entry, 10) == (second,)
    assert await erp.price_changes_after(0, 1) == (first,)
    assert await erp.price_changes_after(second.entry, 10) == ()


async def test_who_read_an_old_version_changes_nothing(erp: BusinessCentral, served: ServedSandbox):
    read = (await line(served))["@odata.etag"]
    assert (await change(served, {"priority": 12}, read)).status_code == 200
    for method in ("PATCH", "DELETE"):
        assert (await change(served, {"priority": 13}, read, method)).status_code == 409
    assert (await change(served, {"priority": 13}, "")).status_code == 400
    assert len(await erp.price_changes_after(0, 10)) == 1


async def test_another_price_group_of_a_customer_is_logged(erp: BusinessCentral, served: ServedSandbox):
    cards = PRICES.replace("/prices", "/customerCards")
    found = await served.http.get(cards, params={"$filter": "crossdockId eq 'acc_1'"})
    (card,) = found.json()["value"]
    answer = await served.http.patch(
        f"{cards}({card['id']})", json={"customerPriceGroup": "EU"}, headers={"if-match": card["@odata.etag"]}
    )
    assert answer.status_code == 200, answer.text
    (logged,) = await erp.price_changes_after(0, 10)
    assert isinstance(logged, GroupChange)
    assert (logged.account_id, logged.before, logged.after) == ("acc_1", card["customerPriceGroup"], "EU")


WRONG = [
    pytest.param({"accountId": "acc_2"}, "accountId", id="for somebody else"),
    pytest.param({"unitPrice": -1, "breaks": []}, "unitPrice", id="a negative price"),
    pytest.param({"breaks": []}, "unitPrice", id="no price"),
    pytest.param({"discountPercent": 5}, "unitPrice", id="a price and a discount"),
    pytest.param({"breaks": [], "discountPercent": 101}, "discountPercent", id="more off than there is"),
    pytest.param({"breaks": [{"minimumQuantity": 1}]}, "breaks/0/unitPrice", id="a step without a price"),
    pytest.param({"breaks": "all"}, "breaks", id="breaks that are no list"),
    pytest.param({"breaks": ["all"]}, "breaks/0", id="a step that is no object"),
    pytest.param({"endingDate": "2001-01-01"}, "endingDate", id="an end before the start"),
    pytest.param({"startingDate": None}, "startingDate", id="no start"),
    pytest.param({"priority": "high"}, "priority", id="a priority that is no number"),
    pytest.param({"exclusive": 1}, "exclusive", id="a flag that is a number"),
]


@pytest.mark.parametrize(("body", "target"), WRONG)
async def test_what_a_line_cannot_be_is_refused_with_the_field(
    shared: ServedSandbox, body: dict[str, Any], target: str
):
    before = await line(shared)
    answer = await change(shared, body)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, target)
    assert await line(shared) == before


UNMADE = [
    pytest.param({"number": None}, "number", id="no number"),
    pytest.param({"number": CONTRACT}, "number", id="a number that there is"),
    pytest.param({"level": "FRIENDS"}, "level", id="an unknown level"),
    pytest.param({"accountId": None}, "accountId", id="a contract with nobody"),
    pytest.param({"priceGroup": "GOLD"}, "priceGroup", id="a contract with a group"),
    pytest.param({"unitPrice": None}, "unitPrice", id="no price"),
]


@pytest.mark.parametrize(("changed", "target"), UNMADE)
async def test_a_new_line_says_what_it_is_for_and_what_it_costs(
    shared: ServedSandbox, changed: dict[str, Any], target: str
):
    answer = await shared.http.post(PRICES, json=NEW | changed)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, target)


async def test_an_erp_that_is_down_is_named(erp: BusinessCentral, served: ServedSandbox):
    await served.faults(outages=[{"after_s": 0, "for_s": 600}])
    with pytest.raises(Unavailable):
        await erp.price_changes_after(0, 10)

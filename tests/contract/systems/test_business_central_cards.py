"""Customer cards of the cloud ERP's sandbox, as a client without our connector meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.erp.vendor import Erp
from sandbox.erp_book.seed import COMPANY
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.small_worlds import small_world

CARDS = f"/api/crossdock/distribution/v1.0/companies({COMPANY})/customerCards"


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return small_world(generate_world(42, datetime.now(UTC)))


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(Erp(), lambda: world) as sandbox:
        yield sandbox


def cards(served: ServedSandbox, account_id: str) -> list[Any]:
    return served.host.store.query("SELECT * FROM customers WHERE crossdockId = ?", (account_id,))


@pytest.mark.parametrize(
    ("change", "target"),
    [
        pytest.param({"crossdockId": None}, "crossdockId", id="no platform id"),
        pytest.param({"currencyCode": "usd"}, "currencyCode", id="a currency that is no code"),
        pytest.param({"blocked": "Some"}, "blocked", id="an unknown block"),
        pytest.param({"creditLimit": "much"}, "creditLimit", id="a limit that is no amount"),
        pytest.param({"creditLimit": -1}, "creditLimit", id="a limit below zero"),
        pytest.param({"taxRegistrations": {}}, "taxRegistrations", id="registrations that are no list"),
        pytest.param({"taxRegistrations": [1]}, "taxRegistrations/0", id="a registration that is none"),
        pytest.param({"shipToAddresses": [{}]}, "shipToAddresses/0/crossdockId", id="an empty place"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_made(served: ServedSandbox, change: dict[str, Any], target: str):
    card = {
        "crossdockId": "acc_x",
        "displayName": "X",
        "addressLine1": "1 X Road",
        "city": "X",
        "country": "US",
        "postalCode": "1",
        "currencyCode": "USD",
    }
    headers = await _signed_in(served)
    answer = await served.http.post(CARDS, json=card | change, headers=headers)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, target)
    assert cards(served, "acc_x") == []


async def test_a_change_wants_the_etag_that_was_read(served: ServedSandbox):
    headers = await _signed_in(served)
    rows = (await served.http.get(CARDS, headers=headers)).json()["value"]
    path, read = f"{CARDS}({rows[0]['id']})", rows[0]["@odata.etag"]
    answers = [
        await served.http.patch(path, json={"blocked": "Ship"}, headers=headers | match)
        for match in ({}, {"if-match": read}, {"if-match": read}, {"if-match": "nonsense"})
    ]
    assert [answer.status_code for answer in answers] == [400, 200, 409, 412]
    answer = await served.http.patch(path, json={"number": "C-1"}, headers=headers | {"if-match": "*"})
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "number")
    assert (await served.http.delete(path, headers=headers)).status_code == 405


async def _signed_in(served: ServedSandbox) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": "crossdock", "client_secret": "sandbox-erp-secret"}
    answer = await served.http.post("/oauth2/v2.0/token", data=form)
    return {"authorization": f"Bearer {answer.json()['access_token']}"}

"""What an ERP's connector makes of trouble, whichever it is: faults, ended proofs of signing in, unknown words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.kit.vendor import Vendor
from schema.enums import OrderStatus
from schema.records.orders import OrderFilter
from schema.records.values import PageRequest
from systems.errors import AuthFailed, RateLimited, Unavailable, Unexpected
from systems.ports import SystemCall
from tests.support.erp_orders import order
from tests.support.erps import ErpConnector, ErpKind
from tests.support.sandboxes import ServedSandbox


@pytest.fixture
def calls() -> list[SystemCall]:
    return []


@pytest.fixture
async def erp(kind: ErpKind, served: ServedSandbox, calls: list[SystemCall]) -> AsyncIterator[ErpConnector]:
    async with kind.open(served.url, observer=calls.append) as connector:
        yield connector


@pytest.mark.parametrize(
    ("profile", "failure"),
    [
        pytest.param({"error_rate": 1}, Unavailable, id="it fails"),
        pytest.param({"outages": [{"for_s": 60}]}, Unavailable, id="it is down"),
        pytest.param({"hang_rate": 1}, Unavailable, id="it never answers"),
        pytest.param({"throttle_rate": 1, "retry_after_s": 30}, RateLimited, id="it limits us"),
        pytest.param({"html_rate": 1}, Unexpected, id="a proxy answers with a page"),
        pytest.param({"garbage_rate": 1}, Unexpected, id="half an answer"),
        pytest.param({"error_rate": 1, "error_status": 403}, Unexpected, id="a forbidden page"),
    ],
)
@pytest.mark.parametrize("is_signed_in", [True, False], ids=["signed in", "at sign-in"])
async def test_trouble_comes_as_one_of_our_failures(
    kind: ErpKind, served: ServedSandbox, erp: ErpConnector, profile: dict[str, Any], failure: Any, is_signed_in: bool
):
    if is_signed_in:
        await erp.terms(["acc_1"])
    await served.faults(**profile)
    with pytest.raises(failure) as raised:
        await erp.terms(["acc_1"])
    assert raised.value.system is kind.system
    assert not getattr(raised.value, "outcome_unknown", False)


async def test_a_failure_at_sign_in_leaves_no_doubt_about_a_write(
    kind: ErpKind, served: ServedSandbox, erp: ErpConnector
):
    await served.faults(error_rate=1, only={"path": kind.paths["sign in"]})
    with pytest.raises(Unavailable) as failed:
        await erp.create_order(order())
    assert not failed.value.outcome_unknown


async def test_a_short_failure_of_a_read_goes_unnoticed(served: ServedSandbox, erp: ErpConnector):
    await erp.terms(["acc_1"])
    await served.faults(seed=3, error_rate=0.3)
    for _ in range(5):
        assert await erp.orders_of(["acc_1", "acc_2"], OrderFilter(), 2)


async def test_wrong_credentials_are_said_to_be_wrong(kind: ErpKind, served: ServedSandbox):
    async with kind.open(served.url, **{kind.secret: "wrong"}) as connector:
        with pytest.raises(AuthFailed):
            await connector.terms(["acc_1"])


async def test_a_secret_is_never_shown(kind: ErpKind):
    assert getattr(kind.settings, kind.secret) not in repr(kind.settings)


async def test_a_proof_that_ended_is_renewed_once_for_all(
    kind: ErpKind, vendor: Vendor, erp: ErpConnector, calls: list[SystemCall]
):
    await erp.terms(["acc_1"])
    calls.clear()
    kind.revoke(vendor)
    found = await asyncio.gather(*(erp.terms(["acc_1"]) for _ in range(6)))
    assert all(found)
    assert [call.operation for call in calls].count(kind.sign_in) == 1
    kind.revoke(vendor)
    assert (await erp.create_order(order())).status is OrderStatus.ACCEPTED


@pytest.mark.parametrize(
    ("table", "column", "ask"),
    [
        ("orders", "status", lambda erp: erp.search_orders(OrderFilter(), PageRequest(5))),
        ("orders", "channel", lambda erp: erp.orders_of(["acc_1"], OrderFilter(), 5)),
        ("invoices", "status", lambda erp: erp.invoices_of(["acc_1"], 5)),
        ("returns", "status", lambda erp: erp.returns_of(["acc_1", "acc_2", "acc_7"])),
        ("customers", "blocked", lambda erp: erp.terms(["acc_1"])),
    ],
    ids=["order status", "channel", "invoice status", "return status", "block"],
)
async def test_a_word_that_nobody_knows_is_named_and_never_guessed(
    kind: ErpKind, served: ServedSandbox, erp: ErpConnector, table: str, column: str, ask: Any
):
    served.host.store.execute(f"UPDATE {table} SET {column} = 'Teleported'")
    with pytest.raises(Unexpected, match=f"'{kind.cut('Teleported')}'"):
        await ask(erp)


async def test_an_amount_with_more_digits_than_are_kept_is_refused(served: ServedSandbox, erp: ErpConnector):
    served.host.store.execute("UPDATE customers SET creditLimit = '123456789012345.67'")
    with pytest.raises(Unexpected, match="digits"):
        await erp.terms(["acc_1"])

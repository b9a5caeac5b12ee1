"""The fallback matrix, cell by cell: each system goes out, and every operation does what its cell says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from processes.fallbacks import FALLBACKS, Behaviour, Fallback, Operation, fallback
from schema.enums import SourceSystem
from tests.support.eventually import WITHIN_S, eventually
from tests.support.graph_suite.asking import BUYER, following, submission, until
from tests.support.whole import Whole, demo_world, in_process

S, Op, B = SourceSystem, Operation, Behaviour
SANDBOXES = {
    S.CLOUD_ERP: "erp",
    S.LEGACY_ERP: "legacy_erp",
    S.WMS: "wms",
    S.TMS: "tms",
    S.CRM: "crm",
    S.FINANCE: "erp",
}
"""Who is out; finance is with the ERP, so all else that is out then is the ERP's."""

OUT = {"outages": [{"after_s": 0, "for_s": 600}]}

PRICES = """
query ($account: ID!, $lines: [PriceLineInput!]!) {
  prices(accountId: $account, lines: $lines) {
    __typename
    ... on Price { unit { amount } source freshness { source asOf stale note } }
    ... on DependencyUnavailable { system }
  }
}
"""
STATUS = """
query ($number: String!) {
  orderByNumber(number: $number) {
    status
    account { name }
    freshness { source stale }
    shipments { number status milestones { code at source } }
  }
}
"""
ORDER = "query ($id: ID!) { order(id: $id) { id version status fulfillmentStatus } }"
CANCEL = """mutation ($input: OrderCancelInput!) { orderCancel(input: $input) {
    order { status } problems { __typename ... on Problem { message } } } }"""
DRAINED_WITHIN_S = 120.0
"""Pauses between attempts have grown while a system was out."""


@dataclass(frozen=True)
class Subject:
    """Whose price is asked for, who orders where to, and an order of the past with two shipments that have arrived."""

    priced: str = "acc_1"
    buyer: str = BUYER
    ship_to: str = "shp_19"
    story: str = "SO-204511"


def subject_of(system: SourceSystem) -> Subject:
    """Return whom a system's outage is about."""
    if system is not S.LEGACY_ERP:
        return Subject()
    world = demo_world()
    arrived = Counter(shipment.order_id for shipment in world.shipments if shipment.delivered_at is not None)
    story = next(
        order.number
        for order in reversed(world.orders)
        if (order.account_id, order.status, arrived[order.id]) == ("acc_4", "COMPLETED", 2)
    )
    return Subject("acc_4", "acc_4", "shp_4", story)


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with in_process(tmp_path) as running:
        yield running


async def price(whole: Whole, sku: str = "PMP-0042", account: str = "acc_1") -> dict[str, Any]:
    lines = [{"sku": sku, "quantity": {"value": "24", "uom": "EA"}}]
    found: dict[str, Any] = (await whole.data(PRICES, {"account": account, "lines": lines}))["prices"][0]
    return found


async def promise(whole: Whole) -> dict[str, Any]:
    found: dict[str, Any] = (await whole.play("price"))["itemBySku"]["availability"]
    return found


async def submit(whole: Whole, of: Subject) -> dict[str, Any]:
    given = {**submission(account=of.buyer, ship_to=of.ship_to), "waitMs": 500}
    found: dict[str, Any] = (await whole.play("order", input=given))["orderSubmit"]
    return found


async def priced_from_memory(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    now = await price(whole, account=before["of"].priced)
    assert cell.within == timedelta(hours=24)
    assert (now["__typename"], now["unit"], now["source"]) == (
        "Price",
        before["price"]["unit"],
        before["price"]["source"],
    )
    assert (before["price"]["freshness"]["stale"], now["freshness"]["stale"]) == (False, True)


async def priced_as_ever(whole: Whole, before: dict[str, Any], cell: Fallback | None) -> None:
    assert (await price(whole, account=before["of"].priced))["freshness"]["stale"] is False


async def promised_without_inbound(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    now = await promise(whole)
    assert now["availableNow"] == before["promise"]["availableNow"]
    assert {line["kind"] for line in now["promise"]} == {"ON_HAND"}
    assert now["freshness"]["stale"] is True


async def promised_from_memory(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    assert cell.within == timedelta(minutes=60)
    now = await promise(whole)
    assert (now["decision"], now["availableNow"]) == (before["promise"]["decision"], before["promise"]["availableNow"])
    assert now["freshness"]["stale"] is True


async def promised_as_ever(whole: Whole, before: dict[str, Any], cell: Fallback | None) -> None:
    assert (await promise(whole))["freshness"]["stale"] is False


async def submitted(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    """An order is accepted for work; what it needs of the system waits, and nothing of it is lost."""
    answer = await submit(whole, before["of"])
    assert answer["problems"] == []
    assert answer["order"]["status"] in ("RECEIVED", "VALIDATING", "ACCEPTED")
    before["submitted"] = answer["order"]["number"]


async def cancelled_in_the_end(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    """A wish to cancel is taken; what it needs of the system waits, and the order says so until then."""
    await cancel(whole, before)
    status = (await whole.data(ORDER, {"id": before["ordered"]["id"]}))["order"]["status"]
    assert status in ("CANCEL_PENDING", "CANCELLED")


async def cancelled_as_ever(whole: Whole, before: dict[str, Any], cell: Fallback | None) -> None:
    await cancel(whole, before)
    await eventually(lambda: _order(whole, before), lambda order: order["status"] == "CANCELLED")


async def cancel(whole: Whole, before: dict[str, Any]) -> None:
    order = before["ordered"]
    about = {"orderId": order["id"], "version": order["version"], "reason": "not needed any more"}
    given = {"input": {**about, "idempotencyKey": f"cancel-{order['id']}"}}
    assert (await whole.ask(CANCEL, given))["data"]["orderCancel"]["problems"] == []


async def _order(whole: Whole, before: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await whole.ask(ORDER, {"id": before["ordered"]["id"]}))["data"]["order"] or {"status": ""}
    return found


async def shown_without_credit(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    answer = await whole.ask('{ accountByNumber(number: "C-10042") { name credit { onHold } } }')
    assert answer["data"]["accountByNumber"]["name"]
    assert answer["data"]["accountByNumber"]["credit"] is None
    assert [error["path"] for error in answer["errors"]] == [["accountByNumber", "credit"]]


async def shown_from_records(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    now = (await whole.data(STATUS, {"number": before["of"].story}))["orderByNumber"]
    then = before["status"]
    assert (now["status"], now["account"]) == (then["status"], then["account"])
    assert len(now["shipments"]) == 2
    for shipment, known in zip(now["shipments"], then["shipments"], strict=True):
        assert (shipment["number"], shipment["status"]) == (known["number"], known["status"])
        carriers = [entry["at"] for entry in known["milestones"] if entry["source"] == "TMS"]
        told = [entry["at"] for entry in shipment["milestones"] if entry["source"] == "TMS"]
        assert told[-1] == carriers[-1]


async def shown_with_nulls(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    answer = await whole.ask(STATUS, {"number": before["of"].story})
    order = answer["data"]["orderByNumber"]
    assert order["account"] is None
    assert order["status"] == before["status"]["status"]
    assert len(order["shipments"]) == 2
    assert {error["extensions"].get("system") for error in answer["errors"]} == {"CRM"}


Check = Callable[[Whole, dict[str, Any], Any], Awaitable[None]]
CHECKS: dict[tuple[Operation, Behaviour | None], Check] = {
    (Op.PRICE, B.REMEMBERED): priced_from_memory,
    (Op.PRICE, None): priced_as_ever,
    (Op.PROMISE, B.REMEMBERED): promised_from_memory,
    (Op.PROMISE, B.WITHOUT): promised_without_inbound,
    (Op.PROMISE, None): promised_as_ever,
    (Op.SUBMIT, B.BUFFERED): submitted,
    (Op.CHANGE, B.BUFFERED): cancelled_in_the_end,
    (Op.CHANGE, None): cancelled_as_ever,
    (Op.STATUS, B.READ_MODEL): shown_from_records,
    (Op.STATUS, B.NULL): shown_with_nulls,
}


OF_FINANCE: dict[Operation, Check] = {
    Op.SUBMIT: submitted,
    Op.CHANGE: cancelled_in_the_end,
    Op.STATUS: shown_without_credit,
}
"""Checks of finance alone: of its fields, beside those of the ERP that is out with it."""


def test_every_cell_of_the_matrix_has_a_check():
    cells = {(operation, cell.behaviour) for (_, operation), cell in FALLBACKS.items()}
    assert cells <= set(CHECKS)
    assert {operation for system, operation in FALLBACKS if system is S.FINANCE} == set(OF_FINANCE)
    assert {system for system, _ in FALLBACKS} == {*SANDBOXES, S.PLATFORM}


@pytest.mark.slow
@pytest.mark.parametrize("system", sorted(SANDBOXES))
async def test_while_a_system_is_out_every_operation_does_what_its_cell_says(whole: Whole, system: SourceSystem):
    of = subject_of(system)
    before: dict[str, Any] = {
        "of": of,
        "price": await price(whole, account=of.priced),
        "promise": await promise(whole),
        "status": (await whole.data(STATUS, {"number": of.story}))["orderByNumber"],
        "ordered": await released(whole, of),
    }
    sandbox = whole.sandboxes[SANDBOXES[system]]
    await sandbox.faults(**OUT)
    for operation in Operation:
        cell = fallback(system, operation)
        if system is S.FINANCE:
            check = OF_FINANCE.get(operation)
        else:
            check = CHECKS[operation, None if cell is None else cell.behaviour]
        if check is not None:
            await check(whole, before, cell)
    await sandbox.faults()
    await _accepted(whole, before["submitted"])
    await eventually(lambda: _order(whole, before), lambda order: order["status"] == "CANCELLED", DRAINED_WITHIN_S)


async def released(whole: Whole, of: Subject) -> dict[str, Any]:
    """Return an order that a warehouse has got to pick."""
    given = {**submission(account=of.buyer, ship_to=of.ship_to), "waitMs": 10_000}
    placed = {"ordered": (await whole.play("order", input=given))["orderSubmit"]["order"]}
    return await eventually(lambda: _order(whole, placed), lambda order: order.get("fulfillmentStatus") == "RELEASED")


@pytest.mark.slow
async def test_while_nothing_carries_news_orders_are_taken_and_whoever_follows_looks(tmp_path: Path):
    follow = "subscription ($account: ID!) { orderStatusChanged(accountId: $account) { order { status } } }"
    async with (
        in_process(tmp_path, redis="redis://127.0.0.1:1") as whole,
        following(whole, follow, {"account": BUYER}) as stream,
    ):
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)  # the subscription is on its way before the order is
        answer = await submit(whole, Subject())
        assert answer["problems"] == []
        async with asyncio.timeout(WITHIN_S):
            seen = [await first]
        seen += await until(stream, lambda event: event["orderStatusChanged"]["order"]["status"] == "ACCEPTED")
        assert seen


async def _accepted(whole: Whole, number: str) -> None:
    """Wait until the ERP has accepted an order that was submitted during the outage."""
    async with asyncio.timeout(60):
        while True:
            found = (await whole.ask("query ($n: String!) { orderByNumber(number: $n) { status } }", {"n": number}))[
                "data"
            ]["orderByNumber"]
            if found is not None and found["status"] == "ACCEPTED":
                return
            await asyncio.sleep(0.5)


async def test_what_nobody_asked_for_has_no_price_during_an_outage(whole: Whole):
    await price(whole)
    await whole.sandboxes["erp"].faults(**OUT)
    assert await price(whole, "VLV-0042") == {"__typename": "DependencyUnavailable", "system": "CLOUD_ERP"}

"""The fallback matrix, cell by cell: each system goes out, and every operation does what its cell says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from processes.fallbacks import FALLBACKS, Behaviour, Fallback, Operation, fallback
from schema.enums import SourceSystem
from tests.support.graph_suite import submission
from tests.support.whole import Whole, in_process

S, Op, B = SourceSystem, Operation, Behaviour
SANDBOXES = {S.CLOUD_ERP: "erp", S.WMS: "wms", S.TMS: "tms", S.CRM: "crm"}
OUT = {"outages": [{"after_s": 0, "for_s": 600}]}
WITHIN_S = 30.0

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
STORY = "SO-204511"
"""An order of the past with two shipments that have arrived."""


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with in_process(tmp_path) as running:
        yield running


async def price(whole: Whole, sku: str = "PMP-0042") -> dict[str, Any]:
    lines = [{"sku": sku, "quantity": {"value": "24", "uom": "EA"}}]
    found: dict[str, Any] = (await whole.data(PRICES, {"account": "acc_1", "lines": lines}))["prices"][0]
    return found


async def promise(whole: Whole) -> dict[str, Any]:
    found: dict[str, Any] = (await whole.play("price"))["itemBySku"]["availability"]
    return found


async def submit(whole: Whole) -> dict[str, Any]:
    found: dict[str, Any] = (await whole.play("order", input={**submission(), "waitMs": 500}))["orderSubmit"]
    return found


async def priced_from_memory(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    now = await price(whole)
    assert cell.within == timedelta(hours=24)
    assert (now["__typename"], now["unit"], now["source"]) == ("Price", before["price"]["unit"], "CONTRACT")
    assert (before["price"]["freshness"]["stale"], now["freshness"]["stale"]) == (False, True)


async def priced_as_ever(whole: Whole, before: dict[str, Any], cell: Fallback | None) -> None:
    assert (await price(whole))["freshness"]["stale"] is False


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
    answer = await submit(whole)
    assert answer["problems"] == []
    assert answer["order"]["status"] in ("RECEIVED", "VALIDATING", "ACCEPTED")
    before["submitted"] = answer["order"]["number"]


async def shown_from_records(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    now = (await whole.data(STATUS, {"number": STORY}))["orderByNumber"]
    then = before["status"]
    assert (now["status"], now["account"]) == (then["status"], then["account"])
    assert len(now["shipments"]) == 2
    for shipment, known in zip(now["shipments"], then["shipments"], strict=True):
        assert (shipment["number"], shipment["status"]) == (known["number"], known["status"])
        carriers = [entry["at"] for entry in known["milestones"] if entry["source"] == "TMS"]
        told = [entry["at"] for entry in shipment["milestones"] if entry["source"] == "TMS"]
        assert told[-1] == carriers[-1]


async def shown_with_nulls(whole: Whole, before: dict[str, Any], cell: Fallback) -> None:
    answer = await whole.ask(STATUS, {"number": STORY})
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
    (Op.STATUS, B.READ_MODEL): shown_from_records,
    (Op.STATUS, B.NULL): shown_with_nulls,
}


def test_every_cell_of_the_matrix_has_a_check():
    cells = {(operation, cell.behaviour) for (_, operation), cell in FALLBACKS.items()}
    assert cells <= set(CHECKS)
    assert {system for system, _ in FALLBACKS} == set(SANDBOXES)


@pytest.mark.slow
@pytest.mark.parametrize("system", sorted(SANDBOXES))
async def test_while_a_system_is_out_every_operation_does_what_its_cell_says(whole: Whole, system: SourceSystem):
    before: dict[str, Any] = {
        "price": await price(whole),
        "promise": await promise(whole),
        "status": (await whole.data(STATUS, {"number": STORY}))["orderByNumber"],
    }
    sandbox = whole.sandboxes[SANDBOXES[system]]
    await sandbox.faults(**OUT)
    for operation in Operation:
        cell = fallback(system, operation)
        await CHECKS[operation, None if cell is None else cell.behaviour](whole, before, cell)
    await sandbox.faults()
    await _accepted(whole, before["submitted"])


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

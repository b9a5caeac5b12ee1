"""Every operation of the pages under ``docs/how-to`` is run as it stands there, in order, against the whole."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.kit.webhooks import signature
from tests.support.graph_suite.asking import following, until
from tests.support.whole import FAST, Whole, in_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = Path(__file__).parents[3] / "docs/how-to"
WITHIN_S = 60.0
_BLOCK = re.compile(r"```(graphql|json)\n(.*?)```", re.DOTALL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    async with in_process(tmp_path_factory.mktemp("how_to")) as running:
        yield running


def operations(page: str, **known: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the operations of a page by name, later ones of a name with a number, with what stands for ids put in."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    blocks = _BLOCK.findall((PAGES / page).read_text(encoding="utf-8"))
    for place, (kind, text) in enumerate(blocks):
        if kind == "graphql":
            follows = blocks[place + 1] if place + 1 < len(blocks) else ("", "")
            name = text.split("(")[0].split("{")[0].split()[1]
            count = sum(entry.rstrip("23456789") == name for entry in found)
            given = follows[1] if follows[0] == "json" else "{}"
            for words, value in known.items():
                given = given.replace(f"<{words.replace('_', ' ')}>", value)
            found[name + (str(count + 1) if count else "")] = (text, json.loads(given))
    return found


def variables(page: str, key: str) -> dict[str, Any]:
    """Return the variables of a page whose input has this key, for an operation that is run once more with them."""
    blocks = _BLOCK.findall((PAGES / page).read_text(encoding="utf-8"))
    given = [json.loads(text) for kind, text in blocks if kind == "json" and "<" not in text]
    return next(entry for entry in given if entry.get("input", {}).get("idempotencyKey") == key)


def json_of(page: str, key: str) -> str:
    """Return the variables of a page that have this key, as they stand there."""
    blocks = _BLOCK.findall((PAGES / page).read_text(encoding="utf-8"))
    return next(str(text) for kind, text in blocks if kind == "json" and f'"key": "{key}"' in text)


async def run(whole: Whole, operation: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the data of the operation's only field."""
    text, variables = operation
    if "idempotencyKey" in variables.get("input", {}) and "orderSubmit" in text:
        variables = {"input": {"waitMs": 10_000, **variables["input"]}}  # a busy machine needs longer to decide
    data = await whole.data(text, variables)
    (field,) = data.values()
    found: dict[str, Any] = field
    return found


async def eventually(whole: Whole, operation: tuple[str, dict[str, Any]], wanted: Any) -> dict[str, Any]:
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = await run(whole, operation)
            if wanted(found):
                return found
            await asyncio.sleep(0.05)


def is_decided(submitted: dict[str, Any]) -> bool:
    """Return whether a submission was decided; a busy machine says to come again, which begins nothing."""
    return all(problem["__typename"] != "DependencyUnavailable" for problem in submitted["problems"])


async def test_a_credit_hold_is_worked_with_the_page_alone(whole: Whole):
    page = operations("work-a-credit-hold.md")
    waiting = (await run(whole, page["CreditHolds"]))["nodes"]
    assert {"tsk_ord_77_credit", "tsk_ord_1191_credit"} <= {task["id"] for task in waiting}
    claimed = await run(whole, page["Claim"])
    assert (claimed["problems"], claimed["task"]["state"]) == ([], "CLAIMED")
    released = await run(whole, page["Release"])
    assert (released["problems"], released["order"]["status"], released["order"]["holds"]) == ([], "ACCEPTED", [])
    assert (await run(whole, page["Release"]))["replayed"]
    rejected = await run(whole, page["Reject"])
    assert (rejected["problems"], rejected["task"]["state"]) == ([], "RESOLVED")
    told = await eventually(whole, page["Story"], lambda order: order["processes"][0]["state"] == "COMPLETED")
    acts = [(event["type"], event["actor"]) for event in told["lineage"]["nodes"] if event["manual"]]
    assert ("order.hold.released", "user:usr_1") in acts
    lost = (page["Story"][0], {"id": "ord_1191"})
    await eventually(whole, lost, lambda order: order["status"] == "REJECTED")


async def test_a_stockout_is_worked_with_the_page_alone(whole: Whole):
    page = operations("work-a-stockout.md")
    supply = await run(whole, page["Supply"])
    assert (supply["availability"]["availableNow"], supply["substitutes"] != []) == ({"value": "5"}, True)
    refused = await eventually(whole, page["Submit"], is_decided)
    (problem,) = refused["problems"]
    assert (refused["order"], problem["__typename"]) == (None, "Stockout"), problem
    assert problem["available"] == {"value": "5"}
    assert problem["nextAvailable"]
    assert problem["substituteSkus"]
    accepted = await eventually(whole, page["Submit2"], is_decided)
    assert (accepted["order"]["status"], accepted["problems"]) == ("ACCEPTED", [])
    (line,) = accepted["order"]["lines"]["nodes"]
    assert (line["allocated"], line["backordered"]) == ({"value": "5"}, {"value": "7"})
    assert (await run(whole, page["Desk"]))["nodes"] == []
    undated = (page["Submit"][0], variables("work-a-stockout.md", "stockout-3"))
    short = await eventually(whole, undated, lambda found: found["order"] and found["problems"])
    assert (short["order"]["status"], [problem["__typename"] for problem in short["problems"]]) == (
        "ACCEPTED",
        ["Stockout"],
    )
    (task,) = (await run(whole, page["Desk"]))["nodes"]
    assert (task["order"]["number"], task["resolutions"]) == (short["order"]["number"], ["WAIT", "CANCEL_LINE"])
    mine = operations("work-a-stockout.md", id_of_the_task=task["id"], id_of_the_order=short["order"]["id"])
    assert (await run(whole, mine["Claim"]))["task"]["state"] == "CLAIMED"
    await eventually(whole, mine["Resolve"], lambda answer: answer["task"]["state"] == "RESOLVED")

    def is_cut(order: dict[str, Any]) -> bool:
        (line,) = order["lines"]["nodes"]
        return (order["status"], line["backordered"]) == ("ACCEPTED", {"value": "0"})

    cut = await eventually(whole, mine["Again"], is_cut)
    assert cut["lines"]["nodes"][0]["ordered"] == short["order"]["lines"]["nodes"][0]["allocated"]
    assert (await run(whole, page["Desk"]))["nodes"] == []
    flexible = (page["Submit"][0], variables("work-a-stockout.md", "stockout-4"))
    other = await eventually(whole, flexible, lambda found: found["order"] and found["problems"])
    (task,) = (await run(whole, page["Desk"]))["nodes"]
    assert task["resolutions"] == ["WAIT", "SUBSTITUTE:FIT-0032", "CANCEL_LINE"]
    again = operations("work-a-stockout.md", id_of_the_order=other["order"]["id"])["Again"]
    text = json_of("work-a-stockout.md", "stockout-substituted").replace("<id of the other task>", task["id"])
    assert (await run(whole, (page["Resolve"][0], json.loads(text))))["problems"] == []
    (line,) = other["order"]["lines"]["nodes"]
    both = await eventually(whole, again, lambda order: len(order["lines"]["nodes"]) == 2)
    first, second = both["lines"]["nodes"]
    assert (first["ordered"], second["ordered"]) == (line["allocated"], line["backordered"])
    assert (second["item"]["sku"], second["backordered"]) == ("FIT-0032", {"value": "0"})


async def test_a_dead_letter_and_a_process_are_worked_with_the_page_alone(whole: Whole):
    await strange_message(whole)
    page = operations("work-a-dead-letter.md")
    (letter,) = (await eventually(whole, page["Letters"], lambda found: found["nodes"]))["nodes"]
    assert (letter["type"], letter["attempts"]) == ("robot.uprising", 1)
    assert (await run(whole, page["Count"]))["accepted"] == 1
    task_id, order_id, process_id = "tsk_ord_1199_credit", "ord_1199", "prc_ord_1199"
    page = operations("work-a-dead-letter.md", id_of_the_letter=letter["id"], id_of_a_process=process_id)
    replayed = await run(whole, page["Replay"])
    assert (replayed["problems"], replayed["accepted"]) == ([], 1)
    await eventually(whole, page["Letters"], lambda found: found["nodes"][0]["attempts"] == 2)
    assert (await run(whole, page["Stuck"]))["nodes"] == []
    assert (await run(whole, page["Process"]))["state"] == "WAITING_HUMAN"
    retried = await run(whole, page["Retry"])
    assert [problem["__typename"] for problem in retried["problems"]] == ["NotAllowedInState"]
    last = await whole.data("query ($id: ID!) { order(id: $id) { lineage { nodes { eventId } } } }", {"id": order_id})
    cursor = last["order"]["lineage"]["nodes"][-1]["eventId"]
    reject = operations("work-a-credit-hold.md")["Reject"][0]
    assert (await run(whole, (reject, {"key": "reject-watched", "id": task_id})))["problems"] == []
    watch, variables = page["Watch"]
    async with following(whole, watch, {**variables, "after": cursor}) as stream:
        seen = await until(stream, lambda event: event["processChanged"]["process"]["state"] == "FAILED")
        second = seen[0]["processChanged"]["eventId"]
    async with following(whole, watch, {**variables, "after": second}) as stream:
        again = await until(stream, lambda event: event["processChanged"]["process"]["state"] == "FAILED")
    assert again[0]["processChanged"]["eventId"] != second


@pytest.mark.slow
async def test_a_customer_is_onboarded_with_the_page_alone(whole: Whole):
    name = "onboard-a-customer.md"
    page = operations(name)
    known = await run(whole, page["Known"])
    page = operations(name, tax_number_of_the_customer=known["taxRegistrations"][0]["number"])
    refused = await run(whole, page["Submit"])
    doubles = [problem for problem in refused["problems"] if problem["__typename"] == "DuplicateAccount"]
    assert [entry["account"]["id"] for entry in doubles[0]["candidates"]] == [known["id"]]
    assert refused["onboarding"]["status"] == "REJECTED"
    made = await run(whole, (page["Submit"][0], variables(name, "onboard-2")))
    assert made["problems"] == []
    request = operations(name, id_of_the_onboarding=made["onboarding"]["id"])["Request"]
    active = await eventually(whole, request, lambda found: found["status"] == "ACTIVE")
    assert [entry["state"] for entry in active["activations"]] == ["ACTIVE"] * 3
    assert active["account"]["credit"] == {"limit": {"amount": "8000.00"}}
    large = (await run(whole, (page["Submit"][0], variables(name, "onboard-3"))))["onboarding"]

    def waits(found: dict[str, Any]) -> bool:
        return large["id"] in {entry["id"] for entry in found["nodes"]}

    waiting = await eventually(whole, page["Waiting"], waits)
    (entry,) = (entry for entry in waiting["nodes"] if entry["id"] == large["id"])
    text, decision = operations(name, id_of_the_onboarding=large["id"])["Decide"]
    decided = await run(whole, (text, {"input": {**decision["input"], "version": entry["version"]}}))
    assert [problem["rule"] for problem in decided["problems"]] == ["DECIDER_IS_SUBMITTER"]


@pytest.mark.slow
async def test_two_accounts_are_merged_with_the_page_alone(whole: Whole):
    name = "merge-two-accounts.md"
    accounts = (await run(whole, operations(name)["Accounts"]))["nodes"]
    alone = [entry for entry in accounts if entry["parent"] is None and entry["id"] not in ("acc_1", "acc_2", "acc_7")]
    pairs = (
        (one, other)
        for one, other in itertools.permutations(alone, 2)
        if one["orders"]["nodes"] and one["currency"] == other["currency"]
    )
    for turn, (duplicate, remains) in enumerate(pairs):  # those of which an order is under decision are refused
        page = operations(name, id_of_the_duplicate=duplicate["id"], id_of_the_account_that_remains=remains["id"])
        text, given = page["Merge"]
        asked = (text, {"input": {**given["input"], "idempotencyKey": f"merge-{turn}"}})
        merged = await eventually(whole, asked, lambda found: found["process"]["state"] in ("COMPLETED", "FAILED"))
        if not merged["problems"]:
            break
    assert (merged["problems"], merged["process"]["state"]) == ([], "COMPLETED")
    assert {ref["system"] for ref in merged["account"]["externalRefs"] if not ref["current"]} == {"CRM", "CLOUD_ERP"}
    found = await whole.data(*page["After"])
    assert (found["duplicate"]["status"], found["remains"]["status"]) == ("MERGED", "ACTIVE")
    moved = {order["number"] for order in duplicate["orders"]["nodes"]}
    assert found["duplicate"]["orders"]["nodes"] == []
    assert moved <= {order["number"] for order in found["remains"]["orders"]["nodes"]}
    told: Any = await run(whole, operations(name, id_of_the_process=merged["process"]["id"])["Story"])
    assert [event["actor"] for event in told if event["type"] == "account.merged"] == ["user:usr_1"] * 2
    assert (await run(whole, page["Agreements"]))["nodes"] is not None


@pytest.mark.slow
async def test_goods_are_taken_back_with_the_page_alone(whole: Whole):
    name = "take-goods-back.md"
    delivered = (await run(whole, operations(name)["Delivered"]))["nodes"]
    since = (datetime.now(UTC) - timedelta(days=25)).isoformat()
    order, line = next(
        (order, line)
        for order in delivered
        if all((entry["deliveredAt"] or "") > since for entry in order["shipments"])
        for line in order["lines"]["nodes"]
        if line["returned"]["value"] == "0" and float(line["unitPrice"]["amount"]) < 400
    )
    page = operations(name, id_of_the_order=order["id"], unit=line["delivered"]["uom"])
    text, asked = page["Request"]
    asked["input"]["lines"][0]["lineNo"] = line["lineNo"]
    requested = await run(whole, (text, asked))
    assert requested["problems"] == []
    page = operations(name, id_of_the_return=requested["return"]["id"])
    refused = await run(whole, page["Approve"])
    assert [problem["__typename"] for problem in refused["problems"]] == ["NotAllowedInState"]
    approved = await eventually(whole, page["Story"], lambda found: found["status"] != "REQUESTED")
    assert approved["status"] in ("APPROVED", "IN_TRANSIT")
    async with following(whole, *page["Follow"]) as stream:
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)  # the subscription is on its way before the goods are
        await whole.speed(FAST, "wms")
        try:
            told = (await asyncio.wait_for(first, WITHIN_S))["returnStatusChanged"]
            back = await eventually(whole, page["Story"], lambda found: found["credit"] is not None)
        finally:
            await whole.speed(1, "wms")
    assert told["eventId"]
    assert "return.credited" in {event["type"] for event in back["order"]["lineage"]["nodes"]}


@pytest.mark.slow
async def test_an_order_is_changed_and_cancelled_with_the_page_alone(whole: Whole):
    name = "change-or-cancel-an-order.md"
    placed = (await run(whole, operations(name)["Submit"]))["order"]
    page = operations(name, id_of_the_order=placed["id"])

    def rests(order: dict[str, Any]) -> bool:
        return order["status"] == "ACCEPTED" and bool(order["shipments"])

    async def fresh(operation: str, key: str) -> dict[str, Any]:
        """Run an operation with the version that the order has by now, however often that changes meanwhile."""
        for turn in itertools.count():
            version = (await eventually(whole, page["Read"], rests))["version"]
            text, given = page[operation]
            asked = {**given["input"], "version": version, "idempotencyKey": f"{key}-{turn}"}
            found = await run(whole, (text, {"input": asked}))
            if [problem["__typename"] for problem in found["problems"]] != ["VersionConflict"]:
                return found
        raise AssertionError("there is always another turn")

    stale = await run(whole, page["Change"])
    assert [problem["__typename"] for problem in stale["problems"]] == ["VersionConflict"]
    assert (await fresh("Change", "changed"))["problems"] == []

    def is_cut(order: dict[str, Any]) -> bool:
        return rests(order) and order["lines"]["nodes"][0]["allocated"] == {"value": "3"}

    cut = await eventually(whole, page["Read"], is_cut)
    assert cut["allowedActions"] == ["CHANGE", "CANCEL"]
    assert (await fresh("Cancel", "cancelled"))["problems"] == []
    story = await eventually(whole, page["Story"], lambda order: order["status"] == "CANCELLED")
    assert {"order.change.accepted", "order.cancelled"} <= {event["type"] for event in story["lineage"]["nodes"]}


async def test_tasks_are_followed_and_resumed(whole: Whole):
    watch = """subscription ($queue: String, $after: ID) { exceptionTaskChanged(queue: $queue, after: $after) {
        eventId task { id state } } }"""
    first = await whole.data('{ order(id: "ord_77") { lineage(first: 1) { nodes { eventId } } } }')
    cursor = first["order"]["lineage"]["nodes"][0]["eventId"]
    claim = operations("work-a-credit-hold.md")["Claim"][0]
    await run(whole, (claim, {"id": "tsk_ord_1193_credit"}))

    def is_claimed(event: Any) -> bool:
        return bool(event["exceptionTaskChanged"]["eventId"].startswith("tsk_ord_1193_credit:claimed"))

    async with following(whole, watch, {"queue": "CREDIT", "after": cursor}) as stream:
        seen = await until(stream, is_claimed)
    ids = [event["exceptionTaskChanged"]["eventId"] for event in seen]
    async with following(whole, watch, {"queue": "CREDIT", "after": ids[0]}) as stream:
        again = await until(stream, is_claimed)
    assert [event["exceptionTaskChanged"]["eventId"] for event in again] == ids[1:]
    assert len(ids) == len(set(ids))


async def strange_message(whole: Whole) -> None:
    """Let the warehouse tell something that nobody knows."""
    body = b'{"id": "wms-strange", "type": "robot.uprising"}'
    timestamp = str(int(time.time()))
    headers = {
        "x-wms-event-id": "wms-strange",
        "x-wms-timestamp": timestamp,
        "x-wms-signature": signature(whole.settings.systems.wms.webhook_secret, timestamp, body),
    }
    assert (await whole.http.post("/webhooks/wms", content=body, headers=headers)).status_code == 202

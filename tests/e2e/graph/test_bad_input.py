"""Every mutation of the schema with bad input: a reason as a value, never an error, and nothing half written.

The table has every mutation; what is tried with one is tried with all that have what it is about.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from crossdock.published import published_supergraph
from gateway.supergraph import parse_supergraph
from tests.support.whole import Whole, in_process

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_numbers = itertools.count(1)

WITHIN_S = 60.0
"""Longest wait for a refusal, on a machine that is busy with others."""

SAID = """problems { __typename ... on Problem { code message path retryable } ... on ValidationFailed { rule }
    ... on IdempotencyConflict { originalProcessId } }"""
LEDGERS = (
    *("ledger_orders", "quotes", "ledger_returns", "onboardings", "onboarding_marks", "reservations"),
    *("reservation_balances", "exception_tasks", "account_merges", "account_merge_claims", "dead_letters"),
)
"""What a request that is refused as a whole must leave as it is; a submission that is rejected is kept as such."""


@dataclass(frozen=True)
class Mutation:
    """A mutation about things that do not exist, and the words in it that may be changed.

    Attributes:
        asked: its arguments; %K is the key.
        other: what makes another request of it, as (word, word).
        unkept: the rules or codes that name what does not exist.
        keeps: tables in which a refused request is kept as refused.
    """

    asked: str
    unkept: frozenset[str]
    other: tuple[str, str] | None = None
    keeps: tuple[str, ...] = ()

    def query(self, name: str, key: str, *changes: tuple[str, str]) -> str:
        """Return the operation with a key and some words changed."""
        text = self.asked.replace("%K", f'idempotencyKey: "{key}"')
        for old, new in changes:
            assert old in text, f"{name} has no {old}"
            text = text.replace(old, new)
        return f"mutation {{ {name}({text}) {{ {SAID} }} }}"


def about(asked: str, *unkept: str, other: tuple[str, str] | None = None, keeps: tuple[str, ...] = ()) -> Mutation:
    return Mutation(asked, frozenset(unkept), other, keeps)


PLACE = '{line1: "1 Way", city: "X", postalCode: "77001", country: "US", region: "TX"}'
PUMPS = 'lines: [{lineNo: 1, sku: "SKU-NONE", quantity: {value: "1", uom: "EA"}}]'
WAIT = "waitMs: 10000"
MUTATIONS: Mapping[str, Mutation] = {
    "onboardingSubmit": about(
        f'input: {{%K, legalName: "New Inc.", billing: {PLACE}, shipTo: [{PLACE}], contactEmail: "p@example.com", '
        f'contactName: "Pia", taxRegistrations: [], currency: "USD", parentAccountId: "acc_none", {WAIT}}}',
        "HIERARCHY_INVALID",
        other=("New Inc.", "Other Inc."),
        keeps=("onboardings",),
    ),
    "onboardingDecide": about(
        'input: {%K, onboardingId: "onb_none", version: 1, approve: true, comment: "c"}',
        "UNKNOWN_ONBOARDING",
        other=("approve: true", "approve: false"),
    ),
    "accountChange": about(
        'input: {%K, accountId: "acc_none", version: 1, ownerId: "usr_none"}',
        *("UNKNOWN_ACCOUNT", "UNKNOWN_OWNER"),
        other=("usr_none", "usr_nobody"),
    ),
    "accountMerge": about(
        'input: {%K, survivorId: "acc_none", duplicateId: "acc_nobody", comment: "c"}',
        "UNKNOWN_ACCOUNT",
        other=('comment: "c"', 'comment: "d"'),
    ),
    "caseOpen": about('input: {%K, accountId: "acc_none", subject: "s", body: "b"}', "UNKNOWN_ACCOUNT"),
    "inventoryReserve": about(
        'input: {%K, accountId: "acc_none", lines: [{sku: "SKU-NONE", quantity: {value: "1", uom: "EA"}}]}',
        *("UNKNOWN_ACCOUNT", "UNKNOWN_SKU"),
    ),
    "inventoryReservationRelease": about('%K, reservationIds: ["rsv_none"]', "UNKNOWN_RESERVATION"),
    "quotePrepare": about(
        f'input: {{%K, accountId: "acc_none", {PUMPS}, {WAIT}}}',
        *("UNKNOWN_ACCOUNT", "UNKNOWN_SKU"),
        other=('value: "1"', 'value: "2"'),
    ),
    "quoteDecide": about(
        '%K, quoteId: "quo_none", version: 1, approve: true, comment: "c"',
        "UNKNOWN_QUOTE",
        other=("approve: true", "approve: false"),
    ),
    "orderSubmit": about(
        f'input: {{%K, accountId: "acc_none", shipToId: "shp_none", channel: MOBILE, {PUMPS}, {WAIT}}}',
        *("UNKNOWN_ACCOUNT", "UNKNOWN_SHIP_TO", "UNKNOWN_SKU"),
        other=('value: "1"', 'value: "2"'),
        keeps=("ledger_orders",),
    ),
    "orderChange": about(
        'input: {%K, orderId: "ord_none", version: 1, lines: [{lineNo: 1, cancel: true}], reason: "r"}',
        "UNKNOWN_ORDER",
    ),
    "orderCancel": about('input: {%K, orderId: "ord_none", version: 1, reason: "r"}', "UNKNOWN_ORDER"),
    "orderHoldRelease": about(
        'input: {%K, orderId: "ord_none", kind: CREDIT, comment: "c"}',
        "UNKNOWN_ORDER",
        other=('comment: "c"', 'comment: "d"'),
    ),
    "returnRequest": about(
        'input: {%K, orderId: "ord_none", lines: [{lineNo: 1, quantity: {value: "1", uom: "EA"}, reason: "DAMAGED"}]}',
        "UNKNOWN_ORDER",
    ),
    "returnDecide": about(
        '%K, returnId: "rma_none", approve: true, comment: "c"',
        "UNKNOWN_RETURN",
    ),
    "exceptionTaskClaim": about('id: "tsk_none"', "UNKNOWN_TASK"),
    "exceptionTaskResolve": about(
        '%K, id: "tsk_none", resolution: "DONE", comment: "c"', "UNKNOWN_TASK", other=("DONE", "RELEASE")
    ),
    "messagesReplay": about(
        'input: {%K, deadLetterIds: ["dl_none"]}', "UNKNOWN_DEAD_LETTER", other=("dl_none", "dl_no")
    ),
    "processRetry": about('%K, processId: "prc_none"', "UNKNOWN_PROCESS", other=("prc_none", "prc_nobody")),
}
KEYED = [name for name, entry in MUTATIONS.items() if "%K" in entry.asked]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    async with in_process(tmp_path_factory.mktemp("bad_input")) as running:
        yield running


def new_key() -> str:
    return f"bad-{next(_numbers)}"


async def problems(whole: Whole, name: str, key: str, *changes: tuple[str, str]) -> list[dict[str, Any]]:
    """Return what is wrong with a request; one whose process takes longer is asked again, as a client would."""
    return await answered(whole, name, MUTATIONS[name].query(name, key, *changes))


async def answered(whole: Whole, name: str, query: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(WITHIN_S):
        while True:
            found: list[dict[str, Any]] = (await whole.data(query))[name]["problems"]
            if found:
                return found
            await asyncio.sleep(0.05)


def says(found: list[dict[str, Any]]) -> set[str]:
    """Return the rules of problems, and the codes of those without."""
    return {problem.get("rule") or problem["code"] for problem in found}


def kept(whole: Whole, *but: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the ledgers."""
    path = whole.settings.database.removeprefix("sqlite+aiosqlite:///")
    connection = sqlite3.connect(f"file:{Path(path)}?mode=ro", uri=True)
    try:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in LEDGERS
            if table not in but
        }
    finally:
        connection.close()


async def test_the_table_has_every_mutation_of_the_schema():
    schema = parse_supergraph(published_supergraph()).api_schema
    assert schema.mutation_type is not None
    assert set(MUTATIONS) == set(schema.mutation_type.fields)


@pytest.mark.parametrize("name", MUTATIONS)
async def test_what_does_not_exist_is_named_and_nothing_is_written(whole: Whole, name: str):
    before = kept(whole, *MUTATIONS[name].keeps)
    found = await problems(whole, name, new_key())
    assert says(found) >= MUTATIONS[name].unkept, found
    assert all(problem["message"] for problem in found)
    assert kept(whole, *MUTATIONS[name].keeps) == before


@pytest.mark.parametrize("key", ["", "   ", "k" * 201], ids=["empty", "blank", "too long"])
@pytest.mark.parametrize("name", KEYED)
async def test_a_key_that_cannot_be_kept_is_refused_before_anything_else(whole: Whole, name: str, key: str):
    before = kept(whole)
    found = await problems(whole, name, key)
    assert "IDEMPOTENCY_KEY" in says(found), found
    assert ["idempotencyKey"] in [problem["path"] for problem in found]
    assert kept(whole) == before


@pytest.mark.parametrize("name", KEYED)
async def test_the_same_request_again_has_the_same_answer_and_writes_nothing(whole: Whole, name: str):
    key = new_key()
    first = await problems(whole, name, key)
    before = kept(whole)
    assert await problems(whole, name, key) == first
    assert kept(whole) == before


@pytest.mark.parametrize("name", [name for name in KEYED if MUTATIONS[name].other is not None])
async def test_the_same_key_for_another_request_is_a_conflict(whole: Whole, name: str):
    key, other = new_key(), MUTATIONS[name].other
    assert other is not None
    await problems(whole, name, key)
    before = kept(whole)
    found = await problems(whole, name, key, other)
    assert [problem["__typename"] for problem in found] == ["IdempotencyConflict"]
    assert found[0]["originalProcessId"]
    assert kept(whole) == before


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_text_that_no_ledger_can_keep_is_refused_before_anything_else(whole: Whole, name: str):
    before = kept(whole)
    query = MUTATIONS[name].query(name, new_key())
    answer = await whole.ask(query.replace('"', '"\\u0000', 1))
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert "U+0000" in answer["errors"][0]["message"]
    assert kept(whole) == before


STALE = {
    "accountChange": ('accountId: "acc_none", version: 1', 'accountId: "acc_3", version: 0'),
    "orderChange": ('orderId: "ord_none", version: 1', 'orderId: "%ORDER", version: 0'),
    "orderCancel": ('orderId: "ord_none", version: 1', 'orderId: "%ORDER", version: 0'),
    "quoteDecide": ('quoteId: "quo_none", version: 1', 'quoteId: "%QUOTE", version: 0'),
}
"""What makes each mutation with a version one about something that is there and has gone on since."""


async def of_status(whole: Whole, root: str, status: str) -> str:
    """Return the id of an order, or of a quote of an account, with a status."""
    if root == "orders":
        found = (await whole.data(f"{{ orders(first: 1, filter: {{status: [{status}]}}) {{ nodes {{ id }} }} }}"))[root]
        return str(found["nodes"][0]["id"])
    query = f"{{ accounts(first: 100) {{ nodes {{ quotes(status: {status}, first: 1) {{ nodes {{ id }} }} }} }} }}"
    accounts = (await whole.data(query))["accounts"]["nodes"]
    return str(next(entry["quotes"]["nodes"][0]["id"] for entry in accounts if entry["quotes"]["nodes"]))


async def quote_below_its_floor(whole: Whole) -> str:
    """Return the id of a quote that waits for approval."""
    line = (
        'lineNo: 1, sku: "PMP-0042", quantity: {value: "240", uom: "EA"}, '
        'requestedUnitPrice: {amount: "1.00", currency: "USD"}'
    )
    asked = f'idempotencyKey: "{new_key()}", accountId: "acc_1", lines: [{{{line}}}]'
    query = f"mutation {{ quotePrepare(input: {{{asked}}}) {{ quote {{ id status }} }} }}"
    quote = (await whole.data(query))["quotePrepare"]["quote"]
    assert quote["status"] == "PENDING_APPROVAL"
    return str(quote["id"])


async def test_every_mutation_with_a_version_is_tried_with_a_stale_one():
    assert set(STALE) | {"onboardingDecide"} == {name for name in MUTATIONS if "version:" in MUTATIONS[name].asked}


@pytest.mark.parametrize("name", STALE)
async def test_a_stale_version_is_a_conflict_that_names_the_current_one(whole: Whole, name: str):
    old, new = STALE[name]
    if "%ORDER" in new:
        new = new.replace("%ORDER", await of_status(whole, "orders", "ACCEPTED"))
    if "%QUOTE" in new:
        new = new.replace("%QUOTE", await quote_below_its_floor(whole))
    changes = [(old, new), *([("usr_none", "usr_2")] if name == "accountChange" else [])]
    query = MUTATIONS[name].query(name, new_key(), *changes)
    conflict = "... on VersionConflict { currentVersion }"
    query = query.replace("... on IdempotencyConflict", f"{conflict} ... on IdempotencyConflict")
    before = kept(whole)
    found = await answered(whole, name, query)
    conflicts = [problem for problem in found if problem["__typename"] == "VersionConflict"]
    assert [problem["currentVersion"] > 0 for problem in conflicts] == [True], found
    assert kept(whole) == before


ENDED = {
    "orderCancel": ("orders", "CANCELLED", 'orderId: "ord_none", version: 1'),
    "orderChange": ("orders", "CANCELLED", 'orderId: "ord_none", version: 1'),
    "orderHoldRelease": ("orders", "COMPLETED", 'orderId: "ord_none"'),
    "returnRequest": ("orders", "CANCELLED", 'orderId: "ord_none"'),
    "quoteDecide": ("quotes", "EXPIRED", 'quoteId: "quo_none", version: 1'),
}
"""Mutations about something that has ended: which, in what state, and the words that name it."""


@pytest.mark.parametrize("name", ENDED)
async def test_what_has_ended_takes_no_decision_any_more(whole: Whole, name: str):
    root, status, named = ENDED[name]
    found = await of_status(whole, root, status)
    kind = {"orders": "order", "quotes": "quote"}[root]
    shown = (await whole.data(f'{{ {kind}(id: "{found}") {{ version }} }}'))[kind]
    changed = named.replace("ord_none", found).replace("quo_none", found)
    changed = changed.replace("version: 1", f"version: {shown['version']}")
    before = kept(whole)
    problems_ = await problems(whole, name, new_key(), (named, changed))
    assert {problem["__typename"] for problem in problems_} <= {
        "NotAllowedInState",
        "ReturnNotAllowed",
        "ValidationFailed",
    }, problems_
    assert kept(whole) == before

"""Lists in parts: the first items, the later ones, and what faults do to each."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor import (
    DeferredResult,
    ExecutionContext,
    ExecutionResult,
    Patch,
    StreamedItems,
    compile_plan,
    run_deferred,
)
from gateway.operation import parse_operation
from gateway.planner import Planner
from tests.support.fake_transport import FakeTransport
from tests.support.graphs import supergraph_of

SUPERGRAPH = supergraph_of(
    orders="""
      type Query { orders: [Order!] drafts: [Order] }
      type Order @key(fields: "id") { id: ID! tags: [String!] parts: [Part!] grid: [[Int]!] }
      type Part @key(fields: "id") { id: ID! size: Int! }
    """,
    tracking="""
      type Order @key(fields: "id") { id: ID! step: String! note: String }
      type Part @key(fields: "id") { id: ID! place: String }
    """,
)
ORDERS = [{"__typename": "Order", "id": str(number)} for number in range(4)]


def answering(**data: Any) -> FakeTransport:
    return FakeTransport(lambda _: {"data": data})


def steps(request: dict[str, Any]) -> dict[str, Any]:
    """Answer the step of each order, which tells its number."""
    return {
        "data": {"_entities": [{"step": f"s{one['id']}"} for one in request["variables"]["representations"]]},
    }


def start(operation: str, **transports: FakeTransport):
    """Return the results of an operation as an async generator."""
    plan = Planner(SUPERGRAPH).plan(parse_operation(SUPERGRAPH, operation, defers=lambda _: True))
    return run_deferred(compile_plan(plan, SUPERGRAPH.api_schema), ExecutionContext(transports))


async def collect(operation: str, **transports: FakeTransport) -> tuple[ExecutionResult, list[Patch | StreamedItems]]:
    first, *parts = [result async for result in start(operation, **transports)]
    assert isinstance(first, ExecutionResult)
    return first, [patch for part in parts if isinstance(part, DeferredResult) for patch in part.patches]


async def test_the_first_items_do_not_wait_for_what_only_the_later_ones_need() -> None:
    held = asyncio.Event()

    class Slow(FakeTransport):
        async def send(self, request):
            if b'"id":"3"' in request.body:
                await held.wait()
            return await super().send(request)

    operation = '{ orders @stream(initialCount: 1, label: "o") { step } }'
    async with aclosing(start(operation, orders=answering(orders=ORDERS), tracking=Slow(steps))) as results:
        first = await anext(results)
        assert isinstance(first, ExecutionResult)
        assert first.to_dict() == {"data": {"orders": [{"step": "s0"}]}}

        held.set()
        part = await anext(results)

        later = [{"step": "s1"}, {"step": "s2"}, {"step": "s3"}]
        assert part == DeferredResult("o", 0, (StreamedItems(("orders",), 1, later),))
        assert [result async for result in results] == []


@pytest.mark.parametrize("found", [None, [], ORDERS[:1], ORDERS[:2]], ids=["null", "empty", "fewer", "as many"])
async def test_a_list_without_later_items_has_one_answer(found: Any) -> None:
    first, patches = await collect("{ orders @stream(initialCount: 2) { id } }", orders=answering(orders=found))

    assert first.data == {"orders": found and [{"id": one["id"]} for one in found]}
    assert patches == []


async def test_lists_of_values_and_of_lists_are_streamed_by_their_outer_items() -> None:
    order = {"__typename": "Order", "id": "0", "tags": ["a", "b", "c"], "grid": [[1], [2, None]]}
    operation = "{ orders { tags @stream(initialCount: 2) grid @stream(initialCount: 1) } }"
    first, patches = await collect(operation, orders=answering(orders=[order]))

    assert first.data == {"orders": [{"tags": ["a", "b"], "grid": [[1]]}]}
    assert patches == [
        StreamedItems(("orders", 0, "tags"), 2, ["c"]),
        StreamedItems(("orders", 0, "grid"), 1, [[2, None]]),
    ]


async def test_a_list_in_later_items_begins_with_them_and_goes_on_after_them() -> None:
    found = [{**one, "tags": ["a", "b"]} for one in ORDERS[:2]]
    operation = "{ orders @stream(initialCount: 1) { tags @stream(initialCount: 1) } }"
    first, patches = await collect(operation, orders=answering(orders=found))

    assert first.data == {"orders": [{"tags": ["a"]}]}
    assert patches == [
        StreamedItems(("orders",), 1, [{"tags": ["a"]}]),
        StreamedItems(("orders", 0, "tags"), 1, ["b"]),
        StreamedItems(("orders", 1, "tags"), 1, ["b"]),
    ]


async def test_a_fragment_in_the_items_is_added_to_first_and_later_ones() -> None:
    operation = "{ orders @stream(initialCount: 1) { id ... @defer { step } } }"
    first, patches = await collect(operation, orders=answering(orders=ORDERS[:2]), tracking=FakeTransport(steps))

    assert first.data == {"orders": [{"id": "0"}]}
    assert patches == [
        StreamedItems(("orders",), 1, [{"id": "1"}]),
        Patch(("orders", 0), {"step": "s0"}),
        Patch(("orders", 1), {"step": "s1"}),
    ]


async def test_a_list_in_a_fragment_begins_with_it() -> None:
    found = [{"__typename": "Order", "id": "0", "tags": ["a", "b"]}]
    operation = "{ orders { id ... @defer { tags @stream(initialCount: 1) } } }"

    def reply(request: dict[str, Any]) -> dict[str, Any]:
        return {"data": {"_entities": found} if "_entities" in request["query"] else {"orders": found}}

    first, patches = await collect(operation, orders=FakeTransport(reply))

    assert first.data == {"orders": [{"id": "0"}]}
    assert patches == [Patch(("orders", 0), {"tags": ["a"]}), StreamedItems(("orders", 0, "tags"), 1, ["b"])]


async def test_a_null_that_reaches_the_list_ends_it_and_leaves_what_is_there() -> None:
    found = [{"parts": [{"id": "0", "size": 1}, {"id": "1", "size": 2}, {"id": "2", "size": None}]}]
    operation = "{ orders { parts @stream(initialCount: 1) { size } } }"
    first, patches = await collect(operation, orders=answering(orders=found))

    (cut,) = patches
    assert isinstance(cut, StreamedItems)
    assert first.to_dict() == {"data": {"orders": [{"parts": [{"size": 1}]}]}}
    assert (cut.items, cut.is_cut) == ([{"size": 2}], True)
    assert [error["path"] for error in cut.errors] == [["orders", 0, "parts", 2, "size"]]


async def test_a_null_in_an_item_that_can_be_null_is_one_item() -> None:
    tracking = FakeTransport(lambda request: {"data": {"_entities": [{"step": None}]}})
    operation = "{ drafts @stream(initialCount: 0) { step } }"
    _, patches = await collect(operation, orders=answering(drafts=ORDERS[:1]), tracking=tracking)

    (items,) = patches
    assert isinstance(items, StreamedItems)
    assert (items.items, items.is_cut) == ([None], False)
    assert [error["path"] for error in items.errors] == [["drafts", 0, "step"]]


async def test_an_error_about_a_later_item_goes_with_the_later_items() -> None:
    fault = {"message": "lost", "path": ["orders", 1, "tags"]}
    reply = {"data": {"orders": [{"tags": ["a"]}, {"tags": None}]}, "errors": [fault]}
    operation = "{ orders @stream(initialCount: 1) { tags } }"
    first, patches = await collect(operation, orders=FakeTransport(lambda _: reply))

    assert first.to_dict() == {"data": {"orders": [{"tags": ["a"]}]}}
    assert [(error["message"], error["path"]) for error in patches[0].errors] == [("lost", ["orders", 1, "tags"])]


async def test_a_subgraph_that_fails_for_the_later_items_costs_these_alone() -> None:
    error = SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "subgraph tracking cannot be reached", subgraph="tracking")
    tracking = FakeTransport(lambda request: steps(request) if '"id": "0"' in str(request).replace("'", '"') else error)
    operation = "{ orders @stream(initialCount: 1) { step } }"
    first, patches = await collect(operation, orders=answering(orders=ORDERS), tracking=tracking)

    (cut,) = patches
    assert isinstance(cut, StreamedItems)
    assert first.to_dict() == {"data": {"orders": [{"step": "s0"}]}}
    assert (cut.items, cut.is_cut) == ([], True)
    assert [one["extensions"]["code"] for one in cut.errors] == ["SUBGRAPH_UNAVAILABLE"]


async def test_nothing_is_added_to_a_list_that_a_null_took_away() -> None:
    tracking = FakeTransport(lambda request: {"data": {"_entities": [{"step": None} for _ in range(3)]}})
    operation = "{ orders @stream(initialCount: 1) { step } }"
    first, patches = await collect(operation, orders=answering(orders=ORDERS), tracking=tracking)

    assert first.data == {"orders": None}
    assert patches == []

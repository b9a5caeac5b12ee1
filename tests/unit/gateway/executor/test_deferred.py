"""Answers in parts: what comes first, what follows, and what faults do to each."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor import DeferredResult, ExecutionContext, ExecutionResult, compile_plan, run_deferred
from gateway.executor.paths import ResponsePath
from gateway.operation import parse_operation
from gateway.planner import Planner
from tests.support.fake_transport import FakeTransport
from tests.support.graphs import supergraph_of

SUPERGRAPH = supergraph_of(
    orders="""
      type Query { orders: [Order!] shop: Shop }
      type Order @key(fields: "id") { id: ID! total: Float }
      type Shop { name: String! open: Boolean! }
    """,
    tracking='type Order @key(fields: "id") { id: ID! step: String! carrier: Carrier } type Carrier { name: String! }',
    billing='type Order @key(fields: "id") { id: ID! paid: Boolean }',
)
ORDERS = {
    "orders": [{"__typename": "Order", "id": "1", "total": 5.0}, {"__typename": "Order", "id": "2", "total": 7.0}]
}
BOTH = '{ orders { total ... @defer(label: "way") { step } ... @defer(label: "money") { paid } } }'


def answering(data: Any, **more: Any) -> FakeTransport:
    return FakeTransport(lambda _: {"data": data, **more})


def start(operation: str, **transports: FakeTransport):
    """Return the results of an operation as an async generator."""
    plan = Planner(SUPERGRAPH).plan(parse_operation(SUPERGRAPH, operation, defers=lambda _: True))
    return run_deferred(compile_plan(plan, SUPERGRAPH.api_schema), ExecutionContext(transports))


async def collect(operation: str, **transports: FakeTransport) -> tuple[ExecutionResult, list[DeferredResult]]:
    first, *parts = [result async for result in start(operation, **transports)]
    assert isinstance(first, ExecutionResult)
    return first, [part for part in parts if isinstance(part, DeferredResult)]


def shown(part: DeferredResult) -> list[tuple[tuple[str | int, ...], Any]]:
    return [(patch.path, patch.data) for patch in part.patches]


async def test_the_first_answer_does_not_wait_for_what_is_deferred() -> None:
    tracking = answering({"_entities": [{"step": "packed"}, {"step": "sent"}]})
    tracking.gate = asyncio.Event()
    operation = '{ orders { total ... @defer(label: "way") { step } } }'
    async with aclosing(start(operation, orders=answering(ORDERS), tracking=tracking)) as results:
        first = await anext(results)
        assert isinstance(first, ExecutionResult)
        assert first.to_dict() == {"data": {"orders": [{"total": 5.0}, {"total": 7.0}]}}

        tracking.gate.set()
        part = await anext(results)

        assert isinstance(part, DeferredResult)
        assert part.label == "way"
        assert shown(part) == [(("orders", 0), {"step": "packed"}), (("orders", 1), {"step": "sent"})]
        assert [result async for result in results] == []


async def test_parts_come_as_they_are_complete() -> None:
    tracking = answering({"_entities": [{"step": "packed"}, {"step": "sent"}]})
    tracking.gate = asyncio.Event()
    billing = answering({"_entities": [{"paid": True}, {"paid": False}]})
    async with aclosing(start(BOTH, orders=answering(ORDERS), tracking=tracking, billing=billing)) as results:
        await anext(results)
        money = await anext(results)
        tracking.gate.set()
        way = await anext(results)

    assert isinstance(money, DeferredResult)
    assert isinstance(way, DeferredResult)
    assert [money.label, way.label] == ["money", "way"]


async def test_a_part_that_is_fetched_with_the_first_answer_follows_it() -> None:
    shop = answering({"shop": {"name": "Dock", "open": True}})
    first, parts = await collect("{ shop { name ... @defer { open } } }", orders=shop)

    assert first.data == {"shop": {"name": "Dock"}}
    assert [shown(part) for part in parts] == [[(("shop",), {"open": True})]]


async def test_a_deferred_object_under_a_shown_field_is_one_patch() -> None:
    tracking = answering({"_entities": [{"carrier": {"name": "A"}}, {"carrier": None}]})
    operation = "{ orders { total ... @defer { carrier { name } } } }"
    _, parts = await collect(operation, orders=answering(ORDERS), tracking=tracking)

    assert shown(parts[0]) == [(("orders", 0), {"carrier": {"name": "A"}}), (("orders", 1), {"carrier": None})]


async def test_a_subgraph_that_is_down_costs_its_part_alone() -> None:
    error = SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "subgraph tracking cannot be reached", subgraph="tracking")
    tracking = FakeTransport(lambda _: error)
    billing = answering({"_entities": [{"paid": True}, {"paid": False}]})
    first, parts = await collect(BOTH, orders=answering(ORDERS), tracking=tracking, billing=billing)

    by_label = {part.label: part for part in parts}
    assert first.errors == []
    assert shown(by_label["money"]) == [(("orders", 0), {"paid": True}), (("orders", 1), {"paid": False})]
    assert shown(by_label["way"]) == [(("orders", 0), None), (("orders", 1), None)]
    errors = [error for patch in by_label["way"].patches for error in patch.errors]
    assert [(one["path"], one["extensions"]["code"]) for one in errors] == [(["orders"], "SUBGRAPH_UNAVAILABLE")]


async def test_an_error_goes_with_the_patch_of_its_object() -> None:
    fault = {"message": "lost", "path": ["_entities", 1, "step"]}
    tracking = answering({"_entities": [{"step": "packed"}, {"step": None}]}, errors=[fault])
    operation = "{ orders { total ... @defer { step } } }"
    _, parts = await collect(operation, orders=answering(ORDERS), tracking=tracking)

    fine, broken = parts[0].patches
    assert (fine.data, fine.errors) == ({"step": "packed"}, [])
    assert broken.data is None
    assert [(error["message"], error["path"]) for error in broken.errors] == [("lost", ["orders", 1, "step"])]


async def test_nothing_is_added_to_what_the_first_answer_does_not_have() -> None:
    first, parts = await collect(
        "{ orders { total ... @defer { step } } }", orders=answering({"orders": None}), tracking=answering({})
    )

    assert first.data == {"orders": None}
    assert parts == []


async def test_an_object_that_a_null_took_away_gets_no_patch() -> None:
    shop = answering({"shop": {"name": None, "open": True}})
    first, parts = await collect("{ shop { name ... @defer { open } } }", orders=shop)

    assert first.data == {"shop": None}
    assert parts == []


async def test_the_inner_part_comes_after_the_outer() -> None:
    tracking = FakeTransport(
        lambda request: {
            "data": {"_entities": [{"step": "s"}] * 2}
            if "step" in request["query"]
            else {"_entities": [{"carrier": {"name": "A"}}] * 2}
        }
    )
    operation = '{ orders { total ...@defer(label: "o") { step ...@defer(label: "i") { carrier { name } } } } }'
    _, parts = await collect(operation, orders=answering(ORDERS), tracking=tracking)

    assert [part.label for part in parts] == ["o", "i"]
    assert shown(parts[1])[0] == (("orders", 0), {"carrier": {"name": "A"}})


async def announced(operation: str, **transports: FakeTransport) -> list[list[tuple[str | None, ResponsePath]]]:
    """Return what each answer announces, as labels and paths."""
    return [[(one.label, one.path) for one in result.pending] async for result in start(operation, **transports)]


def entities(request: dict[str, Any]) -> dict[str, Any]:
    """Answer every order alike."""
    one = {"step": "s", "carrier": {"name": "A"}, "paid": True, "total": 1.0}
    return {"data": {"_entities": [one for _ in request["variables"]["representations"]]}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        pytest.param(
            BOTH,
            [
                [("way", ("orders", 0)), ("way", ("orders", 1)), ("money", ("orders", 0)), ("money", ("orders", 1))],
                [],
                [],
            ],
            id="fragments of the first answer with it",
        ),
        pytest.param(
            '{ orders { total ...@defer(label: "o") { step ...@defer(label: "i") { carrier { name } } } } }',
            [
                [("o", ("orders", 0)), ("o", ("orders", 1))],
                [("i", ("orders", 0)), ("i", ("orders", 1))],
                [],
            ],
            id="a fragment inside another one with that",
        ),
        pytest.param(
            '{ orders { total ...@defer(label: "o") { carrier { name ...@defer(label: "i") { __typename } } } } }',
            [
                [("o", ("orders", 0)), ("o", ("orders", 1))],
                [("i", ("orders", 0, "carrier")), ("i", ("orders", 1, "carrier"))],
                [],
            ],
            id="a fragment on an object that comes later with that",
        ),
        pytest.param(
            '{ orders @stream(initialCount: 1, label: "s") { total ...@defer(label: "o") { step } } }',
            [
                [("s", ("orders",)), ("o", ("orders", 0))],
                [("o", ("orders", 1))],
                [],
            ],
            id="a fragment in items with these items",
        ),
    ],
)
async def test_what_comes_later_is_announced_with_what_it_adds_to(operation: str, expected: Any) -> None:
    others = FakeTransport(entities)
    assert await announced(operation, orders=answering(ORDERS), tracking=others, billing=others) == expected


async def test_nothing_is_announced_that_null_has_taken_away() -> None:
    operation = "{ orders { total ... @defer { step } } }"
    assert await announced(operation, orders=answering({"orders": None}), tracking=answering({})) == [[]]


async def test_closing_the_answer_cancels_what_is_under_way() -> None:
    cancelled = asyncio.Event()

    class Slow(FakeTransport):
        async def send(self, request):
            try:
                return await super().send(request)
            except asyncio.CancelledError:
                cancelled.set()
                raise

    tracking = Slow()
    tracking.gate = asyncio.Event()
    results = start("{ orders { total ... @defer { step } } }", orders=answering(ORDERS), tracking=tracking)
    await anext(results)
    await tracking.started.wait()
    await results.aclose()

    assert cancelled.is_set()


@pytest.mark.parametrize("operation", ["{ orders { total } }", "{ orders { total ... @defer { total } } }"])
async def test_an_operation_without_parts_has_one_answer(operation: str) -> None:
    first, parts = await collect(operation, orders=answering({"orders": [{"total": 5.0}]}))

    assert first.data == {"orders": [{"total": 5.0}]}
    assert parts == []

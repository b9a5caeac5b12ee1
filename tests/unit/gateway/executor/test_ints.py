"""GraphQL's Int has 32 bits: what a subgraph sends beyond them is no value that clients may be given."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.executor import ExecutionContext, compile_plan, run
from gateway.operation import parse_operation
from gateway.planner import Planner
from tests.support.fake_transport import FakeTransport
from tests.support.graphs import supergraph_of

SUPERGRAPH = supergraph_of(s="type Query { one: Int all: [Int] sure: [N!] big: Float } type N { n: Int! }")


async def execute(query: str, data: dict[str, Any]) -> dict[str, Any]:
    plan = Planner(SUPERGRAPH).plan(parse_operation(SUPERGRAPH, query))
    context = ExecutionContext({"s": FakeTransport(lambda _: {"data": data})})
    return (await run(compile_plan(plan, SUPERGRAPH.api_schema), context)).to_dict()


@pytest.mark.parametrize("number", [2**31 - 1, -(2**31), 2**30, -(2**30), 0])
@pytest.mark.parametrize(
    "query", ["{ one all sure { n } big }", "{ big sure { n } all one }"], ids=["passed on", "shaped"]
)
async def test_an_int_may_be_as_far_from_zero_as_32_bits_allow(query, number):
    data = {"one": number, "all": [number, None], "sure": [{"n": number}], "big": 2**40}
    assert await execute(query, data) == {"data": data}


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**63, -(2**53)])
@pytest.mark.parametrize(
    ("query", "given", "data", "path"),
    [
        pytest.param("{ one }", lambda n: {"one": n}, {"one": None}, ["one"], id="a field"),
        pytest.param("{ all }", lambda n: {"all": [1, n]}, {"all": [1, None]}, ["all", 1], id="an item"),
        pytest.param("{ sure { n } }", lambda n: {"sure": [{"n": n}]}, {"sure": None}, ["sure", 0, "n"], id="no null"),
    ],
)
async def test_a_number_that_no_int_is_becomes_null_and_is_told(query, given, data, path, number):
    answer = await execute(query, given(number))
    assert answer["data"] == data
    assert (answer["errors"][0]["path"], answer["errors"][0]["extensions"]) == (path, {"code": "INVALID_RESULT"})

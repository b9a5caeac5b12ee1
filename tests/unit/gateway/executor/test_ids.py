"""GraphQL's ID is a string to clients, also where a subgraph sends a number for it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.executor import ExecutionContext, compile_plan, run
from gateway.operation import parse_operation
from gateway.planner import Planner
from tests.support.fake_transport import FakeTransport
from tests.support.graphs import supergraph_of

SUPERGRAPH = supergraph_of(s="type Query { one: ID all: [ID] sure: [N!] name: String } type N { id: ID! n: Int }")
SCHEMA = SUPERGRAPH.api_schema


async def execute(query: str, data: dict[str, Any]) -> dict[str, Any]:
    plan = Planner(SUPERGRAPH).plan(parse_operation(SUPERGRAPH, query))
    context = ExecutionContext({"s": FakeTransport(lambda _: {"data": data})})
    return (await run(compile_plan(plan, SCHEMA), context)).to_dict()


QUERIES = pytest.mark.parametrize(
    "query", ["{ one all sure { id n } name }", "{ name sure { n id } all one }"], ids=["passed on", "shaped"]
)


@QUERIES
@pytest.mark.parametrize("number", [0, 7, -7, 2**31, 2**53, 2**63])
async def test_a_whole_number_becomes_a_string(query, number):
    given = {"one": number, "all": [number, "a", None], "sure": [{"id": number, "n": 7}], "name": "x"}
    text = str(number)
    told = {"one": text, "all": [text, "a", None], "sure": [{"id": text, "n": 7}], "name": "x"}
    assert await execute(query, given) == {"data": told}


@QUERIES
async def test_a_string_stays_as_it_is(query):
    given = {"one": "1", "all": ["01", None], "sure": [{"id": "", "n": 1}], "name": "x"}
    assert await execute(query, given) == {"data": given}


@pytest.mark.parametrize("value", [1.5, 1.0, True, {"id": 1}, ["1"]], ids=str)
async def test_what_is_neither_string_nor_whole_number_becomes_null_and_is_told(value):
    answer = await execute("{ one all }", {"one": value, "all": ["1", value]})
    assert answer["data"] == {"one": None, "all": ["1", None]}
    told = [(error["path"], error["extensions"]) for error in answer["errors"]]
    assert told == [(["one"], {"code": "INVALID_RESULT"}), (["all", 1], {"code": "INVALID_RESULT"})]


async def test_answers_with_numbers_with_strings_and_with_faults_follow_one_another():
    plan = compile_plan(Planner(SUPERGRAPH).plan(parse_operation(SUPERGRAPH, "{ name sure { id } one }")), SCHEMA)
    found = []
    for one in (1, "a", {}, "b", 2.5, 3):
        answer = {"data": {"sure": [{"id": one}], "name": "x", "one": one}}
        result = await run(plan, ExecutionContext({"s": FakeTransport(lambda _, answer=answer: answer)}))
        found.append((result.data["one"], len(result.errors)))
    assert found == [("1", 0), ("a", 0), (None, 2), ("b", 0), (None, 2), ("3", 0)]

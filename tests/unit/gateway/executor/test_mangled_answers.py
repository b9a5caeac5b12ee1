"""Subgraphs that answer anything: the gateway's answer keeps its types, says what is wrong, and is never a defect."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import orjson
from graphql import parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.executor import ExecutionContext, compile_plan, run
from gateway.executor.shape import SchemaTypes, fits, parse_type
from gateway.operation import parse_operation
from gateway.plan.nodes import OutputField
from gateway.planner import Planner
from gateway.transport.base import SubgraphRequest, SubgraphResponse
from tests.support.random_graphs import RandomGraph, RandomOperation
from tests.support.worlds import SubgraphServer, World, compose_world

ODDITIES: list[Any] = [None, 0, -1, 1.5, "", "x", True, [], {}, [None], [[]], {"__typename": "Nobody"}, {"id": []}]


class MangledServer(SubgraphServer):
    """Changes one place of most answers: another value, a missing key, a longer or shorter list, cut text."""

    def __init__(self, world: World, name: str, sdl: str, random: Random) -> None:
        super().__init__(world, name, sdl)
        self._random = random

    async def send(self, request: SubgraphRequest) -> SubgraphResponse:
        try:
            answer = await super().send(request)
        except (AssertionError, LookupError, TypeError, ValueError):  # it was sent what another subgraph mangled
            return SubgraphResponse(400, "application/json", b'{"errors":[{"message":"bad request"}]}')
        kind = self._random.randrange(8)
        if kind == 0:
            return SubgraphResponse(200, "application/json", answer.body[: self._random.randrange(len(answer.body))])
        if kind == 1:
            return SubgraphResponse(self._random.choice([204, 302, 404, 500]), "text/plain", answer.body)
        value = orjson.loads(answer.body)
        if kind < 7:
            self._mangle(value)
        return SubgraphResponse(200, "application/json", json.dumps(value).encode())

    def _mangle(self, value: Any) -> None:
        while isinstance(value, dict | list) and value:
            key = self._random.choice(list(value)) if isinstance(value, dict) else self._random.randrange(len(value))
            if isinstance(value[key], dict | list) and value[key] and self._random.randrange(4):
                value = value[key]
                continue
            if self._random.randrange(3):
                value[key] = self._random.choice(ODDITIES)
            elif isinstance(value, list) and self._random.randrange(2):
                value.append(value[key])
            else:
                del value[key]
            return


@settings(derandomize=True, database=None, deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(graph=st.integers(0, 2**32 - 1), seed=st.integers(0, 2**32 - 1))
async def test_whatever_subgraphs_answer_the_result_has_its_types(graph: int, seed: int) -> None:
    subgraphs = RandomGraph(Random(graph)).subgraphs()
    _, world = compose_world(subgraphs)
    assert world is not None
    random = Random(seed)
    schema = world.supergraph.api_schema
    text = RandomOperation(random, schema).text()
    assume(not validate(schema, parse(text)))
    plan = Planner(world.supergraph).plan(parse_operation(world.supergraph, text))
    servers = {name: MangledServer(world, name, sdl, random) for name, sdl in subgraphs.items()}

    result = await run(compile_plan(plan, schema), ExecutionContext(servers, {}, {"flag": True}))

    types = SchemaTypes(schema)
    if result.data is not None:
        _check_fields(plan.output, result.data, types)
    for error in result.errors:
        assert error["message"]
        assert error["extensions"]["code"]
        assert isinstance(error["path"], list)
    orjson.dumps(result.to_dict())


def _check_fields(fields: tuple[OutputField, ...], value: dict[str, Any], types: SchemaTypes) -> None:
    for field in fields:
        if field.on is None and not field.guards:
            assert field.key in value
        if field.key in value and field.on is None:
            name, wrappers = parse_type(field.type)
            _check(name, wrappers, field, value[field.key], types)


def _check(name: str, wrappers: str, field: OutputField, value: Any, types: SchemaTypes) -> None:
    if wrappers.startswith("!"):
        assert value is not None
        _check(name, wrappers[1:], field, value, types)
    elif value is None:
        return
    elif wrappers:
        assert isinstance(value, list)
        for item in value:
            _check(name, wrappers[1:], field, item, types)
    elif types.is_composite(name):
        assert isinstance(value, dict)
        _check_fields(field.fields, value, types)
    else:
        assert fits(types.leaf(name), value)

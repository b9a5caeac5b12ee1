"""Random graphs and operations: what a federated graph answers, a single schema over the same data answers too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from random import Random

import pytest
from graphql import GraphQLSchema, parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.composition import SubgraphSource, compose
from gateway.operation import parse_operation
from gateway.operation.document import Operation, SelectedField
from gateway.plan import check_plan, from_json, to_json
from gateway.planner import Planner
from tests.support.random_graphs import RandomGraph, RandomOperation
from tests.support.worlds import LINK, Monolith, World, ask, ask_in_parts, compose_world, joined

STABLE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
"""The same examples in every run: what is found on one machine is found on all, and nothing fails for being slow."""

seeds = st.integers(0, 2**32 - 1)


def subgraphs_of(seed: int) -> dict[str, str]:
    return RandomGraph(Random(seed)).subgraphs()


def world_of(subgraphs: dict[str, str]) -> World:
    composition, world = compose_world(subgraphs)
    assert world is not None, composition.errors
    return world


def operation_of(seed: int, schema: GraphQLSchema) -> str:
    """Return a valid operation; two fields of one response key that cannot be merged make a random one invalid."""
    operation = RandomOperation(Random(seed), schema).text()
    assume(not validate(schema, parse(operation)))
    return operation


async def answers_agree(graph_seed: int, operation_seed: int, *, flag: bool) -> None:
    subgraphs = subgraphs_of(graph_seed)
    world = world_of(subgraphs)
    monolith = Monolith(world)
    operation = operation_of(operation_seed, monolith.schema)
    variables = {"flag": flag} if "$flag" in operation else None

    answer, _ = await ask(world, subgraphs, operation, variables)

    assert answer == {"data": monolith.execute(operation, variables)}, operation


@settings(STABLE, max_examples=40)
@given(graph=seeds, operation=seeds, flag=st.booleans())
async def test_a_federated_graph_answers_like_one_schema(graph: int, operation: int, flag: bool) -> None:
    await answers_agree(graph, operation, flag=flag)


@pytest.mark.slow
@settings(STABLE, max_examples=600)
@given(graph=seeds, operation=seeds, flag=st.booleans())
async def test_many_federated_graphs_answer_like_one_schema(graph: int, operation: int, flag: bool) -> None:
    await answers_agree(graph, operation, flag=flag)


async def parts_agree(graph_seed: int, operation_seed: int, *, flag: bool, streams: bool = False) -> None:
    subgraphs = subgraphs_of(graph_seed)
    world = world_of(subgraphs)
    monolith = Monolith(world)
    operation = RandomOperation(Random(operation_seed), monolith.schema, defers=True, streams=streams).text()
    whole = re.sub(r"@defer|@stream\(.*?\)", "", operation)
    assume(not validate(monolith.schema, parse(whole)))
    assume(not streams or not validate(world.supergraph.operation_schema, parse(operation)))
    variables = {"flag": flag} if "$flag" in operation else None

    results = await ask_in_parts(world, subgraphs, operation, variables)

    assert joined(results) == monolith.execute(whole, variables), operation


@settings(STABLE, max_examples=40)
@given(graph=seeds, operation=seeds, flag=st.booleans())
async def test_an_answer_in_parts_is_in_all_that_of_one_schema(graph: int, operation: int, flag: bool) -> None:
    await parts_agree(graph, operation, flag=flag)


@pytest.mark.slow
@settings(STABLE, max_examples=400)
@given(graph=seeds, operation=seeds, flag=st.booleans())
async def test_many_answers_in_parts_are_in_all_those_of_one_schema(graph: int, operation: int, flag: bool) -> None:
    await parts_agree(graph, operation, flag=flag)


@settings(STABLE, max_examples=40)
@given(graph=seeds, operation=seeds, flag=st.booleans())
async def test_an_answer_with_streamed_lists_is_in_all_that_of_one_schema(
    graph: int, operation: int, flag: bool
) -> None:
    await parts_agree(graph, operation, flag=flag, streams=True)


@pytest.mark.slow
@settings(STABLE, max_examples=400)
@given(graph=seeds, operation=seeds, flag=st.booleans())
async def test_many_answers_with_streamed_lists_are_in_all_those_of_one_schema(
    graph: int, operation: int, flag: bool
) -> None:
    await parts_agree(graph, operation, flag=flag, streams=True)


@settings(STABLE, max_examples=25)
@given(graph=seeds, order=st.randoms(use_true_random=False))
def test_composition_does_not_depend_on_the_order_of_subgraphs(graph: int, order: Random) -> None:
    sources = [SubgraphSource(name, f"http://{name}.example", LINK + sdl) for name, sdl in subgraphs_of(graph).items()]
    shuffled = sources[:]
    order.shuffle(shuffled)

    assert compose(shuffled) == compose(sources)


@settings(STABLE, max_examples=40)
@given(graph=seeds, operation=seeds, labels=st.booleans())
def test_plans_are_sound_deterministic_and_survive_being_written(graph: int, operation: int, labels: bool) -> None:
    supergraph = world_of(subgraphs_of(graph)).supergraph
    active = frozenset({"percent(0)"}) if labels else frozenset()
    text = operation_of(operation, supergraph.api_schema)

    plan = Planner(supergraph).plan(parse_operation(supergraph, text), override_labels=active)

    check_plan(plan)
    assert Planner(supergraph).plan(parse_operation(supergraph, text), override_labels=active) == plan
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


@settings(STABLE, max_examples=40)
@given(graph=seeds, operation=seeds)
def test_a_normalised_operation_is_normal(graph: int, operation: int) -> None:
    supergraph = world_of(subgraphs_of(graph)).supergraph
    once = parse_operation(supergraph, operation_of(operation, supergraph.api_schema))

    again = parse_operation(supergraph, _written(once))

    assert _tree(again.fields) == _tree(once.fields)


def _written(operation: Operation) -> str:
    variables = ",".join(f"${node.variable.name.value}: Boolean!" for node in operation.variable_definitions)
    head = f"query({variables})" if variables else "query"
    return f"{head} {{ {_selection(operation.fields, frozenset())} }}"


def _selection(fields: Iterable[SelectedField], held: frozenset[object]) -> str:
    """Write fields once for each type and each alternative of their guards; ``held`` guards are written further out."""
    parts: list[str] = []
    for field in fields:
        for alternative in map(frozenset, field.guards or ((),)):
            if not held <= alternative and field.guards:
                continue
            own = sorted(alternative - held, key=str)
            directives = "".join(f" @{'include' if guard.expected else 'skip'}(if: ${guard.variable})" for guard in own)
            arguments = f"({field.arguments_text})" if field.arguments_text else ""
            text = f"{field.key}: {field.name}{arguments}{directives}"
            if field.target is not None:
                text += f" {{ {_selection(field.fields, _held(field, alternative))} }}"
            parts += [f"... on {name} {{ {text} }}" for name in sorted(field.on)]
    return " ".join(parts)


def _held(field: SelectedField, alternative: frozenset[object]) -> frozenset[object]:
    """Return the guards that the fields below repeat: those of an alternative, where a field has several."""
    return alternative if len(field.guards) > 1 else frozenset()


def _tree(fields: Iterable[SelectedField]) -> list[object]:
    """Return what is selected for each object type; how types are grouped does not matter."""
    return sorted(
        (
            [name, one.key, one.name, one.arguments_text, sorted(map(str, one.guards)), below]
            for one in fields
            for below in [_tree(one.fields)]
            for name in one.on
        ),
        key=str,
    )

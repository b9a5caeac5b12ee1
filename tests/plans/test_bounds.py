"""Planning stays polynomial where choices multiply: the number of placements, not the clock, is what is checked."""

from __future__ import annotations

import pytest

from gateway.errors import ErrorCode, RequestError
from gateway.operation import parse_operation
from tests.support.graphs import plan_of, supergraph_of


@pytest.mark.parametrize("length", [5, 20])
def test_a_chain_of_keys_needs_one_fetch_per_link(length: int) -> None:
    links = {
        f"s{number:02}": f'type T @key(fields: "k{number}") @key(fields: "k{number + 1}") '
        f"{{ k{number}: ID! k{number + 1}: ID! }}"
        for number in range(length)
    }
    links["s00"] += " type Query { t: T }"
    graph = supergraph_of(**links)

    assert len(plan_of(graph, f"{{ t {{ k{length} }} }}").fetches) == length


def test_shareable_choices_do_not_multiply() -> None:
    fields = " ".join(f"f{number}: Int" for number in range(40))
    graph = supergraph_of(
        a='type Query { t: T } type T @key(fields: "id") { id: ID! }',
        **dict.fromkeys(("b", "c", "d", "e"), f'type T @key(fields: "id") @shareable {{ id: ID! {fields} }}'),
    )
    plan = plan_of(graph, "{ t { " + " ".join(f"f{number}" for number in range(40)) + " } }")

    assert len(plan.fetches) == 2


def test_a_chain_of_requirements_is_planned_once_per_link() -> None:
    length = 25
    links = {
        f"s{number:02}": f'type T @key(fields: "id") {{ id: ID! f{number}: Int @external '
        f'f{number + 1}: Int @requires(fields: "f{number}") }}'
        for number in range(length)
    }
    graph = supergraph_of(z='type Query { t: T } type T @key(fields: "id") { id: ID! f0: Int }', **links)

    assert len(plan_of(graph, f"{{ t {{ f{length} }} }}").fetches) == length + 1


def test_fragments_that_unfold_without_end_are_refused() -> None:
    graph = supergraph_of(a="type Query { t: T } type T { t: T x: Int }")
    bomb = "{ t { ...F0 } } " + " ".join(
        f"fragment F{n} on T {{ a: t {{ ...F{n + 1} }} b: t {{ ...F{n + 1} }} }}" for n in range(20)
    )
    with pytest.raises(RequestError) as caught:
        parse_operation(graph, bomb + " fragment F20 on T { x }")

    assert caught.value.code is ErrorCode.LIMIT_EXCEEDED

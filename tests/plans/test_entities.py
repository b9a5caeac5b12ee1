"""Plans across subgraphs: keys, requirements, provisions, conditions; every plan is checked for soundness."""

from __future__ import annotations

import pytest

from gateway.errors import ErrorCode, PlanningError
from tests.support.graphs import plan_of, printed, shape_of, supergraph_of

SHOP = supergraph_of(
    catalog="""
        type Query { item(sku: ID!): Item items: [Item!]! }
        type Item @key(fields: "sku") { sku: ID! name: String! weight: Float }
    """,
    stock="""
        type Item @key(fields: "sku") {
          sku: ID! weight: Float @external available: Int! freight: Float @requires(fields: "weight")
        }
    """,
    sales="""
        type Query { top: [Item!]! }
        type Item @key(fields: "sku") { sku: ID! sold: Int! }
        type Mutation { sell(sku: ID!): Item }
        type Subscription { sold: Item }
    """,
)


def test_fields_of_one_subgraph_take_one_fetch() -> None:
    assert shape_of(plan_of(SHOP, "{ items { sku name } }")) == ["catalog after []: {items{sku name}}"]


def test_a_field_of_another_subgraph_waits_for_the_key() -> None:
    assert printed(plan_of(SHOP, "{ items { name available } }")) == (
        """QueryPlan {
  Sequence {
    Fetch(service: "catalog") {
      {
        items {
          __typename
          name
          sku
        }
      }
    },
    Flatten(path: "items.@") {
      Fetch(service: "stock") {
        {
          ... on Item {
            __typename
            sku
          }
        } =>
        query ($representations: [_Any!]!) {
          _entities(representations: $representations) {
            ... on Item {
              available
            }
          }
        }
      },
    },
  },
}"""
    )


def test_fetches_that_do_not_need_each_other_wait_for_the_same_one() -> None:
    assert [fetch.after for fetch in plan_of(SHOP, "{ items { available sold } }").fetches] == [(), (0,), (0,)]


def test_requires_fetch_waits_for_the_required_field() -> None:
    plan = plan_of(SHOP, "{ top { freight } }")

    assert shape_of(plan) == [
        "sales after []: {top{__typename sku}}",
        (
            "catalog after [0]: query($representations:[_Any!]!){_entities(representations:$representations)"
            "{...on Item{weight}}}"
        ),
        (
            "stock after [0, 1]: query($representations:[_Any!]!){_entities(representations:$representations)"
            "{...on Item{freight}}}"
        ),
    ]
    sent = plan.fetches[2].calls[0].targets[0].representations[0].selections
    assert [field.name for field in sent] == ["sku", "weight"]  # type: ignore[union-attr]


def test_entity_calls_of_one_stage_to_one_subgraph_are_one_request() -> None:
    plan = plan_of(SHOP, "{ items { available } top { available } }")

    assert [fetch.subgraph for fetch in plan.fetches] == ["catalog", "sales", "stock"]
    assert len(plan.fetches[2].calls) == 1
    assert len(plan.fetches[2].calls[0].targets) == 2


def test_calls_that_select_different_fields_get_aliases() -> None:
    document = plan_of(SHOP, "{ items { available } top { freight available } }").fetches

    joined = [fetch for fetch in document if len(fetch.calls) > 1]
    assert all("_e0:_entities" in fetch.document and "_e1:_entities" in fetch.document for fetch in joined)


def test_a_key_field_that_the_client_aliased_is_fetched_under_its_own_name_too() -> None:
    plan = plan_of(SHOP, "{ items { sku: name available } }")

    assert plan.fetches[0].document == "{items{__typename sku:name _1_sku:sku}}"
    sent = plan.fetches[1].calls[0].targets[0].representations[0].selections[0]
    assert (sent.name, sent.source) == ("sku", "_1_sku")  # type: ignore[union-attr]


def test_a_condition_goes_around_the_whole_fetch() -> None:
    plan = plan_of(SHOP, "query($more: Boolean!) { items { name available @include(if: $more) } }")

    assert [guard.variable for guard in plan.fetches[1].guards] == ["more"]
    assert "@include" not in plan.fetches[1].document


def test_a_condition_on_one_of_several_fields_stays_inside() -> None:
    plan = plan_of(SHOP, "query($more: Boolean!) { items { name @skip(if: $more) sku } }")

    assert plan.fetches[0].document == "query($more:Boolean!){items{name@skip(if:$more) sku}}"


@pytest.mark.parametrize("condition", ["@include(if: false)", "@skip(if: true)"])
def test_constant_conditions_are_folded(condition: str) -> None:
    assert len(plan_of(SHOP, f"{{ items {{ name available {condition} }} }}").fetches) == 1


def test_mutation_fields_run_one_after_another_with_their_entity_fetches() -> None:
    plan = plan_of(SHOP, 'mutation { one: sell(sku: "1") { available } two: sell(sku: "2") { sold } }')

    assert [(fetch.subgraph, fetch.kind, fetch.after) for fetch in plan.fetches] == [
        ("sales", "mutation", ()),
        ("stock", "query", (0,)),
        ("sales", "mutation", (1,)),
    ]


def test_events_of_a_subscription_are_completed() -> None:
    plan = plan_of(SHOP, "subscription { sold { name sold } }")

    assert [(fetch.subgraph, fetch.kind) for fetch in plan.fetches] == [("sales", "subscription"), ("catalog", "query")]
    assert "Subscription {" in printed(plan)


def test_a_provided_field_saves_the_hop() -> None:
    graph = supergraph_of(
        a='type Query { t: T @provides(fields: "x") u: T } type T @key(fields: "id") { id: ID! x: Int @external }',
        b='type T @key(fields: "id") { id: ID! x: Int }',
    )

    assert len(plan_of(graph, "{ t { x } }").fetches) == 1
    assert len(plan_of(graph, "{ u { x } }").fetches) == 2


def test_a_chain_of_keys_is_walked_in_the_fewest_hops() -> None:
    graph = supergraph_of(
        a='type Query { t: T } type T @key(fields: "a") { a: ID! }',
        b='type T @key(fields: "a") @key(fields: "b") { a: ID! b: ID! }',
        c='type T @key(fields: "b") { b: ID! x: Int }',
    )

    assert [fetch.subgraph for fetch in plan_of(graph, "{ t { x } }").fetches] == ["a", "b", "c"]


def test_a_shareable_field_is_taken_where_its_children_are() -> None:
    graph = supergraph_of(
        a='type Query { t: T @shareable } type T @key(fields: "id") { id: ID! }',
        b='type Query { t: T @shareable } type T @key(fields: "id") { id: ID! x: Int }',
    )

    assert shape_of(plan_of(graph, "{ t { id x } }")) == ["b after []: {t{id x}}"]


def test_value_types_without_keys_are_asked_for_again_in_the_other_subgraph() -> None:
    graph = supergraph_of(
        a="type Query { t: T @shareable } type T @shareable { x: Int }",
        b="type Query { t: T @shareable } type T @shareable { x: Int y: Int }",
        c="type Query { t: T @shareable } type T @shareable { x: Int z: Int }",
    )
    plan = plan_of(graph, "{ t { y z } }")

    assert sorted(fetch.subgraph for fetch in plan.fetches) == ["b", "c"]
    assert all(fetch.after == () for fetch in plan.fetches)


def test_an_interface_object_is_entered_without_knowing_the_type() -> None:
    graph = supergraph_of(
        a="""
            type Query { things: [Thing!]! }
            interface Thing @key(fields: "id") { id: ID! }
            type One implements Thing @key(fields: "id") { id: ID! }
            type Two implements Thing @key(fields: "id") { id: ID! }
        """,
        b='type Thing @interfaceObject @key(fields: "id") { id: ID! rating: Int } type Query { best: Thing }',
    )
    plan = plan_of(graph, "{ things { rating } }")
    assert plan.fetches[1].calls[0].targets[0].representations[0].typename == "Thing"

    typed = plan_of(graph, "{ best { __typename rating } }")
    assert [fetch.subgraph for fetch in typed.fetches] == ["b", "a"]


@pytest.mark.parametrize(("labels", "subgraph"), [((), "a"), (("new",), "b")], ids=["label off", "label on"])
def test_a_progressive_override_follows_its_label(labels: tuple[str, ...], subgraph: str) -> None:
    graph = supergraph_of(
        a="type Query { x: Int }",
        b='type Query { x: Int @override(from: "a", label: "new") y: Int }',
    )

    assert [fetch.subgraph for fetch in plan_of(graph, "{ x }", *labels).fetches] == [subgraph]


def test_implementations_that_are_asked_for_the_same_share_one_selection() -> None:
    graph = supergraph_of(
        a="""
            type Query { nodes: [Node!]! }
            interface Node { id: ID! }
            type A implements Node @key(fields: "id") { id: ID! }
            type B implements Node @key(fields: "id") { id: ID! }
        """,
        b='type A @key(fields: "id") { id: ID! x: Int } type B @key(fields: "id") { id: ID! x: Int }',
    )
    plan = plan_of(graph, "{ nodes { id ... on A { x } ... on B { x } } }")

    assert [fetch.subgraph for fetch in plan.fetches] == ["a", "b"]
    assert plan.fetches[0].document == "{nodes{__typename id}}"


def test_introspection_needs_no_fetch() -> None:
    plan = plan_of(SHOP, "{ __schema { queryType { name } } __typename }")

    assert plan.fetches == ()
    assert plan.introspection == "{__schema {\n  queryType {\n    name\n  }\n}}"


def test_the_same_operation_gives_the_same_plan() -> None:
    text = "{ items { available freight sold } top { name } }"
    assert plan_of(SHOP, text) == plan_of(SHOP, text)


def test_a_field_that_no_key_leads_to_is_refused_with_its_coordinate() -> None:
    from gateway.operation import parse_operation  # noqa: PLC0415 - the graph below is no composer's
    from gateway.planner import Planner  # noqa: PLC0415
    from gateway.supergraph import parse_supergraph  # noqa: PLC0415

    sdl = """
        enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b", url: "") }
        type Query @join__type(graph: A) { t: T }
        type T @join__type(graph: A) @join__type(graph: B) { x: Int @join__field(graph: B) }
    """
    graph = parse_supergraph(sdl)
    with pytest.raises(PlanningError) as caught:
        Planner(graph).plan(parse_operation(graph, "{ t { x } }"))

    assert caught.value.code is ErrorCode.NO_PATH
    assert "T.x" in caught.value.message


def test_fields_that_require_each_other_are_refused_by_name_and_their_neighbour_is_planned() -> None:
    """Composition refuses such a graph (``SATISFIABILITY_ERROR``); another composer may not."""
    from gateway.operation import parse_operation  # noqa: PLC0415 - the graph below is no composer's
    from gateway.planner import Planner  # noqa: PLC0415
    from gateway.supergraph import parse_supergraph  # noqa: PLC0415

    sdl = """
        enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b", url: "") }
        type Query @join__type(graph: A) { t: T }
        type T @join__type(graph: A, key: "x") @join__type(graph: B, key: "id") {
          id: ID!
          x: Int @join__field(graph: A, external: true) @join__field(graph: B, requires: "y")
          y: Int @join__field(graph: A, requires: "z") @join__field(graph: B, external: true)
          z: Int @join__field(graph: A)
        }
    """
    graph = parse_supergraph(sdl)
    with pytest.raises(PlanningError, match=r"T\.x -> T\.x require each other") as caught:
        Planner(graph).plan(parse_operation(graph, "{ t { x } }"))

    assert caught.value.code is ErrorCode.REQUIREMENT_CYCLE
    assert len(Planner(graph).plan(parse_operation(graph, "{ t { z } }")).fetches) == 1


def test_an_operation_that_takes_too_long_to_plan_is_refused_and_a_smaller_one_is_not(monkeypatch) -> None:
    monkeypatch.setattr("gateway.planner.choose.place.MAX_PLACEMENTS", 4)
    with pytest.raises(PlanningError, match="select fewer fields") as caught:
        plan_of(SHOP, "{ items { name weight available } }")

    assert caught.value.code is ErrorCode.PLAN_BUDGET_EXCEEDED
    assert len(plan_of(SHOP, "{ items { name } }").fetches) == 1

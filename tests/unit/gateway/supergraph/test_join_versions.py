"""Supergraphs of other composers: each join version says the same in its own way and is planned the same."""

from __future__ import annotations

import pytest

from gateway.operation import parse_operation
from gateway.plan import check_plan
from gateway.planner import Planner
from gateway.supergraph import parse_supergraph

GRAPHS = """
enum join__Graph {
  ORDERS @join__graph(name: "orders", url: "http://orders.example")
  FREIGHT @join__graph(name: "freight", url: "http://freight.example")
}
scalar join__FieldSet
"""


def linked(version: str, more: str = "") -> str:
    return (
        'schema @link(url: "https://specs.apollo.dev/link/v1.0") '
        f'@link(url: "https://specs.apollo.dev/join/{version}", for: EXECUTION) {more} {{ query: Query }}\n'
    )


V0_1 = (
    'schema @core(feature: "https://specs.apollo.dev/core/v0.1") '
    '@core(feature: "https://specs.apollo.dev/join/v0.1") { query: Query }\n'
    + GRAPHS
    + """
type Query {
  orders: [Order!]! @join__field(graph: ORDERS)
  late: [Order!]! @join__field(graph: FREIGHT)
  any: Thing @join__field(graph: ORDERS)
}
interface Named { name: String }
union Thing = Order | Box
type Box implements Named { name: String size: Size }
type Size { width: Float }
type Order @join__owner(graph: ORDERS) @join__type(graph: ORDERS, key: "id") @join__type(graph: FREIGHT, key: "id") {
  id: ID!
  weight: Float @join__field(graph: ORDERS)
  freight: Float @join__field(graph: FREIGHT, requires: "weight")
}
"""
)
JOINED = """
type Query @join__type(graph: ORDERS) @join__type(graph: FREIGHT) {
  orders: [Order!]! @join__field(graph: ORDERS)
  late: [Order!]! @join__field(graph: FREIGHT)
  any: Thing @join__field(graph: ORDERS)
}
interface Named @join__type(graph: ORDERS) { name: String }
union Thing @join__type(graph: ORDERS) MEMBERS = Order | Box
type Box implements Named @join__implements(graph: ORDERS, interface: "Named") @join__type(graph: ORDERS) {
  name: String
  size: Size
}
type Size @join__type(graph: ORDERS) { width: Float }
type Order @join__type(graph: ORDERS, key: "id") @join__type(graph: FREIGHT, key: "id") {
  id: ID!
  weight: Float @join__field(graph: ORDERS) @join__field(graph: FREIGHT, external: true)
  freight: Float @join__field(graph: FREIGHT, requires: "weight")
}
"""
MEMBERS = '@join__unionMember(graph: ORDERS, member: "Order") @join__unionMember(graph: ORDERS, member: "Box")'
DOCUMENTS = {
    "v0.1": V0_1,
    "v0.2": linked("v0.2") + GRAPHS + JOINED.replace("MEMBERS", ""),
    "v0.3": linked("v0.3") + GRAPHS + JOINED.replace("MEMBERS", MEMBERS),
    "v0.4": linked("v0.4") + GRAPHS + JOINED.replace("MEMBERS", MEMBERS),
    "v0.5": linked("v0.5") + GRAPHS + JOINED.replace("MEMBERS", MEMBERS),
}
ENTITIES = "query($representations:[_Any!]!){_entities(representations:$representations){...on Order{%s}}}"
PLANS = {
    "{ orders { id freight } }": [
        ("orders", "{orders{__typename id weight}}"),
        ("freight", ENTITIES % "freight"),
    ],
    "{ late { id weight } }": [("freight", "{late{__typename id}}"), ("orders", ENTITIES % "weight")],
    "{ any { ... on Box { name size { width } } ... on Order { id } } }": [
        ("orders", "{any{__typename...on Box{name size{width}}...on Order{id}}}")
    ],
}


@pytest.mark.parametrize("operation", PLANS)
@pytest.mark.parametrize("version", DOCUMENTS)
def test_every_version_is_planned_the_same(version: str, operation: str) -> None:
    supergraph = parse_supergraph(DOCUMENTS[version])

    plan = Planner(supergraph).plan(parse_operation(supergraph, operation))

    check_plan(plan)
    assert [(fetch.subgraph, fetch.document) for fetch in plan.fetches] == PLANS[operation]


def test_labels_of_overrides_are_read_since_v0_4() -> None:
    field = (
        'price: Int @join__field(graph: FREIGHT, override: "orders", overrideLabel: "percent(5)") '
        "@join__field(graph: ORDERS, usedOverridden: false)"
    )
    supergraph = parse_supergraph(DOCUMENTS["v0.4"].replace("weight: Float @", f"{field} weight: Float @"))
    joins = supergraph.types["Order"].fields["price"].joins

    assert (joins["freight"].override, joins["freight"].override_label) == ("orders", "percent(5)")
    assert not joins["orders"].used_overridden


def test_arguments_from_contexts_are_read_since_v0_5() -> None:
    field = (
        "fee: Int @join__field(graph: ORDERS, contextArguments: "
        '[{context: "orders__buyer", name: "level", type: "Int", selection: " { level }"}])'
    )
    supergraph = parse_supergraph(DOCUMENTS["v0.5"].replace("weight: Float @", f"{field} weight: Float @"))
    (argument,) = supergraph.types["Order"].fields["fee"].joins["orders"].contexts

    assert (argument.context, argument.name, argument.type, argument.fields.strip()) == (
        "orders__buyer",
        "level",
        "Int",
        "level",
    )


def test_a_key_is_resolvable_unless_it_says_otherwise() -> None:
    text = DOCUMENTS["v0.3"].replace('graph: FREIGHT, key: "id"', 'graph: FREIGHT, key: "id", resolvable: false')

    assert parse_supergraph(text).types["Order"].joins["freight"].keys == (("id", False),)

from __future__ import annotations

import pytest

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.planner import Planner
from gateway.server.pipeline import Pipeline
from gateway.server.plan_cache import NEW_SHARE, TEXT_PER_PLAN
from gateway.server.prepared import Prepared
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.rules import Rules
from gateway.supergraph import parse_supergraph
from tests.support.fake_transport import FakeTransport

SDL = """
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@authenticated", "@requiresScopes"])
type Query { items: [Item!] animals: [Animal!] open: Int closed: Int @authenticated box: Box }
type Item @key(fields: "id") { id: ID! price: Int @authenticated cost: Int @requiresScopes(scopes: [["c"]]) }
type Box { secret: Secret label: String }
type Secret @authenticated { text: String }
interface Animal { name: String }
type Cat implements Animal { name: String }
type Dog implements Animal @authenticated { name: String }
"""


def pipeline(reply=None, **limits: int) -> tuple[Pipeline, FakeTransport]:
    composed = compose_or_raise([SubgraphSource(name="s", url="http://s", sdl=SDL)])
    supergraph = parse_supergraph(str(composed.supergraph))
    transport = FakeTransport(reply or (lambda _: {"data": {"open": 1}}))
    return Pipeline(supergraph, Planner(supergraph), {"s": transport}, Rules(**limits)), transport


async def run(pipe: Pipeline, query: str, principal: Principal = ANONYMOUS, **variables):
    return (await pipe.execute(GraphQLRequest(query, variables or None), RequestContext(principal))).to_dict()


async def test_plans_are_cached_by_text_name_and_rights():
    pipe, _ = pipeline()
    for _ in range(3):
        await run(pipe, "{ open }")
    assert pipe.cached_plans == 1
    await run(pipe, "{ open } ")
    await run(pipe, "{ open }", Principal("a"))
    await run(pipe, "{ open }", Principal("b"))
    assert pipe.cached_plans == 3


async def test_the_cache_has_a_limit_and_drops_what_was_not_used():
    pipe, _ = pipeline(max_cached_plans=2)
    first = pipe.prepare(GraphQLRequest("{ open }"), ANONYMOUS)
    pipe.prepare(GraphQLRequest("{ a: open }"), ANONYMOUS)
    assert pipe.prepare(GraphQLRequest("{ open }"), ANONYMOUS) is first
    pipe.prepare(GraphQLRequest("{ b: open }"), ANONYMOUS)
    assert pipe.cached_plans == 2
    assert pipe.prepare(GraphQLRequest("{ open }"), ANONYMOUS) is first


def large_operation(number: int) -> str:
    """Return an operation of more text than the average that there is room for."""
    fields = " ".join(f"{'b' * 40}{place}: open" for place in range(60))
    assert len(fields) > TEXT_PER_PLAN
    return f"{{ a{number}: open {fields} }}"


async def test_large_operations_leave_room_for_fewer():
    pipe, _ = pipeline(max_cached_plans=4)
    for number in range(6):
        pipe.prepare(GraphQLRequest(large_operation(number)), ANONYMOUS)
    assert 1 <= pipe.cached_plans < 4
    for number in range(4):
        pipe.prepare(GraphQLRequest(f"{{ a{number}: open }}"), ANONYMOUS)
    assert pipe.cached_plans == 4


async def test_one_operation_is_kept_however_large_it_is():
    pipe, _ = pipeline(max_cached_plans=1)
    first = pipe.prepare(GraphQLRequest(large_operation(1)), ANONYMOUS)
    assert pipe.prepare(GraphQLRequest(large_operation(1)), ANONYMOUS) is first


def prepare(pipe: Pipeline, name: str) -> Prepared:
    return pipe.prepare(GraphQLRequest(f"{{ {name}: open }}"), ANONYMOUS)


async def test_operations_that_come_once_take_a_share_and_push_out_none_that_is_used():
    room = 2 * NEW_SHARE
    pipe, _ = pipeline(max_cached_plans=room)
    used = [f"used{number}" for number in range(room - 2)]
    kept = [prepare(pipe, name) for name in used for _ in range(2)][::2]
    for number in range(3 * room):
        prepare(pipe, f"once{number}")
    assert pipe.cached_plans == room
    assert [prepare(pipe, name) for name in used] == kept


async def test_operations_that_only_come_once_take_no_more_than_their_share():
    pipe, _ = pipeline(max_cached_plans=3 * NEW_SHARE)
    for number in range(5 * NEW_SHARE):
        prepare(pipe, f"once{number}")
    assert pipe.cached_plans == 3


async def test_operations_that_take_turns_are_all_remembered_where_there_is_room():
    room = 4 * NEW_SHARE
    pipe, _ = pipeline(max_cached_plans=room)
    turns = [f"turn{number}" for number in range(room // 2)]
    for name in turns * 2:
        prepare(pipe, name)
    kept = [prepare(pipe, name) for name in turns]
    assert pipe.cached_plans == len(turns)
    assert [prepare(pipe, name) for name in turns] == kept


async def test_an_operation_that_was_used_long_ago_comes_as_a_new_one():
    room = 2 * NEW_SHARE
    pipe, _ = pipeline(max_cached_plans=room)
    first = prepare(pipe, "first")
    for number in range(2 * room):
        prepare(pipe, f"once{number}")
    assert prepare(pipe, "first") is not first
    assert pipe.cached_plans == 2


async def test_what_is_used_is_prepared_for_the_next_supergraph_before_what_came_once():
    pipe, transport = pipeline(max_cached_plans=NEW_SHARE)
    for name in ("used", "used", "once"):
        prepare(pipe, name)
    before = prepare(pipe, "used").graph
    graph = await pipe.make_ready(before.supergraph, before.planner, {"s": transport}, before.rules)
    assert [key[0] for key, _ in graph.cache.latest(1)] == ["{ used: open }"]
    assert len(graph.cache) == 2


async def test_a_very_long_text_is_not_kept():
    pipe, _ = pipeline(max_cached_text_bytes=20)
    await run(pipe, "{ open }" + " " * 20)
    assert pipe.cached_plans == 0


async def test_nothing_of_a_closed_field_is_asked_of_a_subgraph():
    pipe, transport = pipeline(lambda _: {"data": {"items": [{"id": "1"}, {"id": "2"}]}})
    answer = await run(pipe, "{ items { id price cost } }")
    assert answer["data"] == {
        "items": [{"id": "1", "price": None, "cost": None}, {"id": "2", "price": None, "cost": None}]
    }
    assert len(answer["errors"]) == 4
    sent = transport.requests[0]["query"]
    assert "price" not in sent
    assert "cost" not in sent


@pytest.mark.parametrize(
    ("query", "reply", "data", "paths"),
    [
        pytest.param("{ open closed }", {"open": 1}, {"open": 1, "closed": None}, [["closed"]], id="a root field"),
        pytest.param("{ closed }", {}, {"closed": None}, [["closed"]], id="the only root field"),
        pytest.param(
            "{ box { secret { text } } }",
            {"box": {"__typename": "Box"}},
            {"box": {"secret": None}},
            [["box", "secret"]],
            id="a field of a closed type",
        ),
        pytest.param(
            "{ animals { name } }",
            {"animals": [{"__typename": "Cat", "name": "Tom"}, {"__typename": "Dog", "name": "Rex"}]},
            {"animals": [{"name": "Tom"}, {"name": None}]},
            [["animals", 1, "name"]],
            id="one of the types behind an interface",
        ),
    ],
)
async def test_closed_fields_are_null_with_an_error_at_their_place(query, reply, data, paths):
    pipe, _ = pipeline(lambda _: {"data": reply})
    answer = await run(pipe, query)
    assert answer["data"] == data
    assert [error["path"] for error in answer["errors"]] == paths
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHORIZED_FIELD_OR_TYPE"}


async def test_with_the_rights_everything_is_open():
    pipe, transport = pipeline(lambda _: {"data": {"items": [{"id": "1", "price": 2, "cost": 1}]}})
    answer = await run(pipe, "{ items { id price cost } }", Principal("a", frozenset("c")))
    assert answer == {"data": {"items": [{"id": "1", "price": 2, "cost": 1}]}}
    assert "cost" in transport.requests[0]["query"]


async def test_a_bug_in_planning_becomes_a_masked_answer(monkeypatch, caplog):
    pipe, _ = pipeline()
    monkeypatch.setattr(Planner, "plan", lambda *_, **__: 1 / 0)
    answer = await run(pipe, "{ open }")
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"
    assert "ZeroDivisionError" in caplog.text

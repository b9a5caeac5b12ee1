from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graphql import build_schema

from gateway.errors import ErrorCode, SubgraphError
from gateway.executor import ExecutionContext, compile_plan, run, subscribe
from gateway.plan.nodes import QueryPlan
from tests.support.fake_transport import FakeTransport
from tests.support.plans import entities, guard, out, path, plan, rep, root, target

SCHEMA = build_schema(
    """
    type Query { me: User users: [User!] topProducts: [Product!]! pets: [Pet] color: Color maybe: [User] deep: User! }
    type Mutation { a: Int b: Int }
    type Subscription { changed: Product! }
    type User { id: ID! name: String! age: Int friend: User reviews: [Review!] }
    type Review { body: String product: Product }
    type Product { upc: String! price: Int! stock: Int tags: [String!] }
    interface Pet { name: String! }
    type Cat implements Pet { name: String! lives: Int }
    type Dog implements Pet { name: String! tricks: Int }
    enum Color { RED BLUE }
    """
)


async def execute(query_plan: QueryPlan, variables: dict[str, Any] | None = None, **transports: FakeTransport):
    context = ExecutionContext(transports, variables or {})
    return (await run(compile_plan(query_plan, SCHEMA), context)).to_dict()


def answering(data: Any, **more: Any) -> FakeTransport:
    return FakeTransport(lambda _: {"data": data, **more})


PRODUCT = (out("upc", "String!"), out("price", "Int!"), out("stock", "Int"))
PRODUCTS = plan(
    [
        root(0, "catalog", "{topProducts{__typename upc price}}"),
        entities(1, "inventory", target("topProducts.@", rep("Product", "upc")), after=(0,)),
    ],
    [out("topProducts", "[Product!]!", *PRODUCT)],
)
CATALOG = {
    "topProducts": [
        {"__typename": "Product", "upc": "1", "price": 5},
        {"__typename": "Product", "upc": "2", "price": 6},
        {"__typename": "Product", "upc": "1", "price": 5},
    ]
}


async def test_entities_are_merged_and_the_answer_has_the_clients_order():
    inventory = answering({"_entities": [{"stock": 10}, {"stock": 20}]})
    answer = await execute(PRODUCTS, catalog=answering(CATALOG), inventory=inventory)
    assert answer == {
        "data": {
            "topProducts": [
                {"upc": "1", "price": 5, "stock": 10},
                {"upc": "2", "price": 6, "stock": 20},
                {"upc": "1", "price": 5, "stock": 10},
            ]
        }
    }
    assert list(answer["data"]["topProducts"][0]) == ["upc", "price", "stock"]


async def test_equal_objects_share_one_representation():
    inventory = answering({"_entities": [None, None]})
    await execute(PRODUCTS, catalog=answering(CATALOG), inventory=inventory)
    sent = inventory.requests[0]["variables"]["representations"]
    assert sent == [{"__typename": "Product", "upc": "1"}, {"__typename": "Product", "upc": "2"}]


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([], id="there are no objects"),
        pytest.param([{"__typename": "Other", "upc": "1", "price": 1}], id="the type is another"),
        pytest.param([{"__typename": "Product", "price": 1}], id="the key is missing"),
        pytest.param([{"__typename": "Product", "upc": None, "price": 1}], id="the key is null"),
    ],
)
async def test_a_fetch_without_representations_is_not_sent_when(items):
    inventory = FakeTransport()
    await execute(PRODUCTS, catalog=answering({"topProducts": items}), inventory=inventory)
    assert inventory.requests == []


async def test_variables_that_the_client_left_out_are_not_sent():
    query = plan([root(0, "a", "query($x:Int,$y:Int){me{id}}", variables=("x", "y"))], [out("me", "User")])
    subgraph = answering({"me": None})
    await execute(query, {"x": None, "z": 3}, a=subgraph)
    assert subgraph.requests[0]["variables"] == {"x": None}


async def test_fetches_start_when_their_own_dependencies_are_done_not_at_stages():
    fetches = [
        root(0, "slow", "{me{id}}"),
        root(1, "quick", "{users{id}}"),
        entities(2, "next", target("users.@", rep("User", "id")), after=(1,)),
    ]
    query = plan(fetches, [out("me", "User", out("id", "ID!")), out("users", "[User!]", out("name", "String!"))])
    slow = answering({"me": {"id": "1"}})
    slow.gate = asyncio.Event()
    following = answering({"_entities": [{"name": "Ada"}]})
    quick = answering({"users": [{"__typename": "User", "id": "2"}]})
    task = asyncio.create_task(execute(query, slow=slow, quick=quick, next=following))
    async with asyncio.timeout(2):
        await following.started.wait()
    slow.gate.set()
    assert await task == {"data": {"me": {"id": "1"}, "users": [{"name": "Ada"}]}}


async def test_a_fetch_of_two_dependencies_waits_for_both_and_runs_once():
    fetches = [
        root(0, "a", "{me{__typename id}}"),
        root(1, "b", "{users{id}}"),
        entities(2, "c", target("me", rep("User", "id")), after=(0, 1)),
    ]
    query = plan(fetches, [out("me", "User", out("age", "Int"))])
    last = answering({"_entities": [{"age": 3}]})
    me = answering({"me": {"__typename": "User", "id": "1"}})
    assert await execute(query, a=me, b=answering({"users": []}), c=last) == {"data": {"me": {"age": 3}}}
    assert len(last.requests) == 1


async def test_mutations_run_one_after_the_other():
    order: list[str] = []

    def reply(request: dict[str, Any]) -> Any:
        order.append(request["query"])
        return {"data": {"a": 1} if "{a}" in request["query"] else {"b": 2}}

    fetches = [
        root(0, "s", "mutation{a}", kind="mutation"),
        root(1, "s", "mutation{b}", kind="mutation", after=(0,)),
    ]
    query = plan(fetches, [out("a", "Int"), out("b", "Int")], kind="mutation", root_type="Mutation")
    subgraph = FakeTransport(reply)
    assert await execute(query, s=subgraph) == {"data": {"a": 1, "b": 2}}
    assert order == ["mutation{a}", "mutation{b}"]
    assert all(request.is_mutation for request in subgraph.seen)


async def test_cancelling_a_request_cancels_its_fetches():
    slow, other = FakeTransport(), FakeTransport()
    slow.gate = other.gate = asyncio.Event()
    query = plan([root(0, "a", "{me{id}}"), root(1, "b", "{users{id}}")], [])
    task = asyncio.create_task(execute(query, a=slow, b=other))
    await slow.started.wait()
    await other.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("flag", "expected"), [(True, {"me": {"id": "1"}}), (False, {})])
async def test_guards_decide_about_fetches_and_fields(flag, expected):
    query = plan(
        [root(0, "a", "{me{id}}", guards=(guard("on"),))],
        [out("me", "User", out("id", "ID!"), guards=((guard("on"),),))],
    )
    subgraph = answering({"me": {"id": "1"}})
    assert await execute(query, {"on": flag}, a=subgraph) == {"data": expected}
    assert len(subgraph.requests) == int(flag)


async def test_partial_data_survives_a_subgraph_that_is_down():
    down = FakeTransport(
        lambda _: SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "inventory is down", subgraph="inventory")
    )
    answer = await execute(PRODUCTS, catalog=answering(CATALOG), inventory=down)
    assert [item["stock"] for item in answer["data"]["topProducts"]] == [None, None, None]
    assert answer["errors"] == [
        {
            "message": "inventory is down",
            "path": ["topProducts"],
            "extensions": {"code": "SUBGRAPH_UNAVAILABLE", "subgraph": "inventory", "retryable": True},
        }
    ]


async def test_a_failed_root_fetch_is_reported_once_for_each_of_its_fields():
    down = FakeTransport(lambda _: SubgraphError(ErrorCode.SUBGRAPH_TIMEOUT, "late", subgraph="a"))
    query = plan(
        [root(0, "a", "{me{id} them:users{id}}")],
        [out("me", "User", out("id", "ID!")), out("all", "[User!]", out("id", "ID!"), source="them", name="users")],
    )
    answer = await execute(query, a=down)
    assert answer["data"] == {"me": None, "all": None}
    assert [error["path"] for error in answer["errors"]] == [["me"], ["all"]]


async def test_entity_errors_are_reported_at_every_place_of_the_entity():
    inventory = answering(
        {"_entities": [{"stock": None}, {"stock": 2}]},
        errors=[
            {"message": "no stock", "path": ["_entities", 0, "stock"], "extensions": {"code": "WMS", "system": "wms"}}
        ],
    )
    answer = await execute(PRODUCTS, catalog=answering(CATALOG), inventory=inventory)
    assert [error["path"] for error in answer["errors"]] == [["topProducts", 0, "stock"], ["topProducts", 2, "stock"]]
    assert answer["errors"][0]["extensions"] == {"code": "WMS", "system": "wms", "subgraph": "inventory"}


async def test_error_paths_use_response_keys_and_stop_at_what_the_client_did_not_select():
    errors = [{"message": "one", "path": ["u1", "n_1"]}, {"message": "two", "path": ["u1", "hidden"]}]
    query = plan(
        [root(0, "a", "{u1:me{n_1:name hidden:age}}")],
        [out("user", "User", out("label", "String!", source="n_1", name="name"), source="u1", name="me")],
    )
    answer = await execute(query, a=answering({"u1": {"n_1": "x", "hidden": None}}, errors=errors))
    assert answer["data"] == {"user": {"label": "x"}}
    assert [error["path"] for error in answer["errors"]] == [["user", "label"], ["user"]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"<html>", "SUBGRAPH_MALFORMED", id="not JSON"),
        pytest.param(b"", "SUBGRAPH_MALFORMED", id="empty"),
        pytest.param(b"[]", "SUBGRAPH_MALFORMED", id="not an object"),
        pytest.param(b'{"data":[]}', "SUBGRAPH_MALFORMED", id="data is a list"),
        pytest.param(b'{"data":"x"}', "SUBGRAPH_MALFORMED", id="data is a string"),
        pytest.param(b"{}", "SUBGRAPH_MALFORMED", id="neither data nor errors"),
        pytest.param(b'{"data":null,"errors":{}}', "SUBGRAPH_MALFORMED", id="no data and empty errors"),
        pytest.param(b'{"errors":"x"}', "SUBGRAPH_MALFORMED", id="errors is a string"),
        pytest.param(b'{"data":{"_entities":[{"stock":NaN},null]}}', "SUBGRAPH_MALFORMED", id="NaN"),
        pytest.param(b'{"data":{"_entities":[{"stock":1}]}}', "SUBGRAPH_MALFORMED", id="fewer entities"),
        pytest.param(
            b'{"data":{"_entities":[{"stock":1},{"stock":2},{"stock":3}]}}', "SUBGRAPH_MALFORMED", id="more entities"
        ),
        pytest.param(b'{"data":{"_entities":{"stock":1}}}', "SUBGRAPH_MALFORMED", id="entities are an object"),
        pytest.param(b'{"data":{"_entities":[[],null]}}', "SUBGRAPH_MALFORMED", id="an entity is a list"),
        pytest.param(b'{"data":{"_entities":[{"stock":"x"},null]}}', "INVALID_RESULT", id="a string for an Int"),
        pytest.param(b'{"data":{"_entities":[{"stock":[1]},null]}}', "INVALID_RESULT", id="a list for an Int"),
        pytest.param(
            b'{"data":{"_entities":[{"__typename":"User","stock":1},null]}}', "SUBGRAPH_MALFORMED", id="another type"
        ),
        pytest.param(b'{"data":null,"errors":["x"]}', "SUBGRAPH_ERROR", id="an error that is a string"),
    ],
)
async def test_a_bad_answer_costs_its_fields_and_has_a_code(body, code):
    answer = await execute(PRODUCTS, catalog=answering(CATALOG), inventory=FakeTransport(lambda _: body))
    assert [item["price"] for item in answer["data"]["topProducts"]] == [5, 6, 5]
    assert answer["data"]["topProducts"][0]["stock"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}


@pytest.mark.parametrize(
    "path", [{}, {"path": None}, {"path": "stock"}, {"path": ["unknown", 0]}, {"path": []}], ids=str
)
async def test_an_error_without_a_usable_path_is_told_of_all_that_the_fetch_gives(path):
    inventory = answering({"_entities": [{"stock": 1}, {"stock": 2}]}, errors=[{"message": "late", **path}])
    answer = await execute(PRODUCTS, catalog=answering(CATALOG), inventory=inventory)
    assert [item["stock"] for item in answer["data"]["topProducts"]] == [1, 2, 1]
    assert [(error["message"], error["path"]) for error in answer["errors"]] == [("late", ["topProducts"])]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"topProducts": {"upc": "1"}}, ["topProducts"]),
        ({"topProducts": ["x"]}, ["topProducts", 0]),
        ({"topProducts": [[{"upc": "1"}]]}, ["topProducts", 0]),
        ({"topProducts": [{"upc": ["1"], "price": 1}]}, ["topProducts", 0, "upc"]),
        ({"topProducts": 5}, ["topProducts"]),
    ],
    ids=["an object for a list", "a string for an object", "a list for an object", "a list for a leaf", "a number"],
)
async def test_data_of_the_wrong_shape_is_told_where_it_stands(data, path):
    answer = await execute(PRODUCTS, catalog=answering(data), inventory=answering({"_entities": []}))
    assert answer["data"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [(path, "INVALID_RESULT")]


async def test_duplicate_keys_take_the_last_value_like_every_json_reader():
    body = b'{"data":{"_entities":[{"stock":1,"stock":2},null]}}'
    answer = await execute(PRODUCTS, catalog=answering(CATALOG), inventory=FakeTransport(lambda _: body))
    assert answer["data"]["topProducts"][0]["stock"] == 2


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (204, b"", "SUBGRAPH_BAD_STATUS"),
        (302, b"", "SUBGRAPH_BAD_STATUS"),
        (500, b"oops", "SUBGRAPH_BAD_STATUS"),
        (500, b'{"data":{"_entities":[]}}', "SUBGRAPH_BAD_STATUS"),
        (500, b'{"errors":[{"message":"m","extensions":{"code":"X"}}]}', "X"),
    ],
)
async def test_the_http_status_counts(status, body, code):
    bad = FakeTransport(lambda _: body, status=status)
    answer = await execute(PRODUCTS, catalog=answering(CATALOG), inventory=bad)
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


async def test_targets_of_one_call_do_not_share_objects_that_later_fetches_write_into():
    """Both places select the same of the entity but different things below it, under one internal key."""
    fetches = [
        root(0, "a", "{me{__typename id} users{__typename id}}"),
        entities(1, "b", target("me", rep("User", "id")), target("users.@", rep("User", "id")), after=(0,)),
        entities(2, "c", target("me.friend", rep("User", "id")), after=(1,)),
        entities(3, "d", target("users.@.friend", rep("User", "id")), after=(1,)),
    ]
    friend = out("friend", "User", out("name", "String!"))
    query = plan(fetches, [out("me", "User", friend), out("users", "[User!]", friend)])
    user = {"__typename": "User", "id": "1"}
    answer = await execute(
        query,
        a=answering({"me": dict(user), "users": [dict(user)]}),
        b=answering({"_entities": [{"friend": {"__typename": "User", "id": "9"}}]}),
        c=answering({"_entities": [{"name": "for me"}]}),
        d=answering({"_entities": [{"name": "for users"}]}),
    )
    assert answer["data"]["me"]["friend"]["name"] == "for me"
    assert answer["data"]["users"][0]["friend"]["name"] == "for users"


async def test_two_subgraphs_that_give_parts_of_one_object_are_merged_deeply():
    query = plan(
        [root(0, "a", "{me{id friend{id}}}"), root(1, "b", "{me{friend{name}}}")],
        [out("me", "User", out("id", "ID!"), out("friend", "User", out("id", "ID!"), out("name", "String!")))],
    )
    one = answering({"me": {"id": "1", "friend": {"id": "2"}}})
    two = answering({"me": {"friend": {"name": "Bo"}}})
    assert await execute(query, a=one, b=two) == {"data": {"me": {"id": "1", "friend": {"id": "2", "name": "Bo"}}}}


async def test_events_of_a_subscription_are_completed_in_order():
    fetches = [
        root(0, "catalog", "subscription{changed{__typename upc}}", kind="subscription"),
        entities(1, "inventory", target("changed", rep("Product", "upc")), after=(0,)),
    ]
    query = plan(
        fetches,
        [out("changed", "Product!", out("upc", "String!"), out("stock", "Int"))],
        kind="subscription",
        root_type="Subscription",
    )
    events = [{"data": {"changed": {"__typename": "Product", "upc": str(number)}}} for number in range(3)]
    stream = FakeTransport(events=events)

    def stock(request: dict[str, Any]) -> Any:
        return {"data": {"_entities": [{"stock": int(request["variables"]["representations"][0]["upc"]) * 10}]}}

    context = ExecutionContext({"catalog": stream, "inventory": FakeTransport(stock)})
    found = [result.to_dict() async for result in subscribe(compile_plan(query, SCHEMA), context)]
    assert [event["data"]["changed"] for event in found] == [{"upc": str(n), "stock": n * 10} for n in range(3)]
    assert stream.unsubscribed == 1


async def test_a_broken_stream_ends_with_the_reason():
    query = plan(
        [root(0, "s", "subscription{changed{upc}}", kind="subscription")],
        [out("changed", "Product!", out("upc", "String!"))],
        kind="subscription",
        root_type="Subscription",
    )
    broken = SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "gone", subgraph="s")
    stream = FakeTransport(events=[{"data": {"changed": {"upc": "1"}}}, broken])
    found = [r.to_dict() async for r in subscribe(compile_plan(query, SCHEMA), ExecutionContext({"s": stream}))]
    assert found[0]["data"] == {"changed": {"upc": "1"}}
    assert found[1].keys() == {"errors"}
    assert found[1]["errors"][0]["extensions"]["code"] == "SUBSCRIPTION_ENDED"


async def test_a_stream_that_never_starts_says_why():
    query = plan(
        [root(0, "s", "subscription{changed{upc}}", kind="subscription")],
        [out("changed", "Product!", out("upc", "String!"))],
        kind="subscription",
        root_type="Subscription",
    )
    stream = FakeTransport(events=[SubgraphError(ErrorCode.SUBGRAPH_UNAVAILABLE, "gone", subgraph="s")])
    found = [r.to_dict() async for r in subscribe(compile_plan(query, SCHEMA), ExecutionContext({"s": stream}))]
    assert found[0].keys() == {"errors"}
    assert [error["extensions"]["code"] for error in found[0]["errors"]] == ["SUBGRAPH_UNAVAILABLE"]


async def test_introspection_is_answered_without_any_subgraph():
    query = plan([], [], introspection='{__type(name:"Color"){enumValues{name}}}')
    answer = await execute(query)
    assert answer == {"data": {"__type": {"enumValues": [{"name": "RED"}, {"name": "BLUE"}]}}}


def test_paths_are_read_as_plans_print_them():
    assert len(path("a.@.b|[X,Y]")) == 4


async def test_an_answer_that_is_the_clients_passes_through_as_bytes():
    query = plan([root(0, "a", "{me{id name}}")], [out("me", "User", out("id", "ID!"), out("name", "String!"))])
    executable = compile_plan(query, SCHEMA)
    body = b'{ "data": {"me":{"id":"1","name":"x"} } }'
    for sent, passed in ((body, True), (b'{"data":{"me":{"name":"x","id":"1"}}}', False), (body, True)):
        context = ExecutionContext({"a": FakeTransport(lambda _, sent=sent: sent)})
        result = await run(executable, context)
        assert (result.to_bytes() == sent) is passed
        assert result.to_dict() == {"data": {"me": {"id": "1", "name": "x"}}}


async def test_a_subgraph_that_always_sends_more_is_not_compared_for_ever():
    query = plan([root(0, "a", "{me{id}}")], [out("me", "User", out("id", "ID!"))])
    executable = compile_plan(query, SCHEMA)
    context = ExecutionContext({"a": answering({"me": {"__typename": "User", "id": "1"}})})
    for _ in range(5):
        assert (await run(executable, context)).to_dict() == {"data": {"me": {"id": "1"}}}
    assert executable.shape(context).verify is None

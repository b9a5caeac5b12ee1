"""Mutations with a key: the header fills it in, duplicates under way are refused, and failures are tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.bootstrap import build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.errors import SupergraphError
from gateway.executor import ExecutionResult
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from gateway.transport.retry import RetryBudget, RetryRules, RetryTransport
from tests.support.fake_transport import FakeTransport
from tests.support.serving import serve_asgi

HEAD = """
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@composeDirective"])
  @link(url: "https://crossdock.example/idempotent/v1.0", import: ["@idempotent"])
  @composeDirective(name: "@idempotent")
directive @idempotent(key: String!) on FIELD_DEFINITION
"""
SDL = f"""{HEAD}
type Query {{ ready: Boolean }}
type Mutation {{
  submit(input: Submit!): String @idempotent(key: "input.key")
  cancel(key: ID, id: Int): String @idempotent(key: "key")
  touch(id: Int): String
}}
input Submit {{ key: String! sku: String }}
"""
VARIABLE = "mutation($input: Submit!) { submit(input: $input) }"
KEY = '"k-1"'


def supergraph(sdl: str = SDL) -> str:
    return str(compose_or_raise([SubgraphSource(name="s", url="http://s.invalid/graphql", sdl=sdl)]).supergraph)


def accept(request: dict[str, Any]) -> Any:
    return {"data": {"submit": "yes", "cancel": "yes", "touch": "yes"}}


async def ask(
    query: str, variables: Any = None, key: str | None = KEY, subgraph: Any = None, **sections: Any
) -> tuple[ExecutionResult, list[dict[str, Any]]]:
    subgraph = subgraph or FakeTransport(accept)
    async with build_gateway(supergraph(), {"s": subgraph}, settings_from(sections, {})) as gateway:
        context = RequestContext(Principal("ada"), idempotency_key=key)
        result = await gateway.execute(query, variables, context=context)
    return result, subgraph.requests


def code(result: ExecutionResult) -> str:
    return str(result.errors[0]["extensions"]["code"])


@pytest.mark.parametrize(
    ("query", "variables", "sent"),
    [
        pytest.param(VARIABLE, {"input": {"sku": "a"}}, {"input": {"sku": "a", "key": "k-1"}}, id="an input variable"),
        pytest.param(VARIABLE, {"input": {"key": "k-1"}}, {"input": {"key": "k-1"}}, id="the same key in both"),
        pytest.param(VARIABLE, {"input": {"key": None}}, {"input": {"key": "k-1"}}, id="null in an input variable"),
        pytest.param(
            "mutation($k: String!) { submit(input: {key: $k}) }", {}, {"k": "k-1"}, id="a variable inside a literal"
        ),
        pytest.param("mutation($k: ID) { cancel(key: $k) }", None, {"k": "k-1"}, id="a variable of the argument"),
        pytest.param(
            'mutation { submit(input: {sku: "a"}) }', None, {"_idempotencyKey": "k-1"}, id="left out of a literal"
        ),
        pytest.param("mutation { submit }", None, {"_idempotencyKey": "k-1"}, id="no argument at all"),
        pytest.param("mutation { cancel(id: 1) }", None, {"_idempotencyKey": "k-1"}, id="an optional argument"),
        pytest.param(
            "mutation($_idempotencyKey: Int) { ... { cancel(id: $_idempotencyKey) } }",
            {"_idempotencyKey": 1},
            {"_idempotencyKey": 1, "__idempotencyKey": "k-1"},
            id="a name that is taken, in an inline fragment",
        ),
    ],
)
async def test_the_header_is_the_key_that_the_client_left_out(query, variables, sent):
    result, requests = await ask(query, variables)
    assert result.errors == []
    assert requests[0]["variables"] == sent


async def test_what_is_left_out_is_written_into_the_arguments():
    _, requests = await ask('mutation { submit(input: {sku: "a"}) touch(id: 1) }')
    assert 'submit(input:{ sku: "a", key: $_idempotencyKey })' in requests[0]["query"]


@pytest.mark.parametrize(
    ("query", "variables", "key", "expected"),
    [
        pytest.param(
            VARIABLE, {"input": {"key": "other"}}, KEY, "IDEMPOTENCY_KEY_MISMATCH", id="another in a variable"
        ),
        pytest.param(
            'mutation { cancel(key: "other") }', None, KEY, "IDEMPOTENCY_KEY_MISMATCH", id="another in the document"
        ),
        pytest.param(
            'mutation($k: ID = "other") { cancel(key: $k) }',
            None,
            KEY,
            "IDEMPOTENCY_KEY_MISMATCH",
            id="another by default",
        ),
        pytest.param("mutation { submit cancel }", None, KEY, "IDEMPOTENCY_KEY_INVALID", id="two mutations"),
        pytest.param(
            "mutation { ...F } fragment F on Mutation { cancel }", None, KEY, "IDEMPOTENCY_KEY_INVALID", id="a fragment"
        ),
        pytest.param("mutation { cancel }", None, "k-1", "IDEMPOTENCY_KEY_INVALID", id="no quotes"),
        pytest.param("mutation { cancel }", None, '"a","b"', "IDEMPOTENCY_KEY_INVALID", id="two headers"),
        pytest.param("mutation { cancel }", None, '""', "IDEMPOTENCY_KEY_INVALID", id="empty"),
        pytest.param("mutation { cancel }", None, f'"{"x" * 257}"', "IDEMPOTENCY_KEY_INVALID", id="too long"),
        pytest.param("mutation { cancel }", None, '"ü"', "IDEMPOTENCY_KEY_INVALID", id="not ASCII"),
        pytest.param(VARIABLE, {"input": 3}, KEY, "BAD_USER_INPUT", id="a variable of another form"),
        pytest.param(VARIABLE, {"input": {}}, None, "BAD_USER_INPUT", id="no key anywhere"),
        pytest.param("mutation { submit }", None, None, "GRAPHQL_VALIDATION_FAILED", id="no key in the document"),
    ],
)
async def test_a_key_that_is_not_clear_is_refused_before_anything_is_sent(query, variables, key, expected):
    result, requests = await ask(query, variables, key)
    assert code(result) == expected
    assert requests == []


@pytest.mark.parametrize(
    ("header", "key"),
    [(r'"a\"b\\c"', r'a"b\c'), ('  "a b" ', "a b"), ('"a";v=1', "a")],
    ids=["escapes", "spaces", "parameters"],
)
async def test_the_header_is_a_string_of_structured_fields(header, key):
    _, requests = await ask("mutation { cancel }", None, header)
    assert requests[0]["variables"] == {"_idempotencyKey": key}


@pytest.mark.parametrize("query", ["{ ready }", "mutation { touch(id: 1) }"], ids=["a query", "no key"])
async def test_other_operations_do_not_mind_the_header(query):
    result, requests = await ask(query, None, "not a string")
    assert result.errors == []
    assert len(requests) == 1


class Failing(FakeTransport):
    """Fails once in a way that passes, and then answers."""

    async def send(self, request):
        response = await super().send(request)
        return response if len(self.requests) > 1 else type(response)(503, response.content_type, b"")


@pytest.mark.parametrize(
    ("query", "key", "sections", "times"),
    [
        pytest.param("mutation { cancel }", KEY, {}, 2, id="a key in the header"),
        pytest.param('mutation { submit(input: {key: "k"}) cancel(key: "l") }', None, {}, 2, id="keys everywhere"),
        pytest.param("mutation { cancel(id: 1) }", None, {}, 1, id="no key"),
        pytest.param("mutation { cancel(key: null) }", None, {}, 1, id="null for a key"),
        pytest.param('mutation { cancel(key: "k") touch }', None, {}, 1, id="beside a field without one"),
        pytest.param('mutation { cancel(key: "k") }', None, {"idempotency": {"retry": False}}, 1, id="switched off"),
    ],
)
async def test_a_mutation_is_sent_again_only_when_all_of_it_has_keys(query, key, sections, times):
    async def no_pause(_: float) -> None:
        return

    subgraph = Failing(accept)
    transport = RetryTransport(subgraph, RetryRules(1, 0.1, 1.0, 5.0), RetryBudget(1.0), sleep=no_pause)
    transport.requests = subgraph.requests
    _, requests = await ask(query, None, key, transport, **sections)
    assert len(requests) == times
    assert requests[0] == requests[-1]


@asynccontextmanager
async def served(subgraph: Any, **sections: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        build_gateway(supergraph(), {"s": subgraph}, settings_from(sections, {})) as gateway,
        serve_asgi(gateway.asgi) as address,
        httpx.AsyncClient(base_url=address, timeout=5) as client,
    ):
        yield client


async def test_a_second_request_waits_outside_while_the_first_is_under_way_and_a_later_one_goes_to_the_subgraph():
    subgraph = FakeTransport(accept)
    subgraph.gate = asyncio.Event()
    body, headers = {"query": "mutation { cancel }"}, {"idempotency-key": KEY}
    async with served(subgraph) as client:
        first = asyncio.create_task(client.post("/graphql", json=body, headers=headers))
        await subgraph.started.wait()
        second = await client.post("/graphql", json=body, headers=headers)
        assert (second.status_code, second.headers["retry-after"]) == (409, "1")
        assert second.json()["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_IN_USE"
        assert len(subgraph.requests) == 1
        subgraph.gate.set()
        assert (await first).json() == {"data": {"cancel": "yes"}}
        third = await client.post("/graphql", json=body, headers=headers)
        assert third.json() == {"data": {"cancel": "yes"}}
    assert len(subgraph.requests) == 2


@pytest.mark.parametrize(
    ("other", "answers"),
    [
        pytest.param(RequestContext(Principal("ada"), idempotency_key=KEY), False, id="the same"),
        pytest.param(RequestContext(Principal("bo"), idempotency_key=KEY), True, id="of somebody else"),
        pytest.param(RequestContext(Principal("ada"), idempotency_key='"k-2"'), True, id="with another key"),
    ],
)
async def test_only_the_same_caller_and_key_are_refused_and_a_cancelled_one_frees_them(other, answers):
    subgraph = FakeTransport(accept)
    subgraph.gate = asyncio.Event()
    context = RequestContext(Principal("ada"), idempotency_key=KEY)
    async with build_gateway(supergraph(), {"s": subgraph}) as gateway:
        first = asyncio.create_task(gateway.execute("mutation { cancel }", context=context))
        await subgraph.started.wait()
        subgraph.gate.set()
        subgraph.gate = None
        found = await gateway.execute("mutation { cancel }", context=other)
        assert (found.errors == []) is answers
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await gateway.execute("mutation { cancel }", context=context)).errors == []


@pytest.mark.parametrize(
    ("query", "variables", "who", "status"),
    [
        pytest.param("mutation { cancel(id: 1) }", None, "ada", 200, id="the same"),
        pytest.param("mutation { again: cancel(id: 1) __typename }", None, "ada", 200, id="the same, shown otherwise"),
        pytest.param("mutation { cancel(id: 2) }", None, "ada", 422, id="another argument"),
        pytest.param("mutation($id: Int) { cancel(id: $id) }", {"id": 1}, "ada", 422, id="written otherwise"),
        pytest.param("mutation { cancel(id: 2) }", None, "bo", 200, id="of somebody else"),
        pytest.param("mutation($input: Submit!) { submit(input: $input) }", {"input": {}}, "ada", 200, id="elsewhere"),
    ],
)
async def test_a_key_stands_for_one_request(query, variables, who, status):
    subgraph = FakeTransport(accept)
    async with build_gateway(supergraph(), {"s": subgraph}) as gateway:
        first = RequestContext(Principal("ada"), idempotency_key=KEY)
        assert (await gateway.execute("mutation { cancel(id: 1) }", context=first)).errors == []
        found = await gateway.execute(query, variables, context=RequestContext(Principal(who), idempotency_key=KEY))
        assert [error["extensions"]["code"] for error in found.errors] == (
            [] if status == 200 else ["IDEMPOTENCY_KEY_REUSED"]
        )
        assert len(subgraph.requests) == (2 if status == 200 else 1)


async def test_a_key_of_another_request_has_status_422_over_http_and_what_was_refused_here_uses_up_no_key():
    subgraph, headers = FakeTransport(accept), {"idempotency-key": KEY, "accept": "application/graphql-response+json"}
    document = "mutation($id: Int) { cancel(id: $id) }"
    async with served(subgraph) as client:
        answers = [
            await client.post("/graphql", json={"query": document, "variables": {"id": given}}, headers=headers)
            for given in ("one", 1, 2)
        ]
    assert [answer.status_code for answer in answers] == [400, 200, 422]
    assert answers[2].json()["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert len(subgraph.requests) == 1


async def test_a_keyed_mutation_that_a_served_subgraph_could_not_take_is_sent_again_as_it_was():
    bodies: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        bodies.append((await receive())["body"])
        status = 503 if len(bodies) == 1 else 200
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": b'{"data":{"cancel":"yes"}}'})

    async with serve_asgi(app) as address:
        settings = settings_from({"subgraphs": {"s": {"url": f"{address}/graphql"}}}, {})
        async with build_gateway(supergraph(), None, settings) as gateway:
            result = await gateway.execute("mutation { cancel }", context=RequestContext(idempotency_key=KEY))
    assert result.data == {"cancel": "yes"}
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


async def test_a_mismatch_has_status_400_over_http_and_the_header_can_be_switched_off():
    body = {"query": 'mutation { cancel(key: "mine") }'}
    headers = {"idempotency-key": KEY, "accept": "application/graphql-response+json"}
    async with served(FakeTransport(accept)) as client:
        assert (await client.post("/graphql", json=body, headers=headers)).status_code == 400
    async with served(FakeTransport(accept), idempotency={"header": False}) as client:
        answer = await client.post("/graphql", json=body, headers=headers)
        assert answer.json() == {"data": {"cancel": "yes"}}


async def test_one_header_is_not_the_key_of_several_mutations_in_a_batch():
    one = {"query": "mutation { cancel }"}
    async with served(FakeTransport(accept), limits={"max_batch": 3}) as client:
        many = await client.post("/graphql", json=[one, one], headers={"idempotency-key": KEY})
        beside = await client.post(
            "/graphql", json=[one, {"query": "{ __typename }"}], headers={"idempotency-key": KEY}
        )
    assert many.json()["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_INVALID"
    assert beside.json() == [{"data": {"cancel": "yes"}}, {"data": {"__typename": "Query"}}]


async def test_a_mutation_answered_in_parts_holds_its_key_too():
    subgraph = FakeTransport(accept)
    async with build_gateway(supergraph(), {"s": subgraph}) as gateway:
        context = RequestContext(idempotency_key=KEY)
        stream = gateway.deliver("mutation { cancel }", context=context)
        assert (await anext(stream)).errors == []
        assert code(await gateway.execute("mutation { cancel }", context=context)) == "IDEMPOTENCY_KEY_IN_USE"
        await stream.aclose()
        assert (await gateway.execute("mutation { cancel }", context=context)).errors == []


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ('type Query { a(key: ID): Int @idempotent(key: "key") }', "only a mutation field can have a key"),
        ('type Query { a: Int } type Mutation { m(k: ID): Int @idempotent(key: "key") }', "no argument key of type"),
        ('type Query { a: Int } type Mutation { m(k: [ID!]): Int @idempotent(key: "k") }', "no argument k of type"),
        (
            'type Query { a: Int } type Mutation { m(k: [In!]): Int @idempotent(key: "k.id") } input In { id: ID }',
            "no argument k.id of type",
        ),
    ],
    ids=["a query field", "no such argument", "a list", "inside a list"],
)
def test_a_directive_that_names_no_key_is_refused_when_the_supergraph_is_loaded(fields, fault):
    with pytest.raises(SupergraphError, match=fault):
        build_gateway(supergraph(HEAD + fields), {"s": FakeTransport()})


async def test_a_directive_of_that_name_with_another_meaning_is_left_alone():
    sdl = HEAD.replace("(key: String!)", "") + "type Query { a: Int } type Mutation { m(key: ID): Int @idempotent }"
    subgraph = FakeTransport(lambda _: {"data": {"m": 1}})
    async with build_gateway(supergraph(sdl), {"s": subgraph}) as gateway:
        result = await gateway.execute("mutation { m }", context=RequestContext(idempotency_key=KEY))
    assert result.data == {"m": 1}
    assert "variables" not in subgraph.requests[0]

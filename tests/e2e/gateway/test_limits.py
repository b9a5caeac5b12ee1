"""Limits of operations as a client meets them: over HTTP, with the neighbour that is allowed."""

from __future__ import annotations

import pytest

from gateway.server.principal import ANONYMOUS, Principal
from tests.e2e.gateway.test_gateway import IN_PROCESS, http

ALLOWED = {"query": "query($n: Int) { me { name } products(first: $n) { upc } }", "variables": {"n": 1}}


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        pytest.param({"max_tokens": 30}, {"query": "{ me { name } " + "a: me { name } " * 8 + "}"}, id="tokens"),
        pytest.param({"max_depth": 2}, {"query": "{ me { reviews { id } } }"}, id="depth"),
        pytest.param({"max_height": 4}, {"query": "{ me { name id } products { upc price } }"}, id="height"),
        pytest.param({"max_aliases": 0}, {"query": "{ i: me { name } }"}, id="aliases"),
        pytest.param(
            {"max_root_fields": 2}, {"query": "{ me { id } products { upc } users { id } }"}, id="root fields"
        ),
        pytest.param({"max_directives": 0}, {"query": "{ me { name @skip(if: true) id } }"}, id="directives"),
        pytest.param(
            {"max_introspection_depth": 1},
            {"query": "{ __schema { types { fields { type { fields { name } } } } } }"},
            id="introspection depth",
        ),
        pytest.param({"max_variables_bytes": 20}, {**ALLOWED, "variables": {"n": 1, "m": "x" * 20}}, id="variables"),
    ],
)
async def test_a_request_over_a_limit_is_refused_and_its_neighbour_is_answered(limits, refused):
    async with http(IN_PROCESS.with_settings(limits=limits)) as client:
        answer = await client.post("/graphql", json=refused)
        neighbour = await client.post("/graphql", json=ALLOWED)
    assert answer.status_code == 400
    extensions = answer.json()["errors"][0]["extensions"]
    assert extensions == {"code": "LIMIT_EXCEEDED", "limit": next(iter(limits)), "most": next(iter(limits.values()))}
    assert neighbour.json() == {"data": {"me": {"name": "Ada"}, "products": [{"upc": "table"}]}}


async def test_introspection_needs_the_scope_that_the_settings_name():
    def identity(headers):
        return Principal("dev", frozenset({"schema:read"})) if "authorization" in headers else ANONYMOUS

    kit = IN_PROCESS.with_settings(introspection={"required_scopes": ["schema:read"]}).with_identity(identity)
    asked = {"query": "{ __schema { queryType { name } } }"}
    async with http(kit) as client:
        refused = await client.post("/graphql", json=asked)
        allowed = await client.post("/graphql", json=asked, headers={"authorization": "x"})
        guess = {"query": "{ mee { name } }"}
        told = await client.post("/graphql", json=guess, headers={"authorization": "x"})
        guessed = await client.post("/graphql", json=guess)
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["extensions"] == {
        "code": "INTROSPECTION_DISABLED",
        "coordinates": ["__schema"],
    }
    assert allowed.json() == {"data": {"__schema": {"queryType": {"name": "Query"}}}}
    unknown = "Cannot query field 'mee' on type 'Query'."
    assert told.json()["errors"][0]["message"] == f"{unknown} Did you mean 'me'?"
    assert guessed.json()["errors"][0]["message"] == unknown, "names of the schema are not told piece by piece"

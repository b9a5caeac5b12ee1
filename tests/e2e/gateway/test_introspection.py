"""Introspection as a client meets it."""

from __future__ import annotations

from gateway.server.principal import ANONYMOUS, Principal
from tests.e2e.gateway.test_gateway import IN_PROCESS, http


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

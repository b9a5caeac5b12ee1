"""Headers, origins and persisted documents as clients and browsers meet them."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.e2e.gateway.test_gateway import IN_PROCESS, SHOP, http
from tests.support.testkit import TestGateway

ME = {"query": "{ me { name } }"}
ANSWER = {"data": {"me": {"name": "Ada"}}}
HASH = hashlib.sha256(ME["query"].encode()).hexdigest()
PERSISTED = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}}
SHOP_PAGE = "https://shop.example"
GRAPHQL = {"accept": "application/graphql-response+json"}


def code(response: httpx.Response) -> str:
    return response.json()["errors"][0]["extensions"]["code"]


async def test_apollos_protocol_registers_a_document_once_and_then_finds_it_by_get_and_post():
    async with http(IN_PROCESS) as client:
        unknown = await client.post("/graphql", json=PERSISTED)
        assert (unknown.status_code, code(unknown)) == (200, "PERSISTED_QUERY_NOT_FOUND")
        assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
        assert (await client.post("/graphql", json=PERSISTED, headers=GRAPHQL)).status_code == 404
        assert (await client.post("/graphql", json={**ME, **PERSISTED})).json() == ANSWER
        assert (await client.post("/graphql", json=PERSISTED)).json() == ANSWER
        found = await client.get("/graphql", params={"extensions": json.dumps(PERSISTED["extensions"])})
        assert found.json() == ANSWER


async def test_a_wrong_hash_and_a_gateway_without_a_store_say_so():
    async with http(IN_PROCESS) as client:
        wrong = await client.post("/graphql", json={"query": "{ me { id } }", **PERSISTED})
        assert (wrong.status_code, code(wrong)) == (400, "PERSISTED_QUERY_MISMATCH")
    async with http(IN_PROCESS.with_settings(documents={"automatic": {"enabled": False}})) as client:
        response = await client.post("/graphql", json=PERSISTED)
        assert code(response) == "PERSISTED_QUERY_NOT_SUPPORTED"
        assert (await client.post("/graphql", json={**ME, **PERSISTED})).json() == ANSWER


async def test_only_trusted_documents_run_where_they_are_required(tmp_path):
    manifest = tmp_path / "relay.json"
    manifest.write_text(json.dumps({"1": ME["query"]}))
    trusted = {"manifests": [str(manifest)], "mode": "required", "clients": {"legacy": "logged"}}
    async with http(IN_PROCESS.with_settings(documents={"trusted": trusted})) as client:
        assert (await client.post("/graphql", json={"doc_id": "1"})).json() == ANSWER
        assert (await client.post("/graphql", json=ME)).json() == ANSWER
        for body in ({"query": "{ users { name } }"}, {"query": "{ users { id } }", "id": "1"}):
            refused = await client.post("/graphql", json=body)
            assert (refused.status_code, code(refused)) == (403, "PERSISTED_DOCUMENT_REQUIRED")
        refused = await client.post(
            "/graphql", json={"query": "{ users { name } }"}, headers={"accept": "text/event-stream"}
        )
        assert "PERSISTED_DOCUMENT_REQUIRED" in refused.text
        legacy = {"graphql-client-name": "legacy"}
        assert "data" in (await client.post("/graphql", json={"query": "{ users { name } }"}, headers=legacy)).json()


async def test_headers_reach_a_subgraph_by_rule_alone():
    rules = {
        "propagate": ["x-request-id"],
        "subgraphs": {"accounts": {"rename": {"x-tenant": "tenant"}, "insert": {"x-from": "gateway"}}},
    }
    query = "query($n: String!) { header(name: $n) }"
    async with http(TestGateway(SHOP, behind_sockets=True).with_settings(headers=rules)) as client:
        given = {"x-request-id": "7", "x-tenant": "north", "authorization": "Bearer secret"}
        found = {}
        for name in ("x-request-id", "tenant", "x-tenant", "x-from", "authorization"):
            answer = await client.post("/graphql", json={"query": query, "variables": {"n": name}}, headers=given)
            found[name] = answer.json()["data"]["header"]
    assert found == {
        "x-request-id": "7",
        "tenant": "north",
        "x-tenant": None,
        "x-from": "gateway",
        "authorization": None,
    }


async def test_pages_of_named_origins_may_read_answers_and_others_may_not():
    kit = IN_PROCESS.with_settings(cors={"origins": [SHOP_PAGE], "headers": ["x-tenant"], "credentials": True})
    async with http(kit) as client:
        ask = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-tenant"}
        allowed = await client.options("/graphql", headers={"origin": SHOP_PAGE, **ask})
        refused = await client.options("/graphql", headers={"origin": "https://evil.example", **ask})
        answer = await client.post("/graphql", json=ME, headers={"origin": SHOP_PAGE})
        other = await client.post("/graphql", json=ME, headers={"origin": "https://evil.example"})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SHOP_PAGE)
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
    assert answer.headers["access-control-allow-origin"] == SHOP_PAGE
    assert "access-control-allow-origin" not in other.headers


async def test_sockets_of_pages_follow_the_same_rule():
    kit = IN_PROCESS.with_settings(cors={"origins": [SHOP_PAGE]})
    async with kit.serve() as address:
        url = f"{address.replace('http', 'ws')}/graphql"
        async with connect(url, origin=SHOP_PAGE, subprotocols=["graphql-transport-ws"]) as socket:
            assert socket.subprotocol == "graphql-transport-ws"
        async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:
            assert socket.subprotocol == "graphql-transport-ws"
        with pytest.raises(InvalidStatus):
            async with connect(url, origin="https://evil.example", subprotocols=["graphql-transport-ws"]):
                pass


async def test_without_named_origins_sockets_of_other_pages_are_refused():
    async with IN_PROCESS.serve() as address:
        url = f"{address.replace('http', 'ws')}/graphql"
        async with connect(url, origin=address, subprotocols=["graphql-transport-ws"]) as socket:
            assert socket.subprotocol == "graphql-transport-ws"
        with pytest.raises(InvalidStatus):
            async with connect(url, origin=SHOP_PAGE, subprotocols=["graphql-transport-ws"]):
                pass


async def test_a_get_without_a_header_that_browsers_ask_for_is_refused_where_that_is_set():
    params = {"query": ME["query"]}
    async with http(IN_PROCESS.with_settings(csrf={"protect_get": True})) as client:
        refused = await client.get("/graphql", params=params)
        allowed = await client.get("/graphql", params=params, headers={"apollo-require-preflight": "1"})
        typed = await client.get("/graphql", params=params, headers={"content-type": "application/json"})
        simple = await client.get("/graphql", params=params, headers={"content-type": "text/plain"})
        posted = await client.post("/graphql", json=ME)
    assert (refused.status_code, code(refused)) == (simple.status_code, code(simple)) == (403, "CSRF_PREVENTED")
    assert allowed.json() == typed.json() == posted.json() == ANSWER


async def test_every_answer_has_the_headers_of_the_settings():
    kit = IN_PROCESS.with_settings(server={"response_headers": {"Strict-Transport-Security": "max-age=1"}})
    async with http(kit) as client:
        for path in ("/health/live", "/nowhere"):
            assert (await client.get(path)).headers["strict-transport-security"] == "max-age=1"
        assert (await client.post("/graphql", json=ME)).headers["strict-transport-security"] == "max-age=1"

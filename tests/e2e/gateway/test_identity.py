"""Tokens and keys as clients show them, over HTTP and WebSocket, with the keys of the issuer served by HTTP."""

from __future__ import annotations

import hashlib

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

from tests.e2e.gateway.test_gateway import IN_PROCESS, http
from tests.support.serving import serve_asgi
from tests.support.signing import Signer, key_set

SIGNER = Signer("one")
EMAIL = "{ me { email } }"


async def publish(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": key_set(SIGNER)})


async def test_a_token_of_the_issuer_opens_protected_fields_in_header_cookie_and_connection_init():
    async with serve_asgi(publish) as issuer:
        tokens = {"key_sets": [{"url": f"{issuer}/keys", "issuer": "us"}], "cookie": "session"}
        kit = IN_PROCESS.with_settings(identity={"tokens": tokens})
        token = SIGNER.token(iss="us")
        async with kit.serve() as address:
            async with http(kit) as client:
                for headers in ({"authorization": f"Bearer {token}"}, {"cookie": f"session={token}"}):
                    answer = await client.post("/graphql", json={"query": EMAIL}, headers=headers)
                    assert answer.json() == {"data": {"me": {"email": "ada@example.com"}}}
                anonymous = await client.post("/graphql", json={"query": EMAIL})
                assert anonymous.json()["data"] == {"me": {"email": None}}
                wrong = {"authorization": f"Bearer {SIGNER.token(iss='them')}"}
                refused = await client.post("/graphql", json={"query": EMAIL}, headers=wrong)
                assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (
                    401,
                    "UNAUTHENTICATED",
                )
                assert refused.headers["www-authenticate"] == "Bearer"
            url = f"{address.replace('http', 'ws')}/graphql"
            transport = WebsocketsTransport(url=url, init_payload={"authorization": f"Bearer {token}"})
            async with Client(transport=transport) as session:
                assert await session.execute(gql(EMAIL)) == {"me": {"email": "ada@example.com"}}


async def test_without_keys_a_token_is_answered_with_503_and_anonymous_requests_as_before(tmp_path):
    tokens = {"key_sets": [{"file": str(tmp_path / "nowhere")}]}
    async with http(IN_PROCESS.with_settings(identity={"tokens": tokens})) as client:
        headers = {"authorization": f"Bearer {SIGNER.token()}"}
        refused = await client.post("/graphql", json={"query": EMAIL}, headers=headers)
        allowed = await client.post("/graphql", json={"query": "{ me { name } }"})
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "10"
    assert refused.json()["errors"][0]["extensions"] == {"code": "IDENTITY_UNAVAILABLE", "retryable": True}
    assert allowed.json() == {"data": {"me": {"name": "Ada"}}}


async def test_an_api_key_opens_what_its_principal_may_see_and_nobody_else_is_served_where_that_is_set():
    key = {"sha256": hashlib.sha256(b"a random key").hexdigest(), "subject": "partner", "scopes": ["salary:read"]}
    kit = IN_PROCESS.with_settings(identity={"api_keys": [key], "anonymous": False})
    async with http(kit) as client:
        query = {"query": "{ me { salary } }"}
        allowed = await client.post("/graphql", json=query, headers={"x-api-key": "a random key"})
        wrong = await client.post("/graphql", json=query, headers={"x-api-key": "a random kez"})
        nothing = await client.post("/graphql", json={"query": "{ me { name } }"})
    assert allowed.json() == {"data": {"me": {"salary": 100}}}
    assert wrong.status_code == nothing.status_code == 401
    async with kit.serve() as address:
        transport = WebsocketsTransport(url=f"{address.replace('http', 'ws')}/graphql")
        with pytest.raises((ConnectionClosed, TransportError)):
            async with Client(transport=transport):
                pass

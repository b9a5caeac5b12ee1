"""Every refusal by rights is told with who, what and by which operation, and never with what proves anything."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gateway.policies.audit_log import MAX_COORDINATES, MAX_LINES, AuditLog
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from tests.e2e.gateway.test_gateway import IN_PROCESS, http
from tests.support.signing import Signer, key_set

KEY = "a random key that nobody must read"
SALARY = "query Salary { me { name salary } }"
"""For holders of a scope; it is never null, so it cannot be left out."""

EMAIL = "query Email { me { name email } }"
"""For everybody who is signed in; it may be null."""

WEB = {"graphql-client-name": "web"}
KEYS = [{"sha256": hashlib.sha256(KEY.encode()).hexdigest(), "subject": "partner"}]
KIT = IN_PROCESS.with_settings(identity={"api_keys": KEYS}, telemetry={"metrics": True, "request_log": "none"})


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def figure(client: httpx.AsyncClient, outcome: str) -> str:
    name = f'gateway_authorization_refused_total{{outcome="{outcome}"}} '
    lines = (await client.get("/metrics")).text.splitlines()
    return next((line.removeprefix(name) for line in lines if line.startswith(name)), "0")


async def test_fields_that_are_left_out_are_told_with_operation_and_coordinates():
    with capture_logs() as lines:
        async with http(KIT) as client:
            for _ in range(2):  # the second one is prepared already
                assert (await client.post("/graphql", json={"query": EMAIL}, headers=WEB)).status_code == 200
            assert await figure(client, "filtered") == "2.0"
    expected = {
        "event": "authorization_refused",
        "log_level": "warning",
        "outcome": "filtered",
        "code": "UNAUTHORIZED_FIELD_OR_TYPE",
        "subject": None,
        "client": "web",
        "address": "127.0.0.1",
        "operation": "Email",
        "operation_hash": hash_of(EMAIL),
        "coordinates": ["User.email"],
    }
    assert lines == [expected, expected]


@pytest.mark.parametrize(
    ("settings", "query", "code", "coordinates"),
    [
        pytest.param({}, SALARY, "UNAUTHORIZED_FIELD_OR_TYPE", ["User.salary"], id="a field that is never null"),
        pytest.param(
            {"authorization": {"mode": "reject"}}, SALARY, "UNAUTHORIZED_FIELD_OR_TYPE", ["User.salary"], id="rejecting"
        ),
        pytest.param(
            {"introspection": {"enabled": False}},
            "{ __schema { queryType { name } } }",
            "INTROSPECTION_DISABLED",
            ["__schema"],
            id="introspection",
        ),
    ],
)
async def test_a_refused_operation_is_told_once(
    settings: dict[str, Any], query: str, code: str, coordinates: list[str]
):
    with capture_logs() as lines:
        async with http(KIT.with_settings(**settings)) as client:
            answer = (await client.post("/graphql", json={"query": query}, headers={"x-api-key": KEY})).json()
            assert await figure(client, "rejected") == "1.0"
    assert answer["errors"][0]["extensions"] == {"code": code, "coordinates": coordinates}
    assert [(line["event"], line["outcome"], line["code"], line["subject"], line["coordinates"]) for line in lines] == [
        ("authorization_refused", "rejected", code, "partner", coordinates)
    ]
    assert lines[0]["operation_hash"] == hash_of(query)


async def test_credentials_that_are_not_valid_are_told_without_them(tmp_path):
    signer = Signer("one")
    keys = tmp_path / "keys.json"
    keys.write_bytes(key_set(signer))
    token = signer.token(iss="them")
    identity = {"tokens": {"key_sets": [{"file": str(keys), "issuer": "us"}]}, "api_keys": KEYS}
    kit = KIT.with_settings(identity=identity)
    with capture_logs() as lines:
        async with kit.serve() as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
            wrong: list[dict[str, str]] = [{"authorization": f"Bearer {token}"}, {"x-api-key": f"{KEY}!"}]
            for headers in wrong:
                assert (await client.post("/graphql", json={"query": SALARY}, headers=headers)).status_code == 401
            url = f"{address.replace('http', 'ws')}/graphql"
            async with asyncio.timeout(30), connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
                init = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
                await socket.send(json.dumps(init))
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
            assert await figure(client, "unauthenticated") == "3.0"
    assert [(line["event"], line["code"], line["address"]) for line in lines] == [
        ("authentication_refused", "UNAUTHENTICATED", "127.0.0.1")
    ] * 3
    assert token not in str(lines)
    assert KEY not in str(lines)


async def test_a_subscription_is_told_as_well():
    query = 'subscription { priceChanged(upcs: ["table"]) { upc reviews { author { email } } } }'
    with capture_logs() as lines:
        async with http(KIT) as client:
            await client.post("/graphql", json={"query": query}, headers={"accept": "text/event-stream"})
    assert [line["coordinates"] for line in lines] == [["User.email"]]


async def test_nothing_is_written_where_it_is_switched_off_but_everything_counted():
    kit = KIT.with_settings(telemetry={"metrics": True, "audit_refusals": False, "request_log": "none"})
    with capture_logs() as lines:
        async with http(kit) as client:
            await client.post("/graphql", json={"query": EMAIL})
            assert await figure(client, "filtered") == "1.0"
    assert lines == []


def test_lines_of_a_second_are_bounded_and_what_was_left_out_is_told():
    now = 7.0
    log = AuditLog(is_on=True, clock=lambda: now)
    context = RequestContext(Principal("ann"))
    with capture_logs() as lines:
        for _ in range(MAX_LINES + 5):
            log.unauthenticated("UNAUTHENTICATED", context.client)
        assert len(lines) == MAX_LINES
        now = 8.0
        log.unauthorized("filtered", "CODE", None, "hash", (f"A.f{n:02}" for n in range(MAX_COORDINATES + 3)), context)
    assert lines[-1]["left_out_before"] == 5
    assert lines[-1]["more_coordinates"] == 3
    assert len(lines[-1]["coordinates"]) == MAX_COORDINATES

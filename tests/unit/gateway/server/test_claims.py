"""Subgraphs learn who asks from a header that only the gateway can make."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from gateway.bootstrap import build_gateway
from gateway.composition import SubgraphSource, compose
from gateway.config import settings_from
from gateway.errors import ConfigError
from gateway.executor.context import ExecutionContext
from gateway.server.claims import ClaimsSigner
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.request import RequestContext
from tests.support.fake_transport import FakeTransport

KEY = "a secret of subgraphs"
ANN = Principal("user:ann", frozenset({"b", "a"}), claims=(("accounts", ("acc_1",)), ("roles", ("SALES",))))


def opened(value: str, key: str = KEY) -> dict[str, Any]:
    version, payload, signature = value.split(".")
    assert version == "v1"
    expected = hmac.new(key.encode(), f"v1.{payload}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == expected
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def test_the_header_holds_the_claims_and_is_signed():
    name, value = ClaimsSigner("crossdock-claims", KEY, 60, clock=lambda: 1000.0).header(ANN)
    assert name == "crossdock-claims"
    assert opened(value) == {
        "sub": "user:ann",
        "scopes": ["a", "b"],
        "roles": ["SALES"],
        "accounts": ["acc_1"],
        "exp": 1060,
    }


def test_strangers_are_told_to_be_strangers():
    assert opened(ClaimsSigner("c", KEY, 60).header(ANONYMOUS)[1])["sub"] is None


def test_a_claim_cannot_pose_as_the_subject():
    sly = Principal("user:ann", claims=(("sub", "user:root"), ("exp", 9_999_999_999)))
    claims = opened(ClaimsSigner("c", KEY, 60, clock=lambda: 0.0).header(sly)[1])
    assert (claims["sub"], claims["exp"]) == ("user:ann", 60)


def test_a_header_serves_for_half_of_its_life():
    now = [0.0]
    signer = ClaimsSigner("c", KEY, 60, clock=lambda: now[0])
    first = signer.header(ANN)
    now[0] = 29.0
    assert signer.header(ANN) is first
    now[0] = 31.0
    assert opened(signer.header(ANN)[1])["exp"] == 91


def test_clients_must_not_set_the_header():
    with pytest.raises(ConfigError, match="clients must not be able to set it"):
        settings_from({"headers": {"propagate": ["Crossdock-Claims"]}, "identity": {"subgraph_claims": {"key": KEY}}})


async def test_every_request_to_a_subgraph_carries_it():
    subgraph = FakeTransport(lambda _: {"data": {"x": 1}})
    settings = settings_from({"identity": {"subgraph_claims": {"key": KEY}}})
    async with build_gateway(supergraph(), {"a": subgraph}, settings) as gateway:
        await gateway.execute("{ x }", context=RequestContext(ANN))
    assert opened(dict(subgraph.seen[0].headers)["crossdock-claims"])["sub"] == "user:ann"


async def test_each_event_of_a_subscription_is_completed_with_a_header_of_its_own_time():
    now = [0.0]
    signer = ClaimsSigner("c", KEY, 60, clock=lambda: now[0])
    context = ExecutionContext({}, headers=(), renew_headers=lambda: (signer.header(ANN),))
    expiries = []
    for moment in (0.0, 100.0, 200.0):
        now[0] = moment
        expiries.append(opened(dict(context.for_event().headers)["c"])["exp"])
    assert expiries == [60, 160, 260]


def supergraph() -> str:
    return str(compose([SubgraphSource(name="a", url="http://a", sdl="type Query { x: Int }")]).supergraph)

"""Which headers reach a subgraph."""

from __future__ import annotations

import pytest

from gateway.config import settings_from
from gateway.errors import ConfigError
from gateway.policies.header_rules import HeaderRules
from gateway.transport.base import SubgraphRequest
from tests.support.fake_transport import FakeTransport

CLIENT = (("x-request-id", "1"), ("authorization", "Bearer t"), ("x-tenant", "t"))


async def sent(settings: dict, subgraph: str = "orders", extra: tuple = ()) -> dict[str, str]:
    """Return the headers that a subgraph gets of a client that sends ``CLIENT``."""
    rules = HeaderRules(settings_from({"headers": settings}).headers)
    captured = tuple(item for item in CLIENT if item[0] in rules.captured)
    inner = FakeTransport()
    await rules.wrap(subgraph, inner).send(SubgraphRequest(b"{}", (*captured, *extra)))
    return dict(inner.seen[0].headers)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, {}, id="nothing unless it is named"),
        pytest.param({"propagate": ["X-Request-Id"]}, {"x-request-id": "1"}, id="propagate"),
        pytest.param({"rename": {"x-tenant": "tenant"}}, {"tenant": "t"}, id="rename"),
        pytest.param(
            {"propagate": ["x-tenant"], "rename": {"x-tenant": "tenant"}}, {"x-tenant": "t", "tenant": "t"}, id="both"
        ),
        pytest.param({"insert": {"x-from": "gateway"}}, {"x-from": "gateway"}, id="insert"),
        pytest.param({"propagate": ["x-tenant"], "insert": {"x-tenant": "ours"}}, {"x-tenant": "ours"}, id="ours wins"),
        pytest.param(
            {"propagate": ["x-tenant", "x-request-id"], "remove": ["x-tenant"]}, {"x-request-id": "1"}, id="remove"
        ),
        pytest.param(
            {"propagate": ["x-request-id"], "subgraphs": {"orders": {"propagate": ["authorization"]}}},
            {"x-request-id": "1", "authorization": "Bearer t"},
            id="more for one subgraph",
        ),
        pytest.param(
            {"propagate": ["x-request-id"], "subgraphs": {"stock": {"propagate": ["authorization"]}}},
            {"x-request-id": "1"},
            id="what another subgraph gets stays there",
        ),
        pytest.param(
            {"propagate": ["x-tenant"], "subgraphs": {"orders": {"remove": ["x-tenant"]}}},
            {},
            id="less for one subgraph",
        ),
    ],
)
async def test_a_subgraph_gets_what_the_rules_say(settings, expected):
    assert await sent(settings) == expected


async def test_headers_of_the_gateway_itself_pass():
    given = {"rename": {"x-tenant": "tenant"}}
    assert await sent(given, extra=(("crossdock-claims", "v1"),)) == {"tenant": "t", "crossdock-claims": "v1"}


async def test_subscriptions_get_the_same_headers():
    rules = HeaderRules(settings_from({"headers": {"insert": {"x-from": "gateway"}}}).headers)
    seen: list[SubgraphRequest] = []

    class Streams(FakeTransport):
        def subscribe(self, request: SubgraphRequest):
            seen.append(request)
            return super().subscribe(request)

    transport = rules.wrap("orders", Streams())
    assert [event async for event in transport.subscribe(SubgraphRequest(b"{}"))] == []
    assert seen[0].headers == (("x-from", "gateway"),)


def test_without_a_rule_that_changes_something_nothing_is_put_in_the_way():
    rules = HeaderRules(settings_from({"headers": {"propagate": ["a"]}}).headers)
    transport = FakeTransport()
    assert rules.wrap("orders", transport) is transport


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"propagate": ["Host"]}, "host belongs to one connection"),
        ({"insert": {"content-type": "x"}}, "content-type belongs to one connection"),
        ({"rename": {"a": "sec-websocket-key"}}, "sec-websocket-key belongs to one connection"),
        ({"propagate": ["a b"]}, "'a b' is no name of a header"),
        ({"insert": {"a": "x\r\nb: c"}}, "printable ASCII characters only"),
    ],
)
def test_a_rule_that_would_break_requests_is_refused_at_start(settings, message):
    with pytest.raises(ConfigError) as caught:
        settings_from({"headers": settings})
    assert message in caught.value.message


@pytest.mark.parametrize(
    "headers",
    [
        {"propagate": ["crossdock-claims"]},
        {"rename": {"x": "Crossdock-Claims"}},
        {"subgraphs": {"orders": {"insert": {"crossdock-claims": "x"}}}},
    ],
)
def test_no_rule_may_touch_the_signed_claims(headers):
    with pytest.raises(ConfigError, match="which the gateway signs"):
        settings_from({"headers": headers, "identity": {"subgraph_claims": {"key": "k" * 16}}})

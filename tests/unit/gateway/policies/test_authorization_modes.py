"""What happens to closed fields: answered as null, refused, or only logged."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.errors import RequestError
from gateway.planner import Planner
from gateway.policies.policy_set import compile_policies
from gateway.server.pipeline import Pipeline
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.request import GraphQLRequest, RequestContext
from gateway.server.rules import Rules
from gateway.supergraph import parse_supergraph
from tests.support.fake_transport import FakeTransport
from tests.unit.gateway.server.test_pipeline import SDL, run

ITEMS = "{ items { id price } }"


ANSWER = {"items": [{"id": "1", "price": 2}], "open": 1}
FEED = f"{SDL} type Subscription {{ seen: Int @authenticated told: Int }}"


def pipeline(sdl: str = SDL, answer: dict[str, Any] = ANSWER, **authorization: Any) -> Pipeline:
    composed = compose_or_raise([SubgraphSource(name="s", url="http://s", sdl=sdl)])
    supergraph = parse_supergraph(str(composed.supergraph))
    transport = FakeTransport(lambda _: {"data": answer})
    policies = compile_policies(settings_from({"authorization": authorization}))
    return Pipeline(supergraph, Planner(supergraph), {"s": transport}, Rules(policies))


@pytest.mark.parametrize(
    ("directive", "may", "may_not"),
    [
        ("@authenticated", Principal("ann"), ANONYMOUS),
        (
            '@requiresScopes(scopes: [["read", "more"], ["all"]])',
            Principal("ann", frozenset({"all"})),
            Principal("ann", frozenset({"read", "other"})),
        ),
        (
            '@policy(policies: [["staff", "day"], ["owner"]])',
            Principal("ann", policies=frozenset({"staff", "day"})),
            Principal("ann", frozenset({"owner"}), frozenset({"staff"})),
        ),
    ],
    ids=["@authenticated", "@requiresScopes", "@policy"],
)
@pytest.mark.parametrize("mode", ["filter", "reject"])
async def test_each_directive_closes_a_field_to_who_lacks_the_right_and_to_nobody_else(directive, may, may_not, mode):
    link = 'import: ["@authenticated", "@requiresScopes", "@policy"]'
    sdl = f"""
        extend schema @link(url: "https://specs.apollo.dev/federation/v2.6", {link})
        type Query {{ open: Int closed: Int {directive} }}
    """
    pipe = pipeline(sdl, answer={"open": 1, "closed": 2}, mode=mode)
    assert await run(pipe, "{ open closed }", may) == {"data": {"open": 1, "closed": 2}}
    refused = await run(pipe, "{ open closed }", may_not)
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["UNAUTHORIZED_FIELD_OR_TYPE"]
    assert refused.get("data") == ({"open": 1, "closed": None} if mode == "filter" else None)
    assert await run(pipe, "{ open }", may_not) == {"data": {"open": 1}}


async def test_rejecting_refuses_the_whole_operation_and_names_the_fields():
    pipe = pipeline(mode="reject")
    refused = await run(pipe, ITEMS)
    assert refused.get("data") is None
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"
    assert "Item.price" in refused["errors"][0]["message"]
    assert (await run(pipe, "{ items { id } }"))["data"] == {"items": [{"id": "1"}]}
    assert (await run(pipe, ITEMS, Principal("ann")))["data"] == {"items": [{"id": "1", "price": 2}]}


@pytest.mark.parametrize("mode", ["filter", "reject"])
async def test_a_dry_run_answers_everything_and_logs_what_would_be_closed(mode, caplog):
    pipe = pipeline(mode=mode, dry_run=True)
    assert await run(pipe, f"query Items {ITEMS}") == {"data": {"items": [{"id": "1", "price": 2}]}}
    assert "operation Items would be denied Item.price" in caplog.text


@pytest.mark.parametrize("mode", ["filter", "reject"])
async def test_a_subscription_to_a_closed_field_is_refused_and_to_another_or_by_another_is_not(mode):
    pipe = pipeline(FEED, mode=mode)
    context = RequestContext(ANONYMOUS)
    with pytest.raises(RequestError) as refused:
        await pipe.open(GraphQLRequest("subscription { seen }"), context)
    assert (refused.value.code, refused.value.http_status) == ("UNAUTHORIZED_FIELD_OR_TYPE", 403)
    assert refused.value.extensions == {"coordinates": ["Subscription.seen"]}
    await pipe.open(GraphQLRequest("subscription { told }"), context)
    await pipe.open(GraphQLRequest("subscription { seen }"), RequestContext(Principal("ann")))

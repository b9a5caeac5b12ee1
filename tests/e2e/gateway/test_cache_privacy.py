"""Who may be answered with what was fetched for another: nobody, unless it was said that it is for everybody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.bootstrap import Gateway
from gateway.server.principal import ANONYMOUS, Principal
from gateway.server.request import RequestContext
from tests.support.kept_world import KeptWorld

ME = "{ me { name } }"
SECRET = "{ me { secret } }"
KEY = "a key of sixteen characters or more"


def signed_in(subject: str, **more: Any) -> Principal:
    return Principal(subject, **more)


def asking(principal: Principal = ANONYMOUS, **headers: str) -> RequestContext:
    return RequestContext(principal, tuple((name.replace("_", "-"), value) for name, value in headers.items()))


async def names(gateway: Gateway, contexts: list[RequestContext], query: str = ME) -> list[Any]:
    found = []
    for context in contexts:
        result = await gateway.execute(query, context=context)
        assert result.errors == []
        found.append(next(iter(result.data["me"].values())))
    return found


ANN, BO = asking(authorization="ann"), asking(authorization="bo")
PASSES = {"propagate": ["authorization", "x-who", "accept-language", "cookie"]}


@pytest.mark.parametrize(
    ("says", "settings", "one", "other", "is_shared"),
    [
        pytest.param("max-age=60", {}, ANN, BO, False, id="a token is passed on and nothing is said"),
        pytest.param("max-age=60", {}, ANN, ANN, True, id="the same token"),
        pytest.param("max-age=60", {}, ANN, asking(), False, id="a token, then none"),
        pytest.param("max-age=60", {}, asking(), ANN, False, id="no token, then one"),
        pytest.param("public, max-age=60", {}, ANN, BO, True, id="the subgraph says that it is public"),
        pytest.param("s-maxage=60", {}, ANN, BO, True, id="s-maxage says so too"),
        pytest.param("max-age=60", {"scope": "public"}, ANN, BO, True, id="the settings say that it is public"),
        pytest.param("private, max-age=60", {"scope": "public"}, ANN, BO, False, id="the subgraph knows better"),
        pytest.param("public, max-age=60", {"scope": "private"}, ANN, BO, False, id="the settings make all private"),
        pytest.param("private, max-age=60", {}, ANN, BO, False, id="the subgraph says that it is private"),
        pytest.param("private, max-age=60", {}, ANN, ANN, True, id="private, to the same"),
        pytest.param("private, max-age=60", {}, asking(), asking(), False, id="private, and nobody is known"),
        pytest.param(
            "max-age=60",
            {},
            asking(cookie="session=a"),
            asking(cookie="session=b"),
            False,
            id="cookies are credentials",
        ),
        pytest.param(
            "max-age=60", {}, asking(x_who="ann"), asking(x_who="bo"), False, id="another header is passed on"
        ),
        pytest.param(
            "public, max-age=60", {}, asking(x_who="ann"), asking(x_who="bo"), False, id="such a header, though public"
        ),
        pytest.param("max-age=60", {}, asking(x_who="ann"), asking(x_who="ann"), True, id="the same header"),
    ],
)
async def test_an_answer_is_shared_only_by_those_whom_it_is_for(says, settings, one, other, is_shared):
    world = KeptWorld()
    world.catalog.says = says
    kit = world.kit(subgraphs={"catalog": settings}).with_settings(headers=PASSES)
    async with kit.build() as gateway:
        first, second = await names(gateway, [one, other])
    assert len(world.catalog.requests) == (1 if is_shared else 2)
    if not is_shared:
        expected = dict(other.headers).get("authorization", dict(other.headers).get("x-who", "nobody"))
        assert second == expected
    else:
        assert second == first


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        pytest.param(signed_in("ann"), signed_in("bo"), False, id="another subject"),
        pytest.param(signed_in("ann"), signed_in("ann"), True, id="the same"),
        pytest.param(
            signed_in("ann", scopes=frozenset({"a"})),
            signed_in("ann", scopes=frozenset({"b"})),
            False,
            id="other scopes",
        ),
        pytest.param(signed_in("ann", policies=frozenset({"a"})), signed_in("ann"), False, id="other policies"),
        pytest.param(
            signed_in("ann", claims=(("account", "1"),)),
            signed_in("ann", claims=(("account", "2"),)),
            False,
            id="claims",
        ),
        pytest.param(signed_in("ann"), ANONYMOUS, False, id="then a stranger"),
    ],
)
async def test_who_is_told_in_signed_claims_gets_an_answer_of_its_own(one, other, is_shared):
    world = KeptWorld()
    kit = world.kit().with_settings(identity={"subgraph_claims": {"key": KEY}})
    async with kit.build() as gateway:
        await names(gateway, [asking(one), asking(other)])
    assert len(world.catalog.requests) == (1 if is_shared else 2)


async def test_principals_of_whom_subgraphs_learn_nothing_share_answers():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        await names(gateway, [asking(signed_in("ann")), asking(signed_in("bo")), asking()])
    assert len(world.catalog.requests) == 1


async def test_a_protected_field_makes_an_answer_private():
    world = KeptWorld()
    async with world.kit().build() as gateway:
        for name in ("ann", "bo", "ann"):
            await names(gateway, [asking(signed_in(name))], SECRET)
        assert len(world.catalog.requests) == 2
        denied = await gateway.execute(SECRET)
        assert denied.data == {"me": {"secret": None}}
        assert denied.errors[0]["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"


async def test_a_protected_field_that_is_said_to_be_public_is_shared_by_those_who_may_see_it():
    world = KeptWorld()
    world.catalog.says = "public, max-age=60"
    async with world.kit().build() as gateway:
        await names(gateway, [asking(signed_in("ann")), asking(signed_in("bo"))], SECRET)
        assert len(world.catalog.requests) == 1
        denied = await gateway.execute(SECRET)
    assert denied.data == {"me": {"secret": None}}


async def test_only_the_headers_of_the_setting_make_a_difference_and_credentials_always():
    world = KeptWorld()
    kit = world.kit(vary=["x-who"]).with_settings(headers=PASSES)
    async with kit.build() as gateway:
        await names(gateway, [asking(accept_language="de"), asking(accept_language="en")])
        assert len(world.catalog.requests) == 1
        await names(gateway, [asking(x_who="ann"), asking(x_who="bo")])
        assert len(world.catalog.requests) == 3
        world.catalog.requests.clear()
        assert await names(gateway, [ANN, BO, ANN]) == ["ann", "bo", "ann"]
        assert len(world.catalog.requests) == 2


async def test_entities_are_as_private_as_fetches():
    world = KeptWorld(stock_sdl='type Product @key(fields: "upc") { upc: ID! stock: Int @authenticated }')
    world.catalog.says = "public, max-age=60"
    async with world.kit().build() as gateway:
        for name in ("ann", "bo", "ann", "bo"):
            answer = await gateway.execute("{ products { stock } }", context=asking(signed_in(name)))
            assert answer.data == {"products": [{"stock": 1}, {"stock": 2}, {"stock": 3}]}
    assert (len(world.catalog.requests), len(world.stock.requests)) == (1, 2)


async def test_those_who_miss_at_once_do_not_wait_for_the_answer_of_another_principal():

    world = KeptWorld()
    world.catalog.gate.clear()
    kit = world.kit().with_settings(headers=PASSES)
    async with kit.build() as gateway:
        both = [asyncio.create_task(names(gateway, [context])) for context in (ANN, BO)]
        async with asyncio.timeout(30):
            while len(world.catalog.requests) < 2:
                world.catalog.seen.clear()
                await world.catalog.seen.wait()
        world.catalog.gate.set()
        assert await asyncio.gather(*both) == [["ann"], ["bo"]]

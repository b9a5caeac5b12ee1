"""What extensions do for one caller never reaches another: by cache, by shared requests or by shared streams."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from gateway.bootstrap import build_gateway
from gateway.config import settings_from
from gateway.extensions import Extension, Fetch, Request
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from tests.e2e.gateway.test_stream_sharing import FOLLOW, firsts
from tests.support.event_log import log_supergraph
from tests.support.extensions import Recorder, Signer, Stamp, Teller
from tests.support.feed import Feed
from tests.support.kept_world import KeptWorld

ME = "{ me { name } }"
ADA, BO = (RequestContext(Principal(name)) for name in ("ada", "bo"))


class Blames(Extension):
    """Is not told who asks, and wants to know."""

    sees_callers = False

    async def fetch(self, fetch: Fetch) -> None:
        fetch.headers["x-who"] = str(fetch.request.principal.subject)


@pytest.mark.parametrize(
    ("extensions", "names", "asked"),
    [
        pytest.param([], ["nobody"] * 3, 1, id="no extension: kept"),
        pytest.param([Teller()], ["ada", "bo", "ada"], 3, id="one that tells who asks: nothing is kept"),
        pytest.param([Signer()], ["nobody"] * 3, 1, id="one that does the same for all: kept"),
        pytest.param([Signer(), Teller()], ["ada", "bo", "ada"], 3, id="one of each: nothing is kept"),
        pytest.param([Stamp()], ["nobody"] * 3, 1, id="one that adds to answers: kept"),
    ],
)
@pytest.mark.parametrize("cache", [{}, {"answers": True}], ids=["fetches", "answers"])
async def test_answers_are_kept_where_extensions_cannot_make_them_one_callers_own(extensions, names, asked, cache):
    world = KeptWorld()
    world.catalog.says = "public, max-age=60"
    async with world.kit(**cache).with_extensions(*extensions).build() as gateway:
        found = [await gateway.execute(ME, context=context) for context in (ADA, BO, ADA)]
    assert [result.data["me"]["name"] for result in found] == names
    assert len(world.catalog.requests) == asked


@pytest.mark.parametrize("extension", [Teller(), Signer(), Stamp()], ids=lambda one: one.name)
async def test_a_mutation_hides_what_is_kept_whatever_extensions_there_are(extension):
    world = KeptWorld()
    async with world.kit().with_extensions(extension).build() as gateway:
        query = '{ product(upc: "table") { name } }'
        assert (await gateway.execute(query, context=ADA)).data["product"]["name"] == "Table"
        await gateway.execute('mutation { rename(upc: "table", name: "Desk") { upc } }', context=ADA)
        assert (await gateway.execute(query, context=ADA)).data["product"]["name"] == "Desk"


async def test_that_nothing_is_kept_is_said_at_the_start(caplog):
    with caplog.at_level(logging.WARNING, "gateway"):
        async with KeptWorld().kit().with_extensions(Signer()).build():
            assert "no answers are kept" not in caplog.text
        async with KeptWorld().kit().with_extensions(Teller()).build():
            assert "no answers are kept" in caplog.text


async def test_an_extension_that_is_said_to_do_the_same_for_all_is_not_told_who_asks(caplog):
    world = KeptWorld()
    async with world.kit().with_extensions(Blames()).build() as gateway:
        found = await gateway.execute(ME, context=ADA)
    assert found.errors[0]["extensions"]["code"] == "EXTENSION_FAILED"
    assert "LookupError: an extension with sees_callers = False is not told" in caplog.text
    assert world.catalog.requests == []


@pytest.mark.parametrize(
    ("extensions", "streams", "stamps"),
    [
        pytest.param([], 1, 0, id="no extension"),
        pytest.param([Signer()], 1, 0, id="one that does the same for all"),
        pytest.param([Teller()], 2, 0, id="one that tells who asks"),
        pytest.param([Stamp()], 1, 2, id="one that adds to each event: one stream, results of their own"),
    ],
)
async def test_streams_are_shared_where_extensions_cannot_make_them_one_callers_own(extensions, streams, stamps):
    feed = Feed()
    settings = settings_from({}, {})
    built = build_gateway(log_supergraph(), {"log": feed}, settings, extensions=extensions)
    async with asyncio.timeout(30), built as gateway:
        followed = [gateway.subscribe(FOLLOW, context=ADA) for _ in range(2)]
        found = await firsts(feed, followed)
        assert len(feed.streams) == streams
        assert [result.data for result in found] == [{"changed": {"n": 1}}] * 2
        assert (found[0] is found[1]) == (stamps == 0 and streams == 1)
        assert sum(result.extensions == {"stamp": "stamped"} for result in found) == stamps
        for stream in followed:
            await stream.aclose()


class Marks(Extension):
    """Leaves in the context who asks, and reads it with the answer."""

    async def request(self, request: Request) -> None:
        request.context["who"] = request.principal.subject

    async def response(self, request: Request, answer: Any) -> None:
        answer.extensions["who"] = request.context["who"]


async def test_each_follower_of_one_stream_has_a_context_of_its_own():
    feed = Feed()
    settings = settings_from({"subscriptions": {"public_fields": ["Subscription.changed"]}}, {})
    built = build_gateway(log_supergraph(), {"log": feed}, settings, extensions=[Marks()])
    async with asyncio.timeout(30), built as gateway:
        followed = [gateway.subscribe(FOLLOW, context=context) for context in (ADA, BO)]
        found = await firsts(feed, followed)
        assert len(feed.streams) == 1
        assert [result.extensions for result in found] == [{"who": "ada"}, {"who": "bo"}]
        for stream in followed:
            await stream.aclose()


async def test_a_request_that_serves_several_passes_hooks_that_do_the_same_for_all_once():
    world, recorder = KeptWorld(), Recorder(sees_callers=False)
    world.catalog.gate.clear()
    kit = world.kit(store="none").with_settings(traffic={"share_subgraph_requests": True}).with_extensions(recorder)
    async with asyncio.timeout(30), kit.build() as gateway:
        both = asyncio.gather(*(gateway.execute(ME, context=context) for context in (ADA, BO)))
        await world.catalog.seen.wait()
        world.catalog.gate.set()
        await both
    assert len(world.catalog.requests) == len(recorder.fetches) == len(recorder.outcomes) == 1

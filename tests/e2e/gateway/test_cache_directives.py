"""What subgraphs say by ``@cacheControl`` and ``@cacheTag`` of answers whose headers say nothing."""

from __future__ import annotations

import pytest

from gateway.bootstrap import build_gateway
from gateway.composition import SubgraphSource, compose_or_raise
from gateway.config import settings_from
from gateway.errors import ErrorCode, SupergraphError
from gateway.server.principal import Principal
from gateway.server.request import RequestContext
from tests.e2e.gateway.test_cache import ask
from tests.e2e.gateway.test_cache_invalidation import PATH, SHOWN, kit, served
from tests.support.kept_world import CACHE_CONTROL, LINK, STOCK_SDL, KeptWorld

PRODUCT = '{ product(upc: "lamp") { upc name } }'
ME = "{ me { name } }"


def catalog(
    query: str = "", product: str = "", name: str = "", products: str = "", me: str = "", user: str = ""
) -> str:
    return f"""
{CACHE_CONTROL}
type Query {{ products: [Product!]! {products} product(upc: ID!): Product {query} me: User {me} fault: String }}
type Mutation {{ rename(upc: ID!, name: String!): Product lock: Boolean }}
type Product @key(fields: "upc") {product} {{ upc: ID! name: String {name} }}
type User @key(fields: "id") {user} {{ id: ID! name: String }}
"""


def quiet(sdl: str, stock_sdl: str = STOCK_SDL) -> KeptWorld:
    world = KeptWorld(sdl, stock_sdl)
    world.catalog.says = world.stock.says = None
    return world


@pytest.mark.parametrize(
    ("sdl", "says", "ttl", "is_kept"),
    [
        pytest.param(catalog(), None, None, False, id="nothing is said"),
        pytest.param(catalog(query="@cacheControl(maxAge: 60)"), None, None, True, id="the root field says it"),
        pytest.param(catalog(product="@cacheControl(maxAge: 60)"), None, None, True, id="the type it returns says it"),
        pytest.param(
            catalog(query="@cacheControl(maxAge: 0)", product="@cacheControl(maxAge: 60)"),
            None,
            None,
            False,
            id="the field goes before the type",
        ),
        pytest.param(
            catalog(query="@cacheControl(maxAge: 60)", name="@cacheControl(maxAge: 0)"),
            None,
            None,
            False,
            id="a field in it must not be kept",
        ),
        pytest.param(catalog(name="@cacheControl(maxAge: 60)"), None, None, False, id="the root field says nothing"),
        pytest.param(catalog(name="@cacheControl(maxAge: 60)"), None, "1m", True, id="the settings have a default"),
        pytest.param(
            catalog(query="@cacheControl(scope: PUBLIC)"), None, None, False, id="a scope without an age is no lifetime"
        ),
        pytest.param(
            catalog(query="@cacheControl(maxAge: 60)"), "no-store", None, False, id="its header forbids what it allows"
        ),
        pytest.param(
            catalog(query="@cacheControl(maxAge: 0)"), "max-age=60", None, False, id="it forbids what its header allows"
        ),
        pytest.param(catalog(products="@cacheControl(maxAge: 60)"), None, None, False, id="another field says it"),
    ],
)
async def test_the_directive_says_how_long_an_answer_is_kept(sdl, says, ttl, is_kept):
    world = quiet(sdl)
    world.catalog.says = says
    settings = {} if ttl is None else {"subgraphs": {"catalog": {"ttl": ttl}}}
    async with world.kit(**settings).build() as gateway:
        for _ in range(2):
            await ask(gateway, PRODUCT)
    assert len(world.catalog.requests) == (1 if is_kept else 2)


@pytest.mark.parametrize(
    ("stock", "is_kept"),
    [
        pytest.param('type Product @key(fields: "upc") { upc: ID! stock: Int }', False, id="what another says of it"),
        pytest.param(
            'type Product @key(fields: "upc") @cacheControl(maxAge: 60) { upc: ID! stock: Int }', True, id="its type"
        ),
        pytest.param(
            'type Product @key(fields: "upc") @cacheControl(maxAge: 60) '
            "{ upc: ID! stock: Int @cacheControl(maxAge: 0) }",
            False,
            id="a field of it",
        ),
        pytest.param(
            'type Product @key(fields: "upc") @cacheControl(maxAge: 60) '
            "{ upc: ID! stock: Int @cacheControl(inheritMaxAge: true) }",
            True,
            id="a field that inherits",
        ),
    ],
)
async def test_an_entity_is_kept_as_its_own_subgraph_says(stock, is_kept):
    world = quiet(catalog(product="@cacheControl(maxAge: 60)"), CACHE_CONTROL + stock)
    async with world.kit().build() as gateway:
        for _ in range(2):
            await ask(gateway, "{ products { stock } }")
    assert (len(world.catalog.requests), len(world.stock.requests)) == (1, 1 if is_kept else 2)


@pytest.mark.parametrize(
    ("sdl", "requests"),
    [
        pytest.param(catalog(me="@cacheControl(maxAge: 60)"), 2, id="nothing is said of who"),
        pytest.param(catalog(me="@cacheControl(maxAge: 60, scope: PUBLIC)"), 1, id="the field is public"),
        pytest.param(
            catalog(me="@cacheControl(maxAge: 60)", user="@cacheControl(scope: PUBLIC)"), 1, id="its type is public"
        ),
        pytest.param(
            catalog(me="@cacheControl(maxAge: 60, scope: PRIVATE)", user="@cacheControl(scope: PUBLIC)"),
            2,
            id="the field goes before its type",
        ),
    ],
)
async def test_the_directive_says_for_whom_an_answer_is(sdl, requests):
    world = quiet(sdl)
    kit = world.kit().with_settings(headers={"propagate": ["authorization"]})
    async with kit.build() as gateway:
        for name in ("ann", "bo", "ann"):
            context = RequestContext(Principal(name), (("authorization", name),))
            await ask(gateway, ME, context=context)
    assert len(world.catalog.requests) == requests


TAGGED = catalog(
    query='@cacheTag(format: "asked-{$args.upc}")',
    products='@cacheTag(format: "list")',
    product='@cacheTag(format: "product-{$key.upc}") @cacheTag(format: "products")',
)
STOCK_TAGGED = 'type Product @key(fields: "upc") @cacheTag(format: "stock-{$key.upc}") { upc: ID! stock: Int }'


@pytest.mark.parametrize(
    ("tag", "catalog_requests", "stock_requests"),
    [
        pytest.param("asked-lamp", 1, 0, id="an argument of a root field"),
        pytest.param("asked-table", 0, 0, id="another value of the argument"),
        pytest.param("list", 1, 0, id="a root field"),
        pytest.param("product-lamp", 2, 0, id="the key of an entity, wherever it is"),
        pytest.param("products", 2, 0, id="every entity of a type"),
        pytest.param("stock-lamp", 0, 1, id="an entity of a fetch of entities"),
        pytest.param("no such", 0, 0, id="a tag that nothing has"),
    ],
)
async def test_what_has_a_tag_is_asked_for_again_once_it_is_invalidated(tag, catalog_requests, stock_requests):
    world = KeptWorld(TAGGED, STOCK_TAGGED)
    queries = ["query One($upc: ID!) { product(upc: $upc) { upc stock } }", "{ products { upc name } }"]
    async with served(kit(world)) as client:

        async def ask_all() -> None:
            for query in queries:
                body = {"query": query, "variables": {"upc": "lamp"}}
                assert "errors" not in (await client.post("/graphql", json=body)).json()

        await ask_all()
        world.catalog.requests.clear()
        world.stock.requests.clear()
        answer = await client.post(PATH, json={"kind": "tag", "tag": tag}, headers=SHOWN)
        assert answer.status_code == 202
        await ask_all()
    assert (len(world.catalog.requests), len(world.stock.requests)) == (catalog_requests, stock_requests)


async def test_an_answer_whose_tag_cannot_be_told_goes_with_any_tag():
    world = KeptWorld(TAGGED, STOCK_TAGGED)
    query = {"query": "{ products { name } }"}
    async with served(kit(world)) as client:
        await client.post("/graphql", json=query)
        await client.post(PATH, json={"kind": "tag", "tag": "product-lamp"}, headers=SHOWN)
        await client.post("/graphql", json=query)
    assert len(world.catalog.requests) == 2


@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param(
            "product-{$key.upc", "subgraph catalog on Product: the brace in '{$key.upc' is not closed", id="open"
        ),
        pytest.param("", "subgraph catalog on Product: the format is empty", id="empty"),
        pytest.param(
            "product-{$args.upc}", "on Product: $args.upc stands where values come from $key", id="other root"
        ),
    ],
)
def test_a_supergraph_that_others_composed_with_a_tag_that_means_nothing_does_not_load(place, words):
    subgraphs = {"catalog": LINK + TAGGED, "stock": LINK + STOCK_TAGGED}
    sources = [SubgraphSource(name, f"http://{name}.example", sdl) for name, sdl in subgraphs.items()]
    composed = str(compose_or_raise(sources).supergraph)
    text = composed.replace("product-{$key.upc}", place)
    assert text != composed
    build_gateway(composed, settings=settings_from({"cache": {"store": "memory"}}, {}))
    build_gateway(text)  # without a cache tags mean nothing
    with pytest.raises(SupergraphError) as refusal:
        build_gateway(text, settings=settings_from({"cache": {"store": "memory"}}, {}))
    assert words in refusal.value.message
    assert refusal.value.code is ErrorCode.SUPERGRAPH_INVALID

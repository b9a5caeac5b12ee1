"""The extensions of ``docs/how-to/extensions.md``, read from the page and served with the settings of the page."""

from __future__ import annotations

import hashlib
import hmac
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from starlette.types import Receive, Scope, Send

from tests.support.testkit import TestGateway, TestSubgraphs

PAGE = Path(__file__).parents[3] / "docs/how-to/extensions.md"
KEY = "a key of thirty-two characters, or more"
ADD = 'mutation { addReview(input: {body: "good", product: "table"}) { body } }'
MODULES = ("client_rules", "signed_requests", "server_timing")


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return found


class Seen:
    """A subgraph's application that keeps the bodies and signatures of its requests."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.requests: list[tuple[bytes, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        signature = dict(scope["headers"]).get(b"x-gateway-signature", b"")
        self.requests.append((message["body"], signature.decode()))

        async def again() -> Any:
            return message

        await self._app(scope, again, send)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in blocks("python"):
        (tmp_path / text.splitlines()[0].removeprefix("# ")).write_text(text)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(MODULES)
    monkeypatch.syspath_prepend(tmp_path)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("GATEWAY_SIGNING_KEY", KEY)


@pytest_asyncio.fixture
async def page(modules: None) -> AsyncIterator[tuple[httpx.AsyncClient, Seen]]:
    """Yield a client of the gateway of the page, and what one of its subgraphs has seen."""
    shop = TestSubgraphs.shop()
    seen = Seen(shop.apps["accounts"])
    (settings,) = blocks("yaml")
    values = yaml.safe_load(settings.replace("${GATEWAY_SIGNING_KEY}", KEY))
    kit = TestGateway(TestSubgraphs(shop.sdl, {**shop.apps, "accounts": seen})).with_settings(**values)
    async with kit.serve() as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
        yield client, seen


async def ask(client: httpx.AsyncClient, query: str, program: str | None) -> httpx.Response:
    headers = {} if program is None else {"graphql-client-name": program}
    return await client.post("/graphql", json={"query": query}, headers=headers)


@pytest.mark.parametrize(
    ("query", "program", "status", "reason"),
    [
        pytest.param("{ me { name } }", "shop", 200, None, id="a known program"),
        pytest.param("{ me { name } }", "reports", 200, None, id="one that may only read, reads"),
        pytest.param(ADD, "shop", 200, None, id="one may change"),
        pytest.param("{ me { name } }", "stranger", 403, "UNKNOWN_PROGRAM", id="a stranger"),
        pytest.param("{ me { name } }", None, 403, "UNKNOWN_PROGRAM", id="one without a name"),
        pytest.param(ADD, "reports", 403, "READ_ONLY_PROGRAM", id="changes"),
        pytest.param("{ me { name reviews { body product { price } } } }", "shop", 200, None, id="three requests"),
        pytest.param(
            "{ me { reviews { product { price } } } products(first: 1) { price reviews { author { name } } } }",
            "shop",
            400,
            "TOO_MANY_FETCHES",
            id="more",
        ),
    ],
)
async def test_known_programs_pass_and_others_are_refused(page, query, program, status, reason):
    client, _ = page
    answer = await ask(client, query, program)
    assert answer.status_code == status, answer.text
    refused = [error["extensions"].get("reason") for error in answer.json().get("errors", [])]
    assert refused == ([] if reason is None else [reason])


async def test_a_subgraph_can_tell_that_the_gateway_signed_what_it_got(page):
    client, seen = page
    assert (await ask(client, "{ me { name } }", "shop")).status_code == 200
    ((body, header),) = seen.requests
    stamp, signature = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", header).groups()
    wanted = hmac.new(KEY.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, wanted)


async def test_an_answer_says_how_long_it_took_and_who_served_it(page):
    client, _ = page
    answer = await ask(client, "{ me { name } }", "shop")
    assert re.fullmatch(r"gateway;dur=\d+\.\d", answer.headers["server-timing"])
    assert answer.json() == {"data": {"me": {"name": "Ada"}}, "extensions": {"served": {"place": "eu-1", "errors": 0}}}

"""Files by the multipart request specification, passed on to one subgraph as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.file_subgraph import FILES_SDL, FileSubgraph
from tests.support.testkit import TestGateway, TestSubgraphs

STORE = "mutation($file: Upload!, $note: String) { store(file: $file, note: $note) { texts operations contentType } }"
PREFLIGHT = {"x-crossdock-request": "1", "apollo-require-preflight": "1"}
LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@shareable"])\n'
MORE_SDL = """
scalar Upload
type Query { more: Boolean }
type Mutation { keep(file: Upload!): Boolean }
"""
BOTH_WAYS = pytest.mark.parametrize("behind_sockets", [False, True], ids=["in process", "sockets"])


@asynccontextmanager
async def uploading(
    subgraph: FileSubgraph, *, behind_sockets: bool = False, most: int = 1_000_000
) -> AsyncIterator[httpx.AsyncClient]:
    subgraphs = TestSubgraphs(
        {"files": LINK + FILES_SDL, "more": LINK + MORE_SDL}, {"files": subgraph, "more": subgraph}
    )
    kit = TestGateway(subgraphs, behind_sockets).with_settings(limits={"max_upload_bytes": most})
    async with kit.serve() as address, httpx.AsyncClient(base_url=address, timeout=10) as client:
        yield client


def form(operations: Any, file_map: Any, *files: tuple[str, str]) -> list[tuple[str, Any]]:
    def text(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    head = [("operations", (None, text(operations))), ("map", (None, text(file_map)))]
    return head + [(name, (f"{name}.txt", content.encode())) for name, content in files]


async def post(client: httpx.AsyncClient, parts: Any, **headers: str) -> httpx.Response:
    return await client.post("/graphql", files=parts, headers={**PREFLIGHT, **headers})


@BOTH_WAYS
async def test_a_file_reaches_its_subgraph_with_the_other_variables(behind_sockets):
    async with uploading(FileSubgraph(), behind_sockets=behind_sockets) as client:
        operations = {"query": STORE, "variables": {"file": None, "note": "n"}}
        response = await post(client, form(operations, {"0": ["variables.file"]}, ("0", "hello")))
    stored = response.json()["data"]["store"]
    assert stored["texts"] == ["hello"]
    assert json.loads(stored["operations"]) == {"file": None, "note": "n"}
    assert stored["contentType"].startswith("multipart/form-data; boundary=")


@BOTH_WAYS
async def test_several_files_stand_where_the_map_says(behind_sockets):
    query = "mutation($files: [Upload!]!, $in: Inside) { storeAll(files: $files, inside: $in) { texts operations } }"
    operations = {"query": query, "variables": {"files": [None, None], "in": {"file": None}}}
    file_map = {"a": ["variables.files.0"], "b": ["variables.files.1", "variables.in.file"]}
    async with uploading(FileSubgraph(), behind_sockets=behind_sockets) as client:
        response = await post(client, form(operations, file_map, ("a", "one"), ("b", "two")))
    assert response.json()["data"]["storeAll"] == {
        "texts": ["one", "two"],
        "operations": '{"files":[null,null],"in":{"file":null}}',
    }


@BOTH_WAYS
async def test_a_file_is_passed_on_before_the_client_has_sent_all_of_it(behind_sockets):
    subgraph = FileSubgraph()
    head = (
        '--b\r\ncontent-disposition: form-data; name="operations"\r\n\r\n'
        + json.dumps({"query": STORE, "variables": {"file": None}})
        + '\r\n--b\r\ncontent-disposition: form-data; name="map"\r\n\r\n{"0": ["variables.file"]}\r\n'
        '--b\r\ncontent-disposition: form-data; name="0"; filename="x"\r\n\r\n'
    )

    async def body() -> AsyncIterator[bytes]:
        yield head.encode() + b"x" * 50_000
        while subgraph.bytes_seen < 50_000:
            subgraph.saw_bytes.clear()
            await subgraph.saw_bytes.wait()
        yield b"y" * 50_000 + b"\r\n--b--\r\n"

    async with asyncio.timeout(10), uploading(subgraph, behind_sockets=behind_sockets) as client:
        headers = {**PREFLIGHT, "content-type": "multipart/form-data; boundary=b"}
        response = await client.post("/graphql", content=body(), headers=headers)
    assert response.json()["data"]["store"]["texts"] == ["x" * 50_000 + "y" * 50_000]


GOOD = {"query": STORE, "variables": {"file": None}}
MAP = {"0": ["variables.file"]}
FILE = ("0", "hello")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        pytest.param(form("{", MAP, FILE), "BAD_REQUEST", id="operations are no JSON"),
        pytest.param(form([GOOD], MAP, FILE), "BAD_REQUEST", id="a batch"),
        pytest.param(form(GOOD, [], FILE), "BAD_REQUEST", id="the map is a list"),
        pytest.param(form(GOOD, {"0": ["file"]}, FILE), "BAD_REQUEST", id="a place outside the variables"),
        pytest.param(form(GOOD, {"0": "variables.file"}, FILE), "BAD_REQUEST", id="a place that is no list"),
        pytest.param(form(GOOD, {"0": ["variables.other"]}, FILE), "BAD_REQUEST", id="no such variable"),
        pytest.param(form(GOOD, {"0": ["variables.file.x"]}, FILE), "BAD_REQUEST", id="no such place"),
        pytest.param(form(GOOD, {"0": ["variables.file"] * 101}, FILE), "LIMIT_EXCEEDED", id="too many places"),
        pytest.param([("0", ("x", b"hello")), *form(GOOD, MAP)], "BAD_REQUEST", id="a file first"),
        pytest.param(form(GOOD, MAP)[:1], "BAD_REQUEST", id="no map"),
        pytest.param(
            form({**GOOD, "query": "mutation { no }"}, MAP, FILE), "GRAPHQL_VALIDATION_FAILED", id="not valid"
        ),
    ],
)
async def test_a_malformed_upload_is_refused_and_reaches_no_subgraph(parts, code):
    subgraph = FileSubgraph()
    async with uploading(subgraph) as client:
        response = await post(client, parts, accept="application/graphql-response+json")
    assert response.status_code in {400, 413}
    assert response.json()["errors"][0]["extensions"]["code"] == code
    assert subgraph.requests == 0


async def test_a_form_without_a_header_that_makes_browsers_ask_is_refused():
    subgraph = FileSubgraph()
    async with uploading(subgraph) as client:
        response = await client.post("/graphql", files=form(GOOD, MAP, FILE))
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["code"] == "CSRF_PREVENTED"
    assert subgraph.requests == 0


async def test_uploads_are_refused_unless_switched_on():
    async with uploading(FileSubgraph(), most=0) as client:
        assert (await post(client, form(GOOD, MAP, FILE))).status_code == 415


async def test_an_upload_at_the_limit_is_passed_on_and_one_above_it_refused():
    subgraph = FileSubgraph()
    size = len(httpx.Request("POST", "http://x", files=form(GOOD, MAP, ("0", "x" * 10_000))).read())
    async with uploading(subgraph, most=size) as client:
        refused = await post(client, form(GOOD, MAP, ("0", "x" * 10_001)))
        good = await post(client, form(GOOD, MAP, ("0", "x" * 10_000)))
    assert refused.status_code == 413
    assert refused.json()["errors"][0]["extensions"]["code"] == "UPLOAD_REFUSED"
    assert (good.status_code, subgraph.requests) == (200, 1)


async def test_as_many_places_as_an_upload_may_name_are_filled_and_one_more_is_refused():
    def places(count: int) -> Any:
        query = "mutation($files: [Upload!]!) { storeAll(files: $files) { texts } }"
        named = [f"variables.files.{number}" for number in range(count)]
        return form({"query": query, "variables": {"files": [None] * count}}, {"0": named}, FILE)

    async with uploading(FileSubgraph()) as client:
        refused, filled = [(await post(client, places(count))).json() for count in (101, 100)]
    assert refused["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": "upload_places", "most": 100}
    assert filled == {"data": {"storeAll": {"texts": ["hello"]}}}


@BOTH_WAYS
async def test_an_upload_over_the_limit_is_cut_off_when_it_comes_unannounced(behind_sockets):
    prepared = httpx.Request("POST", "http://x", files=form(GOOD, MAP, ("0", "x" * 300_000)))
    content = prepared.read()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 10_000):
            yield content[at : at + 10_000]

    subgraph = FileSubgraph()
    async with uploading(subgraph, behind_sockets=behind_sockets, most=100_000) as client:
        headers = {**PREFLIGHT, "content-type": prepared.headers["content-type"]}
        response = await client.post("/graphql", content=pieces(), headers=headers)
    error = response.json()["errors"][0]
    assert error["extensions"]["code"] == "UPLOAD_REFUSED"
    assert "100000 bytes" in error["message"]


async def test_files_go_to_one_subgraph_only():
    subgraph = FileSubgraph()
    query = "mutation($a: Upload!, $b: Upload!) { keep(file: $a) store(file: $b) { texts } }"
    operations = {"query": query, "variables": {"a": None, "b": None}}
    file_map = {"0": ["variables.a"], "1": ["variables.b"]}
    async with uploading(subgraph) as client:
        found = (await post(client, form(operations, file_map, FILE, ("1", "y")))).json()
    assert {error["extensions"]["code"] for error in found["errors"]} == {"UPLOAD_REFUSED"}
    assert found["data"] == {"keep": None, "store": None}
    assert subgraph.requests == 0

"""Bodies compressed in both directions, whole and in parts."""

from __future__ import annotations

import json
import zlib
from typing import Any

import httpx
import pytest

from gateway.encodings import pack, unpack
from tests.e2e.gateway.test_gateway import IN_PROCESS, PRICES, http

QUERY = {"query": "{ products(first: 1) { upc } }"}
DEFER = {"query": "{ products(first: 1) { upc ... @defer { name } } }"}
COUNT = {"query": PRICES, "variables": {"upcs": ["table", "lamp"]}}
PACKED = IN_PROCESS.with_settings(server={"compress_from_bytes": 20})
each = pytest.mark.parametrize("encoding", ["zstd", "br", "gzip"])


async def raw(client: httpx.AsyncClient, body: Any, **headers: str) -> tuple[httpx.Response, bytes]:
    """Return the answer and its bytes as they came."""
    async with client.stream("POST", "/graphql", json=body, headers=headers) as response:
        return response, b"".join([chunk async for chunk in response.aiter_raw()])


@each
async def test_an_answer_is_packed_as_the_client_wants_it(encoding):
    async with http(PACKED) as client:
        plain = (await client.post("/graphql", json=QUERY, headers={"accept-encoding": "identity"})).content
        response, body = await raw(client, QUERY, **{"accept-encoding": f"{encoding}, deflate"})
    assert response.headers["content-encoding"] == encoding
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert int(response.headers["content-length"]) == len(body)
    assert unpack(encoding, body, 10_000) == plain


@pytest.mark.parametrize(
    ("server", "encoding"),
    [
        pytest.param({"encodings": ["gzip"]}, "gzip", id="only one is offered"),
        pytest.param({"encodings": []}, None, id="none is offered"),
        pytest.param({"compress_from_bytes": None}, None, id="switched off"),
        pytest.param({"compress_from_bytes": 1_000_000}, None, id="too small"),
    ],
)
async def test_settings_say_what_is_packed(server, encoding):
    async with http(IN_PROCESS.with_settings(server={"compress_from_bytes": 20, **server})) as client:
        response, _ = await raw(client, QUERY, **{"accept-encoding": "zstd, br, gzip"})
    assert response.headers.get("content-encoding") == encoding


@each
async def test_an_answer_in_parts_is_packed_part_by_part(encoding):
    async with http(PACKED) as client:
        headers = {"accept": "multipart/mixed", "accept-encoding": encoding}
        response, body = await raw(client, DEFER, **headers)
        plain = (await client.post("/graphql", json=DEFER, headers={**headers, "accept-encoding": "identity"})).content
    assert response.headers["content-encoding"] == encoding
    assert unpack(encoding, body, 100_000) == plain


async def test_each_part_can_be_read_when_it_comes():
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    seen = []
    settings = {"compress_subscriptions": True}
    async with http(IN_PROCESS.with_settings(server=settings)) as client:
        headers = {"accept": "text/event-stream", "accept-encoding": "br, gzip"}
        async with client.stream("POST", "/graphql", json=COUNT, headers=headers) as response:
            assert response.headers["content-encoding"] == "gzip"
            async for chunk in response.aiter_raw():
                seen += unpacker.decompress(chunk).decode().split("\n\n")[:-1]
    found = [json.loads(event.partition("data: ")[2]) for event in seen if "data: " in event]
    assert [event["data"]["priceChanged"]["price"] for event in found] == [899, 6999]
    assert unpacker.eof


@pytest.mark.parametrize(
    ("server", "accepts"),
    [({}, "gzip"), ({"compress_subscriptions": True}, "br"), ({"compress_subscriptions": True, "encodings": []}, "*")],
    ids=["by default", "a client that takes no gzip", "no coding is offered"],
)
async def test_events_are_as_they_are_unless_both_sides_want_gzip(server, accepts):
    async with http(IN_PROCESS.with_settings(server=server)) as client:
        response, _ = await raw(client, COUNT, **{"accept": "text/event-stream", "accept-encoding": accepts})
    assert "content-encoding" not in response.headers


@each
async def test_a_packed_request_is_read(encoding):
    async with http(IN_PROCESS) as client:
        headers = {"content-type": "application/json", "content-encoding": encoding}
        packed = await client.post("/graphql", content=pack(encoding, json.dumps(QUERY).encode()), headers=headers)
        plain = await client.post("/graphql", json=QUERY)
    assert packed.json() == plain.json()
    assert "data" in packed.json()


@pytest.mark.parametrize(
    ("coding", "content", "status", "code"),
    [
        pytest.param("gzip", pack("gzip", b" " * 20_000_000), 413, "LIMIT_EXCEEDED", id="a bomb of gzip"),
        pytest.param("br", pack("br", b" " * 20_000_000), 413, "LIMIT_EXCEEDED", id="a bomb of Brotli"),
        pytest.param("zstd", pack("zstd", b" " * 20_000_000), 413, "LIMIT_EXCEEDED", id="a bomb of Zstandard"),
        pytest.param("gzip", b"{}", 400, "BAD_REQUEST", id="not packed"),
        pytest.param("deflate", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE", id="another coding"),
        pytest.param("gzip, br", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE", id="two codings"),
    ],
)
async def test_a_packed_request_that_cannot_be_read_is_refused(coding, content, status, code):
    async with http(IN_PROCESS) as client:
        headers = {"content-type": "application/json", "content-encoding": coding}
        answer = await client.post("/graphql", content=content, headers=headers)
        neighbour = await client.post("/graphql", json=QUERY)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)
    assert answer.headers.get("accept-encoding") == ("gzip, br, zstd" if status == 415 else None)
    assert "data" in neighbour.json()

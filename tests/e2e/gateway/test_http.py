"""GraphQL over HTTP: media types, status codes, methods, limits. One served gateway per case, real requests."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.e2e.gateway.test_gateway import IN_PROCESS, PRICES, http

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
GOOD = {"query": "{ me { name } }"}
ANSWER = {"data": {"me": {"name": "Ada"}}}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        ("*/*", JSON),
        ("application/*", GRAPHQL),
        (f"{JSON};q=0.5, {GRAPHQL};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"text/plain, {JSON};q=0.1", JSON),
    ],
)
async def test_the_media_type_is_the_one_the_client_prefers(accept, expected):
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json=GOOD, headers={"accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert response.json() == ANSWER


FAULTS = [
    pytest.param({"query": "{"}, "GRAPHQL_PARSE_FAILED", 400, 200, id="the document does not parse"),
    pytest.param({"query": "{ no }"}, "GRAPHQL_VALIDATION_FAILED", 400, 200, id="the document is not valid"),
    pytest.param({**GOOD, "operationName": "X"}, "OPERATION_RESOLUTION_FAILED", 400, 200, id="the name is unknown"),
    pytest.param(
        {"query": "query($x: Int!) { products(first: $x) { upc } }"},
        "BAD_USER_INPUT",
        400,
        200,
        id="no variable",
    ),
    pytest.param({}, "BAD_REQUEST", 400, 400, id="no query"),
    pytest.param([GOOD], "BAD_REQUEST", 400, 400, id="a batch"),
    pytest.param({"query": 3}, "BAD_REQUEST", 400, 400, id="the query is a number"),
    pytest.param({**GOOD, "variables": []}, "BAD_REQUEST", 400, 400, id="the variables are a list"),
    pytest.param({**GOOD, "operationName": 3}, "BAD_REQUEST", 400, 400, id="the name is a number"),
    pytest.param({**GOOD, "extensions": 3}, "BAD_REQUEST", 400, 400, id="the extensions are a number"),
    pytest.param({"query": "{ me { salary } }"}, "UNAUTHORIZED_FIELD_OR_TYPE", 403, 403, id="a closed field"),
    pytest.param(
        {"query": "subscription { priceChanged(upcs: []) { upc } }"}, "NOT_ACCEPTABLE", 406, 406, id="a subscription"
    ),
]


@pytest.mark.parametrize(("body", "code", "graphql_status", "json_status"), FAULTS)
async def test_a_refused_request_has_a_code_and_the_status_of_its_media_type(body, code, graphql_status, json_status):
    async with http(IN_PROCESS) as client:
        for accept, status in ((GRAPHQL, graphql_status), (JSON, json_status)):
            response = await client.post("/graphql", json=body, headers={"accept": accept})
            assert response.status_code == status
            assert {error["extensions"]["code"] for error in response.json()["errors"]} == {code}
            assert "data" not in response.json()


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_malformed_json_is_a_bad_request(accept):
    headers = {"accept": accept, "content-type": JSON}
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", content=b'{"query":', headers=headers)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("application/json", 200, None),
        ("Application/JSON; charset=UTF-8", 200, None),
        ("application/json; charset=latin-1", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/graphql", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("text/plain", 415, "CSRF_PREVENTED"),
        ("application/x-www-form-urlencoded", 415, "CSRF_PREVENTED"),
        ("multipart/form-data; boundary=x", 415, "CSRF_PREVENTED"),
    ],
)
async def test_only_json_is_read_so_that_no_other_site_can_post(content_type, status, code):
    async with http(IN_PROCESS) as client:
        response = await client.post(
            "/graphql", content=json.dumps(GOOD).encode(), headers={"content-type": content_type}
        )
    assert response.status_code == status
    assert response.json().get("errors", [{}])[0].get("extensions", {}).get("code") == code


async def test_get_runs_queries_with_variables_and_nothing_else():
    async with http(IN_PROCESS) as client:
        query = "query P($first: Int!) { products(first: $first) { upc } } query Q { me { name } }"
        params = {"query": query, "variables": '{"first": 1}', "operationName": "P"}
        assert (await client.get("/graphql", params=params)).json() == {"data": {"products": [{"upc": "table"}]}}
        mutation = 'mutation { addReview(input: {body: "b", product: "lamp"}) { body } }'
        refused = await client.get("/graphql", params={"query": mutation})
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
        assert (await client.get("/graphql", params={"query": "{"})).status_code == 200
        assert (await client.get("/graphql", params={"query": "{ me { name } }", "variables": "{"})).status_code == 400
        assert (await client.get("/graphql")).status_code == 400
        assert (await client.put("/graphql", json=GOOD)).status_code == 405


async def test_an_unknown_media_type_is_not_acceptable():
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json=GOOD, headers={"accept": "text/csv"})
    assert response.status_code == 406
    assert response.json()["errors"][0]["extensions"]["code"] == "NOT_ACCEPTABLE"


async def test_a_body_over_the_limit_is_refused_whether_announced_or_not():
    async def endless():
        for _ in range(100):
            yield b" " * 1000

    async with http(IN_PROCESS.with_settings(limits={"max_request_bytes": 2000})) as client:
        announced = await client.post("/graphql", json={"query": "#" * 3000 + "\n{ me { name } }"})
        streamed = await client.post("/graphql", content=endless(), headers={"content-type": JSON})
        good = await client.post("/graphql", json=GOOD)
    assert (announced.status_code, streamed.status_code, good.status_code) == (413, 413, 200)
    assert streamed.json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_health_tells_life_and_readiness():
    async with http(IN_PROCESS) as client:
        assert (await client.get("/health/live")).json() == {"status": "live"}
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        assert (await client.get("/nowhere")).status_code == 404


async def test_graphiql_is_served_from_the_package_under_a_strict_policy():
    examples = [{"title": "Me", "query": "{ me { name } }", "variables": {"a": 1}}]
    async with http(IN_PROCESS.with_settings(server={"examples": examples})) as client:
        page = await client.get("/", headers={"accept": "text/html"})
        script = await client.get("/graphiql/graphiql.js")
        style = await client.get("/graphiql/graphiql.css")
        settings = (await client.get("/graphiql/settings.json")).json()
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("<!doctype html>", "")
    assert script.headers["content-type"].startswith("text/javascript")
    assert len(script.content) > 100_000
    assert b".graphiql-container" in style.content
    assert settings == {"path": "/graphql", "examples": examples}
    async with http(IN_PROCESS.with_settings(server={"graphiql": False})) as client:
        assert (await client.get("/")).status_code == 404


async def test_idle_event_streams_get_comments_and_closing_them_ends_the_subscription():
    kit = IN_PROCESS.with_settings(subscriptions={"heartbeat": "50ms", "max_total": 1})
    async with http(kit) as client:
        body = {"query": PRICES, "variables": {"upcs": ["wait"]}}
        headers = {"accept": "text/event-stream"}
        async with asyncio.timeout(5), client.stream("POST", "/graphql", json=body, headers=headers) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == ":"
            crowded = await client.post("/graphql", json=body, headers=headers)
            assert crowded.status_code == 503
        await _eventually_accepted(client, headers)


async def _eventually_accepted(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    body = {"query": PRICES, "variables": {"upcs": ["table"]}}
    for _ in range(500):
        if (await client.post("/graphql", json=body, headers=headers)).status_code == 200:
            return
    pytest.fail("the closed stream still counts")


async def test_a_faulty_operation_as_event_stream_is_one_event_with_the_errors():
    async with http(IN_PROCESS) as client:
        response = await client.post("/graphql", json={"query": "{ no }"}, headers={"accept": "text/event-stream"})
    first = response.text.split("\n\n")[0]
    told = json.loads(first.removeprefix("event: next\ndata: "))
    assert told["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "data" not in told, "nothing ran"


@pytest.mark.parametrize(
    ("accept_encoding", "encoding"),
    [("gzip", "gzip"), ("br, gzip;q=0.5", "br"), ("br;q=0.4, gzip;q=0.5", "gzip"), ("identity", None)],
)
async def test_a_large_answer_is_compressed_for_a_client_that_takes_it(accept_encoding, encoding):
    async with http(IN_PROCESS.with_settings(server={"compress_from_bytes": 30})) as client:
        response = await client.post("/graphql", json=GOOD, headers={"accept-encoding": accept_encoding})
        assert response.headers.get("content-encoding") == encoding
        assert response.headers["vary"] == "Accept, Accept-Encoding"
        assert response.json() == ANSWER


@pytest.mark.parametrize("least", [4096, None])
async def test_an_answer_stays_as_it_is_when_it_is_small_or_compression_is_off(least):
    async with http(IN_PROCESS.with_settings(server={"compress_from_bytes": least})) as client:
        response = await client.post("/graphql", json=GOOD, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in response.headers


async def test_a_connection_is_kept_for_the_next_request():
    async with IN_PROCESS.serve() as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        body = json.dumps(GOOD).encode()
        head = f"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: {len(body)}\r\n\r\n"
        for _ in range(3):
            writer.write(head.encode() + body)
            async with asyncio.timeout(5):
                answer = await reader.readuntil(b'{"name":"Ada"}}}')
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" not in answer
        writer.close()

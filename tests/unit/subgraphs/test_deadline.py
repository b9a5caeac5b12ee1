# No postponed annotations: strawberry reads them.
"""A subgraph reads systems no longer than the gateway waits; mutations go on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import strawberry

from gateway.transport.base import SubgraphRequest
from gateway.transport.inprocess import InProcessTransport
from schema.enums import SourceSystem
from subgraphs.asgi import build_schema, subgraph_app
from subgraphs.claims import ClaimsReader
from subgraphs.deadline import read_deadline
from systems.circuit import Circuit
from systems.client import ClientSettings, VendorClient
from systems.deadline import left_s
from tests.support.scripted_system import Reply, scripted

HEADER = "x-crossdock-deadline-ms"


async def ask(read: Callable[[], Awaitable[str]], document: str, **headers: str) -> bytes:
    """Return the answer of a subgraph whose only fields read as they are told."""

    async def field() -> str:
        return await read()

    query = strawberry.type(type("Query", (), {"found": strawberry.field(resolver=field)}))
    mutation = strawberry.type(type("Mutation", (), {"done": strawberry.mutation(resolver=field)}))
    app = subgraph_app(
        build_schema(query, mutation), lambda principal: principal, ClaimsReader("a secret of subgraphs")
    )
    transport = InProcessTransport("s", app)
    request = SubgraphRequest(b'{"query":"%b"}' % document.encode(), tuple(headers.items()))
    try:
        return (await transport.send(request)).body
    finally:
        await transport.aclose()


async def left() -> str:
    return str(left_s())


@pytest.mark.parametrize(
    ("document", "headers", "expected"),
    [
        pytest.param("{ found }", {HEADER: "0"}, b'"found":"0.0"', id="a query ends with the patience of its caller"),
        pytest.param("{ found }", {}, b'"found":"None"', id="a caller that says nothing waits"),
        pytest.param("{ found }", {HEADER: "soon"}, b'"found":"None"', id="nonsense says nothing"),
        pytest.param("mutation { done }", {HEADER: "0"}, b'"done":"None"', id="a mutation runs to its end"),
    ],
)
async def test_the_header_bounds_the_reads_of_queries(document, headers, expected):
    assert expected in await ask(left, document, **headers)


async def test_a_system_is_given_up_when_the_gateway_waits_no_longer():
    stall = Reply(stall=True, body=b"[1, 2, 3, 4]")
    async with asyncio.timeout(30), scripted(stall) as system:
        settings = ClientSettings(system.url, timeout_s=600)
        async with VendorClient(SourceSystem.CLOUD_ERP, settings, circuit=Circuit()) as vendor:

            async def read() -> Any:
                return (await vendor.get("list orders", "/orders")).body

            answer = await ask(read, "{ found }", **{HEADER: "200"})
    assert b"the caller does not wait any longer" in answer
    assert b'"code":"SYSTEM_UNAVAILABLE"' in answer


@pytest.mark.parametrize(
    ("text", "left_s"),
    [("1500", 1.5), ("0", 0.0), ("", None), ("-1", None), ("1.5", None), ("9" * 10, None), ("\u0663", None)],
)
def test_what_is_no_number_of_milliseconds_says_nothing(monkeypatch, text, left_s):
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    found = read_deadline({HEADER: text})
    assert found == (None if left_s is None else 100.0 + left_s)

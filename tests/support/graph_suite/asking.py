"""How the suite asks: inputs with keys of their own, and streams that are followed."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from gql import Client, GraphQLRequest
from gql.transport.websockets import WebsocketsTransport

from tests.support.eventually import eventually
from tests.support.whole import Whole

BUYER = "acc_19"
"""Who orders in these tests; what the scenarios show of acc_1 stays as the world made it."""

WITHIN_S = 60.0
NUMBERS = itertools.count(1)
"""What makes keys, purchase orders and names different from each other."""

ORDER = "order { version status allowedActions lines { nodes { ordered { value } allocated { value } } } }"


def submission(*lines: tuple[str, str], account: str = BUYER, ship_to: str = "shp_19", **changes: Any) -> Any:
    """Return an order's input with a key and PO number of its own."""
    number = next(NUMBERS)
    return {
        "idempotencyKey": f"key-{number}",
        "accountId": account,
        "shipToId": ship_to,
        "channel": "MOBILE",
        "poNumber": f"PO-T{number}",
        "lines": [
            {"lineNo": place, "sku": sku, "quantity": {"value": value, "uom": "EA"}}
            for place, (sku, value) in enumerate(lines or (("VLV-0042", "2"),), 1)
        ],
        "waitMs": 10_000,
        **changes,
    }


def new_key() -> dict[str, str]:
    """Return an idempotency key as a part of an input."""
    return {"idempotencyKey": f"key-{next(NUMBERS)}"}


@asynccontextmanager
async def following(whole: Whole, query: str, variables: dict[str, Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """Subscribe with gql over WebSocket, as whoever the client is."""
    shown = {name: value for name, value in whole.http.headers.items() if name == "authorization"}
    transport = WebsocketsTransport(url=whole.url.replace("http", "ws") + "/graphql", init_payload=shown)
    async with Client(transport=transport) as session:
        stream = session.subscribe(GraphQLRequest(query, variable_values=variables))
        try:
            yield stream
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


async def until(stream: AsyncIterator[Any], wanted: Any) -> list[Any]:
    """Return what a stream brings up to the first event that is wanted."""
    found: list[Any] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            async for event in stream:
                found.append(event)
                if wanted(event):
                    return found
    except TimeoutError:
        raise AssertionError(f"nothing wanted came within {WITHIN_S} s, only {found}") from None
    raise AssertionError(f"the stream ended after {found}")


@asynccontextmanager
async def events_of(
    whole: Whole, asked: dict[str, Any], after: str | None = None
) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """Subscribe over server-sent events as a browser does; each event comes with its id."""
    headers = {"accept": "text/event-stream"} | ({} if after is None else {"last-event-id": after})
    async with whole.http.stream("POST", "/graphql", json=asked, headers=headers, timeout=WITHIN_S) as answer:
        yield _events(answer)


async def _events(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    event_id = ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            event_id = value
        elif name == "data" and value.startswith("{"):
            payload = json.loads(value)
            assert "errors" not in payload, payload
            yield event_id, payload["data"]


async def story_of(whole: Whole, number: str, state: str) -> dict[str, Any]:
    """Return an order with its story once its first process has a state."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            found: dict[str, Any] = (await whole.play("lineage", number=number))["orderByNumber"]
            if found["processes"] and found["processes"][0]["state"] == state:
                return found
            await asyncio.sleep(0.05)


async def edit_in_crm(whole: Whole, record: str, values: dict[str, Any]) -> None:
    """Change a record of the CRM, such as ``Account/acc_9``, as a person there does."""
    settings, crm = whole.settings.systems.crm, whole.sandboxes["crm"]
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
    }
    token = (await crm.http.post("/services/oauth2/token", data=form)).json()["access_token"]
    name, key = record.split("/")
    path = f"/services/data/v62.0/sobjects/{name}/Crossdock_Id__c/{key}"
    answer = await crm.http.patch(path, json=values, headers={"authorization": f"Bearer {token}"})
    answer.raise_for_status()


async def order_that_is(whole: Whole, order_id: str, status: str) -> dict[str, Any]:
    """Return an order once it has a status: a busy machine answers a change before it is decided."""

    async def ask() -> dict[str, Any]:
        found = await whole.data(
            f"query ($id: ID!) {{ {ORDER.replace('order {', 'order(id: $id) {')} }}", {"id": order_id}
        )
        order: dict[str, Any] = found["order"]
        return order

    return await eventually(ask, lambda order: order["status"] == status)

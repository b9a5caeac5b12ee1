"""The door for webhooks over a real inbox: what is not signed, too old or malformed is refused and not stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest

from crossdock.webhooks import Sender, webhook_routes
from events.inbox import Inbox, InboxMessage
from sandbox.kit.webhooks import signature
from schema.enums import SourceSystem
from systems.platform.database import Database
from systems.webhooks import MAX_BODY_BYTES

SECRET = "a secret of the warehouse"
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
AT = str(int(NOW.timestamp()))


class StoppedClock:
    def now(self) -> datetime:
        return NOW


class Door:
    """The door, how often it woke somebody, and what came through."""

    def __init__(self, http: httpx.AsyncClient, inbox: Inbox, wakings: Sequence[None]) -> None:
        self._http = http
        self._inbox = inbox
        self._wakings = wakings

    @property
    def woken(self) -> int:
        return len(self._wakings)

    async def send(self, body: Any, sender: str = "wms", **headers: str | None) -> httpx.Response:
        """Send a webhook, signed as its sender does; headers are replaced, those that are None are left out."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        at = headers.get("timestamp") or AT
        named = {"event_id": "e1", "timestamp": at, "signature": signature(SECRET, at, content), **headers}
        sent = {f"x-wms-{name.replace('_', '-')}": value for name, value in named.items() if value is not None}
        return await self._http.post(f"/webhooks/{sender}", content=content, headers=sent)

    async def stored(self) -> list[Mapping[str, Any]]:
        """Return what a handler gets, in order."""
        found: list[Mapping[str, Any]] = []

        async def handle(message: InboxMessage) -> None:
            found.append(message.payload)

        while await self._inbox.handle_next(handle):
            pass
        return found


async def _never(*_: object) -> None:
    raise AssertionError("nothing here becomes a dead letter")


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    inbox = Inbox(database, _never, _never)
    senders = {"wms": Sender(SourceSystem.WMS, SECRET)}
    wakings: list[None] = []
    routes = webhook_routes(inbox, senders, StoppedClock(), partial(wakings.append, None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://door") as http:
        yield Door(http, inbox, wakings)


async def test_what_comes_again_is_known_and_stored_once(door: Door):
    event = {"id": "e1", "type": "robot.uprising"}
    answers = [await door.send(event), await door.send(event), await door.send({**event, "type": "another"})]
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [
        (202, "accepted"),
        (202, "known"),
        (202, "known"),
    ]
    assert (door.woken, await door.stored()) == (1, [event])


async def test_whoever_writes_of_the_character_zero_may_do_so(door: Door):
    told = {"id": "e1", "type": "x", "note": "\\u0000 is no character"}
    assert (await door.send(told)).status_code == 202
    assert await door.stored() == [told]


EVENT = {"id": "e1", "type": "x"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(EVENT, {"signature": "sha256=" + "0" * 64}, 401, id="a wrong signature"),
        pytest.param(EVENT, {"signature": None}, 401, id="no signature"),
        pytest.param(EVENT, {"timestamp": str(int(AT) - 301)}, 401, id="too old"),
        pytest.param(EVENT, {"timestamp": str(int(AT) + 301)}, 401, id="from the future"),
        pytest.param(EVENT, {"timestamp": "soon"}, 401, id="no time"),
        pytest.param(EVENT, {"timestamp": "9" * 400}, 401, id="a time beyond all"),
        pytest.param(EVENT, {"event_id": "e2"}, 400, id="two ids"),
        pytest.param(EVENT, {"event_id": None}, 400, id="no id"),
        pytest.param({"id": "e1"}, {}, 400, id="no type"),
        pytest.param({"id": "e1", "type": 5}, {}, 400, id="a type that is no text"),
        pytest.param({"id": "e1", "type": "t" * 121}, {}, 400, id="a type that is too long to be kept"),
        pytest.param({**EVENT, "lines": [{"sku": "a\0b"}]}, {}, 400, id="a text that cannot be kept"),
        pytest.param({**EVENT, "a\0": 1}, {}, 400, id="a name that cannot be kept"),
        pytest.param(b"[1]", {}, 400, id="no object"),
        pytest.param(b"{nope", {}, 400, id="no JSON"),
        pytest.param(b'{"id":"e1","type":"x","q":NaN}', {}, 400, id="no JSON number"),
        pytest.param(b'{"id":"e1","type":"\\ud800"}', {}, 400, id="half a character"),
        pytest.param(b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", {}, 400, id="too deep"),
        pytest.param(b" " * (MAX_BODY_BYTES + 1), {}, 413, id="too large"),
    ],
)
async def test_what_cannot_be_trusted_or_kept_is_refused_and_not_stored(
    door: Door, body: Any, headers: dict[str, str | None], status: int
):
    answer = await door.send(body, **headers)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    assert (door.woken, await door.stored()) == (0, [])


async def test_nobody_else_sends_here(door: Door):
    answer = await door.send(EVENT, sender="nobody")
    assert answer.status_code == 404
    assert "wms" in answer.json()["error"]

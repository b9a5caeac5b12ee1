"""Webhooks of warehouse and carrier about some shipments, once each in order, or many times in any order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

import httpx

from crossdock.webhooks import PREFIX, Sender, webhook_routes
from events.inbox import Inbox, InboxMessage
from processes.fulfilment import Fulfilment
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import ShipmentStatus, SourceSystem
from schema.records.orders import Shipment, ShipmentLine
from schema.records.values import PageRequest, Quantity
from systems import tms, wms
from systems.news import ShipmentNews, StockNews
from systems.webhooks import Webhook
from tests.support.mortal_scenarios import end
from tests.support.process_world import QUICK, REP, ProcessWorld, line, submission
from tests.support.rule_records import NOW, qty

SECRET = "a secret of warehouse and carrier"
AT_ONCE = 16
"""Requests that are under way at the same time."""

_SENDERS = {"wms": Sender(SourceSystem.WMS, SECRET), "tms": Sender(SourceSystem.TMS, SECRET)}
_READERS = {SourceSystem.WMS: wms.read_news, SourceSystem.TMS: tms.read_news}
_KINDS = ("tender", "delay", "delivery")
_WAREHOUSE = (
    ("shipment.picked", "PICKING", 10),
    ("shipment.packed", "PACKED", 20),
    ("shipment.shipped", "DEPARTED", 30),
)
_CARRIER = (("AM", 31), ("X6", 60), ("SD", 90), ("D1", 120))


@dataclass(frozen=True)
class Post:
    """A webhook as it is sent."""

    sender: str
    body: dict[str, Any]

    def again(self, number: int) -> Post:
        """Return the same news under an id of its own, as carriers send it."""
        return replace(self, body={**self.body, "id": f"{self.body['id']}-{number}"})


async def tell(world: ProcessWorld, database_url: str, shipments: int, webhooks: int, seed: int) -> Any:
    """Submit an order per shipment, tell so many webhooks about them, and return the state in which all ends.

    Args:
        webhooks: 0 tells every story once and in order.
    """
    use = world.use
    async with ProcessEngine(EngineSettings(database_url, retries=QUICK), use) as engine:
        orders = [await _order(world, engine, number) for number in range(shipments)]
        world.wms.shipments_by_id = {f"sh_S-{n}": _shipment(n, order_id) for n, order_id in enumerate(orders)}
        stories = [_story(number, order_id) for number, order_id in enumerate(orders)]
        inbox, fulfilment = Inbox(world.database, use.dead_letters.put, use.dead_letters.remove), Fulfilment(engine)
        await _send(world, inbox, _shuffled(stories, webhooks, Random(seed)))

        async def handle(message: InboxMessage) -> None:
            webhook = Webhook(message.source, message.message_id, message.type, message.payload)
            news = _READERS[message.source](webhook)
            assert isinstance(news, ShipmentNews | StockNews)
            await fulfilment.handle(news)

        while await inbox.handle_next(handle):
            pass
        for number in range(shipments):
            for kind in _KINDS:
                await end(world, f"prc_shipment_{kind}_S-{number}")
        return [await _state(world, order_id) for order_id in orders], await _left_over(world)


def _shuffled(stories: Sequence[Sequence[Post]], webhooks: int, random: Random) -> list[Post]:
    """Return every story in order, or all their webhooks as often as it takes; carriers repeat some under new ids."""
    once = [post for story in stories for post in story]
    if not webhooks:
        return once
    told = [*once, *(random.choice(once) for _ in range(webhooks - len(once)))]
    sent = [post.again(n) if post.sender == "tms" and n % 10 == 0 else post for n, post in enumerate(told)]
    random.shuffle(sent)
    return sent


async def _send(world: ProcessWorld, inbox: Inbox, posts: Sequence[Post]) -> None:
    door = webhook_routes(inbox, _SENDERS, world.clock, lambda: None)
    left = iter(posts)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=door), base_url="http://crossdock") as http:

        async def client() -> None:
            for post in left:
                answer = await http.post(f"{PREFIX}/{post.sender}", **_signed(post))
                assert answer.status_code == httpx.codes.ACCEPTED, answer.text

        await asyncio.gather(*(client() for _ in range(AT_ONCE)))


def _signed(post: Post) -> dict[str, Any]:
    body, at, name = json.dumps(post.body), str(int(NOW.timestamp())), f"X-{post.sender.upper()}"
    signature = hmac.new(SECRET.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        f"{name}-Signature": f"sha256={signature}",
        f"{name}-Timestamp": at,
        f"{name}-Event-Id": post.body["id"],
    }
    return {"content": body, "headers": headers}


async def _order(world: ProcessWorld, engine: ProcessEngine, number: int) -> str:
    started = await EngineStarter(engine).submit_order(
        submission(line(1)), key=f"o-{number}", principal=REP, wait_ms=30_000
    )
    await end(world, started.process_id or "")
    assert started.entity_id is not None, started.problems
    return started.entity_id


def _shipment(number: int, order_id: str) -> Shipment:
    carried = (ShipmentLine(1, "PMP-0042", Quantity(qty(1).value, "EA"), None),)
    planned = NOW + timedelta(days=2)
    status = ShipmentStatus.DEPARTED
    return Shipment(f"sh_S-{number}", f"S-{number}", order_id, "acc_1", "W01", status, (), carried, (), planned, NOW)


def _story(number: int, order_id: str) -> list[Post]:
    shipment = {
        "number": f"S-{number}",
        "orderRef": order_id,
        "accountRef": "acc_1",
        "warehouse": "W01",
        "lines": [{"lineNo": 1, "quantity": "1"}],
        "sscc": [],
    }
    load = {
        "shipmentNumber": f"S-{number}",
        "orderRef": order_id,
        "accountRef": "acc_1",
        "origin": "W01",
        "carrier": "EXMP",
        "trackingNumber": f"PRO-{number}",
    }
    posts = []
    for kind, status, minutes in _WAREHOUSE:
        milestone = {"code": status, "status": status, "at": _at(minutes), "place": "W01"}
        body = {"shipment": {**shipment, "status": status}, "milestone": milestone, "sequence": minutes}
        posts.append(Post("wms", {"id": f"wms-{number}-{minutes}", "type": kind, **body}))
    for code, minutes in _CARRIER:
        eta = _at(4 * 24 * 60) if code == "SD" else None
        milestone = {"code": code, "at": _at(minutes), "city": "W01", "reason": "AI" if code == "SD" else None}
        body = {"load": {**load, "statusCode": code, "eta": eta}, "milestone": milestone, "sequence": minutes}
        posts.append(Post("tms", {"id": f"tms-{number}-{minutes}", "type": "load.milestone", **body}))
    return posts


def _at(minutes: int) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat()


async def _state(world: ProcessWorld, order_id: str) -> Any:
    """Return how an order is left: its status, what is wrong with it, and its story but for who was told of a delay."""
    order = await world.order(order_id)
    told = Counter(name for name in await world.event_types(order_id) if name.startswith(("shipment.", "order.")))
    told.pop("order.delayed", None)  # a delay that is heard of after the delivery is none any more
    return order.status, order.exceptions, sorted(told.items())


async def _left_over(world: ProcessWorld) -> Any:
    """Return what the carrier was asked for, and what persons are still asked for."""
    tasks = (await world.use.tasks.search_tasks("FULFILMENT", "OPEN", PageRequest(200))).items
    letters = (await world.use.dead_letters.search(None, PageRequest(10))).items
    return sorted(world.kept.keys("tender")), tasks, letters

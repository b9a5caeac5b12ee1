"""The warehouse connector against the served warehouse sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.kit.webhooks import signature
from sandbox.wms.vendor import Wms as WmsVendor
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import ReturnStatus, ShipmentStatus, SourceSystem
from schema.records.orders import ReleaseLine, ReturnLine
from schema.records.returns import ExpectedReturn
from schema.records.values import Quantity
from systems.errors import AuthFailed, Conflict, RateLimited, Rejected, Unavailable, Unexpected
from systems.news import ReturnNews, ShipmentNews, StockNews, UnreadableNews
from systems.ports import HoldOutcome, ReleaseRequest, SystemCall
from systems.webhooks import BadWebhook, Webhook, read_webhook
from systems.wms import Wms, WmsSettings, read_news
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.webhook_receiver import WebhookReceiver

NOW = datetime.now(UTC)
FAST = 100_000.0
WITHIN_S = 60


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(WmsVendor(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
async def calls() -> list[SystemCall]:
    return []


@pytest.fixture
async def wms(served: ServedSandbox, calls: list[SystemCall]) -> AsyncIterator[Wms]:
    async with Wms(WmsSettings(served.url, "sandbox-wms-key", timeout_s=2), observer=calls.append) as connector:
        yield connector


def request(
    key: str = "or:ord_1:rel:W01:1", quantity: int = 3, sku: str = "VLV-0007", code: str = "W01"
) -> ReleaseRequest:
    line = ReleaseLine(1, sku, Decimal(quantity), "EA")
    return ReleaseRequest(
        key, "ord_test", "SO-900", "acc_1", code, "shp_1", date(2026, 3, 5), date(2026, 3, 9), (line,)
    )


class TestReading:
    async def test_warehouses_come_with_place_zone_and_cutoff(self, wms: Wms):
        found = await wms.warehouses()
        assert [place.code for place in found] == ["W01", "W02", "W03", "W04", "W05"]
        assert (found[0].id, found[0].time_zone, found[0].cutoff) == ("wh_W01", "America/Chicago", "16:00")

    async def test_stock_of_many_items_is_one_call(self, wms: Wms, calls: list[SystemCall], world: WorldModel):
        skus = [item.sku for item in world.items[:40]]
        found = await wms.stock(skus)
        assert {(position.sku, position.warehouse_code) for position in found} == {
            (position.sku, position.warehouse_code) for position in world.stock if position.sku in skus
        }
        assert len(calls) == 1

    async def test_stock_is_what_the_world_says(self, wms: Wms):
        (position,) = await wms.stock(["VLV-0007"])
        assert (position.on_hand, position.allocated, position.uom) == (Decimal(5), Decimal(0), "EA")

    async def test_stock_can_be_asked_for_some_warehouses(self, wms: Wms):
        assert {position.warehouse_code for position in await wms.stock(["PMP-0042"], ["W01"])} == {"W01"}

    async def test_more_rows_than_a_page_come_complete(self, wms: Wms, world: WorldModel):
        found = await wms.stock([item.sku for item in world.items])
        assert len(found) == len(world.stock)

    async def test_unknown_skus_and_orders_are_absent_or_empty(self, wms: Wms):
        assert await wms.stock(["NO-SUCH"]) == ()
        assert await wms.shipments(["sh_none", "other"]) == {}
        assert await wms.shipments_of(["ord_none"]) == {"ord_none": ()}

    async def test_shipments_of_orders_come_with_lines_and_milestones(self, wms: Wms, world: WorldModel):
        order = next(order for order in world.orders if order.number == "SO-204511")
        (shipments,) = (await wms.shipments_of([order.id])).values()
        assert len(shipments) == 2
        assert [milestone.code for milestone in shipments[0].milestones] == ["RELEASED", "PICKING", "PACKED", "SHIPPED"]
        assert await wms.shipments([shipments[0].id]) == {shipments[0].id: shipments[0]}


class TestReleasing:
    async def test_the_same_key_releases_once(self, wms: Wms):
        first = await wms.release(request())
        assert await wms.release(request()) == first
        (position,) = await wms.stock(["VLV-0007"])
        assert position.allocated == 3

    async def test_a_key_cannot_release_something_else(self, wms: Wms):
        await wms.release(request(quantity=3))
        with pytest.raises(Conflict):
            await wms.release(request(quantity=2))

    async def test_more_than_there_is_is_never_allocated(self, wms: Wms):
        await asyncio.gather(*(wms.release(request(f"k{n}", 2)) for n in range(10)))
        (position,) = await wms.stock(["VLV-0007"])
        assert position.allocated == position.on_hand == 5

    async def test_an_unknown_item_or_warehouse_is_refused_by_name(self, wms: Wms):
        with pytest.raises(Rejected, match="W77") as refused:
            await wms.release(request(code="W77"))
        assert refused.value.reason == "UNKNOWN_WAREHOUSE"
        with pytest.raises(Rejected, match="VLV-0007 is not kept in W05"):
            await wms.release(request(code="W05"))

    async def test_a_cancelled_release_gives_its_stock_back(self, wms: Wms):
        await wms.release(request())
        assert await wms.cancel_release(request().key) is True
        assert await wms.cancel_release(request().key) is True
        (position,) = await wms.stock(["VLV-0007"])
        assert position.allocated == 0

    async def test_nothing_to_cancel_is_cancelled(self, wms: Wms):
        assert await wms.cancel_release("never") is True

    async def test_a_held_release_is_cancelled_or_goes_on(self, wms: Wms):
        await wms.release(request())
        assert await wms.hold_release(request().key) is HoldOutcome.HELD
        assert await wms.hold_release(request().key) is HoldOutcome.HELD
        await wms.resume_release(request().key)
        assert await wms.hold_release(request().key) is HoldOutcome.HELD
        assert await wms.cancel_release(request().key) is True
        assert await wms.hold_release(request().key) is HoldOutcome.GONE
        (position,) = await wms.stock(["VLV-0007"])
        assert position.allocated == 0

    async def test_what_was_never_released_cannot_be_held(self, wms: Wms):
        assert await wms.hold_release("never") is HoldOutcome.GONE
        await wms.resume_release("never")

    async def test_an_answer_that_got_lost_does_not_double_the_release(self, wms: Wms, served: ServedSandbox):
        await served.faults(lost_answer_rate=1, only={"methods": ["POST"], "path": "releases"})
        with pytest.raises(Unavailable) as lost:
            await wms.release(request())
        assert lost.value.outcome_unknown
        await served.faults()
        await wms.release(request())
        (position,) = await wms.stock(["VLV-0007"])
        assert position.allocated == 3


class TestTime:
    async def test_a_release_is_picked_packed_and_shipped_and_told_of_in_order(self, world: WorldModel):
        receiver = WebhookReceiver("wms")
        async with (
            receiver.serve() as hook,
            serve_sandbox(WmsVendor(), lambda: world, webhook_url=hook, clock_speed=FAST) as served,
            Wms(WmsSettings(served.url, "sandbox-wms-key")) as wms,
        ):
            result = await wms.release(request())
            told = await receiver.until(lambda news: _is_shipped(news, result.shipment_number), WITHIN_S)
            (shipment,) = (await wms.shipments_of(["ord_test"]))["ord_test"]
            (position,) = await wms.stock(["VLV-0007"])
        mine = [news for news in map(read_news, told) if isinstance(news, ShipmentNews)]
        mine = [news for news in mine if news.shipment_number == result.shipment_number]
        assert [news.milestone.code for news in mine] == ["RELEASED", "PICKING", "PACKED", "SHIPPED"]
        assert [news.sequence for news in mine] == [1, 2, 3, 4]
        assert shipment.status is ShipmentStatus.DEPARTED
        assert len(shipment.sscc) == 1
        assert (position.on_hand, position.allocated) == (Decimal(2), Decimal(0))
        stock = [news for news in map(read_news, told) if isinstance(news, StockNews)]
        assert "VLV-0007" in {news.position.sku for news in stock}

    async def test_a_held_release_is_not_picked_until_it_is_resumed(self, wms: Wms, served: ServedSandbox):
        await wms.release(request())
        await wms.release(request("or:ord_2:rel:W01:1", 1))
        await wms.hold_release(request().key)
        await served.http.put("/_sandbox/clock", json={"speed": FAST})
        await _until(wms, 1, ShipmentStatus.DEPARTED)
        (held, _) = (await wms.shipments_of(["ord_test"]))["ord_test"]
        assert held.status is ShipmentStatus.RELEASED
        await wms.resume_release(request().key)
        await _until(wms, 0, ShipmentStatus.DEPARTED)
        assert await wms.hold_release(request().key) is HoldOutcome.PICKED

    async def test_what_was_shipped_cannot_be_cancelled(self, wms: Wms, served: ServedSandbox):
        await wms.release(request())
        await served.http.put("/_sandbox/clock", json={"speed": FAST})
        async with asyncio.timeout(WITHIN_S):
            while (await wms.shipments_of(["ord_test"]))["ord_test"][0].status is not ShipmentStatus.DEPARTED:
                pass
        assert await wms.cancel_release(request().key) is False


async def _until(wms: Wms, place: int, status: ShipmentStatus) -> None:
    async with asyncio.timeout(WITHIN_S):
        while (await wms.shipments_of(["ord_test"]))["ord_test"][place].status is not status:
            pass


def _is_shipped(webhook: Webhook, number: str) -> bool:
    return webhook.type == "shipment.shipped" and webhook.payload["shipment"]["number"] == number


def announced(key: str = "rma:1:wms", code: str = "W01", reason: str = "NOT_NEEDED") -> ExpectedReturn:
    line = ReturnLine(1, "VLV-0007", Quantity(Decimal(2), "EA"), reason, None)
    return ExpectedReturn(key, "RMA-1", "ord_test", "acc_1", code, (line,))


class TestReturns:
    @pytest.mark.parametrize(
        ("reason", "disposition", "on_hand"), [("NOT_NEEDED", "RESTOCK", 7), ("DAMAGED", "SCRAP", 5)]
    )
    async def test_an_expected_return_arrives_is_inspected_and_told_of(
        self, world: WorldModel, reason: str, disposition: str, on_hand: int
    ):
        receiver = WebhookReceiver("wms")
        async with (
            receiver.serve() as hook,
            serve_sandbox(WmsVendor(), lambda: world, webhook_url=hook, clock_speed=FAST) as served,
            Wms(WmsSettings(served.url, "sandbox-wms-key")) as wms,
        ):
            await wms.expect_return(announced(reason=reason))
            told = await receiver.until(lambda news: news.type == "return.inspected", WITHIN_S)
            (position,) = await wms.stock(["VLV-0007"])
        mine = [news for news in map(read_news, told) if isinstance(news, ReturnNews)]
        assert [(news.return_id, news.status) for news in mine] == [
            ("rma_RMA-1", ReturnStatus.RECEIVED),
            ("rma_RMA-1", ReturnStatus.INSPECTED),
        ]
        assert [(line.line_no, line.quantity.value, line.disposition) for line in mine[1].lines] == [
            (1, 2, disposition)
        ]
        assert position.on_hand == on_hand

    async def test_the_same_key_announces_once_and_nothing_else(self, wms: Wms):
        await wms.expect_return(announced())
        await wms.expect_return(announced())
        with pytest.raises(Conflict):
            await wms.expect_return(announced(code="W02"))

    async def test_a_return_is_expected_no_more(self, wms: Wms, served: ServedSandbox):
        await wms.expect_return(announced())
        assert await wms.cancel_return("rma:1:wms") is True
        assert await wms.cancel_return("rma:1:wms") is True
        assert await wms.cancel_return("never") is True

    async def test_what_has_arrived_cannot_be_cancelled(self, wms: Wms, served: ServedSandbox):
        await wms.expect_return(announced())
        await served.http.put("/_sandbox/clock", json={"speed": FAST})
        async with asyncio.timeout(WITHIN_S):
            while served.host.store.one("SELECT 1 FROM receipts WHERE state = 'INSPECTED'") is None:
                await wms.warehouses()
        assert await wms.cancel_return("rma:1:wms") is False

    async def test_an_unknown_warehouse_is_refused(self, wms: Wms):
        with pytest.raises(Rejected) as refused:
            await wms.expect_return(announced(code="W77"))
        assert refused.value.reason == "UNKNOWN_WAREHOUSE"


class TestTrouble:
    @pytest.mark.parametrize(
        ("profile", "failure"),
        [
            pytest.param({"error_rate": 1}, Unavailable, id="it fails"),
            pytest.param({"outages": [{"for_s": 60}]}, Unavailable, id="it is down"),
            pytest.param({"hang_rate": 1}, Unavailable, id="it never answers"),
            pytest.param({"throttle_rate": 1, "retry_after_s": 30}, (RateLimited, Unavailable), id="it limits us"),
            pytest.param({"html_rate": 1}, Unexpected, id="a proxy answers with a page"),
            pytest.param({"garbage_rate": 1}, Unexpected, id="half an answer"),
        ],
    )
    async def test_trouble_comes_as_one_of_our_failures(self, served: ServedSandbox, wms: Wms, profile, failure):
        await served.faults(**profile)
        with pytest.raises(failure) as raised:
            await wms.stock(["PMP-0042"])
        assert raised.value.system is SourceSystem.WMS

    async def test_a_wrong_key_is_said_to_be_wrong(self, served: ServedSandbox):
        async with Wms(WmsSettings(served.url, "wrong")) as connector:
            with pytest.raises(AuthFailed):
                await connector.warehouses()

    async def test_a_short_failure_of_a_read_goes_unnoticed(self, served: ServedSandbox, wms: Wms):
        await served.faults(seed=3, error_rate=0.3)
        for _ in range(5):
            assert await wms.stock(["PMP-0042"])


class TestWebhooks:
    @staticmethod
    def signed(body: bytes, secret: str = "s", at: datetime = NOW, event_id: str = "e1") -> dict[str, str]:
        timestamp = str(int(at.timestamp()))
        return {
            "x-wms-event-id": event_id,
            "x-wms-timestamp": timestamp,
            "x-wms-signature": signature(secret, timestamp, body),
        }

    def test_a_signed_webhook_is_read(self):
        body = b'{"id":"e1","type":"stock.changed"}'
        webhook = read_webhook(SourceSystem.WMS, self.signed(body), body, "s", NOW)
        assert (webhook.event_id, webhook.type, webhook.source) == ("e1", "stock.changed", SourceSystem.WMS)

    @pytest.mark.parametrize(
        ("body", "change", "status"),
        [
            pytest.param(b"{}", {"x-wms-signature": "sha256=00"}, 401, id="a wrong signature"),
            pytest.param(b"{}", {"x-wms-signature": ""}, 401, id="no signature"),
            pytest.param(b"{}", {"x-wms-timestamp": "1"}, 401, id="a changed timestamp"),
            pytest.param(b"{}", {"x-wms-signature": "\u00e4"}, 401, id="a signature that is not ASCII"),
            pytest.param(b'{"id":"e2","type":"x"}', {}, 400, id="ids that do not agree"),
            pytest.param(b"[]", {}, 400, id="no object"),
            pytest.param(b"{", {}, 400, id="no JSON"),
            pytest.param(b" " * 300_000, {}, 413, id="too large"),
        ],
    )
    def test_a_webhook_that_cannot_be_trusted_is_refused(self, body: bytes, change: dict[str, str], status: int):
        with pytest.raises(BadWebhook) as refused:
            read_webhook(SourceSystem.WMS, self.signed(body) | change, body, "s", NOW)
        assert refused.value.status == status

    def test_an_old_webhook_is_refused(self):
        old = NOW - timedelta(minutes=10)
        with pytest.raises(BadWebhook, match="300 s"):
            read_webhook(SourceSystem.WMS, self.signed(b"{}", at=old), b"{}", "s", NOW)

    @pytest.mark.parametrize(
        ("kind", "payload"),
        [("shipment.teleported", {}), ("shipment.packed", {}), ("stock.changed", {"position": {"sku": "x"}})],
    )
    def test_news_that_nobody_can_read_says_so(self, kind: str, payload: dict):
        with pytest.raises(UnreadableNews, match=kind):
            read_news(Webhook(SourceSystem.WMS, "e1", kind, payload))

"""The transport connector against the served transport sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.tms.vendor import Tms as TmsVendor
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import ShipmentStatus, SourceSystem
from systems.errors import AuthFailed, Conflict, RateLimited, Rejected, Unavailable, Unexpected
from systems.news import UnreadableNews
from systems.ports import SystemCall, TenderRequest
from systems.tms import Tms, TmsSettings, read_news
from systems.webhooks import Webhook
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.scripted_system import Reply, scripted
from tests.support.webhook_receiver import WebhookReceiver

NOW = datetime.now(UTC)
"""The world is of today, because the clock of a served sandbox begins now."""

READY = NOW - timedelta(hours=3)
DAY_S = 86_400
FAST = 100_000.0
WITHIN_S = 60
PUNCTUAL, LATE = "SH-T1", "SH-T27"
"""Shipments of which the sandbox's carriers deliver one as planned, and the other late."""


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(TmsVendor(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
def calls() -> list[SystemCall]:
    return []


@pytest.fixture
async def tms(served: ServedSandbox, calls: list[SystemCall]) -> AsyncIterator[Tms]:
    async with Tms(TmsSettings(served.url, "sandbox-tms-key", timeout_s=2), observer=calls.append) as connector:
        yield connector


def tender(number: str = PUNCTUAL, key: str | None = None) -> TenderRequest:
    return TenderRequest(
        key or f"sh:{number}:tender", number, "ord_test", "acc_1", "W01", "shp_1", READY, READY + timedelta(days=4)
    )


async def report(served: ServedSandbox, load_id: str, **body: Any) -> httpx.Response:
    """Report a milestone as a carrier does."""
    headers = {"authorization": "Bearer sandbox-tms-key"}
    return await served.http.post(f"/v2/loads/{load_id}/milestones", json=body, headers=headers)


async def advance(served: ServedSandbox, seconds: float) -> None:
    (await served.http.put("/_sandbox/clock", json={"advance_s": seconds})).raise_for_status()


async def until(tms: Tms, number: str, status: ShipmentStatus) -> None:
    async with asyncio.timeout(WITHIN_S):
        while (await tms.tracking([number]))[number].status is not status:
            pass


class TestTracking:
    async def test_everything_that_carriers_have_is_one_call(
        self, tms: Tms, world: WorldModel, calls: list[SystemCall]
    ):
        numbers = [shipment.number for shipment in world.shipments[:200]]
        found = await tms.tracking(numbers)
        assert set(found) == {shipment.number for shipment in world.shipments[:200] if shipment.carrier}
        assert len(calls) == 1

    async def test_a_delivered_shipment_tells_its_whole_way(self, tms: Tms, world: WorldModel):
        delivered = next(shipment for shipment in world.shipments if shipment.delivered_at)
        (tracking,) = (await tms.tracking([delivered.number])).values()
        assert (tracking.carrier, tracking.tracking_number) == (delivered.carrier, delivered.tracking_number)
        assert tracking.status is ShipmentStatus.DELIVERED
        assert [milestone.code for milestone in tracking.milestones if milestone.code != "SD"] == [
            "AF", "X6", "AJ", "D1",
        ]  # fmt: skip
        assert {milestone.source for milestone in tracking.milestones} == {SourceSystem.TMS}
        assert tracking.delivered_at == tracking.estimated_delivery == tracking.milestones[-1].at

    async def test_statuses_are_those_of_the_world(self, tms: Tms, world: WorldModel):
        tendered = [shipment for shipment in world.shipments if shipment.carrier]
        found = await tms.tracking([shipment.number for shipment in tendered])
        own = {entry.number: [told for told in entry.milestones if told.system == "TMS"] for entry in tendered}
        assert {number: tracking.status for number, tracking in found.items()} == {
            number: ShipmentStatus(told[-1].status) if told else ShipmentStatus.PACKED for number, told in own.items()
        }
        assert ShipmentStatus.DELAYED in {tracking.status for tracking in found.values()}

    async def test_more_loads_than_a_page_or_a_list_take_come_complete(
        self, tms: Tms, world: WorldModel, calls: list[SystemCall]
    ):
        tendered = [shipment.number for shipment in world.shipments if shipment.carrier]
        assert len(tendered) > 500
        assert set(await tms.tracking([*tendered, *tendered])) == set(tendered)
        assert len(calls) == -(-len(tendered) // 500)

    async def test_what_was_not_tendered_is_absent(self, tms: Tms, calls: list[SystemCall]):
        assert await tms.tracking(["SH-none"]) == {}
        assert await tms.by_tracking_number("0") is None
        calls.clear()
        assert await tms.tracking([]) == {}
        assert calls == []

    async def test_a_load_is_found_by_its_tracking_number(self, tms: Tms, world: WorldModel):
        known = next(shipment for shipment in world.shipments if shipment.tracking_number)
        found = await tms.by_tracking_number(known.tracking_number or "")
        assert found == (await tms.tracking([known.number]))[known.number]

    async def test_the_proof_of_delivery_can_be_read_by_who_has_its_address(
        self, served: ServedSandbox, tms: Tms, world: WorldModel
    ):
        delivered = next(shipment for shipment in world.shipments if shipment.delivered_at)
        (tracking,) = (await tms.tracking([delivered.number])).values()
        proof = await served.http.get(tracking.proof_of_delivery_url or "")
        assert delivered.number in proof.text
        assert (await served.http.get(f"/pod/{delivered.tracking_number}?token=guess")).status_code == 404


class TestTendering:
    async def test_a_tendered_shipment_has_a_carrier_a_number_and_a_date(self, tms: Tms):
        load = await tms.tender(tender())
        assert load.carrier in {"XMPL", "DEMO", "TEST", "FAUX"}
        assert load.tracking_number.isdigit()
        assert load.status is ShipmentStatus.PACKED
        assert load.estimated_delivery is not None
        assert await tms.tracking([PUNCTUAL]) == {PUNCTUAL: load}
        assert await tms.by_tracking_number(load.tracking_number) == load

    async def test_the_same_key_tenders_once(self, tms: Tms):
        first = await tms.tender(tender())
        again = replace(tender(), ready_at=READY + timedelta(hours=1))
        assert await tms.tender(again) == first

    async def test_many_at_once_with_one_key_get_one_load(self, tms: Tms):
        loads = await asyncio.gather(*(tms.tender(tender()) for _ in range(10)))
        assert len({load.tracking_number for load in loads}) == 1

    async def test_a_key_cannot_tender_another_shipment(self, tms: Tms):
        await tms.tender(tender(key="k"))
        with pytest.raises(Conflict):
            await tms.tender(tender("SH-T2", key="k"))

    async def test_a_shipment_cannot_be_tendered_twice(self, tms: Tms):
        await tms.tender(tender(key="k1"))
        with pytest.raises(Conflict):
            await tms.tender(tender(key="k2"))

    async def test_an_answer_that_got_lost_does_not_double_the_load(self, tms: Tms, served: ServedSandbox):
        await served.faults(lost_answer_rate=1, only={"methods": ["POST"], "path": "loads"})
        with pytest.raises(Unavailable) as lost:
            await tms.tender(tender())
        assert lost.value.outcome_unknown
        await served.faults()
        (made,) = (await tms.tracking([PUNCTUAL])).values()
        assert await tms.tender(tender()) == made

    async def test_a_malformed_tender_is_refused_with_the_reason(self, tms: Tms):
        with pytest.raises(Rejected, match="shipmentNumber") as refused:
            await tms.tender(replace(tender(), shipment_number=""))
        assert refused.value.reason == "MISSING_FIELD"

    async def test_an_answer_of_another_shape_leaves_the_outcome_unknown(self):
        async with (
            scripted(Reply(201, b'{"carrier": "XMPL"}')) as system,
            Tms(TmsSettings(system.url, "key")) as connector,
        ):
            with pytest.raises(Unavailable) as raised:
                await connector.tender(tender())
        assert raised.value.outcome_unknown


class TestTime:
    async def test_a_load_is_moved_and_delivered_and_told_of_in_order(self, world: WorldModel):
        receiver = WebhookReceiver("tms")
        async with (
            receiver.serve() as hook,
            serve_sandbox(TmsVendor(), lambda: world, webhook_url=hook, clock_speed=FAST) as served,
            Tms(TmsSettings(served.url, "sandbox-tms-key")) as tms,
        ):
            load = await tms.tender(tender())
            told = await receiver.until(lambda news: _is_told(news, PUNCTUAL, "D1"), WITHIN_S)
            (tracking,) = (await tms.tracking([PUNCTUAL])).values()
        mine = [news for news in map(read_news, told) if news.shipment_number == PUNCTUAL]
        assert [news.milestone.code for news in mine] == ["CP", "AF", "X6", "AJ", "X1", "D1"]
        assert [news.sequence for news in mine] == [1, 2, 3, 4, 5, 6]
        assert [news.status.value for news in mine] == [
            "LOADED", "DEPARTED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY", "DELIVERED",
        ]  # fmt: skip
        assert tuple(news.milestone for news in mine) == tracking.milestones
        assert (mine[0].order_id, mine[0].account_id, mine[0].carrier) == ("ord_test", "acc_1", load.carrier)
        assert tracking.status is ShipmentStatus.DELIVERED
        assert tracking.delivered_at == load.estimated_delivery

    async def test_some_loads_are_late(self, tms: Tms, served: ServedSandbox):
        load = await tms.tender(tender(LATE))
        await advance(served, 8 * DAY_S)
        await until(tms, LATE, ShipmentStatus.DELIVERED)
        tracking = (await tms.tracking([LATE]))[LATE]
        delay = next(milestone for milestone in tracking.milestones if milestone.code == "SD")
        assert (delay.status, delay.reason_code) == (ShipmentStatus.DELAYED, "AI")
        assert tracking.delivered_at is not None
        assert load.estimated_delivery is not None
        assert tracking.delivered_at - load.estimated_delivery == timedelta(hours=26)

    async def test_every_load_of_the_world_arrives_in_the_end(self, tms: Tms, served: ServedSandbox, world: WorldModel):
        tendered = [shipment for shipment in world.shipments if shipment.carrier]
        last = max(tendered, key=lambda shipment: shipment.estimated_delivery or NOW)
        await advance(served, 60 * DAY_S)
        await until(tms, last.number, ShipmentStatus.DELIVERED)
        found = await tms.tracking([shipment.number for shipment in tendered])
        assert {tracking.status for tracking in found.values()} == {ShipmentStatus.DELIVERED}


class TestReports:
    async def test_a_reported_delay_moves_the_date(self, tms: Tms, served: ServedSandbox):
        load = await tms.tender(tender())
        body = {"code": "SD", "reason": "AI", "city": "Gary", "delayHours": 30}
        assert (await report(served, "LD-SH-T1", **body)).status_code == 201
        late = (await tms.tracking([PUNCTUAL]))[PUNCTUAL]
        assert late.status is ShipmentStatus.DELAYED
        assert (late.milestones[-1].reason_code, late.milestones[-1].place) == ("AI", "Gary")
        assert late.estimated_delivery is not None
        assert load.estimated_delivery is not None
        assert late.estimated_delivery - load.estimated_delivery == timedelta(hours=30)
        await advance(served, 9 * DAY_S)
        await until(tms, PUNCTUAL, ShipmentStatus.DELIVERED)
        assert (await tms.tracking([PUNCTUAL]))[PUNCTUAL].delivered_at == late.estimated_delivery

    async def test_a_new_date_changes_the_date_and_not_the_status(self, tms: Tms, served: ServedSandbox):
        load = await tms.tender(tender())
        assert load.estimated_delivery is not None
        new = load.estimated_delivery + timedelta(hours=7)
        assert (await report(served, "LD-SH-T1", code="AG")).status_code == 422
        await report(served, "LD-SH-T1", code="AG", eta=new.isoformat())
        now = (await tms.tracking([PUNCTUAL]))[PUNCTUAL]
        assert (now.estimated_delivery, now.status) == (new, ShipmentStatus.PACKED)
        assert [milestone.code for milestone in now.milestones] == ["AG"]

    async def test_a_failed_delivery_is_tried_again(self, tms: Tms, served: ServedSandbox):
        await tms.tender(tender())
        await report(served, "LD-SH-T1", code="A7")
        assert (await tms.tracking([PUNCTUAL]))[PUNCTUAL].status is ShipmentStatus.DELIVERY_FAILED
        await advance(served, 2 * DAY_S)
        await until(tms, PUNCTUAL, ShipmentStatus.DELIVERED)
        tracking = (await tms.tracking([PUNCTUAL]))[PUNCTUAL]
        assert [milestone.code for milestone in tracking.milestones] == ["A7", "AJ", "X1", "D1"]

    async def test_an_older_report_moves_nothing_back(self, tms: Tms, served: ServedSandbox):
        await tms.tender(tender())
        await report(served, "LD-SH-T1", code="AJ")
        earlier = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
        assert (await report(served, "LD-SH-T1", code="X6", at=earlier)).status_code == 201
        tracking = (await tms.tracking([PUNCTUAL]))[PUNCTUAL]
        assert [milestone.code for milestone in tracking.milestones] == ["X6", "AJ"]
        assert tracking.status is ShipmentStatus.OUT_FOR_DELIVERY

    async def test_a_step_that_is_reported_early_takes_those_before_it_off_the_plan(
        self, tms: Tms, served: ServedSandbox
    ):
        await tms.tender(tender())
        await report(served, "LD-SH-T1", code="AJ")
        await advance(served, 9 * DAY_S)
        await until(tms, PUNCTUAL, ShipmentStatus.DELIVERED)
        tracking = (await tms.tracking([PUNCTUAL]))[PUNCTUAL]
        assert [milestone.code for milestone in tracking.milestones] == ["AJ", "X1", "D1"]

    async def test_the_same_report_is_recorded_once(self, tms: Tms, served: ServedSandbox):
        await tms.tender(tender())
        at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
        answers = [await report(served, "LD-SH-T1", code="X3", at=at) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200]
        assert len((await tms.tracking([PUNCTUAL]))[PUNCTUAL].milestones) == 1

    async def test_after_the_end_nothing_follows(self, tms: Tms, served: ServedSandbox):
        await tms.tender(tender())
        await report(served, "LD-SH-T1", code="CA")
        assert (await report(served, "LD-SH-T1", code="SD")).status_code == 409
        await advance(served, 9 * DAY_S)
        tracking = (await tms.tracking([PUNCTUAL]))[PUNCTUAL]
        assert (tracking.status, tracking.estimated_delivery) == (ShipmentStatus.CANCELLED, None)

    @pytest.mark.parametrize(
        ("body", "status", "said"),
        [
            pytest.param({"code": "ZZ"}, 422, "code must be one of", id="an unknown code"),
            pytest.param({}, 422, "code must be one of", id="no code"),
            pytest.param({"code": ["D1"]}, 422, "code must be one of", id="a code that is no text"),
            pytest.param({"code": "X6", "at": "2999-01-01T00:00:00Z"}, 422, "before it happens", id="the future"),
            pytest.param({"code": "X6", "at": "2026-01-01T00:00:00"}, 422, "with a zone", id="no zone"),
            pytest.param({"code": "X6", "city": 7}, 422, "city", id="a place that is no text"),
            pytest.param({"code": "SD", "delayHours": -1}, 422, "delayHours", id="a delay back in time"),
        ],
    )
    async def test_a_bad_report_is_refused(
        self, tms: Tms, served: ServedSandbox, body: dict[str, Any], status: int, said: str
    ):
        await tms.tender(tender())
        refused = await report(served, "LD-SH-T1", **body)
        assert (refused.status_code, said in refused.json()["detail"]) == (status, True)

    async def test_nobody_reports_of_a_load_that_does_not_exist_or_without_the_key(self, served: ServedSandbox):
        assert (await report(served, "LD-NONE", code="D1")).status_code == 404
        assert (await served.http.post("/v2/loads/LD-NONE/milestones", json={"code": "D1"})).status_code == 401


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
    async def test_trouble_comes_as_one_of_our_failures(self, served: ServedSandbox, tms: Tms, profile, failure):
        await served.faults(**profile)
        with pytest.raises(failure) as raised:
            await tms.tracking(["SH-880001"])
        assert raised.value.system is SourceSystem.TMS

    async def test_a_wrong_key_is_said_to_be_wrong(self, served: ServedSandbox):
        async with Tms(TmsSettings(served.url, "wrong")) as connector:
            with pytest.raises(AuthFailed):
                await connector.tracking(["SH-880001"])

    @pytest.mark.parametrize(
        "body",
        [b"[]", b'"text"', b"null", b"{}", b'{"loads": [{}], "next": null}', b'{"loads": [7], "next": null}'],
    )
    async def test_an_answer_of_another_shape_is_not_interpreted(self, body: bytes):
        async with scripted(Reply(200, body)) as system, Tms(TmsSettings(system.url, "key")) as connector:
            with pytest.raises(Unexpected):
                await connector.tracking(["SH-1"])

    async def test_pages_that_never_end_are_given_up(self):
        endless = Reply(200, b'{"loads": [], "next": "more"}')
        async with scripted(endless) as system, Tms(TmsSettings(system.url, "key")) as connector:
            with pytest.raises(Unexpected, match="more than 200 pages"):
                await connector.tracking(["SH-1"])


def _is_told(webhook: Webhook, number: str, code: str) -> bool:
    payload = webhook.payload
    return bool(payload["load"]["shipmentNumber"] == number and payload["milestone"]["code"] == code)


LOAD = {
    "shipmentNumber": "SH-1", "orderRef": "ord_1", "accountRef": "acc_1", "origin": "W01", "carrier": "XMPL",
    "trackingNumber": "52", "statusCode": "AF", "eta": "2026-03-06T08:00:00Z",
}  # fmt: skip


class TestNews:
    def news(self, code: str, **change: Any) -> Webhook:
        milestone = {"code": code, "reason": None, "city": None, "at": "2026-03-05T08:00:00Z"}
        payload = {"sequence": 3, "milestone": milestone, "load": LOAD | change}
        return Webhook(SourceSystem.TMS, "e1", "load.milestone", payload)

    def test_a_code_that_only_marks_a_place_keeps_the_status(self):
        news = read_news(self.news("X1"))
        assert news.milestone.status is news.status is ShipmentStatus.DEPARTED

    def test_a_late_report_has_its_own_status_and_leaves_that_of_the_load(self):
        news = read_news(self.news("AF", statusCode="AJ"))
        assert (news.milestone.status, news.status) == (ShipmentStatus.DEPARTED, ShipmentStatus.OUT_FOR_DELIVERY)

    @pytest.mark.parametrize(
        ("webhook", "said"),
        [
            (Webhook(SourceSystem.TMS, "e1", "load.teleported", {}), r"load\.teleported"),
            (Webhook(SourceSystem.TMS, "e1", "load.milestone", {}), r"load\.milestone lacks"),
            (Webhook(SourceSystem.TMS, "e1", "load.milestone", {"load": 7, "milestone": []}), r"load\.milestone lacks"),
        ],
    )
    def test_news_that_nobody_can_read_says_so(self, webhook: Webhook, said: str):
        with pytest.raises(UnreadableNews, match=said):
            read_news(webhook)

    def test_a_code_that_nobody_knows_is_never_given_a_status(self):
        with pytest.raises(UnreadableNews, match="'ZZ'"):
            read_news(self.news("ZZ"))

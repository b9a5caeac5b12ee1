"""The transport connector against the served transport sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sandbox.tms.vendor import Tms as TmsVendor
from sandbox.world.generate import generate_world
from sandbox.world.model import WorldModel
from schema.enums import ShipmentStatus, SourceSystem
from systems.errors import AuthFailed, Conflict, Unavailable, Unexpected
from systems.news import UnreadableNews
from systems.ports import SystemCall, TenderRequest
from systems.tms import Tms, TmsSettings, read_news
from systems.webhooks import Webhook
from tests.support.sandboxes import ServedSandbox, serve_sandbox
from tests.support.webhook_receiver import WebhookReceiver

NOW = datetime.now(UTC)
FAST = 100_000.0
WITHIN_S = 15
REQUEST = TenderRequest("sh:SH-1:tender", "SH-1", "ord_test", "acc_1", "W01", "shp_1", NOW, None)


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return generate_world(42, NOW)


@pytest.fixture
async def served(world: WorldModel) -> AsyncIterator[ServedSandbox]:
    async with serve_sandbox(TmsVendor(), lambda: world) as sandbox:
        yield sandbox


@pytest.fixture
async def calls() -> list[SystemCall]:
    return []


@pytest.fixture
async def tms(served: ServedSandbox, calls: list[SystemCall]) -> AsyncIterator[Tms]:
    async with Tms(TmsSettings(served.url, "sandbox-tms-key", timeout_s=2), observer=calls.append) as connector:
        yield connector


async def test_tracking_of_many_shipments_is_one_call(tms: Tms, calls: list[SystemCall], world: WorldModel):
    numbers = [shipment.number for shipment in world.shipments[:60]]
    found = await tms.tracking(numbers)
    assert set(found) == {shipment.number for shipment in world.shipments[:60] if shipment.carrier}
    assert len(calls) == 1


async def test_tracking_tells_what_the_world_says(tms: Tms, world: WorldModel):
    shipment = next(shipment for shipment in world.shipments if shipment.status == "DELAYED")
    tracking = (await tms.tracking([shipment.number]))[shipment.number]
    assert tracking.status is ShipmentStatus.DELAYED
    assert (tracking.carrier, tracking.tracking_number) == (shipment.carrier, shipment.tracking_number)
    assert [milestone.code for milestone in tracking.milestones] == ["AF", "X6", "SD"]
    assert tracking.milestones[-1].reason_code == "AI"


async def test_a_load_is_found_by_the_carriers_number(tms: Tms, world: WorldModel):
    shipment = next(shipment for shipment in world.shipments if shipment.tracking_number)
    found = await tms.by_tracking_number(shipment.tracking_number or "")
    assert found is not None
    assert found.shipment_number == shipment.number
    assert await tms.by_tracking_number("0") is None


async def test_what_was_not_tendered_is_absent(tms: Tms):
    assert await tms.tracking(["SH-1"]) == {}


async def test_the_same_key_tenders_once(tms: Tms):
    first = await tms.tender(REQUEST)
    assert await tms.tender(REQUEST) == first
    assert first.status is ShipmentStatus.PACKED
    assert first.estimated_delivery is not None


async def test_a_shipment_has_one_load(tms: Tms):
    await tms.tender(REQUEST)
    with pytest.raises(Conflict):
        await tms.tender(replace(REQUEST, key="other"))


async def test_an_answer_that_got_lost_does_not_double_the_load(tms: Tms, served: ServedSandbox):
    await served.faults(lost_answer_rate=1, only={"methods": ["POST"]})
    with pytest.raises(Unavailable) as lost:
        await tms.tender(REQUEST)
    assert lost.value.outcome_unknown
    await served.faults()
    tracking = await tms.tender(REQUEST)
    assert await tms.tracking(["SH-1"]) == {"SH-1": tracking}


async def test_a_load_travels_to_its_end_and_tells_of_it_in_order(world: WorldModel):
    receiver = WebhookReceiver("tms")
    async with (
        receiver.serve() as hook,
        serve_sandbox(TmsVendor(), lambda: world, webhook_url=hook, clock_speed=FAST) as served,
        Tms(TmsSettings(served.url, "sandbox-tms-key")) as tms,
    ):
        await tms.tender(REQUEST)
        told = await receiver.until(lambda webhook: _is_end(webhook, "SH-1"), WITHIN_S)
        tracking = (await tms.tracking(["SH-1"]))["SH-1"]
    news = [entry for entry in map(read_news, told) if entry.shipment_number == "SH-1"]
    assert [entry.milestone.code for entry in news] == ["AF", "X6", "OF", "D1"]
    assert [entry.sequence for entry in news] == [1, 2, 3, 4]
    assert {(entry.order_id, entry.account_id, entry.source) for entry in news} == {
        ("ord_test", "acc_1", SourceSystem.TMS)
    }
    assert tracking.status is ShipmentStatus.DELIVERED
    assert tracking.delivered_at == tracking.milestones[-1].at == news[-1].milestone.at


def _is_end(webhook: Webhook, number: str) -> bool:
    return webhook.payload["load"]["shipmentNumber"] == number and webhook.payload["milestone"]["code"] == "D1"


async def report(served: ServedSandbox, load: str, **body: str) -> int:
    headers = {"authorization": "Bearer sandbox-tms-key"}
    return (await served.http.post(f"/v2/loads/{load}/milestones", json=body, headers=headers)).status_code


async def test_a_carrier_reports_a_delay_and_the_estimate_moves(tms: Tms, served: ServedSandbox):
    before = await tms.tender(REQUEST)
    assert await report(served, "LD-SH-1", code="SD", city="Gary", reason="AI") == 201
    after = (await tms.tracking(["SH-1"]))["SH-1"]
    assert after.status is ShipmentStatus.DELAYED
    assert before.estimated_delivery is not None
    assert after.estimated_delivery is not None
    assert after.estimated_delivery > before.estimated_delivery


async def test_a_milestone_reported_late_moves_nothing_back(tms: Tms, served: ServedSandbox):
    await tms.tender(REQUEST)
    await report(served, "LD-SH-1", code="OF")
    await report(served, "LD-SH-1", code="X6", at="2026-03-01T00:00:00+00:00")
    tracking = (await tms.tracking(["SH-1"]))["SH-1"]
    assert tracking.status is ShipmentStatus.OUT_FOR_DELIVERY
    assert [milestone.code for milestone in tracking.milestones] == ["X6", "OF"]


@pytest.mark.parametrize(
    ("load", "body", "status"),
    [
        ("LD-NONE", {"code": "X6"}, 404),
        ("LD-SH-1", {"code": "ZZ"}, 422),
        ("LD-SH-1", {"code": "X6", "at": "yesterday"}, 422),
    ],
)
async def test_a_report_that_makes_no_sense_is_refused(tms: Tms, served: ServedSandbox, load: str, body, status: int):
    await tms.tender(REQUEST)
    assert await report(served, load, **body) == status


@pytest.mark.parametrize(
    ("profile", "failure"),
    [
        ({"error_rate": 1}, Unavailable),
        ({"outages": [{"for_s": 60}]}, Unavailable),
        ({"hang_rate": 1}, Unavailable),
        ({"html_rate": 1}, Unexpected),
        ({"garbage_rate": 1}, Unexpected),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_trouble_comes_as_one_of_our_failures(served: ServedSandbox, tms: Tms, profile, failure):
    await served.faults(**profile)
    with pytest.raises(failure) as raised:
        await tms.tracking(["SH-1"])
    assert raised.value.system is SourceSystem.TMS


async def test_a_wrong_key_is_said_to_be_wrong(served: ServedSandbox):
    async with Tms(TmsSettings(served.url, "wrong")) as connector:
        with pytest.raises(AuthFailed):
            await connector.tracking(["SH-1"])


@pytest.mark.parametrize(
    ("kind", "payload"), [("load.lost", {}), ("load.milestone", {}), ("load.milestone", {"load": 1})]
)
def test_news_that_nobody_can_read_says_so(kind: str, payload: dict):
    with pytest.raises(UnreadableNews, match=kind):
        read_news(Webhook(SourceSystem.TMS, "e1", kind, payload))

"""What is read over several subgraphs, and its price in calls."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport

from tests.support.graph_suite.asking import WITHIN_S
from tests.support.whole import Whole


class ViewSuite:
    """What is read over several subgraphs, and its price in calls."""

    async def test_a_customer_is_shown_over_five_subgraphs_with_at_most_eight_calls_to_systems(self, whole: Whole):
        counts = []
        for _ in range(4):  # what the background asks meanwhile is counted too, so the least is the view's own
            await whole.reset_calls()
            account = (await whole.play("customer"))["accountByNumber"]
            counts.append(await whole.calls())
        assert min(counts) <= 8
        assert account["status"] == "ACTIVE"
        assert account["creditAvailable"]["currency"] == "USD"
        assert account["credit"]["freshness"]["stale"] is False
        orders = account["orders"]["nodes"]
        assert orders
        assert all(order["exceptions"] for order in orders)
        kinds = {problem["__typename"] for order in orders for problem in order["exceptions"]}
        assert "Stockout" in kinds  # what was late may have arrived where another test let a day go by
        assert any(shipment["trackingNumber"] for order in orders for shipment in order["shipments"])
        assert account["cases"]["nodes"]

    async def test_a_price_comes_with_its_breaks_and_what_can_be_promised(self, whole: Whole):
        item = (await whole.play("price"))["itemBySku"]
        price, stock = item["price"], item["availability"]
        assert (price["__typename"], price["source"]) == ("Price", "CONTRACT")
        assert price["unit"] == {"amount": "36.10", "currency": "USD"}
        assert {entry["minQuantity"]["value"] for entry in price["breaks"]} >= {"24"}
        assert price["token"].startswith("ptk_")
        assert stock["decision"] == "PARTIAL"
        assert stock["availableNow"] == {"value": "18", "uom": "EA"}
        assert (stock["promise"][0]["warehouse"]["code"], stock["promise"][0]["kind"]) == ("W01", "ON_HAND")
        assert {line["kind"] for line in stock["promise"]} == {"ON_HAND", "INBOUND_PO"}

    async def test_key_figures_are_computed_from_the_log_of_the_past(self, whole: Whole):
        query = "query ($name: KpiName!, $by: String) { kpi(name: $name, from: %s, to: %s, groupBy: $by) { %s } }"
        begin, end = (f'"{(datetime.now(UTC) - timedelta(days=days)).date()}"' for days in (300, 20))
        asked = query % (begin, end, "bucket value unit numerator denominator")
        async with asyncio.timeout(WITHIN_S):
            while True:  # the past is folded page by page after the start
                found = (await whole.data(asked, {"name": "OTIF"}))["kpi"]
                if found and float(found[0]["value"]) > 80:
                    break
                await asyncio.sleep(0.05)
        assert (found[0]["bucket"], found[0]["unit"]) == ("ALL", "%")
        factors = (await whole.data(asked, {"name": "PERFECT_ORDER", "by": "factor"}))["kpi"]
        assert {point["bucket"] for point in factors} == {"on_time", "in_full", "undamaged", "invoice_matched"}
        burn = (await whole.data(asked, {"name": "SLO_COMPLIANCE", "by": "burn"}))["kpi"]
        assert {point["bucket"].split()[1] for point in burn} == {"1h", "6h"}

    async def test_operations_see_systems_tasks_and_dead_letters(self, whole: Whole):
        query = """{ systems { system circuit p95Ms errorRate queued oldestQueuedSeconds lastEventAt }
            exceptionTasks(queue: "CREDIT") { nodes { id kind summary dueAt order { number status } resolutions } }
            deadLetters(source: WMS) { nodes { id type reason attempts } } }"""
        found = await whole.data(query)
        assert {"CRM", "CLOUD_ERP", "LEGACY_ERP", "WMS", "TMS"} <= {entry["system"] for entry in found["systems"]}
        tasks = found["exceptionTasks"]["nodes"]
        assert tasks
        assert all(task["order"]["number"] for task in tasks if task["kind"] == "CreditHold")

    async def test_the_completed_order_tells_its_whole_story(self, whole: Whole):
        order = (await whole.play("lineage"))["orderByNumber"]
        types = {event["type"] for event in order["lineage"]["nodes"]}
        assert {"quote.created", "order.accepted", "shipment.delivered", "invoice.posted"} <= types
        assert order["quote"]["lineage"]["nodes"]
        assert order["returns"][0]["rmaNumber"]

    async def test_gql_asks_over_http_and_gets_errors_as_exceptions(self, whole: Whole):
        async with Client(transport=HTTPXAsyncTransport(url=f"{whole.url}/graphql")) as session:
            found = await session.execute(GraphQLRequest("{ warehouses { code name } }"))
            assert [entry["code"] for entry in found["warehouses"]] == ["W01", "W02", "W03", "W04", "W05"]
            with pytest.raises(TransportQueryError, match="Did you mean"):
                await session.execute(GraphQLRequest('{ warehouse(code: "W01") { nme } }'))

"""What is told to those who follow it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.graph_suite.asking import BUYER, WITHIN_S, events_of, following, submission, until
from tests.support.graph_suite.price_lines import price_lines
from tests.support.whole import Whole


class ChangeSuite:
    """What is told to those who follow it."""

    async def test_a_change_of_stock_is_told_to_those_who_follow_it(self, whole: Whole):
        query = """subscription ($skus: [String!]!) { availabilityChanged(skus: $skus) {
          eventId sku position { warehouse { code } allocated { value } freshness { stale } } } }"""
        async with following(whole, query, {"skus": ["VLV-0042"]}) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)  # the subscription is on its way before the order is
            payload = (await whole.play("order", input=submission(("VLV-0042", "3"))))["orderSubmit"]
            assert payload["order"]["status"] == "ACCEPTED"
            async with asyncio.timeout(WITHIN_S):
                told = (await first)["availabilityChanged"]
        assert told["sku"] == "VLV-0042"
        assert told["position"]["freshness"]["stale"] is False

    @pytest.mark.slow
    async def test_a_changed_price_is_told_over_server_sent_events_and_resumed_without_gap_or_double(
        self, whole: Whole
    ):
        query = """subscription ($account: ID!, $skus: [String!]!) { priceChanged(accountId: $account, skus: $skus) {
          eventId effectiveFrom item { sku name } price { __typename ... on Price { unit { amount } source } } } }"""
        asked = {"query": query, "variables": {"account": BUYER, "skus": ["FIT-0021", "FIT-0022"]}}
        async with price_lines(whole) as lines:
            async with events_of(whole, asked) as stream:
                first = asyncio.ensure_future(anext(stream))
                while not first.done():  # until the subscription is there
                    await lines.write("FIT-0021", 5)
                    await asyncio.wait([first], timeout=1)
                cursor, told = await first
                await lines.write("FIT-0022", 3)
                seen = await until(stream, lambda event: event[1]["priceChanged"]["item"]["sku"] == "FIT-0022")
            ids = [event[0] for event in seen]
            await lines.write("FIT-0022", 7)
            async with events_of(whole, asked, cursor) as stream, asyncio.timeout(WITHIN_S):
                again = [await anext(stream) for _ in range(len(ids) + 2)]
        assert told["priceChanged"]["item"]["name"]
        assert told["priceChanged"]["price"] == {
            "__typename": "Price",
            "unit": {"amount": "5.00"},
            "source": "CONTRACT",
        }
        assert [event[0] for event in again][: len(ids)] == ids
        assert len({event[0] for event in again}) == len(again)
        assert again[-1][1]["priceChanged"]["price"]["unit"] == {"amount": "7.00"}

"""What bad input gets, and what a system that fails costs."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from sandbox.kit.webhooks import signature
from tests.support.graph_suite.asking import NUMBERS, WITHIN_S, submission
from tests.support.whole import Whole


class RefusalSuite:
    """What bad input gets, and what a system that fails costs."""

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            pytest.param({"accountId": "acc_nobody"}, "UNKNOWN_ACCOUNT", id="an account that does not exist"),
            pytest.param({"shipToId": "shp_nowhere"}, "UNKNOWN_SHIP_TO", id="a place that does not exist"),
            pytest.param({"requestedDate": "2020-01-01"}, "DATE_IN_PAST", id="a past date"),
            pytest.param({"line": {"sku": "NO-SUCH"}}, "UNKNOWN_SKU", id="a sku that does not exist"),
            pytest.param(
                {"line": {"quantity": {"value": "0", "uom": "EA"}}}, "QUANTITY_POSITIVE", id="a quantity of zero"
            ),
            pytest.param({"line": {"quantity": {"value": "1", "uom": "ZZ"}}}, "UNKNOWN_UNIT", id="an unknown unit"),
        ],
    )
    async def test_a_bad_order_is_refused_with_what_is_wrong_and_leaves_nothing(
        self, whole: Whole, change: dict[str, Any], code: str
    ):
        given = submission(**{name: value for name, value in change.items() if name != "line"})
        given["lines"][0] |= change.get("line", {})
        query = (
            "mutation ($input: OrderSubmitInput!) { orderSubmit(input: $input) { order { id status }"
            " problems { __typename ... on ValidationFailed { code rule message path } } } }"
        )
        payload = (await whole.data(query, {"input": given}))["orderSubmit"]
        assert payload["order"] is None or payload["order"]["status"] == "REJECTED"
        assert code in [problem.get("rule") for problem in payload["problems"]]

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param({"error_rate": 1}, id="answers 500"),
            pytest.param({"throttle_rate": 1, "retry_after_s": 30}, id="answers 429"),
            pytest.param({"garbage_rate": 1}, id="answers garbage"),
            pytest.param({"html_rate": 1}, id="answers HTML"),
        ],
    )
    async def test_an_erp_that_fails_costs_the_fields_that_need_it_and_says_so(
        self, whole: Whole, fault: dict[str, Any]
    ):
        erp = whole.sandboxes["erp"]
        await erp.faults(**fault)
        try:
            answer = await whole.ask(
                '{ accountByNumber(number: "C-10042") { name credit { onHold } } warehouses { code } }'
            )
        finally:
            await erp.faults()
        assert answer["data"]["accountByNumber"]["name"]
        assert answer["data"]["accountByNumber"]["credit"] is None
        assert len(answer["data"]["warehouses"]) == 5
        (error,) = answer["errors"]
        assert error["extensions"]["system"] == "CLOUD_ERP"
        assert error["path"] == ["accountByNumber", "credit"]

    async def test_an_erp_that_never_answers_ends_at_the_deadline(self, whole: Whole):
        erp = whole.sandboxes["erp"]
        await erp.faults(hang_rate=1)
        try:
            async with asyncio.timeout(WITHIN_S):
                answer = await whole.ask('{ accountByNumber(number: "C-10042") { name credit { onHold } } }')
        finally:
            await erp.faults()
        assert answer["data"]["accountByNumber"]["credit"] is None
        assert answer["errors"][0]["extensions"]["retryable"] is True

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            pytest.param('{ accountByNumber(number: "C-10042") { nam } }', "name", id="an unknown field"),
            pytest.param("{ accounts(first: 201) { nodes { id } } }", "200", id="first above the page limit"),
            pytest.param("{ orders(first: 201) { nodes { id } } }", "200", id="first above the limit of orders"),
            pytest.param("{ items(first: -1) { nodes { id } } }", "first", id="first below zero"),
            pytest.param("{ accountByNumber(number: 5) { name } }", "String", id="an argument of the wrong type"),
        ],
    )
    async def test_a_bad_question_gets_an_error_that_says_what_to_change(self, whole: Whole, query: str, said: str):
        errors = (await whole.ask(query))["errors"]
        assert said in errors[0]["message"]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ('{ accountByNumber(number: "C-0") { name } }', "accountByNumber"),
            ('{ account(id: "acc_nobody") { name } }', "account"),
            ('{ itemBySku(sku: "NO-SUCH") { name } }', "itemBySku"),
            ('{ order(id: "ord_none") { number } }', "order"),
            ('{ warehouse(code: "W99") { name } }', "warehouse"),
            ('{ process(id: "prc_none") { kind } }', "process"),
        ],
    )
    async def test_what_does_not_exist_is_null_without_an_error(self, whole: Whole, query: str, field: str):
        assert (await whole.data(query))[field] is None

    async def test_a_webhook_with_a_bad_signature_is_refused(self, whole: Whole):
        body = b'{"id": "wms-1", "type": "stock.changed"}'
        headers = {"x-wms-event-id": "wms-1", "x-wms-timestamp": "1", "x-wms-signature": "sha256=00"}
        answer = await whole.http.post("/webhooks/wms", content=body, headers=headers)
        assert answer.status_code == 401
        assert "signature" in answer.json()["error"]
        assert (await whole.http.post("/webhooks/nobody", content=body)).status_code == 404

    async def test_a_webhook_of_an_unknown_type_is_kept_as_a_dead_letter(self, whole: Whole):
        event_id = f"wms-strange-{next(NUMBERS)}"
        body = f'{{"id": "{event_id}", "type": "robot.uprising"}}'.encode()
        timestamp = str(int(time.time()))
        secret = whole.settings.systems.wms.webhook_secret
        headers = {
            "x-wms-event-id": event_id,
            "x-wms-timestamp": timestamp,
            "x-wms-signature": signature(secret, timestamp, body),
        }
        for _ in range(2):
            assert (await whole.http.post("/webhooks/wms", content=body, headers=headers)).status_code == 202
        query = "{ deadLetters(source: WMS) { nodes { type reason payload } } }"
        async with asyncio.timeout(WITHIN_S):
            while True:
                letters = (await whole.data(query))["deadLetters"]["nodes"]
                mine = [letter for letter in letters if letter["payload"]["id"] == event_id]
                if mine:
                    break
                await asyncio.sleep(0.05)
        assert len(mine) == 1
        assert "robot.uprising" in mine[0]["reason"]

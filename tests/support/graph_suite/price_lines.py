"""Contracts in the ERP, written as its people write them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from sandbox.erp_book.seed import COMPANY
from tests.support.graph_suite.asking import BUYER
from tests.support.sandboxes import CREDENTIALS
from tests.support.whole import Whole


class PriceLines:
    """Contracts of the buyer in the ERP, written as its people write them."""

    def __init__(self, http: httpx.AsyncClient, currency: str) -> None:
        self._http = http
        self._currency = currency
        self._lines: dict[str, str] = {}

    async def write(self, sku: str, unit: int) -> None:
        """Have an item cost so much; said again it is the next change, there and back."""
        if sku in self._lines:
            for price in (unit + 1, unit):
                await self._send("PATCH", f"({self._lines[sku]})", {"unitPrice": price})
            return
        body = {"number": f"CON-T-{sku}", "level": "CONTRACT", "currencyCode": self._currency, "accountId": BUYER}
        body |= {"itemNumber": sku, "startingDate": datetime.now(UTC).date().isoformat()}
        self._lines[sku] = (await self._send("POST", "", {**body, "unitPrice": unit})).json()["id"]

    async def remove(self) -> None:
        """Remove every line."""
        for line in self._lines.values():
            await self._send("DELETE", f"({line})", {})

    async def _send(self, method: str, address: str, body: Any) -> httpx.Response:
        prices = f"/api/crossdock/distribution/v1.0/companies({COMPANY})/prices{address}"
        answer = await self._http.request(method, prices, json=body, headers={"if-match": "*"})
        answer.raise_for_status()
        return answer


@asynccontextmanager
async def price_lines(whole: Whole) -> AsyncIterator[PriceLines]:
    """Sign in to the ERP to write prices, and remove them afterwards."""
    erp = whole.sandboxes["erp"]
    form = {"grant_type": "client_credentials", **CREDENTIALS["erp"]}
    token = (await erp.http.post("/oauth2/v2.0/token", data=form)).json()["access_token"]
    query = "query ($id: ID!) { account(id: $id) { currency } }"
    currency = (await whole.data(query, {"id": BUYER}))["account"]["currency"]
    signed_in = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=erp.url, trust_env=False, headers=signed_in) as http:
        lines = PriceLines(http, currency)
        try:
            yield lines
        finally:
            await lines.remove()

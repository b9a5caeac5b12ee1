"""The connector to the CRM over a served sandbox: how it is opened, and what is written through it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sandbox.crm.vendor import Crm
from sandbox.world.model import WorldModel
from schema.enums import OrderStatus, QuoteStatus
from schema.records.values import Money
from systems.ports import OrderMirror, QuoteMirror
from systems.salesforce import Salesforce, SalesforceSettings
from tests.support.sandboxes import CREDENTIALS, ServedSandbox, serve_sandbox

__all__ = [
    "ACCOUNT_REF",
    "NOW",
    "QUERY",
    "TOKEN",
    "cases_in",
    "connected",
    "late",
    "mirror",
    "mirrored",
    "mirrored_quotes",
    "quote_mirror",
    "settings",
]

NOW = datetime.now(UTC)
ACCOUNT_REF = "001000000000001AAA"
TOKEN = "/services/oauth2/token"
QUERY = "/services/data/v62.0/query"


def settings(url: str, **more: Any) -> SalesforceSettings:
    """Return how a sandbox is reached, with credentials that it takes."""
    return replace(SalesforceSettings(url, **CREDENTIALS["crm"], timeout_s=2), **more)


@asynccontextmanager
async def connected(vendor: Crm, world: WorldModel, **more: Any) -> AsyncIterator[tuple[Salesforce, ServedSandbox]]:
    """Open a connector to a sandbox of this vendor."""
    async with serve_sandbox(vendor, lambda: world) as served, Salesforce(settings(served.url, **more)) as connector:
        yield connector, served


def mirror(order_id: str = "ord_new", **changes: Any) -> OrderMirror:
    """Return an order as the CRM is to show it."""
    made = OrderMirror(
        order_id=order_id,
        number="SO-900",
        account_id="acc_1",
        opportunity_id="opp_9",
        status=OrderStatus.ACCEPTED,
        total=Money(Decimal("1234.56"), "USD"),
        promised_date=date(2026, 3, 9),
        po_number="PO-1",
        ordered_on=date(2026, 3, 2),
    )
    return replace(made, **changes)


def mirrored(served: ServedSandbox, order_id: str = "ord_new") -> list[dict[str, Any]]:
    """Return what the CRM has of an order."""
    return [
        dict(row) for row in served.host.store.query('SELECT * FROM "Order" WHERE "Crossdock_Id__c" = ?', (order_id,))
    ]


def quote_mirror(quote_id: str = "quo_new", **changes: Any) -> QuoteMirror:
    """Return a quote as the CRM is to show it."""
    made = QuoteMirror(
        quote_id=quote_id,
        number="Q-900",
        account_id="acc_1",
        opportunity_id="opp_9",
        status=QuoteStatus.PRICED,
        total=Money(Decimal("1234.56"), "USD"),
        valid_until=date(2026, 4, 1),
    )
    return replace(made, **changes)


def mirrored_quotes(served: ServedSandbox) -> list[dict[str, Any]]:
    """Return the quotes that the CRM has."""
    return [dict(row) for row in served.host.store.query('SELECT * FROM "Quote"')]


def cases_in(served: ServedSandbox) -> int:
    """Return how many cases the CRM has."""
    return int(served.host.store.query('SELECT count(*) AS n FROM "Case"')[0]["n"])


def late(crm: Salesforce, key: str = "sh:S-1:delay", **changes: Any) -> Awaitable[Any]:
    """Open the case of a shipment that is late."""
    given = {
        "account_id": "acc_1",
        "order_id": "ord_77",
        "subject": "Shipment S-1 is late",
        "priority": "High",
        "body": "Nobody knows why.",
    }
    return crm.open_case(key, **(given | changes))

"""The tour: what the graph is for, shown in the terminal in about half a minute."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from crossdock.demo.client import GraphClient, SandboxSwitch, TourError
from crossdock.scenarios import scenario

__all__ = ["Tour"]

STEP_S = 30.0
"""Longest wait for what a step shows."""

FAST = 3_600.0
"""An hour of the warehouse and the carrier in a second while shipments are watched."""

OUTAGE_S = 4.0
"""How long the ERP is down in the last step."""

_LINEAGE_SHOWN = 40
_ORDER_COLUMNS = ("order", "status", "fulfilment", "promised", "total")


class Tour:
    """Plays the tour against a running demo.

    Args:
        console: where to draw.
        graph: the gateway.
        sandboxes: the made-up systems.
        speed: clock speed of the sandboxes outside of the tour.
    """

    def __init__(self, console: Console, graph: GraphClient, sandboxes: SandboxSwitch, speed: float) -> None:
        self._console = console
        self._graph = graph
        self._sandboxes = sandboxes
        self._speed = speed
        self._run = uuid.uuid4().hex[:8]

    async def play(self) -> None:
        """Show everything in order.

        Raises:
            TourError: a step did not end as it should.
        """
        await self._customer()
        await self._price()
        await self._order_and_shipments()
        await self._outage()

    def _head(self, number: int, title: str, about: str) -> None:
        self._console.print()
        self._console.rule(f"[bold]{number}  {title}", align="left")
        self._console.print(Text(about, style="dim"))

    async def _customer(self) -> None:
        self._head(1, "The customer", "One query over CRM, ERP, warehouse, carrier and our own ledgers.")
        shown = scenario("customer")
        started = time.perf_counter()
        account = (await self._graph.ask(shown.query, shown.variables))["accountByNumber"]
        took_ms = (time.perf_counter() - started) * 1000
        credit = account["creditAvailable"]
        facts = (
            f"{account['name']}   {account['status']}   credit available {_money(credit)}   [dim]{took_ms:.0f} ms[/]"
        )
        self._console.print(Panel(facts, expand=False))
        table = Table(*(Column(name, no_wrap=True) for name in _ORDER_COLUMNS), "what is wrong")
        for order in account["orders"]["nodes"]:
            wrong = "; ".join(problem["message"] for problem in order["exceptions"])
            table.add_row(
                order["number"],
                order["status"],
                order["fulfillmentStatus"],
                order["promisedDate"] or "",
                _money(order["total"]),
                wrong,
            )
        self._console.print(table)
        open_cases = [case["subject"] for case in account["cases"]["nodes"] if case["status"] == "OPEN"]
        invoices = account["invoices"]["nodes"]
        self._console.print(f"{len(invoices)} posted invoices, {len(open_cases)} open cases: {', '.join(open_cases)}")

    async def _price(self) -> None:
        self._head(2, "A price and what can be promised", "As a sales rep's phone asks for it: 24 pieces of PMP-0042.")
        shown = scenario("price")
        item = (await self._graph.ask(shown.query, shown.variables))["itemBySku"]
        price, stock = item["price"], item["availability"]
        if price["__typename"] != "Price":
            raise TourError(f"no price: {price['message']}")
        breaks = ", ".join(
            f"from {entry['minQuantity']['value']}: {entry['unit']['amount']}" for entry in price["breaks"]
        )
        self._console.print(
            Panel(f"{item['name']}   [bold]{_money(price['unit'])}[/] ({price['source']}; {breaks})", expand=False)
        )
        table = Table("from", "supply", "quantity", "ships", "arrives", title=f"availability: {stock['decision']}")
        for promise in stock["promise"]:
            table.add_row(
                promise["warehouse"]["code"],
                promise["kind"],
                promise["quantity"]["value"],
                promise["shipDate"] or "",
                promise["deliveryDate"] or "",
            )
        self._console.print(table)

    async def _order_and_shipments(self) -> None:
        self._head(3, "An order", "A durable process: credit, reservation, ERP document, warehouse release, notices.")
        shipments = scenario("shipments")
        async with self._graph.follow(shipments.query, shipments.variables) as events:
            order = await self._submit("order", [("PMP-0042", "6"), ("VLV-0042", "10")])
            self._head(4, "Its shipment, live", "A subscription over the same graph; the warehouse's clock runs fast.")
            await self._speed_up(FAST)
            await self._watch(events, order["number"])
        await self._speed_up(self._speed)
        await self._lineage(order["number"])

    async def _submit(self, what: str, lines: list[tuple[str, str]]) -> dict[str, Any]:
        shown = scenario("order")
        submission = {
            **shown.variables["input"],
            "idempotencyKey": f"tour-{self._run}-{what}",
            "poNumber": f"TOUR-{self._run}-{what}",
            "lines": [
                {"lineNo": number, "sku": sku, "quantity": {"value": quantity, "uom": "EA"}}
                for number, (sku, quantity) in enumerate(lines, 1)
            ],
        }
        payload = (await self._graph.ask(shown.query, {"input": submission}))["orderSubmit"]
        if payload["order"] is None:
            raise TourError("; ".join(problem["message"] for problem in payload["problems"]))
        order: dict[str, Any] = payload["order"]
        state = payload["process"]["state"] if payload["process"] else "-"
        self._console.print(Panel(f"{order['number']}   [bold]{order['status']}[/]   process {state}", expand=False))
        return order

    async def _watch(self, events: AsyncIterator[Mapping[str, Any]], number: str) -> None:
        """Print what happens to the shipments of one order until one of them is delivered."""
        try:
            async with asyncio.timeout(STEP_S):
                async for event in events:
                    told = event["shipmentMilestone"]
                    milestone, shipment = told["milestone"], told["shipment"]
                    if shipment["order"]["number"] != number:
                        continue
                    self._console.print(
                        f"  {milestone['at'][:16].replace('T', ' ')}  {shipment['number']}  "
                        f"[bold]{_words(milestone['status']):<17}[/] {milestone['place'] or '':<16} "
                        f"[dim]{milestone['code']}[/]"
                    )
                    if milestone["status"] == "DELIVERED":
                        return
        except TimeoutError as error:
            raise TourError(f"no delivery of {number} within {STEP_S:g} s") from error

    async def _lineage(self, number: str) -> None:
        self._head(5, "Its story", "Every event that any system told of it, in one query.")
        shown = scenario("lineage")
        order = (await self._graph.ask(shown.query, {"number": number}))["orderByNumber"]
        table = Table("when", "system", "what", box=None)
        for event in order["lineage"]["nodes"][:_LINEAGE_SHOWN]:
            table.add_row(event["at"][:19].replace("T", " "), event["system"], event["summary"] or event["type"])
        self._console.print(table)

    async def _outage(self) -> None:
        self._head(6, "The ERP goes down", f"It is away for {OUTAGE_S:g} seconds; an order comes in meanwhile.")
        await self._sandboxes.faults("erp", {"outages": [{"after_s": 0, "for_s": OUTAGE_S}]})
        order = await self._submit("outage", [("PMP-0042", "1")])
        follow = scenario("follow")
        try:
            async with asyncio.timeout(STEP_S), self._graph.follow(follow.query, {"order": order["id"]}) as events:
                status = order["status"]
                async for event in events:
                    changed = event["orderStatusChanged"]
                    status = changed["order"]["status"]
                    said = _words(changed["type"].removeprefix("order."))
                    self._console.print(f"  {order['number']} {said:<18} [bold]{status}[/]")
                    if status == "ACCEPTED":
                        break
        except TimeoutError as error:
            raise TourError(f"{order['number']} was not accepted within {STEP_S:g} s after the outage") from error
        self._console.print("Nothing was lost and nothing was doubled: the process waited, looked, and went on.")

    async def _speed_up(self, speed: float) -> None:
        for name in ("wms", "tms"):
            await self._sandboxes.speed(name, speed)


def _words(name: str) -> str:
    """Return a name of the graph or of an event as one reads it."""
    return name.replace("_", " ").replace(".", " ").lower()


def _money(money: Mapping[str, str] | None) -> str:
    return "-" if money is None else f"{money['amount']} {money['currency']}"

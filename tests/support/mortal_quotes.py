"""What becomes of a quote that is ordered by programs that are killed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from processes.api import QuotePreparation, QuoteRequestLine
from processes.starter import EngineStarter
from processes.worker import ProcessEngine
from schema.enums import OrderStatus, ProcessState, QuoteStatus, SourceSystem
from schema.records.orders import Quote
from schema.records.values import Quantity
from systems.errors import Rejected
from tests.support.mortal_parts import WAIT_MS, Scenario, named, received, told_once
from tests.support.process_world import REP, ProcessWorld, submission

__all__ = ["QUOTE_SCENARIOS"]

_OFTEN = 9
"""More often than any run asks."""


async def _order(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Prepare a quote (P2) and order it (P3)."""
    starter = EngineStarter(engine)
    asked = QuotePreparation("acc_1", (QuoteRequestLine(1, "PMP-0042", Quantity(Decimal(6), "EA"), None),))
    quoted = await starter.prepare_quote(asked, key="q-1", principal=REP, wait_ms=WAIT_MS)
    wanted = submission(quote_id=quoted.entity_id)
    return named(await starter.submit_order(wanted, key="o-1", principal=REP, wait_ms=WAIT_MS))


async def _converted(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    quote = await _quote_of(world, order.quote_id)
    assert (quote.status, quote.order_id, order.status) == (QuoteStatus.CONVERTED, order.id, OrderStatus.ACCEPTED)
    told = await world.event_types(quote.id)
    assert (told.count("quote.converted"), told.count("quote.reopened")) == (1, 0)
    told_once(await world.event_types(order.id))
    assert world.kept.keys("document") == [f"or:{order.id}:erp"]


async def _order_in_vain(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    refusal = Rejected(SourceSystem.CLOUD_ERP, "create order", "blocked", reason="Blocked")
    world.script.before["create_order"] += [refusal] * _OFTEN
    return await _order(world, engine)


async def _reopened(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    quote = await _quote_of(world, order.quote_id)
    assert (quote.status, quote.order_id, order.status) == (QuoteStatus.PRICED, None, OrderStatus.REJECTED)
    told_once(await world.event_types(quote.id))
    assert (await world.event_types(quote.id))[-2:] == ["quote.converted", "quote.reopened"]


async def _quote_of(world: ProcessWorld, quote_id: str | None) -> Quote:
    assert quote_id is not None
    return (await world.use.quotes.quotes([quote_id]))[quote_id]


QUOTE_SCENARIOS: Mapping[str, Scenario] = {
    "ordered quote": Scenario(_order, _converted, is_new=True),
    "quote ordered in vain": Scenario(_order_in_vain, _reopened, ProcessState.FAILED, is_new=True),
}

"""What programs do while they are killed, and how it must look in the end, by name: every process but P8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from events.inbox import Inbox
from processes.api import (
    LineChange,
    OrderCancellation,
    OrderChange,
    QuotePreparation,
    QuoteRequestLine,
    ReturnAsked,
    ReturnLineAsked,
)
from processes.decider import EngineDecider
from processes.decision_api import HoldRelease
from processes.fulfilment import Fulfilment
from processes.invoice_tasks import REBILL
from processes.invoicing import Invoicing
from processes.return_news import Returns
from processes.starter import EngineStarter
from processes.task_news import resolve_tasks
from processes.worker import ProcessEngine
from schema.enums import (
    HoldKind,
    InvoiceStatus,
    OnboardingStatus,
    OrderStatus,
    ProcessState,
    QuoteStatus,
    ReturnStatus,
    ShipmentStatus,
    SourceSystem,
)
from schema.events.envelope import EventFilter
from schema.records.invoices import InvoicedLine, PostedInvoice
from schema.records.merges import MergeAsked
from schema.records.orders import Invoice, Milestone, ReturnLine
from schema.records.values import Money, Quantity
from systems.errors import Rejected
from systems.news import ReturnNews, ShipmentNews
from tests.support.mortal_accounts import ACCOUNT_SCENARIOS
from tests.support.mortal_orders import ORDER_SCENARIOS
from tests.support.mortal_parts import (
    CONTROLLER,
    WAIT_MS,
    Scenario,
    delivered_shipment,
    end,
    named,
    order,
    received,
    stops,
    told_once,
)
from tests.support.mortal_quotes import QUOTE_SCENARIOS
from tests.support.onboarding_records import applicant
from tests.support.onboarding_runs import prepare
from tests.support.process_world import REP, ProcessWorld
from tests.support.rule_records import NOW, credit, terms

__all__ = ["SCENARIOS", "Scenario", "end", "order"]

_USD = Money(Decimal("216.60"), "USD")


async def _accepted(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    told_once(await world.event_types(order.id))
    assert order.status is OrderStatus.ACCEPTED
    assert world.kept.keys("document") == [f"or:{order.id}:erp"]
    assert world.kept.keys("allocation") == [f"or:{order.id}:alloc:1"]
    assert world.kept.keys("release") == [f"or:{order.id}:rel:W01:1"]
    assert world.kept.all("mirror") == ["ACCEPTED"]


async def _held_order(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Submit an order that credit holds, and release it."""
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="100.00"))
    (process_id,) = await order(world, engine)
    order_id = process_id.replace("prc_", "ord_", 1)
    if await stops(world, process_id) is ProcessState.WAITING_HUMAN:
        inbox = Inbox(world.database, world.use.dead_letters.put, world.use.dead_letters.remove)
        wanted = HoldRelease(order_id, HoldKind.CREDIT, "payment promised")
        await EngineDecider(engine, inbox).release_hold(wanted, key="h-1", principal=CONTROLLER, wait_ms=WAIT_MS)
    return [process_id]


async def _refused_order(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    refusal = Rejected(SourceSystem.CLOUD_ERP, "create order", "blocked", reason="Blocked")
    world.script.before["create_order"] += [refusal] * 9
    return await order(world, engine)


async def _rejected(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    told_once(await world.event_types(order.id), "process.step.compensated")
    assert order.status is OrderStatus.REJECTED
    assert world.erp.documents() == []


async def _onboard(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    prepare(world)
    starter = EngineStarter(engine)
    return named(await starter.submit_onboarding(applicant(), key="ob-1", principal=REP, wait_ms=WAIT_MS))


async def _customer_everywhere(world: ProcessWorld) -> None:
    await _onboarded(world, OnboardingStatus.ACTIVE)
    assert (world.kept.all("block"), world.kept.all("account status")) == ([""], ["ACTIVE"])


async def _onboard_in_vain(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    refusal = Rejected(SourceSystem.CRM, "upsert account", "no such owner", reason="OWNER")
    world.script.after["upsert_account"] += [refusal] * 9
    return await _onboard(world, engine)


async def _customer_nowhere(world: ProcessWorld) -> None:
    await _onboarded(world, OnboardingStatus.FAILED_COMPENSATED)
    assert (world.kept.all("block"), world.kept.all("account status")) == (["All"], ["PROSPECT"])


async def _onboarded(world: ProcessWorld, status: OnboardingStatus) -> None:
    (told,) = await world.use.events.read(EventFilter(types=("account.onboarding.submitted",)), None, 10)
    onboarding = (await world.use.onboardings.onboardings([told.event.subject]))[told.event.subject]
    told_once(await world.event_types(onboarding.id), "account.onboarding.checked", "process.step.compensated")
    assert onboarding.status is status
    assert world.kept.keys("customer") == world.kept.keys("account") == [onboarding.account_id]


async def _quote(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    asked = QuotePreparation("acc_1", (QuoteRequestLine(1, "PMP-0042", Quantity(Decimal(6), "EA"), None),))
    return named(await EngineStarter(engine).prepare_quote(asked, key="q-1", principal=REP, wait_ms=WAIT_MS))


async def _quoted(world: ProcessWorld) -> None:
    (told,) = await world.use.events.read(EventFilter(types=("quote.created",)), None, 10)
    quote = (await world.use.quotes.quotes([told.event.subject]))[told.event.subject]
    told_once(await world.event_types(quote.id))
    assert (quote.status, quote.total) == (QuoteStatus.PRICED, _USD)


async def _late_delivery(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    """Pack, delay and deliver the order's shipment (P4)."""
    world.wms.shipments_by_id = {"sh_S-1": delivered_shipment(await received(world))}
    order_id = await received(world)
    tell = Fulfilment(engine).handle
    late = NOW + timedelta(days=4)
    await tell(_news(order_id, "PACKED", ShipmentStatus.PACKED, 20, SourceSystem.WMS))
    await tell(replace(_news(order_id, "SD", ShipmentStatus.DELAYED, 90, SourceSystem.TMS), estimated_delivery=late))
    await end(world, "prc_shipment_tender_S-1")
    await end(world, "prc_shipment_delay_S-1")
    await tell(_news(order_id, "D1", ShipmentStatus.DELIVERED, 120, SourceSystem.TMS))
    return [f"prc_shipment_{kind}_S-1" for kind in ("tender", "delay", "delivery")]


async def _delivered(world: ProcessWorld) -> None:
    order_id = await received(world)
    told_once(await world.event_types(order_id), "customer.notified", "order.fulfillment.changed")
    assert world.kept.keys("tender") == ["sh:S-1:tender"]
    assert world.kept.all("case") == ["Shipment S-1 is late"]
    assert (await world.order(order_id)).exceptions == ()


async def _bill(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    order_id = await received(world)
    world.wms.shipments_by_id = {"sh_S-1": delivered_shipment(order_id)}
    world.erp.invoiced = True
    invoice = Invoice(
        "inv_SI-1", "SI-1", "acc_1", order_id, InvoiceStatus.POSTED, NOW, NOW.date(), _USD, _USD, None
    )  # fmt: skip
    line_ = InvoicedLine(1, Decimal(6), Money(Decimal("36.10"), "USD"), _USD)
    nothing = replace(_USD, amount=Decimal(0))
    world.erp.postings = [PostedInvoice(1, invoice, nothing, nothing, (line_,))]
    await Invoicing(engine, world.inbox).read()
    return ["prc_invoice_SI-1"]


async def _billed(world: ProcessWorld) -> None:
    order_id = await received(world)
    assert (await world.order(order_id)).status is OrderStatus.COMPLETED
    types = await world.event_types(order_id)
    assert (types.count("invoice.posted"), types.count("order.completed")) == (1, 1)


async def _correct(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    order_id = await received(world)
    world.wms.shipments_by_id = {"sh_S-1": delivered_shipment(order_id)}
    world.erp.invoiced = True
    price, total = Money(Decimal("37.40"), "USD"), Money(Decimal("224.40"), "USD")
    invoice = Invoice(
        "inv_SI-1", "SI-1", "acc_1", order_id, InvoiceStatus.POSTED, NOW, NOW.date(), total, total, None
    )  # fmt: skip
    nothing = replace(_USD, amount=Decimal(0))
    line_ = InvoicedLine(1, Decimal(6), price, total)
    world.erp.postings = [PostedInvoice(1, invoice, nothing, nothing, (line_,))]
    await Invoicing(engine, world.inbox).read()
    if await stops(world, "prc_invoice_SI-1") is ProcessState.WAITING_HUMAN:
        tasks = await world.use.tasks.tasks(["tsk_inv_SI-1"])
        await resolve_tasks(world.use, tasks.values(), REBILL, CONTROLLER.subject, "the old price")
        await engine.wake("prc_invoice_SI-1")
    return ["prc_invoice_SI-1"]


async def _corrected(world: ProcessWorld) -> None:
    order_id = await received(world)
    assert (world.kept.all("credit memo"), world.kept.all("rebilling")) == (["SI-1"], ["SI-2"])
    types = await world.event_types(order_id)
    assert (types.count("invoice.credited"), types.count("invoice.posted")) == (1, 0)
    assert (await world.order(order_id)).exceptions == ()


async def _merge(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    asked = MergeAsked("acc_1", "acc_2", "the same shop twice")
    starter = EngineStarter(engine)
    return named(await starter.merge_accounts(asked, key="m-1", principal=CONTROLLER, wait_ms=WAIT_MS))


async def _merged(world: ProcessWorld) -> None:
    assert await world.use.merges.survivors(["acc_2"]) == {"acc_2": "acc_1"}
    assert len(world.kept.keys("merge")) == 1
    assert world.kept.all("block", "acc_2") == ["All"]
    for account_id in ("acc_1", "acc_2"):
        assert (await world.event_types(account_id)).count("account.merged") == 1


async def _merge_in_vain(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    refusal = Rejected(SourceSystem.CRM, "give belongings", "a rule of the CRM", reason="RULE")
    world.script.before["give_belongings"] += [refusal] * 9
    return await _merge(world, engine)


async def _apart(world: ProcessWorld) -> None:
    assert await world.use.merges.survivors(["acc_2"]) == {}
    assert (world.kept.keys("merge"), world.kept.all("block", "acc_2")) == ([], [""])
    assert "account.merged" not in await world.event_types("acc_2")


async def _give_back(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    order_id = await received(world)
    world.wms.shipments_by_id = {"sh_S-1": delivered_shipment(order_id)}
    world.erp.invoiced = True
    asked = ReturnAsked(order_id, "acc_1", (ReturnLineAsked(1, Quantity(Decimal(2), "EA"), "DAMAGED"),))
    started = await EngineStarter(engine).request_return(asked, key="r-1", principal=REP, wait_ms=WAIT_MS)
    assert started.entity_id is not None, started.problems
    came = ReturnLine(1, "PMP-0042", Quantity(Decimal(2), "EA"), "DAMAGED", "SCRAP")
    told = ReturnNews(SourceSystem.WMS, "evt-1", started.entity_id, ReturnStatus.INSPECTED, NOW, "W01", (came,))
    await Returns(engine).handle(told)
    return named(started)


async def _returned(world: ProcessWorld) -> None:
    order_id = await received(world)
    (entry,) = (await world.use.returns.returns_of_orders([order_id]))[order_id]
    assert (entry.status, entry.credit is not None) == (ReturnStatus.CLOSED, True)
    assert world.kept.keys("rma") == [entry.number]
    assert world.kept.keys("expected") == [f"rma:{entry.id}:wms"]
    assert world.kept.keys("rma_key") == [f"rma:{entry.id}:receipt", f"rma:{entry.id}:credit"]
    types = await world.event_types(entry.id)
    assert types.count("customer.notified") == 2
    told_once(types, "customer.notified")


async def _change(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    lines = (LineChange(1, Quantity(Decimal(4), "EA")),)
    asked = OrderChange(await received(world), int(world.kept.all("version")[0]), lines, "fewer will do")
    return named(await EngineStarter(engine).change_order(asked, key="c-1", principal=REP, wait_ms=WAIT_MS))


async def _changed(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    assert (order.status, order.amended_by, order.lines[0].wanted) == (OrderStatus.ACCEPTED, None, 4)
    version = world.kept.all("version")[0]
    assert world.kept.keys("change") == [f"chg:{order.id}:{version}:erp"]
    assert world.kept.keys("release") == [f"or:{order.id}:rel:W01:{version}"]
    assert world.kept.keys("held") == []
    assert [line.ordered for line in world.erp.documents()[0].lines] == [4]


async def _cancel(world: ProcessWorld, engine: ProcessEngine) -> list[str]:
    asked = OrderCancellation(await received(world), int(world.kept.all("version")[0]), "not needed any more")
    return named(await EngineStarter(engine).cancel_order(asked, key="c-1", principal=REP, wait_ms=WAIT_MS))


async def _cancelled(world: ProcessWorld) -> None:
    order = await world.order(await received(world))
    assert (order.status, order.amended_by) == (OrderStatus.CANCELLED, None)
    assert [document.status for document in world.erp.documents()] == [OrderStatus.CANCELLED]
    assert (world.kept.keys("release"), world.kept.keys("held")) == ([], [])


def _news(order_id: str, code: str, status: ShipmentStatus, minutes: int, source: SourceSystem) -> ShipmentNews:
    is_carrier = source is SourceSystem.TMS
    return ShipmentNews(
        source=source,
        event_id=f"evt-{code}",
        sequence=minutes,
        shipment_number="S-1",
        order_id=order_id,
        account_id="acc_1",
        milestone=Milestone(code, status, NOW + timedelta(minutes=minutes), "W01", None, source),
        status=status,
        warehouse_code="W01",
        lines=((1, "6"),),
        carrier="EXMP" if is_carrier else None,
        tracking_number="PRO-1" if is_carrier else None,
    )


SCENARIOS: Mapping[str, Scenario] = {
    "onboarding": Scenario(_onboard, _customer_everywhere),
    "onboarding in vain": Scenario(_onboard_in_vain, _customer_nowhere, ProcessState.FAILED),
    "quote": Scenario(_quote, _quoted),
    "order": Scenario(order, _accepted),
    "held order": Scenario(_held_order, _accepted),
    "refused order": Scenario(_refused_order, _rejected, ProcessState.FAILED),
    "fulfilment": Scenario(_late_delivery, _delivered, ordered=True),
    "invoice": Scenario(_bill, _billed, ordered=True),
    "corrected invoice": Scenario(_correct, _corrected, ordered=True, is_new=True),
    "return": Scenario(_give_back, _returned, ordered=True),
    "change": Scenario(_change, _changed, ordered=True),
    "cancellation": Scenario(_cancel, _cancelled, ordered=True),
    "merge": Scenario(_merge, _merged, is_new=True),
    "merge in vain": Scenario(_merge_in_vain, _apart, ProcessState.FAILED, is_new=True),
    **ACCOUNT_SCENARIOS,
    **ORDER_SCENARIOS,
    **QUOTE_SCENARIOS,
}

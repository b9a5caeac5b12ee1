"""Invoices (P5): what fits is published once, what does not waits for finance, and the last one completes its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from processes.invoicing import INVOICE_ENTRY, Invoicing
from processes.task_news import resolve_tasks
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import InvoiceStatus, OrderStatus, ProcessState, ShipmentStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.entries import UnreadableEntry
from schema.records.invoices import InvoicedLine, PostedInvoice
from schema.records.operations import DeadLetter
from schema.records.orders import Invoice, Shipment, ShipmentLine
from schema.records.problems import InvoiceMismatch
from schema.records.values import Money, PageRequest, Quantity
from systems.errors import Rejected, Unavailable
from tests.support.fake_systems import FakeLegacyErp, Kept, Script
from tests.support.process_world import QUICK, ProcessWorld, line, run_order, submission
from tests.support.rule_records import NOW


def usd(amount: str | Decimal) -> Money:
    return Money(Decimal(amount), "USD")


def bill(entry: int = 1, quantity: str = "6", price: str = "36.10", order_id: str | None = "ord_1") -> PostedInvoice:
    net = usd(Decimal(quantity) * Decimal(price))
    made = Invoice(
        id=f"inv_SI-{entry}",
        number=f"SI-{entry}",
        account_id="acc_1",
        order_id=order_id,
        status=InvoiceStatus.POSTED,
        posted_at=NOW,
        due_date=NOW.date(),
        total=net,
        balance=net,
        pdf_url=None,
    )
    return PostedInvoice(entry, made, usd("0"), usd("0"), (InvoicedLine(1, Decimal(quantity), usd(price), net),))


def shipment(status: ShipmentStatus = ShipmentStatus.DELIVERED, quantity: int = 6) -> Shipment:
    carried = (ShipmentLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), None),)
    return Shipment("sh_S-1", "S-1", "ord_1", "acc_1", "W01", status, (), carried, (), None, NOW)


class Finance:
    """The engine with what the ERP posts and finance decides."""

    def __init__(self, world: ProcessWorld, engine: ProcessEngine) -> None:
        self.world = world
        self.engine = engine
        self.invoicing = Invoicing(engine, world.inbox)

    async def state(self, number: str, wanted: ProcessState) -> None:
        name = f"prc_invoice_{number}"
        async with asyncio.timeout(60):
            while True:
                found = (await self.world.use.process_log.processes([name])).get(name)
                if found is not None and found.state is wanted:
                    return
                await asyncio.sleep(0.01)

    async def resolve(self, number: str, resolution: str) -> None:
        tasks = await self.world.use.tasks.tasks([f"tsk_inv_{number}"])
        await resolve_tasks(self.world.use, tasks.values(), resolution, "user:usr_3", "agreed on the phone")
        await self.engine.wake(f"prc_invoice_{number}")

    async def told(self) -> list[str]:
        return [name for name in await self.world.event_types("ord_1") if name.startswith(("invoice", "customer"))]


@pytest.fixture
async def finance(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[Finance]:
    await run_order(world, submission(line(6)))
    world.wms.shipments_by_id = {"sh_S-1": shipment()}
    world.erp.invoiced = True
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield Finance(world, engine)


async def test_an_invoice_that_fits_is_published_and_completes_the_order(finance: Finance):
    finance.world.erp.postings = [bill()]
    assert await finance.invoicing.read() == 1
    await finance.state("SI-1", ProcessState.COMPLETED)
    assert await finance.told() == ["customer.notified", "invoice.posted", "customer.notified"]
    (posted,) = await finance.world.use.events.read(EventFilter(types=("invoice.posted",)), None, 10)
    assert (posted.event.subject, posted.event.partition_key, posted.event.occurred_at) == ("inv_SI-1", "ord_1", NOW)
    assert posted.event.data["total"] == {"amount": "216.60", "currency": "USD"}
    assert (await finance.world.order("ord_1")).status is OrderStatus.COMPLETED
    assert (await finance.world.event_types("ord_1")).count("order.completed") == 1


async def test_postings_are_read_in_order_and_each_once(finance: Finance):
    finance.world.erp.postings = [bill(1, "2"), bill(2, "4"), bill(7, "1", order_id=None)]
    assert await finance.invoicing.read() == 3
    assert await finance.invoicing.read() == 0
    assert await finance.world.use.cursors.place("erp.invoices") == 7
    for number in ("SI-1", "SI-2"):
        await finance.state(number, ProcessState.COMPLETED)
    assert (await finance.told()).count("invoice.posted") == 2


async def test_a_posting_that_is_read_again_is_told_once(finance: Finance, monkeypatch: pytest.MonkeyPatch):
    finance.world.erp.postings = [bill()]
    reads = Invoicing(finance.engine, finance.world.inbox)

    async def nowhere(_: str) -> int:
        return 0

    monkeypatch.setattr(finance.world.use.cursors, "place", nowhere)
    for _ in range(2):
        assert await reads.read() == 1
    await finance.state("SI-1", ProcessState.COMPLETED)
    assert (await finance.told()).count("invoice.posted") == 1


class TestUnreadable:
    """A posting that is not of the agreed shape."""

    WRONG = UnreadableEntry(1, "KeyError 'dueDate'", {"entryNo": 1, "total": 21.5})

    async def handled(self, finance: Finance) -> None:
        while await finance.world.inbox.handle_next(finance.invoicing.read_again):
            pass

    async def letters(self, finance: Finance) -> Sequence[DeadLetter]:
        return (await finance.world.use.dead_letters.search(None, PageRequest(10))).items

    async def test_is_a_dead_letter_with_what_was_told_and_those_behind_it_are_compared(self, finance: Finance):
        finance.world.erp.postings = [self.WRONG, bill(2)]
        assert (await finance.invoicing.read(), await finance.invoicing.read()) == (2, 0)
        await finance.state("SI-2", ProcessState.COMPLETED)
        await self.handled(finance)
        (letter,) = await self.letters(finance)
        assert (letter.id, letter.source) == ("dl_CLOUD_ERP_erp.invoices:1", SourceSystem.CLOUD_ERP)
        assert (letter.type, letter.payload["told"]) == (INVOICE_ENTRY, {"entryNo": 1, "total": 21.5})
        assert "KeyError 'dueDate'" in letter.reason

    async def test_is_compared_when_it_is_replayed_after_somebody_has_mended_it(self, finance: Finance):
        finance.world.erp.postings = [self.WRONG]
        await finance.invoicing.read()
        await self.handled(finance)
        (letter,) = await self.letters(finance)
        await finance.world.inbox.reopen(letter)
        await self.handled(finance)
        assert len(await self.letters(finance)) == 1
        finance.world.erp.postings = [bill()]
        for _ in range(2):
            await finance.world.inbox.reopen(letter)
            await self.handled(finance)
        await finance.state("SI-1", ProcessState.COMPLETED)
        assert len(await self.letters(finance)) == 0
        assert (await finance.told()).count("invoice.posted") == 1

    async def test_says_so_when_the_erp_does_not_show_it_any_more(self, finance: Finance):
        finance.world.erp.postings = [self.WRONG]
        await finance.invoicing.read()
        finance.world.erp.postings = [bill(2)]
        await self.handled(finance)
        (letter,) = await self.letters(finance)
        assert "does not show posting 1 any more" in letter.reason


async def test_an_erp_that_is_away_is_read_later_and_nothing_is_lost(finance: Finance):
    finance.world.erp.postings = [bill()]
    away = Unavailable(SourceSystem.CLOUD_ERP, "posted invoices", "away", outcome_unknown=False)
    finance.world.script.before["posted_after"].append(away)
    with pytest.raises(Unavailable):
        await finance.invoicing.read()
    assert await finance.invoicing.read() == 1


async def test_each_erp_posts_in_an_order_of_its_own_and_one_that_is_away_holds_up_no_other(finance: Finance):
    legacy = FakeLegacyErp(Script(), Kept())
    finance.world.use.postings[legacy.system] = legacy  # type: ignore[index]
    finance.world.erp.postings, legacy.postings = [bill(9, "2")], [bill(1, "4")]
    finance.world.script.down.add(SourceSystem.CLOUD_ERP)
    with pytest.raises(Unavailable):
        await finance.invoicing.read(SourceSystem.CLOUD_ERP)
    assert await finance.invoicing.read(SourceSystem.LEGACY_ERP) == 1
    finance.world.script.down.clear()
    assert await finance.invoicing.read(SourceSystem.CLOUD_ERP) == 1
    for number in ("SI-1", "SI-9"):
        await finance.state(number, ProcessState.COMPLETED)
    posted = await finance.world.use.events.read(EventFilter(types=("invoice.posted",)), None, 10)
    systems = {entry.event.subject: entry.event.system for entry in posted}
    assert systems == {"inv_SI-9": SourceSystem.CLOUD_ERP, "inv_SI-1": SourceSystem.LEGACY_ERP}


async def test_a_warehouse_that_is_away_delays_the_invoice(finance: Finance):
    away = Unavailable(SourceSystem.WMS, "shipments", "away", outcome_unknown=False)
    finance.world.script.before["shipments_of"] += [away] * 3
    finance.world.erp.postings = [bill()]
    await finance.invoicing.read()
    await finance.state("SI-1", ProcessState.COMPLETED)


MISMATCHES = [
    pytest.param(bill(price="37.40"), shipment(), "7.80", id="another price"),
    pytest.param(bill(), shipment(quantity=4), "72.20", id="more than was shipped"),
    pytest.param(bill(), shipment(ShipmentStatus.PACKED), "216.60", id="what has not left"),
]


@pytest.mark.parametrize(("posted", "sent", "difference"), MISMATCHES)
async def test_an_invoice_that_does_not_fit_waits_for_finance_and_the_customer_hears_nothing(
    finance: Finance, posted: PostedInvoice, sent: Shipment, difference: str
) -> None:
    finance.world.wms.shipments_by_id = {"sh_S-1": sent}
    finance.world.erp.postings = [posted]
    await finance.invoicing.read()
    await finance.state("SI-1", ProcessState.WAITING_HUMAN)
    order = await finance.world.order("ord_1")
    (problem,) = order.exceptions
    assert isinstance(problem, InvoiceMismatch)
    assert (problem.invoice_number, problem.difference) == ("SI-1", usd(difference))
    tasks = (await finance.world.use.tasks.search_tasks("FINANCE", "OPEN", PageRequest(10))).items
    assert [(task.kind, task.resolutions) for task in tasks] == [("InvoiceMismatch", ("ACCEPT", "CREDIT_AND_REBILL"))]
    assert await finance.told() == ["customer.notified", "invoice.mismatch"]
    assert order.status is OrderStatus.ACCEPTED


async def test_finance_lets_an_invoice_pass_and_it_is_published(finance: Finance):
    finance.world.erp.postings = [bill(price="37.40")]
    await finance.invoicing.read()
    await finance.state("SI-1", ProcessState.WAITING_HUMAN)
    await finance.resolve("SI-1", "ACCEPT")
    await finance.state("SI-1", ProcessState.COMPLETED)
    order = await finance.world.order("ord_1")
    assert (order.exceptions, order.status) == ((), OrderStatus.COMPLETED)
    assert (await finance.told())[-2:] == ["invoice.posted", "customer.notified"]


async def corrected(finance: Finance) -> None:
    """Have finance decide that an invoice with a wrong price is credited and billed anew."""
    finance.world.erp.postings = [bill(price="37.40")]
    await finance.invoicing.read()
    await finance.state("SI-1", ProcessState.WAITING_HUMAN)
    await finance.resolve("SI-1", "CREDIT_AND_REBILL")


async def test_an_invoice_that_is_billed_anew_is_credited_and_never_published(finance: Finance):
    await corrected(finance)
    await finance.state("SI-1", ProcessState.COMPLETED)
    kept = finance.world.kept
    assert (kept.all("credit memo"), kept.all("rebilling")) == (["SI-1"], ["SI-2"])
    order = await finance.world.order("ord_1")
    assert (order.exceptions, order.status) == ((), OrderStatus.ACCEPTED)
    assert (await finance.told())[1:] == ["invoice.mismatch", "invoice.credited"]
    (credited,) = await finance.world.use.events.read(EventFilter(types=("invoice.credited",)), None, 10)
    assert (credited.event.data["creditMemo"], credited.event.data["rebilledAs"]) == ("SC-1", "SI-2")


async def test_the_invoice_that_is_billed_anew_fits_and_completes_the_order(finance: Finance):
    await corrected(finance)
    await finance.state("SI-1", ProcessState.COMPLETED)
    assert await finance.invoicing.read() == 1
    await finance.state("SI-2", ProcessState.COMPLETED)
    (posted,) = await finance.world.use.events.read(EventFilter(types=("invoice.posted",)), None, 10)
    assert (posted.event.data["number"], posted.event.data["total"]["amount"]) == ("SI-2", "216.60")
    assert (await finance.world.order("ord_1")).status is OrderStatus.COMPLETED


async def test_of_what_was_not_shipped_nothing_is_billed_anew(finance: Finance):
    finance.world.wms.shipments_by_id = {"sh_S-1": shipment(ShipmentStatus.PACKED)}
    await corrected(finance)
    await finance.state("SI-1", ProcessState.COMPLETED)
    assert (finance.world.kept.all("credit memo"), finance.world.kept.all("rebilling")) == (["SI-1"], [])


@pytest.mark.parametrize("call", ["credit_invoice", "bill_anew"])
async def test_an_answer_that_is_lost_corrects_nothing_twice(finance: Finance, call: str):
    lost = Unavailable(SourceSystem.CLOUD_ERP, call, "reset", outcome_unknown=True)
    finance.world.script.after[call].append(lost)
    await corrected(finance)
    await finance.state("SI-1", ProcessState.COMPLETED)
    assert (finance.world.kept.all("credit memo"), finance.world.kept.all("rebilling")) == (["SI-1"], ["SI-2"])
    assert [posted.invoice.number for posted in finance.world.erp.postings] == ["SI-1", "SI-2"]


@pytest.mark.parametrize("call", ["credit_invoice", "bill_anew"])
async def test_an_invoice_that_the_erp_does_not_let_be_corrected_stands_and_finance_is_asked(
    finance: Finance, call: str
):
    refusal = Rejected(SourceSystem.CLOUD_ERP, call, "it is paid in part", reason="INVOICE_STATE")
    finance.world.script.before[call].append(refusal)
    await corrected(finance)
    await finance.state("SI-1", ProcessState.FAILED)
    assert (finance.world.kept.all("credit memo"), finance.world.kept.all("rebilling")) == ([], [])
    (task,) = (await finance.world.use.tasks.search_tasks("FINANCE", "OPEN", PageRequest(10))).items
    assert (task.kind, "it is paid in part" in task.summary) == ("InvoiceCorrection", True)
    (problem,) = (await finance.world.order("ord_1")).exceptions
    assert isinstance(problem, InvoiceMismatch)
    assert "invoice.credited" not in await finance.told()


async def test_an_invoice_that_passes_is_not_corrected(finance: Finance):
    finance.world.erp.postings = [bill()]
    await finance.invoicing.read()
    await finance.state("SI-1", ProcessState.COMPLETED)
    assert "credit_invoice" not in finance.world.script.calls


async def test_an_order_of_which_goods_are_on_their_way_is_not_complete(finance: Finance):
    finance.world.wms.shipments_by_id = {"sh_S-1": replace(shipment(), status=ShipmentStatus.DEPARTED)}
    finance.world.erp.postings = [bill()]
    await finance.invoicing.read()
    await finance.state("SI-1", ProcessState.COMPLETED)
    assert (await finance.world.order("ord_1")).status is OrderStatus.ACCEPTED

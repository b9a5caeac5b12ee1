"""What happens to the same money or goods at once: nothing comes back or is credited twice, nor before its invoice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest

from processes.amend_case import CANCELLATION
from processes.api import ReturnLineAsked
from processes.hold_decision import HoldVerdict, decide_hold
from processes.invoice_case import INVOICE, InvoiceCase, InvoiceRequest
from processes.invoicing import INVOICE_POSTING, compare, complete
from processes.return_case import RETURN, ReturnCase, ReturnRequest
from processes.return_goods import RETURN_GOODS
from processes.steps import Outcome, Verdict
from processes.task_news import resolve_tasks
from schema.enums import HoldKind, InvoiceStatus, OrderStatus, ProcessState, ReturnStatus, ShipmentStatus, SourceSystem
from schema.records.identity import Principal
from schema.records.invoices import InvoicedLine, PostedInvoice
from schema.records.orders import Invoice, ReturnLine, Shipment, ShipmentLine
from schema.records.problems import CreditHold, InvoiceMismatch
from schema.records.values import Money, Quantity
from systems.errors import Rejected, Unavailable
from tests.support.fake_systems import Stop
from tests.support.order_records import document
from tests.support.platform_records import process
from tests.support.process_world import ProcessWorld, line, run_amend, run_order, submission
from tests.support.rule_records import NOW, credit, terms

ERP = SourceSystem.CLOUD_ERP
PATIENCE_S = 30
CONTROLLER = Principal("user:usr_7", roles=("CREDIT_CONTROLLER",))
LINE = InvoicedLine(1, Decimal(6), Money(Decimal("37.40"), "USD"), Money(Decimal("224.40"), "USD"))
"""A line of an invoice at another price than was agreed."""


def shipped(status: ShipmentStatus = ShipmentStatus.DELIVERED) -> Shipment:
    carried = (ShipmentLine(1, "PMP-0042", Quantity(Decimal(6), "EA"), None),)
    return Shipment("sh_S-1", "S-1", "ord_1", "acc_1", "W01", status, (), carried, (), None, NOW - timedelta(days=3))


def returning(world: ProcessWorld, name: str, quantity: int = 4) -> ReturnCase:
    wanted = (ReturnLineAsked(1, Quantity(Decimal(quantity), "EA"), "DAMAGED"),)
    # Whoever is called "a" has asked first, whatever comes first afterwards.
    asked_at = NOW + timedelta(seconds=ord(name[0]))
    request = ReturnRequest(f"prc_return_{name}", "ord_1", "acc_1", wanted, "CREDIT", "user:pia", asked_at)
    return ReturnCase(request, world.use, resumed=False)


def invoice(world: ProcessWorld) -> InvoiceCase:
    made = Invoice(
        "inv_SI-1", "SI-1", "acc_1", "ord_1", InvoiceStatus.POSTED, NOW, NOW.date(), LINE.net, LINE.net, None
    )
    nothing = Money(Decimal(0), "USD")
    posted = PostedInvoice(1, made, nothing, nothing, (LINE,))
    if not world.erp.postings:
        world.erp.postings = [posted]
    return InvoiceCase(InvoiceRequest("prc_invoice_SI-1", "ord_1", posted), world.use, resumed=False)


async def take(case: ReturnCase, *names: str) -> Outcome:
    """Do steps of a return, as far as they are done."""
    outcome = Outcome(Verdict.DONE)
    for name in names:
        step = next(step for step in RETURN_GOODS if step.name == name)
        outcome = await step.do(case)
        if outcome.verdict is Verdict.REFUSED:
            break
    return outcome


async def correct(case: InvoiceCase, name: str) -> None:
    step = next(step for step in INVOICE_POSTING if step.name == name)
    assert (await step.do(case)).verdict is Verdict.DONE


async def deny(case: ReturnCase) -> None:
    step = next(step for step in RETURN_GOODS if step.name == "request")
    assert step.undo is not None
    await step.undo(case)


@pytest.fixture
async def bought(world: ProcessWorld) -> ProcessWorld:
    """A world in which six of an order were delivered and are invoiced."""
    await run_order(world, submission(line(6)))
    world.wms.shipments_by_id = {"sh_S-1": shipped()}
    world.erp.invoiced = True
    return world


ASKING = ("check", "request", "authorise")


def interleavings() -> Iterator[str]:
    """Yield every order in which two go through three steps each, such as ``aababb``."""
    for places in combinations(range(6), 3):
        yield "".join("a" if place in places else "b" for place in range(6))


async def test_of_two_returns_of_the_same_goods_one_is_approved_in_whatever_order_they_go_on(
    bought: ProcessWorld,
) -> None:
    for turns in interleavings():
        cases = {name: returning(bought, f"{name}{turns}") for name in "ab"}
        left = {name: list(ASKING) for name in "ab"}
        for name in turns:
            if left[name] and (await take(cases[name], left[name].pop(0))).verdict is Verdict.REFUSED:
                left[name] = []
                await deny(cases[name])
        entries = [entry for case in cases.values() if (entry := await case.found()) is not None]
        approved = [entry for entry in entries if entry.status is ReturnStatus.APPROVED]
        assert len(approved) == 1, turns
        for case in cases.values():
            await deny(case)


async def test_a_return_that_is_recorded_while_another_is_checked_counts_for_that(bought: ProcessWorld) -> None:
    first, second = returning(bought, "a"), returning(bought, "b")
    stop = Stop()
    await take(first, "check")
    bought.script.before["returns_of_orders"].append(stop)
    requesting = asyncio.create_task(take(first, "request"))
    async with asyncio.timeout(PATIENCE_S):
        await stop.reached.wait()
        assert (await take(second, *ASKING)).verdict is Verdict.DONE
        stop.let_go()
        refused = await requesting
    assert [getattr(problem, "reason", None) for problem in refused.problems] == ["MORE_THAN_DELIVERED"]
    assert (await first.found(), (await second.entry()).status) == (None, ReturnStatus.APPROVED)


async def came(world: ProcessWorld, name: str = "a", quantity: int = 4) -> ReturnCase:
    """Return a return of which everything has come and is inspected."""
    case = returning(world, name, quantity)
    await take(case, *ASKING, "erp", "wms", "announce")
    entry = await case.entry()
    back = (ReturnLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), "DAMAGED", "SCRAP"),)
    await world.use.returns.update(replace(entry, status=ReturnStatus.INSPECTED, received=back))
    await take(case, "post")
    return case


async def credited(case: ReturnCase) -> bool:
    """Try to credit a return, and return whether it is."""
    with suppress(Unavailable):
        await take(case, "credit")
    return (await case.entry()).credit is not None


async def disputed(world: ProcessWorld) -> InvoiceCase:
    """Return an invoice that a person wants credited and billed anew."""
    case = invoice(world)
    assert (await compare(case)).verdict is Verdict.HELD
    asked = await world.use.tasks.tasks([case.task_id])
    await resolve_tasks(world.use, asked.values(), "CREDIT_AND_REBILL", "user:usr_3", "agreed")
    return case


@pytest.mark.parametrize(
    ("turns", "when"),
    [
        pytest.param(("return", "credit", "rebill"), [True], id="the return first"),
        pytest.param(("credit", "return", "rebill", "return"), [False, True], id="the return in between"),
        pytest.param(("credit", "rebill", "return"), [True], id="the return afterwards"),
        pytest.param(("return", "credit", "return", "rebill", "return"), [True] * 3, id="the return all the time"),
    ],
)
async def test_a_return_is_credited_once_and_never_while_its_invoice_is_credited_and_not_billed_anew(
    bought: ProcessWorld, turns: Sequence[str], when: Sequence[bool]
) -> None:
    back, correction = await came(bought), await disputed(bought)
    seen = []
    for turn in turns:
        if turn == "return":
            seen.append(await credited(back))
        else:
            await correct(correction, turn)
    assert seen == when
    entry = await back.entry()
    assert bought.kept.keys("rma_key").count(f"rma:{entry.id}:credit") == 1
    assert (bought.kept.all("credit memo"), bought.kept.all("rebilling")) == (["SI-1"], ["SI-2"])
    assert (await bought.event_types(entry.id)).count("return.credited") == 1


async def test_goods_that_are_not_invoiced_yet_are_credited_when_they_are(bought: ProcessWorld) -> None:
    back = await came(bought)
    bought.erp.invoiced = False
    assert not await credited(back)
    bought.erp.invoiced = True
    assert await credited(back)


async def test_goods_that_cost_nothing_are_credited_without_an_invoice(world: ProcessWorld) -> None:
    world.erp.price_of = lambda sku, agreed: Money(Decimal(0), "USD") if sku == "PMP-0042" else agreed
    await run_order(world, submission(line(6)))
    await world.use.orders.update(replace(await world.order("ord_1"), status=OrderStatus.ACCEPTED, holds=()))
    world.wms.shipments_by_id = {"sh_S-1": shipped()}
    assert await credited(await came(world))


@pytest.mark.parametrize("first", ["a", "b"])
async def test_two_returns_are_credited_of_no_more_than_is_invoiced(bought: ProcessWorld, first: str) -> None:
    cases = {name: await came(bought, name, quantity=3) for name in "ab"}
    whole = (await bought.erp.orders(["ord_1"]))["ord_1"]
    bought.erp.invoiced = False
    partly = replace(whole, lines=tuple(replace(entry, invoiced=Decimal(4)) for entry in whole.lines))
    bought.kept.drop("document", "or:ord_1:erp")
    bought.erp.entered["ord_1"] = partly
    for name in (first, *"ab", first):
        await credited(cases[name])
    assert [(await cases[name].entry()).credit is not None for name in "ab"] == [True, False]


@pytest.mark.parametrize("turns", ["release first", "invoice first", "invoice while it is released"])
async def test_an_invoice_that_does_not_fit_and_the_release_of_a_hold_lose_nothing_of_each_other(
    world: ProcessWorld, turns: str
) -> None:
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="100.00"))
    await run_order(world, submission(line(6)))
    world.wms.shipments_by_id = {"sh_S-1": shipped()}
    world.erp.entered["ord_1"] = replace(document(), lines=())
    verdict = HoldVerdict("d-1", "ord_1", HoldKind.CREDIT, approve=True, comment="payment promised")

    async def release() -> None:
        assert await decide_hold(world.use, verdict, CONTROLLER) == ()

    async def note() -> None:
        assert (await compare(invoice(world))).verdict is Verdict.HELD

    if turns == "invoice while it is released":
        stop = Stop()
        world.script.before["ship_tos"].append(stop)
        releasing = asyncio.create_task(release())
        async with asyncio.timeout(PATIENCE_S):
            await stop.reached.wait()
            await note()
            stop.let_go()
            await releasing
    else:
        for turn in (release, note) if turns == "release first" else (note, release):
            await turn()
    order = await world.order("ord_1")
    assert (order.holds, [type(entry) for entry in order.exceptions]) == ((), [InvoiceMismatch])
    assert [entry.id for entry in order.decisions] == ["d-1"]


async def test_a_mismatch_that_is_lifted_leaves_an_open_hold(world: ProcessWorld) -> None:
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="100.00"))
    await run_order(world, submission(line(6)))
    world.erp.entered["ord_1"] = replace(document(), lines=())
    case = invoice(world)
    await compare(case)
    asked = await world.use.tasks.tasks([case.task_id])
    await resolve_tasks(world.use, asked.values(), "ACCEPT", "user:usr_3", "agreed")
    assert (await compare(case)).verdict is Verdict.DONE
    order = await world.order("ord_1")
    assert (order.status, [entry.kind for entry in order.holds]) == (OrderStatus.ON_HOLD, [HoldKind.CREDIT])
    assert [type(entry) for entry in order.exceptions] == [CreditHold]


@pytest.mark.parametrize("kind", [INVOICE, RETURN])
async def test_what_an_order_does_not_settle_by_being_cancelled_waits_on_for_its_person(
    world: ProcessWorld, kind: str
) -> None:
    await run_order(world, submission(line(6)))
    await compare(invoice(world))
    waiting = process(9, kind=kind, state=ProcessState.WAITING_HUMAN)
    await world.use.process_log.start(waiting)
    cancelled = await run_amend(world, CANCELLATION)
    assert cancelled.ending.state is ProcessState.COMPLETED
    order = await world.order("ord_1")
    assert (order.status, [type(entry) for entry in order.exceptions]) == (OrderStatus.CANCELLED, [InvoiceMismatch])
    found = (await world.use.process_log.processes([waiting.id]))[waiting.id]
    assert found.state is ProcessState.WAITING_HUMAN


async def test_an_order_whose_cancellation_is_refused_is_completed_by_the_invoice_that_came_meanwhile(
    bought: ProcessWorld,
) -> None:
    case, stop = invoice(bought), Stop()
    bought.script.before["cancel_order"] += [stop, Rejected(ERP, "cancel", "it has left", reason="ORDER_SHIPPED")]
    cancelling = asyncio.create_task(run_amend(bought, CANCELLATION))
    async with asyncio.timeout(PATIENCE_S):
        await stop.reached.wait()
        with pytest.raises(Unavailable, match="CANCEL_PENDING"):
            await complete(case)
        stop.let_go()
        assert (await cancelling).ending.state is ProcessState.FAILED
    assert (await complete(case)).verdict is Verdict.DONE
    assert (await bought.order("ord_1")).status is OrderStatus.COMPLETED

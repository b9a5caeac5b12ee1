"""Substituting what an order lacks (P3, P7): another item in the same quantity, a line of its own, or all as before."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from processes.amend_case import CHANGE, submission_of
from processes.api import SubmissionLine
from processes.substitutes import gives_up, substitutions
from schema.enums import OrderStatus, ProcessState, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.catalog import PriceLevel
from schema.records.values import ItemUom, PageRequest
from systems.errors import Rejected
from tests.support.process_world import (
    REP,
    AmendRun,
    ProcessWorld,
    line,
    problem_names,
    run_amend,
    run_order,
    submission,
)
from tests.support.rule_records import credit, item, rule, stock, terms

ERP = SourceSystem.CLOUD_ERP
OTHER = "VLV-0008"


@pytest.fixture
async def short(world: ProcessWorld) -> ProcessWorld:
    """A world with 5 valves, whose order of 9 can have others in their place."""
    world.erp.items_by_sku[OTHER] = item(OTHER, cost="5.00")
    world.erp.price_rules.append(rule("other", PriceLevel.CONTRACT, "11.50", sku=OTHER, account="acc_1"))
    world.wms.positions.append(stock("20", "W02", sku=OTHER))
    world.erp.stock = {("VLV-0007", "W01"): Decimal(5)}
    return world


async def ordered(world: ProcessWorld, *, quantity: int = 9, **changes: object) -> tuple[str, ...]:
    """Submit the order, and return how its shortage may be resolved."""
    given = {"allow_backorder": False, "allow_substitutes": True, **changes}
    world.wms.positions[2] = replace(world.wms.positions[2], on_hand=Decimal(50))
    await run_order(world, submission(line(quantity, "VLV-0007"), **given))
    (task,) = (await world.use.tasks.search_tasks("ORDER_DESK", "OPEN", PageRequest(10))).items
    return task.resolutions


async def substitute(world: ProcessWorld, name: str = "c1") -> AmendRun:
    order = await world.order("ord_1")
    added = substitutions(order, OTHER, world.erp.items_by_sku, None)
    more = [SubmissionLine(entry.line_no, entry.sku, entry.quantity) for entry in added]
    asked = submission_of(order)
    lines = [gives_up(entry) for entry in order.lines if entry.backordered > 0]
    return await run_amend(
        world, CHANGE, *lines, name=name, added=added, submission=replace(asked, lines=(*asked.lines, *more))
    )


async def test_what_lacks_comes_as_another_item_at_its_price_from_where_it_is(short: ProcessWorld) -> None:
    await ordered(short)
    run = await substitute(short)
    order = await short.order("ord_1")
    first, second = order.lines
    assert (run.ending.state, order.status, order.exceptions) == (ProcessState.COMPLETED, OrderStatus.ACCEPTED, ())
    assert [first.wanted, first.backordered, second.wanted, second.backordered] == [5, 0, 4, 0]
    assert (second.line_no, second.sku, first.substituted_by) == (2, OTHER, 2)
    assert [entry.warehouse_code for entry in second.allocations] == ["W02"]
    assert second.unit_price is not None
    assert (second.unit_price.amount, second.price_source) == (Decimal("11.50"), "CONTRACT")
    (document,) = short.erp.documents()
    assert [(entry.sku, entry.ordered) for entry in document.lines] == [("VLV-0007", 5), (OTHER, 4)]
    assert len(short.kept.keys("release")) == 2
    assert await short.held() == {}


async def test_what_ships_complete_goes_once_the_other_item_is_set_aside(short: ProcessWorld) -> None:
    assert await ordered(short, ship_complete=True) == ("WAIT", "SPLIT", f"SUBSTITUTE:{OTHER}", "CANCEL_LINE")
    assert short.kept.keys("release") == []
    run = await substitute(short)
    assert run.ending.state is ProcessState.COMPLETED
    version = run.request.version
    assert sorted(short.kept.keys("release")) == [f"or:ord_1:rel:W01:{version}", f"or:ord_1:rel:W02:{version}"]
    assert await short.held() == {}


async def test_it_is_told_by_whoever_asked_and_the_customer_learns_of_it(short: ProcessWorld) -> None:
    await ordered(short)
    await substitute(short)
    (told,) = await short.use.events.read(EventFilter(types=("order.line.substituted",)), None, 9)
    facts = {name: told.event.data[name] for name in ("lineNo", "substituteLineNo", "substituted", "sku", "quantity")}
    assert (told.event.actor, facts) == (
        REP.subject,
        {"lineNo": 1, "substituteLineNo": 2, "substituted": "VLV-0007", "sku": OTHER, "quantity": "4"},
    )
    notified = await short.use.events.read(EventFilter(types=("customer.notified",)), None, 9)
    assert [stored.event.data["template"] for stored in notified] == ["accepted", "changed"]


async def test_a_line_of_which_nothing_is_there_is_replaced_as_a_whole(short: ProcessWorld) -> None:
    short.erp.stock = {("VLV-0007", "W01"): Decimal(0)}
    await ordered(short)
    run = await substitute(short)
    first, second = (await short.order("ord_1")).lines
    assert run.ending.state is ProcessState.COMPLETED
    assert [first.wanted, second.wanted] == [0, 9]
    assert first.substituted_by == second.line_no


@pytest.mark.parametrize(
    ("takes", "changes", "offers"),
    [
        (True, {}, ("WAIT", f"SUBSTITUTE:{OTHER}", "CANCEL_LINE")),
        (False, {}, ("WAIT", "CANCEL_LINE")),
        (True, {"restricted_regions": ("US",)}, ("WAIT", "CANCEL_LINE")),
        (True, {"multiple": Decimal(3)}, ("WAIT", "CANCEL_LINE")),
        (True, {"base_uom": "KGM"}, ("WAIT", "CANCEL_LINE")),
    ],
    ids=["one that may be sold", "the customer takes none", "not sold there", "not in that quantity", "another unit"],
)
async def test_the_desk_is_offered_what_may_come_instead(
    short: ProcessWorld, takes: bool, changes: dict[str, object], offers: tuple[str, ...]
) -> None:
    short.erp.items_by_sku[OTHER] = replace(short.erp.items_by_sku[OTHER], **changes)  # type: ignore[arg-type]
    assert await ordered(short, allow_substitutes=takes) == offers


async def test_a_quantity_of_another_pack_is_reckoned_in_base_units(short: ProcessWorld) -> None:
    await ordered(short)
    order = await short.order("ord_1")
    (first,) = order.lines
    boxes = replace(first, quantity=replace(first.quantity, uom="XBX"), backordered=Decimal(2))
    items = {
        "VLV-0007": replace(short.erp.items_by_sku["VLV-0007"], uoms=(ItemUom("XBX", Decimal(12), True),)),
        OTHER: replace(short.erp.items_by_sku[OTHER], uoms=(ItemUom("XBX", Decimal(10), True),)),
    }
    (added,) = substitutions(replace(order, lines=(boxes,)), OTHER, items, None)
    assert (added.quantity.value, added.quantity.uom) == (24, "EA")


def _is_away(world: ProcessWorld) -> None:
    world.wms.positions.pop()


def _is_too_cheap(world: ProcessWorld) -> None:
    world.erp.price_rules[-1] = rule("other", PriceLevel.LIST, "1.00", sku=OTHER)


def _owes_too_much(world: ProcessWorld) -> None:
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="1"))


def _is_locked(world: ProcessWorld) -> None:
    world.script.before["change_order"].append(Rejected(ERP, "change", "not now", reason="LOCKED"))


def _is_not_allocated(world: ProcessWorld) -> None:
    world.script.before["allocate"].append(Rejected(ERP, "allocate", "not open", reason="ORDER_NOT_OPEN"))


def _lacks_in_the_erp(world: ProcessWorld) -> None:
    world.erp.stock[OTHER, "W02"] = Decimal(2)


@pytest.mark.parametrize(
    ("obstacle", "problem"),
    [
        (_is_away, "Stockout"),
        (_lacks_in_the_erp, "Stockout"),
        (_is_too_cheap, "ApprovalRequired"),
        (_owes_too_much, "CreditHold"),
        (_is_locked, "ValidationFailed"),
        (_is_not_allocated, "ValidationFailed"),
    ],
    ids=[
        "not there either",
        "not there in the ERP",
        "below its floor",
        "the customer owes too much",
        "the ERP refuses",
        "not allocated",
    ],
)
async def test_what_cannot_come_leaves_the_order_as_it_was_and_can_be_asked_for_again(
    short: ProcessWorld, obstacle, problem: str
) -> None:
    await ordered(short)
    before, kept = await short.order("ord_1"), (short.erp.price_rules[:], short.wms.positions[:])
    was_terms = dict(short.erp.terms_by_account)
    obstacle(short)
    run = await substitute(short)
    assert problem_names(run.ending.problems) == [problem]
    assert replace(await short.order("ord_1"), version=before.version) == before
    assert await short.held() == {}
    (document,) = short.erp.documents()
    assert [entry.ordered - entry.cancelled for entry in document.lines if entry.sku == "VLV-0007"] == [9]
    assert all(entry.ordered == entry.cancelled for entry in document.lines if entry.sku == OTHER)
    short.erp.price_rules[:], short.wms.positions[:] = kept
    short.erp.terms_by_account.update(was_terms)
    short.erp.stock.pop((OTHER, "W02"), None)
    assert (await substitute(short, "c2")).ending.state is ProcessState.COMPLETED
    assert [(entry.sku, entry.wanted) for entry in (await short.order("ord_1")).lines] == [("VLV-0007", 5), (OTHER, 4)]

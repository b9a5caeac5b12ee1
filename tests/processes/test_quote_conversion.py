"""A quote becomes one order, and can be ordered again when that order is never accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from processes.amend_case import CANCELLATION
from processes.quote_conversion import convert_quote, reopen_quote
from schema.enums import AccountStatus, OrderStatus, ProcessState, QuoteStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.orders import Quote
from schema.records.problems import QuoteNotConvertible
from systems.errors import Conflict, Rejected
from tests.support.fake_systems import account
from tests.support.platform_records import quote
from tests.support.process_world import ProcessWorld, line, run_amend, run_order, submission
from tests.support.rule_records import NOW, credit, terms

ASKED = submission(line(6), quote_id="quo_1")
REFUSED = Rejected(SourceSystem.CLOUD_ERP, "create order", "blocked", reason="Blocked")


@pytest.fixture(autouse=True)
async def quoted(world: ProcessWorld) -> None:
    await world.use.quotes.save(quote(status=QuoteStatus.APPROVED))


async def stored(world: ProcessWorld) -> Quote:
    return (await world.use.quotes.quotes(["quo_1"]))["quo_1"]


async def told(world: ProcessWorld) -> list[tuple[str, object, object]]:
    found = await world.use.events.read(EventFilter(partition_key="quo_1"), None, 100)
    return [(entry.event.type, entry.event.data["orderId"], entry.event.data["status"]) for entry in found]


async def test_an_order_converts_the_quote_that_it_names(world: ProcessWorld) -> None:
    run = await run_order(world, ASKED)
    assert run.ending.state is ProcessState.COMPLETED
    found = await stored(world)
    assert (found.status, found.order_id) == (QuoteStatus.CONVERTED, "ord_1")
    assert await told(world) == [("quote.converted", "ord_1", "CONVERTED")]
    assert (await world.order("ord_1")).quote_id == "quo_1"


async def test_a_quote_that_has_become_an_order_becomes_no_other(world: ProcessWorld) -> None:
    await run_order(world, ASKED)
    second = await run_order(world, ASKED, name="2")
    (problem,) = second.ending.problems
    assert isinstance(problem, QuoteNotConvertible)
    assert (problem.status, problem.path) == (QuoteStatus.CONVERTED, ("quoteId",))
    assert (await world.order("ord_2")).status is OrderStatus.REJECTED
    assert (await stored(world)).order_id == "ord_1"
    assert await told(world) == [("quote.converted", "ord_1", "CONVERTED")]


async def test_of_orders_that_race_for_a_quote_exactly_one_has_it(world: ProcessWorld) -> None:
    runs = await asyncio.gather(*(run_order(world, ASKED, name=str(number)) for number in range(1, 5)))
    won = [run.request.order_id for run in runs if run.ending.state is ProcessState.COMPLETED]
    lost = [problem for run in runs for problem in run.ending.problems]
    assert len(won) == 1
    assert [(type(problem), getattr(problem, "status", None)) for problem in lost] == [
        (QuoteNotConvertible, QuoteStatus.CONVERTED)
    ] * 3
    assert await told(world) == [("quote.converted", won[0], "CONVERTED")]


async def test_of_two_writes_at_once_the_later_finds_the_quote_taken(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = type(world.use.quotes).save

    async def late(store: object, wanted: Quote, events: Sequence[object] = ()) -> Quote:
        monkeypatch.undo()
        assert await convert_quote(world.use, "quo_1", "acc_1", "ord_2") == ()
        return await save(store, wanted, events)  # type: ignore[arg-type]

    monkeypatch.setattr(type(world.use.quotes), "save", late)
    (problem,) = await convert_quote(world.use, "quo_1", "acc_1", "ord_1")
    assert isinstance(problem, QuoteNotConvertible)
    assert await told(world) == [("quote.converted", "ord_2", "CONVERTED")]


async def test_a_quote_that_others_write_all_the_time_is_tried_for_later(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_order(world, ASKED)
    order = replace(await world.order("ord_1"), accepted_at=None)
    await world.use.quotes.save(quote(2))

    async def busy(store: object, wanted: Quote, events: Sequence[object] = ()) -> Quote:
        raise Conflict(SourceSystem.PLATFORM, "save quote", "busy")

    monkeypatch.setattr(type(world.use.quotes), "save", busy)
    with pytest.raises(Conflict, match="changed 8 times"):
        await convert_quote(world.use, "quo_2", "acc_1", "ord_2")
    with pytest.raises(Conflict, match="changed 8 times"):
        await reopen_quote(world.use, order)


@pytest.mark.parametrize("status", [QuoteStatus.PRICED, QuoteStatus.SENT, QuoteStatus.ACCEPTED])
async def test_a_refused_order_gives_its_quote_back_as_it_was(world: ProcessWorld, status: QuoteStatus) -> None:
    await world.use.quotes.save(replace(await stored(world), status=status))
    world.script.before["create_order"] += [REFUSED]
    await run_order(world, ASKED)
    assert (await world.order("ord_1")).status is OrderStatus.REJECTED
    found = await stored(world)
    assert (found.status, found.order_id, found.converted_from) == (status, None, None)
    again = await run_order(world, ASKED, name="2")
    assert again.ending.state is ProcessState.COMPLETED
    assert await told(world) == [
        ("quote.converted", "ord_1", "CONVERTED"),
        ("quote.reopened", "ord_1", status.value),
        ("quote.converted", "ord_2", "CONVERTED"),
    ]


async def test_an_order_that_is_wrong_otherwise_takes_no_quote(world: ProcessWorld) -> None:
    await run_order(world, replace(ASKED, requested_date=date(2020, 1, 1)))
    assert (await stored(world)).status is QuoteStatus.APPROVED
    assert await told(world) == []


@pytest.mark.parametrize("cut", range(4))
async def test_an_order_that_is_checked_again_finds_its_own_quote(world: ProcessWorld, cut: int) -> None:
    run = await run_order(world, ASKED)
    run.journal.entries = run.journal.entries[:cut]
    run.journal.again()
    over = (NOW - timedelta(days=1)).date()  # the last day has passed meanwhile: the quote was the order's in time
    await world.use.quotes.save(replace(await stored(world), valid_until=over))
    again = await run_order(world, run.request.submission, journal=run.journal, resumed=True)
    assert again.ending.state is ProcessState.COMPLETED
    assert await told(world) == [("quote.converted", "ord_1", "CONVERTED")]


async def test_a_run_that_dies_after_the_conversion_and_is_refused_then_gives_it_back(world: ProcessWorld) -> None:
    assert await convert_quote(world.use, "quo_1", "acc_1", "ord_1") == ()
    world.crm.known["acc_1"] = replace(account(), status=AccountStatus.ON_HOLD)
    await run_order(world, ASKED, resumed=True)
    assert (await world.order("ord_1")).status is OrderStatus.REJECTED
    assert (await stored(world)).status is QuoteStatus.APPROVED


async def test_a_held_order_that_is_cancelled_gives_its_quote_back(world: ProcessWorld) -> None:
    world.erp.terms_by_account["acc_1"] = terms(profile=credit(limit="100.00"))
    run = await run_order(world, ASKED)
    assert run.ending.state is ProcessState.WAITING_HUMAN
    assert (await stored(world)).status is QuoteStatus.CONVERTED
    await run_amend(world, CANCELLATION)
    assert (await world.order("ord_1")).status is OrderStatus.CANCELLED
    assert ((await stored(world)).status, (await stored(world)).order_id) == (QuoteStatus.APPROVED, None)


async def test_an_accepted_order_that_is_cancelled_keeps_its_quote(world: ProcessWorld) -> None:
    await run_order(world, ASKED)
    await run_amend(world, CANCELLATION)
    assert (await world.order("ord_1")).status is OrderStatus.CANCELLED
    assert ((await stored(world)).status, (await stored(world)).order_id) == (QuoteStatus.CONVERTED, "ord_1")


async def test_only_the_order_that_has_a_quote_gives_it_back(world: ProcessWorld) -> None:
    await run_order(world, ASKED)
    other = replace(await world.order("ord_1"), id="ord_2", accepted_at=None)
    await reopen_quote(world.use, other)
    assert (await stored(world)).order_id == "ord_1"


async def test_a_quote_goes_back_to_the_account_that_its_order_went_to(world: ProcessWorld) -> None:
    assert await convert_quote(world.use, "quo_1", "acc_1", "ord_1") == ()
    await run_order(world, submission(line(6)))
    order = replace(await world.order("ord_1"), quote_id="quo_1", account_id="acc_2", accepted_at=None)
    await reopen_quote(world.use, order)
    assert (await stored(world)).account_id == "acc_2"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"valid_until": (NOW - timedelta(days=1)).date()}, QuoteStatus.EXPIRED, id="past its last day"),
        pytest.param({"status": QuoteStatus.DECLINED}, QuoteStatus.DECLINED, id="declined"),
        pytest.param({"status": QuoteStatus.PENDING_APPROVAL}, QuoteStatus.PENDING_APPROVAL, id="not approved"),
    ],
)
async def test_a_quote_that_does_not_hold_is_named_with_its_status(
    world: ProcessWorld, changes: dict[str, object], status: QuoteStatus
) -> None:
    await world.use.quotes.save(replace(await stored(world), **changes))  # type: ignore[arg-type]
    run = await run_order(world, ASKED)
    (problem,) = run.ending.problems
    assert isinstance(problem, QuoteNotConvertible)
    assert problem.status is status

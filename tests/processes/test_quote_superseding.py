"""Changed prices supersede quotes that are not sent, when something else would be quoted or approved; once each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes import quote_superseding
from processes.api import QuotePreparation, QuoteRequestLine
from processes.chronicle import Desk
from processes.price_news import PriceNews
from processes.quote_case import QuoteCase, QuoteRequest
from processes.quote_decision import QuoteVerdict, decide_quote
from processes.quote_mirror import QuoteMirrorFeed
from processes.quote_news import take_quote_news
from processes.quote_prepare import QUOTE_PREPARE
from processes.quote_superseding import SETTLED_AFTER, QuoteSuperseding, pass_over_prices
from processes.runner import Runner
from schema.enums import ProcessState, QuoteStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.catalog import PriceLevel, PriceRule
from schema.records.identity import Principal
from schema.records.orders import Quote
from schema.records.values import Money, PageRequest, Quantity
from systems.errors import Unavailable
from systems.news import QuoteNews
from tests.support.platform_records import quote
from tests.support.process_world import (
    QUICK,
    REP,
    MemoryJournal,
    ProcessWorld,
    StillWaiting,
    line,
    problem_names,
    run_order,
    submission,
)
from tests.support.rule_records import NOW, TODAY, item, rule

S = QuoteStatus
MANAGER = Principal("user:usr_9", roles=("SALES_MANAGER",))
VERDICT = QuoteVerdict("d-1", "quo_1", None, approve=True, comment="ok")
LIST = rule("list", PriceLevel.LIST, "45.00")
VALVE = rule("valve", PriceLevel.LIST, "10.00", sku="VLV-0007")
DEAL = rule("deal", PriceLevel.CONTRACT, "36.10", account="acc_1")
DEARER = rule("deal", PriceLevel.CONTRACT, "37.00", account="acc_1")
TOMORROW = rule("later", PriceLevel.CONTRACT, "9.00", account="acc_1", start=TODAY + timedelta(days=1), priority=9)


async def change(world: ProcessWorld, *changes: tuple[PriceRule | None, PriceRule | None]) -> None:
    for before, after in changes:
        world.erp.change_price(before, after, world.clock.now())
    await PriceNews(world.use, world.inbox).read()
    world.clock.at = world.clock.now() + SETTLED_AFTER


async def stored(world: ProcessWorld, quote_id: str = "quo_1") -> Quote:
    return (await world.use.quotes.quotes([quote_id]))[quote_id]


async def told(world: ProcessWorld) -> list[tuple[str, str]]:
    found = await world.use.events.read(EventFilter(types=("quote.superseded",)), None, 100)
    return [(entry.event.subject, entry.event.data["reason"]) for entry in found]


def valve(requested: str | None = None) -> QuoteRequestLine:
    unit = None if requested is None else Money(Decimal(requested), "USD")
    return QuoteRequestLine(1, "VLV-0007", Quantity(Decimal(2), "EA"), unit)


async def prepare(world: ProcessWorld, asked: QuoteRequestLine, journal: MemoryJournal) -> ProcessState:
    """Prepare a quote; at 10.00 and below, a manager must approve it."""
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    use = world.use
    request = QuoteRequest("prc_1", "quo_1", QuotePreparation("acc_1", (asked,)), REP.subject, world.clock.now())
    desk = Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)
    case = QuoteCase(request, use, resumed=False)
    return (await Runner(case, QUOTE_PREPARE, journal, desk, QUICK, lambda: None).run()).state


async def prepared(world: ProcessWorld, asked: QuoteRequestLine) -> None:
    with pytest.raises(StillWaiting):
        await prepare(world, asked, MemoryJournal())
    assert (await stored(world)).status is S.PENDING_APPROVAL


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param([(DEAL, DEARER)], "PMP-0042 is quoted at 36.1000 USD, and would be at 37.0000 USD now", id="more"),
        pytest.param([(DEAL, None)], "PMP-0042 is quoted at 36.1000 USD, and would be at 45.0000 USD now", id="over"),
        pytest.param([(LIST, replace(LIST, unit=Money(Decimal(50), "USD")))], None, id="above a contract"),
        pytest.param([(DEAL, DEARER), (DEARER, DEAL)], None, id="and back"),
        pytest.param(
            [(None, rule("theirs", PriceLevel.CONTRACT, "9.00", account="acc_2"))], None, id="another account"
        ),
        pytest.param([(VALVE, replace(VALVE, unit=Money(Decimal(9), "USD")))], None, id="another item"),
        pytest.param(
            [(None, TOMORROW)],
            None,
            id="from tomorrow on",
        ),
    ],
)
async def test_a_quote_is_superseded_when_it_would_cost_something_else_today(
    world: ProcessWorld, changes: Sequence[tuple[PriceRule | None, PriceRule | None]], reason: str | None
) -> None:
    await world.use.quotes.save(quote(status=S.APPROVED))
    await change(world, *changes)
    assert await QuoteSuperseding(world.use).look() > 0
    assert (await stored(world)).status is (S.APPROVED if reason is None else S.SUPERSEDED)
    assert await told(world) == ([] if reason is None else [("quo_1", reason)])


@pytest.mark.parametrize("inherit", [True, False], ids=["inherited", "the parent's alone"])
async def test_a_parents_contract_supersedes_its_childrens_quotes_when_they_inherit_it(
    world: ProcessWorld, inherit: bool
) -> None:
    world.crm.known["acc_2"] = replace(world.crm.known["acc_2"], parent_id="acc_1")
    lines = tuple(replace(entry, unit_price=Money(Decimal(45), "USD"), price_source="LIST") for entry in quote().lines)
    await world.use.quotes.save(quote(account_id="acc_2", lines=lines))
    world.erp.price_rules.remove(DEAL)
    await change(world, (None, rule("family", PriceLevel.CONTRACT, "30.00", account="acc_1", inherit=inherit)))
    await QuoteSuperseding(world.use).look()
    assert (await stored(world)).status is (S.SUPERSEDED if inherit else S.PRICED)


async def test_another_price_group_supersedes_the_quotes_of_its_customer(world: ProcessWorld) -> None:
    world.erp.price_rules = [LIST, rule("gold", PriceLevel.PRICE_GROUP, "36.10", group="GOLD")]
    world.erp.terms_by_account["acc_1"] = replace(world.erp.terms_by_account["acc_1"], price_group="GOLD")
    for count, account_id in enumerate(("acc_1", "acc_2"), 1):
        await world.use.quotes.save(quote(count, account_id=account_id))
    world.erp.change_group("acc_1", None, world.clock.now())
    await change(world)
    await QuoteSuperseding(world.use).look()
    assert [subject for subject, _ in await told(world)] == ["quo_1"]


async def test_only_a_quote_that_is_not_sent_is_superseded(world: ProcessWorld) -> None:
    for count, status in enumerate(QuoteStatus, 1):
        await world.use.quotes.save(quote(count, status=status))
    await change(world, (DEAL, DEARER))
    await QuoteSuperseding(world.use).look()
    left = {status: (await stored(world, f"quo_{count}")).status for count, status in enumerate(QuoteStatus, 1)}
    changed = {before for before, after in left.items() if after is not before}
    assert changed == {S.PRICED, S.PENDING_APPROVAL, S.APPROVED}
    assert {left[status] for status in changed} == {S.SUPERSEDED}


@pytest.mark.parametrize(
    ("asked", "now", "reason"),
    [
        pytest.param(
            valve(),
            (VALVE, replace(VALVE, unit=Money(Decimal("10.10"), "USD"))),
            "VLV-0007 is quoted at 10.0000 USD, and would be at 10.1000 USD now",
            id="todays price has changed",
        ),
        pytest.param(
            valve("9.90"),
            (VALVE, replace(VALVE, unit=Money(Decimal("10.10"), "USD"))),
            None,
            id="a price was asked for",
        ),
        pytest.param(
            valve("9.90"),
            (None, rule("agreed", PriceLevel.CONTRACT, "9.90", account="acc_1", sku="VLV-0007")),
            "VLV-0007 would need the approval of nobody now, not of SALES_MANAGER",
            id="what was asked for is agreed",
        ),
    ],
)
async def test_a_price_that_was_asked_for_is_kept_and_what_must_be_approved_of_it_counts(
    world: ProcessWorld, asked: QuoteRequestLine, now: tuple[PriceRule | None, PriceRule], reason: str | None
) -> None:
    await prepared(world, asked)
    await change(world, now)
    await QuoteSuperseding(world.use).look()
    assert await told(world) == ([] if reason is None else [("quo_1", reason)])
    tasks = await world.use.tasks.tasks(["tsk_quo_1_SALES_MANAGER"])
    resolution = None if reason is None else "SUPERSEDED"
    assert [task.resolution for task in tasks.values()] == [resolution]


@pytest.mark.parametrize("dies", [False, True], ids=["at once", "after a crash"])
async def test_a_process_that_waits_for_approval_ends_when_its_quote_is_superseded(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    async def nothing(*_: object) -> None:
        pass

    async def superseded(seconds: float) -> bool:
        if dies:
            monkeypatch.setattr(quote_superseding, "close_lapsed", nothing)
        await change(world, (VALVE, replace(VALVE, unit=Money(Decimal("10.10"), "USD"))))
        await QuoteSuperseding(world.use).look()
        return False

    journal = MemoryJournal()
    journal.on_wait = superseded
    assert await prepare(world, valve(), journal) is ProcessState.COMPLETED
    found = await stored(world)
    assert (found.status, [entry.decision for entry in found.approvals]) == (S.SUPERSEDED, ["SUPERSEDED"])
    tasks = await world.use.tasks.tasks(["tsk_quo_1_SALES_MANAGER"])
    assert [(task.state, task.resolution) for task in tasks.values()] == [("RESOLVED", "SUPERSEDED")]


async def test_nobody_decides_about_a_quote_that_is_superseded(world: ProcessWorld) -> None:
    await prepared(world, valve())
    await change(world, (VALVE, replace(VALVE, unit=Money(Decimal("10.10"), "USD"))))
    await QuoteSuperseding(world.use).look()
    assert problem_names(await decide_quote(world.use, VERDICT, MANAGER)) == ["NotAllowedInState"]
    assert (await stored(world)).status is S.SUPERSEDED


async def test_what_was_approved_is_superseded(world: ProcessWorld) -> None:
    await prepared(world, valve())
    assert await decide_quote(world.use, VERDICT, MANAGER) == ()
    await change(world, (VALVE, replace(VALVE, unit=Money(Decimal("10.10"), "USD"))))
    await QuoteSuperseding(world.use).look()
    found = await stored(world)
    assert (found.status, [entry.decision for entry in found.approvals]) == (S.SUPERSEDED, ["APPROVED"])


async def _decided(world: ProcessWorld) -> None:
    assert await decide_quote(world.use, VERDICT, MANAGER) == ()


async def _sent(world: ProcessWorld) -> None:
    assert await decide_quote(world.use, VERDICT, MANAGER) == ()
    await take_quote_news(world.use, QuoteNews("crm-1", "quo_1", S.SENT, NOW))


async def _superseded(world: ProcessWorld) -> None:
    await QuoteSuperseding(world.use).look()


@pytest.mark.parametrize(
    ("first", "second", "status", "times"),
    [
        pytest.param(_decided, _superseded, S.SUPERSEDED, 1, id="a decision"),
        pytest.param(_sent, _superseded, S.SENT, 0, id="a sending"),
        pytest.param(_superseded, _superseded, S.SUPERSEDED, 1, id="another look"),
    ],
)
async def test_what_comes_between_looking_and_superseding_counts(
    world: ProcessWorld,
    monkeypatch: pytest.MonkeyPatch,
    first: Callable[[ProcessWorld], Any],
    second: Callable[[ProcessWorld], Any],
    status: QuoteStatus,
    times: int,
) -> None:
    await prepared(world, valve())
    await change(world, (VALVE, replace(VALVE, unit=Money(Decimal("10.10"), "USD"))))
    meet(world, monkeypatch, first)
    await second(world)
    assert ((await stored(world)).status, len(await told(world))) == (status, times)


async def test_a_decision_that_meets_the_superseding_is_refused(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared(world, valve())
    await change(world, (VALVE, replace(VALVE, unit=Money(Decimal("10.10"), "USD"))))
    meet(world, monkeypatch, _superseded)
    assert problem_names(await decide_quote(world.use, VERDICT, MANAGER)) == ["VersionConflict"]
    assert ((await stored(world)).status, len(await told(world))) == (S.SUPERSEDED, 1)


def meet(world: ProcessWorld, monkeypatch: pytest.MonkeyPatch, other: Callable[[ProcessWorld], Any]) -> None:
    """Let something else be written before the next quote that is saved."""
    save = type(world.use.quotes).save

    async def late(store: Any, wanted: Quote, events: Sequence[Any] = ()) -> Quote:
        monkeypatch.undo()
        await other(world)
        return await save(store, wanted, events)

    monkeypatch.setattr(type(world.use.quotes), "save", late)


async def test_programs_that_look_at_once_supersede_once(world: ProcessWorld) -> None:
    await world.use.quotes.save(quote())
    await change(world, (DEAL, DEARER))
    await asyncio.gather(*(QuoteSuperseding(world.use).look() for _ in range(2)))
    assert ((await stored(world)).status, len(await told(world))) == (S.SUPERSEDED, 1)
    assert await QuoteSuperseding(world.use).look() == 0


async def test_a_superseded_quote_is_shown_so_in_the_crm_and_cannot_be_ordered(world: ProcessWorld) -> None:
    await world.use.quotes.save(quote())
    await change(world, (DEAL, DEARER))
    await QuoteSuperseding(world.use).look()
    await QuoteMirrorFeed(world.use).look()
    assert world.kept.all("mirror", "quo_1") == ["Q-900001 SUPERSEDED"]
    run = await run_order(world, submission(line(6), quote_id="quo_1"))
    assert problem_names(run.ending.problems) == ["QuoteNotConvertible"]


async def test_while_the_erp_is_away_changes_wait_and_nothing_is_superseded(world: ProcessWorld) -> None:
    await world.use.quotes.save(quote())
    await change(world, (DEAL, DEARER))
    away = Unavailable(SourceSystem.CLOUD_ERP, "rules", "away", outcome_unknown=False)
    world.script.before["rules"].append(away)
    with pytest.raises(Unavailable):
        await QuoteSuperseding(world.use).look()
    assert (await stored(world)).status is S.PRICED
    assert (await QuoteSuperseding(world.use).look(), (await stored(world)).status) == (1, S.SUPERSEDED)


async def test_a_change_is_looked_at_when_quotes_that_were_priced_before_it_are_saved(world: ProcessWorld) -> None:
    await change(world, (DEAL, DEARER))
    world.clock.at = NOW + SETTLED_AFTER - timedelta(seconds=1)
    assert await QuoteSuperseding(world.use).look() == 0
    await world.use.quotes.save(quote())
    world.clock.at = NOW + SETTLED_AFTER
    assert (await QuoteSuperseding(world.use).look(), (await stored(world)).status) == (1, S.SUPERSEDED)


async def test_a_quote_that_cannot_be_priced_is_a_dead_letter_and_the_others_go_on(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quote_superseding, "QUOTES_AT_ONCE", 1)
    await world.use.quotes.save(quote(account_id="acc_9"))
    for count in (2, 3):
        await world.use.quotes.save(quote(count))
    await change(world, (LIST, None), (DEAL, DEARER))
    assert await QuoteSuperseding(world.use).look() == 2
    assert [subject for subject, _ in await told(world)] == ["quo_2", "quo_3"]
    (letter,) = (await world.use.dead_letters.search(None, PageRequest(10))).items
    assert (letter.payload, "acc_9 has gone" in letter.reason) == ({"quoteId": "quo_1"}, True)


@pytest.mark.parametrize("missed", [0, 1], ids=["every day", "after a day without a look"])
async def test_a_change_that_was_told_before_supersedes_on_the_day_from_which_it_holds(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch, missed: int
) -> None:
    monkeypatch.setattr(quote_superseding, "AT_ONCE", 1)
    valves = tuple(replace(entry, sku="VLV-0007", unit_price=Money(Decimal(10), "USD")) for entry in quote().lines)
    await world.use.quotes.save(quote(1))
    await world.use.quotes.save(quote(2, lines=valves))
    in_three_days = rule(
        "valves", PriceLevel.CONTRACT, "9.00", account="acc_1", sku="VLV-0007", start=TODAY + timedelta(days=3)
    )
    await change(world, (None, in_three_days), (None, TOMORROW), (LIST, replace(LIST, priority=1)))
    seen = []
    for day in range(0, 5, 1 + missed):
        world.clock.at = NOW + timedelta(days=day) + SETTLED_AFTER
        while await QuoteSuperseding(world.use).look() > 0:
            pass
        seen.append([subject for subject, _ in await told(world)])
    daily = [[], ["quo_1"], ["quo_1"], ["quo_1", "quo_2"], ["quo_1", "quo_2"]]
    assert seen == daily[:: 1 + missed]


async def test_a_past_that_was_passed_over_supersedes_nothing(world: ProcessWorld) -> None:
    await world.use.quotes.save(quote())
    await change(world, (DEAL, DEARER))
    await pass_over_prices(world.use.events, world.use.cursors)
    assert (await QuoteSuperseding(world.use).look(), (await stored(world)).status) == (0, S.PRICED)

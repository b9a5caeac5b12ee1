"""A quote that waits for approval: reminded, escalated, lapsed; time is the test's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from processes.api import QuotePreparation, QuoteRequestLine
from processes.chronicle import Desk
from processes.quote_approval import ESCALATE_AFTER, LAPSE_AFTER, REMIND_AFTER
from processes.quote_case import QuoteCase, QuoteRequest
from processes.quote_decision import QuoteVerdict, decide_quote
from processes.quote_prepare import QUOTE_PREPARE
from processes.runner import Ending, Runner
from schema.enums import ProcessState, QuoteStatus
from schema.events.envelope import EventFilter
from schema.records.identity import Principal
from schema.records.orders import Quote
from schema.records.problems import Problem, VersionConflict
from schema.records.values import Money, Quantity
from tests.support.process_world import QUICK, REP, MemoryJournal, ProcessWorld
from tests.support.rule_records import item

MANAGER = Principal("user:usr_9", roles=("SALES_MANAGER",))


async def quote_of(world: ProcessWorld) -> Quote:
    return (await world.use.quotes.quotes(["quo_1"]))["quo_1"]


async def run_quote(world: ProcessWorld, journal: MemoryJournal) -> Ending:
    world.erp.items_by_sku["VLV-0007"] = item("VLV-0007", cost="8.00", floor="22")
    asked = QuoteRequestLine(1, "VLV-0007", Quantity(Decimal(2), "EA"), Money(Decimal("9.90"), "USD"))
    request = QuoteRequest("prc_1", "quo_1", QuotePreparation("acc_1", (asked,)), REP.subject, world.clock.now())
    use = world.use
    desk = Desk(use.process_log, use.tasks, use.dead_letters, use.events, use.clock)
    return await Runner(QuoteCase(request, use, resumed=False), QUOTE_PREPARE, journal, desk, QUICK, _nothing).run()


def _nothing() -> None:
    """Nobody waits for an answer here."""


async def test_a_quote_is_reminded_of_escalated_and_lapses_at_last(world: ProcessWorld) -> None:
    began, journal = world.clock.now(), MemoryJournal()

    async def wait(seconds: float) -> bool:
        world.clock.at = world.clock.now() + timedelta(seconds=seconds)
        return False

    journal.on_wait = wait
    ending = await run_quote(world, journal)
    quote = await quote_of(world)
    assert (ending.state, quote.status) == (ProcessState.COMPLETED, QuoteStatus.EXPIRED)
    assert [(entry.decision, entry.by) for entry in quote.approvals] == [("LAPSED", "system:crossdock")]
    where = EventFilter(types=("quote.approval.reminded", "quote.approval.escalated", "quote.expired"))
    told = await world.use.events.read(where, None, 9)
    assert [(stored.event.type, stored.event.occurred_at - began) for stored in told] == [
        ("quote.approval.reminded", REMIND_AFTER),
        ("quote.approval.escalated", ESCALATE_AFTER),
        ("quote.expired", LAPSE_AFTER),
    ]
    tasks = await world.use.tasks.tasks(["tsk_quo_1_SALES_MANAGER", "tsk_quo_1_SALES_MANAGER_OVERDUE"])
    assert sorted(task.queue for task in tasks.values()) == ["PRICING", "SALES"]
    assert {task.state for task in tasks.values()} == {"RESOLVED"}


async def test_a_decision_wakes_the_quote_before_its_alarms(world: ProcessWorld) -> None:
    journal, problems = MemoryJournal(), list[Problem]()

    async def decide(seconds: float) -> bool:
        assert seconds <= REMIND_AFTER.total_seconds()
        version = (await quote_of(world)).version
        wrong = QuoteVerdict("d-0", "quo_1", version + 1, approve=True, comment="ok")
        problems.extend(await decide_quote(world.use, wrong, MANAGER))
        assert await decide_quote(world.use, replace(wrong, id="d-1", version=version), MANAGER) == ()
        return True

    journal.on_wait = decide
    ending = await run_quote(world, journal)
    assert (ending.state, (await quote_of(world)).status) == (ProcessState.COMPLETED, QuoteStatus.APPROVED)
    assert [type(problem) for problem in problems] == [VersionConflict]


@pytest.mark.parametrize("comment", ["", " ", "x" * 1_001], ids=["empty", "blank", "long"])
async def test_a_decision_says_why(world: ProcessWorld, comment: str) -> None:
    journal, problems = MemoryJournal(), list[Problem]()

    async def decide(seconds: float) -> bool:
        verdict = QuoteVerdict("d-1", "quo_1", None, approve=False, comment=comment)
        problems.extend(await decide_quote(world.use, verdict, MANAGER))
        assert await decide_quote(world.use, replace(verdict, comment="no"), MANAGER) == ()
        return True

    journal.on_wait = decide
    await run_quote(world, journal)
    assert [problem.rule for problem in problems] == ["COMMENT"]  # type: ignore[attr-defined]
    assert (await quote_of(world)).status is QuoteStatus.REJECTED

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from processes.api import QuotePreparation, QuoteRequestLine, Started
from processes.rules.tokens import PriceClaims
from processes.starter import EngineStarter
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import OrderStatus, PriceSource, ProcessState, QuoteStatus, SourceSystem
from schema.events.envelope import EventFilter
from schema.records.identity import Principal
from schema.records.problems import ApprovalRequired, DependencyUnavailable, IdempotencyConflict, PricingConflict
from schema.records.values import Money, Quantity
from systems.errors import Unavailable
from tests.support.process_world import QUICK, REP, ProcessWorld, line, process_world, submission

WAIT = 10_000


@pytest.fixture
async def starter(sqlite_url: str, world: ProcessWorld) -> AsyncIterator[EngineStarter]:
    async with ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine:
        yield EngineStarter(engine)


async def ended(world: ProcessWorld, started: Started) -> ProcessState:
    """Return the state in which a process ends, waiting for it by its order's events."""
    assert started.process_id is not None
    async with asyncio.timeout(60):
        while True:
            found = (await world.use.process_log.processes([started.process_id])).get(started.process_id)
            if found is not None and found.ended_at is not None:
                return found.state
            await asyncio.sleep(0.01)


async def test_the_same_request_again_gets_the_same_answer(starter: EngineStarter, world: ProcessWorld) -> None:
    first = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
    await ended(world, first)
    again = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
    assert (first.replayed, again.replayed) == (False, True)
    assert (again.process_id, again.entity_id) == (first.process_id, first.entity_id)
    assert again.state is ProcessState.COMPLETED
    assert len(world.erp.documents()) == 1


async def test_zeros_after_the_point_make_no_other_payload(starter: EngineStarter) -> None:
    await starter.submit_order(submission(line("6")), key="o-1", principal=REP, wait_ms=WAIT)
    again = await starter.submit_order(submission(line("6.00")), key="o-1", principal=REP, wait_ms=WAIT)
    assert again.replayed


async def test_the_same_key_with_another_payload_is_a_conflict(starter: EngineStarter, world: ProcessWorld) -> None:
    first = await starter.submit_order(submission(line(24)), key="o-1", principal=REP, wait_ms=WAIT)
    other = await starter.submit_order(submission(line(25)), key="o-1", principal=REP, wait_ms=WAIT)
    (problem,) = other.problems
    assert isinstance(problem, IdempotencyConflict)
    assert problem.original_process_id == first.process_id
    assert (other.process_id, other.entity_id, other.replayed) == (None, None, False)
    assert len(world.erp.documents()) == 1


async def test_keys_of_others_are_other_keys(starter: EngineStarter, world: ProcessWorld) -> None:
    someone = Principal(subject="user:usr_2")
    first = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
    second = await starter.submit_order(submission(), key="o-1", principal=someone, wait_ms=WAIT)
    assert (second.replayed, second.entity_id == first.entity_id) == (False, False)


async def test_of_requests_at_the_same_moment_one_is_first(starter: EngineStarter, world: ProcessWorld) -> None:
    calls = [starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT) for _ in range(8)]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7
    assert len({answer.entity_id for answer in answers}) == 1
    assert await ended(world, answers[0]) is ProcessState.COMPLETED
    assert len(world.erp.documents()) == 1


async def test_a_refused_order_is_no_order_however_often_it_is_sent(starter: EngineStarter) -> None:
    first = await starter.submit_order(submission(line(0)), key="o-1", principal=REP, wait_ms=WAIT)
    again = await starter.submit_order(submission(line(0)), key="o-1", principal=REP, wait_ms=WAIT)
    assert (first.entity_id, first.state) == (None, ProcessState.FAILED)
    assert first.problems
    assert again == replace(first, replayed=True)


async def test_a_slow_erp_is_waited_for_and_the_second_try_is_the_first_one(
    world: ProcessWorld, sqlite_url: str
) -> None:
    world.script.before["create_order"] += [1.2]
    impatient = EngineSettings(sqlite_url, retries=replace(QUICK, slow_after_s=0.5))
    async with ProcessEngine(impatient, world.use) as engine:
        await _a_slow_erp_is_waited_for(EngineStarter(engine), world)


async def _a_slow_erp_is_waited_for(starter: EngineStarter, world: ProcessWorld) -> None:
    first = await starter.submit_order(submission(line(24)), key="o-2", principal=REP, wait_ms=WAIT)
    assert first.entity_id is not None
    assert (first.state, (await world.order(first.entity_id)).status) == (
        ProcessState.WAITING_SYSTEM,
        OrderStatus.RECEIVED,
    )
    second = await starter.submit_order(submission(line(24)), key="o-2", principal=REP, wait_ms=WAIT)
    assert (second.replayed, second.entity_id, second.process_id) == (True, first.entity_id, first.process_id)
    assert await ended(world, first) is ProcessState.COMPLETED
    assert len(world.erp.documents()) == 1


async def test_who_does_not_wait_has_the_order_as_it_was_received(starter: EngineStarter, world: ProcessWorld) -> None:
    world.script.before["accounts"] += [0.3]
    started = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=0)
    assert started.entity_id is not None
    assert (started.state, (await world.order(started.entity_id)).status) == (
        ProcessState.RUNNING,
        OrderStatus.RECEIVED,
    )
    assert await ended(world, started) is ProcessState.COMPLETED


async def test_what_nobody_has_come_to_yet_can_be_looked_at(starter: EngineStarter, world: ProcessWorld) -> None:
    started = await starter.prepare_quote(asked_quote(None, 24), key="q-1", principal=REP, wait_ms=0)
    process_id = started.process_id or ""
    assert (await world.use.process_log.processes([process_id]))[process_id].kind == "QUOTE_PREPARATION"


async def test_a_ledger_that_does_not_answer_is_said_and_nothing_is_started(
    starter: EngineStarter, world: ProcessWorld, monkeypatch
) -> None:
    async def broken(*_: object) -> None:
        raise Unavailable(SourceSystem.PLATFORM, "claim key", "no connection", outcome_unknown=False)

    monkeypatch.setattr(world.use.keys, "claim", broken)
    answer = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
    (problem,) = answer.problems
    assert isinstance(problem, DependencyUnavailable)
    assert (problem.system, problem.retryable, answer.process_id) == (SourceSystem.PLATFORM, True, None)


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_has_to_be_there_and_short(starter: EngineStarter, key: str) -> None:
    answer = await starter.submit_order(submission(), key=key, principal=REP, wait_ms=0)
    assert [problem.path for problem in answer.problems] == [("idempotencyKey",)]


async def test_the_last_units_go_to_one_of_many(starter: EngineStarter, world: ProcessWorld) -> None:
    asked = submission(line(5, "VLV-0007"), allow_backorder=False)
    answers = await asyncio.gather(
        *(starter.submit_order(asked, key=f"r-{n}", principal=REP, wait_ms=WAIT) for n in range(6))
    )
    accepted = [answer for answer in answers if answer.entity_id is not None]
    assert len(accepted) == 1
    assert await ended(world, accepted[0]) is ProcessState.COMPLETED
    stockouts = [problem for answer in answers for problem in answer.problems]
    assert [(type(problem).__name__, problem.available.value) for problem in stockouts] == [("Stockout", 0)] * 5


# --- quotes


def asked_quote(price: str | None = "31.50", quantity: int = 240, **changes: Any) -> QuotePreparation:
    unit = None if price is None else Money(Decimal(price), "USD")
    lines = (QuoteRequestLine(1, "PMP-0042", Quantity(Decimal(quantity), "EA"), unit),)
    return replace(QuotePreparation("acc_1", lines, ship_to_id="shp_1", opportunity_id="opp_9"), **changes)


async def test_a_quote_below_the_floor_waits_for_approval(starter: EngineStarter, world: ProcessWorld) -> None:
    started = await starter.prepare_quote(asked_quote("31.50"), key="q-1", principal=REP, wait_ms=WAIT)
    (problem,) = started.problems
    assert isinstance(problem, ApprovalRequired)
    assert (problem.level, started.state) == ("SALES_MANAGER", ProcessState.WAITING_HUMAN)
    assert started.entity_id is not None
    quote = (await world.use.quotes.quotes([started.entity_id]))[started.entity_id]
    assert (quote.status, quote.total) == (QuoteStatus.PENDING_APPROVAL, Money(Decimal("7560.00"), "USD"))
    assert [(entry.level, entry.decided_at) for entry in quote.approvals] == [("SALES_MANAGER", None)]
    assert [(line.price_source, line.price_token) for line in quote.lines] == [("REQUESTED", None)]
    task = (await world.use.tasks.tasks([problem.task_id or ""]))[problem.task_id or ""]
    assert (task.queue, task.kind, task.state) == ("SALES", "ApprovalRequired", "OPEN")
    assert await world.event_types(quote.id) == [
        "quote.created",
        "quote.priced",
        "task.opened",
        "quote.approval.requested",
    ]
    again = await starter.prepare_quote(asked_quote("31.50"), key="q-1", principal=REP, wait_ms=WAIT)
    assert again == replace(started, replayed=True)


async def test_a_quote_at_todays_price_is_priced_and_locks_it(starter: EngineStarter, world: ProcessWorld) -> None:
    started = await starter.prepare_quote(asked_quote(None, 24), key="q-1", principal=REP, wait_ms=WAIT)
    assert (started.state, started.problems) == (ProcessState.COMPLETED, ())
    quote = (await world.use.quotes.quotes([started.entity_id or ""]))[started.entity_id or ""]
    assert (quote.status, quote.approvals) == (QuoteStatus.PRICED, ())
    assert quote.lines[0].promised_date is not None
    world.erp.price_rules = [replace(entry, unit=Money(Decimal(50), "USD")) for entry in world.erp.price_rules]
    order = await starter.submit_order(submission(line(24), quote_id=quote.id), key="o-1", principal=REP, wait_ms=WAIT)
    assert order.problems == ()
    stored = await world.order(order.entity_id or "")
    assert (stored.lines[0].unit_price, stored.lines[0].price_source) == (
        Money(Decimal("36.1000"), "USD"),
        "QUOTE_LOCK",
    )
    events = await world.use.events.read(EventFilter(correlation_ids=(quote.id,)), None, 100)
    assert {"quote.created", "order.accepted"} <= {stored.event.type for stored in events}


def offered(world: ProcessWorld, unit: str, minutes: int = 15, **changes: Any) -> str:
    """Return the token of a price that was offered for PMP-0042 to acc_1, for 24 pieces or more."""
    claims = PriceClaims(
        account_id="acc_1",
        sku="PMP-0042",
        uom="EA",
        unit=Money(Decimal(unit), "USD"),
        min_quantity=Decimal(24),
        below=None,
        source=PriceSource.CONTRACT,
        rule_id="rule_1",
        expires_at=world.use.clock.now() + timedelta(minutes=minutes),
    )
    return world.use.price_signer.sign(replace(claims, **changes))


async def test_a_price_that_was_offered_is_quoted_while_its_token_holds(
    starter: EngineStarter, world: ProcessWorld
) -> None:
    wanted = replace(asked_quote(None, 24).lines[0], price_token=offered(world, "35.0000"))
    started = await starter.prepare_quote(asked_quote(lines=(wanted,)), key="q-1", principal=REP, wait_ms=WAIT)
    assert started.problems == ()
    quote = (await world.use.quotes.quotes([started.entity_id or ""]))[started.entity_id or ""]
    (shown,) = quote.lines
    assert (shown.unit_price, shown.price_source) == (Money(Decimal("35.0000"), "USD"), "CONTRACT")
    locked = world.use.price_signer.verify(shown.price_token or "")
    assert isinstance(locked, PriceClaims)
    assert (locked.unit, locked.expires_at > world.use.clock.now() + timedelta(days=1)) == (shown.unit_price, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"minutes": -1}, "TOKEN_EXPIRED", id="one that has expired"),
        pytest.param({"account_id": "acc_2"}, "CHANGED_SINCE_QUOTE", id="one of another customer"),
        pytest.param({"min_quantity": Decimal(500)}, "CHANGED_SINCE_QUOTE", id="one for a larger quantity"),
    ],
)
async def test_a_token_that_does_not_hold_is_a_conflict_and_no_silent_price(
    starter: EngineStarter, world: ProcessWorld, changes: dict[str, Any], reason: str
) -> None:
    wanted = replace(asked_quote(None, 24).lines[0], price_token=offered(world, "30", **changes))
    started = await starter.prepare_quote(asked_quote(lines=(wanted,)), key="q-1", principal=REP, wait_ms=WAIT)
    (problem,) = started.problems
    assert isinstance(problem, PricingConflict)
    assert (problem.reason, problem.path, started.entity_id) == (reason, ("lines", "0"), None)
    assert "ask again without the token" in problem.message


async def test_a_price_is_asked_for_or_was_offered_but_not_both(starter: EngineStarter, world: ProcessWorld) -> None:
    wanted = replace(asked_quote("35", 24).lines[0], price_token=offered(world, "35"))
    started = await starter.prepare_quote(asked_quote(lines=(wanted,)), key="q-1", principal=REP, wait_ms=WAIT)
    assert [getattr(problem, "rule", None) for problem in started.problems] == ["PRICE_TWICE"]


async def test_everything_wrong_with_a_quote_comes_at_once(starter: EngineStarter, world: ProcessWorld) -> None:
    lines = (
        QuoteRequestLine(1, "NO-SUCH", Quantity(Decimal(1), "EA")),
        QuoteRequestLine(1, "PMP-0042", Quantity(Decimal(0), "EA"), Money(Decimal(0), "USD")),
    )
    bad = QuotePreparation("acc_1", lines, ship_to_id="shp_2", opportunity_id="opp_404")
    started = await starter.prepare_quote(bad, key="q-1", principal=REP, wait_ms=WAIT)
    assert [getattr(problem, "rule", None) for problem in started.problems] == [
        "UNKNOWN_OPPORTUNITY",
        "UNKNOWN_SHIP_TO",
        "LINE_NUMBER",
        "LINE_NUMBER",
        "UNKNOWN_SKU",
        "QUANTITY_POSITIVE",
        "PRICE_POSITIVE",
    ]
    assert (started.entity_id, started.state) == (None, ProcessState.FAILED)
    again = await starter.prepare_quote(bad, key="q-1", principal=REP, wait_ms=WAIT)
    assert again == replace(started, replayed=True)


async def test_without_the_erp_there_is_no_quote(starter: EngineStarter, world: ProcessWorld) -> None:
    world.script.down.add(SourceSystem.CLOUD_ERP)
    started = await starter.prepare_quote(asked_quote(), key="q-1", principal=REP, wait_ms=WAIT)
    assert [type(problem).__name__ for problem in started.problems] == ["DependencyUnavailable"]
    assert (started.entity_id, started.problems[0].retryable) == (None, True)


async def test_without_crm_and_warehouse_a_quote_has_a_price_all_the_same(
    starter: EngineStarter, world: ProcessWorld
) -> None:
    gone = [Unavailable(system, "call", "away", outcome_unknown=False) for system in SourceSystem]
    world.script.before["opportunities"] += gone[:2]
    world.script.before["stock"] += gone[:2]
    started = await starter.prepare_quote(asked_quote(None), key="q-1", principal=REP, wait_ms=WAIT)
    assert (started.state, started.problems) == (ProcessState.COMPLETED, ())


# --- the engine


async def test_runs_go_on_where_they_were_when_the_engine_comes_back(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with process_world(database_url) as world:
        settings = EngineSettings(database_url, retries=QUICK)
        world.script.before["create_order"] += [60.0]
        async with ProcessEngine(settings, world.use) as engine:
            started = await EngineStarter(engine).submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
            assert started.state is ProcessState.WAITING_SYSTEM
        assert world.erp.documents() == []
        async with ProcessEngine(settings, world.use) as engine:
            again = await EngineStarter(engine).submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
            assert (again.replayed, again.entity_id) == (True, started.entity_id)
            assert await ended(world, started) is ProcessState.COMPLETED
        assert len(world.erp.documents()) == 1
        assert await asyncio.to_thread(lambda: 1) == 1


async def test_a_program_has_one_engine(sqlite_url: str, world: ProcessWorld, starter: EngineStarter) -> None:
    with pytest.raises(RuntimeError, match="one per program"):
        async with ProcessEngine(EngineSettings(sqlite_url), world.use):
            pass
    started = await starter.submit_order(submission(), key="o-1", principal=REP, wait_ms=WAIT)
    assert await ended(world, started) is ProcessState.COMPLETED

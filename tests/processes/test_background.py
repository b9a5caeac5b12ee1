"""What cannot be read in an ERP's log comes back through the background's inbox when its dead letter is replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from crossdock import background as module
from crossdock.background import running_background
from processes.decider import EngineDecider
from processes.decision_api import Replay
from processes.worker import EngineSettings, ProcessEngine
from schema.enums import SourceSystem
from schema.events.envelope import EventFilter
from schema.records.catalog import PriceLevel
from schema.records.entries import UnreadableEntry
from schema.records.identity import Principal
from schema.records.operations import DeadLetter
from schema.records.values import PageRequest
from systems.health import HealthBoard
from tests.processes.test_invoicing import bill, shipment
from tests.support.eventually import eventually
from tests.support.process_world import QUICK, ProcessWorld, line, run_order, submission
from tests.support.rule_records import NOW, rule

OPERATOR = Principal("user:usr_6", roles=("OPERATIONS",), warehouses=("*",))
WRONG = UnreadableEntry(1, "KeyError 'dueDate'", {"entryNo": 1})


def parts_of(world: ProcessWorld) -> Any:
    """Return what the background wants of a program's parts, over the world's systems and ledgers."""
    use = world.use
    return SimpleNamespace(
        platform=SimpleNamespace(
            inbox=world.inbox, reservations=use.reservations, facts=world.facts, events=use.events
        ),
        systems=SimpleNamespace(
            postings=use.postings, price_changes=use.price_changes, health=HealthBoard([SourceSystem.CLOUD_ERP])
        ),
        clock=use.clock,
    )


def post(world: ProcessWorld) -> None:
    world.erp.postings = [bill()]


def change_price(world: ProcessWorld) -> None:
    world.erp.price_changes = []
    world.erp.change_price(None, rule("deal", PriceLevel.CONTRACT, "35.00", account="acc_1"), NOW)


@pytest.mark.parametrize(
    ("log", "mend", "told"),
    [
        pytest.param("postings", post, "invoice.posted", id="an invoice"),
        pytest.param("price_changes", change_price, "price.changed", id="a price"),
    ],
)
async def test_an_entry_that_was_mended_in_the_erp_is_told_of_when_its_dead_letter_is_replayed(
    world: ProcessWorld,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    log: str,
    mend: Callable[[ProcessWorld], None],
    told: str,
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    await run_order(world, submission(line(6)))
    world.wms.shipments_by_id = {"sh_S-1": shipment()}
    world.erp.invoiced = True
    setattr(world.erp, log, [WRONG])

    async def letters() -> Sequence[DeadLetter]:
        return (await world.use.dead_letters.search(None, PageRequest(10))).items

    async def events() -> list[str]:
        return [stored.event.type for stored in await world.use.events.read(EventFilter(types=(told,)), None, 10)]

    async with (
        ProcessEngine(EngineSettings(sqlite_url, retries=QUICK), world.use) as engine,
        running_background(parts_of(world), engine) as background,
    ):
        (letter,) = await eventually(letters, lambda found: found)
        assert await events() == []
        mend(world)
        desk = EngineDecider(engine, world.inbox)
        answer = await desk.replay_messages(Replay((letter.id,)), key="m-1", principal=OPERATOR)
        assert (answer.problems, answer.accepted) == ((), 1)
        background.wake()
        assert await eventually(events, lambda found: found) == [told]
        assert await eventually(letters, lambda found: not found) == ()

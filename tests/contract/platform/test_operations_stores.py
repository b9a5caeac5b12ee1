"""Tasks, client keys, process log and dead letters."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from events.audit import SqlAuditLog
from schema.enums import ProcessState, SourceSystem
from schema.records.operations import DeadLetter
from schema.records.values import Page, PageRequest
from systems.errors import NotFound, Rejected
from systems.platform import (
    Database,
    PlatformDeadLetterStore,
    PlatformKeyRegistry,
    PlatformProcessLog,
    PlatformTaskQueue,
)
from systems.platform.keys import KEY_LIFETIME
from systems.ports import KeyUse, Waiting
from tests.support.platform_records import HOUR, NOW, RecordedEvents, event, letter, process, step, task


@pytest.fixture
def queue(database: Database, events: RecordedEvents) -> PlatformTaskQueue:
    return PlatformTaskQueue(database, events.append)


@pytest.fixture
def log(database: Database, events: RecordedEvents) -> PlatformProcessLog:
    return PlatformProcessLog(database, events.append)


@pytest.fixture
def keys(database: Database) -> PlatformKeyRegistry:
    return PlatformKeyRegistry(database, SqlAuditLog(database).append_in)


@pytest.fixture
def letters(database: Database, events: RecordedEvents) -> PlatformDeadLetterStore:
    return PlatformDeadLetterStore(database, events.append)


# --- Tasks ---------------------------------------------------------------------------------------------------------


async def test_a_task_is_opened_once(queue: PlatformTaskQueue, events: RecordedEvents):
    assert await queue.open_task(task(), [event("e1")]) == task()
    assert await queue.open_task(task(summary="another"), [event("e1")]) == task()
    assert await queue.tasks(["tsk_1", "tsk_2"]) == {"tsk_1": task()}
    assert events.ids == ["e1"]


async def test_tasks_are_paged_earliest_due_first(queue: PlatformTaskQueue):
    for number in (3, 1, 2):
        await queue.open_task(task(number))
    await queue.open_task(task(4, due_at=task(1).due_at))
    await queue.open_task(task(5, queue="PRICING"))
    first = await queue.search_tasks("CREDIT", "OPEN", PageRequest(2))
    second = await queue.search_tasks("CREDIT", "OPEN", PageRequest(2, first.cursors[-1]))
    assert [entry.id for entry in (*first.items, *second.items)] == ["tsk_1", "tsk_4", "tsk_2", "tsk_3"]
    assert (first.has_next, second.has_next, first.total, second.total) == (True, False, 4, 4)
    everything = await queue.search_tasks(None, None, PageRequest(10))
    assert everything.total == 5


async def test_pages_of_tasks_of_some_accounts_are_full_and_counted(queue: PlatformTaskQueue):
    for number, account in enumerate(["acc_2", "acc_1", "acc_2", None, "acc_2", "acc_3"], start=1):
        await queue.open_task(task(number, account_id=account))
    mine = {"acc_1", "acc_3", *(f"acc_of_a_large_patch_{number}" for number in range(20_000))}
    first = await queue.search_tasks(None, None, PageRequest(2), None, mine)
    second = await queue.search_tasks(None, None, PageRequest(2, first.cursors[-1]), None, mine)
    assert [[entry.id for entry in page.items] for page in (first, second)] == [["tsk_2", "tsk_4"], ["tsk_6"]]
    assert (first.has_next, second.has_next, first.total, second.total) == (True, False, 3, 3)
    nobodys = await queue.search_tasks(None, None, PageRequest(2), None, ())
    assert ([entry.id for entry in nobodys.items], nobodys.total) == (["tsk_4"], 1)


@pytest.mark.parametrize("cursor", ["", "nonsense", "é", "MjAyNnx4", "bm90IGEgdGltZXx4"])
async def test_a_cursor_of_another_list_is_told(queue: PlatformTaskQueue, cursor: str):
    with pytest.raises(Rejected, match="start without a cursor"):
        await queue.search_tasks(None, None, PageRequest(2, cursor))


# --- Client keys ---------------------------------------------------------------------------------------------------

USE = KeyUse("t:user:usr_1:orderSubmit", "o-1", "hash-a", "prc_1")


async def test_the_first_use_of_a_key_answers_for_it(keys: PlatformKeyRegistry):
    assert await keys.claim(USE, NOW) == USE
    assert await keys.claim(replace(USE, payload_hash="hash-b", process_id="prc_2"), NOW + HOUR) == USE


async def test_the_same_key_in_another_scope_is_another_key(keys: PlatformKeyRegistry):
    await keys.claim(USE, NOW)
    other = replace(USE, scope="t:user:usr_2:orderSubmit", process_id="prc_2")
    assert await keys.claim(other, NOW) == other


async def test_of_many_uses_at_once_one_wins_for_all(keys: PlatformKeyRegistry):
    uses = [replace(USE, process_id=f"prc_{turn}") for turn in range(10)]
    assert len(set(await asyncio.gather(*(keys.claim(use, NOW) for use in uses)))) == 1


async def test_a_key_lives_thirty_days(keys: PlatformKeyRegistry):
    await keys.claim(USE, NOW)
    fresh = replace(USE, process_id="prc_2")
    assert await keys.claim(fresh, NOW + KEY_LIFETIME - HOUR) == USE
    assert await keys.claim(fresh, NOW + KEY_LIFETIME) == fresh


async def test_old_keys_are_forgotten(keys: PlatformKeyRegistry):
    await keys.claim(USE, NOW)
    await keys.claim(replace(USE, key="o-2"), NOW + HOUR)
    assert await keys.forget(NOW + KEY_LIFETIME) == 1
    assert await keys.forget(NOW + KEY_LIFETIME) == 0


# --- Process log ---------------------------------------------------------------------------------------------------


async def test_a_process_is_recorded_with_its_steps_in_order(log: PlatformProcessLog):
    await log.start(process(steps=(step("receive"),)))
    await log.step("prc_1", step("validate"))
    await log.step("prc_1", step("price"))
    await log.step("prc_1", step("validate", state="COMPLETED", attempts=2))
    found = (await log.processes(["prc_1", "prc_9"]))["prc_1"]
    assert found == process(steps=(step("receive"), step("validate", state="COMPLETED", attempts=2), step("price")))


async def test_starting_again_changes_nothing(log: PlatformProcessLog):
    await log.start(process(steps=(step("receive"),)))
    await log.start(process(kind="other", steps=(step("late"),)))
    assert await log.processes(["prc_1"]) == {"prc_1": process(steps=(step("receive"),))}


async def test_a_final_state_sets_the_end(log: PlatformProcessLog, events: RecordedEvents):
    await log.start(process())
    await log.set_state("prc_1", ProcessState.WAITING_HUMAN, NOW, [event("e1")])
    assert (await log.processes(["prc_1"]))["prc_1"].ended_at is None
    await log.set_state("prc_1", ProcessState.COMPLETED, NOW + HOUR, [event("e2")])
    await log.set_state("prc_1", ProcessState.COMPLETED, NOW + 2 * HOUR, [event("e3")])
    found = (await log.processes(["prc_1"]))["prc_1"]
    assert (found.state, found.ended_at, events.ids) == (ProcessState.COMPLETED, NOW + HOUR, ["e1", "e2"])


async def test_the_state_of_an_unknown_process_cannot_be_set(log: PlatformProcessLog):
    with pytest.raises(NotFound, match="prc_9"):
        await log.set_state("prc_9", ProcessState.FAILED, NOW)


async def test_processes_by_what_they_are_about(log: PlatformProcessLog):
    await log.start(process(2, started_at=NOW + HOUR))
    await log.start(process(1))
    await log.start(process(3, business_key="ord_2"))
    found = await log.processes_of(["ord_1", "ord_2", "ord_3"])
    assert {key: [entry.id for entry in entries] for key, entries in found.items()} == {
        "ord_1": ["prc_1", "prc_2"],
        "ord_2": ["prc_3"],
        "ord_3": [],
    }


async def test_what_waits_for_a_system_is_counted_with_the_age_of_the_oldest(log: PlatformProcessLog):
    release, create = step("release", system=SourceSystem.WMS), step("create", system=SourceSystem.CLOUD_ERP)
    for count, steps in enumerate(
        [
            (create, replace(release, state="WAITING")),
            (create, replace(release, state="WAITING"), replace(release, name="ship", state="WAITING")),
            (replace(create, state="COMPENSATING"), replace(release, state="COMPENSATED")),
            (replace(create, state="DONE"),),
        ],
        start=1,
    ):
        await log.start(process(count, started_at=NOW + count * HOUR, steps=steps))
        await log.set_state(f"prc_{count}", ProcessState.WAITING_SYSTEM, NOW)
    await log.start(process(5, steps=(replace(release, state="WAITING"),)))
    assert await log.waiting() == {
        SourceSystem.WMS: Waiting(2, NOW + HOUR),
        SourceSystem.CLOUD_ERP: Waiting(1, NOW + 3 * HOUR),
    }


# --- Dead letters --------------------------------------------------------------------------------------------------


async def test_a_message_is_kept_whole_and_its_attempts_counted(letters: PlatformDeadLetterStore):
    await letters.put(letter())
    await letters.put(letter(reason="still unknown", payload="lost", first_seen=NOW + 9 * HOUR))
    found = await letters.search(SourceSystem.WMS, PageRequest(5))
    assert found.items == (replace(letter(), attempts=2, reason="still unknown"),)


async def test_letters_of_a_source_oldest_first(letters: PlatformDeadLetterStore):
    for number in (2, 1, 3):
        await letters.put(letter(number))
    await letters.put(letter(4, source=SourceSystem.TMS, payload=None))
    first: Page[DeadLetter] = await letters.search(SourceSystem.WMS, PageRequest(2))
    second = await letters.search(SourceSystem.WMS, PageRequest(2, first.cursors[-1]))
    assert [entry.id for entry in (*first.items, *second.items)] == ["dl_1", "dl_2", "dl_3"]
    everything = await letters.search(None, PageRequest(9))
    assert (everything.total, everything.items[-1].payload) == (4, None)


async def test_letters_by_id(letters: PlatformDeadLetterStore):
    await letters.put(letter(1))
    await letters.put(letter(2, source=SourceSystem.TMS))
    assert await letters.letters(["dl_2", "dl_1", "dl_9"]) == {
        "dl_1": letter(1),
        "dl_2": letter(2, source=SourceSystem.TMS),
    }


async def test_a_dead_letter_is_told_of_under_one_name_however_often_it_fails(
    letters: PlatformDeadLetterStore, events: RecordedEvents
):
    await letters.put(letter(1))
    await letters.put(letter(1))
    assert events.ids == ["deadlettered:dl_1"] * 2


async def test_tasks_are_found_by_order(queue: PlatformTaskQueue):
    await queue.open_task(task(1))
    await queue.open_task(task(2, order_id="ord_2"))
    found = await queue.tasks_of(["ord_1", "ord_2", "ord_3"])
    assert found == {"ord_1": (task(1),), "ord_2": (task(2, order_id="ord_2"),), "ord_3": ()}


async def test_a_task_is_changed_only_as_it_was_read(queue: PlatformTaskQueue, events: RecordedEvents):
    await queue.open_task(task(1))
    mine, theirs = task(1, state="CLAIMED", assignee="user:a"), task(1, state="CLAIMED", assignee="user:b")
    assert await queue.change_task(task(1), mine, NOW, [event("claimed")])
    assert not await queue.change_task(task(1), theirs, NOW, [event("claimed-too")])
    assert not await queue.change_task(task(9), task(9, state="CLAIMED"), NOW)
    assert await queue.tasks(["tsk_1"]) == {"tsk_1": mine}
    assert events.ids == ["claimed"]


async def test_of_many_who_change_a_task_at_once_one_does(queue: PlatformTaskQueue):
    await queue.open_task(task(1))
    claims = [task(1, state="CLAIMED", assignee=f"user:{number}") for number in range(5)]
    done = await asyncio.gather(*(queue.change_task(task(1), claim, NOW) for claim in claims))
    assert sorted(done) == [False] * 4 + [True]


async def test_a_dead_letter_is_removed_once_it_was_handled(letters: PlatformDeadLetterStore):
    await letters.put(letter(1))
    for _ in range(2):
        await letters.remove(letter(1).id)
    assert await letters.letters([letter(1).id]) == {}


async def test_a_started_process_tells_its_events_once(log: PlatformProcessLog, events: RecordedEvents):
    for _ in range(2):
        await log.start(process(), [event("started")])
    assert events.ids == ["started"]

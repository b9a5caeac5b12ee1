"""What a program remembers of its processes: who waits is answered, and nothing grows with the number of processes."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from processes.endings import KEPT_ENDINGS, Endings
from processes.runner import Ending
from schema.enums import ProcessState

DONE = Ending(ProcessState.COMPLETED)
PARKED = Ending(ProcessState.WAITING_HUMAN)
WAIT_S = 30.0


async def waits(endings: Endings, process_id: str) -> asyncio.Task[None]:
    """Return who waits for an answer of the process, once it waits."""
    task = asyncio.create_task(endings.told(process_id, WAIT_S))
    await asyncio.sleep(0)
    assert not task.done()
    return task


@pytest.mark.parametrize("is_begun", [True, False], ids=["begun here", "begun elsewhere"])
async def test_whoever_waits_is_woken_by_the_answer_and_by_the_end(is_begun: bool):
    endings = Endings()
    if is_begun:
        endings.begin("told")
        endings.begin("ended")
    both = [await waits(endings, "told"), await waits(endings, "ended")]
    endings.tell("told")
    endings.end("ended", DONE)
    await asyncio.wait_for(asyncio.gather(*both), WAIT_S)
    assert endings.has_told("told")
    assert endings.has_told("ended")
    assert endings.undecided == 0


@pytest.mark.parametrize("ending", [DONE, PARKED], ids=["done", "waits for a person"])
async def test_whoever_comes_after_the_end_does_not_wait(ending: Ending):
    endings = Endings()
    endings.begin("p")
    endings.end("p", ending)
    await endings.told("p", WAIT_S)
    assert not endings.is_fresh("p")


async def test_how_a_process_ended_is_remembered_unless_another_program_may_go_on_with_it():
    endings = Endings()
    endings.end("done", DONE)
    endings.end("parked", PARKED)
    assert endings.get("done") == DONE
    assert endings.get("parked") is None


async def test_a_process_that_goes_on_has_no_answer_until_it_tells_again():
    endings = Endings()
    endings.begin("p")
    endings.end("p", DONE)
    endings.forget("p")
    assert endings.get("p") is None
    assert not endings.has_told("p")
    waiting = await waits(endings, "p")
    endings.tell("p")
    await asyncio.wait_for(waiting, WAIT_S)


async def test_whoever_waits_goes_on_waiting_when_the_process_does():
    endings = Endings()
    endings.begin("p")
    waiting = await waits(endings, "p")
    endings.forget("p")
    endings.end("p", DONE)
    await asyncio.wait_for(waiting, WAIT_S)


async def test_a_run_that_is_no_longer_carried_is_neither_fresh_nor_undecided():
    endings = Endings()
    endings.begin("p")
    endings.tell("p")
    endings.stop("p")
    assert not endings.is_fresh("p")
    assert not endings.has_told("p")
    assert endings.undecided == 0


async def test_the_latest_endings_are_kept():
    endings = Endings()
    names = [f"p{number}" for number in range(KEPT_ENDINGS + 2)]
    for name in names:
        endings.begin(name)
        endings.end(name, DONE)
    assert [endings.get(name) for name in names[:2]] == [None, None]
    assert all(endings.get(name) == DONE for name in names[2:])


async def test_nothing_grows_with_processes_that_ended_or_that_nobody_here_carries():
    endings = Endings()

    async def carry(first: int) -> None:
        for number in range(first, first + KEPT_ENDINGS):
            name = f"process {number:08}"
            endings.begin(name)
            endings.tell(name)
            endings.end(name, PARKED if number % 2 else DONE)
            endings.begin(f"lost {number}")
            endings.stop(f"lost {number}")
            await endings.told(f"elsewhere {number}", 0)

    await carry(0)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await carry(KEPT_ENDINGS)
        await carry(2 * KEPT_ENDINGS)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < KEPT_ENDINGS * 400

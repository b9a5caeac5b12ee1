"""Which runs of DBOS carry a process: the first has the id of the process, each later one went on where one ended."""

from __future__ import annotations

import asyncio
import time

from dbos import DBOS, SetWorkflowID
from sqlalchemy.exc import IntegrityError

from processes.dbos_journal import WAKE
from processes.journal import problems_from_json
from processes.runner import Ending
from schema.enums import ProcessState

__all__ = ["ended_run", "fork", "is_known", "latest_run", "next_run", "read_ending", "wake"]

AGAIN = "~"
"""Between the id of a process and the number of a run that went on with it."""

ENDING_S = 1.0
"""Longest wait for a run that has done everything to be recorded as ended."""

ENDING_POLL_S = 0.02
"""How often that is looked at."""

_WAITING = ("wait:", "look:", "alarm:", "DBOS.")
"""What the last entry of a run begins with that waits for persons or time."""

_UNDER_WAY = ("PENDING", "ENQUEUED", "DELAYED")


async def is_known(process_id: str) -> bool:
    """Return whether a run of the process was ever started."""
    return await DBOS.get_workflow_status_async(process_id) is not None


async def latest_run(process_id: str) -> str:
    """Return the run that carries the process, or carried it last."""
    later = await DBOS.list_workflows_async(
        workflow_id_prefix=f"{process_id}{AGAIN}", sort_desc=True, limit=1, load_input=False, load_output=False
    )
    return later[0].workflow_id if later else process_id


async def next_run(process_id: str) -> str | None:
    """Return the id of one more run, the same for all who ask before it has begun; None while one is under way."""
    latest = await latest_run(process_id)
    status = await DBOS.get_workflow_status_async(latest)
    if status is None:
        return process_id
    return None if status.status in _UNDER_WAY else _after(latest)


async def wake(process_id: str) -> bool:
    """Wake the run that carries a process; False when none does."""
    run_id = await latest_run(process_id)
    status = await DBOS.get_workflow_status_async(run_id)
    if status is None or status.status not in _UNDER_WAY:
        return False
    await DBOS.send_async(run_id, {"process": process_id}, WAKE)
    return True


async def read_ending(process_id: str) -> Ending | None:
    """Return how the last run of a process ended, None while it has not."""
    status = await DBOS.get_workflow_status_async(await latest_run(process_id))
    if status is None or status.status != "SUCCESS" or not isinstance(status.output, dict):
        return None
    return Ending(ProcessState(status.output["state"]), problems_from_json(status.output["problems"]))


async def ended_run(process_id: str) -> tuple[str, list[tuple[int, str]]]:
    """Return the last run, and (place, name) of all that it did, nothing while it is under way.

    A run shows its process as parked or completed just before it ends; that moment is waited for.
    """
    run_id = await latest_run(process_id)
    deadline = time.monotonic() + ENDING_S
    while True:
        status = await DBOS.get_workflow_status_async(run_id)
        if status is None:
            return run_id, []
        entries = await DBOS.list_workflow_steps_async(run_id)
        if status.status not in _UNDER_WAY:
            return run_id, [(entry["function_id"], entry["function_name"]) for entry in entries]
        is_waiting = bool(entries) and entries[-1]["function_name"].startswith(_WAITING)
        if is_waiting or time.monotonic() > deadline:
            return run_id, []
        await asyncio.sleep(ENDING_POLL_S)


async def fork(run_id: str, start: int, version: str) -> bool:
    """Go on by a run that has done what an ended one did before ``start``; False when one goes on from it already.

    Of several who go on from the same run at once one does: a process is carried by one run at a time.
    """
    again = _after(run_id)
    if await is_known(again):
        return False
    try:
        with SetWorkflowID(again):
            await DBOS.fork_workflow_async(run_id, start, application_version=version)
    except IntegrityError:
        return False
    return True


def _after(run_id: str) -> str:
    """Return the id of the run that goes on where one ended."""
    process_id, _, number = run_id.partition(AGAIN)
    return f"{process_id}{AGAIN}{int(number or 1) + 1:04d}"

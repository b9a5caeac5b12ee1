"""Background work that fails is tried again, and the log is told once of one reason."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from crossdock.insist import insist
from schema.enums import SourceSystem
from systems.errors import Unavailable


async def test_a_system_that_stays_out_is_logged_once_for_each_reason_and_a_fault_each_time():
    refused, slow = (
        Unavailable(SourceSystem.WMS, "look", reason, outcome_unknown=False) for reason in ("refused", "it is slow")
    )
    turns = iter([refused, refused, ValueError("x"), refused, slow, slow, ValueError("y")])
    done = asyncio.Event()

    async def turn() -> None:
        failure = next(turns, None)
        if failure is not None:
            raise failure
        done.set()

    with capture_logs() as lines:
        task = asyncio.create_task(insist("looking", turn, pause_s=0))
        await asyncio.wait_for(done.wait(), 30)
        task.cancel()
    assert [line.get("error", line["event"]) for line in lines if line["work"] == "looking"] == [
        str(refused),
        "background work failed and begins again",
        str(slow),
        "background work failed and begins again",
    ]

"""How each business process went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schema.enums import ProcessState, SourceSystem
from schema.events.envelope import Event
from schema.records.operations import ProcessRecord, ProcessStepRecord
from systems.errors import NotFound
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database
from systems.platform.records import batches
from systems.platform.statements import by_kind, insert_of, numbered, run
from systems.platform.tables import process_steps, processes
from systems.ports import Waiting

__all__ = ["PlatformProcessLog", "process_row", "step_row"]

STEP_WAITS = ("WAITING", "COMPENSATING")
"""States of a step that is to be done, or taken back, as soon as its system answers."""

MAX_STEPS = 20
"""Steps that one statement writes."""

_FINAL = (ProcessState.COMPLETED, ProcessState.FAILED, ProcessState.CANCELLED)


class PlatformProcessLog:
    """:class:`systems.ports.ProcessLog` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def start(self, process: ProcessRecord, events: Sequence[Event] = ()) -> None:
        """Record a started process with its steps and events once."""
        row = process_row(process)
        async with self._database.transaction("start process") as connection:
            if not await run(connection, _START[connection.dialect.name], row):
                return
            await _write_steps(connection, process.id, process.steps)
            await self._append(connection, events)

    async def set_state(self, process_id: str, state: ProcessState, at: datetime, events: Sequence[Event] = ()) -> None:
        """Record a state; a final state sets the end. The state it has already is no change and tells no event.

        Raises:
            NotFound: the process is not recorded.
        """
        ended_at = at if state in _FINAL else None
        async with self._database.transaction("set process state") as connection:
            wanted = {"process_id": process_id, "new_state": state.value, "ended": ended_at}
            if await run(connection, _SET_STATE, wanted):
                await self._append(connection, events)
                return
            if not await run(connection, _STATE, {"process_id": process_id}):
                raise NotFound(SourceSystem.PLATFORM, "set process state", f"process {process_id} is not recorded")

    async def step(self, process_id: str, *steps: ProcessStepRecord) -> None:
        """Create steps, or replace those with the same name; steps keep the order of their creation."""
        async with self._database.transaction("record step") as connection:
            await _write_steps(connection, process_id, steps)

    async def processes(self, ids: Sequence[str]) -> Mapping[str, ProcessRecord]:
        """Return processes with their steps in order by id."""
        found: dict[str, ProcessRecord] = {}
        async with self._database.reading("processes") as connection:
            if len(ids) == 1:  # whoever started one asks so for its state
                rows = await run(connection, _PROCESS, {"process_id": ids[0]})
                if not rows:
                    return {}
                steps = await run(connection, _STEPS, {"process_id": ids[0]})
                state, ended_at, record = rows[0]
                return {ids[0]: _process(state, ended_at, record, [step for (step,) in steps])}
            for batch in batches(ids):
                read = await _read(connection, processes.c.id.in_(batch))
                found.update({process.id: process for process in read})
        return found

    async def processes_of(self, business_keys: Sequence[str]) -> Mapping[str, tuple[ProcessRecord, ...]]:
        """Return processes per business key, oldest first; a key without processes maps to ()."""
        found: dict[str, list[ProcessRecord]] = {key: [] for key in business_keys}
        async with self._database.reading("processes of business keys") as connection:
            for batch in batches(business_keys):
                for process in await _read(connection, processes.c.business_key.in_(batch)):
                    found[process.business_key].append(process)
        return {key: tuple(entries) for key, entries in found.items()}

    async def waiting(self) -> Mapping[SourceSystem, Waiting]:
        """Return what waits for each system to answer; systems that nothing waits for are absent."""
        system = process_steps.c.record["system"].as_string()
        statement = (
            select(system, func.count(processes.c.id.distinct()), func.min(processes.c.started_at))
            .join(process_steps, process_steps.c.process_id == processes.c.id)
            .where(
                processes.c.state == ProcessState.WAITING_SYSTEM.value,
                process_steps.c.record["state"].as_string().in_(STEP_WAITS),
            )
            .group_by(system)
        )
        async with self._database.reading("waiting processes") as connection:
            rows = (await connection.execute(statement)).all()
        return {SourceSystem(name): Waiting(count, oldest) for name, count, oldest in rows}


def process_row(process: ProcessRecord) -> dict[str, Any]:
    """Return the row of a process; its steps are rows of their own."""
    return {
        "id": process.id,
        "business_key": process.business_key,
        "state": process.state.value,
        "started_at": process.started_at,
        "ended_at": process.ended_at,
        "record": encode(replace(process, steps=())),
    }


def step_row(process_id: str, step: ProcessStepRecord) -> dict[str, Any]:
    """Return the row of a step."""
    return {"process_id": process_id, "name": step.name, "record": encode(step)}


async def _write_steps(connection: AsyncConnection, process_id: str, steps: Sequence[ProcessStepRecord]) -> None:
    latest = {step.name: step for step in steps}
    rows = [step_row(process_id, step) for step in latest.values()]
    for start in range(0, len(rows), MAX_STEPS):
        batch = rows[start : start + MAX_STEPS]
        await run(connection, _write_steps_statement(connection.dialect.name, len(batch)), numbered(batch))


@cache
def _write_steps_statement(kind: str, count: int) -> Any:
    insert = insert_of(process_steps, kind, count)
    return insert.on_conflict_do_update(
        index_elements=[process_steps.c.process_id, process_steps.c.name], set_={"record": insert.excluded.record}
    )


_START = by_kind(
    lambda kind: (
        insert_of(processes, kind).on_conflict_do_nothing(index_elements=[processes.c.id]).returning(processes.c.id)
    )
)
_SET_STATE = (
    update(processes)
    .where(processes.c.id == bindparam("process_id"), processes.c.state != bindparam("new_state"))
    .values(state=bindparam("new_state"), ended_at=bindparam("ended", type_=processes.c.ended_at.type))
    .returning(processes.c.id)
)
_PROCESS = select(processes.c.state, processes.c.ended_at, processes.c.record).where(
    processes.c.id == bindparam("process_id")
)
_STEPS = (
    select(process_steps.c.record)
    .where(process_steps.c.process_id == bindparam("process_id"))
    .order_by(process_steps.c.position)
)
_STATE = select(processes.c.state).where(processes.c.id == bindparam("process_id"))


async def _read(connection: AsyncConnection, where: ColumnElement[bool]) -> list[ProcessRecord]:
    """Return processes, oldest first, with their steps: two statements."""
    rows = (
        await connection.execute(
            select(processes.c.id, processes.c.state, processes.c.ended_at, processes.c.record)
            .where(where)
            .order_by(processes.c.started_at, processes.c.id)
        )
    ).all()
    steps: dict[str, list[Any]] = defaultdict(list)
    for batch in batches(row.id for row in rows):
        chosen = select(process_steps.c.process_id, process_steps.c.record).where(process_steps.c.process_id.in_(batch))
        for process_id, record in await connection.execute(chosen.order_by(process_steps.c.position)):
            steps[process_id].append(record)
    return [_process(row.state, row.ended_at, row.record, steps[row.id]) for row in rows]


def _process(state: str, ended_at: datetime | None, record: Any, steps: Iterable[Any]) -> ProcessRecord:
    return replace(
        decode(ProcessRecord, record),
        state=ProcessState(state),
        ended_at=ended_at,
        steps=tuple(decode(ProcessStepRecord, step) for step in steps),
    )

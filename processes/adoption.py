"""Runs of earlier versions go on under this one; those of versions that are not known here are left to who knows them.

The journal names the version of the processes that began a run, and gives the run to programs of that version alone.
``docs/process-versions.md`` says when a new version is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from dbos import DBOS

from processes.engine_settings import EngineSettings
from processes.takeover import MAX_RESUMED

__all__ = ["adopt", "adopt_slot", "leave_unknown"]

_PENDING, _ENQUEUED = "PENDING", "ENQUEUED"
_STATUS = "workflow_status"


def adopt_slot(settings: EngineSettings, slot: str) -> None:
    """Make the unfinished runs of a slot, and those that nobody has picked up, runs of this version.

    To be called by who holds the slot, before it goes on with its runs; a journal that is new has none.
    """

    def chosen(table: sa.TableClause) -> sa.ColumnElement[bool]:
        is_ours = sa.and_(table.c.status == _PENDING, table.c.executor_id == slot)
        return sa.or_(is_ours, table.c.status == _ENQUEUED)

    engine, table = _journal(settings)
    try:
        if sa.inspect(engine).has_table(_STATUS, schema=table.schema):
            _adopt(engine, table, chosen(table), settings)
    finally:
        engine.dispose()


def adopt(settings: EngineSettings, run_ids: Sequence[str]) -> None:
    """Make runs that nobody carries runs of this version."""
    engine, table = _journal(settings)
    try:
        _adopt(engine, table, table.c.workflow_uuid.in_(run_ids), settings)
    finally:
        engine.dispose()


async def leave_unknown(settings: EngineSettings, slot: str) -> None:
    """Put the runs of a slot whose version is not known here where a program that knows it picks them up."""
    known = {settings.version, *settings.earlier_versions}
    while True:
        found = await DBOS.list_workflows_async(
            status=_PENDING, executor_id=slot, limit=MAX_RESUMED, load_input=False, load_output=False
        )
        unknown = [run.workflow_id for run in found if run.app_version not in known]
        if unknown:
            await DBOS.resume_workflows_async(unknown)
        if len(found) < MAX_RESUMED or not unknown:
            return


def _journal(settings: EngineSettings) -> tuple[sa.Engine, sa.TableClause]:
    url = sa.make_url(settings.journal_url)
    schema = None if url.get_backend_name() == "sqlite" else "dbos"
    names = ("workflow_uuid", "status", "executor_id", "application_version")
    return sa.create_engine(url, poolclass=sa.NullPool), sa.table(_STATUS, *map(sa.column, names), schema=schema)


def _adopt(engine: sa.Engine, table: sa.TableClause, chosen: sa.ColumnElement[bool], settings: EngineSettings) -> None:
    is_earlier = table.c.application_version.in_(settings.earlier_versions)
    with engine.begin() as connection:
        connection.execute(sa.update(table).where(chosen, is_earlier).values(application_version=settings.version))

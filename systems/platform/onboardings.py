"""Requests to become a customer; the platform is their system of record.

Marks are what an applicant is known by (a tax number, name and place, the CRM's record). Each belongs to one open
onboarding at most, by a primary key: of two requests for the same customer at the same moment one gets them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, delete, select, update

from schema.enums import OnboardingStatus, SourceSystem
from schema.events.envelope import Event
from schema.records.audit import Change
from schema.records.onboarding import ENDED, Onboarding
from schema.records.values import Page, PageRequest
from systems.errors import Conflict
from systems.platform.codec import decode, encode
from systems.platform.database import AppendEvents, Database, insert_into
from systems.platform.paging import read_page
from systems.platform.records import change_by, records_by
from systems.platform.tables import onboarding_marks, onboardings

__all__ = ["PlatformOnboardingStore", "onboarding_row"]


class PlatformOnboardingStore:
    """:class:`systems.ports.OnboardingStore` in the platform's database."""

    def __init__(self, database: Database, append_events: AppendEvents) -> None:
        self._database = database
        self._append = append_events

    async def create(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding:
        """Record a request, or return the one with the same id recorded before."""
        table = onboardings
        async with self._database.transaction("create onboarding") as connection:
            insert = insert_into(connection, table, onboarding_row(onboarding))
            insert = insert.on_conflict_do_nothing(index_elements=[table.c.id])
            if (await connection.execute(insert.returning(table.c.id))).first() is not None:
                await self._append(connection, events, Change(None, encode(onboarding)))
                return onboarding
            stored = await connection.execute(select(table.c.record).where(table.c.id == onboarding.id))
            return decode(Onboarding, stored.scalar_one())

    async def update(self, onboarding: Onboarding, events: Sequence[Event] = ()) -> Onboarding:
        """Write the request when the stored version is ``onboarding.version``; return it with the next version.

        Raises:
            Conflict: the stored version differs.
        """
        table = onboardings
        written = replace(onboarding, version=onboarding.version + 1)
        async with self._database.transaction("update onboarding") as connection:
            change = await change_by(connection, events, table, onboarding.id, written)
            condition = (table.c.id == onboarding.id, table.c.version == onboarding.version)
            changed = await connection.execute(update(table).where(*condition).values(onboarding_row(written)))
            if changed.rowcount != 1:
                raise Conflict(
                    SourceSystem.PLATFORM,
                    "update onboarding",
                    f"onboarding {onboarding.id} is not stored with version {onboarding.version}: read it again",
                )
            if written.status in ENDED:
                mine = onboarding_marks.c.onboarding_id == onboarding.id
                await connection.execute(delete(onboarding_marks).where(mine))
            await self._append(connection, events, change)
        return written

    async def claim(self, onboarding_id: str, marks: Sequence[str]) -> str | None:
        """Claim marks, all or nothing; return None, or the id of the onboarding that has one of them.

        Raises:
            Conflict: somebody gave a mark up at this very moment; repeat.
        """
        table = onboarding_marks
        wanted = sorted(set(marks))
        async with self._database.transaction("claim marks") as connection:
            # In one order, so that two requests with several marks in common do not wait for each other.
            for mark in wanted:
                insert = insert_into(connection, table, {"mark": mark, "onboarding_id": onboarding_id})
                await connection.execute(insert.on_conflict_do_nothing(index_elements=[table.c.mark]))
            held = await connection.execute(
                select(table.c.onboarding_id).where(table.c.mark.in_(wanted)).order_by(table.c.mark)
            )
            owners = held.scalars().all()
            other = next((owner for owner in owners if owner != onboarding_id), None)
            if other is not None:
                await connection.execute(delete(table).where(table.c.onboarding_id == onboarding_id))
            elif len(owners) < len(wanted):
                message = f"a mark of onboarding {onboarding_id} was given up at this moment: claim again"
                raise Conflict(SourceSystem.PLATFORM, "claim marks", message)
        return other

    async def onboardings(self, ids: Sequence[str]) -> Mapping[str, Onboarding]:
        """Return requests by id."""
        async with self._database.reading("onboardings") as connection:
            return await records_by(connection, onboardings, onboardings.c.id, ids, Onboarding)

    async def search_onboardings(self, status: OnboardingStatus | None, page: PageRequest) -> Page[Onboarding]:
        """Return requests, earliest first.

        Raises:
            Rejected: the page's cursor is not one of this list.
        """
        table = onboardings
        statement = select(table.c.id, table.c.submitted_at, table.c.record)
        if status is not None:
            statement = statement.where(table.c.status == status.value)
        async with self._database.reading("search onboardings") as connection:
            return await read_page(connection, statement, (table.c.submitted_at, table.c.id), page, _onboarding)


def onboarding_row(onboarding: Onboarding) -> dict[str, Any]:
    """Return the row of a request."""
    return {
        "id": onboarding.id,
        "version": onboarding.version,
        "status": onboarding.status.value,
        "submitted_at": onboarding.submitted_at,
        "record": encode(onboarding),
    }


def _onboarding(row: Row[Any]) -> Onboarding:
    return decode(Onboarding, row.record)

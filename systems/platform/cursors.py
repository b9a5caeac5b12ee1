"""How far feeds of other systems are read."""

from __future__ import annotations

from sqlalchemy import select

from systems.platform.database import Database, insert_into
from systems.platform.tables import feed_cursors

__all__ = ["PlatformFeedCursors"]


class PlatformFeedCursors:
    """:class:`systems.ports.FeedCursors` in the platform's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, feed: str) -> int:
        """Return the last entry that was read of a feed, 0 before the first."""
        statement = select(feed_cursors.c.entry).where(feed_cursors.c.feed == feed)
        async with self._database.reading("place of feed") as connection:
            return (await connection.execute(statement)).scalar_one_or_none() or 0

    async def move(self, feed: str, entry: int) -> None:
        """Note that a feed is read up to an entry; it never goes back."""
        table = feed_cursors
        async with self._database.transaction("move feed") as connection:
            insert = insert_into(connection, table, {"feed": feed, "entry": entry})
            await connection.execute(
                insert.on_conflict_do_update(
                    index_elements=[table.c.feed],
                    set_={"entry": insert.excluded.entry},
                    where=table.c.entry < insert.excluded.entry,
                )
            )

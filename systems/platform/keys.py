"""Client idempotency keys."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from systems.platform.database import Database, insert_into
from systems.platform.tables import idempotency_keys
from systems.ports import KeyUse

__all__ = ["KEY_LIFETIME", "PlatformKeyRegistry"]

KEY_LIFETIME = timedelta(days=30)
"""How long a key answers for what it started; afterwards it is as good as new."""


class PlatformKeyRegistry:
    """:class:`systems.ports.KeyRegistry` in the platform's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, use: KeyUse, now: datetime) -> KeyUse:
        """Record the use when the key is new in its scope (or past its lifetime) and return what is recorded."""
        table = idempotency_keys
        row = {
            "scope": use.scope,
            "key": use.key,
            "payload_hash": use.payload_hash,
            "process_id": use.process_id,
            "claimed_at": now,
        }
        async with self._database.transaction("claim key") as connection:
            insert = insert_into(connection, table, row)
            claim = insert.on_conflict_do_update(
                index_elements=[table.c.scope, table.c.key],
                set_={name: insert.excluded[name] for name in ("payload_hash", "process_id", "claimed_at")},
                where=table.c.claimed_at <= now - KEY_LIFETIME,
            )
            if (await connection.execute(claim.returning(table.c.key))).first() is not None:
                return use
            stored = (
                await connection.execute(
                    select(table.c.payload_hash, table.c.process_id).where(
                        table.c.scope == use.scope, table.c.key == use.key
                    )
                )
            ).one()
        return KeyUse(use.scope, use.key, stored.payload_hash, stored.process_id)

    async def forget(self, now: datetime) -> int:
        """Delete keys that are past their lifetime and return how many."""
        table = idempotency_keys
        async with self._database.transaction("forget keys") as connection:
            deleted = await connection.execute(delete(table).where(table.c.claimed_at <= now - KEY_LIFETIME))
            return deleted.rowcount

"""Client idempotency keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from systems.platform.database import AppendAudit, Database
from systems.platform.statements import by_kind, insert_of, run
from systems.platform.tables import idempotency_keys
from systems.ports import KeyUse

__all__ = ["KEY_LIFETIME", "PlatformKeyRegistry"]

KEY_LIFETIME = timedelta(days=30)
"""How long a key answers for what it started; afterwards it is as good as new."""

CLAIM_WAIT_S = 1.0
"""Longest wait of a claim for a connection: whoever asks for something new is told soon that too much is under way."""


class PlatformKeyRegistry:
    """:class:`systems.ports.KeyRegistry` in the platform's database."""

    def __init__(self, database: Database, append_audit: AppendAudit) -> None:
        self._database = database
        self._audit = append_audit

    async def claim(self, use: KeyUse, now: datetime) -> KeyUse:
        """Record the use when the key is new in its scope (or past its lifetime) and return what is recorded."""
        row = {
            "scope": use.scope,
            "key": use.key,
            "payload_hash": use.payload_hash,
            "process_id": use.process_id,
            "claimed_at": now,
            "expired": now - KEY_LIFETIME,
        }
        async with self._database.transaction("claim key", CLAIM_WAIT_S) as connection:
            if await run(connection, _CLAIM[connection.dialect.name], row):
                await self._note(connection, use, "REQUESTED")
                return use
            ((payload_hash, process_id),) = await run(connection, _CLAIMED, {"scope": use.scope, "key": use.key})
            await self._note(connection, use, "REPLAYED" if payload_hash == use.payload_hash else "CONFLICT")
        return KeyUse(use.scope, use.key, payload_hash, process_id)

    async def _note(self, connection: AsyncConnection, use: KeyUse, outcome: str) -> None:
        if use.request is not None:
            await self._audit(connection, [replace(use.request, outcome=outcome)])

    async def forget(self, now: datetime) -> int:
        """Delete keys that are past their lifetime and return how many."""
        table = idempotency_keys
        async with self._database.transaction("forget keys") as connection:
            deleted = await connection.execute(delete(table).where(table.c.claimed_at <= now - KEY_LIFETIME))
            return deleted.rowcount


def _claim(kind: str) -> Any:
    table, insert = idempotency_keys, insert_of(idempotency_keys, kind)
    expired = bindparam("expired", type_=table.c.claimed_at.type)
    claim = insert.on_conflict_do_update(
        index_elements=[table.c.scope, table.c.key],
        set_={name: insert.excluded[name] for name in ("payload_hash", "process_id", "claimed_at")},
        where=table.c.claimed_at <= expired,
    )
    return claim.returning(table.c.key)


_CLAIM = by_kind(_claim)
_CLAIMED = select(idempotency_keys.c.payload_hash, idempotency_keys.c.process_id).where(
    idempotency_keys.c.scope == bindparam("scope"), idempotency_keys.c.key == bindparam("key")
)

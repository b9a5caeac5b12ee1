"""Tables of the event log, what is projected from it, the audit and the inbox, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

__all__ = ["audit_log", "event_log", "inbox", "metadata", "projected_facts", "projection_cursors"]

metadata = MetaData()
_COUNTER = BigInteger().with_variant(Integer(), "sqlite")
_DOCUMENT = JSON().with_variant(JSONB(), "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """A point in time; SQLite keeps it without its zone, Python always sees it aware and in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC as the database keeps it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value.isoformat()} has no zone: times are aware and in UTC")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time, aware, in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


event_log = Table(
    "event_log",
    metadata,
    Column("position", _COUNTER, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False),
    Column("source", String(200), nullable=False),
    Column("type", String(120), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("partition_key", String(200), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("correlation_id", String(200), nullable=False),
    Column("causation_id", String(200)),
    Column("account_id", String(80)),
    Column("actor", String(200), nullable=False),
    Column("manual", Boolean, nullable=False),
    Column("system", String(20), nullable=False),
    Column("occurred_at", UtcTime, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("data", _DOCUMENT, nullable=False),
    UniqueConstraint("source", "id", name="uq_event_log_source_id"),
    UniqueConstraint("partition_key", "sequence", name="uq_event_log_partition_key_sequence"),
    Index("ix_event_log_id", "id"),
    Index("ix_event_log_correlation_id_position", "correlation_id", "position"),
    Index("ix_event_log_account_id_position", "account_id", "position"),
    Index("ix_event_log_subject_position", "subject", "position"),
    Index("ix_event_log_recorded_at", "recorded_at"),
    Index("ix_event_log_system_position", "system", "position"),
    sqlite_autoincrement=True,  # a pruned position must not be given again
)

inbox = Table(
    "inbox",
    metadata,
    Column("number", _COUNTER, primary_key=True, autoincrement=True),
    Column("source", String(20), nullable=False),
    Column("message_id", String(200), nullable=False),
    Column("type", String(120), nullable=False),
    Column("payload", _DOCUMENT, nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("received_at", UtcTime, nullable=False),
    Column("replayed", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("source", "message_id", name="uq_inbox_source_message_id"),
    Index("ix_inbox_state_number", "state", "number"),
)

projected_facts = Table(
    "projected_facts",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("id", String(260), primary_key=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("record", _DOCUMENT, nullable=False),
    Index("ix_projected_facts_kind_last_day", "kind", "last_day"),
)

projection_cursors = Table(
    "projection_cursors",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("operation", String(120), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("subject", String(200)),
    Column("account_id", String(80)),
    Column("correlation_id", String(200)),
    Column("before", Text),
    Column("after", Text),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_log_subject_number", "subject", "number"),
    Index("ix_audit_log_actor_number", "actor", "number"),
)

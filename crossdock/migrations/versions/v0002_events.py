"""Tables of the event log and the inbox.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create log and inbox."""
    op.create_table(
        "event_log",
        sa.Column("position", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("type", sa.String(120), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("partition_key", sa.String(200), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("correlation_id", sa.String(200), nullable=False),
        sa.Column("causation_id", sa.String(200)),
        sa.Column("account_id", sa.String(80)),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("manual", sa.Boolean, nullable=False),
        sa.Column("system", sa.String(20), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", _DOCUMENT, nullable=False),
        sa.UniqueConstraint("source", "id", name="uq_event_log_source_id"),
        sa.UniqueConstraint("partition_key", "sequence", name="uq_event_log_partition_key_sequence"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_log_id", "event_log", ["id"])
    op.create_index("ix_event_log_correlation_id_position", "event_log", ["correlation_id", "position"])
    op.create_index("ix_event_log_account_id_position", "event_log", ["account_id", "position"])
    op.create_index("ix_event_log_subject_position", "event_log", ["subject", "position"])
    op.create_index("ix_event_log_recorded_at", "event_log", ["recorded_at"])
    op.create_table(
        "inbox",
        sa.Column("number", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("type", sa.String(120), nullable=False),
        sa.Column("payload", _DOCUMENT, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("source", "message_id", name="uq_inbox_source_message_id"),
    )
    op.create_index("ix_inbox_state_number", "inbox", ["state", "number"])

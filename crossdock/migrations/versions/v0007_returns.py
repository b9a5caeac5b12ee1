"""Returns that were requested on the platform, and how far feeds of other systems are read.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "ledger_returns",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("process_id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=False),
        sa.Column("account_id", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_returns"),
        sa.UniqueConstraint("process_id", name="uq_ledger_returns_process_id"),
    )
    op.create_index("ix_ledger_returns_order_id_requested_at", "ledger_returns", ["order_id", "requested_at"])
    op.create_index("ix_ledger_returns_account_id_requested_at", "ledger_returns", ["account_id", "requested_at"])
    op.create_table(
        "feed_cursors",
        sa.Column("feed", sa.String(length=80), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", name="pk_feed_cursors"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("feed_cursors")
    op.drop_table("ledger_returns")

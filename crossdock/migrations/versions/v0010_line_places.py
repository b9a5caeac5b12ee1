"""Who waits in line for a system that does not answer.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "line_places",
        sa.Column("process_id", sa.String(length=200), nullable=False),
        sa.Column("system", sa.String(length=20), nullable=False),
        sa.Column("account_id", sa.String(length=80), nullable=False),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.String(length=80)),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("aside", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("process_id", name="pk_line_places"),
    )
    op.create_index(
        "ix_line_places_system_account_id_since_process_id",
        "line_places",
        ["system", "account_id", "since", "process_id"],
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("line_places")

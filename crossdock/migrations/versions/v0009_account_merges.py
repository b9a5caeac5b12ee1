"""Accounts that were found to be the same.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "account_merges",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("duplicate_id", sa.String(length=80), nullable=False),
        sa.Column("survivor_id", sa.String(length=80), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_merges"),
    )
    op.create_index("ix_account_merges_duplicate_id", "account_merges", ["duplicate_id"])
    op.create_index("ix_account_merges_survivor_id_began_at", "account_merges", ["survivor_id", "began_at"])
    op.create_table(
        "account_merge_claims",
        sa.Column("account_id", sa.String(length=80), nullable=False),
        sa.Column("merge_id", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_merge_claims"),
    )
    op.create_index("ix_account_merge_claims_merge_id", "account_merge_claims", ["merge_id"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("account_merge_claims")
    op.drop_table("account_merges")

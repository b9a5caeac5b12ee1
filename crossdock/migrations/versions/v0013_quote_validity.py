"""Quotes whose last day is over are found without reading all others.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None

_RECORDED = {
    "sqlite": "json_extract(record, '$.valid_until')",
    "postgresql": "CAST(record ->> 'valid_until' AS date)",
}
_INDEX = "ix_quotes_status_valid_until"


def upgrade() -> None:
    """Add the column, fill it for the quotes that there are, and index it."""
    op.add_column("quotes", sa.Column("valid_until", sa.Date(), nullable=True))
    op.execute(f"UPDATE quotes SET valid_until = {_RECORDED[op.get_bind().dialect.name]}")  # noqa: S608
    with op.batch_alter_table("quotes") as table:
        table.alter_column("valid_until", existing_type=sa.Date(), nullable=False)
    op.create_index(_INDEX, "quotes", ["status", "valid_until"])


def downgrade() -> None:
    """Drop the column."""
    op.drop_index(_INDEX, "quotes")
    with op.batch_alter_table("quotes") as table:
        table.drop_column("valid_until")

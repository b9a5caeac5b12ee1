"""The account of a task, so that pages of those that somebody works with are read as such.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None

_RECORDED = {"sqlite": "json_extract(record, '$.account_id')", "postgresql": "record ->> 'account_id'"}


def upgrade() -> None:
    """Add the column and fill it for the tasks that there are."""
    op.add_column("exception_tasks", sa.Column("account_id", sa.String(length=80), nullable=True))
    op.execute(f"UPDATE exception_tasks SET account_id = {_RECORDED[op.get_bind().dialect.name]}")  # noqa: S608


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("exception_tasks", "account_id")

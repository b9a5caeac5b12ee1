"""Of two returns of one order that are recorded at once one is first.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None

_INDEX = "uq_ledger_returns_order_id_turn"


def upgrade() -> None:
    """Add the column; the returns that there are need none: those to come count them."""
    op.add_column("ledger_returns", sa.Column("turn", sa.Integer(), nullable=True))
    op.create_index(_INDEX, "ledger_returns", ["order_id", "turn"], unique=True)


def downgrade() -> None:
    """Drop the column."""
    op.drop_index(_INDEX, "ledger_returns")
    op.drop_column("ledger_returns", "turn")

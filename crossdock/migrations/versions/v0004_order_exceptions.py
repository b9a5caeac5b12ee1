"""Orders that may have exceptions can be found without reading all others.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

_RECORDED = {
    "sqlite": "json_array_length(record, '$.exceptions') > 0",
    "postgresql": "jsonb_array_length(record -> 'exceptions') > 0",
}


def upgrade() -> None:
    """Add the column, fill it for the orders that there are, and index it."""
    op.add_column("ledger_orders", sa.Column("may_have_exceptions", sa.Boolean(), nullable=True))
    recorded = _RECORDED[op.get_bind().dialect.name]
    op.execute(
        f"UPDATE ledger_orders SET may_have_exceptions = status NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')"  # noqa: S608
        f" OR coalesce({recorded}, false)"
    )
    with op.batch_alter_table("ledger_orders") as table:
        table.alter_column("may_have_exceptions", existing_type=sa.Boolean(), nullable=False)
    columns = ["account_id", "may_have_exceptions", "submitted_at"]
    op.create_index("ix_ledger_orders_account_id_may_have_exceptions_submitted_at", "ledger_orders", columns)
    op.create_index("ix_ledger_orders_may_have_exceptions_submitted_at", "ledger_orders", columns[1:])


def downgrade() -> None:
    """Drop the column."""
    op.drop_index("ix_ledger_orders_may_have_exceptions_submitted_at", "ledger_orders")
    op.drop_index("ix_ledger_orders_account_id_may_have_exceptions_submitted_at", "ledger_orders")
    with op.batch_alter_table("ledger_orders") as table:
        table.drop_column("may_have_exceptions")

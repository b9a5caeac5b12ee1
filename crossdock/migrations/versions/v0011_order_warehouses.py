"""Which warehouses have to do with an order, a task or a dead letter, so that their people find what is theirs.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None

_SET_ASIDE = {
    "sqlite": (
        "SELECT DISTINCT o.id, json_extract(a.value, '$.warehouse_code') FROM ledger_orders AS o,"
        " json_each(o.record, '$.lines') AS l, json_each(l.value, '$.allocations') AS a"
    ),
    "postgresql": (
        "SELECT DISTINCT o.id, a.value ->> 'warehouse_code' FROM ledger_orders AS o,"
        " jsonb_array_elements(o.record -> 'lines') AS l, jsonb_array_elements(l.value -> 'allocations') AS a"
    ),
}
_SENT = {
    "sqlite": "json_extract(data, '$.warehouse')",
    "postgresql": "data ->> 'warehouse'",
}
_ABOUT = {
    "sqlite": "coalesce(json_extract(payload, '$.orderId'), json_extract(payload, '$.businessKey'))",
    "postgresql": "coalesce(payload ->> 'orderId', payload ->> 'businessKey')",
}


def upgrade() -> None:
    """Create the table and the columns, and fill them for what there is."""
    kind = op.get_bind().dialect.name
    op.create_table(
        "order_warehouses",
        sa.Column("order_id", sa.String(length=80), nullable=False),
        sa.Column("warehouse_code", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "warehouse_code", name="pk_order_warehouses"),
    )
    op.add_column("exception_tasks", sa.Column("warehouse_code", sa.String(length=40), nullable=True))
    op.add_column("dead_letters", sa.Column("order_id", sa.String(length=80), nullable=True))
    into = "INSERT INTO order_warehouses (order_id, warehouse_code)"
    op.execute(f"{into} {_SET_ASIDE[kind]}")
    sent = _SENT[kind]
    op.execute(
        f"{into} SELECT DISTINCT partition_key, {sent} FROM event_log"  # noqa: S608
        f" WHERE (type LIKE 'shipment.%' OR type IN ('order.released', 'order.line.allocated'))"
        f" AND {sent} IS NOT NULL ON CONFLICT DO NOTHING"
    )
    about = _ABOUT[kind]
    op.execute(
        f"UPDATE dead_letters SET order_id = {about}"  # noqa: S608
        f" WHERE source = 'PLATFORM' AND {about} IN (SELECT id FROM ledger_orders)"
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_column("dead_letters", "order_id")
    op.drop_column("exception_tasks", "warehouse_code")
    op.drop_table("order_warehouses")

"""Tables of the platform's ledgers.

Revision ID: 0001
Revises: none
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the ledgers."""
    _create_documents()
    _create_reservations()
    _create_operations()


def _create_documents() -> None:
    op.create_table(
        "number_sequences",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("last_value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_number_sequences"),
    )
    op.create_table(
        "ledger_orders",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=80), nullable=False),
        sa.Column("po_number", sa.String(length=200), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erp_number", sa.String(length=80), nullable=True),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_orders"),
        sa.UniqueConstraint("number", name="uq_ledger_orders_number"),
    )
    op.create_index("ix_ledger_orders_account_id_po_number", "ledger_orders", ["account_id", "po_number"])
    op.create_index("ix_ledger_orders_account_id_submitted_at", "ledger_orders", ["account_id", "submitted_at"])
    op.create_index("ix_ledger_orders_submitted_at", "ledger_orders", ["submitted_at"])
    op.create_table(
        "quotes",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=80), nullable=False),
        sa.Column("opportunity_id", sa.String(length=80), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quotes"),
        sa.UniqueConstraint("number", name="uq_quotes_number"),
    )
    op.create_index("ix_quotes_account_id_created_at", "quotes", ["account_id", "created_at"])
    op.create_index("ix_quotes_opportunity_id", "quotes", ["opportunity_id"])


def _create_reservations() -> None:
    op.create_table(
        "reservation_requests",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_reservation_requests"),
    )
    op.create_table(
        "reservation_balances",
        sa.Column("sku", sa.String(length=80), nullable=False),
        sa.Column("warehouse_code", sa.String(length=40), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sku", "warehouse_code", name="pk_reservation_balances"),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(length=260), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=80), nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=False),
        sa.Column("warehouse_code", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("uom", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reservations"),
    )
    op.create_index("ix_reservations_key", "reservations", ["key"])
    op.create_index("ix_reservations_sku_status", "reservations", ["sku", "status"])
    op.create_index("ix_reservations_status_expires_at", "reservations", ["status", "expires_at"])


def _create_operations() -> None:
    op.create_table(
        "exception_tasks",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exception_tasks"),
    )
    op.create_index("ix_exception_tasks_order_id", "exception_tasks", ["order_id"])
    op.create_index("ix_exception_tasks_queue_state_due_at", "exception_tasks", ["queue", "state", "due_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(length=300), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("payload_hash", sa.String(length=128), nullable=False),
        sa.Column("process_id", sa.String(length=200), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_claimed_at", "idempotency_keys", ["claimed_at"])
    op.create_table(
        "processes",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("business_key", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
    )
    op.create_index("ix_processes_business_key_started_at", "processes", ["business_key", "started_at"])
    op.create_table(
        "process_steps",
        sa.Column("position", _COUNTER, nullable=False),
        sa.Column("process_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_process_steps"),
        sa.UniqueConstraint("process_id", "name", name="uq_process_steps_process_id_name"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String(length=300), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", _DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
    )
    op.create_index("ix_dead_letters_first_seen", "dead_letters", ["first_seen"])
    op.create_index("ix_dead_letters_source_first_seen", "dead_letters", ["source", "first_seen"])


def downgrade() -> None:
    """Drop the ledgers with everything in them."""
    for table in (
        "number_sequences",
        "ledger_orders",
        "quotes",
        "reservation_requests",
        "reservation_balances",
        "reservations",
        "exception_tasks",
        "idempotency_keys",
        "processes",
        "process_steps",
        "dead_letters",
    ):
        op.drop_table(table)

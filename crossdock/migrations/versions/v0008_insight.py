"""Tables of figures and audit, and stock as it was last heard of.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


_REFUSE = {
    "sqlite": """
        CREATE TRIGGER audit_log_stays BEFORE UPDATE ON audit_log
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
    "postgresql": """
        CREATE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
        CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE ON audit_log
        FOR EACH ROW EXECUTE FUNCTION audit_log_stays()
    """,
}
_REFUSE_DELETE = """
    CREATE TRIGGER audit_log_remains BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
"""


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "projected_facts",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("id", sa.String(260), primary_key=True),
        sa.Column("first_day", sa.Date, nullable=False),
        sa.Column("last_day", sa.Date, nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
    )
    op.create_index("ix_projected_facts_kind_last_day", "projected_facts", ["kind", "last_day"])
    op.create_table(
        "projection_cursors",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit_log",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("operation", sa.String(120), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(200)),
        sa.Column("account_id", sa.String(80)),
        sa.Column("correlation_id", sa.String(200)),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_audit_log_subject_number", "audit_log", ["subject", "number"])
    op.create_index("ix_audit_log_actor_number", "audit_log", ["actor", "number"])
    op.execute(_REFUSE[op.get_bind().dialect.name])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_REFUSE_DELETE)
    op.create_table(
        "stock_positions",
        sa.Column("sku", sa.String(80), nullable=False),
        sa.Column("warehouse_code", sa.String(40), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_told", sa.Boolean, nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.Column("previous", _DOCUMENT),
        sa.PrimaryKeyConstraint("sku", "warehouse_code", name="pk_stock_positions"),
    )
    op.create_index("ix_stock_positions_is_told", "stock_positions", ["is_told"])


def downgrade() -> None:
    """Drop the tables."""
    for name in ("stock_positions", "audit_log", "projection_cursors", "projected_facts"):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_log_stays()")

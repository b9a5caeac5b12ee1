"""The audit is not emptied at once either.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None

# PostgreSQL fires no trigger of rows on TRUNCATE. SQLite has no such statement: it deletes row by row.
_REFUSE = """
    CREATE TRIGGER audit_log_endures BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays()
"""


def upgrade() -> None:
    """Refuse it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_REFUSE)


def downgrade() -> None:
    """Allow it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_log_endures ON audit_log")

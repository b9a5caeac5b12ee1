"""An entry of the audit is not replaced by an insert either.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None

# SQLite fires no trigger for the row that INSERT OR REPLACE removes, by its number or by its rowid. PostgreSQL has no
# statement that does so: what an insert there changes is an update.
_REFUSE = """
    CREATE TRIGGER audit_log_grows BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE number = NEW.number OR rowid = NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
"""


def upgrade() -> None:
    """Refuse it."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_REFUSE)


def downgrade() -> None:
    """Allow it."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_log_grows")

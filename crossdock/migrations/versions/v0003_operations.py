"""Indexes for what operations ask: which processes wait, and when each system was last heard.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_processes_state", "processes", ["state"])
    op.create_index("ix_event_log_system_position", "event_log", ["system", "position"])


def downgrade() -> None:
    """Drop the indexes."""
    op.drop_index("ix_event_log_system_position", "event_log")
    op.drop_index("ix_processes_state", "processes")

"""Requests to become a customer, and the marks by which an applicant is known while one is open.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "onboardings",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_onboardings"),
    )
    op.create_index("ix_onboardings_status_submitted_at", "onboardings", ["status", "submitted_at"])
    op.create_index("ix_onboardings_submitted_at", "onboardings", ["submitted_at"])
    op.create_table(
        "onboarding_marks",
        sa.Column("mark", sa.String(length=400), nullable=False),
        sa.Column("onboarding_id", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_onboarding_marks"),
    )
    op.create_index("ix_onboarding_marks_onboarding_id", "onboarding_marks", ["onboarding_id"])


def downgrade() -> None:
    """Drop the tables with everything in them."""
    op.drop_table("onboarding_marks")
    op.drop_table("onboardings")

"""Requests keep the plan they were served by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The table is not made anew: a ledger may be large, and neither database has to touch a row for this.
    op.add_column("requests", sa.Column("plan", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("requests", "plan")
